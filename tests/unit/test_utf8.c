/* Texts in UTF-8, whole and in pieces, and all that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "guard.h"
#include "release/kind.h"
#include "release/manifest_read.h"
#include "release/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** In two pieces, cut at every place; each ends at a guard page. */
static void check(const char *base, size_t len, bool expected)
{
    for (size_t cut = 0; cut <= len; ++cut) {
        char *first = guarded_copy(base, cut), *second = guarded_copy(base + cut, len - cut);
        breaker__utf8_t utf8 = {.num_missing = 0};

        breaker__utf8_feed(&utf8, first, cut);
        breaker__utf8_feed(&utf8, second, len - cut);
        if (breaker__utf8_is_text(&utf8) != expected)
            fail_msg("%.*s, cut at %zu", (int)len, base, cut);
        guarded_free(first, cut);
        guarded_free(second, len - cut);
    }
}

static void well_formed_texts_are_texts(void **state)
{
    static const char *const texts[] = {
        "",
        "a",
        "body { color: red }\n",
        "tab\tand\r\nline ends, a DEL \x7f too",
        "\xc2\x80 \xdf\xbf",
        "\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf",
        "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
        "\xef\xbb\xbf"
        "after a mark",
        "eight by\xc3\xa4tes and more of them, and then some \xf0\x9f\x90\x8e"};

    (void)state;
    for (size_t i = 0; i != COUNT(texts); ++i)
        check(texts[i], strlen(texts[i]), true);
}

static void what_is_no_utf8_is_none(void **state)
{
    static const char *const texts[] = {"\x80",
                                        "\xbf",
                                        "\xc0\xaf",
                                        "\xc1\xbf",
                                        "\xc3",
                                        "\xc3(",
                                        "\xe0\x9f\xbf",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf0\x9f\x90",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff\xfe"
                                        "a",
                                        "Stra\xdf"
                                        "e in Latin 1",
                                        "\x1b$B in ISO 2022 \x1b(B",
                                        "many bytes of ASCII before \xe4 one that is not"};

    (void)state;
    for (size_t i = 0; i != COUNT(texts); ++i)
        check(texts[i], strlen(texts[i]), false);
    check("a\0b\0", 4, false);
    check("sixteen bytes of\0", 17, false);
}

static void charsets_are_added_to_texts_without_one(void **state)
{
    static const struct {
        const char *type, *expected;
    } cases[] = {
        {"text/css", "text/css; charset=utf-8"},
        {"Text/HTML", "Text/HTML; charset=utf-8"},
        {"application/javascript", "application/javascript; charset=utf-8"},
        {"text/html; charset=iso-8859-1", "text/html; charset=iso-8859-1"},
        {"application/json", "application/json"},
        {"image/svg+xml", "image/svg+xml"},
        {"application/octet-stream", "application/octet-stream"},
        {"video/mp2t", "text/plain; charset=utf-8"},
    };
    char dst[BREAKER__MANIFEST_TYPE_MAX + BREAKER__CHARSET_SIZE];
    char longest[BREAKER__MANIFEST_TYPE_MAX + 1] = "text/";
    bool compressible;

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        compressible = false;
        assert_string_equal(breaker__type_of_text(cases[i].type, dst, &compressible),
                            cases[i].expected);
        assert_int_equal(compressible, i == COUNT(cases) - 1);
    }
    /* no manifest could carry it with a charset */
    memset(longest + 5, 'x', sizeof(longest) - 6);
    assert_ptr_equal(breaker__type_of_text(longest, dst, &compressible), longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_texts_are_texts),
        cmocka_unit_test(what_is_no_utf8_is_none),
        cmocka_unit_test(charsets_are_added_to_texts_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
