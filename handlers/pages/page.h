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
 *   header_links.c   placeholders in its headers
 *   page_stream.c    the body, decoded and substituted
 *                    … h2o's filters look at the head …
 *   page_caching.c   what caches may make of it
 *   encode.c         the body, encoded again
 *
 * Not installed.
 */
#include <breaker/http/decoder.h>
#include "pages/etag.h"
#include "pages/plan.h"
#include "pages/settings.h"

/** What is known of a request below a rewriting handler, in its pool. */
typedef struct st_breaker__page_t {
    h2o_req_prefilter_t super;
    h2o_handler_t *handler;             /* borrowed: whose note this is */
    breaker_node_t *node;               /* borrowed: the handler's */
    breaker__page_settings_t *settings; /* borrowed: the handler's */
    breaker__plan_t *plan;              /* borrowed: held by the request's pool */
    /** of the response's release; borrowed: the plan's. Set when a response begins */
    const breaker__prefixes_t *prefixes;
    /** where and after how many redirections inside of h2o the handler saw the request last */
    h2o_pathconf_t *pathconf;
    unsigned num_redirected;
    breaker__etag_pairs_t restored;
    /** a tag without a mark is none that this request could be answered by */
    bool wants_marks;
    /** of the response: what caches may make of it is ours to say */
    bool is_mended;
    /** of the response: it came encoded, and goes on decoded; and what the note before says of it
     */
    bool is_decoded, came_encoded;
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

/** Replaces what stands in headers that browsers follow; tells whether there was anything. */
bool breaker__page_mend_links(const breaker__page_t *page, h2o_req_t *req);

/** Says in the log, once a minute, what an application does. */
void breaker__page_say(const breaker__page_t *page, h2o_req_t *req, breaker__page_trouble_t what);

/**
 * Puts the stream that decodes and substitutes (`page->prefixes` live as long as the request) at
 * `slot`, and returns the slot after it. Takes over `decoder`, which is NULL for a body in
 * identity.
 */
h2o_ostream_t **breaker__page_stream(const breaker__page_t *page, h2o_req_t *req,
                                     breaker_decoder_t *decoder, h2o_ostream_t **slot);

/**
 * Has a mended response revalidated before caches use it again, where it says nothing of it, or
 * where the settings say so. After the filters of the path, before anything is sent.
 */
void breaker__page_mend_caching(const breaker__page_t *page, h2o_req_t *req);

/** Tells whether a handler is one that rewrites pages. */
bool breaker__is_rewrite(const h2o_handler_t *handler);

/**
 * Has a page that came encoded leave encoded, if the client takes gzip and nobody else has encoded
 * it; `slot` is the one after the page's last stream. After the filters of the path, before
 * anything is sent.
 */
void breaker__page_encode(h2o_req_t *req, h2o_ostream_t **slot);

#endif
