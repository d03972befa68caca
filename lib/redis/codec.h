#ifndef BREAKER_REDIS_CODEC_H
#define BREAKER_REDIS_CODEC_H

/* Replies out of bytes, bytes out of commands. Knows no connection. Not installed. */
#include <stddef.h>
#include <breaker/redis.h>

/** the most arrays inside each other */
#define BREAKER__REPLY_DEPTH_MAX 7
/** the most arguments and bytes of one command */
#define BREAKER__COMMAND_ARGS_MAX 1024
#define BREAKER__COMMAND_MAX (1024 * 1024)

typedef struct st_breaker__codec_t breaker__codec_t;

/** NULL: out of memory */
breaker__codec_t *breaker__codec_create(void);
/** Takes NULL. */
void breaker__codec_free(breaker__codec_t *codec);

/**
 * Takes bytes in. Returns 0 with a reply that the caller frees, or with NULL while it is not whole.
 * Returns RANGE when the bytes are no reply, break a limit, or go on after the reply: nobody asks
 * two things at once, so the stream is out of step then. The codec is of no use after that;
 * `breaker__codec_reason` tells why.
 */
int breaker__codec_feed(breaker__codec_t *codec, const char *base, size_t len,
                        breaker_reply_t **ret_reply);
/** One line about the last failure. Borrowed. */
const char *breaker__codec_reason(const breaker__codec_t *codec);

/** Takes NULL. */
void breaker__reply_free(breaker_reply_t *reply);

/** Formats a command; TOO_LONG beyond the limits above. `breaker__command_free` frees it. */
int breaker__command_format(size_t argc, const char *const *argv, const size_t *argv_len,
                            char **ret_base, size_t *ret_len);
/** Wipes, because passwords are commands too, and frees. Takes NULL. */
void breaker__command_free(char *base, size_t len);

#endif
