/*
 * Tokens: the grammar against a regular expression, and an order in which the two sides agree. An
 * input is two tokens, one on each line.
 */
#include <assert.h>
#include <regex.h>
#include <stdlib.h>
#include <breaker/error.h>
#include <breaker/token.h>
#include "fuzz.h"
#include "token/token.h"

static bool follows_grammar(fuzz_text_t text)
{
    static regex_t pattern;
    static bool compiled;
    char copy[BREAKER_TOKEN_MAX + 2];

    if (!compiled) {
        int error = regcomp(&pattern, "^[A-Za-z0-9._~-]{1,64}$", REG_EXTENDED | REG_NOSUB);
        assert(error == 0);
        compiled = true;
    }
    if (text.len > BREAKER_TOKEN_MAX)
        return false;
    memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    return strlen(copy) == text.len && regexec(&pattern, copy, 0, NULL, 0) == 0 &&
           strcmp(copy, ".") != 0 && strcmp(copy, "..") != 0;
}

static void check_one(fuzz_text_t text)
{
    breaker_token_t token = {.len = 77};
    bool valid = follows_grammar(text);

    assert(breaker_token_is_valid(text.base, text.len) == valid);
    if (breaker_token_parse(text.base, text.len, &token) != 0) {
        assert(!valid && token.len == 77);
        return;
    }
    assert(valid && token.len == text.len && token.text[token.len] == '\0');
    assert(memcmp(token.text, text.base, text.len) == 0);
    assert(breaker__token_compare(token.text, token.len, text.base, text.len) == 0);
    assert(breaker_token_equal(&token, &token));
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/** The form of a minted token against a regular expression; how many digits it begins with. */
static size_t minted_digits(fuzz_text_t text)
{
    static regex_t pattern;
    static bool compiled;
    char copy[BREAKER_TOKEN_MAX + 1] = "";

    if (!compiled) {
        int error = regcomp(&pattern, "^[0-9]{12,}(-.{8})?$", REG_EXTENDED | REG_NOSUB);
        assert(error == 0);
        compiled = true;
    }
    memcpy(copy, text.base, text.len);
    return regexec(&pattern, copy, 0, NULL, 0) == 0 ? strspn(copy, "0123456789") : 0;
}

/** The definition of the order, step by step. */
static int compare(fuzz_text_t a, fuzz_text_t b)
{
    size_t common;
    int order;

    if (minted_digits(a) != 0 && minted_digits(b) != 0 &&
        (minted_digits(a) != a.len || minted_digits(b) != b.len)) {
        fuzz_text_t a_digits = {a.base, minted_digits(a)}, b_digits = {b.base, minted_digits(b)};
        if ((order = compare(a_digits, b_digits)) != 0)
            return order;
        a = (fuzz_text_t){a.base + a_digits.len, a.len - a_digits.len};
        b = (fuzz_text_t){b.base + b_digits.len, b.len - b_digits.len};
    } else if (breaker__token_is_decimal(a.base, a.len) &&
               breaker__token_is_decimal(b.base, b.len)) {
        for (; a.len != 0 && *a.base == '0'; ++a.base)
            --a.len;
        for (; b.len != 0 && *b.base == '0'; ++b.base)
            --b.len;
        if (a.len != b.len)
            return a.len < b.len ? -1 : 1;
    }
    common = a.len < b.len ? a.len : b.len;
    order = common != 0 ? memcmp(a.base, b.base, common) : 0;
    return order != 0 ? sign(order) : (a.len > b.len) - (a.len < b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t a, b = {(const char *)data, size};
    bool decimal = true;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    fuzz_take_line(&b, &a);
    check_one(a);
    check_one(b);
    for (size_t i = 0; i != a.len; ++i)
        decimal = decimal && a.base[i] >= '0' && a.base[i] <= '9';
    assert(breaker__token_is_decimal(a.base, a.len) == (decimal && a.len != 0));
    if (!follows_grammar(a) || !follows_grammar(b))
        return 0;
    assert(breaker__token_minted_digits(a.base, a.len) == minted_digits(a));
    assert(sign(breaker__token_compare(a.base, a.len, b.base, b.len)) == compare(a, b));
    assert(sign(breaker__token_compare(b.base, b.len, a.base, a.len)) == -compare(a, b));
    return 0;
}
