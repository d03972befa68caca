/*
 * What the Content-Encoding fields of a response come to (RFC 9110 §8.4): one coding that can be
 * undone, or none of those.
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
