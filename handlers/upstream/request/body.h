#ifndef BREAKER_HANDLERS_UPSTREAM_BODY_H
#define BREAKER_HANDLERS_UPSTREAM_BODY_H

/* The body of a request, whether it has come whole or not. Not installed. */
#include <stdbool.h>
#include <h2o.h>
#include "upstream/request/body_source.h"
#include "upstream/transfer.h"

/** Of one request, with memory of its pool. */
typedef struct st_breaker__body_t {
    h2o_mem_pool_t *pool; /* borrowed: outlives us */
    /** NULL: it has come whole */
    breaker__body_source_t *source; /* borrowed: outlives us */
    /** what has come and has not been taken */
    h2o_iovec_t left;
    char *piece;
    bool is_there, is_spent, has_ended, is_broken;
    void (*on_more)(void *data);
    void *data;
} breaker__body_t;

/** `on_more(data)` comes from the loop when there is more than breaker__body_look said. */
void breaker__body_init(breaker__body_t *body, h2o_req_t *req, void (*on_more)(void *data),
                        void *data);
/** Nobody wants to hear of it any more. */
void breaker__body_let_go(breaker__body_t *body);

/** Tells whether it went to another application as it came; then it cannot be read. */
bool breaker__body_is_spent(const breaker__body_t *body);
/** Tells whether the request has one, and its length, SIZE_MAX where only its end tells. */
bool breaker__body_is_there(const breaker__body_t *body, size_t *ret_len);
/** As in breaker__transfer_callbacks_t. */
breaker__source_state_t breaker__body_look(breaker__body_t *body, h2o_iovec_t *ret_bytes);
void breaker__body_take(breaker__body_t *body, size_t len);

/** Tells whether it broke off, so that the client is to blame. */
bool breaker__body_is_broken(const breaker__body_t *body);
/** Answers the request of one that is broken. */
void breaker__body_answer(const breaker__body_t *body, h2o_req_t *req);

#endif
