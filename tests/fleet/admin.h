#ifndef BREAKER_TESTS_ADMIN_H
#define BREAKER_TESTS_ADMIN_H

/* One command to a server, over a link of its own, without waiting for the answer. */
#include <stddef.h>
#include <breaker/redis.h>

/** Called once; `reply` is borrowed, NULL when there was none. */
typedef void (*admin_reply_cb)(void *data, const breaker_reply_t *reply);

/** Asks; the words are NUL-ended and copied. It may take a minute. */
void admin_ask(uv_loop_t *loop, int port, size_t argc, const char *const *argv,
               admin_reply_cb on_reply, void *data);

#endif
