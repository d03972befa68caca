#ifndef BREAKER_BIN_REPROXY_H
#define BREAKER_BIN_REPROXY_H

/* Requests that an answer hands on to another server. */
#include "upstream/anywhere.h"

/** Takes those of this thread from libh2o's own client; one a thread, before its first connection.
 * `*agent` is the caller's memory. */
void breaker__reproxy_begin(breaker__agent_t *agent, h2o_context_t *ctx);
/** Ends it, after the thread's last connection. */
void breaker__reproxy_end(breaker__agent_t *agent);

#endif
