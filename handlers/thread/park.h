#ifndef BREAKER_HANDLERS_PARK_H
#define BREAKER_HANDLERS_PARK_H

/* Requests that wait for news of the cluster. */
#include <breaker/h2o.h>

/**
 * The waiting requests of one handler on one thread. `must_wait` tells whether nothing has changed
 * for a request; `answer` answers it for good, and hears whether the ledger is fresher than the
 * request by now.
 */
typedef struct st_breaker__lot_t {
    void *data;
    bool (*must_wait)(void *data, h2o_req_t *req);
    void (*answer)(void *data, h2o_req_t *req, bool refreshed);
    breaker_node_t *node;     /* borrowed */
    h2o_loop_t *loop;         /* borrowed: the context's */
    h2o_timeout_t *timeout;   /* owned */
    h2o_timeout_entry_t look; /* linked while any request waits */
    h2o_linklist_t waiting;
} breaker__lot_t;

/** For a node of a cluster. `data` and the callbacks are set by the caller. */
void breaker__lot_init(breaker__lot_t *lot, breaker_node_t *node, h2o_loop_t *loop);
/** Every connection of the thread is gone before. */
void breaker__lot_dispose(breaker__lot_t *lot);
/**
 * Lets a request wait, and asks for news. False when there is no room, or nobody to ask; the
 * request is then to be answered now.
 */
bool breaker__lot_park(breaker__lot_t *lot, h2o_req_t *req);

#endif
