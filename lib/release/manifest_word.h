#ifndef BREAKER_RELEASE_MANIFEST_WORD_H
#define BREAKER_RELEASE_MANIFEST_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/store.h>

/** Bytes of a manifest, borrowed of it. Plain value. All that follows is pure. */
typedef struct st_breaker__word_t {
    const char *base;
    size_t len;
} breaker__word_t;

/** Tells whether a word, which may have no base, is a text, NUL-ended. */
bool breaker__word_is(breaker__word_t word, const char *text);
/** Takes what stands before the next space, which goes as well, or everything. */
breaker__word_t breaker__word_take(breaker__word_t *rest);
/** Writes the 1 to `cap` bytes that are percent-encoded in a word; their number, or 0. */
size_t breaker__word_decode(breaker__word_t word, char *dst, size_t cap);
/** Reads a decimal number of at most `max`; false for what is none. */
bool breaker__word_number(breaker__word_t word, uint64_t max, uint64_t *ret_number);
/** Reads a time in seconds, which may be negative; false for what is none. */
bool breaker__word_time(breaker__word_t word, int64_t *ret_time_s);
/** Reads a SHA-256 in small hexadecimal digits into BREAKER_DIGEST_LEN bytes; false for others. */
bool breaker__word_digest(breaker__word_t word, uint8_t *dst);

#endif
