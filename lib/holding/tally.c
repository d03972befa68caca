/*
 * The numbers of a holding as others read them: one by one, while the holding's thread goes on, so
 * that nobody waits for anybody. None of the totals ever goes back.
 */
#include "holding/tally.h"

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static breaker_fetches_t read_fetches(const breaker__fetch_tally_t *tally)
{
    return (breaker_fetches_t){
        .ok = get(&tally->ok),
        .bytes = get(&tally->bytes),
        .absent = get(&tally->absent),
        .failed = get(&tally->failed),
        .refused = get(&tally->refused),
    };
}

void breaker__tally_read(const breaker__tally_t *tally, breaker_holding_figures_t *ret_figures)
{
    *ret_figures = (breaker_holding_figures_t){
        .is_on = true,
        .complete = get(&tally->complete),
        .partial = get(&tally->partial),
        .awaited = get(&tally->awaited),
        .blobs_lacking = get(&tally->blobs_lacking),
        .memory = get(&tally->memory),
        .files = get(&tally->files),
        .peers = get(&tally->peers),
        .peer_manifests = read_fetches(&tally->peer_manifests),
        .peer_files = read_fetches(&tally->peer_files),
        .archive_files = read_fetches(&tally->archive_files),
    };
}
