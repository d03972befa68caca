#ifndef BREAKER_BIN_THREADS_H
#define BREAKER_BIN_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include "config/config.h"

/**
 * The threads that serve: each has a loop, a context of libh2o and sockets of every listener. They
 * share the configuration, the count of connections, and nothing else.
 */
typedef struct st_breaker__threads_t breaker__threads_t;

/**
 * Starts `config->num_threads` threads and returns when all of them accept. The node is loaded, the
 * listeners listen, and `config` outlives the process. Returns NULL after a line on stderr when a
 * thread cannot be started; the process is then to end.
 */
breaker__threads_t *breaker__threads_start(breaker__config_t *config, size_t max_connections);

/**
 * Lets them drain: connections that the kernel has accepted are taken, the listeners are closed,
 * requests in flight are answered, each as the last one of its connection. Idle keep-alive
 * connections end at once, or, with `spares_idle`, after their next request or when they have been
 * idle for as long as they may: no request meets a connection that ends. May be called once.
 */
void breaker__threads_drain(breaker__threads_t *threads, bool spares_idle);

/** Becomes readable when the last listener is closed, which is soon after they are to drain. */
int breaker__threads_closed_fd(const breaker__threads_t *threads);

/** Becomes readable when every thread has drained and let go of libh2o's configuration. */
int breaker__threads_ended_fd(const breaker__threads_t *threads);

/** How many connections are open. Any thread. */
size_t breaker__threads_num_connections(const breaker__threads_t *threads);

/** How many may be open at once. Any thread. */
size_t breaker__threads_max_connections(const breaker__threads_t *threads);

/** How many connections were accepted since the start. Any thread. */
size_t breaker__threads_num_sessions(const breaker__threads_t *threads);

/** How many connections of HTTP/2 were closed for a flood since the start. Any thread. */
size_t breaker__threads_num_floods(const breaker__threads_t *threads);

/** Those of whom a context of libh2o is. It is the context of one of their threads. */
const breaker__threads_t *breaker__threads_of(const h2o_context_t *ctx);

/** Frees what is left of them once they have ended and the configuration is disposed of. Takes
 * NULL. */
void breaker__threads_free(breaker__threads_t *threads);

#endif
