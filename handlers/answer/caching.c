/*
 * `expires` of libh2o adds a max-age or an Expires to every answer of a path, to one that has
 * another max-age or is not to be stored at all as well: caches then choose, and old ones know
 * nothing but Expires. Filters change the headers when the response begins, and nobody sends them
 * before its first bytes, so what was added is taken out in between.
 */
#include <assert.h>
#include <string.h>
#include "answer/caching.h"

#define ADDED ", max-age="

static h2o_iovec_t *find_cache_control(h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CACHE_CONTROL, -1);

    return at != -1 ? &req->res.headers.entries[at].value : NULL;
}

/* the end of ", max-age=<digits>" where it stands, or NULL */
static const char *end_of_added(const char *at, const char *end)
{
    size_t len = sizeof(ADDED) - 1;

    if ((size_t)(end - at) <= len || memcmp(at, ADDED, len) != 0)
        return NULL;
    for (at += len; at != end && *at >= '0' && *at <= '9'; ++at)
        ;
    return at == end || *at == ',' ? at : NULL;
}

/* what was added follows what was there */
static h2o_iovec_t without_added(h2o_req_t *req, h2o_iovec_t value, size_t own_len)
{
    const char *at = value.base + own_len, *end = value.base + value.len, *next;
    char *dst = h2o_mem_alloc_pool(&req->pool, value.len), *dst_end = dst + own_len;

    memcpy(dst, value.base, own_len);
    while (at != end) {
        if ((next = end_of_added(at, end)) != NULL)
            at = next;
        else
            *dst_end++ = *at++;
    }
    assert((size_t)(dst_end - dst) <= value.len);
    return h2o_iovec_init(dst, (size_t)(dst_end - dst));
}

static ssize_t find_expires(const h2o_req_t *req)
{
    return h2o_find_header(&req->res.headers, H2O_TOKEN_EXPIRES, -1);
}

static void drop_expires(h2o_req_t *req)
{
    ssize_t at;

    while ((at = find_expires(req)) != -1)
        h2o_delete_header(&req->res.headers, at);
}

void breaker__start_response(h2o_req_t *req, h2o_generator_t *generator)
{
    h2o_iovec_t *before = NULL, *after, own;
    bool has_expires;

    /* the chunked encoder is always there */
    if (req->pathconf->filters.size > 1)
        before = find_cache_control(req);
    if (before == NULL) {
        h2o_start_response(req, generator);
        return;
    }
    own = *before;
    has_expires = find_expires(req) != -1;
    h2o_start_response(req, generator);
    if (!has_expires)
        drop_expires(req);
    if ((after = find_cache_control(req)) != NULL && after->len > own.len &&
        memcmp(after->base, own.base, own.len) == 0)
        *after = without_added(req, *after, own.len);
}

static void on_setup(h2o_req_prefilter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    if (req->res.status == 404 && find_cache_control(req) == NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                       H2O_STRLIT("no-store"));
    h2o_setup_next_prefilter(self, req, slot);
}

void breaker__do_not_store_404(h2o_req_t *req)
{
    h2o_add_prefilter(req, sizeof(h2o_req_prefilter_t))->on_setup_ostream = on_setup;
}
