#ifndef BREAKER_HANDLERS_CROSS_ORIGIN_H
#define BREAKER_HANDLERS_CROSS_ORIGIN_H

/* What the answers of a view say about their use by pages of other origins. */
#include "answer/head.h"

/**
 * Tells whether a view's `allow_origin` is a list, so that what an answer says depends on the
 * request. Takes NULL.
 */
static inline bool breaker__has_origins(const char *allow_origin)
{
    return allow_origin != NULL && strchr(allow_origin, ' ') != NULL;
}

/**
 * Tells whether a header of a view's configuration, "Name: value", is about use across origins,
 * "Access-Control-Expose-Headers" say: such ones belong to every answer of the view.
 */
bool breaker__is_about_origins(const char *line);

/** Adds what every answer of the view says; of a list nothing, which is a line of the answer. */
void breaker__cross_origin_push(breaker__draft_t *draft, const breaker_view_config_t *config);

/** the names of lines */
extern const h2o_iovec_t breaker__allow_headers_name;

/**
 * The value of Access-Control-Allow-Origin for a request from `origin` (RFC 6454 §7; no base: it
 * named none) by what a view says: the one value of the view, or that of a list which is the
 * request's. No base: the answer has no such field. Borrowed from `allow_origin`.
 */
h2o_iovec_t breaker__allowed_origin(h2o_iovec_t allow_origin, h2o_iovec_t origin);

/** Tells whether a list of field names can be sent back to the client that asked for it. */
bool breaker__is_names(h2o_iovec_t names);

#endif
