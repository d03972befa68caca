#ifndef BREAKER_HANDLERS_WAITS_H
#define BREAKER_HANDLERS_WAITS_H

/* How long requests waited, in buckets of a histogram, counted by each thread for itself. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** the bounds of the buckets; what is longer is in one more */
#define BREAKER__WAIT_BOUNDS 10
extern const uint64_t breaker__wait_bounds_ms[BREAKER__WAIT_BOUNDS];

/**
 * The waits of one kind of one handler on one thread. Only that thread writes them; others may read
 * them at any time.
 */
typedef struct st_breaker__waits_t {
    /** of each wait one: the first bucket whose bound it does not exceed */
    _Atomic uint64_t buckets[BREAKER__WAIT_BOUNDS + 1];
    _Atomic uint64_t sum_ms;
} breaker__waits_t;

/** What several of them come to; plain value. */
typedef struct st_breaker__waits_sum_t {
    uint64_t buckets[BREAKER__WAIT_BOUNDS + 1];
    uint64_t sum_ms;
} breaker__waits_sum_t;

/** A request has waited so long. On the thread of the waits. */
void breaker__waits_add(breaker__waits_t *waits, uint64_t span_ms);
/** Adds what was counted so far. Any thread. */
void breaker__waits_read(const breaker__waits_t *waits, breaker__waits_sum_t *sum);
/** Adds what a thread that ended has counted to what others that ended have. */
void breaker__waits_move(breaker__waits_t *to, const breaker__waits_t *from);

#endif
