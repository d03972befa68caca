#ifndef BREAKER_HANDLERS_STATIC_H
#define BREAKER_HANDLERS_STATIC_H

/*
 * The handler of `breaker.static` and what it keeps a thread, for the two ways through it: as a
 * handler of libh2o (static.c), and past libh2o's HTTP/1 (fastpath.c).
 */
#include "answer/judge.h"
#include "answer/respond.h"
#include "thread/lease.h"
#include "thread/park.h"

/** longer request targets get 414, as from most servers */
#define BREAKER__TARGET_MAX 8192

/** What answers of one view need and the snapshot does not say. */
typedef struct st_breaker__view_texts_t {
    h2o_iovec_t redirect_cache_control;
    char redirect_storage[48];
    breaker__retry_t retry;
} breaker__view_texts_t;

typedef struct st_breaker__static_t {
    h2o_handler_t super;
    breaker_node_t *node;         /* borrowed: outlives the h2o configuration */
    breaker_views_t *views;       /* owned */
    breaker__view_texts_t *texts; /* owned; by the views' indexes in the node */
} breaker__static_t;

/** Of one handler on one thread. */
typedef struct st_breaker__static_context_t {
    breaker__static_t *handler; /* borrowed */
    breaker__lease_t lease;
    breaker__negotiated_t negotiated;
    breaker__lot_t lot; /* of a node of a cluster */
} breaker__static_context_t;

/**
 * Moves the handler that was created last behind the static handlers that lead the path, in front
 * of all others: views come first, then what watches over requests to the application, then the
 * application.
 */
void breaker__handler_to_front(h2o_pathconf_t *pathconf);

/** Tells whether a handler of a path is one of `breaker.static`. */
bool breaker__is_static(const h2o_handler_t *handler);

/** Tells whether a normalised path is in a view of one of the path's static handlers. */
bool breaker__is_in_views(const h2o_pathconf_t *pathconf, h2o_iovec_t path);

/** The Cache-Control of a view's redirects, by the snapshot that they are judged by. */
h2o_iovec_t breaker__redirect_cache_control(const breaker__static_t *handler,
                                            const breaker_snapshot_t *snapshot,
                                            const breaker_view_t *view);

#endif
