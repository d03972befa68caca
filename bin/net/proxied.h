#ifndef BREAKER_BIN_PROXIED_H
#define BREAKER_BIN_PROXIED_H

#include <time.h>
#include <h2o.h>
#include "net/proxy_header.h"

/** A connection whose header has come and is taken off, with its client as the peer's name. */
typedef void (*breaker__proxied_accepted_cb)(void *data, h2o_socket_t *sock);

/** A listener's connections that have still to send their header. Fields are private. */
typedef struct st_breaker__proxied_t {
    h2o_linklist_t waiting;
    h2o_context_t *ctx; /* borrowed: outlives us */
    const char *name;   /* borrowed: outlives us */
    breaker__proxied_accepted_cb on_accepted;
    void *data;
    /* refused since the log heard of one, and when that was */
    size_t num_refused;
    time_t complained_at;
} breaker__proxied_t;

/**
 * Waits for nobody yet; `name` is the listener's, for the log. All functions are for the context's
 * thread.
 */
void breaker__proxied_init(breaker__proxied_t *proxied, h2o_context_t *ctx, const char *name,
                           breaker__proxied_accepted_cb on_accepted, void *data);

/**
 * Takes a socket over and reads the header with which it begins, for at most `handshake-timeout`.
 * Then hands it to `on_accepted`, with what came after the header in its input, or closes it, of
 * which a line of the log tells once a minute; its `on_close` is left alone.
 */
void breaker__proxied_accept(breaker__proxied_t *proxied, h2o_socket_t *sock);

/** Closes those that wait. */
void breaker__proxied_end(breaker__proxied_t *proxied);

#endif
