/*
 * From a plain request to its answer: route, refresh, classify, answer, as libh2o and static.c do
 * it. A route leads through the handlers of views that stand first at a path; what comes to any
 * other handler is libh2o's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "answer/static.h"
#include "fastpath/routes.h"
#include "peers/peers.h"

typedef struct st_route_t {
    h2o_iovec_t path; /* borrowed: the configuration's */
    size_t num_stages;
    /* owned; borrowed from h2o's context: of the views' handlers, in their order */
    breaker__static_context_t **stages;
} route_t;

struct st_breaker__routes_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    size_t num;
    route_t entries[];
};

/* no request that is plain is for it: its paths have a name that begins with a dot (plain.c) */
static bool is_passed_over(const h2o_handler_t *handler)
{
    return breaker__is_peers(handler);
}

/* a path whose answers nothing but its handlers changes or hears of */
static bool is_bare(const h2o_pathconf_t *path)
{
    /* the one filter is the chunked encoder, which is always there */
    return path->filters.size <= 1 && path->loggers.size == 0;
}

static void init_route(route_t *route, h2o_context_t *ctx, const h2o_pathconf_t *path)
{
    size_t num = path->handlers.size;

    *route = (route_t){.path = path->path};
    if (num == 0 || !is_bare(path))
        return;
    route->stages = h2o_mem_alloc(sizeof(route->stages[0]) * num);
    for (size_t i = 0; i != num; ++i) {
        h2o_handler_t *handler = path->handlers.entries[i];
        if (is_passed_over(handler))
            continue;
        if (!breaker__is_static(handler))
            return;
        route->stages[route->num_stages++] = h2o_context_get_handler_context(ctx, handler);
    }
}

breaker__routes_t *breaker__routes_create(h2o_context_t *ctx, h2o_hostconf_t *const *hosts)
{
    size_t num, num_stages = 0;
    breaker__routes_t *routes;

    if (hosts[0] == NULL || hosts[1] != NULL)
        return NULL;
    num = hosts[0]->paths.size;
    routes = h2o_mem_alloc(sizeof(*routes) + num * sizeof(routes->entries[0]));
    routes->ctx = ctx;
    routes->num = num;
    for (size_t i = 0; i != num; ++i) {
        init_route(routes->entries + i, ctx, hosts[0]->paths.entries + i);
        num_stages += routes->entries[i].num_stages;
    }
    if (num_stages != 0)
        return routes;
    breaker__routes_free(routes);
    return NULL;
}

void breaker__routes_free(breaker__routes_t *routes)
{
    if (routes == NULL)
        return;
    for (size_t i = 0; i != routes->num; ++i)
        free(routes->entries[i].stages);
    free(routes);
}

/* the first path that leads to the request's, by libh2o's rule */
static const route_t *find_route(const breaker__routes_t *routes, const char *path, size_t len)
{
    for (size_t i = 0; i != routes->num; ++i) {
        h2o_iovec_t prefix = routes->entries[i].path;
        assert(prefix.len != 0);
        /* every path begins with a slash */
        if (len >= prefix.len && (prefix.len == 1 || memcmp(path, prefix.base, prefix.len) == 0) &&
            (prefix.base[prefix.len - 1] == '/' || len == prefix.len || path[prefix.len] == '/'))
            return routes->entries + i;
    }
    return NULL;
}

bool breaker__routes_answer(breaker__routes_t *routes, breaker__plain_t *plain,
                            breaker__answer_t *ret_answer)
{
    const char *path = plain->request.target;
    const route_t *route = find_route(routes, path, plain->path_len);

    plain->request.now_s = (int64_t)h2o_get_timestamp(routes->ctx, NULL, NULL)->tv_sec;
    for (size_t i = 0; route != NULL && i != route->num_stages; ++i) {
        breaker__static_context_t *ctx = route->stages[i];
        /* no answer of the cluster can be newer than a request that comes just now */
        breaker_verdict_t verdict = breaker__static_classify(ctx, path, plain->path_len, false);
        if (verdict.kind != BREAKER_VERDICT_DECLINE)
            return breaker__answer(ctx, &verdict, &plain->request, BREAKER__PEN_HTTP1, ret_answer);
    }
    return false;
}
