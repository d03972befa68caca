/*
 * libh2o's client ends the process on some answers, and takes others for what they are not.
 * Whatever comes to it after an application's `X-Reproxy-URL`, or a redirection that is followed
 * within, goes to ours: the program's h2o__proxy_process_request stands before libh2o's, which
 * calls it by name. Nothing else comes here, since `proxy.reverse.url` has a handler of its own.
 */
#include <assert.h>
#include "http/reproxy.h"
#include "upstream/tunnel.h"

#define EXPORTED __attribute__((visibility("default")))

static _Thread_local breaker__agent_t *own;

/* of libh2o, in no header of its */
EXPORTED void h2o__proxy_process_request(h2o_req_t *req);

EXPORTED void h2o__proxy_process_request(h2o_req_t *req)
{
    assert(own != NULL);
    breaker__anywhere_answer(own, req);
}

void breaker__reproxy_begin(breaker__agent_t *agent, h2o_context_t *ctx)
{
    const breaker__origin_t *origin = breaker__upstream_anywhere(ctx->globalconf);

    assert(own == NULL);
    assert(origin != NULL);
    breaker__agent_init(agent, origin, ctx);
    own = agent;
}

void breaker__reproxy_end(breaker__agent_t *agent)
{
    assert(own == agent);
    own = NULL;
    breaker__tunnels_end(agent);
    breaker__agent_dispose(agent);
}
