#ifndef BREAKER_REDIS_LINK_H
#define BREAKER_REDIS_LINK_H

#include <breaker/redis.h>

/** Closes the connection without a callback; the link is down. */
void breaker__redis_hang_up(breaker_redis_t *redis);

#endif
