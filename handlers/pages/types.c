/*
 * Media types by the names that people use. A name stands for everything that browsers and servers
 * call so: `js` for four types, `json` for whatever ends in "+json" as well (RFC 6839). Text is
 * compared without its parameters and in lower case.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "pages/types.h"

enum { PATTERNS_MAX = 4, NAME_MAX_LEN = 127 };

static const struct {
    const char *name, *patterns[PATTERNS_MAX];
} names_of[] = {
    {"html", {"text/html"}},
    {"xhtml", {"application/xhtml+xml"}},
    {"json", {"application/json", "text/json", "+json"}},
    {"xml", {"application/xml", "text/xml", "+xml"}},
    {"turbo-stream", {"text/vnd.turbo-stream.html"}},
    {"event-stream", {"text/event-stream"}},
    {"webmanifest", {"application/manifest+json"}},
    {"css", {"text/css"}},
    {"js",
     {"text/javascript", "application/javascript", "application/x-javascript",
      "application/ecmascript"}},
};

enum { NUM_NAMES = sizeof(names_of) / sizeof(names_of[0]) };

static size_t find_name(const char *name)
{
    size_t i = 0;

    while (i != NUM_NAMES && strcasecmp(names_of[i].name, name) != 0)
        ++i;
    return i;
}

/* RFC 9110 §8.3.1: two tokens and a slash */
static bool is_media_type(const char *text)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$&-^_.+";
    size_t type = strspn(text, chars), subtype;

    if (type == 0 || text[type] != '/')
        return false;
    subtype = strspn(text + type + 1, chars);
    return subtype != 0 && text[type + 1 + subtype] == '\0' && strlen(text) <= NAME_MAX_LEN;
}

bool breaker__type_is_known(const char *name)
{
    return find_name(name) != NUM_NAMES || is_media_type(name);
}

static uint64_t hash_of(const char *pattern)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *pattern != '\0'; ++pattern)
        hash = (hash ^ (unsigned char)*pattern) * UINT64_C(0x100000001b3);
    return hash;
}

static bool has_pattern(const breaker__types_t *types, const char *text)
{
    for (size_t i = 0; i != types->num; ++i)
        if (strcmp(types->patterns[i].base, text) == 0)
            return true;
    return false;
}

static void add_pattern(breaker__types_t *types, const char *text)
{
    h2o_iovec_t copy = h2o_strdup(NULL, text, SIZE_MAX);

    h2o_strtolower(copy.base, copy.len);
    if (has_pattern(types, copy.base)) {
        free(copy.base);
        return;
    }
    types->patterns =
        h2o_mem_realloc(types->patterns, (types->num + 1) * sizeof(types->patterns[0]));
    types->patterns[types->num++] = copy;
    /* a sum, so that the order counts for nothing */
    types->hash += hash_of(copy.base);
}

static void add_name(breaker__types_t *types, const char *name)
{
    size_t which = find_name(name);

    if (which == NUM_NAMES) {
        add_pattern(types, name);
        return;
    }
    for (size_t i = 0; i != PATTERNS_MAX && names_of[which].patterns[i] != NULL; ++i)
        add_pattern(types, names_of[which].patterns[i]);
}

void breaker__types_init(breaker__types_t *types, const char *const *names, size_t num)
{
    *types = (breaker__types_t){0};
    add_name(types, "html");
    for (size_t i = 0; i != num; ++i) {
        assert(breaker__type_is_known(names[i]));
        add_name(types, names[i]);
    }
}

void breaker__types_dispose(breaker__types_t *types)
{
    for (size_t i = 0; i != types->num; ++i)
        free(types->patterns[i].base);
    free(types->patterns);
    *types = (breaker__types_t){0};
}

/* ---- comparing ---- */

/* what stands before the parameters, or before another type */
static size_t essence_len(h2o_iovec_t text)
{
    size_t len = 0;

    while (len != text.len && memchr("; \t,", text.base[len], 4) == NULL)
        ++len;
    return len;
}

static bool matches(h2o_iovec_t pattern, const char *base, size_t len)
{
    if (pattern.base[0] == '+') {
        if (len <= pattern.len)
            return false;
        base += len - pattern.len;
        len = pattern.len;
    }
    return len == pattern.len && strncasecmp(base, pattern.base, len) == 0;
}

bool breaker__types_have(const breaker__types_t *types, h2o_iovec_t content_type)
{
    size_t len = essence_len(content_type);

    for (size_t i = 0; i != types->num; ++i)
        if (matches(types->patterns[i], content_type.base, len))
            return true;
    return false;
}

bool breaker__types_are_asked(const breaker__types_t *types, h2o_iovec_t accept)
{
    const char *at = accept.base, *end = accept.base + accept.len;

    while (at != end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if (comma == NULL)
            comma = end;
        while (at != comma && (*at == ' ' || *at == '\t'))
            ++at;
        if (breaker__types_have(types, h2o_iovec_init(at, (size_t)(comma - at))))
            return true;
        at = comma == end ? end : comma + 1;
    }
    return false;
}
