/*
 * The end of connections of HTTP/2, in the place of libh2o's, which says goodbye once to those that
 * are there at that moment. A handshake that ends later made a connection that was closed without a
 * warning, its request in flight, or that nobody ended at all.
 *
 * Once a second each is looked at (RFC 9113 §6.8):
 *
 *   begun ─GOAWAY, last stream 2^31-1─▶ warned ─GOAWAY, the last one that was seen─▶ parting
 *
 * so that a second lies between the two, for requests that are on their way. A parting connection
 * ends with its last stream. One whose client has said nothing yet has not begun: SETTINGS go
 * first. Ids grow, so one number tells who has been warned; as long as an older connection has not
 * begun, younger ones are warned again instead of parting.
 */
#include <assert.h>
#include <sys/socket.h>
#include "http2/goodbye.h"
/* needs these before it */
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

static void warn(h2o_http2_conn_t *conn)
{
    h2o_http2_encode_goaway_frame(&conn->_write.buf, INT32_MAX, H2O_HTTP2_ERROR_NONE,
                                  h2o_iovec_init(H2O_STRLIT("graceful shutdown")));
    h2o_http2_conn_request_write(conn);
}

static void part(h2o_http2_conn_t *conn)
{
    h2o_http2_encode_goaway_frame(&conn->_write.buf, conn->pull_stream_ids.max_open,
                                  H2O_HTTP2_ERROR_NONE, h2o_iovec_init(NULL, 0));
    h2o_http2_conn_request_write(conn);
    conn->state = H2O_HTTP2_CONN_STATE_HALF_CLOSED;
}

/* `http2-graceful-shutdown-timeout`: libh2o meets the end of the stream, and closes */
static void on_patience_over(h2o_timeout_entry_t *entry)
{
    breaker__goodbye_t *goodbye = H2O_STRUCT_FROM_MEMBER(breaker__goodbye_t, patience, entry);
    h2o_linklist_t *conns = &goodbye->ctx->http2._conns;

    for (h2o_linklist_t *link = conns->next; link != conns; link = link->next) {
        h2o_http2_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, link);
        if (conn->state == H2O_HTTP2_CONN_STATE_HALF_CLOSED)
            shutdown(h2o_socket_get_fd(conn->sock), SHUT_RD);
    }
}

static void start_patience(breaker__goodbye_t *goodbye)
{
    h2o_context_t *ctx = goodbye->ctx;

    if (ctx->globalconf->http2.graceful_shutdown_timeout != 0 &&
        !h2o_timeout_is_linked(&goodbye->patience))
        h2o_timeout_link(ctx->loop, &ctx->http2.graceful_shutdown_timeout, &goodbye->patience);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    breaker__goodbye_t *goodbye = H2O_STRUCT_FROM_MEMBER(breaker__goodbye_t, tick, entry);
    h2o_context_t *ctx = goodbye->ctx;
    h2o_linklist_t *conns = &ctx->http2._conns;
    uint64_t newest_id = goodbye->warned_id, silent_id = UINT64_MAX;

    for (h2o_linklist_t *link = conns->next; link != conns; link = link->next) {
        h2o_http2_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, link);
        uint64_t id = conn->super.id;
        if (conn->state >= H2O_HTTP2_CONN_STATE_HALF_CLOSED)
            continue;
        if (id <= goodbye->warned_id) {
            part(conn);
            start_patience(goodbye);
        } else if (conn->sock->bytes_written == 0) {
            silent_id = id < silent_id ? id : silent_id;
        } else {
            warn(conn);
            newest_id = id > newest_id ? id : newest_id;
        }
    }
    assert(silent_id > goodbye->warned_id);
    goodbye->warned_id = newest_id < silent_id ? newest_id : silent_id - 1;
    h2o_timeout_link(ctx->loop, &ctx->one_sec_timeout, &goodbye->tick);
}

void breaker__goodbye_begin(breaker__goodbye_t *goodbye, h2o_context_t *ctx)
{
    goodbye->ctx = ctx;
    goodbye->tick.cb = on_tick;
    goodbye->patience.cb = on_patience_over;
    ctx->shutdown_requested = 1;
    on_tick(&goodbye->tick);
}

void breaker__goodbye_end(breaker__goodbye_t *goodbye)
{
    h2o_timeout_unlink(&goodbye->tick);
    h2o_timeout_unlink(&goodbye->patience);
}
