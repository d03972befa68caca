/*
 * The in-process client. Its final ostream keeps the rules of the real ones, to the letter: what is
 * sent stays in place until the generator is asked for more, so it is read only then, and a test of
 * a handler that reuses its buffer too early fails here by its bytes. Asking for more happens from
 * a timer of the loop, as a socket would do it.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <cmocka.h>
#include <stdatomic.h>
#include "loopback.h"

#define DEADLINE_S 20
#define TURN_MS 50
#define PULL_BUFFER_LEN 65536

/* ---- the loop ---- */

#if H2O_USE_LIBUV

static void on_tick(uv_timer_t *tick)
{
    (void)tick;
}

static h2o_loop_t *loop_create(void)
{
    h2o_loop_t *loop = h2o_mem_alloc(sizeof(*loop));
    int ret = uv_loop_init(loop);

    assert_int_equal(ret, 0);
    return loop;
}

static void loop_turn(h2o_loop_t *loop)
{
    uv_timer_t tick;

    /* repeats, because it may be due before the loop begins to wait */
    uv_timer_init(loop, &tick);
    uv_timer_start(&tick, on_tick, TURN_MS, TURN_MS);
    uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

/* timers run before the wait of a turn, which has nothing to wait for then */
static void loop_wake(h2o_loop_t *loop)
{
    uv_stop(loop);
}

static void loop_destroy(h2o_loop_t *loop, h2o_multithread_queue_t *queue)
{
    (void)queue;
    while (uv_run(loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(uv_loop_close(loop), 0);
    free(loop);
}

#else

/*
 * libh2o's own loop cannot be destroyed, so a thread keeps the one that it has, and the process all
 * of them, where the leak checkers find them.
 */
static __thread h2o_loop_t *the_loop;
static h2o_loop_t *the_loops[16];
static atomic_size_t num_loops;

static h2o_loop_t *loop_create(void)
{
    size_t at;

    if (the_loop != NULL)
        return the_loop;
    at = atomic_fetch_add(&num_loops, 1);
    assert_true(at < sizeof(the_loops) / sizeof(the_loops[0]));
    return the_loop = the_loops[at] = h2o_evloop_create();
}

static void loop_turn(h2o_loop_t *loop)
{
    h2o_evloop_run(loop, TURN_MS);
}

static void loop_wake(h2o_loop_t *loop)
{
    (void)loop;
}

/* This flavour of libh2o forgets to free a context's queue; once the loop has let go of its socket
 * nothing refers to it, and the leak checkers may stay strict. */
static void loop_destroy(h2o_loop_t *loop, h2o_multithread_queue_t *queue)
{
    h2o_evloop_run(loop, 0);
    free(queue);
}

#endif

void loopback_turn(loopback_server_t *server)
{
    loop_turn(server->loop);
}

/* ---- the server ---- */

void loopback_server_init(loopback_server_t *server)
{
    memset(server, 0, sizeof(*server));
    h2o_config_init(&server->config);
    server->host =
        h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    server->path = h2o_config_register_path(server->host, "/", 0);
    server->loop = loop_create();
}

h2o_pathconf_t *loopback_register_path(loopback_server_t *server, const char *path)
{
    h2o_pathconf_t root, *paths;
    size_t last;

    assert_false(server->started);
    h2o_config_register_path(server->host, path, 0);
    paths = server->host->paths.entries;
    last = server->host->paths.size - 1;

    /* "/" would win over everything after it */
    root = paths[last - 1];
    paths[last - 1] = paths[last];
    paths[last] = root;
    server->path = paths + last;
    return paths + last - 1;
}

void loopback_server_start(loopback_server_t *server)
{
    h2o_context_init(&server->ctx, server->loop, &server->config);
    server->started = true;
}

void loopback_server_dispose(loopback_server_t *server)
{
    h2o_multithread_queue_t *queue = server->ctx.queue;

    if (server->started)
        h2o_context_dispose(&server->ctx);
    h2o_config_dispose(&server->config);
    loop_destroy(server->loop, queue);
}

/* ---- the final ostream ---- */

static void keep_head(loopback_t *exchange)
{
    const h2o_res_t *res = &exchange->req.res;

    assert(res->status != 0);
    exchange->status = res->status;
    exchange->content_length = res->content_length;
    exchange->persistent = exchange->req.http1_is_persistent;
    for (size_t i = 0; i != res->headers.size; ++i) {
        const h2o_header_t *header = res->headers.entries + i;
        h2o_iovec_t name = h2o_strdup(&exchange->req.pool, header->name->base, header->name->len);
        h2o_iovec_t value = h2o_strdup(&exchange->req.pool, header->value.base, header->value.len);
        h2o_add_header_by_str(&exchange->req.pool, &exchange->headers, name.base, name.len, 1, NULL,
                              value.base, value.len);
    }
}

static void read_inflight(loopback_t *exchange)
{
    size_t sent = 0;

    for (size_t i = 0; i != exchange->inflight.size; ++i) {
        h2o_iovec_t buf = exchange->inflight.entries[i];
        if (buf.len != 0) {
            h2o_buffer_reserve(&exchange->body, buf.len);
            memcpy(exchange->body->bytes + exchange->body->size, buf.base, buf.len);
            exchange->body->size += buf.len;
        }
        sent += buf.len;
    }
    if (sent > exchange->largest_send)
        exchange->largest_send = sent;
    exchange->inflight.size = 0;
    exchange->is_inflight = false;
    if (exchange->inflight_state != H2O_SEND_STATE_IN_PROGRESS) {
        exchange->complete = true;
        exchange->error = exchange->inflight_state == H2O_SEND_STATE_ERROR;
    }
    loop_wake(exchange->server->loop);
}

static void pull(loopback_t *exchange);

static void take_and_proceed(loopback_t *exchange)
{
    read_inflight(exchange);
    if (exchange->complete)
        return;
    if (exchange->pull != NULL)
        pull(exchange);
    else
        h2o_proceed_response(&exchange->req);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    take_and_proceed(H2O_STRUCT_FROM_MEMBER(loopback_t, timeout, entry));
}

static void put_inflight(loopback_t *exchange, const h2o_iovec_t *bufs, size_t bufcnt,
                         h2o_send_state_t state)
{
    assert_false(exchange->is_inflight);
    assert_false(exchange->complete);
    if (exchange->num_sends++ == 0)
        keep_head(exchange);

    h2o_vector_reserve(&exchange->req.pool, &exchange->inflight, bufcnt);
    for (size_t i = 0; i != bufcnt; ++i)
        exchange->inflight.entries[i] = bufs[i];
    exchange->inflight.size = bufcnt;
    exchange->inflight_state = state;
    exchange->is_inflight = true;
    loop_wake(exchange->server->loop);
    if (!exchange->stepwise)
        h2o_timeout_link(exchange->server->loop, &exchange->server->ctx.zero_timeout,
                         &exchange->timeout);
}

static void on_final_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                          h2o_send_state_t state)
{
    loopback_t *exchange = H2O_STRUCT_FROM_MEMBER(loopback_t, final, self);

    assert(req == &exchange->req);
    put_inflight(exchange, bufs, bufcnt, state);
}

static void pull(loopback_t *exchange)
{
    h2o_iovec_t buf = {exchange->pull_buf, PULL_BUFFER_LEN};
    h2o_send_state_t state = h2o_pull(&exchange->req, exchange->pull, &buf);

    put_inflight(exchange, &buf, 1, state);
}

static void on_start_pull(h2o_ostream_t *self, h2o_ostream_pull_cb cb)
{
    loopback_t *exchange = H2O_STRUCT_FROM_MEMBER(loopback_t, final, self);

    assert(exchange->req._ostr_top == self);
    exchange->pull = cb;
    exchange->pull_buf = h2o_mem_alloc_pool(&exchange->req.pool, PULL_BUFFER_LEN);
    pull(exchange);
}

/* ---- the client ---- */

static socklen_t no_address(h2o_conn_t *conn, struct sockaddr *sa)
{
    (void)conn;
    (void)sa;
    return 0;
}

static h2o_socket_t *no_socket(h2o_conn_t *conn)
{
    (void)conn;
    return NULL;
}

loopback_t *loopback_open(loopback_server_t *server, const char *method, const char *path)
{
    static const h2o_conn_callbacks_t callbacks = {
        .get_sockname = no_address, .get_peername = no_address, .get_socket = no_socket};
    loopback_t *exchange = (loopback_t *)h2o_create_connection(
        sizeof(*exchange), &server->ctx, server->config.hosts, (struct timeval){0}, &callbacks);
    h2o_req_t *req = &exchange->req;

    assert(server->started);
    memset((char *)exchange + sizeof(exchange->super), 0,
           sizeof(*exchange) - sizeof(exchange->super));
    exchange->server = server;
    exchange->timeout.cb = on_timeout;
    exchange->content_length = SIZE_MAX;
    h2o_buffer_init(&exchange->body, &h2o_socket_buffer_prototype);

    h2o_init_request(req, &exchange->super, NULL);
    exchange->final.do_send = on_final_send;
    exchange->final.start_pull = on_start_pull;
    req->_ostr_top = &exchange->final;
    req->http1_is_persistent = 1;
    req->version = 0x101;
    req->input.scheme = &H2O_URL_SCHEME_HTTP;
    req->input.authority = h2o_iovec_init(H2O_STRLIT("default"));
    req->input.method = h2o_strdup(&req->pool, method, SIZE_MAX);
    req->input.path = h2o_strdup(&req->pool, path, SIZE_MAX);
    return exchange;
}

void loopback_header(loopback_t *exchange, const char *name, const char *value)
{
    h2o_mem_pool_t *pool = &exchange->req.pool;
    h2o_iovec_t lower = h2o_strdup(pool, name, SIZE_MAX), copy = h2o_strdup(pool, value, SIZE_MAX);

    h2o_strtolower(lower.base, lower.len);
    h2o_add_header_by_str(pool, &exchange->req.headers, lower.base, lower.len, 1, name, copy.base,
                          copy.len);
}

void loopback_entity(loopback_t *exchange, const void *base, size_t len)
{
    exchange->req.entity = h2o_strdup(&exchange->req.pool, base, len);
}

static void process(loopback_t *exchange)
{
    assert_false(exchange->processed);
    exchange->processed = true;
    h2o_process_request(&exchange->req);
}

static time_t monotonic_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

void loopback_run(loopback_t *exchange)
{
    time_t deadline = monotonic_s() + DEADLINE_S;

    assert_false(exchange->stepwise);
    process(exchange);
    while (!exchange->complete) {
        if (monotonic_s() > deadline)
            fail_msg("no end of the response to %s", exchange->req.input.path.base);
        loop_turn(exchange->server->loop);
    }
}

bool loopback_step(loopback_t *exchange)
{
    time_t deadline = monotonic_s() + DEADLINE_S;

    assert_true(exchange->stepwise);
    if (exchange->is_inflight)
        take_and_proceed(exchange);
    else
        process(exchange);
    while (!exchange->complete && !exchange->is_inflight) {
        if (monotonic_s() > deadline)
            fail_msg("no next piece of the response to %s", exchange->req.input.path.base);
        loop_turn(exchange->server->loop);
    }
    return !exchange->complete;
}

void loopback_close(loopback_t *exchange)
{
    h2o_timeout_unlink(&exchange->timeout);
    h2o_dispose_request(&exchange->req);
    h2o_buffer_dispose(&exchange->body);
    free(exchange);
}

static const char *find_header(h2o_mem_pool_t *pool, const h2o_headers_t *headers, const char *name)
{
    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = headers->entries + i;
        if (header->name->len == strlen(name) &&
            strncasecmp(header->name->base, name, header->name->len) == 0)
            return h2o_strdup(pool, header->value.base, header->value.len).base;
    }
    return NULL;
}

const char *loopback_response_header(loopback_t *exchange, const char *name)
{
    return find_header(&exchange->req.pool, &exchange->headers, name);
}

const char *loopback_request_header(loopback_t *exchange, const char *name)
{
    return find_header(&exchange->req.pool, &exchange->req.headers, name);
}

size_t loopback_count_response_headers(const loopback_t *exchange, const char *name)
{
    size_t num = 0;

    for (size_t i = 0; i != exchange->headers.size; ++i) {
        const h2o_header_t *header = exchange->headers.entries + i;
        num += header->name->len == strlen(name) &&
               strncasecmp(header->name->base, name, header->name->len) == 0;
    }
    return num;
}
