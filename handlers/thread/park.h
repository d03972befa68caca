#ifndef BREAKER_HANDLERS_PARK_H
#define BREAKER_HANDLERS_PARK_H

/* Requests that wait: for news of the cluster, for bytes of a release. */
#include <breaker/h2o.h>
#include "thread/counters.h"

/** What a request waits for. */
typedef enum en_breaker__wait_t {
    /** nothing: it is answered */
    BREAKER__WAIT_NONE,
    /** a ledger that is newer than the request, some 300 ms at most */
    BREAKER__WAIT_NEWS,
    /** a file or a list of files, `breaker_node_fetch_timeout_ms` at most */
    BREAKER__WAIT_BYTES,
} breaker__wait_t;

struct st_breaker__lot_t;

/** A request that waits, in its pool; linked as long as it does. */
typedef struct st_breaker__parked_t {
    h2o_linklist_t link;
    struct st_breaker__lot_t *lot; /* borrowed: outlives the connections of its thread */
    h2o_req_t *req;
    /** since when, whatever it waited for first */
    uint64_t since_ms;
    /** what it waited for when it was looked at last */
    breaker__wait_t wait;
} breaker__parked_t;

/** The waiting requests of one handler on one thread. */
typedef struct st_breaker__lot_t {
    void *data;
    /**
     * Answers a request if that is possible now, else asks for what it returns. `refreshed` tells
     * whether the ledger is fresher than the request by now.
     */
    breaker__wait_t (*answer)(void *data, breaker__parked_t *parked, bool refreshed);
    /** Answers it for good: its time is over. */
    void (*settle)(void *data, breaker__parked_t *parked, bool refreshed);
    breaker__counters_t *counters; /* borrowed: of the handler on this thread */
    breaker_node_t *node;          /* borrowed */
    h2o_loop_t *loop;              /* borrowed: the context's */
    h2o_timeout_t *timeout;        /* owned */
    h2o_timeout_entry_t look;      /* linked while any request waits */
    h2o_linklist_t waiting;
} breaker__lot_t;

/** Tells whether any request of a node may ever wait. From the node's load on the same. */
bool breaker__may_wait(const breaker_node_t *node);

/** For a node whose requests may wait. `data`, the callbacks and the counters are set by the
 * caller.
 */
void breaker__lot_init(breaker__lot_t *lot, breaker_node_t *node, h2o_loop_t *loop);
/** Every connection of the thread is gone before. */
void breaker__lot_dispose(breaker__lot_t *lot);
/**
 * Lets a request wait for something other than WAIT_NONE, which the caller asks for then. False
 * when there is no room, or nobody who could bring it; the request is then to be answered now.
 */
bool breaker__lot_park(breaker__lot_t *lot, h2o_req_t *req, breaker__wait_t wait);
/**
 * Ends the wait of a request, from within the callbacks and before its answer is written: that may
 * end the request, and with it `*parked`.
 */
void breaker__lot_leave(breaker__parked_t *parked);

#endif
