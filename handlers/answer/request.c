/*
 * From a request of libh2o to what its answer depends on. Nothing is decided here: a request that
 * is to be refused is described like any other.
 */
#include <assert.h>
#include <string.h>
#include "answer/framing.h"
#include "answer/host.h"
#include "answer/request.h"

bool breaker__is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")) != 0;
}

static breaker_field_t *field_of(breaker__fields_t *fields, const h2o_iovec_t *name)
{
    if (name == &H2O_TOKEN_ACCEPT_ENCODING->buf)
        return &fields->accept_encoding;
    if (name == &H2O_TOKEN_RANGE->buf)
        return &fields->range;
    if (name == &H2O_TOKEN_IF_RANGE->buf)
        return &fields->if_range;
    if (name == &H2O_TOKEN_IF_NONE_MATCH->buf)
        return &fields->conditions.if_none_match;
    if (name == &H2O_TOKEN_IF_MODIFIED_SINCE->buf)
        return &fields->conditions.if_modified_since;
    if (name == &H2O_TOKEN_IF_MATCH->buf)
        return &fields->conditions.if_match;
    if (name == &H2O_TOKEN_IF_UNMODIFIED_SINCE->buf)
        return &fields->conditions.if_unmodified_since;
    return NULL;
}

/* A field that comes in several lines is one list (RFC 9110 §5.3). */
static void add_line(h2o_req_t *req, breaker_field_t *field, h2o_iovec_t value)
{
    h2o_iovec_t joined;

    if (field->base != NULL) {
        joined = h2o_concat(&req->pool, h2o_iovec_init(field->base, field->len),
                            h2o_iovec_init(H2O_STRLIT(", ")), value);
        value = joined;
    }
    assert(value.base != NULL);
    *field = (breaker_field_t){value.base, value.len};
}

static void read_fields(breaker__fields_t *fields, h2o_req_t *req)
{
    breaker__fields_init(fields);
    for (size_t i = 0; i != req->headers.size; ++i) {
        breaker_field_t *field = field_of(fields, req->headers.entries[i].name);
        if (field != NULL)
            add_line(req, field, req->headers.entries[i].value);
    }
}

/* the one line of a field that has no token in libh2o; several say nothing */
static h2o_iovec_t single_line(const h2o_req_t *req, const char *name, size_t name_len)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, name_len, -1);

    if (at == -1 || h2o_find_header_by_str(&req->headers, name, name_len, at) != -1)
        return h2o_iovec_init(NULL, 0);
    return req->headers.entries[at].value;
}

h2o_iovec_t breaker__request_origin(const breaker__request_t *request)
{
    if (request->by_libh2o == NULL)
        return h2o_iovec_init(request->origin.base, request->origin.len);
    return single_line(request->by_libh2o, H2O_STRLIT("origin"));
}

h2o_iovec_t breaker__request_asked_headers(const breaker__request_t *request)
{
    assert(request->is_preflight);
    return single_line(request->by_libh2o, H2O_STRLIT("access-control-request-headers"));
}

static bool is_preflight(const h2o_req_t *req)
{
    return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")) &&
           single_line(req, H2O_STRLIT("access-control-request-method")).base != NULL;
}

void breaker__request_read(breaker__request_t *request, h2o_req_t *req, bool with_fields)
{
    assert(req->path.base != NULL);
    request->is_head = breaker__is_head(req);
    request->is_of_other_method =
        !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
        !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    request->is_preflight = request->is_of_other_method && is_preflight(req);
    request->has_body = req->entity.base != NULL;
    request->is_ambiguous = (request->has_body && breaker__framing_is_ambiguous(req)) ||
                            breaker__host_is_ambiguous(req);
    request->target = req->path.base;
    request->target_len = req->path.len;
    request->path_len = req->query_at != SIZE_MAX ? req->query_at : req->path.len;
    request->norm_indexes = req->norm_indexes;
    request->by_libh2o = req;
    if (!with_fields)
        return;
    /* libh2o's own clock, read once a turn of the loop */
    request->now_s = (int64_t)h2o_get_timestamp(req->conn->ctx, NULL, NULL)->tv_sec;
    read_fields(&request->fields, req);
}
