#ifndef BREAKER_HANDLERS_SUCCESSION_H
#define BREAKER_HANDLERS_SUCCESSION_H

/* Connections that go over to libh2o's HTTP/1. Not installed. */
#include <breaker/h2o.h>

/** What a connection was before. Plain value. */
typedef struct st_breaker__past_t {
    /** as libh2o counts connections */
    uint64_t id;
    struct timeval connected_at;
    /** how many requests were answered */
    uint64_t num_answered;
    /** when the first bytes of the next request came; zero: now */
    struct timeval begun_at;
} breaker__past_t;

/**
 * Hands a connection to libh2o's HTTP/1, with the bytes that have been read and belong to no
 * request that was answered, at least one. For its logs it goes on as the connection that it is.
 */
void breaker__http1_succeed(h2o_accept_ctx_t *accept_ctx, h2o_socket_t *sock,
                            const breaker__past_t *past);

#endif
