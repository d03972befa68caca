#ifndef BREAKER_VIEW_MATCHED_H
#define BREAKER_VIEW_MATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/view.h>

/**
 * Finds which of a view's `matched_headers` the file at a logical path has, in the order of
 * sending: `lines` has room for BREAKER_VIEW_HEADERS_MAX. Returns how many. Borrowed: the view's.
 * Under the names that they have, nothing else of the view's headers counts. Pure; any thread.
 */
size_t breaker__view_matched(const breaker_view_t *view, const char *path, size_t len,
                             const char **lines);

/** Tells whether two views have the same headers by pattern, in the same order. Pure. */
bool breaker__matched_equal(const breaker_view_config_t *a, const breaker_view_config_t *b);

#endif
