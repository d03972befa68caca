/*
 * What the Content-Encoding fields of a response come to (RFC 9110 §8.4): one coding that can be
 * undone, or none of those. `none` is no coding in the registry, but what many write for the lack
 * of one. And whether a text is in letters of a byte at all, as everything that is replaced is.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include "pages/coding.h"

static breaker_coding_t coding_by_name(const char *name, size_t len)
{
    static const struct {
        const char *name;
        breaker_coding_t coding;
    } codings[] = {
        {"identity", BREAKER_CODING_IDENTITY}, {"gzip", BREAKER_CODING_GZIP},
        {"x-gzip", BREAKER_CODING_GZIP},       {"deflate", BREAKER_CODING_DEFLATE},
        {"br", BREAKER_CODING_BROTLI},         {"zstd", BREAKER_CODING_ZSTD},
        {"none", BREAKER_CODING_IDENTITY},
    };

    for (size_t i = 0; i != sizeof(codings) / sizeof(codings[0]); ++i)
        if (strlen(codings[i].name) == len && strncasecmp(codings[i].name, name, len) == 0)
            return codings[i].coding;
    return BREAKER_CODING_OTHER;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

breaker_coding_t breaker__coding_add(breaker_coding_t before, const char *value, size_t len)
{
    const char *at = value, *end = value + len;

    while (at != end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last;
        if (comma == NULL)
            comma = end;
        last = comma;
        while (at != last && is_space(*at))
            ++at;
        while (at != last && is_space(last[-1]))
            --last;
        if (at != last) {
            breaker_coding_t coding = coding_by_name(at, (size_t)(last - at));
            if (before == BREAKER_CODING_IDENTITY)
                before = coding;
            else if (coding != BREAKER_CODING_IDENTITY)
                before = BREAKER_CODING_OTHER;
        }
        at = comma == end ? end : comma + 1;
    }
    return before;
}

/* the value of the parameter `charset`, without a quote in front; NULL where there is none */
static const char *find_charset(h2o_iovec_t content_type, size_t *ret_len)
{
    static const char name[] = "charset=";
    const size_t len = sizeof(name) - 1;
    const char *end = content_type.base + content_type.len;

    for (const char *at = content_type.base; (size_t)(end - at) > len; ++at)
        if ((at[0] == ';' || is_space(at[0])) && strncasecmp(at + 1, name, len) == 0) {
            at += 1 + len;
            if (at != end && *at == '"')
                ++at;
            *ret_len = (size_t)(end - at);
            return at;
        }
    return NULL;
}

bool breaker__is_wide_charset(h2o_iovec_t content_type)
{
    static const char *const wide[] = {"utf-16", "utf16", "utf-32",         "utf32",
                                       "ucs-2",  "ucs-4", "iso-10646-ucs-", "unicode"};
    size_t len = 0;
    const char *charset = find_charset(content_type, &len);

    for (size_t i = 0; charset != NULL && i != sizeof(wide) / sizeof(wide[0]); ++i)
        if (len >= strlen(wide[i]) && strncasecmp(charset, wide[i], strlen(wide[i])) == 0)
            return true;
    return false;
}

bool breaker__begins_wide(const char *begin)
{
    return memcmp(begin, "\xfe\xff", 2) == 0 || memcmp(begin, "\xff\xfe", 2) == 0;
}
