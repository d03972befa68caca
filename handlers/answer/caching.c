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

static bool has_expires(const h2o_req_t *req)
{
    return h2o_find_header(&req->res.headers, H2O_TOKEN_EXPIRES, -1) != -1;
}

static void drop_expires(h2o_req_t *req)
{
    ssize_t at;

    while ((at = h2o_find_header(&req->res.headers, H2O_TOKEN_EXPIRES, -1)) != -1)
        h2o_delete_header(&req->res.headers, at);
}

/* what filters find */
typedef struct st_own_t {
    h2o_iovec_t cache_control; /* no base where nothing can be added to it */
    bool has_expires;
} own_t;

static inline own_t own_of(h2o_req_t *req)
{
    own_t own = {{NULL, 0}, false};
    h2o_iovec_t *cache_control;

    /* the chunked encoder is always there */
    if (req->pathconf->filters.size <= 1 || (cache_control = find_cache_control(req)) == NULL)
        return own;
    return (own_t){*cache_control, has_expires(req)};
}

static inline void take_out_added(h2o_req_t *req, const own_t *own)
{
    size_t own_len = own->cache_control.len;
    h2o_iovec_t *after;

    if (own->cache_control.base == NULL)
        return;
    if (!own->has_expires)
        drop_expires(req);
    if ((after = find_cache_control(req)) != NULL && after->len > own_len &&
        memcmp(after->base, own->cache_control.base, own_len) == 0)
        *after = without_added(req, *after, own_len);
}

void breaker__start_response(h2o_req_t *req, h2o_generator_t *generator)
{
    own_t own = own_of(req);

    h2o_start_response(req, generator);
    take_out_added(req, &own);
}

void breaker__run_filters(h2o_req_t *req)
{
    own_t own = own_of(req);

    req->_next_filter_index = 0;
    h2o_setup_next_ostream(req, &req->_ostr_top);
    take_out_added(req, &own);
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
