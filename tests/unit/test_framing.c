/*
 * What the fields of a head say of its body, and how it is hidden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "http/framing.h"

/* "name: value" lines, as the parser gives them out; those without a name are folded */
static size_t split(const char *const *lines, struct phr_header *headers)
{
    size_t num = 0;

    for (; lines[num] != NULL; ++num) {
        const char *colon = strchr(lines[num], ':');
        struct phr_header *header = headers + num;
        assert_non_null(colon);
        *header = (struct phr_header){lines[num], (size_t)(colon - lines[num]), colon + 1,
                                      strlen(colon + 1)};
        if (header->name_len == 0)
            header->name = NULL;
    }
    return num;
}

static breaker__framing_t read_lines(const char *const *lines, int minor_version)
{
    struct phr_header headers[8];

    return breaker__framing_read(headers, split(lines, headers), minor_version);
}

#define FRAMING(minor_version, ...)                                                                \
    read_lines((const char *const[]){"host:x", __VA_ARGS__, NULL}, minor_version)

static void one_field_says_what_the_body_is(void **state)
{
    breaker__framing_t framing = FRAMING(1, "Content-Length:12");
    (void)state;

    assert_false(framing.is_ambiguous);
    assert_false(framing.is_chunked);
    assert_true(framing.has_body);
    assert_int_equal(framing.length, 12);
    framing = FRAMING(1, "TRANSFER-ENCODING:chunked", "expect:100-continue");
    assert_false(framing.is_ambiguous);
    assert_true(framing.has_body);
    assert_true(framing.is_chunked);
    assert_true(framing.expects);
    assert_false(FRAMING(1, "content-length:0").has_body);
    assert_false(FRAMING(1, "content-lengths:5", "x-transfer-encoding:chunked").has_body);
}

static void what_is_no_length_is_too_long(void **state)
{
    static const char *const fields[] = {"content-length:",
                                         "content-length:x",
                                         "content-length:-1",
                                         "content-length:5,5",
                                         "content-length:0x5",
                                         "content-length:+5",
                                         "content-length:9999999999999999999999"};
    (void)state;

    for (size_t i = 0; i != sizeof(fields) / sizeof(fields[0]); ++i)
        assert_true(FRAMING(1, fields[i]).length == UINT64_MAX);
}

static void several_fields_are_ambiguous(void **state)
{
    (void)state;
    assert_true(FRAMING(1, "content-length:5", "content-length:5").is_ambiguous);
    assert_true(FRAMING(1, "content-length:0", "transfer-encoding:chunked").is_ambiguous);
    assert_true(FRAMING(1, "transfer-encoding:chunked", "content-length:5").is_ambiguous);
    assert_true(FRAMING(1, "transfer-encoding:gzip", "transfer-encoding:chunked").is_ambiguous);
    assert_true(FRAMING(0, "transfer-encoding:chunked").is_ambiguous);
    assert_false(FRAMING(0, "content-length:5").is_ambiguous);
}

static void folded_lengths_are_ambiguous(void **state)
{
    (void)state;
    assert_true(FRAMING(1, "content-length:1", ":0").is_ambiguous);
    assert_true(FRAMING(1, "transfer-encoding:", ":chunked").is_ambiguous);
    assert_true(FRAMING(1, "content-length:1", ":", ":0").is_ambiguous);
    assert_false(FRAMING(1, "content-length:1", "x:y", ":0").is_ambiguous);
}

/* whoever drops the blanks in front finds a body that we do not */
static void a_folded_line_that_reads_like_a_length_is_ambiguous(void **state)
{
    static const char *const fields[] = {": Transfer-Encoding: chunked", ":\tcontent-length:5",
                                         ": \ttransfer-encoding : chunked"};
    static const char *const others[] = {":", ":  ", ": :", ": x-content-length:5",
                                         ": content-length"};
    (void)state;

    for (size_t i = 0; i != sizeof(fields) / sizeof(fields[0]); ++i)
        assert_true(FRAMING(1, "x:y", fields[i]).is_ambiguous);
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        assert_false(FRAMING(1, "x:y", others[i]).is_ambiguous);
}

static void a_hidden_body_leaves_the_other_fields(void **state)
{
    const char *const lines[] = {"host:x",   "content-length:5", "expect:100-continue",
                                 "accept:y", ":folded",          NULL};
    struct phr_header headers[8];
    size_t num = split(lines, headers);
    char name[] = "connection";
    (void)state;

    breaker__framing_hide(headers, &num, name);
    assert_int_equal(num, 4);
    assert_memory_equal(headers[0].name, "host", 4);
    assert_memory_equal(headers[1].name, "accept", 6);
    assert_null(headers[2].name);
    assert_ptr_equal(headers[3].name, name);
    assert_int_equal(headers[3].name_len, 10);
    assert_memory_equal(headers[3].value, "close", 5);
    assert_false(breaker__framing_read(headers, num, 1).has_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_field_says_what_the_body_is),
        cmocka_unit_test(what_is_no_length_is_too_long),
        cmocka_unit_test(several_fields_are_ambiguous),
        cmocka_unit_test(folded_lengths_are_ambiguous),
        cmocka_unit_test(a_folded_line_that_reads_like_a_length_is_ambiguous),
        cmocka_unit_test(a_hidden_body_leaves_the_other_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
