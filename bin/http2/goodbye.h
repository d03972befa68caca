#ifndef BREAKER_BIN_GOODBYE_H
#define BREAKER_BIN_GOODBYE_H

#include <stdint.h>
#include <h2o.h>

/** How a thread's connections of HTTP/2 are ended. All zero at first; the thread's own. */
typedef struct st_breaker__goodbye_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    h2o_timeout_entry_t tick, patience;
    /* connections with ids up to here have been warned */
    uint64_t warned_id;
} breaker__goodbye_t;

/**
 * Has the context's connections end, in the place of h2o_context_request_shutdown: those of HTTP/1
 * with their next answer, those of HTTP/2 as RFC 9113 §6.8 says, also the ones that begin
 * later.
 */
void breaker__goodbye_begin(breaker__goodbye_t *goodbye, h2o_context_t *ctx);
/** Stops; the connections are gone. One that has not begun may end too. */
void breaker__goodbye_end(breaker__goodbye_t *goodbye);

#endif
