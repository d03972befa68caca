/*
 * Pages that came encoded leave encoded. The application has decided that its pages are to be
 * compressed, and which (RFC 9110 does not know that a page holds a secret beside what somebody
 * else chose); what came plain is left to `compress` of the path. gzip is what every client takes
 * that takes anything, and what libh2o has in every build. Whatever is sent is flushed, so that a
 * page comes in the pieces in which it was sent.
 */
#include <breaker/http/encoding.h>
#include "pages/page.h"

/* libh2o's own: on the fly speed counts */
enum { QUALITY = 1 };

typedef struct st_encoder_t {
    h2o_ostream_t super;
    h2o_compress_context_t *gzip; /* of the request's pool */
} encoder_t;

static void on_send(h2o_ostream_t *_self, h2o_req_t *req, h2o_iovec_t *in, size_t num_in,
                    h2o_send_state_t state)
{
    encoder_t *self = (void *)_self;
    h2o_iovec_t *out;
    size_t num_out, len = 0;

    self->gzip->transform(self->gzip, in, num_in, state, &out, &num_out);
    for (size_t i = 0; i != num_out; ++i)
        len += out[i].len;
    h2o_ostream_send_next(&self->super, req, out, len != 0 ? num_out : 0, state);
}

static bool takes_gzip(const h2o_headers_t *headers)
{
    ssize_t at = h2o_find_header(headers, H2O_TOKEN_ACCEPT_ENCODING, -1);
    breaker_acceptable_t acceptable;

    if (at == -1)
        return false;
    breaker_encoding_negotiate(headers->entries[at].value.base, headers->entries[at].value.len,
                               &acceptable);
    for (size_t i = 0; i != acceptable.num; ++i)
        if (acceptable.encodings[i] == BREAKER_ENCODING_GZIP)
            return true;
    return false;
}

void breaker__page_encode(h2o_req_t *req, h2o_ostream_t **slot)
{
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    encoder_t *self;

    if (!takes_gzip(&req->headers) || req->version < 0x101 ||
        h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_ENCODING, -1) != -1)
        return;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_ENCODING, NULL,
                   H2O_STRLIT("gzip"));
    if (is_head || req->res.status < 200 || req->res.status == 204)
        return;
    self = (void *)h2o_add_ostream(req, sizeof(*self), slot);
    self->super.do_send = on_send;
    self->gzip = h2o_compress_gzip_open(&req->pool, QUALITY);
}
