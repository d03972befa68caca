/*
 * Histograms of waits. A thread adds with plain instructions, as it counts answers; a reader finds
 * the buckets of different moments, but none of them ever goes back. The bounds are those of what a
 * request may wait: a look every 10 ms, 300 ms for news, a second for bytes unless the operator
 * says otherwise.
 */
#include "thread/waits.h"

const uint64_t breaker__wait_bounds_ms[BREAKER__WAIT_BOUNDS] = {10,  25,   50,   100,  250,
                                                                500, 1000, 2500, 5000, 10000};

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* of one writer: no instruction that locks */
static void add(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, get(number) + more, memory_order_relaxed);
}

void breaker__waits_add(breaker__waits_t *waits, uint64_t span_ms)
{
    size_t at = 0;

    while (at != BREAKER__WAIT_BOUNDS && span_ms > breaker__wait_bounds_ms[at])
        ++at;
    add(waits->buckets + at, 1);
    add(&waits->sum_ms, span_ms);
}

void breaker__waits_read(const breaker__waits_t *waits, breaker__waits_sum_t *sum)
{
    for (size_t i = 0; i != BREAKER__WAIT_BOUNDS + 1; ++i)
        sum->buckets[i] += get(waits->buckets + i);
    sum->sum_ms += get(&waits->sum_ms);
}

void breaker__waits_move(breaker__waits_t *to, const breaker__waits_t *from)
{
    for (size_t i = 0; i != BREAKER__WAIT_BOUNDS + 1; ++i)
        add(to->buckets + i, get(from->buckets + i));
    add(&to->sum_ms, get(&from->sum_ms));
}
