#ifndef BREAKER_HANDLERS_LOCATION_H
#define BREAKER_HANDLERS_LOCATION_H

/* Where redirects of a view lead. */
#include "answer/line.h"
#include "answer/request.h"

/**
 * Makes the line a Location that leads a request to the same asset path and query under the view's
 * current token. It is relative (RFC 9110 §10.2.2, RFC 3986 §4.2), "../../T/css/site.css" for
 * "/static/t/css/site.css", so that a proxy that took a prefix off the path leads back below it;
 * where a client would count the segments of the path otherwise than we do, or asked for another
 * one, it is path-absolute.
 * Borrows from the view and the request.
 */
void breaker__location_under(breaker__line_t *line, const breaker_snapshot_view_t *view,
                             const breaker_view_match_t *match, const breaker__request_t *request);

/**
 * Makes the line a Location that leads a request for a directory to the same path with a slash
 * after it, query included: "./dir/?q", or "/path/dir/?q" where the client asked for another path.
 * Borrows from the request.
 */
void breaker__location_of_directory(breaker__line_t *line, const breaker__request_t *request);

#endif
