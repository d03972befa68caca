#ifndef BREAKER_REDIS_SENTINEL_H
#define BREAKER_REDIS_SENTINEL_H

/* What is asked of sentinels and of the masters that they name. Pure. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/redis.h>
#include "redis/url.h"

/** Formats the question where the master `name` is; `breaker__command_free` frees it. */
int breaker__sentinel_question(const char *name, char **ret_base, size_t *ret_len);
/**
 * Reads the answer. Returns NULL and fills the endpoint, or returns what is wrong with the answer.
 */
const char *breaker__sentinel_answer(const breaker_reply_t *reply, breaker__endpoint_t *endpoint);

/** Formats the question what a server is; `breaker__command_free` frees it. */
int breaker__role_question(char **ret_base, size_t *ret_len);
/** True when the answer says that the server is a master. */
bool breaker__role_is_master(const breaker_reply_t *reply);

#endif
