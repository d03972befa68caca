/*
 * The releases that a node has heard of: from its archive, the ledger, its peers, and its own past.
 * Each stands here once, whoever names it. When it was seen last is the latest that anybody says,
 * and a token is one of its own or none: what names another release is not taken.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "holding/tracked.h"
#include "release/release.h"

void breaker__catalog_dispose(breaker__catalog_t *catalog)
{
    while (catalog->num != 0)
        breaker__catalog_remove(catalog, catalog->list[catalog->num - 1]);
}

breaker__tracked_t *breaker__catalog_find(const breaker__catalog_t *catalog,
                                          const breaker_release_id_t *id)
{
    assert(catalog->num <= BREAKER__TRACKED_MAX);
    for (size_t i = 0; i != catalog->num; ++i)
        if (breaker_release_id_equal(&catalog->list[i]->about.id, id))
            return catalog->list[i];
    return NULL;
}

void breaker__tracked_let_go(breaker__tracked_t *known)
{
    breaker__blob_list_dispose(&known->missing);
    breaker_release_unref(known->release);
    known->release = NULL;
    known->num_lacking = known->num_asked = known->num_come = known->num_fetched = 0;
    known->size_fetched = 0;
    known->num_left = 0;
    known->num_rounds = 0;
    known->is_searched = false;
    known->is_complete = known->is_hurt = known->is_cold = false;
}

void breaker__catalog_remove(breaker__catalog_t *catalog, breaker__tracked_t *known)
{
    size_t at = 0;

    while (catalog->list[at] != known)
        ++at;
    assert(at < catalog->num);
    catalog->list[at] = catalog->list[--catalog->num];
    breaker__tracked_let_go(known);
    free(known);
}

/* the one that is missed least, if it is missed less than one that was seen at `seen_ms` */
static breaker__tracked_t *find_least(const breaker__catalog_t *catalog, uint64_t seen_ms)
{
    breaker__tracked_t *least = NULL;

    for (size_t i = 0; i != catalog->num; ++i) {
        breaker__tracked_t *known = catalog->list[i];
        if (known->is_own || known->is_alive || known->release != NULL || known->ask != 0 ||
            known->about.last_seen_ms >= seen_ms)
            continue;
        if (least == NULL || known->about.last_seen_ms < least->about.last_seen_ms)
            least = known;
    }
    return least;
}

breaker__tracked_t *breaker__catalog_add(breaker__catalog_t *catalog,
                                         const breaker_release_id_t *id, uint64_t seen_ms)
{
    breaker__tracked_t *known = breaker__catalog_find(catalog, id), *least;

    if (known != NULL) {
        breaker__tracked_see(known, seen_ms);
        return known;
    }
    if (breaker_release_id_digest(id) == NULL)
        return NULL;
    if (catalog->num == BREAKER__TRACKED_MAX) {
        if ((least = find_least(catalog, seen_ms)) == NULL)
            return NULL;
        breaker__catalog_remove(catalog, least);
    }
    if ((known = calloc(1, sizeof(*known))) == NULL)
        return NULL;
    known->about.id = *id;
    known->is_to_note = true;
    breaker__tracked_see(known, seen_ms);
    catalog->list[catalog->num++] = known;
    return known;
}

void breaker__tracked_see(breaker__tracked_t *known, uint64_t wall_ms)
{
    breaker__archived_t *about = &known->about;

    if (wall_ms == 0)
        return;
    if (about->first_seen_ms == 0 || wall_ms < about->first_seen_ms)
        about->first_seen_ms = wall_ms;
    if (wall_ms > about->last_seen_ms)
        about->last_seen_ms = wall_ms;
    assert(about->first_seen_ms <= about->last_seen_ms);
}

bool breaker__tracked_add_token(breaker__tracked_t *known, const breaker_ledger_entry_t *entry)
{
    breaker__archived_t *about = &known->about;
    size_t oldest = 0;

    assert(breaker_release_id_equal(&entry->release, &about->id));
    for (size_t i = 0; i != about->num_tokens; ++i) {
        if (breaker_token_equal(&about->tokens[i].token, &entry->token))
            return false;
        if (about->tokens[i].order < about->tokens[oldest].order)
            oldest = i;
    }
    if (about->num_tokens != BREAKER__ARCHIVE_TOKENS_MAX)
        oldest = about->num_tokens++;
    else if (about->tokens[oldest].order >= entry->order)
        return false;
    about->tokens[oldest] = *entry;
    return known->is_to_note = true;
}

static bool is_here(const breaker__tracked_t *known)
{
    return known->release != NULL || (known->is_archived && !known->is_barred);
}

/* what may be held: not the own one, and what is here or may be had */
static bool is_candidate(const breaker__tracked_t *known, bool has_peers, uint64_t mono_ms)
{
    if (known->is_own)
        return false;
    if (is_here(known))
        return true;
    return has_peers && (known->is_alive || known->is_wanted || known->num_failures == 0 ||
                         known->due_ms <= mono_ms);
}

/* which of the candidates stay, those that are not here yet among them or not */
static void choose_among(breaker__catalog_t *catalog, const breaker__keep_t *keep,
                         const bool *is_among, uint64_t wall_ms)
{
    breaker__candidate_t candidates[BREAKER__CANDIDATES_MAX];
    breaker__tracked_t *chosen[BREAKER__CANDIDATES_MAX];
    size_t num = 0;

    assert(catalog->num <= BREAKER__CANDIDATES_MAX);
    for (size_t i = 0; i != catalog->num; ++i) {
        breaker__tracked_t *known = catalog->list[i];
        if (!is_among[i])
            continue;
        candidates[num] = (breaker__candidate_t){.last_seen_ms = known->about.last_seen_ms,
                                                 .is_alive = known->is_alive};
        chosen[num++] = known;
    }
    breaker__keep_choose(keep, wall_ms, candidates, num);
    for (size_t i = 0; i != num; ++i)
        chosen[i]->stays = candidates[i].stays;
}

/*
 * What may perhaps be had must not take the place of what is here: it is tried, and has its place
 * once its manifest has come.
 */
void breaker__catalog_choose(breaker__catalog_t *catalog, const breaker__keep_t *keep,
                             bool has_peers, uint64_t wall_ms, uint64_t mono_ms)
{
    bool may_come[BREAKER__CANDIDATES_MAX], are_here[BREAKER__CANDIDATES_MAX];

    assert(catalog->num <= BREAKER__CANDIDATES_MAX);
    for (size_t i = 0; i != catalog->num; ++i) {
        breaker__tracked_t *known = catalog->list[i];
        known->stays = false;
        may_come[i] = is_candidate(known, has_peers, mono_ms);
        are_here[i] = may_come[i] && is_here(known);
    }
    choose_among(catalog, keep, may_come, wall_ms);
    choose_among(catalog, keep, are_here, wall_ms);
}
