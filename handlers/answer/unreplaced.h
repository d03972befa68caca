#ifndef BREAKER_HANDLERS_UNREPLACED_H
#define BREAKER_HANDLERS_UNREPLACED_H

/* Placeholders that reach the server: a page, a script or a feed went out without its token. */
#include "answer/static.h"

/**
 * Says in the error log, once a minute for each handler, that a request came with the placeholder
 * in the token's place: which path, and from which page. Any thread of the server.
 */
void breaker__say_unreplaced(breaker__static_t *handler, h2o_req_t *req);

#endif
