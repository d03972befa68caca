#ifndef BREAKER_HANDLERS_UPSTREAM_KEPT_H
#define BREAKER_HANDLERS_UPSTREAM_KEPT_H

/* An agent's connections that wait for a request. Not installed. */
#include "upstream/wire/wire.h"

/**
 * Keeps a wire that has answered, for `proxy.timeout.keepalive`; where there are too many the
 * oldest is closed.
 */
void breaker__kept_put(breaker__wire_t *wire);
/** Takes the wire out that was used last, or NULL. Those that have ended meanwhile are closed. */
breaker__wire_t *breaker__kept_take(breaker__agent_t *agent);
/** Takes that one out. */
void breaker__kept_remove(breaker__wire_t *wire);
/** Closes all that there are. */
void breaker__kept_close_all(breaker__agent_t *agent);

#endif
