#ifndef BREAKER_TESTS_SAMPLES_H
#define BREAKER_TESTS_SAMPLES_H

/* Times that were measured, kept one by one so that a percentile is what it says. */
#include <stddef.h>
#include <stdint.h>

/** the most that are kept; those beyond only count for the maximum */
#define SAMPLES_MAX (8 * 1024 * 1024)

/** A zeroed one has none. */
typedef struct st_samples_t {
    uint32_t *values; /* owned */
    size_t num, room;
    uint32_t max;
} samples_t;

void samples_add(samples_t *samples, uint64_t value);
/** Forgets them all; the room stays. */
void samples_clear(samples_t *samples);
void samples_dispose(samples_t *samples);
/**
 * The smallest value that `percent` (1 to 100) of all are not above; 0 when there are none. Sorts.
 */
uint32_t samples_percentile(samples_t *samples, unsigned percent);

#endif
