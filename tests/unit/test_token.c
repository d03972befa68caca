/* Tokens: grammar, minting, order. Every input ends at a guard page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/token.h>
#include "guard.h"
#include "token/token.h"

#define DIGITS_64 "1234567890123456789012345678901234567890123456789012345678901234"

static bool is_valid(const char *text, size_t len)
{
    char *base = guarded_copy(text, len);
    bool valid = breaker_token_is_valid(base, len);

    guarded_free(base, len);
    return valid;
}

static void every_byte_is_judged_by_the_grammar(void **state)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";

    (void)state;
    for (int c = 0; c != 256; ++c) {
        char text[3] = {'a', (char)c, 'b'};
        bool expected = memchr(good, c, sizeof(good) - 1) != NULL;
        for (size_t at = 0; at != 2; ++at)
            if (is_valid(text + at, 3 - at) != expected)
                fail_msg("byte 0x%02x at %zu", (unsigned)c, 1 - at);
        if (is_valid(text, 2) != expected)
            fail_msg("byte 0x%02x at the end", (unsigned)c);
    }
}

static void a_token_has_1_to_64_bytes(void **state)
{
    (void)state;
    assert_false(is_valid("", 0));
    assert_true(is_valid("x", 1));
    assert_true(is_valid(DIGITS_64, 64));
    assert_false(is_valid(DIGITS_64 "5", 65));
}

static void dot_segments_are_no_tokens(void **state)
{
    (void)state;
    assert_false(is_valid(".", 1));
    assert_false(is_valid("..", 2));
    assert_true(is_valid("...", 3));
    assert_true(is_valid(".a", 2));
    assert_true(is_valid("1.", 2));
    assert_true(is_valid("..1", 3));
}

static void parsing_copies_and_ends_the_text(void **state)
{
    char *base = guarded_copy("v1.2.3", 6);
    breaker_token_t token;

    (void)state;
    memset(&token, 0xff, sizeof(token));
    assert_int_equal(breaker_token_parse(base, 6, &token), 0);
    assert_int_equal(token.len, 6);
    assert_string_equal(token.text, "v1.2.3");
    assert_int_equal(breaker_token_parse(DIGITS_64, 64, &token), 0);
    assert_int_equal(token.len, 64);
    assert_string_equal(token.text, DIGITS_64);
    guarded_free(base, 6);
}

static void what_is_not_a_token_leaves_the_output_alone(void **state)
{
    static const char *const texts[] = {"", "a b", "a/b", "%41", "\xc3\xa4", "..", DIGITS_64 "5"};
    breaker_token_t token = {.len = 1, .text = "x"};

    (void)state;
    for (size_t i = 0; i != sizeof(texts) / sizeof(texts[0]); ++i) {
        assert_int_equal(breaker_token_parse(texts[i], strlen(texts[i]), &token),
                         BREAKER_ERR_TOKEN_SYNTAX);
        assert_string_equal(token.text, "x");
        assert_int_equal(token.len, 1);
    }
    assert_int_equal(breaker_token_parse("a\0b", 3, &token), BREAKER_ERR_TOKEN_SYNTAX);
}

static void a_minted_token_is_the_moment_in_twelve_digits_or_more(void **state)
{
    static const struct {
        uint64_t now_ms;
        const char *text;
    } cases[] = {
        {0, "000000000000"},
        {1, "000000000001"},
        {99999999999, "099999999999"},
        {999999999999, "999999999999"},
        {1000000000000, "1000000000000"},
        {1718539201234, "1718539201234"},
        {(UINT64_C(1) << 53) - 1, "9007199254740991"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker_token_t token;
        assert_int_equal(breaker_token_mint(cases[i].now_ms, &token), 0);
        assert_string_equal(token.text, cases[i].text);
        assert_int_equal(token.len, strlen(cases[i].text));
        assert_true(breaker__token_is_decimal(token.text, token.len));
    }
}

static void minting_ends_where_a_double_would_round(void **state)
{
    breaker_token_t token = {.len = 1, .text = "x"};

    (void)state;
    assert_int_equal(breaker_token_mint(UINT64_C(1) << 53, &token), BREAKER_ERR_RANGE);
    assert_int_equal(breaker_token_mint(UINT64_MAX, &token), BREAKER_ERR_RANGE);
    assert_string_equal(token.text, "x");
}

static void decimal_means_digits_only(void **state)
{
    static const struct {
        const char *text;
        bool decimal;
    } cases[] = {
        {"", false},  {"0", true},    {"9", true},    {DIGITS_64, true}, {"12a", false},
        {"a", false}, {"1.0", false}, {"-1", false},  {"1-", false},     {"/", false},
        {":", false}, {"1e3", false}, {"0x1", false}, {"\xb2", false},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        size_t len = strlen(cases[i].text);
        char *base = guarded_copy(cases[i].text, len);
        if (breaker__token_is_decimal(base, len) != cases[i].decimal)
            fail_msg("%s", cases[i].text);
        guarded_free(base, len);
    }
}

static void one_byte_that_is_no_digit_is_seen_wherever_it_stands(void **state)
{
    char digits[BREAKER_TOKEN_MAX];

    (void)state;
    memset(digits, '9', sizeof(digits));
    for (size_t len = 1; len <= sizeof(digits); ++len) {
        char *base = guarded_copy(digits, len);
        assert_true(breaker__token_is_decimal(base, len));
        for (size_t at = 0; at != len; ++at) {
            for (int c = 0; c != 256; ++c) {
                base[at] = (char)c;
                if (breaker__token_is_decimal(base, len) != (c >= '0' && c <= '9'))
                    fail_msg("byte 0x%02x at %zu of %zu", (unsigned)c, at, len);
            }
            base[at] = '9';
        }
        guarded_free(base, len);
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* in both directions */
static void check_order(const char *a, const char *b, int expected)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    char *a_base = guarded_copy(a, a_len), *b_base = guarded_copy(b, b_len);

    if (sign(breaker__token_compare(a_base, a_len, b_base, b_len)) != expected ||
        sign(breaker__token_compare(b_base, b_len, a_base, a_len)) != -expected)
        fail_msg("%s against %s", a, b);
    guarded_free(a_base, a_len);
    guarded_free(b_base, b_len);
}

static void decimal_tokens_compare_by_value_at_any_width(void **state)
{
    (void)state;
    check_order("9", "10", -1);
    check_order("999999999999", "1718539201234", -1);
    check_order("1718539201234", "1718539201235", -1);
    check_order("1718539201234", "1718539201234", 0);
    check_order("000000000009", "10", -1);
    check_order("2", "0000000000010", -1);
    check_order(DIGITS_64, "9", 1);
    check_order("1234567890123456789012345678901234567890123456789012345678901233", DIGITS_64, -1);
    check_order("0234567890123456789012345678901234567890123456789012345678901234", DIGITS_64, -1);
    check_order("18446744073709551616", "1", 1);
    check_order("18446744073709551616", "18446744073709551615", 1);
}

static void padding_does_not_count(void **state)
{
    (void)state;
    check_order("1718539201234", "001718539201234", 0);
    check_order("0", "000000000000", 0);
    check_order("0", "1", -1);
    check_order("00", "1", -1);
    check_order("0000000000000000000000000000000000000000000000000000000000000001", "1", 0);
}

static void other_tokens_compare_bytewise(void **state)
{
    (void)state;
    check_order("v1", "v2", -1);
    check_order("v10", "v9", -1);
    check_order("v1", "v1", 0);
    check_order("v1", "v1.1", -1);
    check_order("V1", "v1", -1);
    check_order("a1b2c3d", "a1b2c3e", -1);
    check_order("-", ".", -1);
}

static void a_mixed_pair_compares_bytewise(void **state)
{
    (void)state;
    check_order("1718539201234", "v1", -1);
    check_order("1718539201234", "-a", 1);
    check_order("9", "10a", 1);
    check_order("1718539201234", "1718539201234-a1b2c3d4", -1);
}

static void minted_form_is_twelve_digits_or_more_and_perhaps_a_suffix(void **state)
{
    static const struct {
        const char *text;
        size_t digits;
    } cases[] = {
        {"1718539201234", 13},
        {"000000000000", 12},
        {"99999999999", 0},
        {DIGITS_64, 64},
        {"1718539201234-a1b2c3d4", 13},
        {"000000001000-_~.-Zz09", 12},
        {"1718539201234-12345678", 13},
        {"99999999999-a1b2c3d4", 0},
        {"1718539201234-a1b2c3d", 0},
        {"1718539201234-a1b2c3d4e", 0},
        {"1718539201234.a1b2c3d4", 0},
        {"1718539201234-", 0},
        {"1718539201234-1718539201234", 0},
        {"171853920123a", 0},
        {"v718539201234-a1b2c3d4", 0},
        {"-a1b2c3d4", 0},
        {"4711", 0},
        {"v1.2.3", 0},
        {"da39a3ee5e6b4b0d3255bfef95601890afd80709", 0},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        size_t len = strlen(cases[i].text);
        char *base = guarded_copy(cases[i].text, len);
        if (breaker__token_minted_digits(base, len) != cases[i].digits)
            fail_msg("%s", cases[i].text);
        guarded_free(base, len);
    }
}

static void the_digits_of_minted_tokens_come_before_their_suffixes(void **state)
{
    /* oldest first; padding does not count */
    static const char *const tokens[] = {
        "000000000001",           "999999999999-zzzzzzzz",  "1718539201233-zzzzzzzz",
        "01718539201234",         "1718539201234-00000000", "01718539201234-a1b2c3d4",
        "1718539201234-a1b2c3d5", "1718539201235",          DIGITS_64,
    };

    (void)state;
    for (size_t i = 0; i != sizeof(tokens) / sizeof(tokens[0]); ++i) {
        for (size_t j = 0; j != sizeof(tokens) / sizeof(tokens[0]); ++j) {
            const char *a = tokens[i], *b = tokens[j];
            int expected = (i > j) - (i < j);
            if (sign(breaker__token_compare_minted(a, strlen(a), b, strlen(b))) != expected)
                fail_msg("%s against %s", a, b);
            check_order(a, b, expected);
        }
    }
    check_order("01718539201234-a1b2c3d4", "1718539201234-a1b2c3d4", 0);
}

static void zeros_are_a_number_without_a_value(void **state)
{
    (void)state;
    assert_true(breaker__token_is_zero("0", 1));
    assert_true(breaker__token_is_zero("000000000000", 12));
    assert_false(breaker__token_is_zero("", 0));
    assert_false(breaker__token_is_zero("01", 2));
    assert_false(breaker__token_is_zero("0a", 2));
    assert_false(breaker__token_is_zero("a", 1));
}

static void equal_means_the_same_bytes(void **state)
{
    breaker_token_t a, b, c, none = {0};

    (void)state;
    breaker_token_parse("12", 2, &a);
    breaker_token_parse("12", 2, &b);
    breaker_token_parse("012", 3, &c);
    assert_true(breaker_token_equal(&a, &b));
    assert_false(breaker_token_equal(&a, &c));
    assert_false(breaker_token_equal(&a, &none));
    assert_true(breaker_token_equal(&none, &none));
    memset(b.text + b.len + 1, 'x', 8);
    assert_true(breaker_token_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_judged_by_the_grammar),
        cmocka_unit_test(a_token_has_1_to_64_bytes),
        cmocka_unit_test(dot_segments_are_no_tokens),
        cmocka_unit_test(parsing_copies_and_ends_the_text),
        cmocka_unit_test(what_is_not_a_token_leaves_the_output_alone),
        cmocka_unit_test(a_minted_token_is_the_moment_in_twelve_digits_or_more),
        cmocka_unit_test(minting_ends_where_a_double_would_round),
        cmocka_unit_test(decimal_means_digits_only),
        cmocka_unit_test(one_byte_that_is_no_digit_is_seen_wherever_it_stands),
        cmocka_unit_test(decimal_tokens_compare_by_value_at_any_width),
        cmocka_unit_test(padding_does_not_count),
        cmocka_unit_test(other_tokens_compare_bytewise),
        cmocka_unit_test(a_mixed_pair_compares_bytewise),
        cmocka_unit_test(minted_form_is_twelve_digits_or_more_and_perhaps_a_suffix),
        cmocka_unit_test(the_digits_of_minted_tokens_come_before_their_suffixes),
        cmocka_unit_test(zeros_are_a_number_without_a_value),
        cmocka_unit_test(equal_means_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
