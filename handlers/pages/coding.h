#ifndef BREAKER_HANDLERS_CODING_H
#define BREAKER_HANDLERS_CODING_H

#include <stdbool.h>
#include <h2o.h>
#include <breaker/http/decoder.h>

/**
 * Adds the codings that a Content-Encoding field value lists to what was listed before: start with
 * BREAKER_CODING_IDENTITY and hand in every field of that name. Pure.
 */
breaker_coding_t breaker__coding_add(breaker_coding_t before, const char *value, size_t len);

/**
 * Tells whether a Content-Type names a charset whose letters are wider than a byte: UTF-16, UTF-32
 * or one of their older names. Pure.
 */
bool breaker__is_wide_charset(h2o_iovec_t content_type);

/** Tells whether a text of at least two bytes begins with the byte order mark of one. Pure. */
bool breaker__begins_wide(const char *begin);

#endif
