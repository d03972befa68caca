/*
 * The cluster on a terminal and as JSON. Newest first in both: what one looks for stands where one
 * looks first. Everything printed has been checked to be printable where it was read.
 */
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
    breaker_release_id_t ids[BREAKER_LEDGER_MAX + BREAKER_SCRIPT_NODES_MAX];
} releases_t;

static bool is_live(const breaker__print_view_t *view, const breaker_script_node_t *node)
{
    return breaker_script_is_live(node, view->answer->now_ms, view->dead_after_ms);
}

static uint64_t ago_ms(const breaker__print_view_t *view, const breaker_script_node_t *node)
{
    return view->answer->now_ms > node->seen_ms ? view->answer->now_ms - node->seen_ms : 0;
}

static void count(const breaker__print_view_t *view, const breaker_release_id_t *release,
                  size_t *ret_live, size_t *ret_silent)
{
    *ret_live = *ret_silent = 0;
    for (size_t i = 0; i != view->answer->num_nodes; ++i)
        if (breaker_release_id_equal(&view->answer->nodes[i].release, release))
            ++*(is_live(view, view->answer->nodes + i) ? ret_live : ret_silent);
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
    for (size_t i = breaker_ledger_size(view->ledger); i-- != 0;)
        add_release(releases, &breaker_ledger_at(view->ledger, i)->release);
    for (size_t i = view->answer->num_nodes; i-- != 0;)
        add_release(releases, &view->answer->nodes[i].release);
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

/* ---- for people ---- */

static void print_ledger(const breaker__print_view_t *view)
{
    const breaker_ledger_t *ledger = view->ledger;
    size_t size = breaker_ledger_size(ledger), live, silent;
    int width = 5;
    char time[TIME_SIZE];

    for (size_t i = 0; i != size; ++i)
        if (breaker_ledger_at(ledger, i)->token.len > width)
            width = breaker_ledger_at(ledger, i)->token.len;
    printf("  %-24s  %-*s  %4s  %6s  %s\n", "SINCE", width, "TOKEN", "LIVE", "SILENT", "RELEASE");
    for (size_t i = size; i-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, i);
        print_time(entry->order, time);
        count(view, &entry->release, &live, &silent);
        /* the nodes of a release stand at its newest token */
        if (breaker_ledger_newest(ledger, &entry->release) != entry)
            printf("  %-24s  %-*s  %4s  %6s  %s\n", time, width, entry->token.text, "", "",
                   entry->release.text);
        else
            printf("%c %-24s  %-*s  %4zu  %6zu  %s\n", i == size - 1 ? '*' : ' ', time, width,
                   entry->token.text, live, silent, entry->release.text);
    }
}

static const char *address_of(const breaker_script_node_t *node)
{
    return node->address[0] != '\0' ? node->address : "-";
}

static void print_nodes(const breaker__print_view_t *view, const releases_t *releases)
{
    const breaker_script_answer_t *answer = view->answer;
    int width = 7;

    for (size_t i = 0; i != answer->num_nodes; ++i)
        if ((int)strlen(address_of(answer->nodes + i)) > width)
            width = (int)strlen(address_of(answer->nodes + i));
    printf("\n  %-6s  %-*s  %-16s  %12s  %s\n", "NODE", width, "ADDRESS", "ID", "LAST SEEN",
           "RELEASE");
    for (size_t at = 0; at != releases->num; ++at)
        for (size_t i = answer->num_nodes; i-- != 0;) {
            const breaker_script_node_t *node = answer->nodes + i;
            if (breaker_release_id_equal(&node->release, releases->ids + at))
                printf("  %-6s  %-*s  %-16s  %6.1f s ago  %s\n",
                       is_live(view, node) ? "live" : "silent", width, address_of(node), node->id,
                       (double)ago_ms(view, node) / 1000, node->release.text);
        }
}

void breaker__print_status(const breaker__print_view_t *view)
{
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(view->ledger, NULL);
    releases_t releases;

    find_releases(view, &releases);
    printf("app %s at %s", view->app, view->peer);
    if (newest == NULL)
        printf(": no token is known\n");
    else
        printf(": token %s, release %s\n\n", newest->token.text, newest->release.text);
    if (newest != NULL)
        print_ledger(view);
    if (view->answer->num_nodes != 0)
        print_nodes(view, &releases);
}

/* ---- for programs ---- */

static void *allocate(size_t size)
{
    void *base = malloc(size);

    if (base == NULL) {
        fprintf(stderr, "breakerctl: out of memory\n");
        exit(EX_OSERR);
    }
    return base;
}

/* with an allocator that does not fail nothing of cJSON does */
static cJSON *begin_json(const breaker__print_view_t *view)
{
    cJSON_Hooks hooks = {allocate, free};
    cJSON *root;

    cJSON_InitHooks(&hooks);
    root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "app", view->app);
    cJSON_AddStringToObject(root, "redis", view->peer);
    cJSON_AddNumberToObject(root, "now_ms", (double)view->answer->now_ms);
    return root;
}

static void end_json(cJSON *root)
{
    char *text = cJSON_Print(root);

    puts(text);
    free(text);
    cJSON_Delete(root);
}

static cJSON *make_entry(const breaker_ledger_entry_t *entry)
{
    cJSON *object = cJSON_CreateObject();
    char time[TIME_SIZE];

    print_time(entry->order, time);
    cJSON_AddStringToObject(object, "token", entry->token.text);
    cJSON_AddStringToObject(object, "release", entry->release.text);
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
    const breaker_script_answer_t *answer = view->answer;
    const breaker_ledger_entry_t *entry = breaker_ledger_newest(view->ledger, id);
    cJSON *object = cJSON_CreateObject(), *nodes;
    size_t live, silent;

    count(view, id, &live, &silent);
    cJSON_AddStringToObject(object, "release", id->text);
    if (entry != NULL)
        cJSON_AddStringToObject(object, "token", entry->token.text);
    else
        cJSON_AddNullToObject(object, "token");
    cJSON_AddNumberToObject(object, "live", (double)live);
    cJSON_AddNumberToObject(object, "silent", (double)silent);
    nodes = cJSON_AddArrayToObject(object, "nodes");
    for (size_t i = answer->num_nodes; i-- != 0;)
        if (breaker_release_id_equal(&answer->nodes[i].release, id))
            cJSON_AddItemToArray(nodes, make_node(view, answer->nodes + i));
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
