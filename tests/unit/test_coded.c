/*
 * Names that say that their bytes are encoded, and whether the bytes are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include "encoding/coded.h"
#include "encoding/coding.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BR (1u << BREAKER_ENCODING_BROTLI)
#define ZSTD (1u << BREAKER_ENCODING_ZSTD)
#define GZIP (1u << BREAKER_ENCODING_GZIP)

static void names_are_taken_at_their_last_suffix(void **state)
{
    static const struct {
        const char *path;
        unsigned codings;
        const char *inner;
        bool without_option;
    } cases[] = {
        {"logo.svgz", GZIP, "logo.svgz", true},
        {"a/LOGO.SVGZ", GZIP, "a/LOGO.SVGZ", true},
        {"a.js.gz", GZIP, "a.js", false},
        {"a/b.data.br", BR, "a/b.data", false},
        {"a.json.zst", ZSTD, "a.json", false},
        {"a.wasm.unityweb", BR | GZIP, "a.wasm", false},
        {"A.JS.GZ", GZIP, "A.JS", false},
        {"a.tar.b.gz", GZIP, "a.tar.b", false},
        {"x.y/a.js.gz", GZIP, "x.y/a.js", false},
        {"a.tar.gz", 0, NULL, false},
        {"a.TAR.br", 0, NULL, false},
        {"a.tgz", 0, NULL, false},
        {"dump.gz", 0, NULL, false},
        {"x.y/dump.gz", 0, NULL, false},
        {".js.gz", 0, NULL, false},
        {"a..gz", 0, NULL, false},
        {"a/.svgz", 0, NULL, false},
        {".svgz", 0, NULL, false},
        {".gz", 0, NULL, false},
        {"gz", 0, NULL, false},
        {"a.js", 0, NULL, false},
        {"a.js.gzip", 0, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        size_t len = strlen(cases[i].path);
        char *path = guarded_copy(cases[i].path, len);
        for (int has_option = 0; has_option != 2; ++has_option) {
            bool expected = cases[i].codings != 0 && (has_option || cases[i].without_option);
            breaker__coded_name_t name;
            if (breaker__coded_name(path, len, has_option != 0, &name) != expected)
                fail_msg("%s", cases[i].path);
            if (!expected)
                continue;
            assert_int_equal(name.codings, cases[i].codings);
            assert_int_equal(name.inner_len, strlen(cases[i].inner));
        }
        guarded_free(path, len);
    }
}

static breaker_encoding_t coding_of(const char *base, size_t len, unsigned codings)
{
    char *copy = guarded_copy(base, len);
    const breaker_variant_t bytes = {.base = copy, .len = len, .fd = -1, .memory_fd = -1};
    breaker_encoding_t coding = breaker__coding_of_bytes(&bytes, codings);

    guarded_free(copy, len);
    return coding;
}

/* what some text is in an encoding, in memory of the caller's */
static char *encode(breaker_encoding_t encoding, size_t text_len, bool is_noise, size_t *ret_len)
{
    char *text = malloc(text_len), *encoded = malloc(text_len + 1000);
    static const atomic_bool stop;
    breaker__pace_t pace;
    uint32_t seed = 1;

    breaker__pace_init(&pace, &stop, 100);
    for (size_t i = 0; i != text_len; ++i) {
        seed = seed * 1664525 + 1013904223;
        text[i] = is_noise ? (char)(seed >> 24) : 'a';
    }
    assert_int_equal(
        breaker__encode(encoding, text, text_len, encoded, text_len + 1000, &pace, ret_len), 0);
    free(text);
    return encoded;
}

static void bytes_are_decoded_to_be_believed(void **state)
{
    /* small; more than one piece comes out; more than the prefix goes in */
    static const struct {
        size_t len;
        bool is_noise;
    } texts[] = {{1, false}, {5000, false}, {3 << 20, false}, {200000, true}};

    (void)state;
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        for (size_t i = 0; i != COUNT(texts); ++i) {
            size_t len;
            char *encoded = encode((breaker_encoding_t)e, texts[i].len, texts[i].is_noise, &len);
            assert_int_equal(coding_of(encoded, len, 1u << e), e);
            assert_int_equal(coding_of(encoded, len, BR | ZSTD | GZIP), e);
            if (e != BREAKER_ENCODING_GZIP)
                assert_int_equal(coding_of(encoded, len, GZIP), BREAKER_ENCODING_IDENTITY);
            if (e != BREAKER_ENCODING_ZSTD)
                assert_int_equal(coding_of(encoded, len, ZSTD), BREAKER_ENCODING_IDENTITY);
            /* one that was cut off is none, as far as that can be seen */
            if (len <= 65536 && texts[i].len < 1 << 20)
                assert_int_equal(coding_of(encoded, len - 1, 1u << e), BREAKER_ENCODING_IDENTITY);
            free(encoded);
        }
}

static void what_is_in_no_coding_is_known(void **state)
{
    static const char *const texts[] = {"", "\x1f\x8b", "export {}\n", "<svg/>",
                                        "\x28\xb5\x2f\xfd"};

    (void)state;
    for (size_t i = 0; i != COUNT(texts); ++i)
        assert_int_equal(coding_of(texts[i], strlen(texts[i]), BR | ZSTD | GZIP),
                         BREAKER_ENCODING_IDENTITY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_at_their_last_suffix),
        cmocka_unit_test(bytes_are_decoded_to_be_believed),
        cmocka_unit_test(what_is_in_no_coding_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
