/*
 * The way of a request through libh2o: refresh, classify, answer, send. Everything before the
 * sending is free of system calls, locks and allocations; what is sent was prepared when the
 * release was loaded, or when the thread began. What outlives on_req is kept by the lease.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "answer/caching.h"
#include "answer/host.h"
#include "answer/pen_h2o.h"
#include "answer/static.h"
#include "answer/unreplaced.h"

typedef breaker__static_t static_handler_t;
typedef breaker__static_context_t static_context_t;

breaker_verdict_t breaker__static_classify_unpublished(const breaker_views_t *views,
                                                       const char *path, size_t len)
{
    breaker_verdict_t verdict = {.kind = BREAKER_VERDICT_DECLINE,
                                 .otherwise = BREAKER_VERDICT_DECLINE};

    if (breaker_views_match(views, path, len, &verdict.match))
        verdict.kind = verdict.otherwise = BREAKER_VERDICT_RETRY;
    return verdict;
}

static breaker_verdict_t classify(static_context_t *ctx, const h2o_req_t *req, bool refreshed)
{
    return breaker__static_classify(ctx, req->path_normalized.base, req->path_normalized.len,
                                    refreshed);
}

/* Returns false when it is worth waiting. `parked` is the request's if it waits already, or NULL */
static bool answer(static_context_t *ctx, h2o_req_t *req, const breaker_verdict_t *verdict,
                   breaker__parked_t *parked)
{
    bool with_fields = verdict->kind == BREAKER_VERDICT_SERVE;
    breaker__request_t request;
    breaker__answer_t value;

    breaker__request_read(&request, req, with_fields);
    if (!breaker__answer(ctx, verdict, &request, BREAKER__PEN_H2O, &value))
        return false;
    if (parked != NULL)
        breaker__lot_leave(parked);
    if (verdict->kind == BREAKER_VERDICT_UNREPLACED)
        breaker__say_unreplaced(ctx->handler, req);
    breaker__pen_h2o_write(req, &value);
    return true;
}

/* what a request without an answer has to wait for */
static breaker__wait_t wait_of(const breaker_verdict_t *verdict)
{
    assert(verdict->kind == BREAKER_VERDICT_REFRESH || verdict->kind == BREAKER_VERDICT_RELAY ||
           verdict->kind == BREAKER_VERDICT_SERVE);
    return verdict->kind == BREAKER_VERDICT_REFRESH ? BREAKER__WAIT_NEWS : BREAKER__WAIT_BYTES;
}

/* asking again costs next to nothing: whoever was asked may have failed meanwhile */
static void ask(static_context_t *ctx, const breaker_verdict_t *verdict)
{
    if (verdict->kind == BREAKER_VERDICT_REFRESH)
        breaker_node_want_refresh(ctx->handler->node);
    else if (verdict->kind == BREAKER_VERDICT_RELAY)
        breaker_node_want_release(ctx->handler->node, &verdict->entry->release);
    else
        breaker_asset_want(verdict->asset);
}

static void count_wait(static_context_t *ctx, const breaker_verdict_t *verdict)
{
    size_t view = breaker_view_index(verdict->match.view);

    if (wait_of(verdict) == BREAKER__WAIT_NEWS)
        breaker__counters_add_parked(ctx->counters, view);
    else
        breaker__counters_add_fetched(ctx->counters, view);
}

static bool park(static_context_t *ctx, h2o_req_t *req, const breaker_verdict_t *verdict)
{
    breaker__wait_t wait = wait_of(verdict);
    bool is_parked = ctx->may_wait && breaker__lot_park(&ctx->lot, req, wait);

    if (is_parked)
        count_wait(ctx, verdict);
    /* without a place as well, so that whoever comes next finds the bytes here */
    if (is_parked ||
        (wait == BREAKER__WAIT_BYTES && breaker_node_fetch_timeout_ms(ctx->handler->node) != 0))
        ask(ctx, verdict);
    return is_parked;
}

/* answers for good: nothing better is to come, and the verdict says what counts then */
static void settle(static_context_t *ctx, h2o_req_t *req, breaker_verdict_t *verdict,
                   breaker__parked_t *parked)
{
    bool is_answered;

    /* of an asset the bytes are missing: no other answer is as good */
    verdict->kind =
        verdict->kind == BREAKER_VERDICT_SERVE ? BREAKER_VERDICT_RETRY : verdict->otherwise;
    is_answered = answer(ctx, req, verdict, parked);
    assert(is_answered);
    (void)is_answered;
}

static bool has_view(const static_handler_t *self, size_t index)
{
    return (self->has_view >> index & 1) != 0;
}

/* "/static", "/static/" and all below it, where the view is "static/{breaker}" */
static bool is_beside(const breaker_view_t *view, h2o_iovec_t path)
{
    const char *name = breaker_view_name(view), *end = strstr(name, BREAKER_PLACEHOLDER);
    size_t len;

    assert(end != NULL);
    while (end != name && end[-1] != '/')
        --end;
    /* the slash stands before the name in a path */
    len = (size_t)(end - name);
    if (len == 0 || path.len < len || memcmp(path.base + 1, name, len - 1) != 0)
        return false;
    return path.len == len || path.base[len] == '/';
}

static bool is_beside_view(const static_handler_t *self, h2o_iovec_t path)
{
    for (size_t i = 0; i != self->num_views; ++i)
        if (has_view(self, i) && is_beside(breaker_node_view(self->node, i), path))
            return true;
    return false;
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    static_handler_t *self = (void *)_self;
    static_context_t *ctx = h2o_context_get_handler_context(req->conn->ctx, &self->super);
    breaker_verdict_t verdict;

    if (breaker__find_host(req))
        return 0;
    /* no answer of the cluster can be newer than a request that comes just now */
    verdict = classify(ctx, req, false);
    if (verdict.kind == BREAKER_VERDICT_DECLINE) {
        if (is_beside_view(self, req->path_normalized))
            breaker__do_not_store_404(req);
        return -1;
    }
    if (!answer(ctx, req, &verdict, NULL) && !park(ctx, req, &verdict))
        settle(ctx, req, &verdict, NULL);
    return 0;
}

/* ---- requests that wait ---- */

static breaker__wait_t answer_parked(void *data, breaker__parked_t *parked, bool refreshed)
{
    static_context_t *ctx = data;
    breaker_verdict_t verdict = classify(ctx, parked->req, refreshed);

    /* the path is in a view, and that never changes */
    assert(verdict.kind != BREAKER_VERDICT_DECLINE);
    if (answer(ctx, parked->req, &verdict, parked))
        return BREAKER__WAIT_NONE;
    if (wait_of(&verdict) != parked->wait)
        count_wait(ctx, &verdict);
    if (wait_of(&verdict) == BREAKER__WAIT_BYTES)
        ask(ctx, &verdict);
    return wait_of(&verdict);
}

static void settle_parked(void *data, breaker__parked_t *parked, bool refreshed)
{
    static_context_t *ctx = data;
    breaker_verdict_t verdict = classify(ctx, parked->req, refreshed);

    settle(ctx, parked->req, &verdict, parked);
}

/* ---- the handler ---- */

static void init_fixed(static_context_t *ctx, const h2o_globalconf_t *globalconf)
{
    const static_handler_t *self = ctx->handler;
    size_t size = sizeof(ctx->fixed[0]) * self->num_views;

    ctx->fixed = h2o_mem_alloc(size);
    memset(ctx->fixed, 0, size);
    for (size_t i = 0; i != self->num_views; ++i)
        if (has_view(self, i))
            breaker__fixed_init(ctx->fixed + i,
                                breaker_view_config(breaker_node_view(self->node, i)), globalconf);
}

static void on_context_init(h2o_handler_t *_self, h2o_context_t *h2o_ctx)
{
    static_handler_t *self = (void *)_self;
    static_context_t *ctx = h2o_mem_alloc(sizeof(*ctx));

    memset(ctx, 0, sizeof(*ctx));
    ctx->handler = self;
    init_fixed(ctx, h2o_ctx->globalconf);
    ctx->counters = breaker__counters_create(&self->count);
    ctx->may_wait = breaker__may_wait(self->node);
    if (ctx->may_wait) {
        breaker__lot_init(&ctx->lot, self->node, h2o_ctx->loop);
        ctx->lot.data = ctx;
        ctx->lot.counters = ctx->counters;
        ctx->lot.answer = answer_parked;
        ctx->lot.settle = settle_parked;
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
    if (ctx->may_wait)
        breaker__lot_dispose(&ctx->lot);
    breaker__lease_dispose(&ctx->lease);
    breaker__counters_free(&self->count, ctx->counters);
    for (size_t i = 0; i != self->num_views; ++i)
        breaker__fixed_dispose(ctx->fixed + i);
    free(ctx->fixed);
    free(ctx);
}

static void on_dispose(h2o_handler_t *_self)
{
    static_handler_t *self = (void *)_self;

    breaker__count_dispose(&self->count);
    breaker_views_free(self->views);
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

static bool has_handler(const h2o_pathconf_t *path, const h2o_handler_t *handler)
{
    for (size_t i = 0; i != path->handlers.size; ++i)
        if (path->handlers.entries[i] == handler)
            return true;
    return false;
}

static bool is_of_host(const h2o_hostconf_t *host, const h2o_handler_t *handler)
{
    for (size_t i = 0; i != host->paths.size; ++i)
        if (has_handler(host->paths.entries + i, handler))
            return true;
    return has_handler(&host->fallback_path, handler);
}

static uint64_t views_of_path(const h2o_pathconf_t *path, const breaker_node_t *node)
{
    uint64_t views = 0;

    for (size_t i = 0; i != path->handlers.size; ++i) {
        const static_handler_t *other = (const void *)path->handlers.entries[i];
        if (breaker__is_static(&other->super) && other->node == node)
            views |= other->has_view;
    }
    return views;
}

uint64_t breaker__views_of_host(const h2o_globalconf_t *globalconf, const h2o_handler_t *handler,
                                const breaker_node_t *node)
{
    uint64_t views = 0;

    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        if (is_of_host(*host, handler))
            for (size_t i = 0; i != (*host)->paths.size; ++i)
                views |= views_of_path((*host)->paths.entries + i, node);
    return views;
}

void breaker__handler_to_front(h2o_pathconf_t *pathconf)
{
    size_t last = pathconf->handlers.size - 1, at = 0;
    h2o_handler_t **entries = pathconf->handlers.entries, *moved = entries[last];

    assert(pathconf->handlers.size != 0);
    while (at != last && breaker__is_static(entries[at]))
        ++at;
    memmove(entries + at + 1, entries + at, (last - at) * sizeof(entries[0]));
    entries[at] = moved;
}

static void add_view(static_handler_t *self, const breaker_view_t *view)
{
    size_t index = breaker_view_index(view);

    assert(index < BREAKER_VIEWS_MAX);
    self->has_view |= UINT64_C(1) << index;
    if (index >= self->num_views)
        self->num_views = index + 1;
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
    breaker__count_init(&self->count);
    for (size_t i = 0; i != num_views; ++i)
        add_view(self, views[i]);
    breaker__handler_to_front(pathconf);
    return 0;
}

/* ---- counters ---- */

static void read_path(const h2o_pathconf_t *path, const breaker_view_t *view,
                      breaker_h2o_counters_t *sum)
{
    size_t index = breaker_view_index(view);

    for (size_t i = 0; i != path->handlers.size; ++i) {
        static_handler_t *self = (void *)path->handlers.entries[i];
        if (breaker__is_static(&self->super) && has_view(self, index) &&
            breaker_node_view(self->node, index) == view)
            breaker__count_read(&self->count, index, sum);
    }
}

void breaker_h2o_counters(const h2o_globalconf_t *globalconf, const breaker_view_t *view,
                          breaker_h2o_counters_t *ret_counters)
{
    memset(ret_counters, 0, sizeof(*ret_counters));
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            read_path((*host)->paths.entries + i, view, ret_counters);
}

static void read_waits(const h2o_pathconf_t *path, const breaker_node_t *node,
                       breaker__waits_sum_t *news, breaker__waits_sum_t *bytes)
{
    for (size_t i = 0; i != path->handlers.size; ++i) {
        static_handler_t *self = (void *)path->handlers.entries[i];
        if (breaker__is_static(&self->super) && self->node == node)
            breaker__count_read_waits(&self->count, news, bytes);
    }
}

void breaker__static_read_waits(const h2o_globalconf_t *globalconf, const breaker_node_t *node,
                                breaker__waits_sum_t *news, breaker__waits_sum_t *bytes)
{
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            read_waits((*host)->paths.entries + i, node, news, bytes);
}
