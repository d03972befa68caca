/*
 * Bytes of a line, in libh2o's manner. Nearly all that clients send needs no escape, so eight bytes
 * are looked at, and written, at a time.
 */
#include <assert.h>
#include <string.h>
#include "answer/http1_text.h"
#include "log/entry.h"

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGH_BITS EACH_BYTE(0x80)

enum {
    /* the longest escapes: "\xff" and "\u00ff" */
    APACHE_MAX = 4,
    JSON_MAX = 6,
    /* the last byte that is written as it is */
    APACHE_LAST = 0x7c,
    JSON_LAST = 0x7d,
};

void breaker__entry_put(breaker__entry_t *entry, const char *base, size_t len)
{
    if (!breaker__entry_has_room(entry, len))
        return;
    memcpy(entry->at, base, len);
    entry->at += len;
}

/* ---- escapes ---- */

static bool has_byte(uint64_t word, uint8_t byte)
{
    uint64_t zeros = word ^ EACH_BYTE(byte);

    return ((zeros - EACH_BYTE(1)) & ~zeros & HIGH_BITS) != 0;
}

/* whether each of eight bytes is from a blank to `last` */
static bool is_printed(uint64_t word, uint8_t last)
{
    uint64_t below = (word - EACH_BYTE(' ')) & ~word;
    uint64_t above = (word + EACH_BYTE((uint8_t)(0x7f - last))) | word;

    return ((below | above) & HIGH_BITS) == 0;
}

static bool is_plain(const breaker__entry_t *entry, uint64_t word)
{
    if (has_byte(word, '"'))
        return false;
    return entry->is_json ? is_printed(word, JSON_LAST) && !has_byte(word, '\\')
                          : is_printed(word, APACHE_LAST);
}

static char *put_hex(char *at, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 0xf];
    return at;
}

static char *put_apache(char *at, uint8_t byte)
{
    if (byte >= ' ' && byte <= APACHE_LAST && byte != '"') {
        *at++ = (char)byte;
        return at;
    }
    *at++ = '\\';
    *at++ = 'x';
    return put_hex(at, byte);
}

static char *put_json(char *at, uint8_t byte)
{
    if (byte >= ' ' && byte <= JSON_LAST) {
        if (byte == '"' || byte == '\\')
            *at++ = '\\';
        *at++ = (char)byte;
        return at;
    }
    memcpy(at, "\\u00", 4);
    return put_hex(at + 4, byte);
}

static void put_bytes(breaker__entry_t *entry, const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        entry->at = entry->is_json ? put_json(entry->at, (uint8_t)base[i])
                                   : put_apache(entry->at, (uint8_t)base[i]);
}

void breaker__entry_put_escaped(breaker__entry_t *entry, const char *base, size_t len)
{
    uint64_t word;

    if (!breaker__entry_has_room(entry, len * (entry->is_json ? JSON_MAX : APACHE_MAX)))
        return;
    for (; len >= sizeof(word); base += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, base, sizeof(word));
        if (is_plain(entry, word)) {
            memcpy(entry->at, &word, sizeof(word));
            entry->at += sizeof(word);
        } else {
            put_bytes(entry, base, sizeof(word));
        }
    }
    if (len != 0)
        put_bytes(entry, base, len);
    assert(entry->at <= entry->end);
}

/* ---- numbers ---- */

void breaker__entry_put_number(breaker__entry_t *entry, uint64_t number)
{
    if (breaker__entry_has_room(entry, BREAKER__HTTP1_NUMBER_MAX))
        entry->at = breaker__http1_put_number(entry->at, number);
}

void breaker__entry_put_padded(breaker__entry_t *entry, uint64_t number, size_t num_digits)
{
    if (!breaker__entry_has_room(entry, num_digits))
        return;
    for (size_t i = num_digits; i != 0; --i, number /= 10)
        entry->at[i - 1] = (char)('0' + number % 10);
    entry->at += num_digits;
}

void breaker__entry_put_null(breaker__entry_t *entry)
{
    if (entry->is_json)
        breaker__entry_put(entry, H2O_STRLIT("null"));
    else
        breaker__entry_put_byte(entry, '-');
}
