#ifndef BREAKER_RELEASE_PACE_H
#define BREAKER_RELEASE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** what a thread that was kept from running may catch up on at once, in ns */
#define BREAKER_PACE_CREDIT_NS INT64_C(100000000)

/**
 * How a background thread works: in pieces, between which it asks whether to go on, and with a
 * share of one processor. A plain value of one thread; only the stop is raised by others.
 */
typedef struct st_breaker__pace_t {
    const atomic_bool *stop; /* borrowed: outlives us */
    /** what the thread looks after between two pieces, or NULL; set by the owner after the init */
    void (*interlude)(void *data);
    void *interlude_data; /* borrowed: outlives us */
    /** 1 to 100 */
    unsigned percent;
    /** the thread's processor time and the clock's, in ns, from which on the share is counted */
    int64_t cpu_ns, clock_ns;
} breaker__pace_t;

/** Begins to count for the calling thread. `percent` is 1 to 100; 100 is no limit. */
void breaker__pace_init(breaker__pace_t *pace, const atomic_bool *stop, unsigned percent);

/**
 * Runs the interlude, sleeps as long as the thread has used more than its share, then tells whether
 * to go on. False within some 20 ms after the stop was raised.
 */
bool breaker__pace_go_on(breaker__pace_t *pace);

/**
 * How long to sleep, in ns, when this much processor time and time have passed on the two clocks;
 * 0 or less: not at all. Pure but that it forgets what the thread did not use beyond the credit.
 */
int64_t breaker__pace_owed(breaker__pace_t *pace, int64_t cpu_ns, int64_t clock_ns);

#endif
