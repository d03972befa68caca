/*
 * What balancers and orchestrators ask a server: does it live, and may it be sent requests. Each
 * question is a path of its own, in front of all others of its host, so that everything else below
 * the same path still is the application's.
 *
 * A server that can answer lives, whatever else is wrong: who restarts it for a Redis that is away
 * makes things worse. It is ready from its first token on, and, in a cluster whose releases are
 * held, once it has what the others serve; when it is to stop it is not ready any more, and goes on
 * answering until the balancers have seen that.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "answer/answer.h"
#include "answer/pen_h2o.h"
#include "answer/request.h"
#include "health/health.h"
#include "status/status.h"

/* bytes of a path, its NUL included */
#define PATH_SIZE 256

typedef struct st_health_handler_t {
    h2o_handler_t super;
    breaker__health_t health;
    /* asked whether it is ready; else whether it lives */
    bool is_readiness;
} health_handler_t;

/* ---- the state ---- */

bool breaker__health_is_draining(const breaker__health_t *health)
{
    return atomic_load(&health->is_draining);
}

static breaker__health_state_t readiness_of(const breaker__health_t *health)
{
    if (breaker__health_is_draining(health))
        return BREAKER__HEALTH_DRAINING;
    switch (breaker_node_readiness(health->node)) {
    case BREAKER_READY:
        return BREAKER__HEALTH_OK;
    case BREAKER_NOT_READY_NO_TOKEN:
        return BREAKER__HEALTH_NO_TOKEN;
    case BREAKER_NOT_READY_FETCHING:
    case BREAKER_NOT_READY_UNSHARED:
        return BREAKER__HEALTH_FETCHING;
    }
    assert(!"a readiness outside its enum");
    return BREAKER__HEALTH_NO_TOKEN;
}

/* ---- answers ---- */

static breaker__head_t *create_head(const h2o_globalconf_t *globalconf, const char *body)
{
    static const h2o_iovec_t nosniff_name = {H2O_STRLIT("x-content-type-options")};
    breaker_view_config_t config;
    breaker__draft_t draft;

    breaker_view_config_init(&config);
    config.allow_origin = NULL;
    breaker__draft_begin(&draft, &config, false);
    breaker__draft_push(&draft, H2O_TOKEN_CONTENT_TYPE, "text/plain; charset=utf-8");
    breaker__draft_push(&draft, H2O_TOKEN_CACHE_CONTROL, "no-store");
    breaker__draft_push_named(&draft, &nosniff_name, "nosniff");
    draft.body = h2o_iovec_init(body, strlen(body));
    draft.body_len = draft.body.len;
    return breaker__head_create(&draft, globalconf);
}

int breaker__health_refuse(const breaker__health_t *health, h2o_req_t *req,
                           breaker__status_t status)
{
    breaker__answer_t answer;

    breaker__answer_fixed(&answer, &health->fixed, status, breaker__is_head(req));
    return breaker__pen_h2o_write(req, &answer);
}

static int tell(const breaker__health_t *health, h2o_req_t *req, breaker__health_state_t state)
{
    const breaker__head_t *head = health->heads[state];
    const breaker__answer_t answer = {
        .status = state == BREAKER__HEALTH_OK ? BREAKER__STATUS_200 : BREAKER__STATUS_503,
        .head = head,
        .length = head->body_len,
        .body_len = breaker__is_head(req) ? 0 : head->body.len,
    };

    return breaker__pen_h2o_write(req, &answer);
}

int breaker__health_tell_live(const breaker__health_t *health, h2o_req_t *req)
{
    return tell(health, req, BREAKER__HEALTH_OK);
}

int breaker__health_tell_ready(const breaker__health_t *health, h2o_req_t *req)
{
    return tell(health, req, readiness_of(health));
}

/* ---- the handler ---- */

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    const health_handler_t *self = (const void *)_self;

    /* below the path there is nothing */
    if (req->path_normalized.len != req->pathconf->path.len)
        return breaker__health_refuse(&self->health, req, BREAKER__STATUS_404);
    if (!breaker__is_head(req) && !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")))
        return breaker__health_refuse(&self->health, req, BREAKER__STATUS_405);
    return self->is_readiness ? breaker__health_tell_ready(&self->health, req)
                              : breaker__health_tell_live(&self->health, req);
}

void breaker__health_init(breaker__health_t *health, const h2o_globalconf_t *globalconf,
                          breaker_node_t *node)
{
    static const char *const bodies[BREAKER__HEALTH_STATES] = {
        [BREAKER__HEALTH_OK] = "ok\n",
        [BREAKER__HEALTH_DRAINING] = "draining\n",
        [BREAKER__HEALTH_NO_TOKEN] = "no-token\n",
        [BREAKER__HEALTH_FETCHING] = "fetching\n",
    };

    health->node = node;
    atomic_init(&health->is_draining, false);
    breaker__fixed_init_default(&health->fixed, globalconf);
    for (size_t i = 0; i != BREAKER__HEALTH_STATES; ++i)
        health->heads[i] = create_head(globalconf, bodies[i]);
}

void breaker__health_dispose(breaker__health_t *health)
{
    breaker__fixed_dispose(&health->fixed);
    for (size_t i = 0; i != BREAKER__HEALTH_STATES; ++i)
        breaker__head_free(health->heads[i]);
}

static void on_dispose(h2o_handler_t *self)
{
    breaker__health_dispose(&((health_handler_t *)(void *)self)->health);
}

static void add(h2o_hostconf_t *hostconf, const char *path, const char *question,
                breaker_node_t *node, bool is_readiness)
{
    char whole[PATH_SIZE + sizeof("/readyz")];
    h2o_pathconf_t *pathconf;
    health_handler_t *self;

    snprintf(whole, sizeof(whole), "%s/%s", path, question);
    pathconf = h2o_config_register_path(hostconf, whole, 0);
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    self->is_readiness = is_readiness;
    breaker__health_init(&self->health, hostconf->global, node);
}

bool breaker__health_is_path(const char *path)
{
    if (path[0] != '/' || strlen(path) >= PATH_SIZE)
        return false;
    while (*path == '/') {
        size_t len = strcspn(++path, "/");
        if (!breaker_token_is_valid(path, len))
            return false;
        path += len;
    }
    return true;
}

int breaker_h2o_health_register(h2o_hostconf_t *hostconf, const char *path, breaker_node_t *node)
{
    if (!breaker__health_is_path(path))
        return BREAKER_ERR_RANGE;
    add(hostconf, path, "livez", node, false);
    add(hostconf, path, "readyz", node, true);
    return 0;
}

/* ---- stopping ---- */

static breaker__health_t *health_of(h2o_handler_t *handler)
{
    return handler->on_req == on_req ? &((health_handler_t *)(void *)handler)->health
                                     : breaker__status_health(handler);
}

static void drain_path(const h2o_pathconf_t *path)
{
    for (size_t i = 0; i != path->handlers.size; ++i) {
        breaker__health_t *health = health_of(path->handlers.entries[i]);
        if (health != NULL)
            atomic_store(&health->is_draining, true);
    }
}

void breaker_h2o_health_drain(h2o_globalconf_t *globalconf)
{
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            drain_path((*host)->paths.entries + i);
}
