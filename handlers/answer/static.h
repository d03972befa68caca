#ifndef BREAKER_HANDLERS_STATIC_H
#define BREAKER_HANDLERS_STATIC_H

/*
 * The handler of `breaker.static` and what it keeps a thread, for the two ways through it: as a
 * handler of libh2o (static.c), and past libh2o's HTTP/1 (fastpath/).
 */
#include "answer/fixed.h"
#include "answer/judge.h"
#include "thread/counters.h"
#include "thread/lease.h"
#include "thread/notice.h"
#include "thread/park.h"

typedef struct st_breaker__static_t {
    h2o_handler_t super;
    breaker_node_t *node;   /* borrowed: outlives the h2o configuration */
    breaker_views_t *views; /* owned */
    size_t num_views;       /* of the node: more than all indexes of `views` */
    uint64_t has_view;      /* by the views' indexes in the node, a bit each */
    breaker__count_t count;
    breaker__notice_t unreplaced; /* see unreplaced.h */
} breaker__static_t;

/** Of one handler on one thread. */
typedef struct st_breaker__static_context_t {
    breaker__static_t *handler; /* borrowed */
    breaker__lease_t lease;
    breaker__negotiated_t negotiated;
    breaker__fixed_t *fixed;       /* owned; by the views' indexes in the node */
    breaker__counters_t *counters; /* owned */
    bool may_wait;                 /* see thread/park.h */
    breaker__lot_t lot;            /* unset where nothing may wait */
} breaker__static_context_t;

/** The verdict on a path while nothing is published: in a view it is to come back later. */
breaker_verdict_t breaker__static_classify_unpublished(const breaker_views_t *views,
                                                       const char *path, size_t len);

/**
 * Brings the thread's snapshot up to date and classifies a normalised path by it. `refreshed` as in
 * `breaker_classify`.
 */
static inline breaker_verdict_t breaker__static_classify(breaker__static_context_t *ctx,
                                                         const char *path, size_t len,
                                                         bool refreshed)
{
    const breaker_snapshot_t *snapshot = breaker__lease_refresh(&ctx->lease);
    const breaker_views_t *views = ctx->handler->views;

    if (snapshot == NULL)
        return breaker__static_classify_unpublished(views, path, len);
    return breaker_classify(snapshot, views, path, len, refreshed);
}

/** Tells whether a handler of a path is one of `breaker.static`. */
bool breaker__is_static(const h2o_handler_t *handler);

/**
 * Moves the handler that was created last after the static handlers that lead the path, in front
 * of all others: views come first, then what watches over requests to the application, then the
 * application.
 */
void breaker__handler_to_front(h2o_pathconf_t *pathconf);

/**
 * The views of a node that the host of a handler has at any of its paths, by their indexes, a bit
 * each. Once the hosts and paths are configured; any thread.
 */
uint64_t breaker__views_of_host(const h2o_globalconf_t *globalconf, const h2o_handler_t *handler,
                                const breaker_node_t *node);

/** Tells whether a normalised path is in a view of one of the path's static handlers. */
bool breaker__is_in_views(const h2o_pathconf_t *pathconf, h2o_iovec_t path);

/** Adds how long requests for views of a node waited so far, over all its handlers and threads. Any
 * thread. */
void breaker__static_read_waits(const h2o_globalconf_t *globalconf, const breaker_node_t *node,
                                breaker__waits_sum_t *news, breaker__waits_sum_t *bytes);

#endif
