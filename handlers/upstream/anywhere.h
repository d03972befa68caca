#ifndef BREAKER_HANDLERS_UPSTREAM_ANYWHERE_H
#define BREAKER_HANDLERS_UPSTREAM_ANYWHERE_H

/* Requests that are handed on to a URL that an answer named (`reproxy`). Not installed. */
#include <h2o.h>
#include "upstream/agent.h"

/**
 * An origin for requests that name their own: with what `proxy.*` says at the top level, and
 * connections for one request each. NULL without the configurator, or before it is done. It lives
 * as long as the configuration.
 */
const breaker__origin_t *breaker__upstream_anywhere(h2o_globalconf_t *globalconf);

/** Answers a request by the server that its scheme and authority name. */
void breaker__anywhere_answer(breaker__agent_t *agent, h2o_req_t *req);

#endif
