#ifndef BREAKER_HOLDING_KEEP_H
#define BREAKER_HOLDING_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A release other than the own one that may be held. */
typedef struct st_breaker__candidate_t {
    /** milliseconds since the epoch */
    uint64_t last_seen_ms;
    /** a live node serves it: it was seen last of all */
    bool is_alive;
    /** out: it is to be held */
    bool stays;
} breaker__candidate_t;

/** How much is kept (breaker/holding.h). */
typedef struct st_breaker__keep_t {
    size_t num_newest;
    uint64_t age_ms;
    /** in all, live ones included; at most BREAKER_HELD_MAX */
    size_t num_max;
} breaker__keep_t;

/** the most candidates */
#define BREAKER__CANDIDATES_MAX 128

/**
 * Decides which of at most BREAKER__CANDIDATES_MAX releases are held: all that live, the newest
 * ones, then those that were seen within the age; when these are too many the ones that were seen
 * longest ago are not. Of equal ones the first come first. Pure.
 */
void breaker__keep_choose(const breaker__keep_t *keep, uint64_t now_ms,
                          breaker__candidate_t *candidates, size_t num_candidates);

#endif
