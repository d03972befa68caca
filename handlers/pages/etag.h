#ifndef BREAKER_HANDLERS_ETAG_H
#define BREAKER_HANDLERS_ETAG_H

/* Entity tags that name the prefixes of a page. Not installed. */
#include <h2o.h>

/** A tag of the client's that was understood, and what the application was shown instead. */
typedef struct st_breaker__etag_pair_t {
    h2o_iovec_t marked;
    h2o_iovec_t original;
} breaker__etag_pair_t;

typedef H2O_VECTOR(breaker__etag_pair_t) breaker__etag_pairs_t;

/** Which members of a tag list do not reach the application. */
typedef enum en_breaker__etag_drop_t {
    /** none; `*` and whatever is malformed stays as well */
    BREAKER__ETAG_DROP_NONE,
    /** those of other prefixes, `*`, and everything from the first malformed member on */
    BREAKER__ETAG_DROP_STALE,
    /** those and all without a mark */
    BREAKER__ETAG_DROP_UNMARKED,
} breaker__etag_drop_t;

/**
 * The tag of a rewritten page, `W/"abc;breaker=s0123456789abcdef"` for `"abc"`: weak, because the
 * page's bytes are made anew for every answer, with the application's tag, its strength and the
 * mark in it. A tag that carries the mark already comes back as it is; for a malformed one {NULL,
 * 0} comes back.
 */
h2o_iovec_t breaker__etag_mark(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark);

/**
 * Rewrites the value of If-None-Match or If-Match for the application: marked tags become what they
 * were. What is restored is added to `*restored`. An empty value means that the field goes away.
 */
h2o_iovec_t breaker__etag_restore(h2o_mem_pool_t *pool, h2o_iovec_t value, const char *mark,
                                  breaker__etag_drop_t drop, breaker__etag_pairs_t *restored);

/** Finds what the client calls a tag of the application's, by weak comparison, or NULL. */
const breaker__etag_pair_t *breaker__etag_find(const breaker__etag_pairs_t *restored,
                                               h2o_iovec_t etag);

#endif
