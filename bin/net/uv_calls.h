#ifndef BREAKER_BIN_UV_CALLS_H
#define BREAKER_BIN_UV_CALLS_H

#include <uv.h>

/**
 * What libh2o's calls to libuv are bent by, for one loop of one thread: see uv_calls.c. The memory
 * is the caller's; the loop is initialised.
 */
typedef struct st_breaker__uv_calls_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    /* libh2o's callbacks that read, one for cleartext and one for TLS; or NULL */
    uv_read_cb readers[2];
    /* completions that libh2o has not heard of, in order; linked through the requests */
    uv_write_t *first, **behind;
    uv_prepare_t prepare;
    uv_check_t check;
    /* active while completions wait, so that the poll does not */
    uv_idle_t idle;
} breaker__uv_calls_t;

/** Begins to serve the calls of this thread on `loop`; one a thread. */
void breaker__uv_calls_begin(breaker__uv_calls_t *calls, uv_loop_t *loop);
/** Delivers what waits and closes the handles; the loop must run once more. On the same thread. */
void breaker__uv_calls_end(breaker__uv_calls_t *calls);

#endif
