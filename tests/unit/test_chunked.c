/*
 * Chunked bodies by the letter, in one piece, in every two pieces, and byte by byte. Inputs end at
 * a guard page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "guard.h"
#include "upstream/wire/chunked.h"

typedef struct st_body_t {
    char bytes[256];
    size_t len;
} body_t;

/* gives one more piece of the text to the decoder, and adds what comes of it to the body */
static ssize_t feed(struct phr_chunked_decoder *decoder, const char *text, size_t len, body_t *body)
{
    char *copy = guarded_copy(text, len);
    size_t left = len;
    ssize_t result = breaker__chunked_decode(decoder, copy, &left);

    assert_true(left <= len);
    assert_true(body->len + left <= sizeof(body->bytes));
    memcpy(body->bytes + body->len, copy, left);
    body->len += left;
    if (result >= 0)
        assert_memory_equal(copy + left, text + len - result, (size_t)result);
    guarded_free(copy, len);
    return result;
}

/* the result for the pieces [0, split) and [split, len) */
static ssize_t decode(const char *text, size_t len, size_t split, body_t *body)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    ssize_t result;

    body->len = 0;
    result = feed(&decoder, text, split, body);
    if (result >= 0)
        return result + (ssize_t)(len - split);
    return result == PHR_INCOMPLETE ? feed(&decoder, text + split, len - split, body) : result;
}

static ssize_t decode_bytewise(const char *text, size_t len, body_t *body)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    ssize_t result = PHR_INCOMPLETE;

    body->len = 0;
    for (size_t i = 0; i != len && result == PHR_INCOMPLETE; ++i)
        if ((result = feed(&decoder, text + i, 1, body)) >= 0)
            return (ssize_t)(len - i - 1);
    return result;
}

static ssize_t check(const char *text, size_t len)
{
    char *copy = guarded_copy(text, len);
    ssize_t result = breaker__chunked_check(copy, len);

    guarded_free(copy, len);
    return result;
}

static void assert_decoded(const char *text, ssize_t expected, const char *content)
{
    size_t len = strlen(text);
    body_t body;

    for (size_t split = 0; split <= len; ++split) {
        if (decode(text, len, split, &body) != expected)
            fail_msg("\"%s\", in pieces at %zu", text, split);
        if (content != NULL &&
            (body.len != strlen(content) || memcmp(body.bytes, content, body.len) != 0))
            fail_msg("\"%s\" becomes \"%.*s\"", text, (int)body.len, body.bytes);
    }
    assert_int_equal(decode_bytewise(text, len, &body), expected);
    assert_int_equal(check(text, len), expected);
}

static void what_the_grammar_allows_is_read(void **state)
{
    (void)state;
    assert_decoded("0\r\n\r\n", 0, "");
    assert_decoded("5\r\nhello\r\n0\r\n\r\n", 0, "hello");
    assert_decoded("05;a;b=\"c d\" ; e = f\r\nhello\r\n000;z\r\n\r\n", 0, "hello");
    assert_decoded("5 \t; \ta\r\nhello\r\n0\r\n\r\n", 0, "hello");
    assert_decoded("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 0, "hello");
    assert_decoded("0A\r\n0\r\n\r\n\r\n012\r\n0\r\n\r\n", 0, "0\r\n\r\n\r\n012");
    assert_decoded("1\r\na\r\n0\r\nx: y\r\nempty:\r\nz:\ta\r\n\r\n", 0, "a");
}

static void what_follows_the_body_is_left(void **state)
{
    (void)state;
    assert_decoded("0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 18, "");
    assert_decoded("5\r\nhello\r\n0\r\n\r\n5\r\nhello", 8, "hello");
}

static void what_has_not_come_is_awaited(void **state)
{
    static const char text[] = "5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n";
    body_t body;
    (void)state;

    for (size_t len = 0; len != sizeof(text) - 1; ++len) {
        assert_int_equal(decode(text, len, len / 2, &body), PHR_INCOMPLETE);
        assert_int_equal(check(text, len), PHR_INCOMPLETE);
    }
}

static void what_it_does_not_allow_is_malformed(void **state)
{
    static const char *const texts[] = {
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\n",
        "5,0\r\n",
        "5.\r\n",
        " 5\r\n",
        "\t5\r\n",
        "5 \r\n",
        "5\t\r\n",
        "+5\r\n",
        "-5\r\n",
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "5 5\r\n",
        "\xb5\r\n",
        "5;\r\n",
        "5; \r\n",
        "5;;a\r\n",
        "5;=b\r\n",
        "5;a\x01\r\n",
        "5;a\x7f\r\n",
        "5;a\rb",
        "5\nhello",
        "5;a\nhello",
        "5\r\r\n",
        "5\rh",
        "5\r\nhello\n",
        "5\r\nhello0",
        "5\r\nhello\r\r",
        "5\r\nhello!",
        "0\n",
        "0\r\n\n",
        "0\r\n\ra",
        "0\r\na\r\n",
        "0\r\na b: c\r\n",
        "0\r\n a: b\r\n",
        "0\r\n: b\r\n",
        "0\r\na: b\n",
        "0\r\na: b\rc",
        "0\r\na: \x01\r\n",
        /* 17 digits, whatever their number is */
        "00000000000000005",
        "10000000000000000",
        "fffffffffffffffff",
    };
    (void)state;

    for (size_t i = 0; i != sizeof(texts) / sizeof(texts[0]); ++i)
        assert_decoded(texts[i], PHR_MALFORMED, NULL);
}

static void a_nul_is_malformed_anywhere_in_the_framing(void **state)
{
    static const char text[] = "5;a\r\nhello\r\n0\r\nx: y\r\n\r\n";
    char spoilt[sizeof(text)];
    (void)state;

    for (size_t at = 0; at != sizeof(text) - 1; ++at) {
        memcpy(spoilt, text, sizeof(text));
        spoilt[at] = '\0';
        /* "hello" may be anything */
        assert_int_equal(check(spoilt, sizeof(text) - 1), at >= 5 && at < 10 ? 0 : PHR_MALFORMED);
    }
}

static void the_largest_size_is_awaited(void **state)
{
    (void)state;
    assert_decoded("ffffffffffffffff\r\nhello", PHR_INCOMPLETE, "hello");
}

static void blanks_after_a_size_are_for_whom_they_are_allowed(void **state)
{
    static const char text[] = "5 \t\r\nhello\r\n0  \r\n\r\n";
    struct phr_chunked_decoder strict = {.consume_trailer = 1},
                               padded = {.consume_trailer = BREAKER__CHUNKS_PADDED};
    body_t body = {.len = 0};
    (void)state;

    assert_int_equal(feed(&strict, text, sizeof(text) - 1, &body), PHR_MALFORMED);
    body.len = 0;
    assert_int_equal(feed(&padded, text, sizeof(text) - 1, &body), 0);
    assert_int_equal(body.len, 5);
    assert_memory_equal(body.bytes, "hello", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_after_a_size_are_for_whom_they_are_allowed),
        cmocka_unit_test(what_the_grammar_allows_is_read),
        cmocka_unit_test(what_follows_the_body_is_left),
        cmocka_unit_test(what_has_not_come_is_awaited),
        cmocka_unit_test(what_it_does_not_allow_is_malformed),
        cmocka_unit_test(a_nul_is_malformed_anywhere_in_the_framing),
        cmocka_unit_test(the_largest_size_is_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
