/*
 * Answers past libh2o and access logs. A logger is handed a request of libh2o's and looks at what
 * its format names; so it is handed one here, too, that nobody has sent: of it is set what a format
 * can name, so that its line is the one that it would have been. What formats seldom
 * name, headers, is set only where one does.
 *
 * libh2o logs a request when its answer has left, or broken off: the body counts as sent from the
 * moment that it was handed over, which is at once here.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "answer/caching.h"
#include "answer/pen_h2o.h"
#include "fastpath/report.h"
#include "log/access_log.h"
#include "picohttpparser.h"

/* of all logs of a path together */
enum { HEADERS_MAX = 2 * BREAKER__FORMAT_HEADERS_MAX };

typedef struct st_asking_conn_t {
    h2o_conn_t super;
    h2o_socket_t *sock; /* borrowed */
    uint64_t request_index;
    char index_text[sizeof("18446744073709551615")];
} asking_conn_t;

struct st_breaker__report_t {
    asking_conn_t conn;
    h2o_pathconf_t *pathconf; /* borrowed */
    bool is_kept;
    h2o_header_t headers[HEADERS_MAX];
    h2o_req_t req;
};

/* ---- what loggers ask a connection ---- */

static socklen_t get_sockname(h2o_conn_t *conn, struct sockaddr *sa)
{
    return h2o_socket_getsockname(((asking_conn_t *)conn)->sock, sa);
}

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *sa)
{
    return h2o_socket_getpeername(((asking_conn_t *)conn)->sock, sa);
}

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
    return ((asking_conn_t *)conn)->sock;
}

static h2o_iovec_t log_request_index(h2o_req_t *req)
{
    asking_conn_t *conn = (asking_conn_t *)req->conn;
    int len = snprintf(conn->index_text, sizeof(conn->index_text), "%llu",
                       (unsigned long long)conn->request_index);

    return h2o_iovec_init(conn->index_text, (size_t)len);
}

/* ---- what the loggers of a path look at ---- */

bool breaker__are_reported(const h2o_pathconf_t *pathconf)
{
    h2o_iovec_t *const *headers;
    size_t num_headers = 0;

    for (size_t i = 0; i != pathconf->loggers.size; ++i) {
        const h2o_logger_t *logger = pathconf->loggers.entries[i];
        size_t num;
        if (!breaker__is_access_log(logger))
            return false;
        num = breaker__format_headers(breaker__access_log_format(logger), &headers);
        if (num > BREAKER__FORMAT_HEADERS_MAX)
            return false;
        num_headers += num;
    }
    return num_headers <= HEADERS_MAX;
}

static bool has_header(const breaker__reported_t *reported, const h2o_iovec_t *name)
{
    for (size_t i = 0; i != reported->num_headers; ++i)
        if (h2o_memis(reported->headers[i]->base, reported->headers[i]->len, name->base, name->len))
            return true;
    return false;
}

static void add_format(breaker__reported_t *reported, const breaker__format_t *format)
{
    h2o_iovec_t *const *headers;
    size_t num = breaker__format_headers(format, &headers);

    reported->shows_response |= breaker__format_shows_response(format);
    for (size_t i = 0; i != num; ++i)
        if (!has_header(reported, headers[i]))
            reported->headers[reported->num_headers++] = headers[i];
    assert(reported->num_headers <= HEADERS_MAX);
}

void breaker__reported_init(breaker__reported_t *reported, h2o_hostconf_t *hostconf,
                            h2o_pathconf_t *pathconf)
{
    *reported = (breaker__reported_t){.hostconf = hostconf, .pathconf = pathconf};
    reported->headers = h2o_mem_alloc(sizeof(reported->headers[0]) * HEADERS_MAX);
    for (size_t i = 0; i != pathconf->loggers.size; ++i)
        add_format(reported, breaker__access_log_format(pathconf->loggers.entries[i]));
}

void breaker__reported_dispose(breaker__reported_t *reported)
{
    free(reported->headers);
    reported->headers = NULL;
}

/* ---- the request ---- */

static const struct phr_header *find_field(const breaker__plain_t *plain, const h2o_iovec_t *name)
{
    for (size_t i = 0; i != plain->num_fields; ++i) {
        const struct phr_header *field = plain->fields + i;
        if (field->name_len == name->len && strncasecmp(field->name, name->base, name->len) == 0)
            return field;
    }
    return NULL;
}

/* a format shows the first of a name */
static void set_headers(breaker__report_t *report, const breaker__reported_t *reported,
                        const breaker__plain_t *plain)
{
    size_t num = 0;

    for (size_t i = 0; i != reported->num_headers; ++i) {
        const struct phr_header *field = find_field(plain, reported->headers[i]);
        if (field != NULL)
            report->headers[num++] =
                (h2o_header_t){.name = reported->headers[i],
                               .value = {(char *)(uintptr_t)field->value, field->value_len}};
    }
    report->req.headers.size = num;
}

static void set_request(h2o_req_t *req, const breaker__reported_t *reported,
                        const breaker__plain_t *plain)
{
    const breaker__request_t *request = &plain->request;

    req->input.method =
        request->is_head ? h2o_iovec_init(H2O_STRLIT("HEAD")) : h2o_iovec_init(H2O_STRLIT("GET"));
    req->input.path = h2o_iovec_init(request->target, request->target_len);
    req->input.query_at = plain->path_len != request->target_len ? plain->path_len : SIZE_MAX;
    req->input.authority = request->host.base != NULL
                               ? h2o_iovec_init(request->host.base, request->host.len)
                               : reported->hostconf->authority.hostport;
    h2o_req_bind_conf(req, reported->hostconf, reported->pathconf);
}

/* ---- the response ---- */

/* as libh2o does it before filters change them */
static void retain_original(h2o_req_t *req)
{
    h2o_headers_t *original = &req->res.original.headers;

    h2o_vector_reserve(&req->pool, original, req->res.headers.size);
    h2o_memcpy(original->entries, req->res.headers.entries,
               sizeof(original->entries[0]) * req->res.headers.size);
    original->size = req->res.headers.size;
}

static void set_response_headers(h2o_req_t *req, const breaker__answer_t *answer)
{
    req->res.headers = req->res.original.headers = (h2o_headers_t){NULL};
    req->res.content_length = SIZE_MAX;
    breaker__pen_h2o_write_head(req, answer);
    /* the chunked encoder is always there */
    if (req->pathconf->filters.size > 1) {
        retain_original(req);
        breaker__run_filters(req);
    }
}

static void set_response(h2o_req_t *req, const breaker__reported_t *reported,
                         const breaker__answer_t *answer)
{
    req->res.status = req->res.original.status = breaker__status_lines[answer->status].code;
    req->bytes_sent = (size_t)answer->body_len;
    if (reported->shows_response)
        set_response_headers(req, answer);
}

/* ---- a report ---- */

/* what a request needs beyond its bytes: headers of the response, an environment */
static void clear_pool(h2o_req_t *req, const breaker__reported_t *reported)
{
    if (!reported->shows_response && reported->pathconf->env == NULL && req->env.size == 0)
        return;
    h2o_mem_clear_pool(&req->pool);
    req->env = (h2o_iovec_vector_t){NULL};
}

breaker__report_t *breaker__report_create(h2o_context_t *ctx)
{
    static const h2o_conn_callbacks_t callbacks = {
        .get_sockname = get_sockname,
        .get_peername = get_peername,
        .get_socket = get_socket,
        .log_ = {.http1 = {.request_index = log_request_index}},
    };
    breaker__report_t *report = h2o_mem_alloc(sizeof(*report));
    h2o_req_t *req = &report->req;

    memset(report, 0, sizeof(*report));
    report->conn.super.ctx = ctx;
    report->conn.super.callbacks = &callbacks;
    h2o_mem_init_pool(&req->pool);
    req->conn = &report->conn.super;
    req->version = 0x101;
    req->input.scheme = &H2O_URL_SCHEME_HTTP;
    req->method = h2o_iovec_init(H2O_STRLIT("GET"));
    req->headers.entries = report->headers;
    return report;
}

void breaker__report_free(breaker__report_t *report)
{
    if (report == NULL)
        return;
    if (report->is_kept)
        h2o_mem_release_shared(report->req.processed_at.str);
    h2o_mem_clear_pool(&report->req.pool);
    free(report);
}

void breaker__report_begin(breaker__report_t *report, const breaker__reported_t *reported,
                           const breaker__plain_t *plain, const breaker__answer_t *answer)
{
    h2o_context_t *ctx = report->conn.super.ctx;
    h2o_req_t *req = &report->req;

    assert(!report->is_kept);
    req->processed_at.at = *h2o_get_timestamp(ctx, NULL, NULL);
    /* libh2o's own call would have a pool keep it */
    req->processed_at.str = ctx->_timestamp_cache.value;
    req->timestamps.response_start_at = req->processed_at.at;
    clear_pool(req, reported);
    set_request(req, reported, plain);
    set_headers(report, reported, plain);
    set_response(req, reported, answer);
}

void breaker__report_set_asker(breaker__report_t *report, const breaker__asker_t *asker)
{
    report->conn.super.id = asker->id;
    report->conn.super.connected_at = asker->connected_at;
    report->conn.sock = asker->sock;
    report->conn.request_index = asker->request_index;
    report->req.timestamps.request_begin_at = asker->begun_at;
}

void breaker__report_keep(breaker__report_t *report)
{
    assert(!report->is_kept);
    h2o_mem_addref_shared(report->req.processed_at.str);
    report->is_kept = true;
}

void breaker__report_end(breaker__report_t *report)
{
    const h2o_pathconf_t *pathconf = report->req.pathconf;
    h2o_req_t *req = &report->req;

    assert(pathconf->loggers.size != 0);
    req->timestamps.response_end_at = *h2o_get_timestamp(report->conn.super.ctx, NULL, NULL);
    for (size_t i = 0; i != pathconf->loggers.size; ++i) {
        h2o_logger_t *logger = pathconf->loggers.entries[i];
        logger->log_access(logger, req);
    }
}
