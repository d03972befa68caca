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

/* bytes of a path, its NUL included */
#define PATH_SIZE 256

/* what is answered; all but the first are reasons not to be ready */
typedef enum en_state_t {
    STATE_OK,
    STATE_DRAINING,
    STATE_NO_TOKEN,
    STATE_FETCHING,
    NUM_STATES,
} state_t;

typedef struct st_health_t {
    h2o_handler_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
    /* asked whether it is ready; else whether it lives */
    bool is_readiness;
    /* changed by any thread, never back */
    atomic_bool is_draining;
    breaker__fixed_t fixed;             /* refusals */
    breaker__head_t *heads[NUM_STATES]; /* owned */
} health_t;

/* ---- the state ---- */

static state_t state_of(const health_t *self)
{
    if (!self->is_readiness)
        return STATE_OK;
    if (atomic_load(&self->is_draining))
        return STATE_DRAINING;
    switch (breaker_node_readiness(self->node)) {
    case BREAKER_READY:
        return STATE_OK;
    case BREAKER_NOT_READY_NO_TOKEN:
        return STATE_NO_TOKEN;
    case BREAKER_NOT_READY_FETCHING:
    case BREAKER_NOT_READY_UNSHARED:
        return STATE_FETCHING;
    }
    assert(!"a readiness outside its enum");
    return STATE_NO_TOKEN;
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

static int refuse(const health_t *self, h2o_req_t *req, breaker__status_t status)
{
    breaker__answer_t answer;

    breaker__answer_fixed(&answer, &self->fixed, status, breaker__is_head(req));
    return breaker__pen_h2o_write(req, &answer);
}

static int tell(const health_t *self, h2o_req_t *req, state_t state)
{
    const breaker__head_t *head = self->heads[state];
    const breaker__answer_t answer = {
        .status = state == STATE_OK ? BREAKER__STATUS_200 : BREAKER__STATUS_503,
        .head = head,
        .length = head->body_len,
        .body_len = breaker__is_head(req) ? 0 : head->body.len,
    };

    return breaker__pen_h2o_write(req, &answer);
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    const health_t *self = (const void *)_self;

    /* below the path there is nothing */
    if (req->path_normalized.len != req->pathconf->path.len)
        return refuse(self, req, BREAKER__STATUS_404);
    if (!breaker__is_head(req) && !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")))
        return refuse(self, req, BREAKER__STATUS_405);
    return tell(self, req, state_of(self));
}

/* ---- the handler ---- */

static void on_dispose(h2o_handler_t *_self)
{
    health_t *self = (void *)_self;

    breaker__fixed_dispose(&self->fixed);
    for (size_t i = 0; i != NUM_STATES; ++i)
        breaker__head_free(self->heads[i]);
}

static void add(h2o_hostconf_t *hostconf, const char *path, const char *question,
                breaker_node_t *node, bool is_readiness)
{
    static const char *const bodies[NUM_STATES] = {
        [STATE_OK] = "ok\n",
        [STATE_DRAINING] = "draining\n",
        [STATE_NO_TOKEN] = "no-token\n",
        [STATE_FETCHING] = "fetching\n",
    };
    char whole[PATH_SIZE + sizeof("/readyz")];
    h2o_pathconf_t *pathconf;
    health_t *self;

    snprintf(whole, sizeof(whole), "%s/%s", path, question);
    pathconf = h2o_config_register_path(hostconf, whole, 0);
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    self->node = node;
    self->is_readiness = is_readiness;
    breaker__fixed_init_default(&self->fixed, hostconf->global);
    for (size_t i = 0; i != NUM_STATES; ++i)
        self->heads[i] = create_head(hostconf->global, bodies[i]);
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

static void drain_path(const h2o_pathconf_t *path)
{
    for (size_t i = 0; i != path->handlers.size; ++i) {
        h2o_handler_t *handler = path->handlers.entries[i];
        if (handler->on_req == on_req)
            atomic_store(&((health_t *)(void *)handler)->is_draining, true);
    }
}

void breaker_h2o_health_drain(h2o_globalconf_t *globalconf)
{
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host)
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            drain_path((*host)->paths.entries + i);
}
