/*
 * What operators and their programs are told at a path of their choice: who asks, what for, and in
 * which form. Everything is made for the request, by its thread, out of numbers that other threads
 * write meanwhile: nothing here waits for Redis, for a disk or for another node. Nobody may keep an
 * answer, and nobody sees one who was not let in, not even whether there is one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "answer/answer.h"
#include "answer/pen_h2o.h"
#include "answer/request.h"
#include "answer/static.h"
#include "health/health.h"
#include "status/access.h"
#include "status/facts.h"
#include "status/json.h"
#include "status/metrics.h"
#include "status/status.h"

typedef struct st_status_t {
    h2o_handler_t super;
    breaker__facts_source_t source;
    breaker__access_t access;
    breaker__health_t health;
} status_t;

/* ---- answers ---- */

static void add_header(h2o_req_t *req, const h2o_token_t *token, const char *value)
{
    h2o_add_header(&req->pool, &req->res.headers, token, NULL, value, strlen(value));
}

static int answer(h2o_req_t *req, int status, const char *reason, const char *type,
                  h2o_iovec_t body)
{
    req->res.status = status;
    req->res.reason = reason;
    req->res.content_length = body.len;
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    add_header(req, H2O_TOKEN_CONTENT_TYPE, type);
    add_header(req, H2O_TOKEN_CACHE_CONTROL, "no-store");
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-content-type-options"), 0,
                          NULL, H2O_STRLIT("nosniff"));
    h2o_send_inline(req, body.base, breaker__is_head(req) ? 0 : body.len);
    return 0;
}

static int refuse(h2o_req_t *req, int status, const char *reason, const char *body)
{
    return answer(req, status, reason, "text/plain; charset=utf-8",
                  h2o_iovec_init(body, strlen(body)));
}

static bool wants_openmetrics(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, -1);
    h2o_iovec_t accept;

    if (at == -1)
        return false;
    accept = req->headers.entries[at].value;
    return h2o_strstr(accept.base, accept.len, H2O_STRLIT("application/openmetrics-text")) !=
           SIZE_MAX;
}

static int tell_metrics(h2o_req_t *req, const breaker__facts_t *facts)
{
    bool is_openmetrics = wants_openmetrics(req);
    breaker__text_t text;

    breaker__text_init(&text, &req->pool);
    breaker__metrics_write(&text, facts, is_openmetrics);
    return answer(req, 200, "OK",
                  is_openmetrics ? BREAKER__OPENMETRICS_TYPE : BREAKER__METRICS_TYPE,
                  h2o_iovec_init(text.base, text.len));
}

static int tell_json(h2o_req_t *req, const breaker__facts_t *facts)
{
    h2o_iovec_t text = breaker__json_write(&req->pool, facts);

    if (text.base == NULL)
        return refuse(req, 503, "Service Unavailable", "no memory\n");
    return answer(req, 200, "OK", "application/json", text);
}

static int tell(const status_t *self, h2o_req_t *req,
                int (*write)(h2o_req_t *req, const breaker__facts_t *facts))
{
    breaker__facts_t *facts = h2o_mem_alloc_pool(&req->pool, sizeof(*facts));
    breaker__facts_source_t source = self->source;
    int result;

    source.is_draining = breaker__health_is_draining(&self->health);
    breaker__facts_gather(&source, req->conn->ctx, facts);
    result = write(req, facts);
    breaker__facts_dispose(facts);
    return result;
}

/* ---- requests ---- */

/* 0: let in */
static int refuse_access(const status_t *self, h2o_req_t *req)
{
    switch (breaker__access_judge(&self->access, req)) {
    case BREAKER__ACCESS_ALLOWED:
        return 0;
    case BREAKER__ACCESS_FORBIDDEN:
        refuse(req, 403, "Forbidden", "forbidden\n");
        return -1;
    case BREAKER__ACCESS_UNKNOWN:
        add_header(req, H2O_TOKEN_WWW_AUTHENTICATE,
                   "Basic realm=\"h2o-breaker\", charset=\"UTF-8\"");
        refuse(req, 401, "Unauthorized", "a name and a password are wanted\n");
        return -1;
    case BREAKER__ACCESS_LATER:
        add_header(req, H2O_TOKEN_RETRY_AFTER, "1");
        refuse(req, 503, "Service Unavailable", "passwords are checked slowly, try again\n");
        return -1;
    }
    assert(!"a verdict outside its enum");
    return -1;
}

static bool is_at(h2o_iovec_t rest, const char *name)
{
    return h2o_memis(rest.base, rest.len, name, strlen(name));
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    status_t *self = (void *)_self;
    size_t at = req->pathconf->path.len;
    h2o_iovec_t rest;

    /* "/breaker/" and "/" have the slash already */
    if (at != 0 && req->pathconf->path.base[at - 1] == '/')
        --at;
    rest = h2o_iovec_init(req->path_normalized.base + at, req->path_normalized.len - at);
    if (refuse_access(self, req) != 0)
        return 0;
    if (!breaker__is_head(req) && !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")))
        return breaker__health_refuse(&self->health, req, BREAKER__STATUS_405);
    if (is_at(rest, "/metrics"))
        return tell(self, req, tell_metrics);
    if (is_at(rest, "/json"))
        return tell(self, req, tell_json);
    if (is_at(rest, "/livez"))
        return breaker__health_tell_live(&self->health, req);
    if (is_at(rest, "/readyz"))
        return breaker__health_tell_ready(&self->health, req);
    return breaker__health_refuse(&self->health, req, BREAKER__STATUS_404);
}

/* ---- the handler ---- */

static void on_dispose(h2o_handler_t *_self)
{
    status_t *self = (void *)_self;

    breaker__access_dispose(&self->access);
    breaker__health_dispose(&self->health);
}

void breaker_h2o_status_config_init(breaker_h2o_status_config_t *config)
{
    memset(config, 0, sizeof(*config));
}

int breaker_h2o_status_register(h2o_pathconf_t *pathconf, breaker_node_t *node,
                                const breaker_h2o_status_config_t *config, breaker_error_t *error)
{
    breaker__access_t access;
    status_t *self;
    int err = breaker__access_init(&access, config, error);

    if (err != 0) {
        breaker__access_dispose(&access);
        return err;
    }
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    self->source = (breaker__facts_source_t){
        .globalconf = pathconf->global, .node = node, .started_at = time(NULL)};
    self->access = access;
    breaker__health_init(&self->health, pathconf->global, node);
    breaker__handler_to_front(pathconf);
    return 0;
}

breaker__health_t *breaker__status_health(h2o_handler_t *handler)
{
    return handler->on_req == on_req ? &((status_t *)(void *)handler)->health : NULL;
}

/* ---- the process ---- */

static void set_process(const h2o_pathconf_t *path, breaker_h2o_process_cb read, void *data)
{
    for (size_t i = 0; i != path->handlers.size; ++i) {
        status_t *self = (void *)path->handlers.entries[i];
        if (self->super.on_req != on_req)
            continue;
        self->source.read_process = read;
        self->source.process_data = data;
    }
}

void breaker_h2o_status_set_process(h2o_globalconf_t *globalconf, breaker_h2o_process_cb read,
                                    void *data)
{
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            set_process((*host)->paths.entries + i, read, data);
}
