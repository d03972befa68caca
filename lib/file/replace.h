#ifndef BREAKER_FILE_REPLACE_H
#define BREAKER_FILE_REPLACE_H

/* A small file that takes the place of an old one in one step. Not installed. */
#include <stddef.h>
#include <breaker/error.h>

/**
 * Writes a file beside `path`, brings it to the disk and gives it the name: whoever opens `path`
 * finds the old bytes or the new ones, whole, whatever is killed, and several processes may do this
 * at once. What killed ones left beside `path` is removed first, never what a living one writes.
 * Blocking, two fsyncs. Fails with BREAKER_ERR_IO, the place in `error`; the old file is then
 * untouched, or the new one stands there but may not outlive a power failure.
 */
int breaker__replace_file(const char *path, const char *base, size_t len, breaker_error_t *error);

#endif
