#ifndef BREAKER_REDIS_REFUSAL_H
#define BREAKER_REDIS_REFUSAL_H

/* What servers refuse, in words that say what to do about it. Pure. Not installed; the part of it
 * that a link's owner needs is `breaker_redis_refusal`. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/redis.h>

/**
 * Writes what a reply that was not hoped for says, as one line of printable ASCII, cut: in words of
 * ours where the error is one of those that a configuration mends, or else the server's own, unless
 * they repeat the password (which may be NULL).
 */
void breaker__refusal_print(const breaker_reply_t *reply, const char *password, char *dst,
                            size_t size);

/** Words of ours for whatever a server says to AUTH, for it may quote what it refuses. */
const char *breaker__refusal_of_auth(const breaker_reply_t *reply);

/**
 * Whether what a server says to AUTH may be about the password: another one could be right. So may
 * errors that nobody knows, those of a proxy say.
 */
bool breaker__refusal_is_of_password(const breaker_reply_t *reply);

/** True for an error about a user who lacks a permission. */
bool breaker__refusal_is_permission(const breaker_reply_t *reply);
/** True when the server is a replica, which takes no writes, those of scripts included. */
bool breaker__refusal_is_readonly(const breaker_reply_t *reply);

#endif
