/*
 * Filters at a path and the answers past libh2o. Those that compress do nothing to the answers of
 * views, which forbid it (`compress_hint`). Those that change headers by nothing but the response,
 * `header.*` and `expires`, are libh2o's own code here as well: it runs on a request that nobody
 * has sent, of which nothing but the response is set, so what comes of it is what libh2o would
 * write, byte for byte. Any other filter makes a path libh2o's.
 *
 * Filters have no names, but their functions do not move: which are libh2o's is learned from a
 * configuration that serves nobody, to which they are added.
 */
#include <assert.h>
#include <filter.h>
#include <stdlib.h>
#include <string.h>
#include "answer/caching.h"
#include "answer/http1_text.h"
#include "answer/pen_h2o.h"
#include "fastpath/filters.h"

typedef void (*setup_t)(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot);

struct st_breaker__filters_t {
    /* libh2o's own, by what they are called */
    setup_t chunked, compress, headers, expires;
    /* that nobody has sent */
    h2o_req_t req;
};

void breaker__filter_spares_assets(h2o_filter_t *self, h2o_context_t *ctx)
{
    (void)self, (void)ctx;
}

/* ---- which filter is which ---- */

/* the one that was added last comes first */
static setup_t first_setup(const h2o_pathconf_t *path)
{
    assert(path->filters.size != 0);
    return path->filters.entries[0]->on_setup_ostream;
}

/* libh2o's filter of `expires`, whose value it never frees; part of its binary interface, like
   yoml.h */
typedef struct st_expires_filter_t {
    h2o_filter_t super;
    int mode;
    h2o_iovec_t value;
} expires_filter_t;

static void learn(breaker__filters_t *filters)
{
    h2o_headers_command_t no_commands[] = {{.cmd = H2O_HEADERS_CMD_NULL}};
    h2o_expires_args_t expires = {.mode = H2O_EXPIRES_MODE_MAX_AGE};
    h2o_compress_args_t compress = {.gzip = {1}, .brotli = {-1}};
    h2o_globalconf_t config;
    h2o_hostconf_t *host;
    h2o_pathconf_t *path;

    h2o_config_init(&config);
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("nobody")), 65535);
    path = h2o_config_register_path(host, "/", 0);
    assert(path->filters.size == 1);
    filters->chunked = first_setup(path);
    h2o_headers_register(path, no_commands);
    filters->headers = first_setup(path);
    h2o_expires_register(path, &expires);
    filters->expires = first_setup(path);
    free(((expires_filter_t *)path->filters.entries[0])->value.base);
    h2o_compress_register(path, &compress);
    filters->compress = first_setup(path);
    h2o_config_dispose(&config);
}

static breaker__filtering_t filtering_of(const breaker__filters_t *filters,
                                         const h2o_filter_t *filter)
{
    setup_t setup = filter->on_setup_ostream;

    /* of what has a length the chunked encoder makes nothing, and answers of views have one */
    if (setup == filters->chunked || setup == filters->compress ||
        filter->on_context_init == breaker__filter_spares_assets)
        return BREAKER__FILTERING_NOTHING;
    if (setup == filters->headers || setup == filters->expires)
        return BREAKER__FILTERING_HEADS;
    return BREAKER__FILTERING_UNKNOWN;
}

/* ---- running them ---- */

static void begin(breaker__filters_t *filters, h2o_pathconf_t *path)
{
    h2o_req_t *req = &filters->req;

    h2o_mem_clear_pool(&req->pool);
    req->pathconf = path;
    req->res.headers = (h2o_headers_t){NULL};
    req->res.content_length = SIZE_MAX;
}

/* libh2o's HTTP/1 writes another header for this one to some user agents, see http1.c there */
static bool adds_vary(breaker__filters_t *filters, h2o_pathconf_t *path)
{
    h2o_req_t *req = &filters->req;

    begin(filters, path);
    req->res.status = 200;
    req->res.content_length = 0;
    breaker__run_filters(req);
    return h2o_find_header(&req->res.headers, H2O_TOKEN_VARY, -1) != -1;
}

breaker__filtering_t breaker__filters_of(breaker__filters_t *filters, h2o_pathconf_t *path)
{
    breaker__filtering_t all = BREAKER__FILTERING_NOTHING;

    for (size_t i = 0; i != path->filters.size; ++i) {
        breaker__filtering_t one = filtering_of(filters, path->filters.entries[i]);
        if (one > all)
            all = one;
    }
    if (all == BREAKER__FILTERING_HEADS && adds_vary(filters, path))
        return BREAKER__FILTERING_UNKNOWN;
    return all;
}

static h2o_iovec_t put_lines(h2o_req_t *req)
{
    const h2o_headers_t *headers = &req->res.headers;
    size_t size = sizeof("\r\n") - 1;
    char *text, *at;

    for (size_t i = 0; i != headers->size; ++i)
        size +=
            headers->entries[i].name->len + headers->entries[i].value.len + sizeof(": \r\n") - 1;
    at = text = h2o_mem_alloc_pool(&req->pool, size);
    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = headers->entries + i;
        assert(header->orig_name == NULL);
        at = breaker__http1_put(at, header->name->base, header->name->len);
        at = breaker__http1_put(at, H2O_STRLIT(": "));
        at = breaker__http1_put(at, header->value.base, header->value.len);
        at = breaker__http1_put(at, H2O_STRLIT("\r\n"));
    }
    at = breaker__http1_put(at, H2O_STRLIT("\r\n"));
    assert(at == text + size);
    return h2o_iovec_init(text, size);
}

h2o_iovec_t breaker__filters_run(breaker__filters_t *filters, h2o_pathconf_t *path,
                                 const breaker__answer_t *answer)
{
    begin(filters, path);
    breaker__pen_h2o_write_head(&filters->req, answer);
    breaker__run_filters(&filters->req);
    return put_lines(&filters->req);
}

/* ---- life ---- */

breaker__filters_t *breaker__filters_create(void)
{
    breaker__filters_t *filters = h2o_mem_alloc(sizeof(*filters));
    h2o_req_t *req = &filters->req;

    memset(filters, 0, sizeof(*filters));
    h2o_mem_init_pool(&req->pool);
    req->version = 0x101;
    req->input.method = req->method = h2o_iovec_init(H2O_STRLIT("GET"));
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    learn(filters);
    return filters;
}

void breaker__filters_free(breaker__filters_t *filters)
{
    if (filters == NULL)
        return;
    h2o_mem_clear_pool(&filters->req.pool);
    free(filters);
}
