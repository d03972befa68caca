#ifndef BREAKER_HANDLERS_UNWANTED_H
#define BREAKER_HANDLERS_UNWANTED_H

/* Whose body a request's is, before libh2o has read it. */
#include <stdbool.h>
#include <breaker/h2o.h>

/**
 * Tells whether a request will be answered by a view, which reads no body. Of the request libh2o
 * has so far set its connection, method and path (`input`): `host` is its Host or `:authority`, or
 * {NULL, 0}. In doubt false: what is no host, a target that is no path. Allocates in the request's
 * pool.
 */
bool breaker__is_for_view(h2o_req_t *req, h2o_iovec_t host);

#endif
