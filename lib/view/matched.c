/*
 * Headers by pattern: which of them a path has. An entry replaces what came before it under the
 * names that it has, so that what holds for few files can be said after what holds for many; within
 * an entry a name may come twice.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "view/matched.h"
#include "view/pattern.h"

static bool has_same_name(const char *line, const char *other)
{
    size_t len = strcspn(line, ":");

    return strcspn(other, ":") == len && strncasecmp(line, other, len) == 0;
}

/* past the last header of the entry that begins at `at` */
static size_t entry_end(const breaker_view_config_t *config, size_t at)
{
    const breaker_matched_header_t *headers = config->matched_headers;
    size_t end = at + 1;

    while (end != config->num_matched_headers &&
           strcmp(headers[end].pattern, headers[at].pattern) == 0)
        ++end;
    return end;
}

static size_t drop_name(const char **lines, size_t num, const char *line)
{
    size_t num_left = 0;

    for (size_t i = 0; i != num; ++i)
        if (!has_same_name(lines[i], line))
            lines[num_left++] = lines[i];
    return num_left;
}

size_t breaker__view_matched(const breaker_view_t *view, const char *path, size_t len,
                             const char **lines)
{
    const breaker_view_config_t *config = breaker_view_config(view);
    const breaker_matched_header_t *headers = config->matched_headers;
    size_t num = 0;

    assert(config->num_matched_headers <= BREAKER_VIEW_HEADERS_MAX);
    for (size_t at = 0, end; at != config->num_matched_headers; at = end) {
        end = entry_end(config, at);
        if (!breaker__pattern_matches(headers[at].pattern, path, len))
            continue;
        for (size_t i = at; i != end; ++i)
            num = drop_name(lines, num, headers[i].header);
        for (size_t i = at; i != end; ++i)
            lines[num++] = headers[i].header;
    }
    return num;
}

bool breaker__matched_equal(const breaker_view_config_t *a, const breaker_view_config_t *b)
{
    if (a->num_matched_headers != b->num_matched_headers)
        return false;
    for (size_t i = 0; i != a->num_matched_headers; ++i)
        if (strcmp(a->matched_headers[i].pattern, b->matched_headers[i].pattern) != 0 ||
            strcmp(a->matched_headers[i].header, b->matched_headers[i].header) != 0)
            return false;
    return true;
}
