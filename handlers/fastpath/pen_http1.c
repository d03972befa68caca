/*
 * Writes an answer as libh2o's HTTP/1 would, byte for byte, in pieces that mostly exist before the
 * request comes: the opening of each status, in which only the date is written, once a second; the
 * text of the head, which has its Content-Length and the server's name in front; and, where the
 * answer has any, the lines of its own.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer/http1_text.h"
#include "fastpath/pen_http1.h"

/* a Content-Length, a Location of the longest target, a Cache-Control or a range */
enum {
    /* every slash of view and target may be a segment up */
    LOCATION_MAX = 4 * BREAKER_VIEW_PREFIX_MAX + 4 * BREAKER__TARGET_MAX,
    SCRATCH_LEN = LOCATION_MAX + BREAKER_VIEW_HEADER_MAX + 256,
};

/* "HTTP/1.1 200 OK", the date, "Connection: keep-alive" */
typedef struct st_opening_t {
    char text[112];
    size_t len, date_at;
} opening_t;

struct st_breaker__pen_http1_t {
    h2o_context_t *ctx; /* borrowed: outlives us */
    opening_t openings[BREAKER__NUM_STATUSES];
    time_t date_s; /* of the openings */
    /* of the answer in the making: what is its own */
    char scratch[SCRATCH_LEN];
};

static void init_opening(opening_t *opening, breaker__status_t status)
{
    int date_at = snprintf(opening->text, sizeof(opening->text),
                           "HTTP/1.1 %d %s\r\nDate: ", breaker__status_lines[status].code,
                           breaker__status_lines[status].reason);
    int rest = snprintf(opening->text + date_at, sizeof(opening->text) - (size_t)date_at,
                        "%*s\r\nConnection: keep-alive\r\n", (int)H2O_TIMESTR_RFC1123_LEN, "");

    opening->date_at = (size_t)date_at;
    opening->len = (size_t)(date_at + rest);
    assert(opening->len < sizeof(opening->text));
}

breaker__pen_http1_t *breaker__pen_http1_create(h2o_context_t *ctx)
{
    breaker__pen_http1_t *pen = h2o_mem_alloc(sizeof(*pen));

    memset(pen, 0, sizeof(*pen));
    pen->ctx = ctx;
    for (breaker__status_t i = 0; i != BREAKER__NUM_STATUSES; ++i)
        init_opening(pen->openings + i, i);
    return pen;
}

void breaker__pen_http1_free(breaker__pen_http1_t *pen)
{
    free(pen);
}

static struct iovec *put_piece(struct iovec *piece, const char *base, size_t len)
{
    *piece = (struct iovec){(void *)(uintptr_t)base, len};
    return piece + 1;
}

/* the time of the openings is that of libh2o's clock */
static void put_date(breaker__pen_http1_t *pen, time_t now_s)
{
    const char *date = pen->ctx->_timestamp_cache.value->rfc1123;

    for (size_t i = 0; i != BREAKER__NUM_STATUSES; ++i)
        memcpy(pen->openings[i].text + pen->openings[i].date_at, date, H2O_TIMESTR_RFC1123_LEN);
    pen->date_s = now_s;
}

static struct iovec *put_opening(struct iovec *piece, breaker__pen_http1_t *pen,
                                 breaker__status_t status)
{
    const opening_t *opening = pen->openings + status;
    /* up to date: the request has asked for it in this turn of the loop */
    time_t now_s = pen->ctx->_timestamp_cache.tv_at.tv_sec;

    if (pen->date_s != now_s)
        put_date(pen, now_s);
    return put_piece(piece, opening->text, opening->len);
}

static char *put_line(char *dst, const breaker__line_t *line)
{
    dst = breaker__http1_put(dst, line->name->base, line->name->len);
    dst = breaker__http1_put(dst, H2O_STRLIT(": "));
    dst = breaker__line_put_value(dst, line);
    return breaker__http1_put(dst, H2O_STRLIT("\r\n"));
}

/* a head with anything that the prepared text does not have, or without what it has */
static struct iovec *put_own_head(struct iovec *piece, breaker__pen_http1_t *pen,
                                  const breaker__answer_t *answer)
{
    const breaker__head_t *head = answer->head;
    size_t begin = answer->length == head->body_len ? 0 : head->server_at;
    size_t end = answer->has_shared_only ? head->shared_end : head->end;
    char *at = pen->scratch, *lines;

    if (begin != 0 && answer->length != BREAKER__NO_LENGTH) {
        at = breaker__http1_put_length(at, answer->length);
        piece = put_piece(piece, pen->scratch, (size_t)(at - pen->scratch));
    }
    piece = put_piece(piece, head->text + begin, end - begin);
    lines = at;
    for (size_t i = 0; i != answer->num_lines; ++i)
        at = put_line(at, answer->lines + i);
    at = breaker__http1_put(at, H2O_STRLIT("\r\n"));
    assert(at <= pen->scratch + sizeof(pen->scratch));
    return put_piece(piece, lines, (size_t)(at - lines));
}

static inline void finish(breaker__written_t *written, const breaker__answer_t *answer,
                          const struct iovec *end, uint64_t text_len)
{
    written->num_head = (size_t)(end - written->head);
    assert(written->num_head < BREAKER__PIECES_MAX);
    written->variant = answer->variant;
    written->body_at = answer->body_at;
    written->body_len = answer->body_len - text_len;
    written->kept = answer->kept;
}

void breaker__pen_http1_write(breaker__pen_http1_t *pen, const breaker__answer_t *answer,
                              breaker__written_t *written)
{
    const breaker__head_t *head = answer->head;
    struct iovec *piece = put_opening(written->head, pen, answer->status);
    /* a body that is the head's own follows its text */
    uint64_t text_len = answer->variant == NULL ? answer->body_len : 0;

    assert(!answer->is_in_parts);
    if (answer->num_lines == 0 && !answer->has_shared_only) {
        assert(answer->length == head->body_len);
        piece = put_piece(piece, head->text, head->text_len + (size_t)text_len);
    } else {
        piece = put_own_head(piece, pen, answer);
        if (text_len != 0)
            piece = put_piece(piece, head->body.base, (size_t)text_len);
    }
    finish(written, answer, piece, text_len);
}

/* what libh2o writes before the headers that filters see: a length of its own, or the head's */
static struct iovec *put_fixed_lines(struct iovec *piece, breaker__pen_http1_t *pen,
                                     const breaker__answer_t *answer)
{
    const breaker__head_t *head = answer->head;
    size_t begin = answer->length == head->body_len ? 0 : head->server_at;
    char *at;

    if (begin != 0 && answer->length != BREAKER__NO_LENGTH) {
        at = breaker__http1_put_length(pen->scratch, answer->length);
        piece = put_piece(piece, pen->scratch, (size_t)(at - pen->scratch));
    }
    return put_piece(piece, head->text + begin, head->headers_at - begin);
}

void breaker__pen_http1_write_filtered(breaker__pen_http1_t *pen, const breaker__answer_t *answer,
                                       h2o_iovec_t headers, breaker__written_t *written)
{
    struct iovec *piece = put_opening(written->head, pen, answer->status);
    uint64_t text_len = answer->variant == NULL ? answer->body_len : 0;

    assert(!answer->is_in_parts);
    piece = put_fixed_lines(piece, pen, answer);
    piece = put_piece(piece, headers.base, headers.len);
    if (text_len != 0)
        piece = put_piece(piece, answer->head->body.base, (size_t)text_len);
    finish(written, answer, piece, text_len);
}
