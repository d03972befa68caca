#ifndef BREAKER_BIN_SUCCESSION_H
#define BREAKER_BIN_SUCCESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "master/workers.h"

/**
 * A worker that serves, and the one before it, which may still accept connections: until it has
 * closed its listeners nobody is told that the new one has taken over. Zeroed at first: there is
 * none. Moments are of CLOCK_MONOTONIC.
 */
typedef struct st_breaker__succession_t {
    /** 0: there is none */
    pid_t worker;
    /** 0: nobody served before */
    pid_t before;
    int64_t ends_ms;
    /** what the service manager is told then; owned */
    char *state;
} breaker__succession_t;

/** Begins: `before` has been told to retire, or is NULL. There is none that has begun. */
void breaker__succession_begin(breaker__succession_t *succession, const breaker__worker_t *worker,
                               const breaker__worker_t *before, const char *state, int64_t now_ms);
/**
 * Whether it has begun and is over: the one before accepts nothing any more or has ended, or the
 * new one has; or it took too long, since a reload has to come to an end.
 */
bool breaker__succession_is_over(const breaker__succession_t *succession,
                                 const breaker__workers_t *workers, int64_t now_ms);
/** When it is over at the latest; INT64_MAX: there is none. */
int64_t breaker__succession_ends_ms(const breaker__succession_t *succession);
/** Forgets it. */
void breaker__succession_end(breaker__succession_t *succession);

#endif
