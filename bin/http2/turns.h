#ifndef BREAKER_BIN_TURNS_H
#define BREAKER_BIN_TURNS_H

/* How much one connection of HTTP/2 may do in one turn of the loop, so that others get theirs. */
#include <stdatomic.h>
#include <time.h>
#include "http2/calm.h"

/** Of one thread. */
typedef struct st_breaker__turns_t {
    h2o_context_t *ctx;                   /* borrowed: outlives us */
    const breaker__calm_limits_t *limits; /* borrowed: outlives us */
    /* the number of the turn */
    uint64_t turn;
    /* libh2o's callback for what has been read; NULL before the first connection */
    h2o_socket_cb on_read;
    /* connections with frames to go on with, which are not read from */
    h2o_linklist_t held;
    /* one of them may go on at once */
    bool is_due;
    /* connections that were sent away; written by this thread alone */
    atomic_size_t num_calmed;
    /* of them, since the last that the error log heard of, and when that was */
    size_t num_unsaid;
    time_t said_at;
} breaker__turns_t;

/** Begins on a thread. */
void breaker__turns_begin(breaker__turns_t *turns, h2o_context_t *ctx,
                          const breaker__calm_limits_t *limits);
/** Takes a connection that libh2o has made and read nothing from yet. */
void breaker__turns_take(breaker__turns_t *turns, h2o_http2_conn_t *conn);
/** Lets it go, before it is freed. Returns whether it was sent away. */
bool breaker__turns_let_go(h2o_http2_conn_t *conn);
/** Whether it is not to be read from for now. */
bool breaker__turns_is_held(const h2o_http2_conn_t *conn);
/** Connections that were held go on, as far as they may. Returns whether one of them is due. */
bool breaker__turns_go_on(breaker__turns_t *turns);
/**
 * Begins the next turn of the loop: connections that were held go on. Not within a callback of the
 * loop. Returns false when the loop may wait for something to happen.
 */
static inline bool breaker__turns_next(breaker__turns_t *turns)
{
    ++turns->turn;
    return !h2o_linklist_is_empty(&turns->held) && breaker__turns_go_on(turns);
}
/** Hears of an open stream that ends before its answer does. */
void breaker__turns_on_reset(h2o_http2_conn_t *conn);
/** Hears of a stream that libh2o resets by its own word. */
void breaker__turns_on_error(h2o_http2_conn_t *conn);

#endif
