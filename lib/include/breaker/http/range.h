#ifndef BREAKER_HTTP_RANGE_H
#define BREAKER_HTTP_RANGE_H

#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the most ranges that one answer has; a request for more gets the whole representation */
#define BREAKER_RANGES_MAX 16

/** A range of bytes, both ends included, `first` <= `last`. */
typedef struct st_breaker_range_t {
    uint64_t first;
    uint64_t last;
} breaker_range_t;

typedef enum en_breaker_range_verdict_t {
    /** no range that counts: answer as if there were no Range field */
    BREAKER_RANGE_IGNORE,
    /** 206 with the ranges returned */
    BREAKER_RANGE_PARTIAL,
    /** 416 */
    BREAKER_RANGE_UNSATISFIABLE,
} breaker_range_verdict_t;

/**
 * Reads a Range field value (RFC 9110 §14.1.2, §14.2) for a representation of `size` bytes. Another
 * unit than `bytes`, bad syntax anywhere, numbers that overflow, and more than BREAKER_RANGES_MAX
 * ranges make it IGNORE. Ranges that no byte satisfies are dropped; if none is left the answer is
 * UNSATISFIABLE. Ranges that overlap or touch are joined, as §15.3.7.2 permits, and the order of
 * the request is kept otherwise. `ret_ranges` has room for BREAKER_RANGES_MAX; it and `*ret_num`
 * are written for PARTIAL only. Pure; any thread.
 */
BREAKER_EXPORT breaker_range_verdict_t breaker_range_parse(const char *base, size_t len,
                                                           uint64_t size,
                                                           breaker_range_t *ret_ranges,
                                                           size_t *ret_num);

#ifdef __cplusplus
}
#endif

#endif
