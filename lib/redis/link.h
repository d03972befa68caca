#ifndef BREAKER_REDIS_LINK_H
#define BREAKER_REDIS_LINK_H

#include <stdbool.h>
#include <breaker/redis.h>

/** Closes the connection without a callback; the link is down. */
void breaker__redis_hang_up(breaker_redis_t *redis);

/**
 * Tells the address that the connection to Redis has on this machine, where others of its network
 * reach it as well. While up; false over a Unix socket.
 */
bool breaker__redis_local(const breaker_redis_t *redis, struct sockaddr_storage *ret_address);

#endif
