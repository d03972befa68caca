/*
 * `proxy.reverse.url`: the handler. Each thread has an agent for each application, so that nothing
 * here is shared between threads but what does not change.
 */
#include <assert.h>
#include "upstream/exchange.h"
#include "upstream/tunnel.h"
#include "upstream/upstream.h"

typedef struct st_handler_t {
    h2o_handler_t super;
    breaker__origin_t origin;
} handler_t;

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    handler_t *self = (void *)_self;
    const h2o_url_t *url = &self->origin.url;
    breaker__agent_t *agent = h2o_context_get_handler_context(req->conn->ctx, &self->super);

    breaker__exchange_begin(
        agent, req, h2o_build_destination(req, url->path.base, url->path.len, 0),
        self->origin.settings.preserve_host ? req->authority : url->authority, req->pathconf->path);
    return 0;
}

static void on_context_init(h2o_handler_t *_self, h2o_context_t *ctx)
{
    handler_t *self = (void *)_self;
    breaker__agent_t *agent = h2o_mem_alloc(sizeof(*agent));

    breaker__agent_init(agent, &self->origin, ctx);
    h2o_context_set_handler_context(ctx, &self->super, agent);
}

static void on_context_dispose(h2o_handler_t *_self, h2o_context_t *ctx)
{
    breaker__agent_t *agent = h2o_context_get_handler_context(ctx, _self);

    breaker__tunnels_end(agent);
    breaker__agent_dispose(agent);
    free(agent);
}

static void on_dispose(h2o_handler_t *_self)
{
    breaker__origin_dispose(&((handler_t *)_self)->origin);
}

bool breaker__is_upstream(const h2o_handler_t *handler)
{
    return handler->on_req == on_req;
}

bool breaker__upstream_takes_chunks(const h2o_handler_t *handler)
{
    assert(breaker__is_upstream(handler));
    return ((const handler_t *)(const void *)handler)->origin.settings.chunked_requests;
}

int breaker__upstream_register(h2o_pathconf_t *pathconf, const h2o_url_t *url,
                               const breaker__upstream_settings_t *settings)
{
    breaker__origin_t origin;
    handler_t *self;
    int err;

    if ((err = breaker__origin_init(&origin, url, settings)) != 0)
        return err;
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->origin = origin;
    self->super.on_req = on_req;
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    return 0;
}
