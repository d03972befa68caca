/*
 * From a plain request to the pieces of its answer: route, classify, judge, as static.c and asset.c
 * do it for libh2o, and with the same words in the answer. Heads are put together from texts that
 * were made when the release was loaded, or when the context was; what changes is the date, once a
 * second, written into its place in the first line of each status.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/http/percent.h>
#include "answer/http1_text.h"
#include "answer/prepared.h"
#include "fastpath/fastpath.h"

#define END "\r\n\r\n"

/* a Location and a Cache-Control, or two lines about a range, but for the server's name */
enum { SCRATCH_LEN = BREAKER_VIEW_PREFIX_MAX + 3 * BREAKER__TARGET_MAX + 256 };

/* "HTTP/1.1 200 OK", the date, "Connection: keep-alive" */
typedef struct st_opening_t {
    char text[112];
    size_t len, date_at;
} opening_t;

typedef enum en_status_t {
    STATUS_200,
    STATUS_206,
    STATUS_301,
    STATUS_304,
    STATUS_404,
    STATUS_503,
    NUM_STATUSES,
} status_t;

static const char *const status_lines[NUM_STATUSES] = {
    "200 OK",           "206 Partial Content", "301 Moved Permanently",
    "304 Not Modified", "404 Not Found",       "503 Service Unavailable"};

/* what follows the opening of an answer that is the same for all requests */
typedef struct st_fixed_text_t {
    char *text; /* owned */
    size_t head_len, len;
} fixed_text_t;

/* a view's handler at a path */
typedef struct st_stage_t {
    breaker__static_context_t *ctx; /* borrowed: lives as long as h2o's context */
    fixed_text_t *retries;          /* owned; by the views' indexes in the node */
} stage_t;

typedef struct st_route_t {
    h2o_iovec_t path; /* borrowed: the configuration's */
    size_t num_stages;
    stage_t *stages; /* owned */
} route_t;

struct st_breaker__routes_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    size_t num;
    route_t *entries; /* owned */
    opening_t openings[NUM_STATUSES];
    time_t date_s; /* of the openings */
    fixed_text_t not_found;
    size_t server_len; /* of the Server line, 0 without one */
    /* of the answer in the making: what is its own */
    char scratch[];
};

/* ---- texts ---- */

static void init_opening(opening_t *opening, const char *status_line)
{
    int date_at =
        snprintf(opening->text, sizeof(opening->text), "HTTP/1.1 %s\r\nDate: ", status_line);
    int rest = snprintf(opening->text + date_at, sizeof(opening->text) - (size_t)date_at,
                        "%*s\r\nConnection: keep-alive\r\n", (int)H2O_TIMESTR_RFC1123_LEN, "");

    opening->date_at = (size_t)date_at;
    opening->len = (size_t)(date_at + rest);
    assert(opening->len < sizeof(opening->text));
}

static void fix(fixed_text_t *ret_fixed, const h2o_globalconf_t *globalconf,
                const breaker__fixed_t *fixed)
{
    size_t size = BREAKER__HTTP1_LENGTH_MAX + breaker__http1_server_len(globalconf) +
                  breaker__http1_headers_len(fixed->headers, fixed->num_headers) + 2 +
                  fixed->body.len;
    char *at = ret_fixed->text = h2o_mem_alloc(size);

    at = breaker__http1_put_length(at, fixed->body.len);
    at = breaker__http1_put_server(at, globalconf);
    at = breaker__http1_put_headers(at, fixed->headers, fixed->num_headers);
    *at++ = '\r';
    *at++ = '\n';
    ret_fixed->head_len = (size_t)(at - ret_fixed->text);
    memcpy(at, fixed->body.base, fixed->body.len);
    ret_fixed->len = ret_fixed->head_len + fixed->body.len;
    assert(ret_fixed->len <= size);
}

/* ---- routes ---- */

static void add_stage(breaker__routes_t *routes, route_t *route, h2o_handler_t *handler)
{
    breaker__static_t *self = (breaker__static_t *)handler;
    stage_t *stage = route->stages + route->num_stages++;

    stage->ctx = h2o_context_get_handler_context(routes->ctx, handler);
    stage->retries = h2o_mem_alloc(sizeof(stage->retries[0]) * BREAKER_VIEWS_MAX);
    memset(stage->retries, 0, sizeof(stage->retries[0]) * BREAKER_VIEWS_MAX);
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        breaker__fixed_t fixed = breaker__retry_later(&self->texts[i].retry);
        if (self->texts[i].redirect_cache_control.base != NULL)
            fix(stage->retries + i, routes->ctx->globalconf, &fixed);
    }
}

/* a path whose answers nothing but its handlers changes or hears of */
static bool is_bare(const h2o_pathconf_t *path)
{
    /* the one filter is the chunked encoder, which is always there */
    return path->filters.size <= 1 && path->loggers.size == 0;
}

static void add_route(breaker__routes_t *routes, const h2o_pathconf_t *path)
{
    route_t *route = routes->entries + routes->num++;
    size_t num = path->handlers.size;

    *route = (route_t){.path = path->path};
    if (num == 0 || !is_bare(path))
        return;
    route->stages = h2o_mem_alloc(sizeof(route->stages[0]) * num);
    for (size_t i = 0; i != num && breaker__is_static(path->handlers.entries[i]); ++i)
        add_stage(routes, route, path->handlers.entries[i]);
}

breaker__routes_t *breaker__routes_create(h2o_context_t *ctx, h2o_hostconf_t *const *hosts)
{
    const h2o_globalconf_t *globalconf = ctx->globalconf;
    breaker__fixed_t not_found = breaker__not_found();
    size_t server_len = breaker__http1_server_len(globalconf), num_stages = 0;
    breaker__routes_t *routes;

    if (hosts[0] == NULL || hosts[1] != NULL)
        return NULL;
    routes = h2o_mem_alloc(sizeof(*routes) + server_len + SCRATCH_LEN);
    memset(routes, 0, sizeof(*routes));
    routes->ctx = ctx;
    routes->entries = h2o_mem_alloc(sizeof(routes->entries[0]) * (hosts[0]->paths.size + 1));
    for (size_t i = 0; i != NUM_STATUSES; ++i)
        init_opening(routes->openings + i, status_lines[i]);
    fix(&routes->not_found, globalconf, &not_found);
    routes->server_len = server_len;
    for (size_t i = 0; i != hosts[0]->paths.size; ++i) {
        add_route(routes, hosts[0]->paths.entries + i);
        num_stages += routes->entries[i].num_stages;
    }
    if (num_stages != 0)
        return routes;
    breaker__routes_free(routes);
    return NULL;
}

static void free_stage(stage_t *stage)
{
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i)
        free(stage->retries[i].text);
    free(stage->retries);
}

void breaker__routes_free(breaker__routes_t *routes)
{
    if (routes == NULL)
        return;
    for (size_t i = 0; i != routes->num; ++i) {
        for (size_t j = 0; j != routes->entries[i].num_stages; ++j)
            free_stage(routes->entries[i].stages + j);
        free(routes->entries[i].stages);
    }
    free(routes->entries);
    free(routes->not_found.text);
    free(routes);
}

/* the first path that leads to the request's, by libh2o's rule */
static const route_t *find_route(const breaker__routes_t *routes, const char *path, size_t len)
{
    for (size_t i = 0; i != routes->num; ++i) {
        h2o_iovec_t prefix = routes->entries[i].path;
        if (len >= prefix.len && memcmp(path, prefix.base, prefix.len) == 0 &&
            (prefix.base[prefix.len - 1] == '/' || len == prefix.len || path[prefix.len] == '/'))
            return routes->entries + i;
    }
    return NULL;
}

/* ---- answers ---- */

static void add_piece(breaker__plain_answer_t *answer, const char *base, size_t len)
{
    assert(answer->num_head < BREAKER__PIECES_MAX - 1);
    answer->head[answer->num_head++] = (struct iovec){(void *)(uintptr_t)base, len};
}

/* begins an answer, at the time of libh2o's clock */
static void open_answer(breaker__routes_t *routes, status_t status, breaker__plain_answer_t *answer)
{
    h2o_context_t *ctx = routes->ctx;
    time_t now_s = h2o_get_timestamp(ctx, NULL, NULL)->tv_sec;

    if (routes->date_s != now_s) {
        for (size_t i = 0; i != NUM_STATUSES; ++i)
            memcpy(routes->openings[i].text + routes->openings[i].date_at,
                   ctx->_timestamp_cache.value->rfc1123, H2O_TIMESTR_RFC1123_LEN);
        routes->date_s = now_s;
    }
    answer->num_head = 0;
    answer->variant = NULL;
    answer->body_len = 0;
    answer->lease = NULL;
    add_piece(answer, routes->openings[status].text, routes->openings[status].len);
}

static bool answer_fixed(breaker__routes_t *routes, const breaker__plain_t *plain, status_t status,
                         const fixed_text_t *fixed, breaker__plain_answer_t *answer)
{
    open_answer(routes, status, answer);
    add_piece(answer, fixed->text, plain->is_head ? fixed->head_len : fixed->len);
    return true;
}

static bool answer_redirect(breaker__routes_t *routes, const stage_t *stage,
                            const breaker__plain_t *plain, const breaker_verdict_t *verdict,
                            breaker__plain_answer_t *answer)
{
    const breaker_snapshot_view_t *view = verdict->view;
    h2o_iovec_t cache_control =
        breaker__redirect_cache_control(stage->ctx->handler, stage->ctx->lease.current, view->view);
    size_t at = verdict->match.asset_at;
    char *dst = breaker__http1_put_length(routes->scratch, 0);

    dst = breaker__http1_put_server(dst, routes->ctx->globalconf);
    dst = breaker__http1_put(dst, H2O_STRLIT("location: "));
    dst = breaker__http1_put(dst, view->prefix, view->prefix_len);
    dst += breaker_percent_repair(plain->target + at, plain->target_len - at, dst);
    dst = breaker__http1_put(dst, H2O_STRLIT("\r\ncache-control: "));
    dst = breaker__http1_put(dst, cache_control.base, cache_control.len);
    dst = breaker__http1_put(dst, H2O_STRLIT(END));
    assert((size_t)(dst - routes->scratch) <= SCRATCH_LEN + routes->server_len);
    open_answer(routes, STATUS_301, answer);
    add_piece(answer, routes->scratch, (size_t)(dst - routes->scratch));
    return true;
}

static void add_body(breaker__plain_answer_t *answer, const breaker_variant_t *variant,
                     uint64_t body_at, uint64_t body_len, void *lease)
{
    answer->variant = variant;
    answer->body_at = body_at;
    answer->body_len = body_len;
    answer->lease = lease;
}

static void add_range(breaker__routes_t *routes, const breaker_variant_t *variant,
                      breaker_range_t range, breaker__plain_answer_t *answer)
{
    const breaker__prepared_t *prepared = variant->prepared;
    char *at = breaker__http1_put_length(routes->scratch, range.last - range.first + 1), *begin;

    at = breaker__http1_put_server(at, routes->ctx->globalconf);
    add_piece(answer, routes->scratch, (size_t)(at - routes->scratch));
    /* all headers of a 200, without the empty line */
    add_piece(answer, prepared->text + prepared->headers_at,
              prepared->text_len - prepared->headers_at - 2);
    begin = at;
    at = breaker__http1_put(at, H2O_STRLIT("content-range: "));
    at = breaker__put_content_range(at, range, variant->len);
    at = breaker__http1_put(at, H2O_STRLIT(END));
    add_piece(answer, begin, (size_t)(at - begin));
}

static bool answer_asset(breaker__routes_t *routes, const stage_t *stage,
                         const breaker__plain_t *plain, const breaker_verdict_t *verdict,
                         breaker__plain_answer_t *answer)
{
    breaker__static_context_t *ctx = stage->ctx;
    bool encodings = breaker_view_config(verdict->view->view)->encodings;
    const breaker__prepared_t *prepared;
    const breaker_variant_t *variant;
    breaker__judgement_t judgement;

    breaker__judge(&judgement, verdict->asset, encodings ? &ctx->negotiated : NULL, &plain->fields,
                   plain->is_head, (int64_t)h2o_get_timestamp(routes->ctx, NULL, NULL)->tv_sec);
    variant = judgement.variant;
    /* on disk: read in pieces, each of which is checked */
    if (variant == NULL || (variant->base == NULL && !plain->is_head))
        return false;
    prepared = variant->prepared;
    switch (judgement.kind) {
    case BREAKER__JUDGED_WHOLE:
        open_answer(routes, STATUS_200, answer);
        add_piece(answer, prepared->text, prepared->text_len);
        if (!plain->is_head)
            add_body(answer, variant, 0, variant->len, ctx->lease.shared);
        return true;
    case BREAKER__JUDGED_PARTIAL:
        if (judgement.num_ranges != 1)
            return false;
        open_answer(routes, STATUS_206, answer);
        add_range(routes, variant, judgement.ranges[0], answer);
        add_body(answer, variant, judgement.ranges[0].first,
                 judgement.ranges[0].last - judgement.ranges[0].first + 1, ctx->lease.shared);
        return true;
    case BREAKER__JUDGED_NOT_MODIFIED:
        open_answer(routes, STATUS_304, answer);
        add_piece(answer, prepared->text + prepared->server_at,
                  prepared->shared_end - prepared->server_at);
        add_piece(answer, "\r\n", 2);
        return true;
    case BREAKER__JUDGED_NOT_ACCEPTABLE:
    case BREAKER__JUDGED_PRECONDITION_FAILED:
    case BREAKER__JUDGED_UNSATISFIABLE:
        return false;
    }
    assert(!"a judgement outside its enum");
    return false;
}

static bool answer_verdict(breaker__routes_t *routes, const stage_t *stage,
                           const breaker__plain_t *plain, const breaker_verdict_t *verdict,
                           breaker__plain_answer_t *answer)
{
    switch (verdict->kind) {
    case BREAKER_VERDICT_SERVE:
        return answer_asset(routes, stage, plain, verdict, answer);
    case BREAKER_VERDICT_REDIRECT:
        return answer_redirect(routes, stage, plain, verdict, answer);
    case BREAKER_VERDICT_RETRY:
        return answer_fixed(routes, plain, STATUS_503,
                            stage->retries + breaker_view_index(verdict->view->view), answer);
    case BREAKER_VERDICT_NOT_FOUND:
        return answer_fixed(routes, plain, STATUS_404, &routes->not_found, answer);
    case BREAKER_VERDICT_REFRESH:
    case BREAKER_VERDICT_RELAY:
    case BREAKER_VERDICT_DECLINE:
        return false;
    }
    assert(!"a verdict outside its enum");
    return false;
}

bool breaker__plain_answer(breaker__routes_t *routes, const breaker__plain_t *plain,
                           breaker__plain_answer_t *ret_answer)
{
    const route_t *route = find_route(routes, plain->target, plain->path_len);

    for (size_t i = 0; route != NULL && i != route->num_stages; ++i) {
        const stage_t *stage = route->stages + i;
        const breaker_snapshot_t *snapshot = breaker__lease_refresh(&stage->ctx->lease);
        breaker_verdict_t verdict;

        if (snapshot == NULL)
            return false;
        /* no answer of the cluster can be newer than a request that comes just now */
        verdict = breaker_classify(snapshot, stage->ctx->handler->views, plain->target,
                                   plain->path_len, false);
        if (verdict.kind != BREAKER_VERDICT_DECLINE)
            return answer_verdict(routes, stage, plain, &verdict, ret_answer);
    }
    return false;
}
