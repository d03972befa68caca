/*
 * Which requests are plain. Inputs end at a guard page, so that reading one byte too far is seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fastpath/plain.h"
#include "guard.h"

/* reads a copy of the text; what `*plain` points at is gone afterwards */
static ssize_t read_text(const char *text, size_t len, breaker__plain_t *plain)
{
    char *copy = guarded_copy(text, len);
    ssize_t taken;

    plain->parse = breaker__plain_parser();
    taken = breaker__plain_read(copy, len, plain);
    guarded_free(copy, len);
    return taken;
}

static bool is_plain(const char *text)
{
    breaker__plain_t plain;
    ssize_t taken = read_text(text, strlen(text), &plain);

    assert_true(taken <= (ssize_t)strlen(text));
    return taken > 0;
}

#define HOST "Host: localhost\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST
#define FIELD(line) GET("/static/1/a.css") line "\r\n\r\n"

static void requests_of_browsers_are_plain(void **state)
{
    static const char *const texts[] = {
        GET("/static/1/a.css") "\r\n",
        "HEAD /static/1/a.css HTTP/1.1\r\n" HOST "\r\n",
        GET("/static/1/a.css?v=%20/./..") "\r\n",
        GET("/static/1/dir/") "\r\n",
        GET("/") "\r\n",
        GET("/static/1/a..css") "\r\n",
        GET("/static/1/a.") "\r\n",
        GET("//static") "\r\n",
        FIELD("Connection: keep-alive"),
        FIELD("connection: Keep-Alive"),
        FIELD("Accept: text/css,*/*;q=0.1\r\nAccept-Encoding: gzip, deflate, br, zstd"),
        FIELD("If-None-Match: \"x\""),
        FIELD("Range: bytes=0-9\r\nIf-Range: \"x\""),
        FIELD("If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT"),
        FIELD("Cookie: a=b\r\nUser-Agent: Mozilla/5.0\r\nReferer: http://localhost/\r\nX: "),
    };
    (void)state;

    for (size_t i = 0; i != sizeof(texts) / sizeof(texts[0]); ++i)
        if (!is_plain(texts[i]))
            fail_msg("not plain: %s", texts[i]);
}

static void everything_else_is_for_libh2o(void **state)
{
    static const char *const texts[] = {
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /static/1/a.css HTTP/1.1\r\n" HOST "\r\n",
        "get /static/1/a.css HTTP/1.1\r\n" HOST "\r\n",
        "OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
        "GET /static/1/a.css HTTP/1.0\r\n" HOST "\r\n",
        "GET /static/1/a.css HTTP/1.2\r\n" HOST "\r\n",
        "GET /static/1/a.css\r\n\r\n",
        "GET http://localhost/static/1/a.css HTTP/1.1\r\n" HOST "\r\n",
        "GET ?x HTTP/1.1\r\n" HOST "\r\n",
        GET("static/1/a.css") "\r\n",
        GET("/static/1/a%2ecss") "\r\n",
        GET("/static/1/../a.css") "\r\n",
        GET("/static/1/.hidden") "\r\n",
        GET("/static/1/.") "\r\n",
        GET("/.") "\r\n",
        FIELD("Connection: close"),
        FIELD("Connection: upgrade"),
        FIELD("Connection: keep-alive, upgrade"),
        FIELD("Connection: keep-alive\r\nConnection: close"),
        FIELD("Upgrade: h2c"),
        FIELD("UPGRADE: websocket"),
        FIELD("Expect: 100-continue"),
        FIELD("Content-Length: 0"),
        FIELD("content-length: 5"),
        FIELD("Transfer-Encoding: chunked"),
        FIELD("Range: bytes=0-1\r\nrange: bytes=3-4"),
        FIELD("Accept-Encoding: br\r\nAccept-Encoding: gzip"),
        FIELD("If-None-Match: \"a\"\r\nIf-None-Match: \"b\""),
        FIELD("If-Match: \"a\"\r\nIf-Match: \"b\""),
        FIELD("X: folded\r\n  line"),
        FIELD("X : blank"),
        FIELD("X\x01: control"),
        FIELD("X: \x01"),
        "GET /static/\x01/a.css HTTP/1.1\r\n" HOST "\r\n",
        "GET /static/1/a b.css HTTP/1.1\r\n" HOST "\r\n",
    };
    (void)state;

    for (size_t i = 0; i != sizeof(texts) / sizeof(texts[0]); ++i)
        if (is_plain(texts[i]))
            fail_msg("plain: %s", texts[i]);
}

static void a_request_is_not_plain_before_its_last_byte(void **state)
{
    static const char text[] = FIELD("Accept-Encoding: br\r\nRange: bytes=0-9");
    breaker__plain_t plain;
    (void)state;

    for (size_t len = 0; len != sizeof(text) - 1; ++len)
        assert_int_equal(read_text(text, len, &plain), BREAKER__PLAIN_INCOMPLETE);
    assert_int_equal(read_text(text, sizeof(text) - 1, &plain), sizeof(text) - 1);
}

static void what_follows_a_request_is_left_alone(void **state)
{
    static const char first[] = GET("/static/1/a.css") "\r\n";
    static const char both[] = GET("/static/1/a.css") "\r\n" GET("/static/1/b.css");
    breaker__plain_t plain;
    (void)state;

    assert_int_equal(read_text(both, sizeof(both) - 1, &plain), sizeof(first) - 1);
}

static void assert_field(breaker_field_t field, const char *text)
{
    assert_non_null(field.base);
    assert_int_equal(field.len, strlen(text));
    assert_memory_equal(field.base, text, field.len);
}

static void target_and_fields_are_found(void **state)
{
    static const char text[] =
        "HEAD /static/1/a.css?q=1 HTTP/1.1\r\nhOsT: x\r\nACCEPT-ENCODING: br, "
        "gzip\r\nRange:bytes=1-\r\n"
        "If-Range: \"r\"\r\nIf-Match: \"m\"\r\nif-none-match: \"n\"\r\nIf-Modified-Since: today\r\n"
        "If-Unmodified-Since: tomorrow\r\n\r\n";
    breaker__plain_t plain = {.parse = breaker__plain_parser()};
    (void)state;

    assert_int_equal(breaker__plain_read(text, sizeof(text) - 1, &plain), sizeof(text) - 1);
    assert_true(plain.request.is_head);
    assert_int_equal(plain.request.target_len, strlen("/static/1/a.css?q=1"));
    assert_int_equal(plain.path_len, strlen("/static/1/a.css"));
    assert_memory_equal(plain.request.target, "/static/1/a.css?q=1", plain.request.target_len);
    assert_field(plain.request.fields.accept_encoding, "br, gzip");
    assert_field(plain.request.fields.range, "bytes=1-");
    assert_field(plain.request.fields.if_range, "\"r\"");
    assert_field(plain.request.fields.conditions.if_match, "\"m\"");
    assert_field(plain.request.fields.conditions.if_none_match, "\"n\"");
    assert_field(plain.request.fields.conditions.if_modified_since, "today");
    assert_field(plain.request.fields.conditions.if_unmodified_since, "tomorrow");
}

static void absent_fields_are_absent(void **state)
{
    static const char text[] = GET("/static/1/a.css") "X-Range: bytes=0-1\r\n\r\n";
    breaker__plain_t plain;
    (void)state;

    memset(&plain, 0xff, sizeof(plain));
    plain.parse = breaker__plain_parser();
    assert_int_equal(breaker__plain_read(text, sizeof(text) - 1, &plain), sizeof(text) - 1);
    assert_false(plain.request.is_head);
    assert_null(plain.request.fields.range.base);
    assert_null(plain.request.fields.if_range.base);
    assert_null(plain.request.fields.accept_encoding.base);
    assert_null(plain.request.fields.conditions.if_match.base);
    assert_null(plain.request.fields.conditions.if_none_match.base);
    assert_null(plain.request.fields.conditions.if_modified_since.base);
    assert_null(plain.request.fields.conditions.if_unmodified_since.base);
}

static void a_request_with_more_than_48_fields_is_not_plain(void **state)
{
    char text[4096];
    (void)state;

    for (int fields = 47; fields <= 49; ++fields) {
        int len = sprintf(text, "GET /static/1/a.css HTTP/1.1\r\n");
        for (int i = 0; i != fields; ++i)
            len += sprintf(text + len, "X-%d: y\r\n", i);
        sprintf(text + len, "\r\n");
        assert_int_equal(is_plain(text), fields <= 48);
    }
}

static void a_target_of_more_than_8192_bytes_is_not_plain(void **state)
{
    static char text[BREAKER__TARGET_MAX + 256];
    (void)state;

    for (int target = BREAKER__TARGET_MAX - 1; target <= BREAKER__TARGET_MAX + 1; ++target) {
        int len = sprintf(text, "GET /");
        memset(text + len, 'a', (size_t)target - 1);
        sprintf(text + len + target - 1, " HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(is_plain(text), target <= BREAKER__TARGET_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_browsers_are_plain),
        cmocka_unit_test(everything_else_is_for_libh2o),
        cmocka_unit_test(a_request_is_not_plain_before_its_last_byte),
        cmocka_unit_test(what_follows_a_request_is_left_alone),
        cmocka_unit_test(target_and_fields_are_found),
        cmocka_unit_test(absent_fields_are_absent),
        cmocka_unit_test(a_request_with_more_than_48_fields_is_not_plain),
        cmocka_unit_test(a_target_of_more_than_8192_bytes_is_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
