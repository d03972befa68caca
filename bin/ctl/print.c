/*
 * The cluster on a terminal and as JSON. Newest first in both: what one looks for stands where one
 * looks first. Everything printed has been checked to be printable where it was read.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <cjson/cJSON.h>
#include "ctl/print.h"

/* "2026-11-23T07:20:11.123Z", with a year of up to six digits */
#define TIME_SIZE 40

/** The releases that the ledger or the nodes name, each once, newest first, unknown ones last. */
typedef struct st_releases_t {
    size_t num;
    breaker_release_id_t *ids; /* owned */
} releases_t;

static void *allocate(size_t size)
{
    void *base = malloc(size);

    if (base == NULL) {
        fprintf(stderr, "breakerctl: out of memory\n");
        exit(EX_OSERR);
    }
    return base;
}

static bool is_live(const breaker__print_view_t *view, const breaker_script_node_t *node)
{
    return breaker_script_is_live(node, view->answer->ledger.now_ms, view->dead_after_ms);
}

static uint64_t ago_ms(const breaker__print_view_t *view, const breaker_script_node_t *node)
{
    return view->answer->ledger.now_ms > node->seen_ms ? view->answer->ledger.now_ms - node->seen_ms
                                                       : 0;
}

static void count(const breaker__print_view_t *view, const breaker_release_id_t *release,
                  size_t *ret_live, size_t *ret_silent)
{
    *ret_live = *ret_silent = 0;
    for (size_t i = 0; i != view->num_nodes; ++i)
        if (breaker_release_id_equal(&view->nodes[i].release, release))
            ++*(is_live(view, view->nodes + i) ? ret_live : ret_silent);
}

static void add_release(releases_t *releases, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != releases->num; ++i)
        if (breaker_release_id_equal(releases->ids + i, id))
            return;
    releases->ids[releases->num++] = *id;
}

static void find_releases(const breaker__print_view_t *view, releases_t *releases)
{
    releases->num = 0;
    releases->ids = allocate((BREAKER_LEDGER_MAX + view->num_nodes) * sizeof(releases->ids[0]));
    for (size_t i = breaker_ledger_size(view->ledger); i-- != 0;)
        add_release(releases, &breaker_ledger_at(view->ledger, i)->release);
    for (size_t i = view->num_nodes; i-- != 0;)
        add_release(releases, &view->nodes[i].release);
}

static void print_time(uint64_t ms, char dst[TIME_SIZE])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    size_t len = 0;

    if (gmtime_r(&seconds, &parts) != NULL)
        len = strftime(dst, TIME_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(dst + len, TIME_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
}

/* ---- tables: one column more is one function and one line ---- */

/* any cell, with its NUL */
#define CELL_SIZE (BREAKER_ADVERTISE_MAX + 1)
#define COLUMNS_MAX 8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct st_column_t {
    const char *heading;
    bool is_right;
    /* what a row, an entry or a node, has there */
    void (*write)(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE]);
} column_t;

typedef struct st_table_t {
    const column_t *columns;
    size_t num_columns, num_rows;
    const void *const *rows;
} table_t;

static int width_of(const breaker__print_view_t *view, const table_t *table, const column_t *column)
{
    size_t width = strlen(column->heading);
    char cell[CELL_SIZE];

    for (size_t i = 0; i != table->num_rows; ++i) {
        column->write(view, table->rows[i], cell);
        if (strlen(cell) > width)
            width = strlen(cell);
    }
    assert(width < CELL_SIZE);
    return (int)width;
}

static void print_cell(const column_t *column, int width, bool is_last, const char *text)
{
    /* what is left-aligned has no spaces after the last column */
    if (!column->is_right)
        width = is_last ? 0 : -width;
    printf("%*s%s", width, text, is_last ? "\n" : "  ");
}

static void print_table(const breaker__print_view_t *view, const table_t *table)
{
    size_t last = table->num_columns - 1;
    char cell[CELL_SIZE];
    int widths[COLUMNS_MAX];

    assert(table->num_columns != 0);
    assert(table->num_columns <= COLUMNS_MAX);
    for (size_t at = 0; at <= last; ++at) {
        widths[at] = width_of(view, table, table->columns + at);
        print_cell(table->columns + at, widths[at], at == last, table->columns[at].heading);
    }
    for (size_t i = 0; i != table->num_rows; ++i)
        for (size_t at = 0; at <= last; ++at) {
            table->columns[at].write(view, table->rows[i], cell);
            print_cell(table->columns + at, widths[at], at == last, cell);
        }
}

/* label and a digest's beginning: the whole is in the JSON */
static void write_short(const breaker_release_id_t *id, char dst[CELL_SIZE])
{
    snprintf(dst, CELL_SIZE, "%s", breaker_release_id_shorten(id).text);
}

/* ---- the ledger ---- */

static void write_since(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_ledger_entry_t *entry = row;
    char time[TIME_SIZE];

    print_time(entry->order, time);
    snprintf(dst, CELL_SIZE, "%c %s",
             entry == breaker_ledger_newest(view->ledger, NULL) ? '*' : ' ', time);
}

static void write_token(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    snprintf(dst, CELL_SIZE, "%s", ((const breaker_ledger_entry_t *)row)->token.text);
}

/* the nodes of a release stand at its newest token */
static void write_count(const breaker__print_view_t *view, const breaker_ledger_entry_t *entry,
                        bool wants_live, char dst[CELL_SIZE])
{
    size_t live, silent;

    dst[0] = '\0';
    if (entry != breaker_ledger_newest(view->ledger, &entry->release))
        return;
    count(view, &entry->release, &live, &silent);
    snprintf(dst, CELL_SIZE, "%zu", wants_live ? live : silent);
}

static void write_live(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    write_count(view, row, true, dst);
}

static void write_silent(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    write_count(view, row, false, dst);
}

static void write_owner(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_short(&((const breaker_ledger_entry_t *)row)->release, dst);
}

static void print_ledger(const breaker__print_view_t *view)
{
    static const column_t columns[] = {
        {"  SINCE", false, write_since}, {"TOKEN", false, write_token},
        {"LIVE", true, write_live},      {"SILENT", true, write_silent},
        {"RELEASE", false, write_owner},
    };
    const void *rows[BREAKER_LEDGER_MAX];
    size_t size = breaker_ledger_size(view->ledger);

    for (size_t i = 0; i != size; ++i)
        rows[i] = breaker_ledger_at(view->ledger, size - 1 - i);
    print_table(view, &(table_t){columns, COUNT(columns), size, rows});
}

/* ---- the nodes ---- */

static void write_state(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    snprintf(dst, CELL_SIZE, "  %s", is_live(view, row) ? "live" : "silent");
}

static void write_address(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_script_node_t *node = row;
    (void)view;

    snprintf(dst, CELL_SIZE, "%s", node->address[0] != '\0' ? node->address : "-");
}

static void write_id(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    snprintf(dst, CELL_SIZE, "%s", ((const breaker_script_node_t *)row)->id);
}

static void write_seen(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    snprintf(dst, CELL_SIZE, "%6.1f s ago", (double)ago_ms(view, row) / 1000);
}

static void write_release(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_short(&((const breaker_script_node_t *)row)->release, dst);
}

/* release by release */
static void print_nodes(const breaker__print_view_t *view, const releases_t *releases)
{
    static const column_t columns[] = {
        {"  NODE  ", false, write_state},  {"ADDRESS", false, write_address},
        {"ID", false, write_id},           {"LAST SEEN", true, write_seen},
        {"RELEASE", false, write_release},
    };
    const void **rows = allocate(view->num_nodes * sizeof(rows[0]));
    size_t num = 0;

    for (size_t at = 0; at != releases->num; ++at)
        for (size_t i = 0; i != view->num_nodes; ++i)
            if (breaker_release_id_equal(&view->nodes[i].release, releases->ids + at))
                rows[num++] = view->nodes + i;
    assert(num == view->num_nodes);
    printf("\n");
    print_table(view, &(table_t){columns, COUNT(columns), num, rows});
    free(rows);
}

/* ---- the whole ---- */

void breaker__print_status(const breaker__print_view_t *view)
{
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(view->ledger, NULL);
    releases_t releases;

    find_releases(view, &releases);
    printf("app %s at %s", view->app, view->peer);
    if (newest == NULL)
        printf(": no token is known\n");
    else
        printf(": token %s, release %s\n\n", newest->token.text,
               breaker_release_id_shorten(&newest->release).text);
    if (newest != NULL)
        print_ledger(view);
    if (view->num_nodes != 0)
        print_nodes(view, &releases);
    free(releases.ids);
}

/* ---- for programs ---- */

/* with an allocator that does not fail nothing of cJSON does */
static cJSON *begin_json(const breaker__print_view_t *view)
{
    cJSON_Hooks hooks = {allocate, free};
    cJSON *root;

    cJSON_InitHooks(&hooks);
    root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "app", view->app);
    cJSON_AddStringToObject(root, "redis", view->peer);
    cJSON_AddNumberToObject(root, "now_ms", (double)view->answer->ledger.now_ms);
    return root;
}

static void end_json(cJSON *root)
{
    char *text = cJSON_Print(root);

    puts(text);
    free(text);
    cJSON_Delete(root);
}

/* the whole id, and what it is made of where it has it */
static void add_id(cJSON *object, const breaker_release_id_t *id)
{
    const char *digest = breaker_release_id_digest(id);
    size_t len = breaker_release_id_label_len(id);
    char label[BREAKER_RELEASE_ID_MAX + 1];

    assert(len < sizeof(label));
    snprintf(label, sizeof(label), "%.*s", (int)len, id->text);
    cJSON_AddStringToObject(object, "release", id->text);
    cJSON_AddItemToObject(object, "label",
                          len != 0 ? cJSON_CreateString(label) : cJSON_CreateNull());
    cJSON_AddItemToObject(object, "digest",
                          digest != NULL ? cJSON_CreateString(digest) : cJSON_CreateNull());
}

static cJSON *make_entry(const breaker_ledger_entry_t *entry)
{
    cJSON *object = cJSON_CreateObject();
    char time[TIME_SIZE];

    print_time(entry->order, time);
    cJSON_AddStringToObject(object, "token", entry->token.text);
    add_id(object, &entry->release);
    cJSON_AddNumberToObject(object, "order", (double)entry->order);
    cJSON_AddStringToObject(object, "time", time);
    return object;
}

static cJSON *make_node(const breaker__print_view_t *view, const breaker_script_node_t *node)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "id", node->id);
    if (node->address[0] != '\0')
        cJSON_AddStringToObject(object, "address", node->address);
    else
        cJSON_AddNullToObject(object, "address");
    cJSON_AddBoolToObject(object, "live", is_live(view, node));
    cJSON_AddNumberToObject(object, "seen_ms", (double)node->seen_ms);
    cJSON_AddNumberToObject(object, "ago_ms", (double)ago_ms(view, node));
    return object;
}

static cJSON *make_release(const breaker__print_view_t *view, const breaker_release_id_t *id)
{
    const breaker_ledger_entry_t *entry = breaker_ledger_newest(view->ledger, id);
    cJSON *object = cJSON_CreateObject(), *nodes;
    size_t live, silent;

    count(view, id, &live, &silent);
    add_id(object, id);
    if (entry != NULL)
        cJSON_AddStringToObject(object, "token", entry->token.text);
    else
        cJSON_AddNullToObject(object, "token");
    cJSON_AddNumberToObject(object, "live", (double)live);
    cJSON_AddNumberToObject(object, "silent", (double)silent);
    nodes = cJSON_AddArrayToObject(object, "nodes");
    for (size_t i = 0; i != view->num_nodes; ++i)
        if (breaker_release_id_equal(&view->nodes[i].release, id))
            cJSON_AddItemToArray(nodes, make_node(view, view->nodes + i));
    return object;
}

void breaker__print_status_json(const breaker__print_view_t *view)
{
    const breaker_ledger_t *ledger = view->ledger;
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(ledger, NULL);
    cJSON *root = begin_json(view), *list;
    releases_t releases;

    find_releases(view, &releases);
    cJSON_AddItemToObject(root, "newest", newest != NULL ? make_entry(newest) : cJSON_CreateNull());
    list = cJSON_AddArrayToObject(root, "ledger");
    for (size_t i = breaker_ledger_size(ledger); i-- != 0;)
        cJSON_AddItemToArray(list, make_entry(breaker_ledger_at(ledger, i)));
    list = cJSON_AddArrayToObject(root, "releases");
    for (size_t i = 0; i != releases.num; ++i)
        cJSON_AddItemToArray(list, make_release(view, releases.ids + i));
    free(releases.ids);
    end_json(root);
}

void breaker__print_promotion_json(const breaker__print_view_t *view,
                                   const breaker_ledger_entry_t *entry, bool is_new)
{
    cJSON *root = begin_json(view);

    cJSON_AddItemToObject(root, "newest", make_entry(entry));
    cJSON_AddBoolToObject(root, "promoted", is_new);
    end_json(root);
}
