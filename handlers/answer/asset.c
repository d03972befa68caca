/*
 * Sends an asset through libh2o, as judge.c decided. The common answer, a whole body in memory, is
 * one call with no allocation of ours. Under TLS on HTTP/1 a small one is pulled behind its head,
 * and shares its record. Everything else is a list of segments that a generator sends in pieces:
 * bodies on disk, because reading them at once would hold the thread; large bodies under TLS on
 * HTTP/1, because OpenSSL would encrypt and keep all of it at once; multipart bodies, because they
 * have many parts.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "answer/asset.h"
#include "answer/http1_text.h"
#include "answer/prepared.h"
#include "answer/respond.h"

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
    size_t num_segments, at;
    segment_t *segments;
    char *piece; /* for reads from disk */
} body_t;

/* ---- fields ---- */

static breaker_field_t *field_of(breaker__fields_t *fields, const h2o_iovec_t *name)
{
    if (name == &H2O_TOKEN_ACCEPT_ENCODING->buf)
        return &fields->accept_encoding;
    if (name == &H2O_TOKEN_RANGE->buf)
        return &fields->range;
    if (name == &H2O_TOKEN_IF_RANGE->buf)
        return &fields->if_range;
    if (name == &H2O_TOKEN_IF_NONE_MATCH->buf)
        return &fields->conditions.if_none_match;
    if (name == &H2O_TOKEN_IF_MODIFIED_SINCE->buf)
        return &fields->conditions.if_modified_since;
    if (name == &H2O_TOKEN_IF_MATCH->buf)
        return &fields->conditions.if_match;
    if (name == &H2O_TOKEN_IF_UNMODIFIED_SINCE->buf)
        return &fields->conditions.if_unmodified_since;
    return NULL;
}

/* A field that comes in several lines is one list (RFC 9110 §5.3). */
static void add_line(h2o_req_t *req, breaker_field_t *field, h2o_iovec_t value)
{
    h2o_iovec_t joined;

    if (field->base != NULL) {
        joined = h2o_concat(&req->pool, h2o_iovec_init(field->base, field->len),
                            h2o_iovec_init(H2O_STRLIT(", ")), value);
        value = joined;
    }
    *field = (breaker_field_t){value.base, value.len};
}

static void collect(h2o_req_t *req, breaker__fields_t *fields)
{
    breaker__fields_init(fields);
    for (size_t i = 0; i != req->headers.size; ++i) {
        breaker_field_t *field = field_of(fields, req->headers.entries[i].name);
        if (field != NULL)
            add_line(req, field, req->headers.entries[i].value);
    }
}

/* ---- bodies in pieces ---- */

static void fail(body_t *self, h2o_req_t *req)
{
    (void)self;
    h2o_req_log_error(req, "breaker", "file changed or became unreadable while it was sent");
    req->http1_is_persistent = 0;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
}

static void on_proceed(h2o_generator_t *_self, h2o_req_t *req)
{
    body_t *self = (void *)_self;
    segment_t *segment = self->segments + self->at;
    size_t len = segment->len < PIECE_LEN ? (size_t)segment->len : PIECE_LEN;
    bool final;
    h2o_iovec_t piece;

    assert(self->at < self->num_segments && len != 0);
    if (segment->text != NULL) {
        piece = h2o_iovec_init(segment->text + segment->offset, len);
    } else if (self->variant->base != NULL) {
        piece = h2o_iovec_init(self->variant->base + segment->offset, len);
    } else {
        if (breaker_variant_read(self->variant, segment->offset, self->piece, len) != 0) {
            fail(self, req);
            return;
        }
        piece = h2o_iovec_init(self->piece, len);
    }
    segment->offset += len;
    segment->len -= len;
    if (segment->len == 0)
        ++self->at;
    final = self->at == self->num_segments;
    h2o_send(req, &piece, 1, final ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static body_t *create_body(h2o_req_t *req, const breaker_variant_t *variant, size_t max_segments)
{
    body_t *body = h2o_mem_alloc_pool(&req->pool, sizeof(*body));

    *body = (body_t){.super = {on_proceed, NULL}, .variant = variant};
    body->segments = h2o_mem_alloc_pool(&req->pool, sizeof(body->segments[0]) * max_segments);
    if (variant->base == NULL)
        body->piece = h2o_mem_alloc_pool(&req->pool, PIECE_LEN);
    return body;
}

static void add_segment(body_t *body, const char *text, uint64_t offset, uint64_t len)
{
    if (len != 0)
        body->segments[body->num_segments++] = (segment_t){text, offset, len};
}

static int send_body(h2o_req_t *req, body_t *body)
{
    h2o_start_response(req, &body->super);
    if (body->num_segments == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        on_proceed(&body->super, req);
    return 0;
}

static int send_nothing(h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};

    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    return 0;
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

    memcpy(buf->base, self->base, len);
    buf->len = len;
    self->base += len;
    self->len -= len;
    return self->len == 0 ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS;
}

/*
 * Under TLS libh2o encrypts every buffer as a record of its own, which for a small one costs as
 * much as its bytes. What it pulls, it puts behind the head, into one buffer.
 */
static int send_joined(h2o_req_t *req, const char *base, size_t len)
{
    joined_t *joined = h2o_mem_alloc_pool(&req->pool, sizeof(*joined));

    *joined = (joined_t){.super = {NULL, NULL}, .base = base, .len = len};
    h2o_start_response(req, &joined->super);
    if (req->_ostr_top->start_pull != NULL) {
        req->_ostr_top->start_pull(req->_ostr_top, pull_joined);
    } else {
        h2o_iovec_t whole = h2o_iovec_init(base, len);
        h2o_send(req, &whole, 1, H2O_SEND_STATE_FINAL);
    }
    return 0;
}

/* ---- bodies ---- */

/* `len` bytes of the variant from `offset` on are the whole body */
static int send_span(h2o_req_t *req, const breaker_variant_t *variant, uint64_t offset,
                     uint64_t len)
{
    static h2o_generator_t generator = {NULL, NULL};
    bool is_encrypted = req->version < 0x200 && req->input.scheme == &H2O_URL_SCHEME_HTTPS;
    bool in_pieces = variant->base == NULL || (len > PIECE_LEN && is_encrypted);
    h2o_iovec_t whole;
    body_t *body;

    req->res.content_length = (size_t)len;
    if (len == 0 || breaker__is_head(req))
        return send_nothing(req);
    if (in_pieces) {
        body = create_body(req, variant, 1);
        add_segment(body, NULL, offset, len);
        return send_body(req, body);
    }
    if (is_encrypted && len <= JOINED_MAX)
        return send_joined(req, variant->base + offset, (size_t)len);
    whole = h2o_iovec_init(variant->base + offset, (size_t)len);
    h2o_start_response(req, &generator);
    h2o_send(req, &whole, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

/* ---- ranges ---- */

static h2o_iovec_t content_range(h2o_req_t *req, breaker_range_t range, uint64_t size)
{
    char *text = h2o_mem_alloc_pool(&req->pool, BREAKER__CONTENT_RANGE_MAX);

    return h2o_iovec_init(text, (size_t)(breaker__put_content_range(text, range, size) - text));
}

/* the headers of a 200, with room for one more and another Content-Type */
static void copy_headers(h2o_req_t *req, const breaker__prepared_t *prepared)
{
    h2o_vector_reserve(&req->pool, &req->res.headers, prepared->num_headers + 1);
    memcpy(req->res.headers.entries, prepared->headers,
           prepared->num_headers * sizeof(prepared->headers[0]));
    req->res.headers.size = prepared->num_headers;
}

static int send_single_range(h2o_req_t *req, const breaker_variant_t *variant,
                             breaker_range_t range)
{
    h2o_iovec_t value = content_range(req, range, variant->len);

    copy_headers(req, variant->prepared);
    req->res.headers.entries[req->res.headers.size++] =
        (h2o_header_t){.name = (h2o_iovec_t *)&H2O_TOKEN_CONTENT_RANGE->buf, .value = value};
    return send_span(req, variant, range.first, range.last - range.first + 1);
}

/* RFC 9110 §14.6. The boundary is the start of the tag: as likely as any to be absent. */
static int send_ranges(h2o_req_t *req, const breaker_asset_t *asset,
                       const breaker_variant_t *variant, const breaker_range_t *ranges, size_t num)
{
    body_t *body = create_body(req, variant, num * 2 + 1);
    char boundary[sizeof("breaker-") + BREAKER_ETAG_LEN];
    char *type, *text;
    uint64_t total = 0;
    int len;

    snprintf(boundary, sizeof(boundary), "breaker-%.*s", BREAKER_ETAG_LEN - 2, variant->etag + 1);
    for (size_t i = 0; i != num; ++i) {
        h2o_iovec_t value = content_range(req, ranges[i], variant->len);
        text = h2o_mem_alloc_pool(&req->pool,
                                  sizeof("\r\n--\r\nContent-Type: \r\nContent-Range: \r\n\r\n") +
                                      strlen(boundary) + strlen(asset->type) + value.len);
        len = sprintf(text, "%s--%s\r\nContent-Type: %s\r\nContent-Range: %.*s\r\n\r\n",
                      i != 0 ? "\r\n" : "", boundary, asset->type, (int)value.len, value.base);
        add_segment(body, text, 0, (uint64_t)len);
        add_segment(body, NULL, ranges[i].first, ranges[i].last - ranges[i].first + 1);
        total += (uint64_t)len + ranges[i].last - ranges[i].first + 1;
    }
    text = h2o_mem_alloc_pool(&req->pool, sizeof("\r\n----\r\n") + strlen(boundary));
    len = sprintf(text, "\r\n--%s--\r\n", boundary);
    add_segment(body, text, 0, (uint64_t)len);
    total += (uint64_t)len;

    copy_headers(req, variant->prepared);
    type = h2o_mem_alloc_pool(&req->pool,
                              sizeof("multipart/byteranges; boundary=") + strlen(boundary));
    len = sprintf(type, "multipart/byteranges; boundary=%s", boundary);
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, type, (size_t)len, 1);
    req->res.content_length = (size_t)total;
    return breaker__is_head(req) ? send_nothing(req) : send_body(req, body);
}

/* ---- the answer ---- */

static int send_whole(h2o_req_t *req, const breaker_variant_t *variant)
{
    const breaker__prepared_t *prepared = variant->prepared;

    req->res.status = 200;
    req->res.reason = "OK";
    breaker__respond_headers(req, prepared->headers, prepared->num_headers);
    return send_span(req, variant, 0, variant->len);
}

static int send_not_modified(h2o_req_t *req, const breaker_variant_t *variant)
{
    const breaker__prepared_t *prepared = variant->prepared;

    req->res.status = 304;
    req->res.reason = "Not Modified";
    breaker__respond_headers(req, prepared->headers, prepared->num_shared);
    return send_nothing(req);
}

/* h2o's own clock, read once a turn of the loop */
static int64_t now_of(h2o_req_t *req)
{
    return (int64_t)h2o_get_timestamp(req->conn->ctx, NULL, NULL)->tv_sec;
}

static int send_partial(h2o_req_t *req, const breaker_asset_t *asset,
                        const breaker__judgement_t *judgement)
{
    req->res.status = 206;
    req->res.reason = "Partial Content";
    if (judgement->num_ranges == 1)
        return send_single_range(req, judgement->variant, judgement->ranges[0]);
    return send_ranges(req, asset, judgement->variant, judgement->ranges, judgement->num_ranges);
}

int breaker__asset_send(h2o_req_t *req, const breaker_asset_t *asset, bool encodings,
                        breaker__negotiated_t *negotiated)
{
    breaker__judgement_t judgement;
    breaker__prepared_t *prepared;
    breaker__fields_t fields;

    collect(req, &fields);
    breaker__judge(&judgement, asset, encodings ? negotiated : NULL, &fields, breaker__is_head(req),
                   now_of(req));
    if (judgement.kind == BREAKER__JUDGED_NOT_ACCEPTABLE)
        return breaker__respond_not_acceptable(req);
    prepared = judgement.variant->prepared;
    req->res.mime_attr = &prepared->mime_attr;
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    switch (judgement.kind) {
    case BREAKER__JUDGED_WHOLE:
        return send_whole(req, judgement.variant);
    case BREAKER__JUDGED_PARTIAL:
        return send_partial(req, asset, &judgement);
    case BREAKER__JUDGED_NOT_MODIFIED:
        return send_not_modified(req, judgement.variant);
    case BREAKER__JUDGED_PRECONDITION_FAILED:
        return breaker__respond_precondition_failed(req);
    case BREAKER__JUDGED_UNSATISFIABLE:
        return breaker__respond_unsatisfiable(req, judgement.variant->len);
    case BREAKER__JUDGED_NOT_ACCEPTABLE:
        break;
    }
    assert(!"a judgement outside its enum");
    return -1;
}
