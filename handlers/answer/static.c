/*
 * The way of a request: refresh, classify, switch. Everything before the switch is free of system
 * calls, locks and allocations; everything after it sends what was prepared when the release was
 * loaded. Whatever outlives on_req is kept by the lease.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer/asset.h"
#include "answer/framing.h"
#include "answer/static.h"

typedef breaker__static_t static_handler_t;
typedef breaker__static_context_t static_context_t;

h2o_iovec_t breaker__redirect_cache_control(const breaker__static_t *self,
                                            const breaker_snapshot_t *snapshot,
                                            const breaker_view_t *view)
{
    /* an old node may still hand out the older URL: a cached redirect would outlive that */
    if (snapshot->older_alive)
        return h2o_iovec_init(H2O_STRLIT("no-store"));
    return self->texts[breaker_view_index(view)].redirect_cache_control;
}

static int redirect(static_handler_t *self, const breaker_snapshot_t *snapshot, h2o_req_t *req,
                    const breaker_verdict_t *verdict)
{
    const breaker_snapshot_view_t *view = verdict->view;

    return breaker__respond_redirect(req, view->prefix, view->prefix_len, verdict->match.asset_at,
                                     breaker__redirect_cache_control(self, snapshot, view->view));
}

static int retry(static_handler_t *self, h2o_req_t *req, const breaker_view_t *view)
{
    return breaker__respond_retry(req, &self->texts[breaker_view_index(view)].retry);
}

static int serve(static_context_t *ctx, h2o_req_t *req, const breaker_verdict_t *verdict)
{
    bool encodings = breaker_view_config(verdict->view->view)->encodings;

    breaker__lease_keep(&ctx->lease, req);
    return breaker__asset_send(req, verdict->asset, encodings, &ctx->negotiated);
}

static int answer(static_handler_t *self, static_context_t *ctx, h2o_req_t *req,
                  const breaker_verdict_t *verdict, breaker_verdict_kind_t kind);

/* the verdict has become an answer by the time that it is looked at again */
static int refresh(static_handler_t *self, static_context_t *ctx, h2o_req_t *req,
                   const breaker_verdict_t *verdict)
{
    if (breaker__lot_park(&ctx->lot, req))
        return 0;
    return answer(self, ctx, req, verdict, verdict->otherwise);
}

static int answer(static_handler_t *self, static_context_t *ctx, h2o_req_t *req,
                  const breaker_verdict_t *verdict, breaker_verdict_kind_t kind)
{
    switch (kind) {
    case BREAKER_VERDICT_DECLINE:
        return -1;
    case BREAKER_VERDICT_SERVE:
        return serve(ctx, req, verdict);
    case BREAKER_VERDICT_REDIRECT:
        return redirect(self, ctx->lease.current, req, verdict);
    case BREAKER_VERDICT_REFRESH:
        return refresh(self, ctx, req, verdict);
    case BREAKER_VERDICT_RELAY:
        /* nothing is published as relayable */
        assert(verdict->otherwise != kind);
        return answer(self, ctx, req, verdict, verdict->otherwise);
    case BREAKER_VERDICT_RETRY:
        return retry(self, req, verdict->view->view);
    case BREAKER_VERDICT_NOT_FOUND:
        return breaker__respond_not_found(req);
    }
    assert(!"a verdict outside its enum");
    return -1;
}

/* what makes a request of ours unanswerable before its path counts; 0 when answered */
static int refuse(h2o_req_t *req)
{
    if (req->entity.base != NULL) {
        /* whatever follows the body on this connection may be somebody else's request */
        req->http1_is_persistent = 0;
        if (breaker__framing_is_ambiguous(req))
            return breaker__respond_bad_request(req);
    }
    if (req->path.len > BREAKER__TARGET_MAX)
        return breaker__respond_uri_too_long(req);
    if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
        !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
        return breaker__respond_not_allowed(req);
    return -1;
}

/* before anything is loaded every view's answer is to come back later */
static int answer_unloaded(static_handler_t *self, h2o_req_t *req)
{
    breaker_view_match_t match;

    if (!breaker_views_match(self->views, req->path_normalized.base, req->path_normalized.len,
                             &match))
        return -1;
    if (refuse(req) == 0)
        return 0;
    return retry(self, req, match.view);
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    static_handler_t *self = (void *)_self;
    static_context_t *ctx = h2o_context_get_handler_context(req->conn->ctx, &self->super);
    const breaker_snapshot_t *snapshot = breaker__lease_refresh(&ctx->lease);
    breaker_verdict_t verdict;

    if (snapshot == NULL)
        return answer_unloaded(self, req);
    /* no answer of the cluster can be newer than a request that comes just now */
    verdict = breaker_classify(snapshot, self->views, req->path_normalized.base,
                               req->path_normalized.len, false);
    if (verdict.kind != BREAKER_VERDICT_DECLINE && refuse(req) == 0)
        return 0;
    return answer(self, ctx, req, &verdict, verdict.kind);
}

/* ---- requests that wait ---- */

static breaker_verdict_t classify_again(static_context_t *ctx, const h2o_req_t *req, bool refreshed)
{
    const breaker_snapshot_t *snapshot = breaker__lease_refresh(&ctx->lease);

    /* there was one when the request was parked */
    assert(snapshot != NULL);
    return breaker_classify(snapshot, ctx->handler->views, req->path_normalized.base,
                            req->path_normalized.len, refreshed);
}

static bool must_wait(void *data, h2o_req_t *req)
{
    return classify_again(data, req, false).kind == BREAKER_VERDICT_REFRESH;
}

static void answer_parked(void *data, h2o_req_t *req, bool refreshed)
{
    static_context_t *ctx = data;
    breaker_verdict_t verdict = classify_again(ctx, req, refreshed);
    breaker_verdict_kind_t kind = verdict.kind;

    if (kind == BREAKER_VERDICT_REFRESH)
        kind = verdict.otherwise;
    /* the path is in a view, and that never changes */
    assert(kind != BREAKER_VERDICT_DECLINE);
    answer(ctx->handler, ctx, req, &verdict, kind);
}

/* ---- the handler ---- */

static void on_context_init(h2o_handler_t *_self, h2o_context_t *h2o_ctx)
{
    static_handler_t *self = (void *)_self;
    static_context_t *ctx = h2o_mem_alloc(sizeof(*ctx));

    memset(ctx, 0, sizeof(*ctx));
    ctx->handler = self;
    if (breaker_node_is_joined(self->node)) {
        breaker__lot_init(&ctx->lot, self->node, h2o_ctx->loop);
        ctx->lot.data = ctx;
        ctx->lot.must_wait = must_wait;
        ctx->lot.answer = answer_parked;
    }
    breaker__lease_init(&ctx->lease, breaker_node_publisher(self->node));
    h2o_context_set_handler_context(h2o_ctx, &self->super, ctx);
}

static void on_context_dispose(h2o_handler_t *_self, h2o_context_t *h2o_ctx)
{
    static_handler_t *self = (void *)_self;
    static_context_t *ctx = h2o_context_get_handler_context(h2o_ctx, &self->super);

    if (ctx == NULL)
        return;
    if (breaker_node_is_joined(self->node))
        breaker__lot_dispose(&ctx->lot);
    breaker__lease_dispose(&ctx->lease);
    free(ctx);
}

static void on_dispose(h2o_handler_t *_self)
{
    static_handler_t *self = (void *)_self;

    breaker_views_free(self->views);
    free(self->texts);
}

static void init_texts(breaker__view_texts_t *texts, const breaker_view_config_t *config)
{
    int len;

    if (config->redirect_max_age_s == 0)
        len = snprintf(texts->redirect_storage, sizeof(texts->redirect_storage), "no-store");
    else
        len = snprintf(texts->redirect_storage, sizeof(texts->redirect_storage),
                       "public, max-age=%" PRIu64, config->redirect_max_age_s);
    texts->redirect_cache_control = h2o_iovec_init(texts->redirect_storage, (size_t)len);
    breaker__retry_init(&texts->retry, config->retry_after_s);
}

bool breaker__is_static(const h2o_handler_t *handler)
{
    return handler->on_req == on_req;
}

bool breaker__is_in_views(const h2o_pathconf_t *pathconf, h2o_iovec_t path)
{
    breaker_view_match_t match;

    for (size_t i = 0; i != pathconf->handlers.size; ++i) {
        const h2o_handler_t *handler = pathconf->handlers.entries[i];
        if (breaker__is_static(handler) &&
            breaker_views_match(((const static_handler_t *)handler)->views, path.base, path.len,
                                &match))
            return true;
    }
    return false;
}

void breaker__handler_to_front(h2o_pathconf_t *pathconf)
{
    size_t last = pathconf->handlers.size - 1, at = 0;
    h2o_handler_t **entries = pathconf->handlers.entries, *moved = entries[last];

    while (at != last && breaker__is_static(entries[at]))
        ++at;
    memmove(entries + at + 1, entries + at, (last - at) * sizeof(entries[0]));
    entries[at] = moved;
}

int breaker_h2o_static_register(h2o_pathconf_t *pathconf, breaker_node_t *node,
                                const breaker_view_t *const *views, size_t num_views)
{
    breaker_views_t *set;
    static_handler_t *self;
    int err;

    if ((err = breaker_views_create(views, num_views, &set)) != 0)
        return err;
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    self->super.on_req = on_req;
    self->node = node;
    self->views = set;
    self->texts = h2o_mem_alloc(sizeof(self->texts[0]) * BREAKER_VIEWS_MAX);
    memset(self->texts, 0, sizeof(self->texts[0]) * BREAKER_VIEWS_MAX);
    for (size_t i = 0; i != num_views; ++i)
        init_texts(self->texts + breaker_view_index(views[i]), breaker_view_config(views[i]));
    breaker__handler_to_front(pathconf);
    return 0;
}
