/*
 * The cluster on a terminal. Newest first: what one looks for stands where one looks first, and
 * what is wrong before all tables. Everything printed has been checked to be printable where it was
 * read.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ctl/print.h"

void breaker__print_time(uint64_t ms, char dst[BREAKER__PRINT_TIME_SIZE])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    size_t len = 0;

    if (gmtime_r(&seconds, &parts) != NULL)
        len = strftime(dst, BREAKER__PRINT_TIME_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(dst + len, BREAKER__PRINT_TIME_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
}

uint64_t breaker__print_ago_ms(const breaker__print_view_t *view, uint64_t ms)
{
    uint64_t now_ms = view->sight.answer->ledger.now_ms;

    return now_ms > ms ? now_ms - ms : 0;
}

/* ---- tables: one column more is one function and one line ---- */

/* any cell, with its NUL */
#define CELL_SIZE (BREAKER_ADVERTISE_MAX + 1)
#define COLUMNS_MAX 8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TABLE(columns, rows, num_rows) (&(table_t){columns, COUNT(columns), num_rows, rows})

typedef struct st_column_t {
    const char *heading;
    bool is_right;
    /* what a row has there */
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
    snprintf(dst, CELL_SIZE, "%s", id->len != 0 ? breaker_release_id_shorten(id).text : "-");
}

static void write_token_of(const breaker_token_t *token, char dst[CELL_SIZE])
{
    snprintf(dst, CELL_SIZE, "%s", token->len != 0 ? token->text : "-");
}

/* ---- the ledger ---- */

/* by the order, where it is not known when: that is a time as well, for what was minted */
static void write_minted(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_ledger_entry_t *entry = row;
    const breaker_origin_t *origin = breaker__census_origin(&view->sight, entry);
    char time[BREAKER__PRINT_TIME_SIZE];

    breaker__print_time(origin->when_ms != 0 ? origin->when_ms : entry->order, time);
    snprintf(dst, CELL_SIZE, "%c %s",
             entry == breaker_ledger_newest(view->sight.ledger, NULL) ? '*' : ' ', time);
}

static void write_token(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_token_of(&((const breaker_ledger_entry_t *)row)->token, dst);
}

static void write_why(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    snprintf(dst, CELL_SIZE, "%s",
             breaker_script_why(breaker__census_origin(&view->sight, row)->why));
}

static void write_over(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    write_short(&breaker__census_origin(&view->sight, row)->what, dst);
}

static void write_owner(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_short(&((const breaker_ledger_entry_t *)row)->release, dst);
}

static void print_ledger(const breaker__print_view_t *view)
{
    static const column_t columns[] = {
        {"  MINTED", false, write_minted}, {"TOKEN", false, write_token},
        {"WHY", false, write_why},         {"OVER", false, write_over},
        {"RELEASE", false, write_owner},
    };
    const void *rows[BREAKER_LEDGER_MAX];
    size_t size = breaker_ledger_size(view->sight.ledger);

    for (size_t i = 0; i != size; ++i)
        rows[i] = breaker_ledger_at(view->sight.ledger, size - 1 - i);
    printf("\n");
    print_table(view, TABLE(columns, rows, size));
}

/* ---- the releases ---- */

static void write_live(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker__census_release_t *release = row;
    (void)view;

    snprintf(dst, CELL_SIZE, "%zu", release->num_nodes - release->num_silent);
}

static void write_silent(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    snprintf(dst, CELL_SIZE, "%zu", ((const breaker__census_release_t *)row)->num_silent);
}

static void write_behind(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    snprintf(dst, CELL_SIZE, "%zu", ((const breaker__census_release_t *)row)->num_behind);
}

static void write_silence(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_script_release_t *told = ((const breaker__census_release_t *)row)->told;
    (void)view;

    if (told == NULL)
        strcpy(dst, "-");
    else
        snprintf(dst, CELL_SIZE, "%.1f s", (double)told->silent_ms / 1000);
}

static void write_dead_after(const breaker__print_view_t *view, const void *row,
                             char dst[CELL_SIZE])
{
    const breaker_script_release_t *told = ((const breaker__census_release_t *)row)->told;
    (void)view;

    if (told == NULL)
        strcpy(dst, "-");
    else if (told->dead_after_ms == 0)
        strcpy(dst, "never");
    else
        snprintf(dst, CELL_SIZE, "%.1f s", (double)told->dead_after_ms / 1000);
}

static void write_newest(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_ledger_entry_t *entry = ((const breaker__census_release_t *)row)->entry;
    (void)view;

    snprintf(dst, CELL_SIZE, "%s", entry != NULL ? entry->token.text : "-");
}

static void write_id(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_short(&((const breaker__census_release_t *)row)->id, dst);
}

static void print_releases(const breaker__print_view_t *view, const breaker__census_t *census)
{
    static const column_t columns[] = {
        {"  LIVE", true, write_live},           {"SILENT", true, write_silent},
        {"BEHIND", true, write_behind},         {"SILENT FOR", true, write_silence},
        {"DEAD AFTER", true, write_dead_after}, {"TOKEN", false, write_newest},
        {"RELEASE", false, write_id},
    };
    const void **rows = breaker__ctl_allocate(census->num_releases * sizeof(rows[0]));

    for (size_t i = 0; i != census->num_releases; ++i)
        rows[i] = census->releases + i;
    printf("\n");
    print_table(view, TABLE(columns, rows, census->num_releases));
    free(rows);
}

/* ---- the nodes ---- */

/* a node in its release: what a row of this table is */
typedef struct st_member_t {
    const breaker__census_release_t *release;
    const breaker_script_node_t *node;
} member_t;

static void write_life(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const member_t *member = row;
    bool is_live = breaker__census_is_live(&view->sight, member->release, member->node);

    snprintf(dst, CELL_SIZE, "  %s", is_live ? "live" : "silent");
}

static void write_state(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const member_t *member = row;
    (void)view;

    strcpy(dst, breaker__census_is_synced(member->release, member->node) ? "synced" : "behind");
}

static void write_held(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_token_of(&((const member_t *)row)->node->token, dst);
}

static void write_since(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    uint64_t since_ms = ((const member_t *)row)->node->since_ms;
    char time[BREAKER__PRINT_TIME_SIZE];
    (void)view;

    breaker__print_time(since_ms, time);
    snprintf(dst, CELL_SIZE, "%s", since_ms != 0 ? time : "-");
}

static void write_seen(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    uint64_t ago_ms = breaker__print_ago_ms(view, ((const member_t *)row)->node->seen_ms);

    snprintf(dst, CELL_SIZE, "%6.1f s ago", (double)ago_ms / 1000);
}

static void write_address(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    const breaker_script_node_t *node = ((const member_t *)row)->node;
    (void)view;

    snprintf(dst, CELL_SIZE, "%s", node->address[0] != '\0' ? node->address : "-");
}

static void write_node_id(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    snprintf(dst, CELL_SIZE, "%s", ((const member_t *)row)->node->id);
}

static void write_release(const breaker__print_view_t *view, const void *row, char dst[CELL_SIZE])
{
    (void)view;
    write_short(&((const member_t *)row)->release->id, dst);
}

/* release by release */
static void print_members(const breaker__print_view_t *view, const breaker__census_t *census,
                          size_t num)
{
    static const column_t columns[] = {
        {"  NODE  ", false, write_life}, {"STATE", false, write_state},
        {"TOKEN", false, write_held},    {"IN TOUCH SINCE", false, write_since},
        {"LAST SEEN", true, write_seen}, {"ADDRESS", false, write_address},
        {"ID", false, write_node_id},    {"RELEASE", false, write_release},
    };
    member_t *members = breaker__ctl_allocate(num * sizeof(members[0]));
    const void **rows = breaker__ctl_allocate(num * sizeof(rows[0]));
    size_t at = 0;

    for (size_t i = 0; at != num; ++i) {
        const breaker__census_release_t *release = census->releases + i;
        assert(i != census->num_releases);
        for (size_t j = 0; j != release->num_nodes && at != num; ++j) {
            members[at] = (member_t){release, release->nodes[j]};
            rows[at] = members + at;
            ++at;
        }
    }
    print_table(view, TABLE(columns, rows, num));
    free(rows);
    free(members);
}

static void print_nodes(const breaker__print_view_t *view, const breaker__census_t *census)
{
    size_t num = view->sight.num_nodes;
    size_t num_shown =
        view->shows_all || num < BREAKER__PRINT_NODES_MAX ? num : BREAKER__PRINT_NODES_MAX;

    if (num == 0)
        return;
    printf("\n");
    print_members(view, census, num_shown);
    if (num_shown != num)
        printf("  ... and %zu more; --all shows them\n", num - num_shown);
}

/* ---- what is wrong ---- */

static void print_conflicts(const breaker__print_view_t *view)
{
    const breaker_ledger_t *ledger = view->sight.ledger;
    char release[CELL_SIZE], other[CELL_SIZE];

    for (size_t i = breaker_ledger_size(ledger); i-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, i);
        const breaker_origin_t *origin = breaker__census_origin(&view->sight, entry);
        if (origin->why != BREAKER_WHY_CONFLICT)
            continue;
        write_short(&entry->release, release);
        write_short(&origin->what, other);
        printf("! token conflict: %s had a token of %s, and has %s instead\n", release, other,
               entry->token.text);
    }
}

/* label by label: a release is compared with those that are older than it */
static void print_clashes(const breaker__census_t *census)
{
    char release[CELL_SIZE], other[CELL_SIZE];

    for (size_t i = 0; i != census->num_releases; ++i) {
        const breaker__census_release_t *older = breaker__census_find_clash(census, i);
        if (older == NULL)
            continue;
        write_short(&census->releases[i].id, release);
        write_short(&older->id, other);
        printf("! label in use: %s and %s have the same label, but other files or headers\n",
               release, other);
    }
}

static void print_dead_afters(const breaker__census_t *census)
{
    uint64_t shortest_ms, longest_ms;

    if (!breaker__census_dead_after(census, &shortest_ms, &longest_ms))
        return;
    printf("! dead-after differs: %.1f s to %.1f s; of two the longer one decides%s\n",
           (double)shortest_ms / 1000, (double)longest_ms / 1000,
           shortest_ms == 0 ? ", and 0 means never" : "");
}

/* ---- the whole ---- */

static void print_title(const breaker__print_view_t *view)
{
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(view->sight.ledger, NULL);
    const breaker_answer_t *answer = &view->sight.answer->ledger;

    printf("app %s at %s", view->app, view->peer);
    if (newest == NULL)
        printf(": no token is known\n");
    else
        printf(": token %s, release %s; %" PRIu32 " node%s in touch\n", newest->token.text,
               breaker_release_id_shorten(&newest->release).text, answer->fleet,
               answer->fleet == 1 ? "" : "s");
}

void breaker__print_status(const breaker__print_view_t *view)
{
    breaker__census_t census;

    breaker__census_take(&view->sight, &census);
    print_title(view);
    print_conflicts(view);
    print_clashes(&census);
    print_dead_afters(&census);
    if (breaker_ledger_size(view->sight.ledger) != 0)
        print_ledger(view);
    if (census.num_releases != 0)
        print_releases(view, &census);
    print_nodes(view, &census);
    breaker__census_dispose(&census);
}
