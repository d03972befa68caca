/* The error table, and how the story of a failure is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/error.h>

static const struct {
    int code;
    const char *name, *message;
} rows[] = {
#define X(name, value, message) {value, "BREAKER_ERR_" #name, message},
    BREAKER_ERRORS(X)
#undef X
};

enum { NUM_ROWS = sizeof(rows) / sizeof(rows[0]) };

static void every_code_has_its_name_and_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i != NUM_ROWS; ++i) {
        assert_string_equal(breaker_err_name(rows[i].code), rows[i].name);
        assert_string_equal(breaker_err_message(rows[i].code), rows[i].message);
    }
    assert_string_equal(breaker_err_name(BREAKER_ERR_TOKEN_SYNTAX), "BREAKER_ERR_TOKEN_SYNTAX");
}

static void codes_are_negative_and_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i != NUM_ROWS; ++i) {
        assert_true(rows[i].code < 0);
        for (size_t j = 0; j != i; ++j)
            assert_int_not_equal(rows[i].code, rows[j].code);
    }
}

static void sentences_are_one_line_that_fits_a_story(void **state)
{
    (void)state;
    for (size_t i = 0; i != NUM_ROWS; ++i) {
        assert_in_range(strlen(rows[i].message), 1, 200);
        for (const char *p = rows[i].message; *p != '\0'; ++p)
            assert_in_range(*p, 0x20, 0x7e);
    }
}

static void unknown_codes_are_said_to_be_unknown(void **state)
{
    static const int codes[] = {0, 1, -1000, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i != sizeof(codes) / sizeof(codes[0]); ++i) {
        assert_string_equal(breaker_err_name(codes[i]), "BREAKER_ERR_UNKNOWN");
        assert_string_equal(breaker_err_message(codes[i]), "unknown error");
    }
}

static void a_story_is_formatted_and_its_code_returned(void **state)
{
    breaker_error_t error;

    (void)state;
    assert_int_equal(breaker_error_set(&error, BREAKER_ERR_IO, "%s: %d", "/srv/a", 13),
                     BREAKER_ERR_IO);
    assert_int_equal(error.code, BREAKER_ERR_IO);
    assert_string_equal(error.message, "/srv/a: 13");
}

static void a_story_without_a_place_only_returns_the_code(void **state)
{
    (void)state;
    assert_int_equal(breaker_error_set(NULL, BREAKER_ERR_RANGE, "%s", "x"), BREAKER_ERR_RANGE);
}

static void control_characters_become_question_marks(void **state)
{
    breaker_error_t error;

    (void)state;
    breaker_error_set(&error, BREAKER_ERR_IO, "%s", "a\nb\tc\x7f\x1b[0m \xc3\xa4");
    assert_string_equal(error.message, "a?b?c??[0m \xc3\xa4");
}

static void a_long_story_is_cut_and_ended(void **state)
{
    breaker_error_t error;
    char longer[2 * sizeof(error.message)];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    breaker_error_set(&error, BREAKER_ERR_IO, "%s", longer);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    assert_memory_equal(error.message, longer, sizeof(error.message) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name_and_sentence),
        cmocka_unit_test(codes_are_negative_and_unique),
        cmocka_unit_test(sentences_are_one_line_that_fits_a_story),
        cmocka_unit_test(unknown_codes_are_said_to_be_unknown),
        cmocka_unit_test(a_story_is_formatted_and_its_code_returned),
        cmocka_unit_test(a_story_without_a_place_only_returns_the_code),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(a_long_story_is_cut_and_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
