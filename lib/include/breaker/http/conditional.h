#ifndef BREAKER_HTTP_CONDITIONAL_H
#define BREAKER_HTTP_CONDITIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A field value of a request; `base` is NULL when the field is absent. */
typedef struct st_breaker_field_t {
    const char *base;
    size_t len;
} breaker_field_t;

/** The fields of RFC 9110 §13.1 that a GET or HEAD is conditional on. */
typedef struct st_breaker_conditions_t {
    breaker_field_t if_match;
    breaker_field_t if_none_match;
    breaker_field_t if_modified_since;
    breaker_field_t if_unmodified_since;
} breaker_conditions_t;

/** What the conditions come to, as the status that they ask for. */
typedef enum en_breaker_precondition_t {
    BREAKER_PRECONDITION_PROCEED,
    /** 304 */
    BREAKER_PRECONDITION_NOT_MODIFIED,
    /** 412 */
    BREAKER_PRECONDITION_FAILED,
} breaker_precondition_t;

/** length of an HTTP date (IMF-fixdate) without a NUL */
#define BREAKER_HTTP_DATE_LEN 29

/**
 * Evaluates the conditions of a GET or HEAD on an existing representation in the order of RFC 9110
 * §13.2.2: If-Match (strong comparison), else If-Unmodified-Since; then If-None-Match (weak
 * comparison), else If-Modified-Since. Lists, weak tags and `*` are understood. A malformed tag
 * list matches nothing from the malformed member on; a malformed date is ignored. `etag` is
 * the strong entity tag with its quotes; `last_modified_s` and `now_s`, which completes a two-digit
 * year, are in seconds since the epoch. Pure; any thread.
 */
BREAKER_EXPORT breaker_precondition_t breaker_precondition(const breaker_conditions_t *conditions,
                                                           const char *etag, size_t etag_len,
                                                           int64_t last_modified_s, int64_t now_s);

/**
 * Tells whether a Range may be answered with 206 as far as If-Range is concerned (RFC 9110
 * §13.1.5): the field is absent, or it is exactly the strong `etag`, or it is exactly the date of
 * Last-Modified and that date is strong, which takes it to be at least 60 s before `now_s`. Pure.
 */
BREAKER_EXPORT bool breaker_if_range(breaker_field_t if_range, const char *etag, size_t etag_len,
                                     int64_t last_modified_s, int64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
