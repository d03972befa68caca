#ifndef BREAKER_BIN_WORKER_H
#define BREAKER_BIN_WORKER_H

#include <stddef.h>
#include "config/config.h"

/**
 * The threads that serve: each has a loop, a context of libh2o and a socket of every listener. They
 * share the configuration, the count of connections, and nothing else.
 */
typedef struct st_breaker__workers_t breaker__workers_t;

/**
 * Starts `config->num_threads` threads and returns when all of them accept. The node is loaded, the
 * listeners listen, and `config` outlives the process. Returns NULL after a line on stderr when a
 * thread cannot be started; the process is then to end.
 */
breaker__workers_t *breaker__workers_start(breaker__config_t *config, size_t max_connections);

/**
 * Lets them drain: connections that the kernel has accepted are taken, the listeners are closed,
 * idle keep-alive connections end, requests in flight are answered. May be called once.
 */
void breaker__workers_drain(breaker__workers_t *workers);

/** Becomes readable when every thread has drained and let go of libh2o's configuration. */
int breaker__workers_ended_fd(const breaker__workers_t *workers);

/** How many connections are open. Any thread. */
size_t breaker__workers_num_connections(const breaker__workers_t *workers);

/** How many may be open at once. Any thread. */
size_t breaker__workers_max_connections(const breaker__workers_t *workers);

/** How many connections were accepted since the start. Any thread. */
size_t breaker__workers_num_sessions(const breaker__workers_t *workers);

/** Those of whom a context of libh2o is. It is the context of one of their threads. */
const breaker__workers_t *breaker__workers_of(const h2o_context_t *ctx);

/** Frees what is left of them once they have ended and the configuration is disposed of. Takes
 * NULL. */
void breaker__workers_free(breaker__workers_t *workers);

#endif
