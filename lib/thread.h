#ifndef BREAKER_THREAD_H
#define BREAKER_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <breaker/error.h>

/* a thread's name, its NUL left out (pthread_setname_np(3)) */
#define BREAKER_THREAD_NAME_MAX 15

/**
 * Starts a joinable thread that runs `run(data)` with every signal masked: signals are the host's,
 * and none of them is to be handled on a thread of ours. `name`, at most BREAKER_THREAD_NAME_MAX
 * bytes, is what ps and debuggers show. Exactly one pthread_join must follow.
 *
 * Any thread; the caller's own mask is as before when this returns. On failure returns
 * BREAKER_ERR_THREAD, says in `error` (which may be NULL) which thread and what the system said,
 * and leaves `*ret_thread` alone.
 */
int breaker__thread_start(const char *name, void *(*run)(void *), void *data, pthread_t *ret_thread,
                          breaker_error_t *error);

/** How the system schedules a thread: sched_setattr(2), which the C library does not declare. */
typedef struct st_breaker__scheduling_t {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
} breaker__scheduling_t;

/**
 * Makes the calling thread give way at once to any that answers requests: SCHED_BATCH, a nice value
 * of at least `nice` (0 to 19), and a slice so long that a thread with a usual one need not wait
 * for its end (Linux 6.12; older ones know no slices and preempt by the nice value). How it was is
 * left in `ret_before` unless that is NULL. Where the system refuses, nothing changes: that costs
 * others time, nothing else.
 */
void breaker__thread_give_way(int nice, breaker__scheduling_t *ret_before);
/** Ends it on a thread that is not ours, but for the nice value, which only the superuser lowers.
 */
void breaker__thread_go_ahead(const breaker__scheduling_t *before);

#endif
