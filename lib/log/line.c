/*
 * What lines of text and of JSON share: memory that does not grow, times, and characters. Kept
 * always: a piece is there whole or not at all, and what ends a line has its room.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "log/line.h"

/* a quote, a bracket and the NUL */
#define END_MAX 3

breaker__line_t breaker__line_begin(char *dst)
{
    return (breaker__line_t){.base = dst, .max = BREAKER_LOG_LINE_SIZE - END_MAX};
}

void breaker__line_put(breaker__line_t *line, const char *base, size_t len)
{
    assert(line->is_full || line->len <= line->max);
    if (line->is_full || len > line->max - line->len) {
        line->is_full = true;
        return;
    }
    memcpy(line->base + line->len, base, len);
    line->len += len;
}

void breaker__line_put_text(breaker__line_t *line, const char *text)
{
    breaker__line_put(line, text, strlen(text));
}

/* what is cut of anything but a text would be something else */
void breaker__line_put_field(breaker__line_t *line, const char *before, const char *after,
                             void (*put_value)(breaker__line_t *line,
                                               const breaker_log_field_t *field),
                             const breaker_log_field_t *field)
{
    bool is_text = field->type == BREAKER_LOG_WORD || field->type == BREAKER_LOG_TEXT;
    size_t begin = line->len;

    if (line->is_full)
        return;
    breaker__line_put_text(line, before);
    breaker__line_put_text(line, field->key);
    breaker__line_put_text(line, after);
    /* the quote is to see whether there is room for one */
    breaker__line_put(line, "\"", is_text ? 1 : 0);
    if (line->is_full) {
        breaker__line_cut(line, begin);
        return;
    }
    line->len -= is_text;
    put_value(line, field);
    if (line->is_full && !is_text)
        breaker__line_cut(line, begin);
}

void breaker__line_end(breaker__line_t *line, const char *text)
{
    size_t len = strlen(text);

    assert(line->len + len < BREAKER_LOG_LINE_SIZE);
    memcpy(line->base + line->len, text, len + 1);
    line->len += len;
    line->is_full |= line->len > line->max;
}

void breaker__line_cut(breaker__line_t *line, size_t len)
{
    assert(len <= line->len);
    line->len = len;
    line->is_full = true;
}

/* ---- times ---- */

const char *breaker__print_time(uint64_t time_ms, char dst[BREAKER__TIME_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    size_t len = 0;

    if (gmtime_r(&seconds, &parts) != NULL)
        len = strftime(dst, BREAKER__TIME_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(dst + len, BREAKER__TIME_SIZE - len, ".%03uZ", (unsigned)(time_ms % 1000));
    return dst;
}

const char *breaker__print_seconds(uint64_t span_ms, char dst[BREAKER__TIME_SIZE])
{
    int len = snprintf(dst, BREAKER__TIME_SIZE, "%llu.%03u", (unsigned long long)(span_ms / 1000),
                       (unsigned)(span_ms % 1000));

    assert(len > 4);
    for (int i = 0; i != 2 && dst[len - 1] == '0'; ++i)
        dst[--len] = '\0';
    return dst;
}

/* ---- characters ---- */

/* by its first byte: how many bytes a character has, and which bits of that byte are its own */
static size_t length_by(unsigned char first, uint32_t *ret_bits)
{
    static const struct {
        unsigned char mask, mark;
    } lengths[] = {{0x80, 0x00}, {0xe0, 0xc0}, {0xf0, 0xe0}, {0xf8, 0xf0}};

    for (size_t i = 0; i != sizeof(lengths) / sizeof(lengths[0]); ++i)
        if ((first & lengths[i].mask) == lengths[i].mark) {
            *ret_bits = (uint32_t)(first & ~lengths[i].mask & 0xff);
            return i + 1;
        }
    return 0;
}

/* neither longer than need be, nor half of one of UTF-16, nor beyond Unicode */
static bool is_character(uint32_t code, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    assert(len < sizeof(least) / sizeof(least[0]));
    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

uint32_t breaker__first_character(const char *text, size_t *ret_len)
{
    uint32_t code;
    size_t len = length_by((unsigned char)text[0], &code);

    assert(text[0] != '\0');
    *ret_len = 1;
    if (len == 0)
        return BREAKER__NO_CHARACTER;
    /* the NUL is none of these, so nothing after it is read */
    for (size_t i = 1; i != len; ++i) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xc0) != 0x80)
            return BREAKER__NO_CHARACTER;
        code = code << 6 | (byte & 0x3f);
    }
    if (!is_character(code, len))
        return BREAKER__NO_CHARACTER;
    *ret_len = len;
    return code;
}
