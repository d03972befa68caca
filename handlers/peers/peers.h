#ifndef BREAKER_HANDLERS_PEERS_H
#define BREAKER_HANDLERS_PEERS_H

/* The handler that answers other nodes, as other handlers know it. Not installed. */
#include <stdbool.h>
#include <h2o.h>

/** Tells whether a handler is one of those that `breaker_h2o_peers_register` made. */
bool breaker__is_peers(const h2o_handler_t *handler);

#endif
