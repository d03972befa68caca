/*
 * Eleven functions of libh2o as its HTTP should have been written. The program's own stand before
 * libh2o's, which calls them by their names; on threads that do not serve they are libh2o's.
 *
 * - phr_parse_request: a body that two servers could frame differently is malformed. One that
 *   nobody wants, because a view answers without reading bodies, is hidden where it has not come
 *   yet: the view answers at once, without "100 Continue", and the connection ends. One for an
 *   application behind us is hidden, too, and handed on as it comes: upload.c.
 * - phr_decode_chunked: requests are read by chunked.c; nothing else is, since libh2o's own client
 *   has no work (reproxy.c).
 * - h2o_socket_close: a connection with bytes of a request still to come lingers.
 * - h2o_http2_accept, h2o_http2_handle_upgrade: connections of HTTP/2 get their turns, see turns.c.
 * - h2o_socket_read_start: when a write has ended libh2o reads again, but not from a connection
 * that is held.
 * - h2o_hpack_parse_headers: a body that nobody wants is forgotten, and the view answers at once;
 *   a list of fields beyond its limit ends the connection.
 * - h2o_http2__encode_rst_stream_frame, h2o_http2_stream_reset, h2o_http2_stream_close: streams
 *   that are answered before their body has come, see early.c.
 *   A reset that the client has provoked counts against it.
 * - h2o_http2_scheduler_dispose: the first that a connection of HTTP/2 does without its streams;
 *   a frame that ended it is still in its buffer, and then it lingers, so that GOAWAY arrives.
 *
 * libh2o hands the parser the place of the method within the request, and the pool of that request
 * is emptied before its connection closes: by these two we know whose bytes are parsed, and when
 * a request is over.
 */
#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include "http/calls.h"
#include "upstream/wire/chunked.h"
#include "http/framing.h"
#include "http/linger.h"
#include "upstream/request/body_reader.h"

#define EXPORTED __attribute__((visibility("default")))

/* libh2o's own */
static struct {
    int (*parse)(const char *, size_t, const char **, size_t *, const char **, size_t *, int *,
                 struct phr_header *, size_t *, size_t);
    void (*close)(h2o_socket_t *);
    void (*read_start)(h2o_socket_t *, h2o_socket_cb);
    void (*http2_accept)(h2o_accept_ctx_t *, h2o_socket_t *, struct timeval);
    int (*http2_upgrade)(h2o_req_t *, struct timeval);
    int (*parse_headers)(h2o_req_t *, h2o_hpack_header_table_t *, const uint8_t *, size_t, int *,
                         size_t *, h2o_cache_digests_t **, const char **);
    void (*encode_reset)(h2o_buffer_t **, uint32_t, int);
    void (*stream_reset)(h2o_http2_conn_t *, h2o_http2_stream_t *);
    void (*stream_close)(h2o_http2_conn_t *, h2o_http2_stream_t *);
    void (*scheduler_dispose)(h2o_http2_scheduler_node_t *);
} libh2o;

static pthread_once_t found = PTHREAD_ONCE_INIT;
static _Thread_local breaker__http_calls_t *own;

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL)
        h2o_fatal("libh2o lacks a function");
    return function;
}

static void find_libh2o(void)
{
    *(void **)&libh2o.parse = find("phr_parse_request");
    *(void **)&libh2o.close = find("h2o_socket_close");
    *(void **)&libh2o.read_start = find("h2o_socket_read_start");
    *(void **)&libh2o.http2_accept = find("h2o_http2_accept");
    *(void **)&libh2o.http2_upgrade = find("h2o_http2_handle_upgrade");
    *(void **)&libh2o.parse_headers = find("h2o_hpack_parse_headers");
    *(void **)&libh2o.encode_reset = find("h2o_http2__encode_rst_stream_frame");
    *(void **)&libh2o.stream_reset = find("h2o_http2_stream_reset");
    *(void **)&libh2o.stream_close = find("h2o_http2_stream_close");
    *(void **)&libh2o.scheduler_dispose = find("h2o_http2_scheduler_dispose");
}

/* `sock` is about to be closed */
static void leave_unread(const h2o_socket_t *sock, bool is_flood)
{
    own->unread = sock;
    own->is_unread_of_flood = is_flood;
}

/* ---- requests with a body ---- */

/* lives in the pool of its request */
typedef struct st_body_t {
    h2o_req_t *req;
    h2o_socket_t *sock;
    bool is_malformed;
} body_t;

static void on_request_gone(void *data)
{
    body_t *body = data;
    bool is_answered = body->is_malformed || body->req->timestamps.response_start_at.tv_sec != 0;

    /* read whole, it would have become the entity; without an answer nothing need arrive */
    if (is_answered && body->req->entity.base == NULL)
        leave_unread(body->sock, false);
}

static body_t *watch(h2o_req_t *req)
{
    body_t *body = h2o_mem_alloc_shared(&req->pool, sizeof(*body), on_request_gone);

    memset(body, 0, sizeof(*body));
    body->req = req;
    body->sock = req->conn->callbacks->get_socket(req->conn);
    return body;
}

static void watch_malformed(h2o_req_t *req)
{
    watch(req)->is_malformed = true;
}

static h2o_iovec_t find_host(const struct phr_header *headers, size_t num)
{
    h2o_iovec_t host = {NULL, 0};

    /* of several, which the view refuses, libh2o takes the last one */
    for (size_t i = 0; i != num; ++i)
        if (headers[i].name_len == 4 && h2o_lcstris(headers[i].name, 4, H2O_STRLIT("host")))
            host = h2o_iovec_init(headers[i].value, headers[i].value_len);
    return host;
}

/* whether the body is here already, or what is here of it is refused when it is read */
static bool is_settled(const breaker__framing_t *framing, const char *bytes, size_t len)
{
    if (framing->is_chunked)
        return breaker__chunked_check(bytes, len) != PHR_INCOMPLETE;
    return len >= framing->length;
}

/* GET and HEAD are answered by what the body does not change, and read as ever */
static bool is_read(const h2o_req_t *req)
{
    h2o_iovec_t method = req->input.method;

    return h2o_memis(method.base, method.len, H2O_STRLIT("GET")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("HEAD"));
}

/* whether the request goes on before its body has come, if nobody wants that whole */
static bool is_ahead(const h2o_req_t *req, const breaker__framing_t *framing, const char *bytes,
                     size_t len)
{
    /* too long: libh2o says so at once */
    if (framing->length > req->conn->ctx->globalconf->max_request_entity_size)
        return false;
    return !is_read(req) && !is_settled(framing, bytes, len);
}

static void on_upload_unread(void *data, h2o_socket_t *sock)
{
    ((breaker__http_calls_t *)data)->unread = sock;
}

/* libh2o's rule, by which it keeps the connection of any other request */
static bool keeps_alive(int minor_version, const struct phr_header *headers, size_t num)
{
    bool keeps = minor_version != 0;

    for (size_t i = 0; i != num; ++i) {
        const struct phr_header *header = headers + i;
        if (header->name != NULL &&
            h2o_lcstris(header->name, header->name_len, H2O_STRLIT("connection")))
            keeps = h2o_contains_token(header->value, header->value_len, H2O_STRLIT("keep-alive"),
                                       ',') != 0;
    }
    return keeps;
}

static bool may_stream(const h2o_req_t *req, breaker__body_reader_t reader,
                       const breaker__framing_t *framing, const struct phr_header *headers,
                       size_t num)
{
    if (reader == BREAKER__READER_UPSTREAM && framing->is_chunked)
        return false;
    return breaker__upload_is_possible(req, framing, headers, num);
}

static void hand_on(h2o_req_t *req, breaker__body_reader_t reader,
                    const breaker__framing_t *framing, int taken, int minor_version,
                    struct phr_header *headers, size_t *num_headers)
{
    switch (reader) {
    case BREAKER__READER_NONE:
        watch(req);
        breaker__framing_hide(headers, num_headers, own->connection);
        break;
    case BREAKER__READER_UPSTREAM:
    case BREAKER__READER_UPSTREAM_CHUNKS:
        breaker__upload_begin(&own->uploads, req, framing, (size_t)taken,
                              keeps_alive(minor_version, headers, *num_headers), on_upload_unread,
                              own);
        breaker__framing_hide(headers, num_headers, own->connection);
        break;
    case BREAKER__READER_OTHER:
        watch(req);
        break;
    }
}

/* a request that has been parsed; `bytes` follow its head */
static int judge(h2o_req_t *req, int taken, int minor_version, struct phr_header *headers,
                 size_t *num_headers, const char *bytes, size_t len)
{
    breaker__framing_t framing = breaker__framing_read(headers, *num_headers, minor_version);
    breaker__body_reader_t reader = BREAKER__READER_OTHER;

    if (framing.is_ambiguous) {
        watch_malformed(req);
        return PHR_MALFORMED;
    }
    if (!framing.has_body)
        return taken;
    if (is_ahead(req, &framing, bytes, len))
        reader = breaker__body_reader_of(req, find_host(headers, *num_headers));
    if (reader != BREAKER__READER_NONE && !may_stream(req, reader, &framing, headers, *num_headers))
        reader = BREAKER__READER_OTHER;
    hand_on(req, reader, &framing, taken, minor_version, headers, num_headers);
    return taken;
}

/* what libh2o takes for HTTP/2, whose connection goes on */
static bool is_preface(const char *bytes, size_t len)
{
    return len >= sizeof("PRI * HTTP/2") - 1 && memcmp(bytes, H2O_STRLIT("PRI * HTTP/2")) == 0;
}

EXPORTED int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                               const char **path, size_t *path_len, int *minor_version,
                               struct phr_header *headers, size_t *num_headers, size_t last_len)
{
    h2o_req_t *req = H2O_STRUCT_FROM_MEMBER(h2o_req_t, input.method.base, method);
    int taken;

    pthread_once(&found, find_libh2o);
    taken = libh2o.parse(buf, len, method, method_len, path, path_len, minor_version, headers,
                         num_headers, last_len);
    if (own == NULL)
        return taken;
    if (taken >= 0) {
        h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
        assert(input->bytes == buf);
        return judge(req, taken, *minor_version, headers, num_headers, buf + taken,
                     input->size - (size_t)taken);
    }
    if (taken == PHR_INCOMPLETE ? len == H2O_MAX_REQLEN : !is_preface(buf, len))
        watch_malformed(req);
    return taken;
}

/* ---- chunks ---- */

EXPORTED ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *buf, size_t *bufsz)
{
    return breaker__chunked_decode(decoder, buf, bufsz);
}

/* ---- the ends of connections ---- */

EXPORTED void h2o_socket_close(h2o_socket_t *sock)
{
    pthread_once(&found, find_libh2o);
    if (own == NULL || own->unread != sock) {
        libh2o.close(sock);
        return;
    }
    own->unread = NULL;
    breaker__linger(own->ctx, sock, own->is_unread_of_flood, libh2o.close);
}

EXPORTED void h2o_http2_scheduler_dispose(h2o_http2_scheduler_node_t *root)
{
    h2o_http2_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, scheduler, root);

    pthread_once(&found, find_libh2o);
    if (own != NULL) {
        bool is_flood = breaker__turns_let_go(conn);
        breaker__early_forget(&own->early, conn);
        if (conn->sock != NULL && conn->sock->input->size != 0)
            leave_unread(conn->sock, is_flood);
    }
    libh2o.scheduler_dispose(root);
}

/* ---- connections of HTTP/2 ---- */

/* what has come already is kept from libh2o until the connection is ours */
EXPORTED void h2o_http2_accept(h2o_accept_ctx_t *ctx, h2o_socket_t *sock,
                               struct timeval connected_at)
{
    h2o_buffer_t *input = sock->input;

    pthread_once(&found, find_libh2o);
    if (own == NULL) {
        libh2o.http2_accept(ctx, sock, connected_at);
        return;
    }
    h2o_buffer_init(&sock->input, &h2o_socket_buffer_prototype);
    own->turns.on_read = NULL;
    libh2o.http2_accept(ctx, sock, connected_at);
    assert(sock->input->size == 0);
    sock->input = input;
    breaker__turns_take(&own->turns, sock->data);
    own->turns.on_read = sock->_cb.read;
    if (input->size != 0)
        sock->_cb.read(sock, NULL);
}

/* libh2o puts the connection at the end of its list, and reads from it when 101 has been written */
EXPORTED int h2o_http2_handle_upgrade(h2o_req_t *req, struct timeval connected_at)
{
    h2o_linklist_t *conns = &req->conn->ctx->http2._conns;
    int err;

    pthread_once(&found, find_libh2o);
    err = libh2o.http2_upgrade(req, connected_at);
    if (own != NULL && err == 0)
        breaker__turns_take(&own->turns,
                            H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, conns->prev));
    return err;
}

EXPORTED void h2o_socket_read_start(h2o_socket_t *sock, h2o_socket_cb cb)
{
    pthread_once(&found, find_libh2o);
    if (own == NULL || cb != own->turns.on_read || !breaker__turns_is_held(sock->data))
        libh2o.read_start(sock, cb);
}

/* ---- streams ---- */

/*
 * Short ones are read: what ends with its first frame is less trouble than an answer before it. So
 * are those of no length, which trailers may follow: after an answer libh2o takes them for an error
 * of the connection.
 */
enum { READ_ANYWAY_MAX = 16384 };

static bool is_stream_unwanted(h2o_req_t *req, size_t length)
{
    return req->input.method.base != NULL && req->input.path.base != NULL &&
           length > READ_ANYWAY_MAX && length != SIZE_MAX && !is_read(req) &&
           breaker__body_reader_of(req, req->input.authority) == BREAKER__READER_NONE;
}

static int calm_down(const char *too_much, const char **ret_why)
{
    *ret_why = too_much;
    return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
}

EXPORTED int h2o_hpack_parse_headers(h2o_req_t *req, h2o_hpack_header_table_t *header_table,
                                     const uint8_t *src, size_t len, int *exists, size_t *length,
                                     h2o_cache_digests_t **digests, const char **err_desc)
{
    h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    const char *too_much;
    int err;

    pthread_once(&found, find_libh2o);
    if (own != NULL && (too_much = breaker__calm_block(own->turns.limits, src, len)) != NULL)
        return calm_down(too_much, err_desc);
    err = libh2o.parse_headers(req, header_table, src, len, exists, length, digests, err_desc);
    if (own != NULL && (too_much = breaker__calm_fields(own->turns.limits, &req->headers)) != NULL)
        return calm_down(too_much, err_desc);
    /* those of a request, not trailers; with a body to come, of `*length`, or SIZE_MAX */
    if (own != NULL && err == 0 && exists != NULL && stream->_req_body != NULL &&
        is_stream_unwanted(req, *length)) {
        h2o_buffer_dispose(&stream->_req_body);
        stream->_req_body = NULL;
        breaker__early_begin(&own->early, (h2o_http2_conn_t *)req->conn, stream->stream_id);
    }
    return err;
}

EXPORTED void h2o_http2__encode_rst_stream_frame(h2o_buffer_t **buf, uint32_t stream_id, int error)
{
    h2o_http2_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _write.buf, buf);

    pthread_once(&found, find_libh2o);
    if (own == NULL || breaker__early_may_send(&own->early, conn, stream_id, error)) {
        if (own != NULL)
            breaker__turns_on_error(conn);
        libh2o.encode_reset(buf, stream_id, error);
    }
}

static breaker__early_verdict_t judge_stream(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    return own != NULL ? breaker__early_judge(&own->early, conn, stream) : BREAKER__EARLY_RESET;
}

EXPORTED void h2o_http2_stream_reset(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    pthread_once(&found, find_libh2o);
    if (own != NULL)
        breaker__turns_on_reset(conn);
    switch (judge_stream(conn, stream)) {
    case BREAKER__EARLY_REFUSE:
        breaker__turns_on_error(conn);
        libh2o.encode_reset(&conn->_write.buf, stream->stream_id, -H2O_HTTP2_ERROR_REFUSED_STREAM);
        libh2o.stream_reset(conn, stream);
        break;
    case BREAKER__EARLY_RESET:
        libh2o.stream_reset(conn, stream);
        break;
    case BREAKER__EARLY_SPARE:
        break;
    }
}

EXPORTED void h2o_http2_stream_close(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    pthread_once(&found, find_libh2o);
    if (own != NULL)
        breaker__early_end(&own->early, conn, stream->stream_id);
    libh2o.stream_close(conn, stream);
}

/* ---- the life of a thread ---- */

void breaker__http_calls_begin(breaker__http_calls_t *calls, h2o_context_t *ctx,
                               const breaker__calm_limits_t *limits)
{
    assert(own == NULL);
    pthread_once(&found, find_libh2o);
    memset(calls, 0, sizeof(*calls));
    calls->ctx = ctx;
    breaker__turns_begin(&calls->turns, ctx, limits);
    breaker__reading_begin(&calls->reading);
    breaker__uploads_begin(&calls->uploads);
    memcpy(calls->connection, "connection", sizeof("connection"));
    own = calls;
}

void breaker__http_calls_end(breaker__http_calls_t *calls)
{
    assert(own == calls);
    breaker__uploads_end(&calls->uploads);
    breaker__reading_end(&calls->reading);
    own = NULL;
}
