#ifndef BREAKER_HANDLERS_UPSTREAM_TUNNEL_H
#define BREAKER_HANDLERS_UPSTREAM_TUNNEL_H

/* A connection that has changed its protocol, WebSocket say: bytes both ways. Not installed. */
#include <h2o.h>
#include "upstream/agent.h"

/**
 * Goes on with a transfer whose answer is 101, after its head. The client gets that head, with the
 * fields of `req->res` and `protocol` for Upgrade; its connection is ours then, and the request is
 * gone once the head is written. What the application has sent after its head, in `received`, is
 * the tunnel's. It ends by itself, at the latest with its agent.
 */
void breaker__tunnel_begin(breaker__agent_t *agent, h2o_req_t *req, breaker__transfer_t *transfer,
                           h2o_iovec_t protocol);

/** Ends all that there are. */
void breaker__tunnels_end(breaker__agent_t *agent);

#endif
