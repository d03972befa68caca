#ifndef BREAKER_HANDLERS_UPSTREAM_EXCHANGE_H
#define BREAKER_HANDLERS_UPSTREAM_EXCHANGE_H

/* A request that an application answers. Not installed. */
#include <h2o.h>
#include "upstream/agent.h"

/**
 * Sends the request to the agent's application, and its answer to the client; whatever happens, the
 * request is answered or aborted, perhaps before this returns. `location_base` is what stands in
 * the place of the origin's path in a Location, the path of the directive; {NULL} leaves them
 * alone.
 */
void breaker__exchange_begin(breaker__agent_t *agent, h2o_req_t *req, h2o_iovec_t target,
                             h2o_iovec_t authority, h2o_iovec_t location_base);

#endif
