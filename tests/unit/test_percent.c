/* Percent-encoding: what stands for itself, what does not, and that nothing is read or written
 * beyond its room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/http/percent.h>
#include "guard.h"
#include "http/percent.h"

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

typedef size_t (*convert_t)(const char *src, size_t len, char *dst);

typedef struct st_row_t {
    const char *src;
    size_t len;
    const char *expected;
} row_t;

#define ROW(src, expected)                                                                         \
    {                                                                                              \
        src, sizeof(src) - 1, expected                                                             \
    }

/** Converts between two guard pages: `dst` has exactly the room that the contract asks for. */
static void check(convert_t convert, const row_t *row)
{
    char *src = guarded_copy(row->src, row->len), *dst = guarded_alloc(3 * row->len);
    size_t expected_len = strlen(row->expected), len = convert(src, row->len, dst);

    if (len != expected_len || memcmp(dst, row->expected, len) != 0)
        fail_msg("'%s' became '%.*s', not '%s'", row->src, (int)len, dst, row->expected);
    guarded_free(src, row->len);
    guarded_free(dst, 3 * row->len);
}

static void every_byte_is_encoded_unless_it_may_stand_in_a_path(void **state)
{
    (void)state;
    for (int c = 0; c != 256; ++c) {
        char byte = (char)c, expected[4] = {byte, '\0'};
        row_t row = {&byte, 1, expected};
        if (c == 0 || strchr(UNRESERVED "!$&'()*+,;=:@/", c) == NULL)
            snprintf(expected, sizeof(expected), "%%%02X", (unsigned)c);
        check(breaker__percent_encode, &row);
    }
}

static void every_byte_is_repaired_unless_it_may_stand_in_a_path_or_query(void **state)
{
    (void)state;
    for (int c = 0; c != 256; ++c) {
        char byte = (char)c, expected[4] = {byte, '\0'};
        row_t row = {&byte, 1, expected};
        if (c == 0 || strchr(UNRESERVED "!$&'()*+,;=:@/%?[]", c) == NULL)
            snprintf(expected, sizeof(expected), "%%%02X", (unsigned)c);
        check(breaker_percent_repair, &row);
    }
}

static void paths_are_encoded(void **state)
{
    static const row_t rows[] = {
        ROW("", ""),
        ROW("css/site.css", "css/site.css"),
        ROW("a b.txt", "a%20b.txt"),
        ROW("100%.png", "100%25.png"),
        ROW("%41", "%2541"),
        ROW("what?.html", "what%3F.html"),
        ROW("c#/readme", "c%23/readme"),
        ROW("fonts/M\xc3\xbcller.woff2", "fonts/M%C3%BCller.woff2"),
        ROW("[id].js", "%5Bid%5D.js"),
        ROW("{breaker}", "%7Bbreaker%7D"),
        ROW("a\0b", "a%00b"),
        ROW("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie:%20x"),
        ROW("jquery@3.6.0+esm/index.mjs", "jquery@3.6.0+esm/index.mjs"),
        ROW("\xff\xff\xff\xff", "%FF%FF%FF%FF"),
    };

    (void)state;
    for (size_t i = 0; i != sizeof(rows) / sizeof(rows[0]); ++i)
        check(breaker__percent_encode, &rows[i]);
}

static void raw_paths_and_queries_are_repaired(void **state)
{
    static const row_t rows[] = {
        ROW("", ""),
        ROW("/static/1/a.css?v=1&w=%20", "/static/1/a.css?v=1&w=%20"),
        ROW("/a%2fb%2Fc%", "/a%2fb%2Fc%"),
        ROW("/a?b?c", "/a?b?c"),
        ROW("/a b\tc", "/a%20b%09c"),
        ROW("/a\"<>\\^`{|}", "/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ROW("/a#b", "/a%23b"),
        ROW("/\xe4\xbd\xa0", "/%E4%BD%A0"),
        ROW("/a\r\nLocation: //evil", "/a%0D%0ALocation:%20//evil"),
        ROW("/a\x7f\x80", "/a%7F%80"),
        ROW("/a[0]", "/a[0]"),
    };

    (void)state;
    for (size_t i = 0; i != sizeof(rows) / sizeof(rows[0]); ++i)
        check(breaker_percent_repair, &rows[i]);
}

static void paths_are_clean_without_control_bytes_and_backslashes(void **state)
{
    (void)state;
    for (int c = 0; c != 256; ++c) {
        bool expected = c >= 0x20 && c != 0x7f && c != '\\';
        for (size_t at = 0; at != 3; ++at) {
            char *path = guarded_copy("/ab", 3);
            path[at] = (char)c;
            if (breaker__path_is_clean(path, 3) != expected)
                fail_msg("byte 0x%02x at %zu", (unsigned)c, at);
            guarded_free(path, 3);
        }
    }
}

static void a_byte_counts_wherever_it_stands(void **state)
{
    (void)state;

    for (size_t len = 1; len <= 25; ++len) {
        char *path = guarded_alloc(len);
        for (size_t at = 0; at != len; ++at) {
            for (int byte = 0; byte != 256; ++byte) {
                memset(path, 0xff, len);
                path[at] = (char)byte;
                if (breaker__path_is_clean(path, len) !=
                    (byte >= 0x20 && byte != 0x7f && byte != '\\'))
                    fail_msg("byte 0x%02x at %zu of %zu", byte, at, len);
            }
        }
        guarded_free(path, len);
    }
}

static void the_empty_path_is_clean(void **state)
{
    char *path = guarded_alloc(0);

    (void)state;
    assert_true(breaker__path_is_clean(path, 0));
    guarded_free(path, 0);
}

static void segments_are_names_unless_a_client_removes_them(void **state)
{
    static const char *const names[] = {"a", "a/b", "...", ".a/..b/c.", " "};
    static const char *const others[] = {"",   "/",    "/a",   "a/",  "a//b",   ".",    "./a",
                                         "..", "../a", "a/..", "a/.", "a/../b", "a/./b"};

    (void)state;
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        assert_true(breaker__path_has_names_only(names[i], strlen(names[i])));
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        assert_false(breaker__path_has_names_only(others[i], strlen(others[i])));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_encoded_unless_it_may_stand_in_a_path),
        cmocka_unit_test(every_byte_is_repaired_unless_it_may_stand_in_a_path_or_query),
        cmocka_unit_test(paths_are_encoded),
        cmocka_unit_test(raw_paths_and_queries_are_repaired),
        cmocka_unit_test(paths_are_clean_without_control_bytes_and_backslashes),
        cmocka_unit_test(a_byte_counts_wherever_it_stands),
        cmocka_unit_test(the_empty_path_is_clean),
        cmocka_unit_test(segments_are_names_unless_a_client_removes_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
