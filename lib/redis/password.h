#ifndef BREAKER_REDIS_PASSWORD_H
#define BREAKER_REDIS_PASSWORD_H

/* Where a password of Redis is kept. Not installed. */
#include <stdint.h>
#include <breaker/redis.h>

/**
 * `breaker_redis_password_from_file`, which waits no longer than this for the writer of a pipe to
 * come, to write and to close it. Milliseconds; a file that is no pipe is not waited for.
 */
int breaker__redis_password_read(const char *path, uint32_t patience_ms,
                                 char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1],
                                 breaker_error_t *error);

#endif
