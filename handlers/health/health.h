#ifndef BREAKER_HANDLERS_HEALTH_H
#define BREAKER_HANDLERS_HEALTH_H

#include <stdbool.h>

/**
 * Tells whether health checks may stand below a path, "/breaker" say: one or more segments of a
 * token's alphabet, none of them "." or "..", each after a slash, and no slash at the end.
 */
bool breaker__health_is_path(const char *path);

#endif
