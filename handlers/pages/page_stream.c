/*
 * The body of a page on its way from the handler to h2o's filters: decoded where it was encoded,
 * with every literal replaced. What goes out at once is bounded, whatever comes in: one send of the
 * handler may be a thousandfold when decoded. h2o 2.2 has no way for an ostream to be asked for
 * more, so while there is more to come of one send, a generator of ours stands in for the
 * handler's: it is asked instead, and puts the handler's back when everything has gone out. The
 * handler, too, may rely on what libh2o promises: it is not asked for more, and its buffers are
 * needed, until then.
 *
 *   passing ── more output than a piece ──▶ standing in ── the last piece ──▶ passing
 *      └──────── corrupt encoding ────────▶ failing ── asked for more ──▶ ended by an error
 */
#include <assert.h>
#include <string.h>
#include "pages/coding.h"
#include "pages/page.h"

/* what one send puts out, not counting what the last slice adds */
enum { PIECE_LEN = 65536 };
/* how much is substituted or decoded at once */
enum { SLICE_LEN = 16384 };

/* the length of a byte order mark in UTF-16 */
enum { BEGIN_LEN = 2 };

/* what is freed with the request */
typedef struct st_page_memory_t {
    breaker_decoder_t *decoder; /* owned, NULL for identity */
    h2o_buffer_t *out;          /* owned: in flight between a send and the next */
} page_memory_t;

typedef struct st_page_stream_t {
    h2o_ostream_t super;
    /** stands in for `original` while `standing_in` */
    h2o_generator_t generator;
    h2o_generator_t *original; /* borrowed; NULL when the handler has sent its last */
    bool standing_in;
    bool failed;
    /** the whole page goes out at once, and its length is announced */
    bool whole;
    breaker_substitute_t substitute;
    /** what the page begins with, until it is known to be in letters of a byte, or said not to be
     */
    const breaker__page_t *page; /* borrowed: of the request */
    char begin[BEGIN_LEN];
    size_t begin_len;
    page_memory_t *memory;
    /** what the handler sent last, and how far it is used up */
    H2O_VECTOR(h2o_iovec_t) in;
    size_t in_at;
    bool decoder_has_more;
    h2o_send_state_t state;
} page_stream_t;

/* ---- bytes in, bytes out ---- */

static void on_output(void *_self, const char *base, size_t len)
{
    page_stream_t *self = _self;
    h2o_iovec_t dst = h2o_buffer_reserve(&self->memory->out, len);

    assert(dst.base != NULL);
    memcpy(dst.base, base, len);
    self->memory->out->size += len;
    for (size_t i = 0; i != len && self->begin_len < BEGIN_LEN; ++i)
        self->begin[self->begin_len++] = base[i];
}

/* the mark rules over what the Content-Type says, and comes when that is on its way */
static void look_at_begin(page_stream_t *self, h2o_req_t *req)
{
    if (self->begin_len != BEGIN_LEN)
        return;
    ++self->begin_len;
    if (breaker__begins_wide(self->begin))
        breaker__page_say(self->page, req, BREAKER__PAGE_WIDE);
}

static void substitute(page_stream_t *self, const char *base, size_t len, bool final)
{
    breaker_substitute_feed(&self->substitute, base, len, final, on_output, self);
}

/* Decodes a slice of what is at `src`, or what the decoder still has. */
static void decode(page_stream_t *self, h2o_iovec_t *src)
{
    char slice[SLICE_LEN];
    const char *at = src->base;
    size_t left = src->len, decoded;

    if (breaker_decoder_run(self->memory->decoder, &at, &left, slice, sizeof(slice), &decoded) !=
        0) {
        self->failed = true;
        return;
    }
    src->base += src->len - left;
    src->len = left;
    self->decoder_has_more = decoded == sizeof(slice);
    if (decoded != 0)
        substitute(self, slice, decoded, false);
}

static void take_slice(page_stream_t *self, h2o_iovec_t *src)
{
    size_t len = src->len < SLICE_LEN ? src->len : SLICE_LEN;

    if (self->memory->decoder != NULL) {
        decode(self, src);
        return;
    }
    substitute(self, src->base, len, false);
    src->base += len;
    src->len -= len;
}

/* Uses up input until a piece is full; returns whether there is more. */
static bool fill(page_stream_t *self)
{
    h2o_iovec_t nothing = {NULL, 0};

    while (!self->failed) {
        h2o_iovec_t *src = self->in_at != self->in.size ? self->in.entries + self->in_at : &nothing;
        if (src->len == 0 && !self->decoder_has_more) {
            if (src == &nothing)
                return false;
            ++self->in_at;
            continue;
        }
        if (self->memory->out->size >= PIECE_LEN && !self->whole)
            return true;
        take_slice(self, src);
    }
    return false;
}

/* At the handler's last send: what was held back goes out, an encoding must be at its end. */
static void finish(page_stream_t *self)
{
    if (self->memory->decoder != NULL && !breaker_decoder_is_complete(self->memory->decoder))
        self->failed = true;
    else
        substitute(self, NULL, 0, true);
}

/* ---- standing in ---- */

static void stand_in(page_stream_t *self, h2o_req_t *req)
{
    if (self->standing_in)
        return;
    self->standing_in = true;
    self->original = req->_generator;
    req->_generator = &self->generator;
}

static void step_back(page_stream_t *self, h2o_req_t *req)
{
    if (!self->standing_in)
        return;
    assert(req->_generator == &self->generator);
    self->standing_in = false;
    req->_generator = self->original;
    self->original = NULL;
}

static void stop_original(page_stream_t *self, h2o_req_t *req)
{
    if (self->original != NULL && self->original->stop != NULL)
        self->original->stop(self->original, req);
    self->original = NULL;
}

/* ---- sending ---- */

/* A page that is held until it is whole says how long it is; one that breaks off promises a byte
 * that never comes, so that nobody takes it for whole. */
static void announce_length(page_stream_t *self, h2o_req_t *req, h2o_send_state_t state)
{
    if (self->whole && state != H2O_SEND_STATE_IN_PROGRESS)
        req->res.content_length = self->memory->out->size + (state == H2O_SEND_STATE_ERROR ? 1 : 0);
}

static void send_out(page_stream_t *self, h2o_req_t *req, h2o_send_state_t state)
{
    h2o_iovec_t buf = {self->memory->out->bytes, self->memory->out->size};
    bool held = self->whole && state == H2O_SEND_STATE_IN_PROGRESS;

    announce_length(self, req, state);
    h2o_ostream_send_next(&self->super, req, &buf, buf.len != 0 && !held ? 1 : 0, state);
}

/* Puts out the next piece of what the handler sent. */
static void emit(page_stream_t *self, h2o_req_t *req)
{
    bool more;

    if (!self->whole)
        h2o_buffer_consume(&self->memory->out, self->memory->out->size);
    more = fill(self);
    look_at_begin(self, req);
    if (!more && !self->failed && self->state == H2O_SEND_STATE_FINAL)
        finish(self);
    /* a handler in the middle of its send is not to be stopped under its feet: an error waits until
     * it would be asked for more */
    if (more || self->failed) {
        stand_in(self, req);
        send_out(self, req, H2O_SEND_STATE_IN_PROGRESS);
        return;
    }
    step_back(self, req);
    send_out(self, req, self->state);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    page_stream_t *self = H2O_STRUCT_FROM_MEMBER(page_stream_t, generator, generator);

    assert(self->standing_in);
    if (!self->failed) {
        emit(self, req);
        return;
    }
    stop_original(self, req);
    step_back(self, req);
    if (!self->whole)
        h2o_buffer_consume(&self->memory->out, self->memory->out->size);
    send_out(self, req, H2O_SEND_STATE_ERROR);
}

static void on_generator_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    stop_original(H2O_STRUCT_FROM_MEMBER(page_stream_t, generator, generator), req);
}

static void on_send(h2o_ostream_t *_self, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                    h2o_send_state_t state)
{
    page_stream_t *self = (void *)_self;

    assert(!self->standing_in);
    self->in.size = self->in_at = 0;
    h2o_vector_reserve(&req->pool, &self->in, bufcnt);
    for (size_t i = 0; i != bufcnt; ++i)
        self->in.entries[self->in.size++] = bufs[i];
    self->state = state;
    emit(self, req);
}

static void on_stop(h2o_ostream_t *_self, h2o_req_t *req)
{
    (void)_self;
    /* An empty send asks for more by this timer. When h2o goes on with the request in another way
     * (an error document, X-Reproxy-URL), it must not fire on the generator that comes next. */
    h2o_timeout_unlink(&req->_timeout_entry);
}

static void on_memory_dispose(void *_memory)
{
    page_memory_t *memory = _memory;

    breaker_decoder_free(memory->decoder);
    h2o_buffer_dispose(&memory->out);
}

static page_memory_t *create_memory(h2o_req_t *req, breaker_decoder_t *decoder)
{
    page_memory_t *memory = h2o_mem_alloc_shared(&req->pool, sizeof(*memory), on_memory_dispose);

    memory->decoder = decoder;
    h2o_buffer_init(&memory->out, &h2o_socket_buffer_prototype);
    return memory;
}

h2o_ostream_t **breaker__page_stream(const breaker__page_t *page, h2o_req_t *req,
                                     breaker_decoder_t *decoder, h2o_ostream_t **slot)
{
    const breaker__prefixes_t *prefixes = page->prefixes;
    page_stream_t *self = (void *)h2o_add_ostream(req, sizeof(*self), slot);
    h2o_ostream_t super = self->super;

    memset(self, 0, sizeof(*self));
    self->super = super;
    self->super.do_send = on_send;
    self->super.stop = on_stop;
    self->generator = (h2o_generator_t){on_proceed, on_generator_stop};
    self->whole = req->res.content_length != SIZE_MAX;
    self->page = page;
    self->memory = create_memory(req, decoder);
    breaker_substitute_init(&self->substitute, prefixes->pairs, prefixes->num_pairs);
    return &self->super.next;
}
