/*
 * Shell patterns over the paths of a view. The C library's fnmatch(3) depends on the locale, knows
 * no `**` and takes exponential time for some patterns; here two places to go back to are enough:
 * whatever the last `**` can take, an earlier one could only have left to it, and the last `*`
 * behind it never goes beyond its segment. A `*` that took the rest of its segment in vain takes
 * nothing else when the `**` before it takes more of the same segment: that goes on with the next.
 */
#include <assert.h>
#include <string.h>
#include <breaker/view.h>
#include "view/pattern.h"

/* where to go on when what follows a star did not match: one byte, or one segment, further on */
typedef struct st_retry_t {
    const char *pattern; /* NULL: nowhere */
    const char *path;
    bool by_segment;
} retry_t;

typedef struct st_matching_t {
    const char *pattern, *path, *path_end;
    bool at_segment;     /* the pattern is at its beginning, or after a slash */
    retry_t star, stars; /* of the last `*` and the last `**` */
} matching_t;

/* ---- what a pattern may be ---- */

/* past the set that begins at `at`, or NULL where it does not end */
static const char *skip_set(const char *at)
{
    assert(*at == '[');
    ++at;
    if (*at == '!' || *at == '^')
        ++at;
    /* a bracket that comes first stands for itself */
    if (*at == ']')
        ++at;
    for (; *at != ']'; ++at)
        if (*at == '\0' || *at == '/' || (*at == '\\' && *++at == '\0'))
            return NULL;
    return at + 1;
}

/* past the character or the set, or NULL where there is none */
static const char *skip_one(const char *at)
{
    if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '{' || *at == '}')
        return NULL;
    if (*at == '[')
        return skip_set(at);
    if (*at == '\\')
        return (unsigned char)at[1] >= 0x20 && at[1] != '/' ? at + 2 : NULL;
    return at + 1;
}

bool breaker_is_pattern(const char *pattern)
{
    size_t len = strlen(pattern);

    if (len == 0 || len > BREAKER_VIEW_PATTERN_MAX || pattern[len - 1] == '/' ||
        strstr(pattern, "//") != NULL)
        return false;
    for (const char *at = pattern; at != NULL; at = skip_one(at))
        if (*at == '\0')
            return true;
    return false;
}

/* ---- matching ---- */

static char escaped(const char **at)
{
    *at += **at == '\\';
    return *(*at)++;
}

/* whether a byte is in the set that begins at `at` */
static bool is_in_set(const char *at, char c)
{
    bool is_negated = at[1] == '!' || at[1] == '^', is_in = false, is_first = true;

    for (at += 1 + is_negated; *at != ']' || is_first; is_first = false) {
        unsigned char low = (unsigned char)escaped(&at), high = low;
        if (*at == '-' && at[1] != ']') {
            ++at;
            high = (unsigned char)escaped(&at);
        }
        is_in |= low <= (unsigned char)c && (unsigned char)c <= high;
    }
    return is_in != is_negated;
}

/* takes one byte of the path by what the pattern says */
static bool take_one(matching_t *matching)
{
    const char *pattern = matching->pattern;
    char c = *matching->path;

    switch (*pattern) {
    case '\0':
        return false;
    case '?':
        if (c == '/')
            return false;
        break;
    case '[':
        if (c == '/' || !is_in_set(pattern, c))
            return false;
        break;
    case '\\':
        if (c != pattern[1])
            return false;
        break;
    default:
        if (c != *pattern)
            return false;
    }
    matching->at_segment = *pattern == '/';
    matching->pattern = skip_one(pattern);
    assert(matching->pattern != NULL);
    ++matching->path;
    return true;
}

static void take_star(matching_t *matching)
{
    const char *after = matching->pattern + 1;
    bool has_two = *after == '*';

    while (*after == '*')
        ++after;
    if (!has_two) {
        matching->star = (retry_t){after, matching->path, false};
    } else {
        bool by_segment = matching->at_segment && *after == '/';
        after += by_segment;
        matching->stars = (retry_t){after, matching->path, by_segment};
        matching->star.pattern = NULL;
    }
    matching->at_segment = after[-1] == '/';
    matching->pattern = after;
}

static bool go_back_to(matching_t *matching, retry_t *retry, bool to_next_segment)
{
    const char *end = matching->path_end, *next = retry->path;

    if (retry->pattern == NULL || next == end)
        return false;
    if (to_next_segment) {
        if ((next = memchr(next, '/', (size_t)(end - next))) == NULL)
            return false;
    } else if (retry == &matching->star && *next == '/') {
        return false;
    }
    matching->path = retry->path = next + 1;
    matching->pattern = retry->pattern;
    matching->at_segment = retry->by_segment;
    return true;
}

/* one more for a star that came before */
static bool go_back(matching_t *matching)
{
    bool had_star = matching->star.pattern != NULL;

    if (go_back_to(matching, &matching->star, false))
        return true;
    matching->star.pattern = NULL;
    return go_back_to(matching, &matching->stars, had_star || matching->stars.by_segment);
}

bool breaker__pattern_matches(const char *pattern, const char *path, size_t len)
{
    const char *end = path + len, *slash = memrchr(path, '/', len);
    matching_t matching = {.pattern = pattern, .path_end = end, .at_segment = true};

    assert(pattern[0] != '\0');
    matching.path = strchr(pattern, '/') != NULL || slash == NULL ? path : slash + 1;
    matching.pattern += pattern[0] == '/';
    for (;;) {
        if (*matching.pattern == '*')
            take_star(&matching);
        else if (matching.path == end && *matching.pattern == '\0')
            return true;
        else if ((matching.path == end || !take_one(&matching)) && !go_back(&matching))
            return false;
    }
}
