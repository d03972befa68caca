#ifndef BREAKER_REDIS_REDIRECT_H
#define BREAKER_REDIS_REDIRECT_H

/* Redirections of a Redis Cluster. Pure. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/redis.h>
#include "redis/url.h"

/** the most redirections that are followed for one command before the seeds are asked */
#define BREAKER__HOPS_MAX 5

typedef struct st_breaker__redirect_t {
    /** only this command goes there, after ASKING */
    bool ask;
    breaker__endpoint_t endpoint;
} breaker__redirect_t;

/**
 * Reads "MOVED slot host:port" or "ASK slot host:port" out of a reply; false when it is none of
 * them. A host that is left out is the one that answered, `from` (which must not be a socket's path
 * then).
 */
bool breaker__redirect_read(const breaker_reply_t *reply, const breaker__endpoint_t *from,
                            breaker__redirect_t *ret_redirect);

/** Formats ASKING; `breaker__command_free` frees it. */
int breaker__asking(char **ret_base, size_t *ret_len);

#endif
