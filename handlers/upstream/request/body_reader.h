#ifndef BREAKER_HANDLERS_UPSTREAM_BODY_READER_H
#define BREAKER_HANDLERS_UPSTREAM_BODY_READER_H

/* Who will read a request's body, before libh2o has. Not installed. */
#include <breaker/h2o.h>

typedef enum en_breaker__body_reader_t {
    /** nobody: a view answers */
    BREAKER__READER_NONE,
    /** an application behind us, which may have it as it comes if its length is known */
    BREAKER__READER_UPSTREAM,
    /** the same, in chunks as well */
    BREAKER__READER_UPSTREAM_CHUNKS,
    /** some handler that wants it whole; or it is not known */
    BREAKER__READER_OTHER,
} breaker__body_reader_t;

/**
 * Tells who will read the body of a request, of which libh2o has so far set its connection, method
 * and path (`input`): `host` is its Host or `:authority`, or {NULL, 0}. In doubt OTHER: what is no
 * host, a target that is no path. Allocates in the request's pool.
 */
breaker__body_reader_t breaker__body_reader_of(h2o_req_t *req, h2o_iovec_t host);

#endif
