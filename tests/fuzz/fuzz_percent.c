/* Percent-encoding: what comes out is fit for a URL, means what went in, and stays as it is. */
#include <assert.h>
#include <stdlib.h>
#include <breaker/http/percent.h>
#include "fuzz.h"
#include "http/percent.h"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** Decodes as a receiver does: what is no escape stands for itself. */
static size_t decode(const char *src, size_t len, char *dst)
{
    size_t written = 0;

    for (size_t i = 0; i < len; ++i) {
        if (src[i] == '%' && len - i > 2 && digit_value(src[i + 1]) >= 0 &&
            digit_value(src[i + 2]) >= 0) {
            dst[written++] = (char)(digit_value(src[i + 1]) * 16 + digit_value(src[i + 2]));
            i += 2;
        } else {
            dst[written++] = src[i];
        }
    }
    return written;
}

static void check_fit_for_a_url(const char *text, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        assert(text[i] > 0x20 && text[i] < 0x7f && strchr("\"#<>\\^`{|}", text[i]) == NULL);
}

static void check_encode(const char *src, size_t size)
{
    char *dst = malloc(3 * size + 1), *decoded = malloc(3 * size + 1);
    size_t len = breaker__percent_encode(src, size, dst);

    assert(len >= size && len <= 3 * size);
    check_fit_for_a_url(dst, len);
    assert(memchr(dst, '?', len) == NULL);
    assert(decode(dst, len, decoded) == size && memcmp(decoded, src, size) == 0);
    free(dst);
    free(decoded);
}

static void check_repair(const char *src, size_t size)
{
    char *dst = malloc(3 * size + 1), *again = malloc(9 * size + 1);
    char *decoded = malloc(3 * size + 1), *expected = malloc(size + 1);
    size_t len = breaker_percent_repair(src, size, dst), decoded_len = decode(dst, len, decoded);

    assert(len >= size && len <= 3 * size);
    check_fit_for_a_url(dst, len);
    assert(decode(src, size, expected) == decoded_len);
    assert(memcmp(expected, decoded, decoded_len) == 0);
    assert(breaker_percent_repair(dst, len, again) == len && memcmp(again, dst, len) == 0);
    free(dst);
    free(again);
    free(decoded);
    free(expected);
}

static void check_clean(const char *src, size_t size)
{
    bool clean = true;

    for (int c = 0; c <= 0x7f; ++c)
        if ((c < 0x20 || c == 0x7f || c == '\\') && size != 0 && memchr(src, c, size) != NULL)
            clean = false;
    assert(breaker__path_is_clean(src, size) == clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *src = (const char *)data;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    check_encode(src, size);
    check_repair(src, size);
    check_clean(src, size);
    return 0;
}
