#ifndef BREAKER_HANDLERS_REWRITE_H
#define BREAKER_HANDLERS_REWRITE_H

/*
 * What the files of the rewriting share. A request for a page walks
 *
 *   rewrite.c           on_req: find the plan, note the request, decline
 *   rewrite_request.c   the application's view of the request
 *                       … the application answers …
 *   rewrite_response.c  is it a page, what does its head need
 *   rewrite_stream.c    the body, decoded and substituted
 *
 * and rewrite_plan.c and rewrite_etag.c know what a snapshot means to pages.
 */
#include "pages/coding.h"
#include <breaker/h2o.h>

/* ---- rewrite_plan.c: a snapshot as pages see it ---- */

/** bytes of the mark that stands for all prefixes of a snapshot, in hexadecimal digits */
#define BREAKER__MARK_LEN 16

/**
 * A plan: what a snapshot comes to for pages, worked out once per snapshot, handler and thread. It
 * lives in h2o's shared memory, whose counts are not atomic: the thread's handler context holds one
 * and every request that began under it another, through its pool.
 */
typedef struct st_breaker__plan_t {
    /** owned reference: the prefixes live there */
    breaker_snapshot_t *snapshot;
    /** a stable hash of all literals and prefixes, the same on every node that hands them out */
    char mark[BREAKER__MARK_LEN];
    /** the literals of the views and their prefixes */
    breaker_substitution_t *pairs;
    size_t num_pairs;
    /** what the application is told: of the views, and of the node if it is the path's first */
    h2o_header_t *headers;
    size_t num_headers;
    /** of the texts above */
    h2o_mem_pool_t pool;
} breaker__plan_t;

/**
 * Works out a plan, of which it takes a reference on the snapshot, which has views. `earlier` are
 * the nodes that were registered at the path before this one, whose headers have their names first;
 * they are loaded. The caller's reference on the plan is dropped with `h2o_mem_release_shared`.
 */
breaker__plan_t *breaker__plan_create(breaker_snapshot_t *snapshot, breaker_node_t *const *earlier,
                                      size_t num_earlier);

/* ---- rewrite_etag.c: entity tags that name the prefixes of a page ---- */

/** A tag of the client's that was understood, and what the application was shown instead. */
typedef struct st_breaker__restored_t {
    h2o_iovec_t marked;
    h2o_iovec_t original;
} breaker__restored_t;

typedef H2O_VECTOR(breaker__restored_t) breaker__restored_vector_t;

/** Which members of a tag list do not reach the application. */
typedef enum en_breaker__tags_drop_t {
    /** none; `*` and whatever is malformed stays as well */
    BREAKER__TAGS_DROP_NONE,
    /** those of other prefixes, `*`, and everything from the first malformed member on */
    BREAKER__TAGS_DROP_STALE,
    /** those and all without a mark */
    BREAKER__TAGS_DROP_UNMARKED,
} breaker__tags_drop_t;

/**
 * The tag of a rewritten page, `W/"abc;breaker=s0123456789abcdef"` for `"abc"`: weak, because the
 * bytes behind it are made anew for every answer, with the application's tag, its strength and the
 * mark in it. A tag that carries the mark already comes back as it is; for a malformed one {NULL,
 * 0} comes back.
 */
h2o_iovec_t breaker__etag_mark(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark);

/**
 * Rewrites the value of If-None-Match or If-Match for the application: marked tags become what they
 * were. What is restored is added to `*restored`. An empty value means that the field goes away.
 */
h2o_iovec_t breaker__etags_restore(h2o_mem_pool_t *pool, h2o_iovec_t value, const char *mark,
                                   breaker__tags_drop_t drop, breaker__restored_vector_t *restored);

/** Finds what the client calls a tag of the application's, by weak comparison, or NULL. */
const breaker__restored_t *breaker__restored_find(const breaker__restored_vector_t *restored,
                                                  h2o_iovec_t etag);

/* ---- rewrite.c: the note on a request ---- */

/** What is known of a request below a rewriting handler, in its pool. */
typedef struct st_breaker__page_t {
    h2o_req_prefilter_t super;
    h2o_handler_t *handler;      /* borrowed: whose note this is */
    const breaker__plan_t *plan; /* borrowed: held by the request's pool */
    /** where and after how many redirections inside of h2o the handler saw the request last */
    h2o_pathconf_t *pathconf;
    unsigned num_redirected;
    breaker__restored_vector_t restored;
} breaker__page_t;

/** Tells whether a header of a request is what the note of another node at its path added. */
bool breaker__page_is_others(const breaker__page_t *page, const h2o_req_t *req,
                             const h2o_header_t *header);

/* ---- rewrite_request.c ---- */

/** Makes of the client's request the one that the application sees. */
void breaker__page_prepare_request(breaker__page_t *page, h2o_req_t *req);

/* ---- rewrite_response.c, rewrite_stream.c ---- */

/**
 * Looks at a response that is about to begin, mends its head, and puts a stream at `slot` when its
 * body is to be rewritten. Returns the slot for what comes after.
 */
h2o_ostream_t **breaker__page_setup_response(breaker__page_t *page, h2o_req_t *req,
                                             h2o_ostream_t **slot);

/**
 * Puts the stream that decodes and substitutes at `slot`, and returns the slot behind it. Takes
 * over `decoder`, which is NULL for a body in identity.
 */
h2o_ostream_t **breaker__page_stream(const breaker__plan_t *plan, h2o_req_t *req,
                                     breaker_decoder_t *decoder, h2o_ostream_t **slot);

#endif
