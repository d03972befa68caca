#ifndef BREAKER_HTTP_PERCENT_H
#define BREAKER_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Percent-encodes a decoded path for a URL: letters, digits, `-._~!$&'()*+,;=:@/` stand for
 * themselves (RFC 3986 §3.3), everything else becomes %XX with capital digits. `dst` has room for
 * three times `len` bytes; returns how many were written. No NUL is added. Pure; any thread.
 */
BREAKER_EXPORT size_t breaker_percent_encode(const char *src, size_t len, char *dst);

/**
 * Copies raw path or query bytes of a request into a Location: what a URI may contain, `%` and `?`
 * included, stays as it is; control bytes, blanks, bytes from 0x7f on and `"#<>\^`{|}` become %XX
 * (`#` because a client would take what follows for a fragment). Room and result as above. Pure;
 * any thread.
 */
BREAKER_EXPORT size_t breaker_percent_repair(const char *src, size_t len, char *dst);

/**
 * Tells whether a normalised path may be answered at all: no byte below 0x20, no 0x7f, no
 * backslash. Pure; any thread.
 */
BREAKER_EXPORT bool breaker_path_is_clean(const char *path, size_t len);

#ifdef __cplusplus
}
#endif

#endif
