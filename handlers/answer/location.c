/*
 * A client resolves a relative Location by the segments of the path that it has asked for, as it
 * has spelled them. They are ours as long as no dot segment and no encoded slash is among them:
 * elsewhere the Location begins with a slash. Both spellings keep the tail of the target as it was
 * sent.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "answer/location.h"

/* where a byte of the normalised path stands in the target; libh2o's index names the one after */
static size_t raw_offset(const breaker__request_t *request, size_t at)
{
    assert(at != 0);
    return request->norm_indexes != NULL ? request->norm_indexes[at - 1] : at;
}

static size_t count_slashes(const char *base, size_t len)
{
    size_t num = 0;

    for (size_t i = 0; i != len; ++i)
        num += base[i] == '/';
    return num;
}

/* "%2e", "%2f" or "%5c": a dot, a slash or what some clients take for one */
static bool is_encoded_mark(const char *at, const char *end)
{
    return end - at >= 3 && (strncasecmp(at, "%2e", 3) == 0 || strncasecmp(at, "%2f", 3) == 0 ||
                             strncasecmp(at, "%5c", 3) == 0);
}

/* "." or ".." up to the next slash */
static bool is_dot_segment(const char *at, const char *end)
{
    size_t num = 0;

    while (at != end && *at == '.' && num != 3)
        ++at, ++num;
    return (num == 1 || num == 2) && (at == end || *at == '/');
}

/* whether a client parts the path where we do; nothing was normalised without `norm_indexes` */
static bool has_same_segments(const breaker__request_t *request)
{
    const char *at = request->target, *end = at + request->path_len;

    if (request->norm_indexes == NULL)
        return true;
    if (at == end || *at != '/')
        return false;
    for (; at != end; ++at)
        if (is_encoded_mark(at, end) || (*at == '/' && is_dot_segment(at + 1, end)))
            return false;
    return true;
}

/* an internal redirect, or an application's X-Reproxy-URL: the client knows of another path */
static bool is_asked_for_elsewhere(const breaker__request_t *request)
{
    const h2o_req_t *req = request->by_libh2o;

    return req != NULL && (req->res_is_delegated || req->num_reprocessed != 0);
}

/* the first byte of the token's segment in the view's prefix, whose head is that of the path */
static size_t segment_at(const breaker_snapshot_view_t *view, const breaker_view_match_t *match)
{
    size_t at = match->token_at;

    assert(at < view->prefix_len);
    while (view->prefix[at - 1] != '/')
        --at;
    return at;
}

void breaker__location_under(breaker__line_t *line, const breaker_snapshot_view_t *view,
                             const breaker_view_match_t *match, const breaker__request_t *request)
{
    size_t at = raw_offset(request, match->asset_at), path_len = request->path_len, from = 0;
    size_t tail_len = match->asset_at - match->token_at - match->token_len;

    assert(at <= path_len);
    assert(path_len <= request->target_len);
    line->num_up = 0;
    if (!is_asked_for_elsewhere(request) && has_same_segments(request)) {
        from = segment_at(view, match);
        /* no slash is in the token, nor before it in its segment */
        line->num_up = count_slashes(view->prefix + view->prefix_len - tail_len, tail_len) +
                       count_slashes(request->target + at, path_len - at);
    }
    line->text = h2o_iovec_init(view->prefix + from, view->prefix_len - from);
    line->tail = h2o_iovec_init(request->target + at, request->target_len - at);
}

void breaker__location_of_directory(breaker__line_t *line, const breaker__request_t *request)
{
    size_t path_len = request->path_len, at = path_len;

    while (at != 0 && request->target[at - 1] != '/')
        --at;
    if (is_asked_for_elsewhere(request))
        at = 0;
    assert(at <= path_len);
    line->text = h2o_iovec_init(request->target + at, path_len - at);
    line->tail = h2o_iovec_init(request->target + path_len, request->target_len - path_len);
}
