#ifndef BREAKER_HANDLERS_HEALTH_H
#define BREAKER_HANDLERS_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <breaker/h2o.h>
#include "answer/fixed.h"

/** what is answered; all but the first are reasons not to be ready */
typedef enum en_breaker__health_state_t {
    BREAKER__HEALTH_OK,
    BREAKER__HEALTH_DRAINING,
    BREAKER__HEALTH_NO_TOKEN,
    BREAKER__HEALTH_FETCHING,
    BREAKER__HEALTH_STATES,
} breaker__health_state_t;

/** What a handler says of the health of a node; its memory is the handler's. */
typedef struct st_breaker__health_t {
    breaker_node_t *node; /* borrowed: outlives the configuration */
    /* changed by any thread, never back */
    atomic_bool is_draining;
    breaker__fixed_t fixed;                         /* refusals */
    breaker__head_t *heads[BREAKER__HEALTH_STATES]; /* owned */
} breaker__health_t;

void breaker__health_init(breaker__health_t *health, const h2o_globalconf_t *globalconf,
                          breaker_node_t *node);
void breaker__health_dispose(breaker__health_t *health);

/** Whether `breaker_h2o_health_drain` was called. Any thread. */
bool breaker__health_is_draining(const breaker__health_t *health);

/**
 * Answer a request, to GET and HEAD: that the server lives; whether it is ready, or why not; a
 * refusal. Return what a handler returns. On the request's thread.
 */
int breaker__health_tell_live(const breaker__health_t *health, h2o_req_t *req);
int breaker__health_tell_ready(const breaker__health_t *health, h2o_req_t *req);
int breaker__health_refuse(const breaker__health_t *health, h2o_req_t *req,
                           breaker__status_t status);

/**
 * Tells whether health checks may stand below a path, "/breaker" say: one or more segments of a
 * token's alphabet, none of them "." or "..", each after a slash, and no slash at the end.
 */
bool breaker__health_is_path(const char *path);

#endif
