/*
 * A head leaves with what there is of the body. A body of unknown length goes in chunks, each as
 * long as what the source has at that moment; the end of one stands in front of the next.
 *
 * Invariant: no byte of a body leaves beyond the length that the head gave.
 */
#include <assert.h>
#include <string.h>
#include "upstream/wire/head.h"
#include "upstream/wire/sending.h"

void breaker__sending_start(breaker__sending_t *self, const breaker__transfer_t *transfer)
{
    const breaker__outgoing_t *outgoing = transfer->outgoing;

    memset(self, 0, sizeof(*self));
    self->front = breaker__head_write(transfer->pool, outgoing);
    self->is_chunked = outgoing->has_body && outgoing->body_len == SIZE_MAX;
    self->left = outgoing->has_body && !self->is_chunked ? outgoing->body_len : 0;
}

void breaker__sending_start_raw(breaker__sending_t *self)
{
    memset(self, 0, sizeof(*self));
    self->left = SIZE_MAX;
}

/* ---- chunks ---- */

static void frame(breaker__sending_t *self, size_t len)
{
    char *end = self->framing + sizeof(self->framing), *at = end;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = "0123456789abcdef"[len & 15];
    while ((len >>= 4) != 0);
    if (self->has_chunks) {
        *--at = '\n';
        *--at = '\r';
    }
    self->has_chunks = true;
    self->front = h2o_iovec_init(at, (size_t)(end - at));
}

static void frame_end(breaker__sending_t *self)
{
    static const char after_chunks[] = "\r\n0\r\n\r\n";
    size_t skipped = self->has_chunks ? 0 : 2;

    self->front = h2o_iovec_init(after_chunks + skipped, sizeof(after_chunks) - 1 - skipped);
    self->is_chunked = false;
}

/* announces the next chunk, or the end */
static breaker__source_state_t announce(breaker__sending_t *self, breaker__transfer_t *transfer)
{
    h2o_iovec_t bytes;
    breaker__source_state_t state = transfer->callbacks->look(transfer, &bytes);

    if (state == BREAKER__SOURCE_BYTES) {
        frame(self, bytes.len);
        self->left = bytes.len;
    } else if (state == BREAKER__SOURCE_END) {
        frame_end(self);
    }
    return state;
}

/* ---- pieces ---- */

/* what of the body goes now */
static breaker__source_state_t look(breaker__sending_t *self, breaker__transfer_t *transfer,
                                    h2o_iovec_t *ret_bytes)
{
    breaker__source_state_t state = transfer->callbacks->look(transfer, ret_bytes);

    if (state == BREAKER__SOURCE_BYTES && ret_bytes->len > self->left)
        ret_bytes->len = self->left;
    /* shorter than it was said to be */
    if (state == BREAKER__SOURCE_END && self->left != SIZE_MAX)
        return BREAKER__SOURCE_BROKEN;
    if (state == BREAKER__SOURCE_END)
        self->left = 0;
    return state;
}

/* the pieces that go next; none where `*ret_state` is not BYTES */
static size_t gather(breaker__sending_t *self, breaker__transfer_t *transfer, h2o_iovec_t *pieces,
                     breaker__source_state_t *ret_state)
{
    size_t num = 0;

    *ret_state = BREAKER__SOURCE_END;
    if (self->is_chunked && self->left == 0 && self->front.len == 0)
        *ret_state = announce(self, transfer);
    if (self->front.len != 0)
        pieces[num++] = self->front;
    if (self->left != 0 &&
        (*ret_state = look(self, transfer, pieces + num)) == BREAKER__SOURCE_BYTES)
        ++num;
    return num;
}

static void take(breaker__sending_t *self, breaker__transfer_t *transfer, size_t len)
{
    size_t of_front = len < self->front.len ? len : self->front.len;

    self->front.base += of_front;
    self->front.len -= of_front;
    len -= of_front;
    if (len == 0)
        return;
    assert(len <= self->left);
    if (self->left != SIZE_MAX)
        self->left -= len;
    transfer->callbacks->take(transfer, len);
}

static bool is_over(const breaker__sending_t *self)
{
    return self->front.len == 0 && self->left == 0 && !self->is_chunked;
}

breaker__sending_state_t breaker__sending_go_on(breaker__sending_t *self,
                                                breaker__transfer_t *transfer,
                                                const breaker__conduit_t *conduit)
{
    while (!self->is_done) {
        h2o_iovec_t pieces[2];
        breaker__source_state_t state;
        size_t num = gather(self, transfer, pieces, &state);
        ssize_t len;
        if (state == BREAKER__SOURCE_BROKEN)
            return BREAKER__SENDING_BROKEN;
        if (num == 0 && state == BREAKER__SOURCE_LATER)
            return BREAKER__SENDING_STARVED;
        len = num != 0 ? breaker__conduit_send(conduit, pieces, num) : 0;
        if (len < 0)
            return len == BREAKER__CONDUIT_LATER ? BREAKER__SENDING_BLOCKED
                                                 : BREAKER__SENDING_CLOSED;
        take(self, transfer, (size_t)len);
        self->is_done = is_over(self);
        if (state == BREAKER__SOURCE_LATER && self->front.len == 0)
            return BREAKER__SENDING_STARVED;
    }
    return BREAKER__SENDING_DONE;
}
