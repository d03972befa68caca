/* The id of a release: label and digest in one word, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/release_id.h>
#include "guard.h"
#include "release/release_id.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* SHA-256 of "test" */
#define DIGEST "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
#define OTHER "N4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"

static const uint8_t digest[] = {0x9f, 0x86, 0xd0, 0x81, 0x88, 0x4c, 0x7d, 0x65, 0x9a, 0x2f, 0xea,
                                 0xa0, 0xc5, 0x5a, 0xd0, 0x15, 0xa3, 0xbf, 0x4f, 0x1b, 0x2b, 0x0b,
                                 0x82, 0x2c, 0xd1, 0x5d, 0x6c, 0x15, 0xb0, 0xf0, 0x0a, 0x08};

static breaker_token_t label_of(const char *text)
{
    breaker_token_t label = {.len = 0};

    if (text[0] != '\0')
        assert_int_equal(breaker_token_parse(text, strlen(text), &label), 0);
    return label;
}

static breaker_release_id_t id_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static void label_and_digest_make_one_word_that_comes_apart_again(void **state)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890abc";
    static const char *const labels[] = {"", "r", "2026.11.23-1", "~", "a~b~", DIGEST, longest};
    (void)state;

    for (size_t i = 0; i != COUNT(labels); ++i) {
        breaker_token_t label = label_of(labels[i]);
        breaker_release_id_t id = breaker__release_id_make(&label, digest), again;
        assert_int_equal(id.len, strlen(id.text));
        assert_int_equal(breaker_release_id_parse(id.text, id.len, &again), 0);
        assert_true(breaker_release_id_equal(&id, &again));
        assert_int_equal(breaker_release_id_label_len(&again), strlen(labels[i]));
        assert_memory_equal(again.text, labels[i], strlen(labels[i]));
        assert_string_equal(breaker_release_id_digest(&again), DIGEST);
    }
}

static void the_word_is_the_one_that_is_documented(void **state)
{
    breaker_token_t none = label_of(""), label = label_of("2026.11.23-1");
    (void)state;

    assert_string_equal(breaker__release_id_make(&none, digest).text, DIGEST);
    assert_string_equal(breaker__release_id_make(&label, digest).text, "2026.11.23-1~" DIGEST);
}

/* those of other versions, of a cluster that shares its files, and what is almost one of ours */
static void other_words_are_all_label(void **state)
{
    static const char *const words[] = {
        "any",
        "2026.11.23-1",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "~" DIGEST,
        "r1." DIGEST,
        "r1~x" DIGEST,
        "r1~" DIGEST "x",
        "r1~.4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
    };
    (void)state;

    for (size_t i = 0; i != COUNT(words); ++i) {
        breaker_release_id_t id = id_of(words[i]), shown = breaker_release_id_shorten(&id);
        assert_null(breaker_release_id_digest(&id));
        assert_int_equal(breaker_release_id_label_len(&id), strlen(words[i]));
        assert_string_equal(shown.text, words[i]);
    }
}

static void words_outside_the_grammar_are_refused_and_change_nothing(void **state)
{
    static const char *const words[] = {"",          ".",   "..",    "a b",       "a/b",
                                        "r\xc3\xa4", "r\n", "r1~a=", "r1 " DIGEST};
    breaker_release_id_t id = id_of("before");
    char longest[BREAKER_RELEASE_ID_MAX + 1];
    (void)state;

    for (size_t i = 0; i != COUNT(words); ++i) {
        size_t len = strlen(words[i]);
        char *text = guarded_copy(words[i], len);
        assert_false(breaker__release_id_is_valid(text, len));
        assert_int_equal(breaker_release_id_parse(text, len, &id), BREAKER_ERR_RELEASE_SYNTAX);
        guarded_free(text, len);
    }
    memset(longest, 'a', sizeof(longest));
    assert_false(breaker__release_id_is_valid(longest, BREAKER_RELEASE_ID_MAX + 1));
    assert_string_equal(id.text, "before");
    assert_int_equal(breaker_release_id_parse(longest, BREAKER_RELEASE_ID_MAX, &id), 0);
    assert_int_equal(id.len, BREAKER_RELEASE_ID_MAX);
}

static void one_label_with_two_digests_is_a_clash(void **state)
{
    static const struct {
        const char *a, *b;
        bool clashes;
    } cases[] = {
        {"r1~" DIGEST, "r1~" OTHER, true},    {"r1~" DIGEST, "r1~" DIGEST, false},
        {"r1~" DIGEST, "r2~" OTHER, false},   {DIGEST, OTHER, false},
        {"r1", "r1~" OTHER, false},           {"r~1~" DIGEST, "r~1~" OTHER, true},
        {"r1~" DIGEST, "r1~1~" OTHER, false}, {"any", "any", false},
    };
    (void)state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_release_id_t a = id_of(cases[i].a), b = id_of(cases[i].b);
        assert_int_equal(breaker__release_id_clashes(&a, &b), cases[i].clashes);
        assert_int_equal(breaker__release_id_clashes(&b, &a), cases[i].clashes);
        assert_int_equal(breaker_release_id_equal(&a, &b), strcmp(cases[i].a, cases[i].b) == 0);
    }
}

static void people_are_shown_the_label_and_the_digests_beginning(void **state)
{
    breaker_release_id_t labelled = id_of("r1~" DIGEST), plain = id_of(DIGEST), shown;
    (void)state;

    shown = breaker_release_id_shorten(&labelled);
    assert_string_equal(shown.text, "r1~n4bQgYhM");
    assert_int_equal(shown.len, 11);
    shown = breaker_release_id_shorten(&plain);
    assert_string_equal(shown.text, "n4bQgYhM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_and_digest_make_one_word_that_comes_apart_again),
        cmocka_unit_test(the_word_is_the_one_that_is_documented),
        cmocka_unit_test(other_words_are_all_label),
        cmocka_unit_test(words_outside_the_grammar_are_refused_and_change_nothing),
        cmocka_unit_test(one_label_with_two_digests_is_a_clash),
        cmocka_unit_test(people_are_shown_the_label_and_the_digests_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
