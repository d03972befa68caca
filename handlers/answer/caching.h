#ifndef BREAKER_HANDLERS_CACHING_H
#define BREAKER_HANDLERS_CACHING_H

/* What filters of libh2o make of our Cache-Control. */
#include <breaker/h2o.h>

/**
 * `h2o_start_response` for an answer of ours, whose Cache-Control stays free of the max-age that
 * the filter of `expires` adds to it, and without an Expires but the view's own. What `header.*`
 * makes of Cache-Control stays; the one that rules over Expires (RFC 9111 §5.3) is ours.
 */
void breaker__start_response(h2o_req_t *req, h2o_generator_t *generator);

/**
 * What `breaker__start_response` does to the head of an answer, and nothing else: the filters of
 * the path see it. For requests that libh2o has never seen, at paths whose filters are known to
 * look at nothing but the response (fastpath/filters.h).
 */
void breaker__run_filters(h2o_req_t *req);

/**
 * Lets a 404 to the request, whoever sends it, say `no-store` where it says nothing: a URL just
 * outside a view may be one of the view tomorrow.
 */
void breaker__do_not_store_404(h2o_req_t *req);

#endif
