#ifndef BREAKER_HANDLERS_UPSTREAM_RESPONSE_H
#define BREAKER_HANDLERS_UPSTREAM_RESPONSE_H

/* An application's answer as libh2o sends it. Not installed. */
#include <stdbool.h>
#include <h2o.h>
#include "upstream/reply/reply.h"

/**
 * Tells whether the answer is a redirection that is followed here, because the request was handed
 * on within the server already.
 */
bool breaker__response_is_redirect(const h2o_req_t *req, const breaker__reply_t *reply);
/** Follows it; the request is answered by somebody else then. */
void breaker__response_redirect(h2o_req_t *req, const breaker__reply_t *reply);

/**
 * Sets status, reason, length and fields. A Location below `origin` gets `location_base` for its
 * path and the client's authority, unless `location_base` is {NULL}. The fields stay the pool's.
 */
void breaker__response_write(h2o_req_t *req, const breaker__reply_t *reply, const h2o_url_t *origin,
                             h2o_iovec_t location_base);

#endif
