/*
 * How long releases of others are held. The one policy: what is dropped from memory, what is asked
 * of peers and what a request may wait for follow from it, so that nothing is fetched that would be
 * dropped again. Moments that lie in the future, by a clock that was set back, are now.
 */
#include <assert.h>
#include <string.h>
#include <breaker/snapshot.h>
#include "holding/keep.h"

static uint64_t seen_ms(const breaker__candidate_t *candidate, uint64_t now_ms)
{
    return candidate->last_seen_ms < now_ms ? candidate->last_seen_ms : now_ms;
}

static bool is_before(const breaker__candidate_t *a, const breaker__candidate_t *b, uint64_t now_ms)
{
    if (a->is_alive != b->is_alive)
        return a->is_alive;
    return seen_ms(a, now_ms) > seen_ms(b, now_ms);
}

/* by insertion: they are few, and come almost in order */
static void sort(const breaker__candidate_t *candidates, size_t num, uint64_t now_ms,
                 uint8_t *ret_order)
{
    for (size_t i = 0; i != num; ++i) {
        size_t at = i;

        for (; at != 0 && is_before(candidates + i, candidates + ret_order[at - 1], now_ms); --at)
            ret_order[at] = ret_order[at - 1];
        ret_order[at] = (uint8_t)i;
    }
}

void breaker__keep_choose(const breaker__keep_t *keep, uint64_t now_ms,
                          breaker__candidate_t *candidates, size_t num_candidates)
{
    uint8_t order[BREAKER__CANDIDATES_MAX];

    assert(num_candidates <= BREAKER__CANDIDATES_MAX);
    assert(keep->num_max <= BREAKER_HELD_MAX);
    sort(candidates, num_candidates, now_ms, order);
    for (size_t rank = 0; rank != num_candidates; ++rank) {
        breaker__candidate_t *candidate = candidates + order[rank];
        bool is_young = now_ms - seen_ms(candidate, now_ms) <= keep->age_ms;

        candidate->stays =
            rank < keep->num_max && (candidate->is_alive || rank < keep->num_newest || is_young);
    }
}
