#ifndef BREAKER_BIN_LOOP_H
#define BREAKER_BIN_LOOP_H

#include <stdbool.h>
#include <h2o.h>

/*
 * What differs between the two flavours of libh2o, in a handful of functions: loop_evloop.c and
 * loop_uv.c implement them, everything else is one source. A loop belongs to the thread that made
 * it; another thread wakes it through h2o's message queue.
 */

/** "evloop" or "libuv", with the version where the loop is a library of its own. */
const char *breaker__loop_flavour(void);

/**
 * What TLS offers by ALPN, ended by an empty entry. The libuv flavour has no HTTP/2 there: libh2o
 * 2.2.5 leaked the socket of a client that went away in the middle of an answer. uv_calls.c mends
 * what seems to be the cause; HTTP/2 over TLS has not been tried on it at length.
 */
const h2o_iovec_t *breaker__loop_alpn(void);

h2o_loop_t *breaker__loop_create(void);
/**
 * Lets a loop go whose contexts, watches and sockets are gone: what was closed last is freed.
 * Timers of libh2o's configuration may still hang on it. On its own thread.
 */
void breaker__loop_end(h2o_loop_t *loop);
/** Frees a loop that was let go, after libh2o's configuration is disposed of. Any thread. */
void breaker__loop_free(h2o_loop_t *loop);
/** Runs the callbacks of what has happened, once; `waits`: for something to happen first. */
void breaker__loop_run(h2o_loop_t *loop, bool waits);

/** Makes a socket of h2o of a connected, non-blocking descriptor, which it takes over. */
h2o_socket_t *breaker__loop_adopt(h2o_loop_t *loop, int fd);

/**
 * Lets the kernel forget the descriptors of watches (thread/watch.h) that are stopped. Where
 * another process has them too, their end here is no end for epoll(7). Not from a callback of the
 * loop.
 */
void breaker__loop_forget_stopped(h2o_loop_t *loop);

#endif
