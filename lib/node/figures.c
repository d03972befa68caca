/*
 * What a node tells of itself in numbers: gathered where they are written, each by one thread that
 * nobody here waits for.
 */
#include <assert.h>
#include <time.h>
#include "node/node.h"
#include "release/cached.h"

static uint64_t age_ms(uint64_t since_ms)
{
    struct timespec now;
    uint64_t now_ms;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    /* what is from a moment after the clock was read is no age */
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

static void read_standing(const breaker_node_t *node, breaker_figures_t *figures)
{
    const breaker__mailbox_t *mailbox = &node->mailbox;
    breaker_freshness_t freshness = breaker_node_freshness(node);

    figures->ledger_age_ms =
        freshness.answered_ms != 0 ? age_ms(freshness.answered_ms) : UINT64_MAX;
    if (!breaker__mailbox_is_open(mailbox)) {
        figures->standing = BREAKER_STANDING_ALONE;
        return;
    }
    figures->standing = atomic_load_explicit(&mailbox->standing, memory_order_relaxed);
    figures->is_in_touch = figures->standing == BREAKER_STANDING_UNKNOWN
                               ? freshness.reachable
                               : figures->standing == BREAKER_STANDING_SYNCED;
    figures->fleet = atomic_load_explicit(&mailbox->fleet, memory_order_relaxed);
    figures->other_releases = atomic_load_explicit(&mailbox->other_releases, memory_order_relaxed);
}

void breaker_node_figures(const breaker_node_t *node, breaker_figures_t *ret_figures)
{
    *ret_figures = (breaker_figures_t){
        .readiness = breaker_node_readiness(node),
        .parked = breaker__node_num_parked(node),
        .blobs = breaker__blobs_num(node->blobs),
        .blobs_memory = breaker__blobs_memory(node->blobs),
    };
    read_standing(node, ret_figures);
    assert(ret_figures->standing < BREAKER_STANDINGS);
    if (node->holding == NULL)
        return;
    breaker__holding_figures(node->holding, &ret_figures->holding);
    ret_figures->holding.memory_for_now = breaker__blobs_cached_memory(node->blobs);
    ret_figures->holding.files_for_now = breaker__blobs_cached_files(node->blobs);
}
