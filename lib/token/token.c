/*
 * Tokens: their grammar, how one is minted, which ones look minted, and the order of two when
 * nothing else is known of them. What was minted is the time at which it was; nothing can be read
 * from any other token, a number that an operator chose included. Everything here is pure and works
 * on bytes that are not NUL-ended, because tokens are looked at where they stand in a request's
 * path.
 */
#include <assert.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/token.h>
#include "token/grammar.h"
#include "token/token.h"
#include "words.h"

/* from here on a double, and with it JSON, Lua and Redis's scores, would round */
static const uint64_t MINT_END = UINT64_C(1) << 53;

enum {
    /* '-' and the first characters of a release's digest, where a cluster is told to append them */
    SUFFIX_LEN = 9,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '~' || c == '-';
}

/* "." and "..", which every client and server removes from a path */
static bool is_dot_segment(const char *base, size_t len)
{
    return base[0] == '.' && (len == 1 || (len == 2 && base[1] == '.'));
}

/* whether each of eight bytes lies in 0x30 to 0x39 */
static bool is_eight_digits(uint64_t word)
{
    const uint64_t high = UINT64_C(0xf0f0f0f0f0f0f0f0), zeros = UINT64_C(0x3030303030303030);

    /* a byte in 0x30 to 0x3f is carried out of them by 6 unless it is a digit */
    return (word & high) == zeros && ((word + UINT64_C(0x0606060606060606)) & high) == zeros;
}

bool breaker__token_is_decimal(const char *base, size_t len)
{
    if (len >= 8) {
        for (size_t at = 0; at + 8 < len; at += 8)
            if (!is_eight_digits(breaker__load64(base + at)))
                return false;
        return is_eight_digits(breaker__load64(base + len - 8));
    }
    for (size_t i = 0; i != len; ++i)
        if (!is_digit(base[i]))
            return false;
    return len != 0;
}

bool breaker__is_word(const char *base, size_t len)
{
    if (len == 0 || is_dot_segment(base, len))
        return false;
    for (size_t i = 0; i != len; ++i)
        if (!is_word_char(base[i]))
            return false;
    return true;
}

bool breaker_token_is_valid(const char *base, size_t len)
{
    if (len == 0 || len > BREAKER_TOKEN_MAX)
        return false;
    return breaker__token_is_decimal(base, len) || breaker__is_word(base, len);
}

int breaker_token_parse(const char *base, size_t len, breaker_token_t *ret_token)
{
    if (!breaker_token_is_valid(base, len))
        return BREAKER_ERR_TOKEN_SYNTAX;
    *ret_token = (breaker_token_t){.len = (uint8_t)len};
    memcpy(ret_token->text, base, len);
    return 0;
}

int breaker_token_mint(uint64_t now_ms, breaker_token_t *ret_token)
{
    char digits[20];
    size_t at = sizeof(digits), len;

    if (now_ms >= MINT_END)
        return BREAKER_ERR_RANGE;
    do {
        digits[--at] = (char)('0' + now_ms % 10);
        now_ms /= 10;
    } while (now_ms != 0);
    while (sizeof(digits) - at < BREAKER_TOKEN_MINT_DIGITS)
        digits[--at] = '0';
    len = sizeof(digits) - at;
    assert(len <= 16);
    return breaker_token_parse(digits + at, len, ret_token);
}

static size_t num_leading_zeros(const char *base, size_t len)
{
    size_t num = 0;

    while (num != len && base[num] == '0')
        ++num;
    return num;
}

bool breaker__token_is_zero(const char *base, size_t len)
{
    assert(len <= BREAKER_TOKEN_MAX);
    return len != 0 && num_leading_zeros(base, len) == len;
}

static int compare_lengths(size_t a_len, size_t b_len)
{
    return (a_len > b_len) - (a_len < b_len);
}

/* where the suffix of a minted token would begin, or its length */
static size_t suffix_at(const char *base, size_t len)
{
    return len > SUFFIX_LEN && base[len - SUFFIX_LEN] == '-' ? len - SUFFIX_LEN : len;
}

size_t breaker__token_minted_digits(const char *base, size_t len)
{
    size_t digits = suffix_at(base, len);

    assert(len <= BREAKER_TOKEN_MAX);
    if (digits < BREAKER_TOKEN_MINT_DIGITS)
        return 0;
    return breaker__token_is_decimal(base, digits) ? digits : 0;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common == 0 ? 0 : memcmp(a, b, common);

    return order != 0 ? order : compare_lengths(a_len, b_len);
}

/* by value at any width: without leading zeros, more digits are more */
int breaker__token_compare_decimal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t a_zeros = num_leading_zeros(a, a_len), b_zeros = num_leading_zeros(b, b_len);

    a_len -= a_zeros;
    b_len -= b_zeros;
    if (a_len != b_len)
        return compare_lengths(a_len, b_len);
    return memcmp(a + a_zeros, b + b_zeros, a_len);
}

int breaker__token_compare_minted(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t a_digits = suffix_at(a, a_len), b_digits = suffix_at(b, b_len);
    int order = breaker__token_compare_decimal(a, a_digits, b, b_digits);

    assert(a_digits >= BREAKER_TOKEN_MINT_DIGITS);
    assert(b_digits >= BREAKER_TOKEN_MINT_DIGITS);
    if (order != 0)
        return order;
    return compare_bytes(a + a_digits, a_len - a_digits, b + b_digits, b_len - b_digits);
}

int breaker__token_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (breaker__token_is_decimal(a, a_len) && breaker__token_is_decimal(b, b_len))
        return breaker__token_compare_decimal(a, a_len, b, b_len);
    if (breaker__token_minted_digits(a, a_len) != 0 && breaker__token_minted_digits(b, b_len) != 0)
        return breaker__token_compare_minted(a, a_len, b, b_len);
    return compare_bytes(a, a_len, b, b_len);
}

bool breaker_token_equal(const breaker_token_t *a, const breaker_token_t *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}
