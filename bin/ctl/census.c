/*
 * Who is there. A cluster may have ten thousand nodes, so nobody is looked for by going through all
 * of them: nodes are sorted by their release, and each release has a piece of that list. Kept
 * always: every node is in exactly one release, and every release that anybody names is there once.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "ctl/census.h"

void *breaker__ctl_allocate(size_t size)
{
    /* what is empty has a place as well */
    void *base = malloc(size != 0 ? size : 1);

    if (base == NULL) {
        fprintf(stderr, "breakerctl: out of memory\n");
        exit(EX_OSERR);
    }
    return base;
}

/* ---- one node ---- */

bool breaker__census_is_live(const breaker__sight_t *sight,
                             const breaker__census_release_t *release,
                             const breaker_script_node_t *node)
{
    uint64_t dead_ms = sight->dead_after_ms;

    if (dead_ms == 0 && release->told != NULL)
        dead_ms = release->told->dead_after_ms;
    if (dead_ms == 0)
        dead_ms = BREAKER_DEAD_AFTER_DEFAULT_MS;
    assert(breaker_release_id_equal(&node->release, &release->id));
    return breaker_script_is_live(node, sight->answer->ledger.now_ms, dead_ms);
}

bool breaker__census_is_synced(const breaker__census_release_t *release,
                               const breaker_script_node_t *node)
{
    assert(breaker_release_id_equal(&node->release, &release->id));
    return release->entry != NULL && breaker_token_equal(&node->token, &release->entry->token);
}

/* ---- releases ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const breaker__census_release_t *)a)->id.text,
                  ((const breaker__census_release_t *)b)->id.text);
}

static int compare_newest_first(const void *left, const void *right)
{
    const breaker__census_release_t *a = left, *b = right;

    if (a->entry != NULL && b->entry != NULL && a->entry->order != b->entry->order)
        return a->entry->order > b->entry->order ? -1 : 1;
    if ((a->entry == NULL) != (b->entry == NULL))
        return a->entry == NULL ? 1 : -1;
    return compare_ids(a, b);
}

static int compare_nodes(const void *left, const void *right)
{
    const breaker_script_node_t *a = *(const breaker_script_node_t *const *)left;
    const breaker_script_node_t *b = *(const breaker_script_node_t *const *)right;
    int order = strcmp(a->release.text, b->release.text);

    return order != 0 ? order : strcmp(a->id, b->id);
}

static void name_release(breaker__census_t *census, const breaker_release_id_t *id)
{
    census->releases[census->num_releases++] = (breaker__census_release_t){.id = *id};
}

static void name_releases(const breaker__sight_t *sight, breaker__census_t *census)
{
    const breaker_script_answer_t *answer = sight->answer;
    size_t size = breaker_ledger_size(sight->ledger), num = 0;

    for (size_t i = 0; i != size; ++i)
        name_release(census, &breaker_ledger_at(sight->ledger, i)->release);
    for (size_t i = 0; i != answer->num_releases; ++i)
        name_release(census, &answer->releases[i].id);
    for (size_t i = 0; i != sight->num_nodes; ++i)
        if (i == 0 ||
            !breaker_release_id_equal(&census->nodes[i]->release, &census->nodes[i - 1]->release))
            name_release(census, &census->nodes[i]->release);
    qsort(census->releases, census->num_releases, sizeof(census->releases[0]), compare_ids);
    for (size_t i = 0; i != census->num_releases; ++i)
        if (num == 0 || compare_ids(census->releases + i, census->releases + num - 1) != 0)
            census->releases[num++] = census->releases[i];
    census->num_releases = num;
}

static const breaker_script_release_t *find_told(const breaker_script_answer_t *answer,
                                                 const breaker_release_id_t *id)
{
    for (size_t i = 0; i != answer->num_releases; ++i)
        if (breaker_release_id_equal(&answer->releases[i].id, id))
            return answer->releases + i;
    return NULL;
}

/* moves those of a release's nodes to the front of `nodes` that are not well, silent ones first */
static void count_nodes(const breaker__sight_t *sight, breaker__census_release_t *release,
                        const breaker_script_node_t **nodes)
{
    const breaker_script_node_t **sorted =
        breaker__ctl_allocate(release->num_nodes * sizeof(sorted[0]));
    size_t num = 0;

    /* 0: silent, 1: behind, 2: well */
    for (int kind = 0; kind <= 2; ++kind) {
        for (size_t i = 0; i != release->num_nodes; ++i) {
            bool is_live = breaker__census_is_live(sight, release, nodes[i]);
            bool is_synced = breaker__census_is_synced(release, nodes[i]);
            if (kind == (!is_live ? 0 : !is_synced ? 1 : 2))
                sorted[num++] = nodes[i];
        }
        if (kind == 0)
            release->num_silent = num;
        if (kind == 1)
            release->num_behind = num - release->num_silent;
    }
    assert(num == release->num_nodes);
    memcpy(nodes, sorted, num * sizeof(nodes[0]));
    free(sorted);
    release->nodes = nodes;
}

/* both lists are in the order of ids here */
static void fill_releases(const breaker__sight_t *sight, breaker__census_t *census)
{
    size_t at = 0;

    for (size_t i = 0; i != census->num_releases; ++i) {
        breaker__census_release_t *release = census->releases + i;
        size_t first = at;
        release->entry = breaker_ledger_newest(sight->ledger, &release->id);
        release->told = find_told(sight->answer, &release->id);
        while (at != sight->num_nodes &&
               breaker_release_id_equal(&census->nodes[at]->release, &release->id))
            ++at;
        release->num_nodes = at - first;
        count_nodes(sight, release, census->nodes + first);
    }
    assert(at == sight->num_nodes);
}

void breaker__census_take(const breaker__sight_t *sight, breaker__census_t *ret_census)
{
    breaker__census_t census = {.num_releases = 0};
    size_t num_max = BREAKER_LEDGER_MAX + BREAKER_SCRIPT_PAGE_MAX + sight->num_nodes;

    census.nodes = breaker__ctl_allocate(sight->num_nodes * sizeof(census.nodes[0]));
    for (size_t i = 0; i != sight->num_nodes; ++i)
        census.nodes[i] = sight->nodes + i;
    qsort(census.nodes, sight->num_nodes, sizeof(census.nodes[0]), compare_nodes);
    census.releases = breaker__ctl_allocate(num_max * sizeof(census.releases[0]));
    name_releases(sight, &census);
    fill_releases(sight, &census);
    qsort(census.releases, census.num_releases, sizeof(census.releases[0]), compare_newest_first);
    *ret_census = census;
}

void breaker__census_dispose(breaker__census_t *census)
{
    free(census->nodes);
    free(census->releases);
    *census = (breaker__census_t){.num_releases = 0};
}

/* ---- what does not go together ---- */

static bool is_clash(const breaker_release_id_t *a, const breaker_release_id_t *b)
{
    size_t len = breaker_release_id_label_len(a);

    assert(!breaker_release_id_equal(a, b));
    if (breaker_release_id_digest(a) == NULL || breaker_release_id_digest(b) == NULL)
        return false;
    return len != 0 && len == breaker_release_id_label_len(b) && memcmp(a->text, b->text, len) == 0;
}

const breaker__census_release_t *breaker__census_find_clash(const breaker__census_t *census,
                                                            size_t at)
{
    assert(at < census->num_releases);
    /* those that the ledger knows come first, and are few */
    for (size_t i = at + 1; i < census->num_releases && census->releases[i].entry != NULL; ++i)
        if (is_clash(&census->releases[at].id, &census->releases[i].id))
            return census->releases + i;
    return NULL;
}

bool breaker__census_dead_after(const breaker__census_t *census, uint64_t *ret_shortest_ms,
                                uint64_t *ret_longest_ms)
{
    uint64_t shortest_ms = UINT64_MAX, longest_ms = 0;

    for (size_t i = 0; i != census->num_releases; ++i) {
        const breaker_script_release_t *told = census->releases[i].told;
        if (told == NULL)
            continue;
        shortest_ms = told->dead_after_ms < shortest_ms ? told->dead_after_ms : shortest_ms;
        longest_ms = told->dead_after_ms > longest_ms ? told->dead_after_ms : longest_ms;
    }
    if (shortest_ms >= longest_ms)
        return false;
    *ret_shortest_ms = shortest_ms;
    *ret_longest_ms = longest_ms;
    return true;
}

/* ---- entries ---- */

const breaker_origin_t *breaker__census_origin(const breaker__sight_t *sight,
                                               const breaker_ledger_entry_t *entry)
{
    static const breaker_origin_t unknown = {.why = BREAKER_WHY_UNKNOWN};
    const breaker_answer_t *answer = &sight->answer->ledger;

    assert(entry->token.len != 0);
    for (size_t i = 0; i != answer->num_entries; ++i)
        if (breaker_token_equal(&answer->entries[i].token, &entry->token))
            return answer->origins + i;
    return &unknown;
}
