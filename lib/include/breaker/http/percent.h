#ifndef BREAKER_HTTP_PERCENT_H
#define BREAKER_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Copies raw path or query bytes of a request into a Location: what a URI may contain, `%` and `?`
 * included, stays as it is; control bytes, blanks, bytes from 0x7f on and `"#<>\^`{|}` become %XX
 * (`#` because a client would take what follows for a fragment). `dst` has room for three times
 * `len` bytes; returns how many were written. No NUL is added. Pure; any thread.
 */
BREAKER_EXPORT size_t breaker_percent_repair(const char *src, size_t len, char *dst);

#ifdef __cplusplus
}
#endif

#endif
