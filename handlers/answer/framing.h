#ifndef BREAKER_HANDLERS_FRAMING_H
#define BREAKER_HANDLERS_FRAMING_H

/* What libh2o's HTTP/1 parser lets through. */
#include <breaker/h2o.h>

/**
 * Tells whether the body of an HTTP/1 request is framed in a way that two servers could read
 * differently: several Content-Length fields, Content-Length beside Transfer-Encoding,
 * Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1, §6.3). Call it for requests with a body only: it
 * reads the request's raw bytes once more.
 */
bool breaker__framing_is_ambiguous(h2o_req_t *req);

#endif
