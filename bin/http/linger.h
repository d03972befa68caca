#ifndef BREAKER_BIN_LINGER_H
#define BREAKER_BIN_LINGER_H

/* Closing a connection on which more is to come than anybody wants to read. */
#include <stdbool.h>
#include <h2o.h>

/**
 * Closes a connection so that what was written to it arrives: nothing more is sent, and what comes
 * is read and thrown away until the peer closes, for 30 seconds, 5 of silence, or 256 MiB at most;
 * for a second once the context is shutting down, and for 2 seconds and 256 KiB after a flood,
 * whose sender is not to keep us busy. `sock` is closed by `close` within the call, its `on_close`
 * is called when all is over. On the thread of the context, which must outlive it.
 */
void breaker__linger(h2o_context_t *ctx, h2o_socket_t *sock, bool is_flood,
                     void (*close)(h2o_socket_t *));

#endif
