#ifndef BREAKER_HANDLERS_UPSTREAM_CLIENT_H
#define BREAKER_HANDLERS_UPSTREAM_CLIENT_H

/* Whether the client of a request is still there while nobody reads from it. Not installed. */
#include <stdbool.h>
#include <h2o.h>
#include "upstream/curl/sockets.h"

/** Of one request; embedded by its owner, who lets it be before the request is gone. */
typedef struct st_breaker__client_t {
    breaker__socket_user_t socket_user;
    breaker__sockets_t *sockets; /* borrowed: outlives us */
    h2o_req_t *req;              /* borrowed: outlives us */
    h2o_timeout_entry_t patience;
    /** what the kernel watches; -1: nothing */
    int fd;
    void (*on_gone)(void *data);
    void *data;
} breaker__client_t;

/**
 * `sockets` tells, and is open when the loop runs next. `on_gone(data)` comes from within the
 * events of `sockets`, once at most.
 */
void breaker__client_init(breaker__client_t *client, h2o_req_t *req, breaker__sockets_t *sockets,
                          void (*on_gone)(void *data), void *data);

/**
 * Watches the connection, if it speaks HTTP/1: over HTTP/2 libh2o never stops reading, and knows.
 * Again is no more than once.
 */
void breaker__client_watch(breaker__client_t *client);
/** Watches no longer. */
void breaker__client_let_be(breaker__client_t *client);

#endif
