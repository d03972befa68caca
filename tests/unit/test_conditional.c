/* Conditional requests by tables: tag lists, dates, precedence, If-Range. Every input ends at a
 * guard page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <breaker/http/conditional.h>
#include "guard.h"
#include "http/conditional.h"

#define ETAG "\"xyzzy\""
/** Sun, 06 Nov 1994 08:49:37 GMT */
#define MODIFIED_S 784111777
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
/** 2024-06-16 */
#define NOW_S 1718496000

#define PROCEED BREAKER_PRECONDITION_PROCEED
#define NOT_MODIFIED BREAKER_PRECONDITION_NOT_MODIFIED
#define FAILED BREAKER_PRECONDITION_FAILED

#define NUM(rows) (sizeof(rows) / sizeof((rows)[0]))

static breaker_field_t guarded_field(const char *value)
{
    breaker_field_t field = {NULL, 0};

    if (value != NULL) {
        field.len = strlen(value);
        field.base = guarded_copy(value, field.len);
    }
    return field;
}

static void free_field(breaker_field_t field)
{
    if (field.base != NULL)
        guarded_free((char *)(uintptr_t)field.base, field.len);
}

typedef struct st_row_t {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
    breaker_precondition_t expected;
} row_t;

static breaker_precondition_t judge_at(const row_t *row, int64_t last_modified_s, int64_t now_s)
{
    breaker_conditions_t conditions = {
        guarded_field(row->if_match),
        guarded_field(row->if_none_match),
        guarded_field(row->if_modified_since),
        guarded_field(row->if_unmodified_since),
    };
    char *etag = guarded_copy(ETAG, strlen(ETAG));
    breaker_precondition_t precondition =
        breaker_precondition(&conditions, etag, strlen(ETAG), last_modified_s, now_s);

    guarded_free(etag, strlen(ETAG));
    free_field(conditions.if_match);
    free_field(conditions.if_none_match);
    free_field(conditions.if_modified_since);
    free_field(conditions.if_unmodified_since);
    return precondition;
}

static breaker_precondition_t judge(const row_t *row, int64_t last_modified_s)
{
    return judge_at(row, last_modified_s, NOW_S);
}

static const char *show(const char *value)
{
    return value != NULL ? value : "(none)";
}

static void check(const row_t *rows, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        breaker_precondition_t precondition = judge(&rows[i], MODIFIED_S);
        if (precondition != rows[i].expected)
            fail_msg("if-match %s, if-none-match %s, if-modified-since %s, if-unmodified-since %s: "
                     "%d",
                     show(rows[i].if_match), show(rows[i].if_none_match),
                     show(rows[i].if_modified_since), show(rows[i].if_unmodified_since),
                     (int)precondition);
    }
}

/* ---- tags ---- */

typedef struct st_list_t {
    const char *value;
    /** compares equal to ETAG strongly, weakly */
    bool strong, weak;
} list_t;

static const list_t lists[] = {
    {ETAG, true, true},
    {"W/" ETAG, false, true},
    {"*", true, true},
    {" * ", true, true},
    {"\t*", true, true},
    {"\"other\"", false, false},
    {"\"\"", false, false},
    {"W/\"\"", false, false},
    {"\"xyzz\"", false, false},
    {"\"xyzzyy\"", false, false},
    {"\"XYZZY\"", false, false},
    {"\" xyzzy\"", false, false},
    /* RFC 9110 §13.1.1 and §13.1.2, the examples */
    {"\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\"", true, true},
    {"\"r2d2xxxx\", \"xyzzy\", \"c3piozzzz\"", true, true},
    {"\"r2d2xxxx\", \"c3piozzzz\", \"xyzzy\"", true, true},
    {"W/\"xyzzy\", W/\"r2d2xxxx\", W/\"c3piozzzz\"", false, true},
    {"W/\"r2d2xxxx\", W/\"c3piozzzz\"", false, false},
    {"W/\"xyzzy\", \"xyzzy\"", true, true},
    {"\"a\",\"b\",\"xyzzy\"", true, true},
    {"\"a\"\t,\t\"xyzzy\"\t", true, true},
    {"  \"xyzzy\"  ", true, true},
    {", ,,\"xyzzy\"", true, true},
    {"\"xyzzy\",,,", true, true},
    {"\"a\", , \"xyzzy\"", true, true},
    /* commas, blanks' neighbours, backslashes and bytes beyond ASCII inside the quotes */
    {"\"a,b\", \"xyzzy\"", true, true},
    {"\"a,\"xyzzy\",b\"", false, false},
    {"\",\", \"xyzzy\"", true, true},
    {"\"a,xyzzy,b\"", false, false},
    {"\"*\"", false, false},
    {"\"a\\\", \"xyzzy\"", true, true},
    {"\"\xc3\xbc\", \"xyzzy\"", true, true},
    {"\"W/\", \"xyzzy\"", true, true},
    /* malformed from some member on */
    {"", false, false},
    {" , ,", false, false},
    {"xyzzy", false, false},
    {"\"xyzzy", false, false},
    {"xyzzy\"", false, false},
    {"\"", false, false},
    {"W/", false, false},
    {"W", false, false},
    {"W/xyzzy", false, false},
    {"w/\"xyzzy\"", false, false},
    {"W/ \"xyzzy\"", false, false},
    {"W\"xyzzy\"", false, false},
    {"WW/\"xyzzy\"", false, false},
    {"W/W/\"xyzzy\"", false, false},
    {"'xyzzy'", false, false},
    {"\"xyzzy\"x", false, false},
    {"\"xyzzy\" x, \"a\"", false, false},
    {"\"xyzzy\"\"a\"", false, false},
    {"\"xyzzy\" \"a\"", false, false},
    {"\"xyzzy\";x", false, false},
    {"\"xyzzy\"\r", false, false},
    {"bad, \"xyzzy\"", false, false},
    {"\"a\" \"b\", \"xyzzy\"", false, false},
    {"\"a b\", \"xyzzy\"", false, false},
    {"\"a\x01\", \"xyzzy\"", false, false},
    {"\"a\x7f\", \"xyzzy\"", false, false},
    {"\"a, \"xyzzy\"", false, false},
    {"\"xyzzy\", bad", true, true},
    {"\"xyzzy\", \"", true, true},
    /* an asterisk is no member of a list */
    {"*, \"xyzzy\"", false, false},
    {"\"a\", *", false, false},
    {"**", false, false},
    {"* *", false, false},
    {"*,", false, false},
    {"W/*", false, false},
};

static void if_none_match_compares_weakly(void **state)
{
    (void)state;
    for (size_t i = 0; i != NUM(lists); ++i) {
        row_t row = {.if_none_match = lists[i].value,
                     .expected = lists[i].weak ? NOT_MODIFIED : PROCEED};
        check(&row, 1);
    }
}

static void if_match_compares_strongly(void **state)
{
    (void)state;
    for (size_t i = 0; i != NUM(lists); ++i) {
        row_t row = {.if_match = lists[i].value, .expected = lists[i].strong ? PROCEED : FAILED};
        check(&row, 1);
    }
}

static void a_list_of_a_thousand_tags_is_read_to_the_last(void **state)
{
    static char value[32768];
    size_t at = 0;
    row_t row = {.if_none_match = value};

    (void)state;
    for (int i = 0; i != 1000; ++i)
        at += (size_t)snprintf(value + at, sizeof(value) - at, "W/\"tag,%d\", ", i);
    row.expected = PROCEED;
    check(&row, 1);
    snprintf(value + at, sizeof(value) - at, "%s", ETAG);
    row.expected = NOT_MODIFIED;
    check(&row, 1);
    value[0] = 'w';
    row.expected = PROCEED;
    check(&row, 1);
}

static void every_prefix_of_a_list_is_survived(void **state)
{
    static const char list[] = ", W/\"a,b\" ,\t\"c\", W/\"xyzzy\"";
    char value[sizeof(list)];

    (void)state;
    for (size_t len = 0; len != sizeof(list); ++len) {
        row_t row = {.if_none_match = value,
                     .expected = len == sizeof(list) - 1 ? NOT_MODIFIED : PROCEED};
        memcpy(value, list, len);
        value[len] = '\0';
        check(&row, 1);
    }
}

/* ---- dates as conditions, precedence ---- */

static void if_modified_since_asks_for_what_is_newer(void **state)
{
    static const row_t rows[] = {
        {.if_modified_since = MODIFIED, .expected = NOT_MODIFIED},
        {.if_modified_since = AFTER, .expected = NOT_MODIFIED},
        {.if_modified_since = BEFORE, .expected = PROCEED},
        {.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT", .expected = NOT_MODIFIED},
        {.if_modified_since = "Sun Nov  6 08:49:37 1994", .expected = NOT_MODIFIED},
        {.if_modified_since = "Sun Nov  6 08:49:36 1994", .expected = PROCEED},
        {.if_modified_since = "Fri, 31 Dec 9999 23:59:59 GMT", .expected = NOT_MODIFIED},
        {.if_modified_since = "Sat, 01 Jan 0000 00:00:00 GMT", .expected = PROCEED},
        {.if_modified_since = "yesterday", .expected = PROCEED},
        {.if_modified_since = "", .expected = PROCEED},
        {.if_modified_since = "784111777", .expected = PROCEED},
        {.if_modified_since = MODIFIED ", " MODIFIED, .expected = PROCEED},
        {.if_modified_since = MODIFIED "; length=17", .expected = PROCEED},
    };

    (void)state;
    check(rows, NUM(rows));
}

static void if_unmodified_since_refuses_what_is_newer(void **state)
{
    static const row_t rows[] = {
        {.if_unmodified_since = MODIFIED, .expected = PROCEED},
        {.if_unmodified_since = AFTER, .expected = PROCEED},
        {.if_unmodified_since = BEFORE, .expected = FAILED},
        {.if_unmodified_since = "Sunday, 06-Nov-94 08:49:36 GMT", .expected = FAILED},
        {.if_unmodified_since = "Sun Nov  6 08:49:36 1994", .expected = FAILED},
        {.if_unmodified_since = "Sun Nov 06 08:49:36 94", .expected = PROCEED},
        {.if_unmodified_since = "", .expected = PROCEED},
    };

    (void)state;
    check(rows, NUM(rows));
}

static void conditions_are_evaluated_in_the_order_of_the_standard(void **state)
{
    static const row_t rows[] = {
        {.expected = PROCEED},
        /* step 1 and 2: If-Match, and only without it If-Unmodified-Since */
        {.if_match = ETAG, .if_unmodified_since = BEFORE, .expected = PROCEED},
        {.if_match = "\"a\"", .if_unmodified_since = AFTER, .expected = FAILED},
        {.if_match = "", .if_unmodified_since = AFTER, .expected = FAILED},
        {.if_match = "broken", .if_unmodified_since = AFTER, .expected = FAILED},
        /* step 3 and 4: If-None-Match, and only without it If-Modified-Since */
        {.if_none_match = ETAG, .if_modified_since = BEFORE, .expected = NOT_MODIFIED},
        {.if_none_match = "\"a\"", .if_modified_since = AFTER, .expected = PROCEED},
        {.if_none_match = "broken", .if_modified_since = AFTER, .expected = PROCEED},
        {.if_none_match = "", .if_modified_since = AFTER, .expected = PROCEED},
        /* the first pair decides before the second */
        {.if_match = "\"a\"", .if_none_match = ETAG, .expected = FAILED},
        {.if_match = ETAG, .if_none_match = ETAG, .expected = NOT_MODIFIED},
        {.if_match = "*", .if_none_match = "*", .expected = NOT_MODIFIED},
        {.if_match = ETAG, .if_none_match = "\"a\"", .expected = PROCEED},
        {.if_match = "W/" ETAG, .if_none_match = "W/" ETAG, .expected = FAILED},
        {.if_match = ETAG, .if_modified_since = AFTER, .expected = NOT_MODIFIED},
        {.if_match = "\"a\"", .if_modified_since = AFTER, .expected = FAILED},
        {.if_none_match = ETAG, .if_unmodified_since = BEFORE, .expected = FAILED},
        {.if_none_match = ETAG, .if_unmodified_since = AFTER, .expected = NOT_MODIFIED},
        {.if_modified_since = AFTER, .if_unmodified_since = BEFORE, .expected = FAILED},
        {.if_modified_since = AFTER, .if_unmodified_since = AFTER, .expected = NOT_MODIFIED},
        {.if_modified_since = BEFORE, .if_unmodified_since = AFTER, .expected = PROCEED},
        {.if_modified_since = AFTER, .if_unmodified_since = "no date", .expected = NOT_MODIFIED},
        {.if_match = ETAG,
         .if_none_match = "\"a\"",
         .if_modified_since = AFTER,
         .if_unmodified_since = BEFORE,
         .expected = PROCEED},
        {.if_match = "\"a\"",
         .if_none_match = ETAG,
         .if_modified_since = AFTER,
         .if_unmodified_since = AFTER,
         .expected = FAILED},
    };

    (void)state;
    check(rows, NUM(rows));
}

static void two_digit_years_of_conditions_are_completed_by_the_clock(void **state)
{
    static const struct {
        int64_t now_s, last_modified_s;
        const char *if_modified_since;
        breaker_precondition_t expected;
    } rows[] = {
        /* a file from 1970, as reproducible builds have them, and a client of today */
        {NOW_S, 0, "Sunday, 16-Jun-24 00:00:00 GMT", NOT_MODIFIED},
        {NOW_S, 0, "Thursday, 01-Jan-70 00:00:00 GMT", NOT_MODIFIED},
        {NOW_S, NOW_S, "Sunday, 16-Jun-24 00:00:00 GMT", NOT_MODIFIED},
        {NOW_S, NOW_S, "Saturday, 15-Jun-24 23:59:59 GMT", PROCEED},
        /* 2073 is near, 2075 is not and means 1975 */
        {NOW_S, NOW_S, "Sunday, 31-Dec-73 23:59:59 GMT", NOT_MODIFIED},
        {NOW_S, NOW_S, "Tuesday, 31-Dec-75 23:59:59 GMT", PROCEED},
        /* in 2090, 2139 is near, 2141 is not and means 2041 */
        {3786912000, 3786912000, "Friday, 01-Jan-39 00:00:00 GMT", NOT_MODIFIED},
        {3786912000, 3786912000, "Friday, 01-Jan-41 00:00:00 GMT", PROCEED},
    };

    (void)state;
    for (size_t i = 0; i != NUM(rows); ++i) {
        row_t row = {.if_modified_since = rows[i].if_modified_since};
        if (judge_at(&row, rows[i].last_modified_s, rows[i].now_s) != rows[i].expected)
            fail_msg("row %zu: %s", i, rows[i].if_modified_since);
    }
}

/* ---- If-Range ---- */

static void if_range_wants_exactly_the_strong_tag_or_an_old_date(void **state)
{
    static const struct {
        const char *value;
        int64_t now_s;
        bool expected;
    } rows[] = {
        {NULL, NOW_S, true},
        {ETAG, NOW_S, true},
        {ETAG, MODIFIED_S, true},
        {"W/" ETAG, NOW_S, false},
        {"W/" ETAG, MODIFIED_S + 100000, false},
        {"\"other\"", NOW_S, false},
        {"\"xyzzy", NOW_S, false},
        {"xyzzy", NOW_S, false},
        {ETAG ", " ETAG, NOW_S, false},
        {ETAG " ", NOW_S, false},
        {" " ETAG, NOW_S, false},
        {"*", NOW_S, false},
        {"", NOW_S, false},
        {MODIFIED, NOW_S, true},
        {BEFORE, NOW_S, false},
        {AFTER, NOW_S, false},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOW_S, true},
        {"Sun Nov  6 08:49:37 1994", NOW_S, true},
        {"Sun Nov  6 08:49:38 1994", NOW_S, false},
        {MODIFIED, MODIFIED_S + 61, true},
        {MODIFIED, MODIFIED_S + 60, true},
        {MODIFIED, MODIFIED_S + 59, false},
        {MODIFIED, MODIFIED_S, false},
        {MODIFIED, MODIFIED_S - 1000, false},
        {MODIFIED, INT64_MIN, false},
        {MODIFIED, INT64_MAX, true},
        {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_MAX, false},
        {"no date", NOW_S, false},
    };

    (void)state;
    for (size_t i = 0; i != NUM(rows); ++i) {
        breaker_field_t field = guarded_field(rows[i].value);
        char *etag = guarded_copy(ETAG, strlen(ETAG));
        if (breaker_if_range(field, etag, strlen(ETAG), MODIFIED_S, rows[i].now_s) !=
            rows[i].expected)
            fail_msg("row %zu: %s", i, show(rows[i].value));
        guarded_free(etag, strlen(ETAG));
        free_field(field);
    }
}

static void a_weak_tag_never_matches_if_range(void **state)
{
    static const char etag[] = "W/\"x\"";
    breaker_field_t field = guarded_field(etag);

    (void)state;
    assert_false(breaker_if_range(field, etag + 2, strlen(etag + 2), MODIFIED_S, NOW_S));
    free_field(field);
}

/* ---- dates ---- */

static bool parse(const char *text, int64_t now_s, int64_t *ret_s)
{
    breaker_field_t field = guarded_field(text);
    bool ok = breaker__http_date_parse(field.base, field.len, now_s, ret_s);

    free_field(field);
    return ok;
}

static void all_three_forms_of_a_date_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t expected;
    } rows[] = {
        /* RFC 9110 §5.6.7 */
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Thu Nov 17 08:49:37 1994", 785062177},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu Jan  1 00:00:00 1970", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Tue, 19 Jan 2038 03:14:07 GMT", 2147483647},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
        {"Sat, 01 Jan 0000 00:00:00 GMT", -62167219200},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Fri Dec 31 23:59:59 9999", 253402300799},
        /* 29 February where there is one */
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Thursday, 29-Feb-24 12:00:00 GMT", 1709208000},
        {"Tuesday, 29-Feb-00 00:00:00 GMT", 951782400},
        /* leap seconds, the real one of 2016 and one that never was */
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
        {"Sunday, 06-Nov-94 08:49:60 GMT", 784111800},
        {"Fri, 31 Dec 9999 23:59:60 GMT", 253402300800},
        /* the name of the day is not checked against the date */
        {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Friday, 06-Nov-94 08:49:37 GMT", 784111777},
    };

    (void)state;
    for (size_t i = 0; i != NUM(rows); ++i) {
        int64_t seconds = 4711;
        if (!parse(rows[i].text, NOW_S, &seconds) || seconds != rows[i].expected)
            fail_msg("'%s' gave %" PRId64, rows[i].text, seconds);
    }
}

static void two_digit_years_are_at_most_50_years_ahead(void **state)
{
    static const struct {
        const char *text;
        int64_t now_s;
        int64_t expected;
    } rows[] = {
        /* now is 2024-06-16 00:00:00 */
        {"Monday, 16-Jun-73 00:00:00 GMT", NOW_S, 3264796800},
        {"Saturday, 16-Jun-74 00:00:00 GMT", NOW_S, 3296332800},
        {"Saturday, 16-Jun-74 00:00:01 GMT", NOW_S, 140572801},
        {"Sunday, 31-Dec-74 00:00:00 GMT", NOW_S, 157680000},
        {"Wednesday, 01-Jan-75 00:00:00 GMT", NOW_S, 157766400},
        {"Friday, 31-Dec-99 23:59:59 GMT", NOW_S, 946684799},
        {"Saturday, 01-Jan-00 00:00:00 GMT", NOW_S, 946684800},
        {"Sunday, 16-Jun-24 00:00:00 GMT", NOW_S, 1718496000},
        {"Wednesday, 01-Jan-70 00:00:00 GMT", NOW_S, 3155760000},
        /* now is 1999-12-31: 00 is next year */
        {"Saturday, 01-Jan-00 00:00:00 GMT", 946684799, 946684800},
        {"Saturday, 01-Jan-49 00:00:00 GMT", 946684799, 2493072000},
        {"Sunday, 01-Jan-50 00:00:00 GMT", 946684799, -631152000},
        /* 29 February 2024: 50 years on there is none */
        {"Thursday, 01-Mar-74 00:00:00 GMT", 1709164800, 3287088000},
        {"Thursday, 01-Mar-74 00:00:01 GMT", 1709164800, 131328001},
        /* clocks that are none */
        {"Thursday, 01-Jan-20 00:00:00 GMT", INT64_MIN, 1577836800},
        {"Thursday, 01-Jan-20 00:00:00 GMT", 0, 1577836800},
        {"Friday, 31-Dec-99 23:59:59 GMT", INT64_MAX, 253402300799},
        {"Saturday, 01-Jan-00 00:00:00 GMT", INT64_MAX, 250246627200},
    };

    (void)state;
    for (size_t i = 0; i != NUM(rows); ++i) {
        int64_t seconds = 4711;
        if (!parse(rows[i].text, rows[i].now_s, &seconds) || seconds != rows[i].expected)
            fail_msg("'%s' at %" PRId64 " gave %" PRId64, rows[i].text, rows[i].now_s, seconds);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "S",
        "Sun",
        "Sunday",
        "Sun,",
        "Sunday,",
        "Sun, ",
        "0",
        /* names, case, and the forms mixed up */
        "sun, 06 Nov 1994 08:49:37 GMT",
        "SUN, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Okt 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday Nov  6 08:49:37 1994",
        "Sun, Nov  6 08:49:37 1994",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
        "06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "784111777",
        /* zones */
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 06 Nov 1994 08:49:37 G",
        "Sunday, 06-Nov-94 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 ",
        /* widths and white space */
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 06 Nov 01994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:7 GMT",
        "Sun, 06 Nov 1994 08:49:037 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun,\t06 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  06 08:49:37 1994",
        "Sun Nov  6 08:49:37 19945",
        "Sunday, 6-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-094 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        /* numbers */
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 30 Feb 2000 08:49:37 GMT",
        "Thu, 29 Feb 1900 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Thu, 29 Feb 2100 08:49:37 GMT",
        "Wednesday, 29-Feb-23 08:49:37 GMT",
        "Sun Nov  0 08:49:37 1994",
        "Sun Nov 31 08:49:37 1994",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 23:60:00 GMT",
        "Sun, 06 Nov 1994 23:59:61 GMT",
        "Sun, 06 Nov 1994 99:99:99 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:4x:37 GMT",
        "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun, 06 Nov 1994 0 :49:37 GMT",
    };

    (void)state;
    for (size_t i = 0; i != NUM(bad); ++i) {
        int64_t seconds = 4711;
        if (parse(bad[i], NOW_S, &seconds) || seconds != 4711)
            fail_msg("'%s' gave %" PRId64, bad[i], seconds);
    }
}

static void every_prefix_of_a_date_is_refused(void **state)
{
    static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Wednesday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};

    (void)state;
    for (size_t i = 0; i != NUM(dates); ++i)
        for (size_t len = 0; len != strlen(dates[i]); ++len) {
            char *copy = guarded_copy(dates[i], len);
            int64_t seconds;
            if (breaker__http_date_parse(copy, len, NOW_S, &seconds))
                fail_msg("'%.*s'", (int)len, dates[i]);
            guarded_free(copy, len);
        }
}

static void format(int64_t seconds, char *text)
{
    char *dst = guarded_alloc(BREAKER_HTTP_DATE_LEN + 1);

    memset(dst, 'x', BREAKER_HTTP_DATE_LEN + 1);
    breaker__http_date_format(seconds, dst);
    assert_int_equal(strlen(dst), BREAKER_HTTP_DATE_LEN);
    memcpy(text, dst, BREAKER_HTTP_DATE_LEN + 1);
    guarded_free(dst, BREAKER_HTTP_DATE_LEN + 1);
}

static void dates_are_written_in_the_preferred_form(void **state)
{
    static const struct {
        int64_t seconds;
        const char *expected;
    } rows[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {-86400, "Wed, 31 Dec 1969 00:00:00 GMT"},
        {-86401, "Tue, 30 Dec 1969 23:59:59 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
        {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {-62167219201, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };

    (void)state;
    for (size_t i = 0; i != NUM(rows); ++i) {
        char text[BREAKER_HTTP_DATE_LEN + 1];
        format(rows[i].seconds, text);
        assert_string_equal(text, rows[i].expected);
    }
}

/** Walks over 10,000 years in steps that are prime, so that every month and hour is met. */
static void dates_agree_with_the_c_library_and_are_read_back(void **state)
{
    (void)state;
    for (int64_t seconds = -62167219200; seconds <= 253402300799; seconds += 31622801) {
        char text[BREAKER_HTTP_DATE_LEN + 1], day[16], hour[16], expected[64];
        time_t moment = (time_t)seconds;
        struct tm tm;
        int64_t again = 0;

        assert_non_null(gmtime_r(&moment, &tm));
        strftime(day, sizeof(day), "%a, %d %b", &tm);
        strftime(hour, sizeof(hour), "%H:%M:%S", &tm);
        snprintf(expected, sizeof(expected), "%s %04d %s GMT", day, tm.tm_year + 1900, hour);
        format(seconds, text);
        assert_string_equal(text, expected);
        if (!parse(text, NOW_S, &again) || again != seconds)
            fail_msg("%" PRId64 " became '%s' and that %" PRId64, seconds, text, again);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(a_list_of_a_thousand_tags_is_read_to_the_last),
        cmocka_unit_test(every_prefix_of_a_list_is_survived),
        cmocka_unit_test(if_modified_since_asks_for_what_is_newer),
        cmocka_unit_test(if_unmodified_since_refuses_what_is_newer),
        cmocka_unit_test(conditions_are_evaluated_in_the_order_of_the_standard),
        cmocka_unit_test(two_digit_years_of_conditions_are_completed_by_the_clock),
        cmocka_unit_test(if_range_wants_exactly_the_strong_tag_or_an_old_date),
        cmocka_unit_test(a_weak_tag_never_matches_if_range),
        cmocka_unit_test(all_three_forms_of_a_date_are_read),
        cmocka_unit_test(two_digit_years_are_at_most_50_years_ahead),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(every_prefix_of_a_date_is_refused),
        cmocka_unit_test(dates_are_written_in_the_preferred_form),
        cmocka_unit_test(dates_agree_with_the_c_library_and_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
