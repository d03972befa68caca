/*
 * The cluster for programs: all that Redis told, whole ids and every node, in the same order as the
 * tables. A field that is not known is null, not missing.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <cjson/cJSON.h>
#include "ctl/print.h"

/* with an allocator that does not fail nothing of cJSON does */
static cJSON *begin(const breaker__print_view_t *view)
{
    const breaker_answer_t *answer = &view->sight.answer->ledger;
    cJSON_Hooks hooks = {breaker__ctl_allocate, free};
    cJSON *root;

    cJSON_InitHooks(&hooks);
    root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "app", view->app);
    cJSON_AddStringToObject(root, "redis", view->peer);
    cJSON_AddNumberToObject(root, "now_ms", (double)answer->now_ms);
    cJSON_AddNumberToObject(root, "fleet", (double)answer->fleet);
    return root;
}

static void end(cJSON *root)
{
    char *text = cJSON_Print(root);

    puts(text);
    free(text);
    cJSON_Delete(root);
}

/* ---- fields ---- */

/* NULL and "" are not known */
static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}

static void add_ms(cJSON *object, const char *name, uint64_t ms, bool is_known)
{
    if (is_known)
        cJSON_AddNumberToObject(object, name, (double)ms);
    else
        cJSON_AddNullToObject(object, name);
}

/* a moment, in ms and to be read; 0 is not known */
static void add_moment(cJSON *object, const char *ms_name, const char *name, uint64_t ms)
{
    char time[BREAKER__PRINT_TIME_SIZE];

    breaker__print_time(ms, time);
    add_ms(object, ms_name, ms, ms != 0);
    add_text(object, name, ms != 0 ? time : NULL);
}

/* the whole id, and what it is made of where it has it */
static void add_id(cJSON *object, const breaker_release_id_t *id)
{
    size_t len = breaker_release_id_label_len(id);
    char label[BREAKER_RELEASE_ID_MAX + 1];

    assert(len < sizeof(label));
    snprintf(label, sizeof(label), "%.*s", (int)len, id->text);
    cJSON_AddStringToObject(object, "release", id->text);
    add_text(object, "label", label);
    add_text(object, "digest", breaker_release_id_digest(id));
}

/* ---- parts ---- */

static cJSON *make_entry(const breaker__print_view_t *view, const breaker_ledger_entry_t *entry)
{
    const breaker_origin_t *origin = breaker__census_origin(&view->sight, entry);
    cJSON *object = cJSON_CreateObject();
    char time[BREAKER__PRINT_TIME_SIZE];

    breaker__print_time(entry->order, time);
    cJSON_AddStringToObject(object, "token", entry->token.text);
    add_id(object, &entry->release);
    cJSON_AddNumberToObject(object, "order", (double)entry->order);
    cJSON_AddStringToObject(object, "time", time);
    add_text(object, "why",
             origin->why != BREAKER_WHY_UNKNOWN ? breaker_script_why(origin->why) : NULL);
    add_text(object, "over", origin->what.text);
    add_moment(object, "minted_ms", "minted", origin->when_ms);
    return object;
}

static cJSON *make_node(const breaker__print_view_t *view, const breaker__census_release_t *release,
                        const breaker_script_node_t *node)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "id", node->id);
    add_text(object, "address", node->address);
    cJSON_AddBoolToObject(object, "live", breaker__census_is_live(&view->sight, release, node));
    add_text(object, "token", node->token.len != 0 ? node->token.text : NULL);
    cJSON_AddStringToObject(object, "state",
                            breaker__census_is_synced(release, node) ? "synced" : "behind");
    add_moment(object, "since_ms", "since", node->since_ms);
    cJSON_AddNumberToObject(object, "seen_ms", (double)node->seen_ms);
    cJSON_AddNumberToObject(object, "ago_ms", (double)breaker__print_ago_ms(view, node->seen_ms));
    return object;
}

static cJSON *make_release(const breaker__print_view_t *view,
                           const breaker__census_release_t *release)
{
    const breaker_script_release_t *told = release->told;
    cJSON *object = cJSON_CreateObject(), *nodes;

    add_id(object, &release->id);
    add_text(object, "token", release->entry != NULL ? release->entry->token.text : NULL);
    cJSON_AddNumberToObject(object, "live", (double)(release->num_nodes - release->num_silent));
    cJSON_AddNumberToObject(object, "silent", (double)release->num_silent);
    cJSON_AddNumberToObject(object, "behind", (double)release->num_behind);
    add_ms(object, "silent_ms", told != NULL ? told->silent_ms : 0, told != NULL);
    add_ms(object, "dead_after_ms", told != NULL ? told->dead_after_ms : 0, told != NULL);
    nodes = cJSON_AddArrayToObject(object, "nodes");
    for (size_t i = 0; i != release->num_nodes; ++i)
        cJSON_AddItemToArray(nodes, make_node(view, release, release->nodes[i]));
    return object;
}

/* ---- what is wrong ---- */

static cJSON *add_trouble(cJSON *list, const char *kind)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "kind", kind);
    cJSON_AddItemToArray(list, object);
    return object;
}

static void add_conflicts(const breaker__print_view_t *view, cJSON *list)
{
    const breaker_ledger_t *ledger = view->sight.ledger;

    for (size_t i = breaker_ledger_size(ledger); i-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, i);
        const breaker_origin_t *origin = breaker__census_origin(&view->sight, entry);
        cJSON *object;
        if (origin->why != BREAKER_WHY_CONFLICT)
            continue;
        object = add_trouble(list, "token-conflict");
        cJSON_AddStringToObject(object, "release", entry->release.text);
        add_text(object, "other", origin->what.text);
        cJSON_AddStringToObject(object, "token", entry->token.text);
    }
}

static void add_clashes(const breaker__census_t *census, cJSON *list)
{
    for (size_t i = 0; i != census->num_releases; ++i) {
        const breaker__census_release_t *older = breaker__census_find_clash(census, i);
        cJSON *object;
        if (older == NULL)
            continue;
        object = add_trouble(list, "label-reused");
        cJSON_AddStringToObject(object, "release", census->releases[i].id.text);
        cJSON_AddStringToObject(object, "other", older->id.text);
    }
}

static void add_dead_afters(const breaker__census_t *census, cJSON *list)
{
    uint64_t shortest_ms, longest_ms;
    cJSON *object;

    if (!breaker__census_dead_after(census, &shortest_ms, &longest_ms))
        return;
    object = add_trouble(list, "dead-after");
    cJSON_AddNumberToObject(object, "shortest_ms", (double)shortest_ms);
    cJSON_AddNumberToObject(object, "longest_ms", (double)longest_ms);
}

/* ---- the whole ---- */

void breaker__print_status_json(const breaker__print_view_t *view)
{
    const breaker_ledger_t *ledger = view->sight.ledger;
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(ledger, NULL);
    cJSON *root = begin(view), *list;
    breaker__census_t census;

    breaker__census_take(&view->sight, &census);
    cJSON_AddItemToObject(root, "newest",
                          newest != NULL ? make_entry(view, newest) : cJSON_CreateNull());
    list = cJSON_AddArrayToObject(root, "troubles");
    add_conflicts(view, list);
    add_clashes(&census, list);
    add_dead_afters(&census, list);
    list = cJSON_AddArrayToObject(root, "ledger");
    for (size_t i = breaker_ledger_size(ledger); i-- != 0;)
        cJSON_AddItemToArray(list, make_entry(view, breaker_ledger_at(ledger, i)));
    list = cJSON_AddArrayToObject(root, "releases");
    for (size_t i = 0; i != census.num_releases; ++i)
        cJSON_AddItemToArray(list, make_release(view, census.releases + i));
    breaker__census_dispose(&census);
    end(root);
}

void breaker__print_promotion_json(const breaker__print_view_t *view,
                                   const breaker_ledger_entry_t *entry, bool is_new)
{
    cJSON *root = begin(view);

    cJSON_AddItemToObject(root, "newest", make_entry(view, entry));
    cJSON_AddBoolToObject(root, "promoted", is_new);
    end(root);
}
