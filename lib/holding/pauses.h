#ifndef BREAKER_HOLDING_PAUSES_H
#define BREAKER_HOLDING_PAUSES_H

/* When files that came to nothing may be fetched again, each by itself. Without clock; one thread.
 * Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/store.h>

/** of how many files it is known */
#define BREAKER__PAUSES_MAX 64
/** how long the first pause is, in ms; each one is twice as long as the one before, up to 512 times
 * as long as the first, which is 51 s */
#define BREAKER__PAUSE_MIN_MS 100
#define BREAKER__PAUSE_DOUBLINGS 9

/** One file that came to nothing. */
typedef struct st_breaker__pause_t {
    uint8_t digest[BREAKER_DIGEST_LEN];
    unsigned num_failures; /* since it was fetched last */
    uint64_t due_ms;
} breaker__pause_t;

/** Plain value, zeroed at first. */
typedef struct st_breaker__pauses_t {
    size_t num;
    breaker__pause_t list[BREAKER__PAUSES_MAX];
} breaker__pauses_t;

/** Whether a file, by its SHA-256, may be fetched now. Times are of CLOCK_MONOTONIC, in ms. */
bool breaker__pauses_is_over(const breaker__pauses_t *pauses, const uint8_t *digest,
                             uint64_t now_ms);
/** It came to nothing. Where many others did, the one whose pause ends first is forgotten. */
void breaker__pauses_begin(breaker__pauses_t *pauses, const uint8_t *digest, uint64_t now_ms);
/** It was fetched, and its next pause is a short one again. */
void breaker__pauses_forget(breaker__pauses_t *pauses, const uint8_t *digest);
/** There are others to be asked: all may be fetched at once, and what comes to nothing then pauses
 * for as long as it would have. */
void breaker__pauses_end(breaker__pauses_t *pauses);

#endif
