#ifndef BREAKER_VIEW_PATTERN_H
#define BREAKER_VIEW_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* The patterns of a view's `matched_headers`; what they mean is said at `breaker_is_pattern`. */

/**
 * Tells whether a path of a view, `len` bytes, matches a pattern for which `breaker_is_pattern`
 * holds. Takes at most some (length of the pattern) x (length of the path) steps. Pure; any thread.
 */
bool breaker__pattern_matches(const char *pattern, const char *path, size_t len);

#endif
