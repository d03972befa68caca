/*
 * libh2o resets a stream whose body is too long with REFUSED_STREAM, which tells the client that
 * nothing was looked at and that it may try again. Here the stream gets a whole answer instead,
 * 413, and then RST_STREAM with NO_ERROR: what is left of the body need not be sent (RFC 9113
 * §8.1). Between the two there is time to read the answer: curl takes what comes with it for an
 * error. Frames of such a stream that were under way are no errors. libh2o counts them as it does
 * those of any stream, so that the connection's window stays right.
 */
#include <assert.h>
#include "http2/early.h"

static void forget(breaker__early_t *early, breaker__early_stream_t *stream)
{
    h2o_timeout_unlink(&stream->patience);
    if (stream->conn == NULL)
        return;
    assert(early->num != 0);
    --early->num;
    stream->conn = NULL;
}

static void on_patience_over(h2o_timeout_entry_t *entry)
{
    breaker__early_stream_t *early =
        H2O_STRUCT_FROM_MEMBER(breaker__early_stream_t, patience, entry);
    h2o_http2_conn_t *conn = early->conn;

    assert(conn != NULL);
    if (conn->state >= H2O_HTTP2_CONN_STATE_IS_CLOSING)
        return;
    h2o_http2__encode_rst_stream_frame(&conn->_write.buf, early->stream_id, -H2O_HTTP2_ERROR_NONE);
    h2o_http2_conn_request_write(conn);
}

void breaker__early_begin(breaker__early_t *early, h2o_http2_conn_t *conn, uint32_t stream_id)
{
    breaker__early_stream_t *stream = early->streams + early->next;

    forget(early, stream);
    ++early->num;
    stream->conn = conn;
    stream->stream_id = stream_id;
    stream->patience.cb = on_patience_over;
    early->next = (early->next + 1) % BREAKER__EARLY_MAX;
}

static breaker__early_stream_t *find(breaker__early_t *early, const h2o_http2_conn_t *conn,
                                     uint32_t stream_id)
{
    /* the end of every stream comes here */
    if (early->num == 0)
        return NULL;
    for (size_t i = 0; i != BREAKER__EARLY_MAX; ++i)
        if (early->streams[i].conn == conn && early->streams[i].stream_id == stream_id)
            return early->streams + i;
    return NULL;
}

void breaker__early_end(breaker__early_t *early, const h2o_http2_conn_t *conn, uint32_t stream_id)
{
    breaker__early_stream_t *stream = find(early, conn, stream_id);

    if (stream != NULL && conn->state < H2O_HTTP2_CONN_STATE_IS_CLOSING)
        h2o_timeout_link(conn->super.ctx->loop, &conn->super.ctx->hundred_ms_timeout,
                         &stream->patience);
}

void breaker__early_forget(breaker__early_t *early, const h2o_http2_conn_t *conn)
{
    for (size_t i = 0; i != BREAKER__EARLY_MAX; ++i)
        if (early->streams[i].conn == conn)
            forget(early, early->streams + i);
    if (early->conn == conn)
        early->conn = NULL;
}

/* libh2o resets a stream that it refuses right after it has said so */
bool breaker__early_may_send(breaker__early_t *early, const h2o_http2_conn_t *conn,
                             uint32_t stream_id, int error)
{
    if (error != -H2O_HTTP2_ERROR_REFUSED_STREAM &&
        !(error == -H2O_HTTP2_ERROR_STREAM_CLOSED && find(early, conn, stream_id) != NULL))
        return true;
    early->conn = conn;
    early->stream_id = stream_id;
    early->error = error;
    return false;
}

/* as libh2o does it with fields that it cannot take */
static void answer(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    assert(stream->state == H2O_HTTP2_STREAM_STATE_RECV_BODY);
    h2o_http2_stream_set_state(conn, stream, H2O_HTTP2_STREAM_STATE_REQ_PENDING);
    h2o_http2_stream_set_state(conn, stream, H2O_HTTP2_STREAM_STATE_SEND_HEADERS);
    ++conn->super.ctx->emitted_error_status[H2O_STATUS_ERROR_413];
    h2o_send_error_generic(&stream->req, 413, "Request Entity Too Large",
                           "request entity is too large", 0);
}

/* the same word refuses too many streams, and trailers that come in pieces and are too long */
static bool is_too_long(const h2o_http2_conn_t *conn, const h2o_http2_stream_t *stream)
{
    return stream->state == H2O_HTTP2_STREAM_STATE_RECV_BODY && conn->_headers_unparsed == NULL;
}

breaker__early_verdict_t breaker__early_judge(breaker__early_t *early, h2o_http2_conn_t *conn,
                                              h2o_http2_stream_t *stream)
{
    bool is_kept = early->conn == conn && early->stream_id == stream->stream_id;
    breaker__early_stream_t *begun;

    early->conn = NULL;
    if (is_kept && early->error == -H2O_HTTP2_ERROR_STREAM_CLOSED)
        return BREAKER__EARLY_SPARE;
    if (is_kept && is_too_long(conn, stream)) {
        breaker__early_begin(early, conn, stream->stream_id);
        answer(conn, stream);
        return BREAKER__EARLY_SPARE;
    }
    /* its client need not be told that it may stop: it has given up, or is told now */
    if ((begun = find(early, conn, stream->stream_id)) != NULL)
        forget(early, begun);
    return is_kept ? BREAKER__EARLY_REFUSE : BREAKER__EARLY_RESET;
}
