#ifndef BREAKER_HANDLERS_FASTPATH_H
#define BREAKER_HANDLERS_FASTPATH_H

/*
 * Requests that are answered past libh2o's HTTP/1:
 *
 *   bytes ─▶ fastpath_request.c ─▶ fastpath_answer.c ─▶ fastpath.c
 *            plain GET or HEAD?     route, classify,     one write
 *                                   judge
 *
 * Whatever is not plain, in any of the steps, is libh2o's: it gets the connection with the bytes
 * untouched, and keeps it.
 */
#include <sys/uio.h>
#include "answer/static.h"

/* ---- fastpath_request.c ---- */

/** A request without anything that needs libh2o. Texts lie in the input buffer. */
typedef struct st_breaker__plain_t {
    bool is_head;
    /** the target as it was sent */
    const char *target;
    size_t target_len;
    /** the target up to its query; as short and clean as libh2o's normalised path */
    size_t path_len;
    breaker__fields_t fields;
} breaker__plain_t;

/** the request may be plain, but its end has not come */
#define BREAKER__PLAIN_INCOMPLETE (-1)

/**
 * Reads one HTTP/1.1 request. Returns how many bytes it takes, BREAKER__PLAIN_INCOMPLETE, or 0 when
 * it is not plain: malformed; of another method or version; with a body, an expectation, an
 * upgrade, or a Connection that is not keep-alive; with a path that has to be normalised; with a
 * field of ours in several lines. Reads nothing behind `len`, changes nothing, allocates nothing.
 */
ssize_t breaker__plain_read(const char *base, size_t len, breaker__plain_t *ret_plain);

/* ---- fastpath_answer.c ---- */

/** The paths of one host, as far as views stand first at them, on one thread. */
typedef struct st_breaker__routes_t breaker__routes_t;

/**
 * Looks at the paths behind a listener. Returns NULL when nothing there can be answered past
 * libh2o: several hosts, or no path whose first handler is a view's and that has neither filters
 * nor loggers. After `h2o_context_init`, on the thread of the context.
 */
breaker__routes_t *breaker__routes_create(h2o_context_t *ctx, h2o_hostconf_t *const *hosts);
/** Takes NULL. */
void breaker__routes_free(breaker__routes_t *routes);

/** the pieces of a head and the body behind them */
#define BREAKER__PIECES_MAX 6

/**
 * An answer, ready to be written. The pieces of the head are good until the next answer of the
 * thread is made; the body as long as the lease.
 */
typedef struct st_breaker__plain_answer_t {
    struct iovec head[BREAKER__PIECES_MAX - 1];
    size_t num_head;
    /** NULL for an answer without a body, or whose body is in its head */
    const breaker_variant_t *variant;
    uint64_t body_at, body_len;
    /** what keeps the variant: libh2o's shared memory of this thread */
    void *lease;
} breaker__plain_answer_t;

/** Makes the answer to a request, or returns false when it is libh2o's. */
bool breaker__plain_answer(breaker__routes_t *routes, const breaker__plain_t *plain,
                           breaker__plain_answer_t *ret_answer);

#endif
