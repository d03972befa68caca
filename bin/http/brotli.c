/*
 * The filter that compresses with Brotli while a response passes. The packaged libh2o is built
 * without its own, and `compress: [br]` did nothing. It stands in front of libh2o's gzip, which
 * leaves alone what has a Content-Encoding; which responses are compressed is decided as there.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <brotli/encode.h>
#include <filter.h>
#include "http/brotli.h"

/* what a producer is asked for at a time, as libh2o's gzip does */
#define CHUNK_MAX 8192

typedef struct st_filter_t {
    h2o_filter_t super;
    int quality;
    size_t min_size;
} filter_t;

typedef struct st_compressor_t {
    BrotliEncoderState *encoder; /* owned */
    /* owned: what was handed on last, which is in use until there is more to send */
    uint8_t *out;
    size_t len, size;
} compressor_t;

/* of the request's pool, as its compressor is */
typedef struct st_stream_t {
    h2o_ostream_t super;
    compressor_t *compressor;
} stream_t;

static void on_compressor_dispose(void *data)
{
    compressor_t *self = data;

    BrotliEncoderDestroyInstance(self->encoder);
    free(self->out);
}

/* ---- the body ---- */

static void keep_output(compressor_t *self)
{
    size_t len = 0;
    const uint8_t *taken;

    while ((taken = BrotliEncoderTakeOutput(self->encoder, &len)) != NULL && len != 0) {
        if (self->size - self->len < len) {
            self->size = (self->len + len) * 2;
            self->out = h2o_mem_realloc(self->out, self->size);
        }
        h2o_memcpy(self->out + self->len, taken, len);
        self->len += len;
        len = 0;
    }
}

static void compress(compressor_t *self, BrotliEncoderOperation operation, h2o_iovec_t in)
{
    const uint8_t *next = (const uint8_t *)in.base;
    size_t no_room = 0;

    do {
        if (!BrotliEncoderCompressStream(self->encoder, operation, &in.len, &next, &no_room, NULL,
                                         NULL))
            h2o_fatal("no memory");
        keep_output(self);
    } while (in.len != 0 || BrotliEncoderHasMoreOutput(self->encoder));
}

/* what has come so far is handed on at once: an application may think before it goes on */
static void do_send(h2o_ostream_t *_self, h2o_req_t *req, h2o_iovec_t *inbufs, size_t num,
                    h2o_send_state_t state)
{
    compressor_t *self = ((stream_t *)_self)->compressor;
    bool is_final = state == H2O_SEND_STATE_FINAL;
    h2o_iovec_t out;

    self->len = 0;
    for (size_t i = 0; i != num; ++i)
        compress(self, BROTLI_OPERATION_PROCESS, inbufs[i]);
    compress(self, is_final ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH,
             h2o_iovec_init(NULL, 0));
    out = h2o_iovec_init(self->out, self->len);
    h2o_ostream_send_next(_self, req, &out, out.len != 0, state);
}

/* no more memory than the body needs */
static uint32_t window_bits(size_t len)
{
    uint32_t bits = BROTLI_MIN_WINDOW_BITS;

    while (bits != BROTLI_DEFAULT_WINDOW && ((size_t)1 << bits) < len)
        ++bits;
    return bits;
}

static compressor_t *open_compressor(h2o_req_t *req, int quality)
{
    compressor_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_compressor_dispose);

    *self = (compressor_t){.encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL)};
    if (self->encoder == NULL)
        h2o_fatal("no memory");
    BrotliEncoderSetParameter(self->encoder, BROTLI_PARAM_QUALITY, (uint32_t)quality);
    BrotliEncoderSetParameter(self->encoder, BROTLI_PARAM_LGWIN,
                              window_bits(req->res.content_length));
    return self;
}

/* ---- the decision ---- */

static bool is_worth_it(const filter_t *self, h2o_req_t *req)
{
    if (req->compress_hint == H2O_COMPRESS_HINT_DISABLE)
        return false;
    if (req->compress_hint == H2O_COMPRESS_HINT_ENABLE)
        return true;
    if (req->res.mime_attr == NULL)
        h2o_req_fill_mime_attributes(req);
    return req->res.mime_attr->is_compressible && req->res.content_length >= self->min_size;
}

static bool may_compress(const filter_t *self, h2o_req_t *req)
{
    return req->version >= 0x101 && req->res.status == 200 &&
           !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")) &&
           is_worth_it(self, req) &&
           (h2o_get_compressible_types(&req->headers) & H2O_COMPRESSIBLE_BROTLI) != 0 &&
           h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_ENCODING, -1) == -1;
}

static void change_headers(h2o_req_t *req)
{
    ssize_t ranges = h2o_find_header(&req->res.headers, H2O_TOKEN_ACCEPT_RANGES, -1);

    req->res.content_length = SIZE_MAX;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_ENCODING, NULL,
                   H2O_STRLIT("br"));
    h2o_set_header_token(&req->pool, &req->res.headers, H2O_TOKEN_VARY,
                         H2O_STRLIT("accept-encoding"));
    if (ranges != -1)
        req->res.headers.entries[ranges].value = h2o_iovec_init(H2O_STRLIT("none"));
    else
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ACCEPT_RANGES, NULL,
                       H2O_STRLIT("none"));
}

static void on_setup_ostream(h2o_filter_t *_self, h2o_req_t *req, h2o_ostream_t **slot)
{
    const filter_t *self = (const void *)_self;
    stream_t *stream;

    if (may_compress(self, req)) {
        compressor_t *compressor = open_compressor(req, self->quality);
        change_headers(req);
        stream = (void *)h2o_add_ostream(req, sizeof(*stream), slot);
        stream->super.do_send = do_send;
        stream->compressor = compressor;
        slot = &stream->super.next;
        if (req->preferred_chunk_size > CHUNK_MAX)
            req->preferred_chunk_size = CHUNK_MAX;
    }
    h2o_setup_next_ostream(req, slot);
}

void breaker__brotli_register(h2o_pathconf_t *pathconf, int quality, size_t min_size)
{
    filter_t *self = (void *)h2o_create_filter(pathconf, sizeof(*self));

    assert(quality >= BROTLI_MIN_QUALITY);
    assert(quality <= BROTLI_MAX_QUALITY);
    self->super.on_setup_ostream = on_setup_ostream;
    self->super.on_context_init = breaker__filter_spares_assets;
    self->quality = quality;
    self->min_size = min_size;
}
