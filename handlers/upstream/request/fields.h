#ifndef BREAKER_HANDLERS_UPSTREAM_FIELDS_H
#define BREAKER_HANDLERS_UPSTREAM_FIELDS_H

/* The fields that an application gets with a request. Not installed. */
#include <stdbool.h>
#include <h2o.h>
#include "upstream/settings.h"

/** A field; no byte of it ends a line. */
typedef struct st_breaker__outgoing_field_t {
    h2o_iovec_t name, value;
} breaker__outgoing_field_t;

/** What is to be sent, but for the body. All in the request's pool. */
typedef struct st_breaker__outgoing_t {
    h2o_iovec_t method; /* NUL-ended */
    /** with the query */
    h2o_iovec_t target; /* NUL-ended */
    /** of Host */
    h2o_iovec_t authority;
    /** all but those that frame a body */
    struct {
        breaker__outgoing_field_t *entries;
        size_t size;
    } fields;
    /** {NULL}, or the protocol that the connection is to change to; there is no body then */
    h2o_iovec_t upgrade;
    /** {NULL}, or what goes in front of everything on a connection of its own */
    h2o_iovec_t proxy_header;
    bool has_body;
    /** of the body; 0 without one, SIZE_MAX where only its end tells */
    size_t body_len;
} breaker__outgoing_t;

/**
 * Builds the fields: those of the request but for what is between the client and us, with
 * X-Forwarded-For, X-Forwarded-Proto and Via as libh2o has them, and `proxy.header.*` done.
 * All other members are set by the caller. False where a part of the request could end it early or
 * begin another one (RFC 9112 §11.2); nothing is to be sent then.
 */
bool breaker__outgoing_build(breaker__outgoing_t *outgoing, h2o_req_t *req,
                             const breaker__upstream_settings_t *settings);

/** Tells whether an answer to it has no body, whatever its head says (RFC 9110 §9.3.2). */
bool breaker__outgoing_is_head(const breaker__outgoing_t *outgoing);
/** Tells whether it may be sent twice, where nobody knows what became of the first. */
bool breaker__outgoing_is_repeatable(const breaker__outgoing_t *outgoing);

#endif
