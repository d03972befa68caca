#ifndef BREAKER_HTTP_PERCENT_PRIVATE_H
#define BREAKER_HTTP_PERCENT_PRIVATE_H

/* For lib/ only. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/http/percent.h>

/**
 * Percent-encodes a decoded path for a URL: letters, digits, `-._~!$&'()*+,;=:@/` stand for
 * themselves (RFC 3986 §3.3), everything else becomes %XX with capital digits. `dst` has room for
 * three times `len` bytes; returns how many were written. No NUL is added. Pure; any thread.
 */
size_t breaker__percent_encode(const char *src, size_t len, char *dst);

/**
 * Tells whether a normalised path may be answered at all: no byte below 0x20, no 0x7f, no
 * backslash. Pure; any thread.
 */
bool breaker__path_is_clean(const char *path, size_t len);

/**
 * Tells whether a path is names parted by one slash each: no segment is empty, "." or "..". False
 * for an empty path. Pure; any thread.
 */
bool breaker__path_has_names_only(const char *path, size_t len);

#endif
