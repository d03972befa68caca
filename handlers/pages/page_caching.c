/*
 * What caches may make of a page. Its prefixes change with the token, so a page that says nothing
 * of caching is revalidated: a shared cache that decides by itself would hand out an old token for
 * as long as it likes. What an application says of it is its own decision, and counts, unless the
 * settings take it out. Filters have seen the head when this looks at it: what `expires` and
 * `header.*` say is as good as what the application says.
 */
#include <string.h>
#include "pages/page.h"

static bool has_directive(const h2o_headers_t *headers, const char *name)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_CACHE_CONTROL, at)) != -1)
        if (h2o_contains_token(headers->entries[at].value.base, headers->entries[at].value.len,
                               name, strlen(name), ','))
            return true;
    return false;
}

/* a cache by name, and caches of one kind (RFC 9213), may be told otherwise */
static bool is_for_caches(const h2o_iovec_t *name)
{
    static const char suffix[] = "-cache-control", surrogate[] = "surrogate-control";
    const size_t len = sizeof(suffix) - 1;

    return name == &H2O_TOKEN_CACHE_CONTROL->buf || name == &H2O_TOKEN_EXPIRES->buf ||
           h2o_memis(name->base, name->len, surrogate, sizeof(surrogate) - 1) ||
           (name->len > len && memcmp(name->base + name->len - len, suffix, len) == 0);
}

static void replace(h2o_req_t *req, const char *value)
{
    h2o_headers_t headers = {NULL};

    h2o_vector_reserve(&req->pool, &headers, req->res.headers.size + 1);
    for (size_t i = 0; i != req->res.headers.size; ++i)
        if (!is_for_caches(req->res.headers.entries[i].name))
            headers.entries[headers.size++] = req->res.headers.entries[i];
    req->res.headers = headers;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, value,
                   strlen(value));
}

void breaker__page_mend_caching(const breaker__page_t *page, h2o_req_t *req)
{
    const h2o_headers_t *headers = &req->res.headers;
    bool is_silent = h2o_find_header(headers, H2O_TOKEN_CACHE_CONTROL, -1) == -1 &&
                     h2o_find_header(headers, H2O_TOKEN_EXPIRES, -1) == -1;

    if (!page->is_mended)
        return;
    /* a 304 that says nothing leaves what the cache has been told before */
    if (page->settings->revalidates && !has_directive(headers, "no-store") &&
        (!is_silent || req->res.status != 304))
        replace(req, has_directive(headers, "private") ? "private, no-cache" : "no-cache");
    else if (is_silent && req->res.status != 304)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                       H2O_STRLIT("no-cache"));
}
