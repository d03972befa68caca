/*
 * Byte ranges against a second reading of RFC 9110 §14, text by text and, for small sizes, byte by
 * byte. An input is a line with the size, then the field value.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include <breaker/http/range.h>
#include "fuzz.h"

#define SPECS_MAX 16

/** What a request asks for. */
typedef struct st_asked_t {
    bool malformed;
    size_t num;
    breaker_range_t specs[SPECS_MAX]; /* those that a byte satisfies, cut to the size */
    size_t num_specs;
} asked_t;

/** Reads digits that fill a NUL-ended text; false for others and beyond 2^64. */
static bool read_digits(const char *text, uint64_t *ret_number)
{
    size_t len = strlen(text);

    if (len == 0 || strspn(text, "0123456789") != len)
        return false;
    while (len > 1 && *text == '0') {
        ++text;
        --len;
    }
    if (len > 20 || (len == 20 && strcmp(text, "18446744073709551615") > 0))
        return false;
    *ret_number = strtoull(text, NULL, 10);
    return true;
}

/** Reads a NUL-ended spec without white space around it. */
static bool read_spec(char *spec, uint64_t size, asked_t *asked)
{
    char *dash = strchr(spec, '-');
    uint64_t first, last = UINT64_MAX;

    if (dash == NULL)
        return false;
    *dash++ = '\0';
    if (*spec == '\0') {
        if (!read_digits(dash, &last))
            return false;
        if (last == 0)
            return true;
        first = last < size ? size - last : 0;
        last = UINT64_MAX;
    } else if (!read_digits(spec, &first) || (*dash != '\0' && !read_digits(dash, &last)) ||
               last < first) {
        return false;
    }
    if (first < size)
        asked->specs[asked->num_specs++] = (breaker_range_t){first, last < size ? last : size - 1};
    return true;
}

static bool read_value(char *value, uint64_t size, asked_t *asked)
{
    if (strncasecmp(value, "bytes=", 6) != 0)
        return false;
    value += 6;
    for (char *next = value; value != NULL; value = next) {
        char *end;
        if ((next = strchr(value, ',')) != NULL)
            *next++ = '\0';
        value += strspn(value, " \t");
        for (end = value + strlen(value); end != value && strchr(" \t", end[-1]) != NULL; --end)
            end[-1] = '\0';
        if (*value == '\0')
            continue;
        if (++asked->num > SPECS_MAX || !read_spec(value, size, asked))
            return false;
    }
    return asked->num != 0;
}

static bool is_in(uint64_t at, const breaker_range_t *ranges, size_t num)
{
    for (size_t i = 0; i != num; ++i)
        if (ranges[i].first <= at && at <= ranges[i].last)
            return true;
    return false;
}

/** Whether the two say the same of the bytes where one of them may change its mind. */
static void check_bytes(const asked_t *asked, const breaker_range_t *ranges, size_t num)
{
    for (size_t i = 0; i != asked->num_specs; ++i) {
        const breaker_range_t *spec = &asked->specs[i];
        assert(is_in(spec->first, ranges, num) && is_in(spec->last, ranges, num));
    }
    for (size_t i = 0; i != num; ++i) {
        assert(is_in(ranges[i].first, asked->specs, asked->num_specs));
        assert(is_in(ranges[i].last, asked->specs, asked->num_specs));
    }
    for (uint64_t at = 0; at != 512; ++at)
        assert(is_in(at, ranges, num) == is_in(at, asked->specs, asked->num_specs));
}

/** The first of the specs that went into a range. */
static size_t first_spec(const asked_t *asked, const breaker_range_t *range)
{
    size_t i = 0;

    while (!is_in(asked->specs[i].first, range, 1))
        ++i;
    return i;
}

static void check_shape(const asked_t *asked, const breaker_range_t *ranges, size_t num,
                        uint64_t size)
{
    assert(num >= 1 && num <= BREAKER_RANGES_MAX);
    for (size_t i = 0; i != num; ++i) {
        assert(ranges[i].first <= ranges[i].last && ranges[i].last < size);
        for (size_t j = 0; j != i; ++j) {
            assert(ranges[i].first > ranges[j].last
                       ? ranges[i].first - ranges[j].last > 1
                       : ranges[j].first > ranges[i].last && ranges[j].first - ranges[i].last > 1);
            assert(first_spec(asked, &ranges[j]) < first_spec(asked, &ranges[i]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t text = {(const char *)data, size};
    uint64_t total = fuzz_take_number(&text);
    breaker_range_t ranges[BREAKER_RANGES_MAX];
    char value[FUZZ_INPUT_MAX + 1];
    asked_t asked = {.malformed = false};
    size_t num;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    if (text.len != 0)
        memcpy(value, text.base, text.len);
    value[text.len] = '\0';
    asked.malformed = strlen(value) != text.len || !read_value(value, total, &asked);

    switch (breaker_range_parse(text.base, text.len, total, ranges, &num)) {
    case BREAKER_RANGE_IGNORE:
        assert(asked.malformed);
        break;
    case BREAKER_RANGE_UNSATISFIABLE:
        assert(!asked.malformed && asked.num_specs == 0);
        break;
    case BREAKER_RANGE_PARTIAL:
        assert(!asked.malformed && asked.num_specs != 0);
        check_shape(&asked, ranges, num, total);
        check_bytes(&asked, ranges, num);
        break;
    }
    return 0;
}
