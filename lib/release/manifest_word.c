/*
 * The words of a manifest's lines. There is one spelling for everything, and no other is taken: a
 * text that is accepted is the one that would be written.
 */
#include <assert.h>
#include <string.h>
#include "release/manifest_word.h"

bool breaker__word_is(breaker__word_t word, const char *text)
{
    return word.base != NULL && word.len == strlen(text) && memcmp(word.base, text, word.len) == 0;
}

breaker__word_t breaker__word_take(breaker__word_t *rest)
{
    const char *space = memchr(rest->base, ' ', rest->len);
    breaker__word_t word = *rest;

    if (space != NULL)
        word.len = (size_t)(space - rest->base);
    rest->base += word.len + (space != NULL);
    rest->len -= word.len + (space != NULL);
    return word;
}

static bool is_plain(char c)
{
    return c >= '!' && c <= '~' && c != '%';
}

/* a large hexadecimal digit's value, or -1 */
static int large_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t breaker__word_decode(breaker__word_t word, char *dst, size_t cap)
{
    size_t len = 0;

    for (size_t at = 0; at != word.len; ++at, ++len) {
        char c = word.base[at];
        if (len == cap)
            return 0;
        if (c == '%') {
            int high, low;
            if (word.len - at < 3 || (high = large_digit(word.base[at + 1])) < 0 ||
                (low = large_digit(word.base[at + 2])) < 0 || is_plain((char)(high << 4 | low)))
                return 0;
            c = (char)(high << 4 | low);
            at += 2;
        } else if (!is_plain(c)) {
            return 0;
        }
        dst[len] = c;
    }
    return len;
}

bool breaker__word_number(breaker__word_t word, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (word.len == 0 || (word.base[0] == '0' && word.len != 1))
        return false;
    for (size_t i = 0; i != word.len; ++i) {
        uint64_t digit = (uint64_t)(unsigned char)word.base[i] - '0';
        if (digit > 9 || digit > max || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    assert(number <= max);
    *ret_number = number;
    return true;
}

bool breaker__word_time(breaker__word_t word, int64_t *ret_time_s)
{
    bool is_negative = word.len != 0 && word.base[0] == '-';
    uint64_t number;

    if (is_negative)
        word = (breaker__word_t){word.base + 1, word.len - 1};
    if (!breaker__word_number(word, (uint64_t)INT64_MAX + is_negative, &number) ||
        (is_negative && number == 0))
        return false;
    *ret_time_s = is_negative ? -(int64_t)(number - 1) - 1 : (int64_t)number;
    return true;
}

static int small_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool breaker__word_digest(breaker__word_t word, uint8_t *dst)
{
    if (word.len != 2 * BREAKER_DIGEST_LEN)
        return false;
    for (size_t i = 0; i != BREAKER_DIGEST_LEN; ++i) {
        int high = small_digit(word.base[2 * i]), low = small_digit(word.base[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        dst[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
