#ifndef BREAKER_HANDLERS_COUNTERS_H
#define BREAKER_HANDLERS_COUNTERS_H

/* How many answers of each status the views of a handler gave, how many bytes of bodies they had,
 * and how long requests waited, counted by each thread for itself. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <breaker/h2o.h>
#include "answer/status.h"
#include "thread/waits.h"

/** What the answers of one view come to. */
typedef struct st_breaker__view_counters_t {
    _Atomic uint64_t answers[BREAKER__NUM_STATUSES];
    _Atomic uint64_t bytes;
} breaker__view_counters_t;

/**
 * The counters of one handler on one thread. Only that thread writes them, so that it adds without
 * a locked instruction; others may read them at any time.
 */
typedef struct st_breaker__counters_t {
    h2o_linklist_t link;
    breaker__view_counters_t views[BREAKER_VIEWS_MAX];
    _Atomic uint64_t parked[BREAKER_VIEWS_MAX];
    _Atomic uint64_t fetched[BREAKER_VIEWS_MAX];
    /** of requests that waited for news last, and for bytes */
    breaker__waits_t news_waits, bytes_waits;
} breaker__counters_t;

/** The counters of one handler on all threads. */
typedef struct st_breaker__count_t {
    pthread_mutex_t lock; /* of the list, not of the numbers */
    h2o_linklist_t threads;
    breaker__counters_t gone; /* what threads that ended have counted */
} breaker__count_t;

void breaker__count_init(breaker__count_t *count);
/** The threads' counters are freed before. */
void breaker__count_dispose(breaker__count_t *count);

/** Makes the counters of a thread, in cache lines of their own, all of them 0. Never NULL. */
breaker__counters_t *breaker__counters_create(breaker__count_t *count);
/** Frees them; their numbers stay in the count. */
void breaker__counters_free(breaker__count_t *count, breaker__counters_t *counters);

static inline void breaker__counters_bump(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/** Counts an answer, and the bytes of its body. On the thread of the counters. */
static inline void breaker__counters_add(breaker__counters_t *counters, size_t view,
                                         breaker__status_t status, uint64_t bytes)
{
    breaker__view_counters_t *of_view = counters->views + view;

    assert(view < BREAKER_VIEWS_MAX);
    breaker__counters_bump(of_view->answers + status, 1);
    breaker__counters_bump(&of_view->bytes, bytes);
}

/** Counts a request that begins to wait for news. On the thread of the counters. */
static inline void breaker__counters_add_parked(breaker__counters_t *counters, size_t view)
{
    assert(view < BREAKER_VIEWS_MAX);
    breaker__counters_bump(&counters->parked[view], 1);
}

/** Counts a request that begins to wait for bytes. On the thread of the counters. */
static inline void breaker__counters_add_fetched(breaker__counters_t *counters, size_t view)
{
    assert(view < BREAKER_VIEWS_MAX);
    breaker__counters_bump(&counters->fetched[view], 1);
}

/** Adds what a view's threads have counted so far to `*sum`. Any thread. */
void breaker__count_read(breaker__count_t *count, size_t view, breaker_h2o_counters_t *sum);
/** Adds how long requests waited so far, for news or for bytes. Any thread. */
void breaker__count_read_waits(breaker__count_t *count, breaker__waits_sum_t *news,
                               breaker__waits_sum_t *bytes);

#endif
