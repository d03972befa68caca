/*
 * The rewriting of pages hangs on a handler that answers nothing. It stands in front of the
 * application's handlers and after those of the views, prepares the request for the application,
 * and leaves a prefilter on it, which sees the response before every filter of the path. So exactly
 * the responses that the application gives are looked at, and never an asset of a view, whose bytes
 * and tags are what the cluster agreed on.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "answer/pen_h2o.h"
#include "answer/static.h"
#include "pages/page.h"

typedef struct st_rewrite_handler_t {
    h2o_handler_t super;
    breaker_node_t *node; /* borrowed: outlives the h2o configuration */
    breaker__fixed_t fixed;
    breaker__page_settings_t settings;
    /* borrowed, too: those that were registered at the path before, in this order */
    size_t num_earlier;
    breaker_node_t *earlier[];
} rewrite_handler_t;

/* of one handler on one thread */
typedef struct st_rewrite_context_t {
    breaker_publisher_t *publisher; /* borrowed: the node's */
    breaker_snapshot_t *current;    /* owned reference, or NULL */
    breaker__plan_t *plan;          /* owned, of `current`; NULL when there is nothing to rewrite */
    uint64_t of_host;               /* the views of the host that the path is of */
} rewrite_context_t;

static void drop_plan(rewrite_context_t *ctx)
{
    if (ctx->plan != NULL)
        h2o_mem_release_shared(ctx->plan);
    ctx->plan = NULL;
}

static breaker__plan_t *refresh(const rewrite_handler_t *self, rewrite_context_t *ctx)
{
    if (!breaker_publisher_refresh(ctx->publisher, &ctx->current))
        return ctx->plan;
    drop_plan(ctx);
    ctx->plan = breaker__plan_create(ctx->current, ctx->of_host, self->earlier, self->num_earlier,
                                     self->settings.types.hash);
    return ctx->plan;
}

/* ---- the note on a request ---- */

static unsigned count_redirections(const h2o_req_t *req)
{
    return req->num_reprocessed + req->num_delegated;
}

/* what `file.custom-handler` hands a file on to has a configuration of its own, at the same path */
static bool is_at_path_of(const breaker__page_t *page, const h2o_req_t *req)
{
    return req->pathconf == page->pathconf ||
           (req->filereq != NULL && count_redirections(req) == page->num_redirected);
}

/*
 * h2o keeps prefilters when it goes on with a request elsewhere. Where our handler saw it again the
 * note says so. Otherwise it may have gone to a path without rewriting, to an asset of a view, or
 * straight to the proxy, of which only the last answers for the page.
 */
static bool is_about(const breaker__page_t *page, const h2o_req_t *req)
{
    if (!is_at_path_of(page, req))
        return false;
    if (count_redirections(req) == page->num_redirected || req->overrides != NULL)
        return true;
    return !breaker__is_in_views(req->pathconf, req->path_normalized);
}

static void on_setup_ostream(h2o_req_prefilter_t *_self, h2o_req_t *req, h2o_ostream_t **slot);

/* the note of another node at the path that is still to hear of the response, or NULL */
static breaker__page_t *find_later(const breaker__page_t *page, const h2o_req_t *req)
{
    for (h2o_req_prefilter_t *at = page->super.next; at != NULL; at = at->next)
        if (at->on_setup_ostream == on_setup_ostream && is_at_path_of((breaker__page_t *)at, req))
            return (breaker__page_t *)at;
    return NULL;
}

/* the last of the notes encodes, whichever of them has decoded */
static void end_setup(breaker__page_t *page, h2o_req_t *req, h2o_ostream_t **slot, bool is_last)
{
    breaker__page_mend_caching(page, req);
    if (is_last && page->is_decoded && page->settings->encodes)
        breaker__page_encode(req, slot);
}

static void on_setup_ostream(h2o_req_prefilter_t *_self, h2o_req_t *req, h2o_ostream_t **slot)
{
    breaker__page_t *page = (void *)_self, *later = find_later(page, req);
    bool came_encoded = page->came_encoded;

    page->came_encoded = false;
    if (!is_about(page, req)) {
        h2o_setup_next_prefilter(&page->super, req, slot);
        return;
    }
    breaker__page_choose_release(page, req, later == NULL);
    slot = breaker__page_setup_response(page, req, slot);
    page->is_decoded |= came_encoded;
    if (later != NULL)
        later->came_encoded = page->is_decoded;
    h2o_setup_next_prefilter(&page->super, req, slot);
    end_setup(page, req, slot, later == NULL);
}

static breaker__page_t *find_note(h2o_req_t *req, const h2o_handler_t *handler)
{
    for (h2o_req_prefilter_t *at = req->prefilters; at != NULL; at = at->next)
        if (at->on_setup_ostream == on_setup_ostream && ((breaker__page_t *)at)->handler == handler)
            return (breaker__page_t *)at;
    return NULL;
}

static bool tells(const breaker__plan_t *plan, const h2o_header_t *header)
{
    for (size_t i = 0; i != plan->num_headers; ++i)
        if (plan->headers[i].name == header->name)
            return true;
    return false;
}

bool breaker__page_is_others(const breaker__page_t *page, const h2o_req_t *req,
                             const h2o_header_t *header)
{
    for (const h2o_req_prefilter_t *at = req->prefilters; at != NULL; at = at->next) {
        const breaker__page_t *other = (const breaker__page_t *)at;
        if (at->on_setup_ostream == on_setup_ostream && other != page &&
            is_at_path_of(other, req) && tells(other->plan, header))
            return true;
    }
    return false;
}

static breaker__page_t *add_note(h2o_req_t *req, rewrite_handler_t *self, breaker__plan_t *plan)
{
    breaker__page_t *page = (void *)h2o_add_prefilter(req, sizeof(*page));

    page->super.on_setup_ostream = on_setup_ostream;
    page->handler = &self->super;
    page->node = self->node;
    page->settings = &self->settings;
    page->plan = plan;
    page->prefixes = &plan->own;
    page->restored = (breaker__etag_pairs_t){NULL};
    page->came_encoded = false;
    h2o_mem_link_shared(&req->pool, plan);
    return page;
}

/* ---- the handler ---- */

/* agreeing takes a second or two */
static int ask_to_come_back(rewrite_handler_t *self, h2o_req_t *req)
{
    breaker__answer_t answer;

    breaker__answer_fixed(&answer, &self->fixed, BREAKER__STATUS_503, breaker__is_head(req));
    return breaker__pen_h2o_write(req, &answer);
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    rewrite_handler_t *self = (void *)_self;
    rewrite_context_t *ctx = h2o_context_get_handler_context(req->conn->ctx, _self);
    breaker__plan_t *plan = refresh(self, ctx);
    breaker__page_t *page = find_note(req, _self);

    if (plan == NULL && page == NULL) {
        /* a page with the bare placeholder is a broken page, and might be kept */
        bool awaits_token = ctx->current == NULL && breaker_node_num_views(self->node) != 0;
        return awaits_token ? ask_to_come_back(self, req) : -1;
    }
    /* a request keeps the plan that it began with */
    if (page == NULL)
        page = add_note(req, self, plan);
    page->pathconf = req->pathconf;
    page->num_redirected = count_redirections(req);
    breaker__page_prepare_request(page, req);
    return -1;
}

static void on_context_init(h2o_handler_t *_self, h2o_context_t *h2o_ctx)
{
    rewrite_handler_t *self = (void *)_self;
    rewrite_context_t *ctx = h2o_mem_alloc(sizeof(*ctx));

    *ctx = (rewrite_context_t){
        .publisher = breaker_node_publisher(self->node),
        .of_host = breaker__views_of_host(h2o_ctx->globalconf, &self->super, self->node)};
    h2o_context_set_handler_context(h2o_ctx, &self->super, ctx);
}

static void on_context_dispose(h2o_handler_t *self, h2o_context_t *h2o_ctx)
{
    rewrite_context_t *ctx = h2o_context_get_handler_context(h2o_ctx, self);

    if (ctx == NULL)
        return;
    drop_plan(ctx);
    breaker_snapshot_unref(ctx->current);
    free(ctx);
}

static void on_dispose(h2o_handler_t *_self)
{
    rewrite_handler_t *self = (void *)_self;

    breaker__fixed_dispose(&self->fixed);
    breaker__types_dispose(&self->settings.types);
}

bool breaker__is_rewrite(const h2o_handler_t *handler)
{
    return handler->on_req == on_req;
}

/* the nodes of the path in the order of registration, which is that of its handlers backwards */
static size_t list_nodes(const h2o_pathconf_t *pathconf, breaker_node_t **dst)
{
    size_t num = 0;

    for (size_t i = pathconf->handlers.size; i-- != 0;) {
        const h2o_handler_t *handler = pathconf->handlers.entries[i];
        if (breaker__is_rewrite(handler))
            dst[num++] = ((const rewrite_handler_t *)handler)->node;
    }
    return num;
}

static bool is_listed(breaker_node_t *const *nodes, size_t num, const breaker_node_t *node)
{
    for (size_t i = 0; i != num; ++i)
        if (nodes[i] == node)
            return true;
    return false;
}

static void register_handler(h2o_pathconf_t *pathconf, breaker_node_t *node,
                             breaker_node_t *const *earlier, size_t num_earlier,
                             const breaker_h2o_rewrite_config_t *config)
{
    rewrite_handler_t *self =
        (void *)h2o_create_handler(pathconf, sizeof(*self) + num_earlier * sizeof(*earlier));

    self->num_earlier = num_earlier;
    memcpy(self->earlier, earlier, num_earlier * sizeof(*earlier));
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    self->super.on_req = on_req;
    self->node = node;
    breaker__types_init(&self->settings.types, config->types, config->num_types);
    self->settings.revalidates = config->revalidates;
    self->settings.encodes = config->encodes;
    breaker__fixed_init_default(&self->fixed, pathconf->global);
    breaker__handler_to_front(pathconf);
}

void breaker_h2o_rewrite_config_init(breaker_h2o_rewrite_config_t *config)
{
    *config = (breaker_h2o_rewrite_config_t){.encodes = true};
}

static int check_config(const breaker_h2o_rewrite_config_t *config)
{
    if (config->num_types > BREAKER_H2O_REWRITE_TYPES_MAX)
        return BREAKER_ERR_RANGE;
    for (size_t i = 0; i != config->num_types; ++i)
        if (!breaker__type_is_known(config->types[i]))
            return BREAKER_ERR_RANGE;
    return 0;
}

int breaker_h2o_rewrite_register_config(h2o_pathconf_t *pathconf, breaker_node_t *node,
                                        const breaker_h2o_rewrite_config_t *config)
{
    breaker_node_t **earlier;
    size_t num_earlier;
    int err;

    assert(node != NULL);
    if ((err = check_config(config)) != 0)
        return err;
    earlier = h2o_mem_alloc((pathconf->handlers.size + 1) * sizeof(*earlier));
    num_earlier = list_nodes(pathconf, earlier);
    if (!is_listed(earlier, num_earlier, node))
        register_handler(pathconf, node, earlier, num_earlier, config);
    free(earlier);
    return 0;
}

int breaker_h2o_rewrite_register(h2o_pathconf_t *pathconf, breaker_node_t *node)
{
    breaker_h2o_rewrite_config_t config;

    breaker_h2o_rewrite_config_init(&config);
    return breaker_h2o_rewrite_register_config(pathconf, node, &config);
}
