/*
 * Writes an answer to libh2o. The common one, a head made at the load and a whole body in memory,
 * is one call with no allocation of ours. Redirects are written like everything else: libh2o's own
 * clear the headers, and turn into internal ones on delegated requests.
 */
#include <assert.h>
#include <string.h>
#include "answer/body.h"
#include "answer/pen_h2o.h"

/* whether anything at the path may write to the response's headers */
static bool has_filters(const h2o_req_t *req)
{
    assert(req->pathconf != NULL);
    /* the chunked encoder, always there, never writes to headers of a response with a length */
    return req->pathconf->filters.size > 1 || req->prefilters != NULL;
}

/* a read-only array, by reference where that is safe, else as a copy in the request's pool */
static void set_array(h2o_req_t *req, const h2o_header_t *headers, size_t num)
{
    if (!has_filters(req)) {
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

/* the place of a line among `num` headers: its own, or that of the header that it replaces */
static size_t place_of(const breaker__line_t *line, const h2o_header_t *headers, size_t num)
{
    size_t at = 0;

    assert(num != 0 || line->kind != BREAKER__LINE_MULTIPART_TYPE);
    if (line->kind != BREAKER__LINE_MULTIPART_TYPE)
        return num;
    while (at != num && headers[at].name != line->name)
        ++at;
    return at;
}

/* a value that is a text already is used as it is, all others are written to `*memory` */
static h2o_iovec_t value_of(const breaker__line_t *line, char **memory)
{
    char *value = *memory;

    if (line->kind == BREAKER__LINE_TEXT)
        return line->text;
    *memory = breaker__line_put_value(value, line);
    assert((size_t)(*memory - value) <= breaker__line_value_max(line));
    return h2o_iovec_init(value, (size_t)(*memory - value));
}

/* the head's headers and the lines, in an array of the request's pool, the values after it */
static h2o_header_t *add_lines(h2o_req_t *req, const breaker__answer_t *answer, size_t *num)
{
    size_t array_size = sizeof(h2o_header_t) * (*num + answer->num_lines), size = array_size;
    h2o_header_t *headers;
    char *memory;

    for (size_t i = 0; i != answer->num_lines; ++i)
        if (answer->lines[i].kind != BREAKER__LINE_TEXT)
            size += breaker__line_value_max(answer->lines + i);
    headers = h2o_mem_alloc_pool(&req->pool, size);
    memory = (char *)headers + array_size;
    /* a redirect has none */
    if (*num != 0)
        memcpy(headers, answer->head->headers, sizeof(headers[0]) * *num);
    for (size_t i = 0; i != answer->num_lines; ++i) {
        const breaker__line_t *line = answer->lines + i;
        size_t at = place_of(line, headers, *num);
        headers[at] = (h2o_header_t){.name = (h2o_iovec_t *)(uintptr_t)line->name,
                                     .value = value_of(line, &memory)};
        if (at == *num)
            ++*num;
    }
    assert(memory <= (char *)headers + size);
    return headers;
}

static void write_headers(h2o_req_t *req, const breaker__answer_t *answer)
{
    const breaker__head_t *head = answer->head;
    const h2o_header_t *headers = head->headers;
    size_t num = answer->has_shared_only ? head->num_shared : head->num_headers;

    assert(answer->num_lines <= BREAKER__LINES_MAX);
    if (answer->num_lines != 0)
        headers = add_lines(req, answer, &num);
    set_array(req, headers, num);
}

static inline void write_head(h2o_req_t *req, const breaker__answer_t *answer)
{
    assert(answer->head != NULL);
    req->res.status = breaker__status_lines[answer->status].code;
    req->res.reason = breaker__status_lines[answer->status].reason;
    req->res.mime_attr = (h2o_mime_attributes_t *)(uintptr_t)&answer->head->mime_attr;
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    write_headers(req, answer);
    if (answer->length != BREAKER__NO_LENGTH)
        req->res.content_length = (size_t)answer->length;
}

void breaker__pen_h2o_write_head(h2o_req_t *req, const breaker__answer_t *answer)
{
    write_head(req, answer);
}

int breaker__pen_h2o_write(h2o_req_t *req, const breaker__answer_t *answer)
{
    assert(answer->variant == NULL || answer->kept != NULL);
    if (answer->kept != NULL)
        h2o_mem_link_shared(&req->pool, answer->kept);
    if (answer->ends_connection)
        req->http1_is_persistent = 0;
    write_head(req, answer);
    breaker__body_send(req, answer);
    return 0;
}
