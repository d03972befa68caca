/*
 * Sends bodies through libh2o. A whole body in memory is one call. Under TLS on HTTP/1 a small one
 * is pulled after its head, and shares its record. Everything else is a list of segments that a
 * generator sends in pieces: bodies on disk, because reading them at once would hold the thread;
 * large bodies under TLS on HTTP/1, because OpenSSL would encrypt and keep all of it at once;
 * multipart bodies, because they have many parts; bodies that come in still, because what has not
 * come is waited for. Of such a body the last piece is sent only once all of it was found to be
 * right: what is wrong, or comes to no end, is never ended well. A client that takes nothing for a
 * while may lose bytes that are here for now to others; then they are asked for again.
 */
#include <assert.h>
#include <string.h>
#include "answer/body.h"
#include "answer/caching.h"
#include "answer/multipart.h"

enum {
    /* how much of a body is read, or encrypted, at a time */
    PIECE_LEN = 65536,
    /* a body up to here fits into one TLS record of 16 KiB together with its head; libh2o begins a
       connection with records of one packet, and goes over to these after 200 KiB */
    JOINED_MAX = 12288,
};

/* a part of a body: text of ours, or `len` bytes of the variant from `offset` on */
typedef struct st_segment_t {
    const char *text; /* NULL: of the variant */
    uint64_t offset;
    uint64_t len;
} segment_t;

typedef struct st_body_t {
    h2o_generator_t super;
    const breaker_variant_t *variant; /* borrowed: the lease keeps it */
    size_t num_segments, max_segments, at;
    segment_t *segments;
    char *piece;            /* for reads from disk, of what is here for now, and of what comes in */
    breaker_pin_t *pin;     /* owned: keeps what is here for now; or NULL */
    breaker_spool_t *spool; /* taken: where a body comes in; or NULL */

    /* of both: */
    h2o_req_t *req;
    h2o_timeout_t *timeout;   /* borrowed: outlives the connections of its thread; or NULL */
    h2o_timeout_entry_t look; /* linked while nothing can be sent */
    /* how long bytes are waited for that have gone; and since when they are, or 0 */
    uint64_t look_for_ms, gone_since_ms;
} body_t;

/* ---- bodies in pieces ---- */

static void fail(body_t *self, h2o_req_t *req)
{
    assert(self->piece != NULL);
    h2o_req_log_error(req, "breaker", "%s",
                      self->spool != NULL
                          ? "file ended early or had another hash while it came from other nodes"
                          : "file changed or became unreadable while it was sent");
    req->http1_is_persistent = 0;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
}

/* as soon as the last piece was read, which the client may take its time with */
static void drop_bytes(body_t *self)
{
    breaker_pin_drop(self->pin);
    breaker_spool_leave(self->spool);
    self->pin = NULL;
    self->spool = NULL;
}

/* what of a piece is here and may be sent; 0: nothing yet */
static size_t sendable(const body_t *self, const segment_t *segment, size_t len)
{
    bool is_right = breaker_spool_state(self->spool) == BREAKER_SPOOL_RIGHT;
    uint64_t here = breaker_spool_len(self->spool);

    if (segment->text == NULL && here <= segment->offset)
        return 0;
    if (segment->text == NULL && here - segment->offset < len)
        len = (size_t)(here - segment->offset);
    return is_right || len != segment->len || self->at + 1 != self->num_segments ? len : 0;
}

static void look_again_soon(body_t *self)
{
    h2o_timeout_link(self->req->conn->ctx->loop, self->timeout, &self->look);
}

/* Bytes that others needed the room of are asked for; false: it is no use, or has been for long. */
static bool wait_for_bytes(body_t *self)
{
    uint64_t now_ms = h2o_now(self->req->conn->ctx->loop);

    if (self->pin == NULL || self->timeout == NULL ||
        breaker_variant_probe(self->variant) != BREAKER_FILE_ABSENT)
        return false;
    if (self->gone_since_ms == 0)
        self->gone_since_ms = now_ms;
    if (now_ms - self->gone_since_ms > self->look_for_ms)
        return false;
    breaker_pin_want(self->pin);
    look_again_soon(self);
    return true;
}

/* NULL when the bytes cannot be had */
static const char *read_piece(const body_t *self, const segment_t *segment, size_t len)
{
    int err;

    if (segment->text != NULL)
        return segment->text + segment->offset;
    if (self->variant->base != NULL)
        return self->variant->base + segment->offset;
    err = self->spool != NULL
              ? breaker_spool_read(self->spool, segment->offset, self->piece, len)
              : breaker_variant_read(self->variant, segment->offset, self->piece, len);
    return err == 0 ? self->piece : NULL;
}

static void on_proceed(h2o_generator_t *_self, h2o_req_t *req)
{
    body_t *self = (void *)_self;
    segment_t *segment = self->segments + self->at;
    size_t len = segment->len < PIECE_LEN ? (size_t)segment->len : PIECE_LEN;
    const char *base;
    bool final;
    h2o_iovec_t piece;

    assert(self->at < self->num_segments);
    assert(len != 0);
    if (self->spool != NULL && breaker_spool_state(self->spool) == BREAKER_SPOOL_BROKEN) {
        fail(self, req);
        return;
    }
    if (self->spool != NULL && (len = sendable(self, segment, len)) == 0) {
        look_again_soon(self);
        return;
    }
    if ((base = read_piece(self, segment, len)) == NULL) {
        if (!wait_for_bytes(self))
            fail(self, req);
        return;
    }
    self->gone_since_ms = 0;
    piece = h2o_iovec_init(base, len);
    segment->offset += len;
    segment->len -= len;
    if (segment->len == 0)
        ++self->at;
    if ((final = self->at == self->num_segments))
        drop_bytes(self);
    h2o_send(req, &piece, 1, final ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void on_look(h2o_timeout_entry_t *entry)
{
    body_t *self = H2O_STRUCT_FROM_MEMBER(body_t, look, entry);

    on_proceed(&self->super, self->req);
}

static void on_body_dispose(void *_self)
{
    body_t *self = _self;

    if (h2o_timeout_is_linked(&self->look))
        h2o_timeout_unlink(&self->look);
    drop_bytes(self);
}

/* a client that goes away takes its request's pool with it */
static body_t *create_body(h2o_req_t *req, const breaker__answer_t *answer, size_t max_segments)
{
    bool is_in_memory = answer->variant->base != NULL;
    body_t *body = is_in_memory ? h2o_mem_alloc_pool(&req->pool, sizeof(*body))
                                : h2o_mem_alloc_shared(&req->pool, sizeof(*body), on_body_dispose);

    assert(max_segments != 0);
    *body = (body_t){.super = {on_proceed, NULL},
                     .variant = answer->variant,
                     .max_segments = max_segments,
                     .req = req,
                     .look = {.cb = on_look}};
    body->segments = h2o_mem_alloc_pool(&req->pool, sizeof(body->segments[0]) * max_segments);
    if (!is_in_memory) {
        body->pin = answer->pin;
        body->spool = answer->spool;
        body->timeout = answer->look_timeout;
        body->look_for_ms = answer->look_for_ms;
        body->piece = h2o_mem_alloc_pool(&req->pool, PIECE_LEN);
    }
    return body;
}

static void add_segment(body_t *body, const char *text, uint64_t offset, uint64_t len)
{
    assert(body->num_segments < body->max_segments);
    if (len != 0)
        body->segments[body->num_segments++] = (segment_t){text, offset, len};
}

static void send_segments(h2o_req_t *req, body_t *body)
{
    assert(body->num_segments != 0);
    breaker__start_response(req, &body->super);
    on_proceed(&body->super, req);
}

static void send_in_pieces(h2o_req_t *req, const breaker__answer_t *answer)
{
    body_t *body = create_body(req, answer, 1);

    assert(answer->body_len != 0);
    add_segment(body, NULL, answer->body_at, answer->body_len);
    send_segments(req, body);
}

static void send_parts(h2o_req_t *req, const breaker__answer_t *answer)
{
    const breaker__judgement_t *judgement = &answer->judgement;
    body_t *body = create_body(req, answer, judgement->num_ranges * 2 + 1);
    h2o_iovec_t text;

    assert(judgement->num_ranges > 1);
    for (size_t i = 0; i != judgement->num_ranges; ++i) {
        breaker_range_t range = judgement->ranges[i];
        text = breaker__multipart_head(&req->pool, answer, i);
        add_segment(body, text.base, 0, text.len);
        add_segment(body, NULL, range.first, range.last - range.first + 1);
    }
    text = breaker__multipart_end(&req->pool, answer);
    add_segment(body, text.base, 0, text.len);
    send_segments(req, body);
}

/* ---- joined with the head ---- */

typedef struct st_joined_t {
    h2o_generator_t super;
    const char *base; /* borrowed: the lease keeps it */
    size_t len;
} joined_t;

static h2o_send_state_t pull_joined(h2o_generator_t *_self, h2o_req_t *req, h2o_iovec_t *buf)
{
    joined_t *self = (void *)_self;
    size_t len = self->len < buf->len ? self->len : buf->len;
    (void)req;

    assert(self->len != 0);
    memcpy(buf->base, self->base, len);
    buf->len = len;
    self->base += len;
    self->len -= len;
    return self->len == 0 ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS;
}

/*
 * Under TLS libh2o encrypts every buffer as a record of its own, which for a small one costs as
 * much as its bytes. What it pulls, it puts after the head, into one buffer.
 */
static void send_joined(h2o_req_t *req, const char *base, size_t len)
{
    joined_t *joined = h2o_mem_alloc_pool(&req->pool, sizeof(*joined));

    assert(len != 0);
    assert(len <= JOINED_MAX);
    *joined = (joined_t){.super = {NULL, NULL}, .base = base, .len = len};
    breaker__start_response(req, &joined->super);
    if (req->_ostr_top->start_pull != NULL) {
        req->_ostr_top->start_pull(req->_ostr_top, pull_joined);
    } else {
        h2o_iovec_t whole = h2o_iovec_init(base, len);
        h2o_send(req, &whole, 1, H2O_SEND_STATE_FINAL);
    }
}

/* ---- bodies at once ---- */

static void send_at_once(h2o_req_t *req, const char *base, size_t len)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t whole = h2o_iovec_init(base, len);

    assert(base != NULL || len == 0);
    breaker__start_response(req, &generator);
    h2o_send(req, &whole, len != 0, H2O_SEND_STATE_FINAL);
}

static bool is_encrypted_http1(const h2o_req_t *req)
{
    return req->version < 0x200 && req->input.scheme == &H2O_URL_SCHEME_HTTPS;
}

static void send_variant(h2o_req_t *req, const breaker__answer_t *answer)
{
    const breaker_variant_t *variant = answer->variant;
    uint64_t len = answer->body_len;

    assert(answer->body_at + len <= variant->len);
    if (variant->base == NULL || (len > PIECE_LEN && is_encrypted_http1(req)))
        send_in_pieces(req, answer);
    else if (len <= JOINED_MAX && is_encrypted_http1(req))
        send_joined(req, variant->base + answer->body_at, (size_t)len);
    else
        send_at_once(req, variant->base + answer->body_at, (size_t)len);
}

void breaker__body_send(h2o_req_t *req, const breaker__answer_t *answer)
{
    assert(!answer->is_in_parts || answer->body_len == 0);
    if (answer->is_in_parts)
        send_parts(req, answer);
    else if (answer->body_len == 0)
        send_at_once(req, NULL, 0);
    else if (answer->variant != NULL)
        send_variant(req, answer);
    else
        send_at_once(req, answer->head->body.base, (size_t)answer->body_len);
}
