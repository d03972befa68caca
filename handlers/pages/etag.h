#ifndef BREAKER_HANDLERS_ETAG_H
#define BREAKER_HANDLERS_ETAG_H

/* Entity tags that name the prefixes of a page. Not installed. */
#include <stdbool.h>
#include <h2o.h>

/** A tag of the client's that was understood, and what the application was shown instead. */
typedef struct st_breaker__etag_pair_t {
    h2o_iovec_t marked;
    h2o_iovec_t original;
    /** the tag of a page, not of what passed untouched */
    bool is_page;
} breaker__etag_pair_t;

typedef H2O_VECTOR(breaker__etag_pair_t) breaker__etag_pairs_t;

/** bytes of a mark, in hexadecimal digits */
#define BREAKER__MARK_LEN 16

/** What the tags of a node say at the moment: hashes, the same on every node that gives them out.
 */
typedef struct st_breaker__marks_t {
    /** of the prefixes in a page, and of how they got there */
    char page[BREAKER__MARK_LEN];
    /** of what is rewritten: whatever has it was not, and would not be today */
    char passed[BREAKER__MARK_LEN];
} breaker__marks_t;

/** Which members of a tag list do not reach the application. */
typedef enum en_breaker__etag_drop_t {
    /** none; `*` and whatever is malformed stays as well */
    BREAKER__ETAG_DROP_NONE,
    /** those of other marks, `*`, and everything from the first malformed member on */
    BREAKER__ETAG_DROP_STALE,
    /** those and all without a mark, which may be from before the rewriting */
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
 * The tag of what passed untouched, `"abc;breaker=p0123456789abcdef"` for `"abc"`: as strong as it
 * was, because the bytes are the application's. It tells a copy of today from one of the time
 * before the rewriting. A tag that carries the mark already, and a malformed one, come back as they
 * are.
 */
h2o_iovec_t breaker__etag_mark_passed(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark);

/**
 * Rewrites the value of If-None-Match, If-Match or If-Range for the application: marked tags become
 * what they were. What is restored is added to `*restored`. An empty value means that the field
 * goes away.
 */
h2o_iovec_t breaker__etag_restore(h2o_mem_pool_t *pool, h2o_iovec_t value,
                                  const breaker__marks_t *marks, breaker__etag_drop_t drop,
                                  breaker__etag_pairs_t *restored);

/** Finds what the client calls a tag of the application's, by weak comparison, or NULL. */
const breaker__etag_pair_t *breaker__etag_find(const breaker__etag_pairs_t *restored,
                                               h2o_iovec_t etag);

#endif
