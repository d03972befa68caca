/* Range: every row is a field value, a size, and what is to be sent. Every input ends at a guard
 * page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/http/range.h>
#include "guard.h"

#define IGNORE "ignore"
#define UNSATISFIABLE "unsatisfiable"

typedef struct st_row_t {
    const char *value;
    uint64_t size;
    /** the ranges as "first-last", separated by blanks, or one of the words above */
    const char *expected;
} row_t;

/** Parses a guarded copy; writes the result as rows have it; checks what is left alone. */
static void parse(const char *value, size_t len, uint64_t size, char *text, size_t room)
{
    char *copy = guarded_copy(value, len);
    breaker_range_t ranges[BREAKER_RANGES_MAX], untouched[BREAKER_RANGES_MAX];
    size_t num = 4711, at = 0;

    memset(ranges, 0xee, sizeof(ranges));
    memset(untouched, 0xee, sizeof(untouched));
    switch (breaker_range_parse(copy, len, size, ranges, &num)) {
    case BREAKER_RANGE_IGNORE:
        snprintf(text, room, "%s", IGNORE);
        break;
    case BREAKER_RANGE_UNSATISFIABLE:
        snprintf(text, room, "%s", UNSATISFIABLE);
        break;
    case BREAKER_RANGE_PARTIAL:
        assert_in_range(num, 1, BREAKER_RANGES_MAX);
        for (size_t i = 0; i != num; ++i)
            at += (size_t)snprintf(text + at, room - at, "%s%" PRIu64 "-%" PRIu64,
                                   i == 0 ? "" : " ", ranges[i].first, ranges[i].last);
        guarded_free(copy, len);
        return;
    }
    assert_int_equal(num, 4711);
    assert_memory_equal(ranges, untouched, sizeof(ranges));
    guarded_free(copy, len);
}

static void check(const row_t *rows, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        char text[1024];
        parse(rows[i].value, strlen(rows[i].value), rows[i].size, text, sizeof(text));
        if (strcmp(text, rows[i].expected) != 0)
            fail_msg("'%s' of %" PRIu64 " gave '%s', not '%s'", rows[i].value, rows[i].size, text,
                     rows[i].expected);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void one_range_is_cut_to_the_size(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-0", 1, "0-0"},
        {"bytes=0-0", 10000, "0-0"},
        {"bytes=0-499", 10000, "0-499"},
        {"bytes=500-999", 10000, "500-999"},
        {"bytes=9999-9999", 10000, "9999-9999"},
        {"bytes=9999-10000", 10000, "9999-9999"},
        {"bytes=0-9999", 10000, "0-9999"},
        {"bytes=0-10000", 10000, "0-9999"},
        {"bytes=0-18446744073709551615", 10000, "0-9999"},
        {"bytes=5-5", 10, "5-5"},
    };

    (void)state;
    CHECK(rows);
}

static void an_open_range_goes_to_the_end(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-", 1, "0-0"},
        {"bytes=0-", 10000, "0-9999"},
        {"bytes=9500-", 10000, "9500-9999"},
        {"bytes=9999-", 10000, "9999-9999"},
        {"bytes=10000-", 10000, UNSATISFIABLE},
        {"bytes=18446744073709551615-", 10000, UNSATISFIABLE},
    };

    (void)state;
    CHECK(rows);
}

static void a_suffix_counts_from_the_end(void **state)
{
    static const row_t rows[] = {
        {"bytes=-1", 1, "0-0"},
        {"bytes=-500", 10000, "9500-9999"},
        {"bytes=-9999", 10000, "1-9999"},
        {"bytes=-10000", 10000, "0-9999"},
        {"bytes=-10001", 10000, "0-9999"},
        {"bytes=-18446744073709551615", 10000, "0-9999"},
        {"bytes=-0", 10000, UNSATISFIABLE},
        {"bytes=-000", 10000, UNSATISFIABLE},
    };

    (void)state;
    CHECK(rows);
}

static void nothing_of_an_empty_representation_can_be_had(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-0", 0, UNSATISFIABLE},       {"bytes=0-", 0, UNSATISFIABLE},
        {"bytes=-1", 0, UNSATISFIABLE},        {"bytes=-0", 0, UNSATISFIABLE},
        {"bytes=0-,-5,7-9", 0, UNSATISFIABLE}, {"bytes=x", 0, IGNORE},
    };

    (void)state;
    CHECK(rows);
}

static void several_ranges_keep_their_order(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-9,20-29", 100, "0-9 20-29"},
        {"bytes=20-29,0-9", 100, "20-29 0-9"},
        {"bytes=-1,0-0", 100, "99-99 0-0"},
        {"bytes=50-,0-0,-1", 100, "50-99 0-0"},
        {"bytes=0-0,2-2,4-4,6-6", 100, "0-0 2-2 4-4 6-6"},
        /* RFC 9110 §14.1.2, the examples for 10000 bytes */
        {"bytes= 0-999, 4500-5499, -1000", 10000, "0-999 4500-5499 9000-9999"},
        {"bytes=0-0,-1", 10000, "0-0 9999-9999"},
    };

    (void)state;
    CHECK(rows);
}

static void ranges_that_overlap_or_touch_are_joined(void **state)
{
    static const row_t rows[] = {
        /* RFC 9110 §14.1.2: other ways to ask for the second 500 bytes */
        {"bytes=500-600,601-999", 10000, "500-999"},
        {"bytes=500-700,601-999", 10000, "500-999"},
        {"bytes=0-9,0-9", 100, "0-9"},
        {"bytes=0-9,5-5", 100, "0-9"},
        {"bytes=5-5,0-9", 100, "0-9"},
        {"bytes=10-19,0-9", 100, "0-19"},
        {"bytes=0-9,11-19", 100, "0-9 11-19"},
        {"bytes=0-9,11-19,10-10", 100, "0-19"},
        {"bytes=11-19,0-9,10-10", 100, "0-19"},
        {"bytes=40-49,0-9,20-29,5-24", 100, "40-49 0-29"},
        {"bytes=0-9,20-29,40-49,60-69,5-64", 100, "0-69"},
        {"bytes=60-69,90-99,0-9,20-29,40-49,5-64", 100, "0-69 90-99"},
        {"bytes=0-,0-,0-,0-,0-", 100, "0-99"},
        {"bytes=-1,-2,-3", 100, "97-99"},
        {"bytes=0-18446744073709551614,1-", UINT64_MAX, "0-18446744073709551614"},
    };

    (void)state;
    CHECK(rows);
}

static void what_cannot_be_satisfied_is_dropped(void **state)
{
    static const row_t rows[] = {
        {"bytes=100-", 100, UNSATISFIABLE}, {"bytes=100-200,300-,-0", 100, UNSATISFIABLE},
        {"bytes=100-200,0-9", 100, "0-9"},  {"bytes=0-9,100-200", 100, "0-9"},
        {"bytes=-0,5-5,1000-", 100, "5-5"}, {"bytes=0-9,100-,-0,20-29", 100, "0-9 20-29"},
    };

    (void)state;
    CHECK(rows);
}

static void numbers_beyond_2_to_the_64_are_ignored(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-18446744073709551616", 100, IGNORE},
        {"bytes=18446744073709551616-", 100, IGNORE},
        {"bytes=-18446744073709551616", 100, IGNORE},
        {"bytes=0-18446744073709551625", 100, IGNORE},
        {"bytes=0-28446744073709551615", 100, IGNORE},
        {"bytes=0-99999999999999999999999999999999999999999999", 100, IGNORE},
        {"bytes=0-0,18446744073709551616-", 100, IGNORE},
        {"bytes=18446744073709551614-", UINT64_MAX, "18446744073709551614-18446744073709551614"},
        {"bytes=-18446744073709551615", UINT64_MAX, "0-18446744073709551614"},
        {"bytes=-1,0-0", UINT64_MAX, "18446744073709551614-18446744073709551614 0-0"},
    };

    (void)state;
    CHECK(rows);
}

static void leading_zeros_do_not_matter(void **state)
{
    static const row_t rows[] = {
        {"bytes=000-0009", 100, "0-9"},
        {"bytes=00000000000000000000000000000000000000005-07", 100, "5-7"},
        {"bytes=-0000000000000000000000000000000000000000001", 100, "99-99"},
    };

    (void)state;
    CHECK(rows);
}

static void bad_syntax_anywhere_makes_the_whole_field_not_count(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "--1",
        "1",
        "1-0",
        "5-4",
        "a-b",
        "0-b",
        "a-1",
        "-b",
        "0--1",
        "0-1-",
        "0-1-2",
        "+0-1",
        "0-+1",
        "0x0-1",
        "0.0-1",
        "0-1.5",
        "0- 1",
        "0 -1",
        "0 - 1",
        "- 1",
        "1e3-",
        "0-1;q=1",
        "0-1 2-3",
        "\"0-1\"",
        "0-1\x01",
        "0_1",
        "=0-1",
        "0-1=",
        "*",
        "0-1/100",
        "-1-",
        "-1-2",
        "0\xe2\x80\x93"
        "1",
        "0-1\r\n",
    };

    (void)state;
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i) {
        static const char *const around[][2] = {
            {"", ""}, {"0-0,", ""}, {"", ",5-6"}, {"-1, ", " ,0-1"}};
        for (size_t j = 0; j != 4; ++j) {
            char value[128];
            row_t row = {value, 100, IGNORE};
            if (bad[i][0] == '\0' && j != 0)
                continue; /* an empty member beside others is none */
            snprintf(value, sizeof(value), "bytes=%s%s%s", around[j][0], bad[i], around[j][1]);
            check(&row, 1);
        }
    }
}

static void units_other_than_bytes_are_ignored(void **state)
{
    static const row_t rows[] = {
        {"", 100, IGNORE},           {"bytes", 100, IGNORE},     {"bytes=", 100, IGNORE},
        {"bytes 0-1", 100, IGNORE},  {"bytes:0-1", 100, IGNORE}, {"bytes =0-1", 100, IGNORE},
        {" bytes=0-1", 100, IGNORE}, {"byte=0-1", 100, IGNORE},  {"bytess=0-1", 100, IGNORE},
        {"items=0-1", 100, IGNORE},  {"none", 100, IGNORE},      {"=0-1", 100, IGNORE},
        {"0-1", 100, IGNORE},        {"Bytes=0-1", 100, "0-1"},  {"BYTES=0-1", 100, "0-1"},
    };

    (void)state;
    CHECK(rows);
}

static void white_space_and_empty_members_are_allowed_between_ranges(void **state)
{
    static const row_t rows[] = {
        {"bytes=0-1 , 5-6", 100, "0-1 5-6"}, {"bytes=0-1\t,\t5-6\t", 100, "0-1 5-6"},
        {"bytes= 0-1", 100, "0-1"},          {"bytes=,0-1,,5-6,", 100, "0-1 5-6"},
        {"bytes=, , ,", 100, IGNORE},        {"bytes= ", 100, IGNORE},
        {"bytes=0-1\n,5-6", 100, IGNORE},    {"bytes=0-1\v", 100, IGNORE},
    };

    (void)state;
    CHECK(rows);
}

/** Writes `num` ranges of one byte each, every other byte, or all the same one. */
static void write_ranges(char *value, size_t room, unsigned num, unsigned step)
{
    size_t at = (size_t)snprintf(value, room, "bytes=");

    for (unsigned i = 0; i != num; ++i)
        at += (size_t)snprintf(value + at, room - at, "%s%u-%u", i == 0 ? "" : ",", step * i,
                               step * i);
}

static void sixteen_ranges_are_answered_and_seventeen_are_not(void **state)
{
    char value[4096];
    row_t sixteen = {value, 1000,
                     "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 26-26 "
                     "28-28 30-30"};
    row_t same = {value, 1000, "0-0"}, none = {value, 0, UNSATISFIABLE};
    row_t ignored = {value, 1000, IGNORE}, ignored_empty = {value, 0, IGNORE};

    (void)state;
    assert_int_equal(BREAKER_RANGES_MAX, 16);
    write_ranges(value, sizeof(value), 16, 2);
    check(&sixteen, 1);
    check(&none, 1);
    write_ranges(value, sizeof(value), 16, 0);
    check(&same, 1);
    write_ranges(value, sizeof(value), 17, 2);
    check(&ignored, 1);
    check(&ignored_empty, 1);
    write_ranges(value, sizeof(value), 17, 0);
    check(&ignored, 1);
    write_ranges(value, sizeof(value), 300, 1);
    check(&ignored, 1);
}

static void empty_members_do_not_count_towards_the_limit(void **state)
{
    static char value[20000];
    size_t len = (size_t)snprintf(value, sizeof(value), "bytes=");
    char text[64];

    (void)state;
    memset(value + len, ',', 15000);
    len += 15000;
    len += (size_t)snprintf(value + len, sizeof(value) - len, "3-4");
    parse(value, len, 10, text, sizeof(text));
    assert_string_equal(text, "3-4");
}

static void every_prefix_of_a_value_is_survived(void **state)
{
    static const char value[] = "bytes=0-18446744073709551615 , -18446744073709551615,, 5-\t";
    char text[64];

    (void)state;
    for (size_t len = 0; len != sizeof(value); ++len)
        parse(value, len, 100, text, sizeof(text));
    assert_string_equal(text, "0-99");
}

static void a_nul_byte_is_bad_syntax(void **state)
{
    static const char value[] = "bytes=0-1\0,2-3";
    char text[64];

    (void)state;
    parse(value, sizeof(value) - 1, 100, text, sizeof(text));
    assert_string_equal(text, IGNORE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_cut_to_the_size),
        cmocka_unit_test(an_open_range_goes_to_the_end),
        cmocka_unit_test(a_suffix_counts_from_the_end),
        cmocka_unit_test(nothing_of_an_empty_representation_can_be_had),
        cmocka_unit_test(several_ranges_keep_their_order),
        cmocka_unit_test(ranges_that_overlap_or_touch_are_joined),
        cmocka_unit_test(what_cannot_be_satisfied_is_dropped),
        cmocka_unit_test(numbers_beyond_2_to_the_64_are_ignored),
        cmocka_unit_test(leading_zeros_do_not_matter),
        cmocka_unit_test(bad_syntax_anywhere_makes_the_whole_field_not_count),
        cmocka_unit_test(units_other_than_bytes_are_ignored),
        cmocka_unit_test(white_space_and_empty_members_are_allowed_between_ranges),
        cmocka_unit_test(sixteen_ranges_are_answered_and_seventeen_are_not),
        cmocka_unit_test(empty_members_do_not_count_towards_the_limit),
        cmocka_unit_test(every_prefix_of_a_value_is_survived),
        cmocka_unit_test(a_nul_byte_is_bad_syntax),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
