/*
 * Placeholders in the headers of a response: preloads, redirects to an asset, source maps. Whatever
 * type the body is of, the header is read by the same browser, so every response of the application
 * is looked at. A header array may be shared and read-only; it is copied before it is changed.
 */
#include <assert.h>
#include <string.h>
#include "pages/page.h"

static bool has_links(const h2o_iovec_t *name)
{
    static const char *const others[] = {"sourcemap", "x-sourcemap"};

    if (name == &H2O_TOKEN_LINK->buf || name == &H2O_TOKEN_LOCATION->buf ||
        name == &H2O_TOKEN_CONTENT_LOCATION->buf || name == &H2O_TOKEN_REFRESH->buf)
        return true;
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        if (h2o_memis(name->base, name->len, others[i], strlen(others[i])))
            return true;
    return false;
}

/* ---- one value ---- */

static void on_count(void *data, const char *base, size_t len)
{
    size_t *sum = data;
    (void)base;

    *sum += len;
}

static void on_put(void *data, const char *base, size_t len)
{
    char **end = data;

    memcpy(*end, base, len);
    *end += len;
}

static h2o_iovec_t substitute(const breaker__prefixes_t *prefixes, h2o_mem_pool_t *pool,
                              h2o_iovec_t value)
{
    breaker_substitute_t stream;
    h2o_iovec_t dst = {NULL, 0};
    char *end;

    breaker_substitute_init(&stream, prefixes->pairs, prefixes->num_pairs);
    breaker_substitute_feed(&stream, value.base, value.len, true, on_count, &dst.len);
    dst.base = end = h2o_mem_alloc_pool(pool, dst.len);
    breaker_substitute_init(&stream, prefixes->pairs, prefixes->num_pairs);
    breaker_substitute_feed(&stream, value.base, value.len, true, on_put, &end);
    assert(end == dst.base + dst.len);
    return dst;
}

/* ---- the headers ---- */

/* replaces what stands in a value; returns false where there is nothing */
static bool mend(const breaker__page_t *page, h2o_mem_pool_t *pool, h2o_iovec_t *value)
{
    static const char word[] = "breaker";
    h2o_iovec_t mended;

    if (memmem(value->base, value->len, word, sizeof(word) - 1) == NULL)
        return false;
    mended = substitute(page->prefixes, pool, *value);
    if (h2o_memis(mended.base, mended.len, value->base, value->len))
        return false;
    *value = mended;
    return true;
}

bool breaker__page_mend_links(const breaker__page_t *page, h2o_req_t *req)
{
    h2o_headers_t headers = {NULL};
    bool is_mended = false;

    for (size_t i = 0; i != req->res.headers.size; ++i) {
        h2o_header_t header = req->res.headers.entries[i];
        if (!has_links(header.name) || !mend(page, &req->pool, &header.value))
            continue;
        if (!is_mended) {
            h2o_vector_reserve(&req->pool, &headers, req->res.headers.size);
            memcpy(headers.entries, req->res.headers.entries,
                   req->res.headers.size * sizeof(headers.entries[0]));
            headers.size = req->res.headers.size;
            is_mended = true;
        }
        headers.entries[i] = header;
    }
    if (is_mended)
        req->res.headers = headers;
    return is_mended;
}
