/*
 * Goes the way from a request to its handler that libh2o will go when it has read the body: host,
 * path, first handlers. Whoever asks may then spare everybody the body, or let it
 * pass through.
 */
#include <assert.h>
#include <string.h>
#include "answer/host.h"
#include "answer/static.h"
#include "pages/guard.h"
#include "pages/page.h"
#include "upstream/request/body_reader.h"
#include "upstream/upstream.h"

/* over HTTP/2 a request names its scheme; the head of one over HTTP/1 has only been parsed */
static const h2o_url_scheme_t *find_scheme(const h2o_req_t *req)
{
    if (req->version >= 0x200 && req->input.scheme != NULL)
        return req->input.scheme;
    return req->conn->callbacks->get_socket(req->conn)->ssl != NULL ? &H2O_URL_SCHEME_HTTPS
                                                                    : &H2O_URL_SCHEME_HTTP;
}

static const h2o_hostconf_t *find_host(const h2o_req_t *req, h2o_iovec_t host)
{
    if (req->conn->hosts[1] == NULL || host.base == NULL)
        return req->conn->hosts[0];
    return breaker__host_named(req->conn->hosts, host, find_scheme(req)->default_port);
}

/* libh2o's rule, and routes.c's */
static const h2o_pathconf_t *find_path(const h2o_hostconf_t *host, h2o_iovec_t path)
{
    for (size_t i = 0; i != host->paths.size; ++i) {
        h2o_iovec_t prefix = host->paths.entries[i].path;
        assert(prefix.len != 0);
        if (path.len >= prefix.len && memcmp(path.base, prefix.base, prefix.len) == 0 &&
            (prefix.base[prefix.len - 1] == '/' || path.len == prefix.len ||
             path.base[prefix.len] == '/'))
            return host->paths.entries + i;
    }
    return NULL;
}

/* of ours: what it says of a request does not depend on the body, and it answers few */
static bool is_passed(const h2o_handler_t *handler)
{
    return breaker__is_static(handler) || breaker__is_guard(handler) ||
           breaker__is_rewrite(handler);
}

static breaker__body_reader_t reader_by(const h2o_handler_t *handler)
{
    if (!breaker__is_upstream(handler))
        return BREAKER__READER_OTHER;
    return breaker__upstream_takes_chunks(handler) ? BREAKER__READER_UPSTREAM_CHUNKS
                                                   : BREAKER__READER_UPSTREAM;
}

static breaker__body_reader_t reader_at(const h2o_pathconf_t *pathconf)
{
    for (size_t i = 0; i != pathconf->handlers.size; ++i) {
        const h2o_handler_t *handler = pathconf->handlers.entries[i];
        if (!is_passed(handler))
            return reader_by(handler);
    }
    return BREAKER__READER_OTHER;
}

breaker__body_reader_t breaker__body_reader_of(h2o_req_t *req, h2o_iovec_t host)
{
    h2o_iovec_t target = req->input.path, path;
    const h2o_pathconf_t *pathconf;
    size_t query_at, *norm_indexes;

    if (target.len == 0 || target.base[0] != '/' ||
        (host.base != NULL && !breaker__is_host(host.base, host.len)))
        return BREAKER__READER_OTHER;
    path = h2o_url_normalize_path(&req->pool, target.base, target.len, &query_at, &norm_indexes);
    pathconf = find_path(find_host(req, host), path);
    if (pathconf == NULL)
        return BREAKER__READER_OTHER;
    return breaker__is_in_views(pathconf, path) ? BREAKER__READER_NONE : reader_at(pathconf);
}
