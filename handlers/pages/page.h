#ifndef BREAKER_HANDLERS_PAGE_H
#define BREAKER_HANDLERS_PAGE_H

/*
 * A request for a page on its way. It walks
 *
 *   rewrite.c        on_req: find the plan, note the request, decline
 *   page_request.c   the application's view of the request
 *                    … the application answers …
 *   page_release.c   whose page it is
 *   page_response.c  is it a page, what does its head need
 *   page_stream.c    the body, decoded and substituted
 *
 * Not installed.
 */
#include <stdatomic.h>
#include <breaker/http/decoder.h>
#include "pages/etag.h"
#include "pages/plan.h"

/** how many releases that nobody knows a log hears of, a handler */
#define BREAKER__UNKNOWN_MAX 16

/** Those of which it heard, by the hashes of their names; 0 is none. Any thread. */
typedef struct st_breaker__unknown_t {
    _Atomic uint64_t names[BREAKER__UNKNOWN_MAX];
} breaker__unknown_t;

/** What is known of a request below a rewriting handler, in its pool. */
typedef struct st_breaker__page_t {
    h2o_req_prefilter_t super;
    h2o_handler_t *handler;      /* borrowed: whose note this is */
    breaker_node_t *node;        /* borrowed: the handler's */
    breaker__unknown_t *unknown; /* borrowed: the handler's */
    breaker__plan_t *plan;       /* borrowed: held by the request's pool */
    /** of the response's release; borrowed: the plan's. Set when a response begins */
    const breaker__prefixes_t *prefixes;
    /** where and after how many redirections inside of h2o the handler saw the request last */
    h2o_pathconf_t *pathconf;
    unsigned num_redirected;
    breaker__etag_pairs_t restored;
} breaker__page_t;

/** Tells whether a header of a request is what the note of another node at its path added. */
bool breaker__page_is_others(const breaker__page_t *page, const h2o_req_t *req,
                             const h2o_header_t *header);

/** Makes of the client's request the one that the application sees. */
void breaker__page_prepare_request(breaker__page_t *page, h2o_req_t *req);

/**
 * Hears from a response that is about to begin which release it is of, for `page->prefixes`.
 * `is_last` says that no other note hears of it afterwards, so that the header can go.
 */
void breaker__page_choose_release(breaker__page_t *page, h2o_req_t *req, bool is_last);

/**
 * Looks at a response that is about to begin, mends its head, and puts a stream at `slot` when its
 * body is to be rewritten. Returns the slot for what comes after.
 */
h2o_ostream_t **breaker__page_setup_response(breaker__page_t *page, h2o_req_t *req,
                                             h2o_ostream_t **slot);

/**
 * Puts the stream that decodes and substitutes (`prefixes` live as long as the request) at `slot`,
 * and returns the slot after it. Takes over `decoder`, which is NULL for a body in identity.
 */
h2o_ostream_t **breaker__page_stream(const breaker__prefixes_t *prefixes, h2o_req_t *req,
                                     breaker_decoder_t *decoder, h2o_ostream_t **slot);

#endif
