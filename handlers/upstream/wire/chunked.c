/*
 * The decoder of libh2o's parser takes whatever follows the digits of a size for an extension, bare
 * line feeds for the end of a line, and any trailer: "0x5" is an empty last chunk to it, and five
 * bytes to others. A proxy in front of us that reads one body where we read two requests lets a
 * client send requests in somebody else's name, and an application that is read otherwise than it
 * means gives one client's answer to another. This one reads what the grammar allows, and no more.
 *
 * A machine that is given framing byte by byte, and the bytes of chunks in pieces. Its state is
 * that of libh2o's decoder, which nothing else looks into.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "upstream/wire/chunked.h"

enum {
    /* libh2o's own bound: sizes of 64 bits */
    DIGITS_MAX = 16,
};

typedef enum {
    SIZE,          /* digits, at least one */
    BLANK,         /* after a size: blanks, then a semicolon */
    EXTENSION,     /* after a semicolon: blanks, then a name */
    IN_EXTENSION,  /* what else belongs to extensions, up to CR */
    SIZE_LF,       /* after the CR of a size */
    DATA,          /* bytes of a chunk */
    DATA_CR,       /* after them */
    DATA_LF,       /* after that */
    TRAILER,       /* at the beginning of a line after the last chunk */
    TRAILER_NAME,  /* up to a colon */
    TRAILER_VALUE, /* up to CR */
    TRAILER_LF,    /* after it */
    LAST_LF,       /* after the CR of the empty line */
    COMPLETE,
    BROKEN,
} state_t;

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110 §5.6.2 */
static bool is_of_token(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* a byte of a value: visible, a blank, or beyond ASCII */
static bool is_of_text(char c)
{
    return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

static state_t take_size(struct phr_chunked_decoder *decoder, char c)
{
    int digit = digit_of(c);

    if (digit >= 0) {
        if (decoder->_hex_count == DIGITS_MAX)
            return BROKEN;
        ++decoder->_hex_count;
        decoder->bytes_left_in_chunk = decoder->bytes_left_in_chunk << 4 | (size_t)digit;
        return SIZE;
    }
    if (decoder->_hex_count == 0)
        return BROKEN;
    if (c == '\r')
        return SIZE_LF;
    if (c == ';')
        return EXTENSION;
    return is_blank(c) ? BLANK : BROKEN;
}

static state_t take_blank(const struct phr_chunked_decoder *decoder, char c)
{
    if (c == '\r' && decoder->consume_trailer == BREAKER__CHUNKS_PADDED)
        return SIZE_LF;
    return c == ';' ? EXTENSION : is_blank(c) ? BLANK : BROKEN;
}

static state_t end_size(struct phr_chunked_decoder *decoder, char c)
{
    decoder->_hex_count = 0;
    if (c != '\n')
        return BROKEN;
    return decoder->bytes_left_in_chunk != 0 ? DATA : TRAILER;
}

/* the state after one byte of framing */
static state_t take(struct phr_chunked_decoder *decoder, state_t state, char c)
{
    switch (state) {
    case SIZE:
        return take_size(decoder, c);
    case BLANK:
        return take_blank(decoder, c);
    case EXTENSION:
        return is_blank(c) ? EXTENSION : is_of_token(c) ? IN_EXTENSION : BROKEN;
    case IN_EXTENSION:
        return c == '\r' ? SIZE_LF : is_of_text(c) ? IN_EXTENSION : BROKEN;
    case SIZE_LF:
        return end_size(decoder, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : BROKEN;
    case DATA_LF:
        return c == '\n' ? SIZE : BROKEN;
    case TRAILER:
        return c == '\r' ? LAST_LF : is_of_token(c) ? TRAILER_NAME : BROKEN;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : is_of_token(c) ? TRAILER_NAME : BROKEN;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : is_of_text(c) ? TRAILER_VALUE : BROKEN;
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BROKEN;
    case LAST_LF:
        return c == '\n' ? COMPLETE : BROKEN;
    case DATA:
    case COMPLETE:
    case BROKEN:
        break;
    }
    assert(state == BROKEN);
    return BROKEN;
}

/* takes framing up to the next bytes of a chunk, to the end or to what is broken; returns how much
 */
static size_t take_framing(struct phr_chunked_decoder *decoder, const char *bytes, size_t len)
{
    state_t state = (state_t)decoder->_state;
    size_t at = 0;

    while (at != len && state != DATA && state != COMPLETE && state != BROKEN)
        state = take(decoder, state, bytes[at++]);
    decoder->_state = (char)state;
    return at;
}

/* takes bytes of a chunk; returns how many of them there are */
static size_t take_data(struct phr_chunked_decoder *decoder, size_t len)
{
    size_t num = len < decoder->bytes_left_in_chunk ? len : decoder->bytes_left_in_chunk;

    assert(decoder->_state == DATA);
    decoder->bytes_left_in_chunk -= num;
    if (decoder->bytes_left_in_chunk == 0)
        decoder->_state = DATA_CR;
    return num;
}

static ssize_t result_of(const struct phr_chunked_decoder *decoder, size_t num_behind)
{
    if (decoder->_state == BROKEN)
        return PHR_MALFORMED;
    return decoder->_state == COMPLETE ? (ssize_t)num_behind : PHR_INCOMPLETE;
}

ssize_t breaker__chunked_decode(struct phr_chunked_decoder *decoder, char *bytes, size_t *len)
{
    size_t from = 0, to = 0, num;

    while (true) {
        from += take_framing(decoder, bytes + from, *len - from);
        if (decoder->_state != DATA || from == *len)
            break;
        num = take_data(decoder, *len - from);
        memmove(bytes + to, bytes + from, num);
        from += num;
        to += num;
    }
    num = *len - from;
    /* `bytes` may be NULL where there is none */
    if (num != 0)
        memmove(bytes + to, bytes + from, num);
    *len = to;
    return result_of(decoder, num);
}

ssize_t breaker__chunked_check(const char *bytes, size_t len)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    size_t at = 0;

    while (true) {
        at += take_framing(&decoder, bytes + at, len - at);
        if (decoder._state != DATA || at == len)
            return result_of(&decoder, len - at);
        at += take_data(&decoder, len - at);
    }
}
