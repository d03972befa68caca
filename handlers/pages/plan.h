#ifndef BREAKER_HANDLERS_PLAN_H
#define BREAKER_HANDLERS_PLAN_H

/* A snapshot as pages see it. Not installed. */
#include <breaker/h2o.h>
#include <breaker/http/substitute.h>
#include "pages/etag.h"

/** What the literals of the views become in the pages of one release. */
typedef struct st_breaker__prefixes_t {
    /** a stable hash of all literals and prefixes, the same on every node that hands them out */
    char mark[BREAKER__MARK_LEN];
    /** the literals of the views in all their spellings, and their prefixes in the same */
    breaker_substitution_t *pairs;
    size_t num_pairs;
} breaker__prefixes_t;

/**
 * A plan: what a snapshot comes to for pages, worked out once per snapshot, handler and thread. It
 * lives in h2o's shared memory, whose counts are not atomic: the thread's handler context holds one
 * and every request that began under it another, through its pool.
 */
typedef struct st_breaker__plan_t {
    /** owned reference: the prefixes live there */
    breaker_snapshot_t *snapshot;
    /** borrowed of it: what pages of the host know, no two of one name; at least one */
    const breaker_snapshot_view_t *views[BREAKER_VIEWS_MAX];
    size_t num_views;
    /** of what is rewritten how, for marks: the handler's types */
    uint64_t settings_hash;
    /** of the node's own release */
    breaker__prefixes_t own;
    /** what the tags in a request are compared with */
    breaker__marks_t marks;
    /** of others by the entry of their newest token in the snapshot's ledger; made when asked for
     */
    const breaker__prefixes_t *others[BREAKER_LEDGER_MAX];
    /** what the application is told: of the views, and of the node if it is the path's first */
    h2o_header_t *headers;
    size_t num_headers;
    /** of the texts above */
    h2o_mem_pool_t pool;
} breaker__plan_t;

/**
 * Works out a plan, which takes a reference on the snapshot; NULL where there is nothing to
 * rewrite. `of_host` are the views of the pages' host, as `breaker__views_of_host` has them: they
 * come first, and stand for their names alone. Of a name that the host has not the pages get
 * another host's, unless the tokens of two others differ. `earlier` are the nodes that were
 * registered at the path before this one, whose headers have their names first; they are loaded.
 * `settings_hash` stands for what is rewritten.
 * The caller's reference on the plan is dropped with `h2o_mem_release_shared`.
 */
breaker__plan_t *breaker__plan_create(breaker_snapshot_t *snapshot, uint64_t of_host,
                                      breaker_node_t *const *earlier, size_t num_earlier,
                                      uint64_t settings_hash);

/**
 * The prefixes in the pages of a release, which an application names by its label or by its whole
 * id: those of the newest token that the ledger has for it, the node's own for its own release.
 * NULL for a release that the ledger does not know. They live as long as the plan.
 */
const breaker__prefixes_t *breaker__plan_prefixes(breaker__plan_t *plan, h2o_iovec_t release);

#endif
