/*
 * Answers the other nodes of the cluster. What they get is decided in libbreaker (peer_answer.h);
 * here it is written to libh2o, piece by piece, so that a long answer does not hold the thread.
 *
 * Invariants: a request that is not a member's is declined before anything is done for it, and so
 * gets what the path would have given it without us; at most BREAKER_H2O_PEER_BLOBS_MAX blobs are
 * under way at a time, over all threads and hosts; what an answer is made of is kept by the pool of
 * its request.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/h2o.h>
#include <breaker/peer_answer.h>
#include "answer/static.h"
#include "peers/peers.h"

enum { PREFIX_LEN = sizeof(BREAKER_PEER_PREFIX) - 1 };

/* what the handlers of all paths share; counted, by the configuring thread only */
typedef struct st_desk_t {
    breaker_node_t *node; /* borrowed: outlives the configuration */
    size_t num_handlers;
    size_t num_blobs; /* under way; atomic */
} desk_t;

typedef struct st_peers_handler_t {
    h2o_handler_t super;
    desk_t *desk; /* shared; the last handler frees it */
} peers_handler_t;

/* an answer that is being sent; lies in the pool of its request */
typedef struct st_sending_t {
    h2o_generator_t super;
    breaker_peer_answer_t *answer; /* owned */
    desk_t *desk;                  /* where it is counted as a blob; NULL: nowhere */
    uint64_t left;                 /* bytes, or UINT64_MAX: until the answer says that it is over */
} sending_t;

/* ---- places ---- */

static bool take_place(desk_t *desk)
{
    if (__atomic_fetch_add(&desk->num_blobs, 1, __ATOMIC_RELAXED) < BREAKER_H2O_PEER_BLOBS_MAX)
        return true;
    __atomic_fetch_sub(&desk->num_blobs, 1, __ATOMIC_RELAXED);
    return false;
}

static void on_sending_dispose(void *_sending)
{
    sending_t *sending = _sending;

    assert(sending->answer != NULL);
    breaker_peer_answer_free(sending->answer);
    if (sending->desk != NULL)
        __atomic_fetch_sub(&sending->desk->num_blobs, 1, __ATOMIC_RELAXED);
}

/* ---- writing ---- */

static void add_header(h2o_req_t *req, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, name_len, 0, NULL, value, value_len);
}

static void begin(h2o_req_t *req, int status, const char *reason, const char *type, size_t type_len)
{
    req->res.status = status;
    req->res.reason = reason;
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    add_header(req, H2O_STRLIT(BREAKER_PEER_MEMBER_HEADER), H2O_STRLIT("1"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, type_len);
}

static int send_nothing(h2o_req_t *req, int status, const char *reason)
{
    static h2o_generator_t generator = {NULL, NULL};

    begin(req, status, reason, H2O_STRLIT("text/plain; charset=utf-8"));
    req->res.content_length = 0;
    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    return 0;
}

/* The last piece was written, so the answer may use its buffer again. */
static void on_proceed(h2o_generator_t *_self, h2o_req_t *req)
{
    sending_t *self = (void *)_self;
    h2o_iovec_t piece = {NULL, 0};
    const char *base;
    bool is_last;

    if (breaker_peer_answer_next(self->answer, &base, &piece.len) != 0) {
        req->http1_is_persistent = 0;
        h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    if (piece.len != 0)
        piece.base = (char *)(uintptr_t)base;
    if (self->left != UINT64_MAX) {
        assert(piece.len <= self->left);
        self->left -= piece.len;
    }
    is_last = piece.len == 0 || self->left == 0;
    h2o_send(req, &piece, piece.len != 0,
             is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void send_answer(h2o_req_t *req, breaker_peer_answer_t *answer, desk_t *desk)
{
    sending_t *sending = h2o_mem_alloc_shared(&req->pool, sizeof(*sending), on_sending_dispose);

    *sending = (sending_t){.super = {on_proceed, NULL},
                           .answer = answer,
                           .desk = desk,
                           .left = breaker_peer_answer_len(answer)};
    /* a manifest comes in chunks: how long it is would take as long to say as to send it */
    if (sending->left != UINT64_MAX)
        req->res.content_length = (size_t)sending->left;
    h2o_start_response(req, &sending->super);
    on_proceed(&sending->super, req);
}

static int send_text(h2o_req_t *req, breaker_peer_answer_t *answer)
{
    begin(req, 200, "OK", H2O_STRLIT("text/plain; charset=utf-8"));
    send_answer(req, answer, NULL);
    return 0;
}

/* ---- blobs ---- */

/* Several ranges are answered with the whole, as RFC 9110 §14.2 permits. */
static breaker_range_verdict_t find_range(const h2o_req_t *req, uint64_t size,
                                          breaker_range_t *ret_range)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_RANGE, -1);
    breaker_range_t ranges[BREAKER_RANGES_MAX];
    breaker_range_verdict_t verdict;
    h2o_iovec_t value;
    size_t num = 0;

    if (at == -1)
        return BREAKER_RANGE_IGNORE;
    value = req->headers.entries[at].value;
    verdict = breaker_range_parse(value.base, value.len, size, ranges, &num);
    if (verdict != BREAKER_RANGE_PARTIAL)
        return verdict;
    *ret_range = ranges[0];
    return num == 1 ? BREAKER_RANGE_PARTIAL : BREAKER_RANGE_IGNORE;
}

static void begin_partial(h2o_req_t *req, breaker_peer_answer_t *answer, breaker_range_t range,
                          uint64_t size)
{
    char *value = h2o_mem_alloc_pool(&req->pool, sizeof("bytes -/") + 3 * 20);
    int len =
        sprintf(value, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first, range.last, size);

    begin(req, 206, "Partial Content", H2O_STRLIT("application/octet-stream"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_RANGE, NULL, value,
                   (size_t)len);
    breaker_peer_answer_restrict(answer, range.first, range.last - range.first + 1);
}

static int send_blob(desk_t *desk, h2o_req_t *req, breaker_peer_answer_t *answer)
{
    uint64_t size = breaker_peer_answer_len(answer);
    breaker_range_t range;

    if (!take_place(desk)) {
        breaker_peer_answer_free(answer);
        return send_nothing(req, 503, "Service Unavailable");
    }
    if (find_range(req, size, &range) == BREAKER_RANGE_PARTIAL)
        begin_partial(req, answer, range, size);
    else
        begin(req, 200, "OK", H2O_STRLIT("application/octet-stream"));
    send_answer(req, answer, desk);
    return 0;
}

/* ---- the handler ---- */

static bool is_asked(const h2o_req_t *req)
{
    return req->input.path.len > PREFIX_LEN &&
           memcmp(req->input.path.base, BREAKER_PEER_PREFIX, PREFIX_LEN) == 0 &&
           h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("GET")) &&
           req->entity.base == NULL;
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    peers_handler_t *self = (void *)_self;
    breaker_peer_gate_t *gate;
    breaker_peer_answer_t *answer;
    h2o_iovec_t auth;
    ssize_t at;

    if (!is_asked(req) || (at = h2o_find_header_by_str(
                               &req->headers, H2O_STRLIT(BREAKER_PEER_AUTH_HEADER), -1)) == -1)
        return -1;
    gate = h2o_context_get_handler_context(req->conn->ctx, &self->super);
    auth = req->headers.entries[at].value;
    if (gate == NULL)
        return -1;
    switch (breaker_peer_gate_ask(gate, req->input.path.base, req->input.path.len, auth.base,
                                  auth.len, &answer)) {
    case BREAKER_PEER_STRANGER:
        return -1;
    case BREAKER_PEER_NOT_HERE:
        return send_nothing(req, 404, "Not Found");
    case BREAKER_PEER_NOT_NOW:
        return send_nothing(req, 503, "Service Unavailable");
    case BREAKER_PEER_TEXT:
        return send_text(req, answer);
    case BREAKER_PEER_BLOB:
        return send_blob(self->desk, req, answer);
    }
    assert(!"a verdict outside its enum");
    return -1;
}

static void on_context_init(h2o_handler_t *_self, h2o_context_t *ctx)
{
    peers_handler_t *self = (void *)_self;

    /* without memory for it nobody is a member */
    h2o_context_set_handler_context(ctx, &self->super, breaker_peer_gate_create(self->desk->node));
}

static void on_context_dispose(h2o_handler_t *_self, h2o_context_t *ctx)
{
    peers_handler_t *self = (void *)_self;

    breaker_peer_gate_free(h2o_context_get_handler_context(ctx, &self->super));
}

static void on_dispose(h2o_handler_t *_self)
{
    peers_handler_t *self = (void *)_self;

    assert(self->desk->num_handlers != 0);
    if (--self->desk->num_handlers != 0)
        return;
    assert(self->desk->num_blobs == 0);
    free(self->desk);
}

/* whether a path leads to ours: it is the beginning of them, or the other way round */
static bool leads_there(const h2o_pathconf_t *pathconf)
{
    size_t len = pathconf->path.len < PREFIX_LEN ? pathconf->path.len : PREFIX_LEN;

    return len == 0 || memcmp(pathconf->path.base, BREAKER_PEER_PREFIX, len) == 0;
}

bool breaker__is_peers(const h2o_handler_t *handler)
{
    return handler->on_req == on_req;
}

/* In front of views, too: one whose name begins with the token has our paths among its own. */
static void move_to_front(h2o_pathconf_t *pathconf)
{
    size_t last = pathconf->handlers.size - 1;
    h2o_handler_t **entries = pathconf->handlers.entries, *moved = entries[last];

    assert(breaker__is_peers(moved));
    memmove(entries + 1, entries, last * sizeof(entries[0]));
    entries[0] = moved;
}

static void add_handler(h2o_pathconf_t *pathconf, desk_t *desk)
{
    peers_handler_t *self;

    if (!leads_there(pathconf))
        return;
    self = (void *)h2o_create_handler(pathconf, sizeof(*self));
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    self->super.on_req = on_req;
    self->desk = desk;
    ++desk->num_handlers;
    move_to_front(pathconf);
}

int breaker_h2o_peers_register(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    desk_t *desk = malloc(sizeof(*desk));

    if (desk == NULL)
        return BREAKER_ERR_NO_MEMORY;
    *desk = (desk_t){.node = node};
    for (h2o_hostconf_t **host = globalconf->hosts; *host != NULL; ++host) {
        for (size_t i = 0; i != (*host)->paths.size; ++i)
            add_handler((*host)->paths.entries + i, desk);
        add_handler(&(*host)->fallback_path, desk);
    }
    assert(desk->num_handlers != 0);
    return 0;
}
