/*
 * Answers without an asset. None of them may stay in a cache by accident: libh2o's own error
 * responses carry no Cache-Control, so these are made by hand, of header arrays in static memory.
 * A redirect is made by hand too: libh2o's clears the headers and turns into an internal redirect
 * on delegated requests.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "answer/respond.h"

static h2o_iovec_t nosniff_name = {H2O_STRLIT("x-content-type-options")};

/* what every refusal begins with */
#define REFUSAL_HEADERS                                                                            \
    {&H2O_TOKEN_CONTENT_TYPE->buf, NULL, {H2O_STRLIT("text/plain; charset=utf-8")}},               \
        {&H2O_TOKEN_CACHE_CONTROL->buf, NULL, {H2O_STRLIT("no-store")}},                           \
    {                                                                                              \
        &nosniff_name, NULL,                                                                       \
        {                                                                                          \
            H2O_STRLIT("nosniff")                                                                  \
        }                                                                                          \
    }

bool breaker__is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")) != 0;
}

void breaker__respond_headers(h2o_req_t *req, const h2o_header_t *headers, size_t num)
{
    /* the chunked encoder, always there, never writes to headers of a response with a length */
    if (req->pathconf->filters.size <= 1 && req->prefilters == NULL) {
        req->res.headers.entries = (h2o_header_t *)(uintptr_t)headers;
        req->res.headers.size = req->res.headers.capacity = num;
        /* spares libh2o a copy for logs of the response as it was before filters changed it */
        req->res.original.status = req->res.status;
        req->res.original.headers = req->res.headers;
        return;
    }
    h2o_vector_reserve(&req->pool, &req->res.headers, num);
    memcpy(req->res.headers.entries, headers, num * sizeof(headers[0]));
    req->res.headers.size = num;
}

static int send_text(h2o_req_t *req, h2o_iovec_t body)
{
    static h2o_generator_t generator = {NULL, NULL};

    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    req->res.mime_attr = &h2o_mime_attributes_as_is;
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    if (breaker__is_head(req) || body.len == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static int send_fixed(h2o_req_t *req, const breaker__fixed_t *fixed)
{
    req->res.status = fixed->status;
    req->res.reason = fixed->reason;
    breaker__respond_headers(req, fixed->headers, fixed->num_headers);
    return send_text(req, fixed->body);
}

static breaker__fixed_t refusal(int status, const char *reason, h2o_iovec_t body)
{
    static const h2o_header_t headers[] = {REFUSAL_HEADERS};

    return (breaker__fixed_t){status, reason, headers, sizeof(headers) / sizeof(headers[0]), body};
}

static int refuse(h2o_req_t *req, int status, const char *reason, h2o_iovec_t body)
{
    breaker__fixed_t fixed = refusal(status, reason, body);

    return send_fixed(req, &fixed);
}

breaker__fixed_t breaker__not_found(void)
{
    return refusal(404, "Not Found", h2o_iovec_init(H2O_STRLIT("not found\n")));
}

breaker__fixed_t breaker__retry_later(const breaker__retry_t *retry)
{
    return (breaker__fixed_t){503, "Service Unavailable", retry->headers,
                              sizeof(retry->headers) / sizeof(retry->headers[0]),
                              h2o_iovec_init(H2O_STRLIT("not on this node yet, try again\n"))};
}

int breaker__respond_bad_request(h2o_req_t *req)
{
    return refuse(req, 400, "Bad Request", h2o_iovec_init(H2O_STRLIT("bad request\n")));
}

int breaker__respond_not_found(h2o_req_t *req)
{
    breaker__fixed_t fixed = breaker__not_found();

    return send_fixed(req, &fixed);
}

int breaker__respond_not_acceptable(h2o_req_t *req)
{
    return refuse(req, 406, "Not Acceptable",
                  h2o_iovec_init(H2O_STRLIT("no acceptable encoding\n")));
}

int breaker__respond_precondition_failed(h2o_req_t *req)
{
    return refuse(req, 412, "Precondition Failed",
                  h2o_iovec_init(H2O_STRLIT("precondition failed\n")));
}

int breaker__respond_uri_too_long(h2o_req_t *req)
{
    return refuse(req, 414, "URI Too Long", h2o_iovec_init(H2O_STRLIT("URI too long\n")));
}

int breaker__respond_not_allowed(h2o_req_t *req)
{
    static const h2o_header_t headers[] = {
        REFUSAL_HEADERS, {&H2O_TOKEN_ALLOW->buf, NULL, {H2O_STRLIT("GET, HEAD")}}};

    breaker__fixed_t fixed = {405, "Method Not Allowed", headers,
                              sizeof(headers) / sizeof(headers[0]),
                              h2o_iovec_init(H2O_STRLIT("method not allowed\n"))};

    return send_fixed(req, &fixed);
}

void breaker__retry_init(breaker__retry_t *retry, uint32_t retry_after_s)
{
    static const h2o_header_t headers[] = {REFUSAL_HEADERS};
    enum { NUM = sizeof(headers) / sizeof(headers[0]) };
    int len = snprintf(retry->text, sizeof(retry->text), "%" PRIu32, retry_after_s);

    assert(NUM + 1 == sizeof(retry->headers) / sizeof(retry->headers[0]));
    memcpy(retry->headers, headers, sizeof(headers));
    retry->headers[NUM] = (h2o_header_t){.name = (h2o_iovec_t *)&H2O_TOKEN_RETRY_AFTER->buf,
                                         .value = h2o_iovec_init(retry->text, (size_t)len)};
}

int breaker__respond_retry(h2o_req_t *req, const breaker__retry_t *retry)
{
    breaker__fixed_t fixed = breaker__retry_later(retry);

    return send_fixed(req, &fixed);
}

int breaker__respond_unsatisfiable(h2o_req_t *req, uint64_t size)
{
    static const h2o_header_t headers[] = {REFUSAL_HEADERS};
    enum { NUM = sizeof(headers) / sizeof(headers[0]) };
    char *value = h2o_mem_alloc_pool(&req->pool, sizeof("bytes */18446744073709551615"));
    int len = sprintf(value, "bytes */%" PRIu64, size);

    req->res.status = 416;
    req->res.reason = "Range Not Satisfiable";
    h2o_vector_reserve(&req->pool, &req->res.headers, NUM + 1);
    memcpy(req->res.headers.entries, headers, sizeof(headers));
    req->res.headers.entries[NUM] =
        (h2o_header_t){.name = (h2o_iovec_t *)&H2O_TOKEN_CONTENT_RANGE->buf,
                       .value = h2o_iovec_init(value, (size_t)len)};
    req->res.headers.size = NUM + 1;
    return send_text(req, h2o_iovec_init(H2O_STRLIT("range not satisfiable\n")));
}

/* h2o's index holds, for a byte of the normalised path, the place of the byte behind it */
static size_t raw_offset(const h2o_req_t *req, size_t at)
{
    assert(at != 0);
    return req->norm_indexes != NULL ? req->norm_indexes[at - 1] : at;
}

int breaker__respond_redirect(h2o_req_t *req, const char *prefix, size_t prefix_len,
                              size_t asset_at, h2o_iovec_t cache_control)
{
    size_t raw_at = raw_offset(req, asset_at), raw_len = req->path.len - raw_at, len;
    char *location = h2o_mem_alloc_pool(&req->pool, prefix_len + raw_len * 3);
    h2o_header_t *headers;

    assert(raw_at <= req->path.len);
    memcpy(location, prefix, prefix_len);
    len = prefix_len +
          breaker_percent_repair(req->path.base + raw_at, raw_len, location + prefix_len);

    req->res.status = 301;
    req->res.reason = "Moved Permanently";
    headers = h2o_mem_alloc_pool(&req->pool, sizeof(headers[0]) * 2);
    headers[0] = (h2o_header_t){.name = (h2o_iovec_t *)&H2O_TOKEN_LOCATION->buf,
                                .value = h2o_iovec_init(location, len)};
    headers[1] = (h2o_header_t){.name = (h2o_iovec_t *)&H2O_TOKEN_CACHE_CONTROL->buf,
                                .value = cache_control};
    breaker__respond_headers(req, headers, 2);
    return send_text(req, h2o_iovec_init(NULL, 0));
}
