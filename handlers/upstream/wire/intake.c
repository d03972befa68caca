/*
 * Bytes are read to where they stay: a head is taken off the front of `received`, the framing of
 * chunks out of its end, and what remains is the body. Whatever follows the answer is nobody's.
 *
 *     received   │ body that waits │ what came now │
 *
 * Invariant: after each call everything in `received` is of the body, or, before its head is whole,
 * the beginning of a line.
 */
#include <assert.h>
#include <string.h>
#include "upstream/wire/chunked.h"
#include "upstream/wire/intake.h"

/* framing without a byte of a body in between: sizes, extensions, trailers */
enum { FRAMING_MAX = 65536 };
/* the first read of a head; libh2o's buffers begin with this much */
enum { HEAD_ROOM = 4096 };
/* a read of a body whose length nobody knows */
enum { BODY_ROOM = 32768 };

void breaker__intake_start(breaker__intake_t *self)
{
    memset(self, 0, sizeof(*self));
    self->decoder.consume_trailer = BREAKER__CHUNKS_PADDED;
}

static breaker__intake_state_t refuse(breaker__transfer_t *transfer, const char *why)
{
    transfer->failure = why;
    return BREAKER__INTAKE_REFUSED;
}

/* drops the last bytes that came */
static void drop(h2o_buffer_t *received, size_t len)
{
    assert(len <= received->size);
    received->size -= len;
}

/* ---- bodies ---- */

static breaker__intake_state_t end_body(breaker__intake_t *self)
{
    self->part = BREAKER__PART_NONE;
    return BREAKER__INTAKE_OVER;
}

static breaker__intake_state_t take_length(breaker__intake_t *self, breaker__transfer_t *transfer,
                                           size_t len)
{
    if (len > self->left) {
        drop(transfer->received, len - self->left);
        self->has_surplus = true;
        len = self->left;
    }
    self->left -= len;
    return self->left != 0 ? BREAKER__INTAKE_MORE : end_body(self);
}

static breaker__intake_state_t take_chunked(breaker__intake_t *self, breaker__transfer_t *transfer,
                                            size_t len)
{
    char *bytes = transfer->received->bytes + transfer->received->size - len;
    size_t body_len = len;
    ssize_t num_behind;

    num_behind = breaker__chunked_decode(&self->decoder, bytes, &body_len);
    drop(transfer->received, len - body_len);
    if (num_behind == PHR_MALFORMED)
        return refuse(transfer, "chunks that are malformed");
    if (num_behind >= 0) {
        self->has_surplus = num_behind != 0;
        return end_body(self);
    }
    self->num_framing = body_len != 0 ? 0 : self->num_framing + len;
    return self->num_framing <= FRAMING_MAX
               ? BREAKER__INTAKE_MORE
               : refuse(transfer, "too many bytes between those of chunks");
}

static breaker__intake_state_t take_body(breaker__intake_t *self, breaker__transfer_t *transfer,
                                         size_t len)
{
    switch (self->part) {
    case BREAKER__PART_LENGTH:
        return take_length(self, transfer, len);
    case BREAKER__PART_CHUNKED:
        return take_chunked(self, transfer, len);
    case BREAKER__PART_TO_END:
    case BREAKER__PART_RAW:
        return BREAKER__INTAKE_MORE;
    case BREAKER__PART_NONE:
        drop(transfer->received, len);
        self->has_surplus = len != 0;
        return BREAKER__INTAKE_OVER;
    case BREAKER__PART_HEAD:
        break;
    }
    h2o_fatal("a body before its head");
}

/* ---- heads ---- */

/* RFC 9112 §6.3 */
static breaker__intake_part_t part_after_head(const breaker__transfer_t *transfer)
{
    const breaker__reply_t *reply = transfer->reply;

    if (reply->status == 101)
        return BREAKER__PART_RAW;
    if (breaker__outgoing_is_head(transfer->outgoing) || reply->status == 204 ||
        reply->status == 304)
        return BREAKER__PART_NONE;
    if (reply->is_chunked)
        return BREAKER__PART_CHUNKED;
    if (reply->length == SIZE_MAX)
        return BREAKER__PART_TO_END;
    return reply->length != 0 ? BREAKER__PART_LENGTH : BREAKER__PART_NONE;
}

static breaker__intake_state_t end_head(breaker__intake_t *self, breaker__transfer_t *transfer,
                                        size_t head_len)
{
    size_t body_len = transfer->received->size - head_len;

    h2o_buffer_consume(&transfer->received, head_len);
    self->part = part_after_head(transfer);
    self->left = self->part == BREAKER__PART_LENGTH ? transfer->reply->length : 0;
    return body_len != 0 || self->part == BREAKER__PART_NONE ? take_body(self, transfer, body_len)
                                                             : BREAKER__INTAKE_MORE;
}

/* a line that has no end yet, and may be too long to get one */
static breaker__intake_state_t keep_line(breaker__intake_t *self, breaker__transfer_t *transfer,
                                         size_t at)
{
    const breaker__reply_t *reply = transfer->reply;

    h2o_buffer_consume(&transfer->received, at);
    self->num_scanned = transfer->received->size;
    if (self->num_scanned <= reply->max_size - reply->size)
        return BREAKER__INTAKE_MORE;
    transfer->callbacks->on_line(transfer, transfer->received->bytes, self->num_scanned);
    return BREAKER__INTAKE_REFUSED;
}

static breaker__intake_state_t take_head(breaker__intake_t *self, breaker__transfer_t *transfer)
{
    const char *bytes = transfer->received->bytes, *end = bytes + transfer->received->size, *feed;
    const char *line = bytes, *from = bytes + self->num_scanned;

    while ((feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        breaker__reply_state_t state =
            transfer->callbacks->on_line(transfer, line, (size_t)(feed + 1 - line));
        if (state == BREAKER__REPLY_REFUSED)
            return BREAKER__INTAKE_REFUSED;
        line = from = feed + 1;
        if (state == BREAKER__REPLY_FINAL)
            return end_head(self, transfer, (size_t)(line - bytes));
    }
    return keep_line(self, transfer, (size_t)(line - bytes));
}

/* ---- both ---- */

breaker__intake_state_t breaker__intake_take(breaker__intake_t *self, breaker__transfer_t *transfer,
                                             size_t len)
{
    assert(len != 0);
    self->has_begun = true;
    return self->part == BREAKER__PART_HEAD ? take_head(self, transfer)
                                            : take_body(self, transfer, len);
}

breaker__intake_state_t breaker__intake_reset(breaker__intake_t *self,
                                              breaker__transfer_t *transfer)
{
    if (!self->has_begun)
        return refuse(transfer, "the connection ended without an answer");
    return refuse(transfer, self->part == BREAKER__PART_HEAD
                                ? "the connection ended within the head of the answer"
                                : "the connection ended within the body of the answer");
}

breaker__intake_state_t breaker__intake_end(breaker__intake_t *self, breaker__transfer_t *transfer)
{
    if (self->part != BREAKER__PART_TO_END && self->part != BREAKER__PART_RAW)
        return breaker__intake_reset(self, transfer);
    return end_body(self);
}

size_t breaker__intake_room(const breaker__intake_t *self, const breaker__transfer_t *transfer)
{
    size_t waiting = transfer->received->size, room;

    if (self->part == BREAKER__PART_HEAD)
        return HEAD_ROOM;
    if (self->part != BREAKER__PART_LENGTH)
        return BODY_ROOM;
    room = waiting < BREAKER__RECEIVED_MAX ? BREAKER__RECEIVED_MAX - waiting : 1;
    return self->left < room ? self->left : room;
}
