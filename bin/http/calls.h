#ifndef BREAKER_BIN_HTTP_CALLS_H
#define BREAKER_BIN_HTTP_CALLS_H

#include "http/reading.h"
#include "http/upload.h"
#include "http2/early.h"
#include "http2/turns.h"

/**
 * What libh2o's HTTP is bent by, for the connections of one context on one thread: see calls.c. The
 * memory is the caller's.
 */
typedef struct st_breaker__http_calls_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    /* the socket whose request has just gone, with bytes of it still to come; or NULL */
    const h2o_socket_t *unread;
    bool is_unread_of_flood;
    breaker__early_t early;
    breaker__uploads_t uploads;
    breaker__turns_t turns;
    breaker__reading_t reading;
    /* libh2o writes to the names of fields */
    char connection[sizeof("connection")];
} breaker__http_calls_t;

/**
 * Begins to serve the calls of this thread; one a thread, before its first connection. The limits
 * outlive it.
 */
void breaker__http_calls_begin(breaker__http_calls_t *calls, h2o_context_t *ctx,
                               const breaker__calm_limits_t *limits);
/** Ends it, after its last connection. On the same thread. */
void breaker__http_calls_end(breaker__http_calls_t *calls);

#endif
