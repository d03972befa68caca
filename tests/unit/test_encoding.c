/* Accept-Encoding: every row is a field value and the names that come out of it, the best first.
 * Every input ends at a guard page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/http/encoding.h>
#include "guard.h"
#include "http/encoding.h"

typedef struct st_row_t {
    const char *value; /* NULL: no such field */
    const char *expected;
} row_t;

/** Negotiates by a guarded copy and writes the names into `text`, separated by blanks. */
static void negotiate(const char *value, size_t len, char *text, size_t room)
{
    char *copy = value != NULL ? guarded_copy(value, len) : NULL;
    breaker_acceptable_t acceptable;
    size_t at = 0;

    memset(&acceptable, 0xee, sizeof(acceptable));
    breaker_encoding_negotiate(copy, len, &acceptable);
    assert_true(acceptable.num <= BREAKER_ENCODINGS);
    text[0] = '\0';
    for (size_t i = 0; i != acceptable.num; ++i) {
        const char *name = breaker_encoding_name((breaker_encoding_t)acceptable.encodings[i]);
        at += (size_t)snprintf(text + at, room - at, "%s%s", i == 0 ? "" : " ", name);
    }
    if (copy != NULL)
        guarded_free(copy, len);
}

static void check(const row_t *rows, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        char text[64];
        negotiate(rows[i].value, rows[i].value != NULL ? strlen(rows[i].value) : 0, text,
                  sizeof(text));
        if (strcmp(text, rows[i].expected) != 0)
            fail_msg("'%s' gave '%s', not '%s'", rows[i].value != NULL ? rows[i].value : "(none)",
                     text, rows[i].expected);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void a_client_that_says_nothing_gets_identity(void **state)
{
    static const row_t rows[] = {
        {NULL, "identity"}, {"", "identity"},    {" ", "identity"},
        {"\t", "identity"}, {",,,", "identity"}, {" , \t, ", "identity"},
    };

    (void)state;
    CHECK(rows);
}

static void named_codings_are_accepted_in_the_servers_order(void **state)
{
    static const row_t rows[] = {
        {"gzip", "gzip identity"},
        {"br", "br identity"},
        {"zstd", "zstd identity"},
        {"identity", "identity"},
        {"gzip, deflate, br", "br gzip identity"},
        {"gzip, deflate, br, zstd", "br zstd gzip identity"},
        {"zstd,br,gzip,identity", "br zstd gzip identity"},
        {"GZIP, Br, zStD, IDENTITY", "br zstd gzip identity"},
        {"x-gzip", "gzip identity"},
        {"X-GZip", "gzip identity"},
        {"compress, x-compress, deflate", "identity"},
        {"dcb, dcz, aws-chunked", "identity"},
        {"gzipp, gzi, xgzip, brr, b, zst, zstdd", "identity"},
        {"gzip br", "identity"},
    };

    (void)state;
    CHECK(rows);
}

static void weights_decide_before_the_servers_order(void **state)
{
    static const row_t rows[] = {
        {"gzip;q=1.0, br;q=0.5", "gzip br identity"},
        {"br;q=0.001, gzip;q=0.002", "gzip br identity"},
        {"br;q=0.9, zstd;q=0.95, gzip;q=0.99", "gzip zstd br identity"},
        {"br;q=0.5, zstd;q=0.50, gzip;q=0.500", "br zstd gzip identity"},
        {"gzip;q=0.5, identity;q=0.6", "identity gzip"},
        {"gzip;q=0.5, identity;q=0.5", "gzip identity"},
        {"gzip;q=0.5, identity", "identity gzip"},
        {"gzip;q=0.001", "gzip identity"},
        {"gzip;Q=0.5, br;Q=0.4", "gzip br identity"},
        {"gzip;q=1, br;q=1.", "br gzip identity"},
        {"gzip;q=1.000, br;q=0.999", "gzip br identity"},
        {"gzip;q=0.1, br;q=0.", "gzip identity"},
        {"deflate;q=1, gzip;q=0.1", "gzip identity"},
        /* RFC 9110 §12.5.3, the examples */
        {"compress, gzip", "gzip identity"},
        {"*", "br zstd gzip identity"},
        {"compress;q=0.5, gzip;q=1.0", "gzip identity"},
        {"gzip;q=1.0, identity; q=0.5, *;q=0", "gzip identity"},
    };

    (void)state;
    CHECK(rows);
}

static void weight_0_removes(void **state)
{
    static const row_t rows[] = {
        {"gzip;q=0", "identity"},
        {"gzip;q=0.", "identity"},
        {"gzip;q=0.0", "identity"},
        {"gzip;q=0.00", "identity"},
        {"gzip;q=0.000", "identity"},
        {"br, gzip;q=0", "br identity"},
        {"identity;q=0", ""},
        {"identity;q=0, gzip", "gzip"},
        {"gzip, identity;q=0.000", "gzip"},
        {"gzip;q=0, br;q=0, zstd;q=0, identity;q=0", ""},
        {"x-gzip;q=0", "identity"},
    };

    (void)state;
    CHECK(rows);
}

static void the_asterisk_stands_for_what_is_not_named(void **state)
{
    static const row_t rows[] = {
        {"*;q=0", ""},
        {"*;q=0, identity", "identity"},
        {"*;q=0, identity;q=0.001", "identity"},
        {"*;q=0, gzip", "gzip"},
        {"identity;q=0, *", "br zstd gzip"},
        {"*;q=0.5", "br zstd gzip identity"},
        {"gzip, *;q=0.5", "gzip br zstd identity"},
        {"gzip;q=0.5, *", "br zstd identity gzip"},
        {"gzip;q=0.5, *;q=0.8, identity;q=0.1", "br zstd gzip identity"},
        {"br;q=0, *;q=0.1", "zstd gzip identity"},
        {"*, br;q=0", "zstd gzip identity"},
        {"* ; q=0.2, br;q=0.1", "zstd gzip identity br"},
        {"**", "identity"},
        {"gzip*", "identity"},
    };

    (void)state;
    CHECK(rows);
}

static void a_coding_named_twice_counts_with_its_lowest_weight(void **state)
{
    static const row_t rows[] = {
        {"gzip, gzip", "gzip identity"},
        {"gzip;q=0, gzip", "identity"},
        {"gzip, gzip;q=0", "identity"},
        {"gzip, x-gzip;q=0", "identity"},
        {"x-gzip, GZIP;q=0.1, br;q=0.2", "br gzip identity"},
        {"*, *;q=0", ""},
        {"*;q=0, *", ""},
        {"identity, identity;q=0", ""},
        {"gzip;q=nonsense, gzip;q=0.3", "gzip identity"},
    };

    (void)state;
    CHECK(rows);
}

static void a_malformed_member_is_ignored_and_the_others_count(void **state)
{
    static const char *const malformed[] = {
        "br;q=1.001",
        "br;q=1.1",
        "br;q=2",
        "br;q=-1",
        "br;q=-0",
        "br;q=.5",
        "br;q=0.1234",
        "br;q=1.0000",
        "br;q=0.0000",
        "br;q=",
        "br;q",
        "br;",
        "br;;q=1",
        "br;q=1;",
        "br;q =1",
        "br;q= 1",
        "br;q=1 1",
        "br;q=0x1",
        "br;q=1e0",
        "br;q=00.5",
        "br;q=01",
        "br;q=+1",
        "br;q=\"1\"",
        "br;q=1.0.0",
        "br;q=0..5",
        "br;q=nan",
        "br;q=inf",
        "br;level=9",
        "br;q=1;x=y",
        "br;x=y;q=1",
        "br q=1",
        "br=1",
        "br/1",
        "\"br\"",
        "(br)",
        ";q=1",
        ";",
        "=",
        "br\x01",
        "br\xff",
        "br;qq=1",
        "br;q=99999999999999999999",
        "br;q=0.5\x0b",
        "br\x0c",
        "\x0b"
        "br",
        "br;\vq=1",
    };

    (void)state;
    for (size_t i = 0; i != sizeof(malformed) / sizeof(malformed[0]); ++i) {
        static const char *const around[][2] = {
            {"", ", gzip;q=0.5"}, {"gzip;q=0.5, ", ""}, {"zstd;q=0, ", ", gzip"}};
        for (size_t j = 0; j != 3; ++j) {
            char value[128];
            row_t row = {value, "gzip identity"};
            snprintf(value, sizeof(value), "%s%s%s", around[j][0], malformed[i], around[j][1]);
            check(&row, 1);
        }
    }
}

static void white_space_and_empty_members_do_not_matter(void **state)
{
    static const row_t rows[] = {
        {"  gzip  ", "gzip identity"},
        {"\tgzip\t,\tbr\t", "br gzip identity"},
        {",gzip,", "gzip identity"},
        {",, ,gzip,\t, ,br,,", "br gzip identity"},
        {"gzip ; q=0.5,br ;q=0.4", "gzip br identity"},
        {"gzip\t;\tq=0.5 ,br;  \t q=0.4 ", "gzip br identity"},
    };

    (void)state;
    CHECK(rows);
}

static void the_order_of_the_members_changes_nothing(void **state)
{
    static const char *const members[] = {"br;q=0.3", "zstd;q=0.9", "gzip;q=0", "*;q=0.1",
                                          "gzip;q=1"};

    (void)state;
    for (size_t a = 0; a != 5; ++a)
        for (size_t b = 0; b != 5; ++b)
            for (size_t c = 0; c != 5; ++c) {
                char value[128];
                row_t row = {value, "zstd br identity"};
                if (a == b || b == c || a == c)
                    continue;
                snprintf(value, sizeof(value), "%s,%s,%s,%s,%s,%s,%s,%s", members[a], members[b],
                         members[c], members[0], members[1], members[2], members[3], members[4]);
                check(&row, 1);
            }
}

static void a_thousand_members_are_read_to_the_last(void **state)
{
    static char value[32768];
    size_t at = 0;
    char text[64];

    (void)state;
    for (int i = 0; i != 1000; ++i)
        at += (size_t)snprintf(value + at, sizeof(value) - at, "coding-%d;q=0.%03d, ", i, i);
    at += (size_t)snprintf(value + at, sizeof(value) - at, "zstd;q=0.25, br;q=0.125");
    negotiate(value, at, text, sizeof(text));
    assert_string_equal(text, "zstd br identity");
    /* 20,000 empty members, and one long name */
    memset(value, ',', 20000);
    memcpy(value + 20000, "gzip", 4);
    negotiate(value, 20004, text, sizeof(text));
    assert_string_equal(text, "gzip identity");
    memset(value, 'g', 20000);
    negotiate(value, 20000, text, sizeof(text));
    assert_string_equal(text, "identity");
}

static void a_nul_byte_is_no_end(void **state)
{
    static const char value[] = "gzip\0, br";
    char text[64];

    (void)state;
    negotiate(value, sizeof(value) - 1, text, sizeof(text));
    assert_string_equal(text, "br identity");
}

static void every_prefix_of_a_value_is_survived(void **state)
{
    static const char value[] = "x-gzip ; q=0.123 , br;q=1.000, *;q=0, identity; q=0.5";
    char text[64];

    (void)state;
    for (size_t len = 0; len != sizeof(value); ++len)
        negotiate(value, len, text, sizeof(text));
    assert_string_equal(text, "br identity gzip");
}

static void names_and_suffixes_are_those_of_the_registry(void **state)
{
    static const struct {
        breaker_encoding_t encoding;
        const char *name, *suffix;
    } rows[] = {
        {BREAKER_ENCODING_BROTLI, "br", ".br"},
        {BREAKER_ENCODING_ZSTD, "zstd", ".zst"},
        {BREAKER_ENCODING_GZIP, "gzip", ".gz"},
        {BREAKER_ENCODING_IDENTITY, "identity", ""},
    };

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), BREAKER_ENCODINGS);
    for (size_t i = 0; i != BREAKER_ENCODINGS; ++i) {
        assert_string_equal(breaker_encoding_name(rows[i].encoding), rows[i].name);
        assert_string_equal(breaker__encoding_suffix(rows[i].encoding), rows[i].suffix);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_says_nothing_gets_identity),
        cmocka_unit_test(named_codings_are_accepted_in_the_servers_order),
        cmocka_unit_test(weights_decide_before_the_servers_order),
        cmocka_unit_test(weight_0_removes),
        cmocka_unit_test(the_asterisk_stands_for_what_is_not_named),
        cmocka_unit_test(a_coding_named_twice_counts_with_its_lowest_weight),
        cmocka_unit_test(a_malformed_member_is_ignored_and_the_others_count),
        cmocka_unit_test(white_space_and_empty_members_do_not_matter),
        cmocka_unit_test(the_order_of_the_members_changes_nothing),
        cmocka_unit_test(a_thousand_members_are_read_to_the_last),
        cmocka_unit_test(a_nul_byte_is_no_end),
        cmocka_unit_test(every_prefix_of_a_value_is_survived),
        cmocka_unit_test(names_and_suffixes_are_those_of_the_registry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
