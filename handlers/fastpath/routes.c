/*
 * From a plain request to its answer: route, refresh, classify, answer, as libh2o and static.c do
 * it. A route leads through the handlers of views that stand first at a path; what comes to any
 * other handler is libh2o's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "answer/static.h"
#include "fastpath/filters.h"
#include "fastpath/report.h"
#include "fastpath/routes.h"
#include "peers/peers.h"

typedef struct st_route_t {
    h2o_iovec_t path; /* borrowed: the configuration's */
    /* none where somebody attends */
    size_t num_stages;
    /* owned; borrowed from h2o's context: of the views' handlers, in their order */
    breaker__static_context_t **stages;
} route_t;

/* what is more to know of a route where somebody attends to answers: filters that change heads, or
   access logs; apart, so that others stay small */
typedef struct st_attended_route_t {
    size_t num_stages;
    h2o_pathconf_t *pathconf; /* borrowed: the configuration's */
    bool is_filtered;
    bool is_logged;
    breaker__reported_t reported; /* unset without logs */
} attended_route_t;

struct st_breaker__routes_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    size_t num;
    breaker__filters_t *filters; /* owned */
    attended_route_t *attended;  /* owned: one for each entry */
    route_t entries[];
};

/* no request that is plain is for it: its paths have a name that begins with a dot (plain.c) */
static bool is_passed_over(const h2o_handler_t *handler)
{
    return breaker__is_peers(handler);
}

/* what stands between the handlers of a path and its clients, if answers can be had past libh2o */
static breaker__filtering_t filtering_of(breaker__routes_t *routes, h2o_pathconf_t *path)
{
    if (!breaker__are_reported(path))
        return BREAKER__FILTERING_UNKNOWN;
    return breaker__filters_of(routes->filters, path);
}

/* the views' handlers that come first; returns how many they are */
static size_t list_stages(route_t *route, h2o_context_t *ctx, const h2o_pathconf_t *path)
{
    size_t num = path->handlers.size, num_stages = 0;

    route->stages = h2o_mem_alloc(sizeof(route->stages[0]) * (num + 1));
    for (size_t i = 0; i != num; ++i) {
        h2o_handler_t *handler = path->handlers.entries[i];
        if (is_passed_over(handler))
            continue;
        if (!breaker__is_static(handler))
            break;
        route->stages[num_stages++] = h2o_context_get_handler_context(ctx, handler);
    }
    return num_stages;
}

static void init_route(breaker__routes_t *routes, size_t at, h2o_hostconf_t *host)
{
    h2o_pathconf_t *path = host->paths.entries + at;
    breaker__filtering_t filtering = filtering_of(routes, path);
    route_t *route = routes->entries + at;
    attended_route_t *attended = routes->attended + at;
    size_t num_stages;

    *route = (route_t){.path = path->path};
    *attended = (attended_route_t){.pathconf = path};
    if (filtering == BREAKER__FILTERING_UNKNOWN)
        return;
    num_stages = list_stages(route, routes->ctx, path);
    attended->is_filtered = filtering == BREAKER__FILTERING_HEADS;
    attended->is_logged = path->loggers.size != 0;
    if (attended->is_logged)
        breaker__reported_init(&attended->reported, host, path);
    if (attended->is_filtered || attended->is_logged)
        attended->num_stages = num_stages;
    else
        route->num_stages = num_stages;
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
    routes->filters = breaker__filters_create();
    routes->num = num;
    routes->attended = h2o_mem_alloc((num + 1) * sizeof(routes->attended[0]));
    for (size_t i = 0; i != num; ++i) {
        init_route(routes, i, hosts[0]);
        num_stages += routes->entries[i].num_stages + routes->attended[i].num_stages;
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
    for (size_t i = 0; i != routes->num; ++i) {
        free(routes->entries[i].stages);
        breaker__reported_dispose(&routes->attended[i].reported);
    }
    free(routes->attended);
    breaker__filters_free(routes->filters);
    free(routes);
}

/* the first path that leads to the request's, by libh2o's rule */
static inline const route_t *find_route(const breaker__routes_t *routes, const char *path,
                                        size_t len)
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

/* the first of the stages whose views the path is in */
static inline bool answer_by_stages(breaker__routes_t *routes, const route_t *route, size_t num,
                                    breaker__plain_t *plain, breaker__answer_t *ret_answer)
{
    const char *path = plain->request.target;

    plain->request.now_s = (int64_t)h2o_get_timestamp(routes->ctx, NULL, NULL)->tv_sec;
    for (size_t i = 0; i != num; ++i) {
        breaker__static_context_t *ctx = route->stages[i];
        /* no answer of the cluster can be newer than a request that comes just now */
        breaker_verdict_t verdict = breaker__static_classify(ctx, path, plain->path_len, false);
        if (verdict.kind != BREAKER_VERDICT_DECLINE)
            return breaker__answer(ctx, &verdict, &plain->request, BREAKER__PEN_HTTP1, ret_answer);
    }
    return false;
}

bool breaker__routes_answer(breaker__routes_t *routes, breaker__plain_t *plain,
                            breaker__answer_t *ret_answer)
{
    const route_t *route = find_route(routes, plain->request.target, plain->path_len);

    return route != NULL && answer_by_stages(routes, route, route->num_stages, plain, ret_answer);
}

static void write_filtered(breaker__routes_t *routes, breaker__pen_http1_t *pen,
                           h2o_pathconf_t *path, const breaker__answer_t *answer,
                           breaker__written_t *ret_written)
{
    h2o_iovec_t headers = breaker__filters_run(routes->filters, path, answer);

    breaker__pen_http1_write_filtered(pen, answer, headers, ret_written);
}

bool breaker__routes_write_attended(breaker__routes_t *routes, breaker__pen_http1_t *pen,
                                    breaker__plain_t *plain, breaker__report_t *report,
                                    breaker__written_t *ret_written, bool *ret_is_reported)
{
    const route_t *route = find_route(routes, plain->request.target, plain->path_len);
    const attended_route_t *attended;
    breaker__answer_t answer;

    if (route == NULL)
        return false;
    attended = routes->attended + (route - routes->entries);
    if (!answer_by_stages(routes, route, attended->num_stages, plain, &answer))
        return false;
    if (attended->is_filtered)
        write_filtered(routes, pen, attended->pathconf, &answer, ret_written);
    else
        breaker__pen_http1_write(pen, &answer, ret_written);
    if (attended->is_logged)
        breaker__report_begin(report, &attended->reported, plain, &answer);
    *ret_is_reported = attended->is_logged;
    return true;
}
