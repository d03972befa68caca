/*
 * libh2o goes through all that a connection has sent before it looks at the next one, however much
 * that is, and has room for what it answers as long as there is memory. Here it gets frame after
 * frame: between it and them stands a function of ours, in the place where the connection keeps
 * what it expects next. It counts each frame (calm.c), and says that there is none yet
 *
 *   - when the connection has had its share of this turn: it goes on in the next one, and
 *   - when much that was written has not been taken: it goes on when that has left.
 *
 *   read ─▶ frames ─▶ libh2o        held: not read from, in a list, until it goes on
 *             │  ▲
 *     enough  ▼  │ next turn, room
 *            held
 *
 * Of CONTINUATION frames on a connection that is to end libh2o takes nothing, and would look at the
 * first of them for ever: they are taken whole here.
 *
 * What is counted lives in the copy of its callbacks that each connection gets, by which it is
 * found again. One that is sent away is not read from either: libh2o would keep what comes.
 */
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "http2/turns.h"
#include "logs/error_log.h"

enum {
    /* of one connection in one turn, in units of what a PING takes, some 0.1 microseconds; a
       request takes more, dozens with what it leads to */
    SHARE = 256,
    REQUEST_COST = 6,
    /* bytes for one more unit */
    DATA_PER_UNIT = 4096,
    BYTES_PER_UNIT = 64,
    /* bytes that are written and not taken; libh2o hands over some 80 KiB at a time */
    WRITTEN_MAX = 128 << 10,
    /* seconds between two complaints of a thread */
    COMPLAINT_INTERVAL_S = 60,
};

typedef struct st_connection_t {
    h2o_conn_callbacks_t callbacks; /* a copy */
    const h2o_conn_callbacks_t *libh2os;
    breaker__turns_t *turns; /* borrowed: outlives us */
    h2o_http2_conn_t *conn;  /* borrowed: lets us go before it is freed */
    /* what libh2o expects */
    ssize_t (*expect)(h2o_http2_conn_t *, const uint8_t *, size_t, const char **);
    /* whether the preface has been read */
    bool has_begun;
    bool is_calmed;
    h2o_linklist_t held;
    /* the turn in which it had its last frame, and what it has spent in it */
    uint64_t turn;
    size_t spent;
    breaker__calm_t calm;
    /* the frame that libh2o has, or NULL */
    const h2o_http2_frame_t *frame;
    /* what there is too much of, or NULL */
    const char *too_much;
} connection_t;

static connection_t *connection_of(const h2o_http2_conn_t *conn)
{
    /* the copy is ours to write to */
    uintptr_t callbacks = (uintptr_t)conn->super.callbacks;

    return H2O_STRUCT_FROM_MEMBER(connection_t, callbacks, callbacks);
}

/* ---- shares ---- */

static bool is_full(const h2o_http2_conn_t *conn)
{
    const h2o_buffer_t *in_flight = conn->_write.buf_in_flight;

    return conn->_write.buf->size + (in_flight != NULL ? in_flight->size : 0) >= WRITTEN_MAX;
}

static bool is_writing(const h2o_http2_conn_t *conn)
{
    return conn->_write.buf_in_flight != NULL || conn->sock->_cb.write != NULL;
}

/* for a write to end: the last one, where GOAWAY is to follow, since libh2o closes right after it
 */
static bool must_wait(const connection_t *connection)
{
    return connection->is_calmed ? is_writing(connection->conn) : is_full(connection->conn);
}

static bool has_share(connection_t *connection)
{
    if (connection->turn != connection->turns->turn) {
        connection->turn = connection->turns->turn;
        connection->spent = 0;
    }
    return connection->spent < SHARE;
}

static size_t cost_of(const h2o_http2_frame_t *frame)
{
    if (frame->type == H2O_HTTP2_FRAME_TYPE_HEADERS)
        return REQUEST_COST + frame->length / BYTES_PER_UNIT;
    if (frame->type == H2O_HTTP2_FRAME_TYPE_DATA || frame->type > H2O_HTTP2_FRAME_TYPE_CONTINUATION)
        return 1 + frame->length / DATA_PER_UNIT;
    return 1 + frame->length / BYTES_PER_UNIT;
}

/* what libh2o is told meanwhile */
static ssize_t hold(connection_t *connection)
{
    breaker__turns_t *turns = connection->turns;
    h2o_socket_t *sock = connection->conn->sock;

    assert(!h2o_linklist_is_linked(&connection->held));
    /* not known yet where the thread's first connection came by an upgrade */
    if (sock->_cb.read != NULL)
        turns->on_read = sock->_cb.read;
    h2o_socket_read_stop(sock);
    h2o_linklist_insert(&turns->held, &connection->held);
    turns->is_due = turns->is_due || !must_wait(connection);
    return H2O_HTTP2_ERROR_INCOMPLETE;
}

/* ---- who is sent away ---- */

/* once a minute a line says what goes on, with the connection that it meets */
static void complain(connection_t *connection, const char *too_much)
{
    breaker__turns_t *turns = connection->turns;
    struct sockaddr_storage peer;
    char from[NI_MAXHOST] = "a local client";
    socklen_t len = h2o_socket_getpeername(connection->conn->sock, (struct sockaddr *)&peer);
    time_t now = time(NULL);

    ++turns->num_unsaid;
    if (turns->said_at != 0 && now - turns->said_at < COMPLAINT_INTERVAL_S)
        return;
    if (len != 0 && peer.ss_family != AF_UNIX)
        h2o_socket_getnumerichost((struct sockaddr *)&peer, len, from);
    breaker__say(BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "flood",
                 breaker_log_number("connections", turns->num_unsaid),
                 breaker_log_word("from", from), breaker_log_text("reason", too_much));
    turns->said_at = now;
    turns->num_unsaid = 0;
}

/* nothing more is written to it but what is on its way, and GOAWAY */
static void calm(connection_t *connection, const char *too_much)
{
    h2o_http2_conn_t *conn = connection->conn;
    atomic_size_t *num = &connection->turns->num_calmed;

    connection->is_calmed = true;
    connection->too_much = too_much;
    h2o_buffer_consume(&conn->_write.buf, conn->_write.buf->size);
    conn->_write.window._avail = 0;
    atomic_store_explicit(num, atomic_load_explicit(num, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    complain(connection, too_much);
}

/* ---- frames ---- */

static ssize_t pass(connection_t *connection, const uint8_t *bytes, size_t len,
                    const char **ret_why)
{
    h2o_http2_conn_t *conn = connection->conn;
    ssize_t (*on_frame)(h2o_http2_conn_t *, const uint8_t *, size_t, const char **) =
        conn->_read_expect;
    ssize_t taken;

    conn->_read_expect = connection->expect;
    taken = conn->_read_expect(conn, bytes, len, ret_why);
    connection->expect = conn->_read_expect;
    conn->_read_expect = on_frame;
    return taken;
}

/* libh2o would write a line for each */
static bool is_passed_by(const connection_t *connection, const h2o_http2_frame_t *frame)
{
    return frame->type > H2O_HTTP2_FRAME_TYPE_CONTINUATION &&
           connection->conn->_headers_unparsed == NULL;
}

static ssize_t pass_frame(connection_t *connection, const h2o_http2_frame_t *frame,
                          const uint8_t *bytes, size_t len, const char **ret_why)
{
    ssize_t whole = (ssize_t)(H2O_HTTP2_FRAME_HEADER_SIZE + frame->length), taken;
    breaker__turns_t *turns = connection->turns;

    connection->spent += cost_of(frame);
    connection->too_much =
        breaker__calm_frame(&connection->calm, turns->limits, h2o_now(turns->ctx->loop),
                            connection->conn->sock->bytes_written, frame);
    if (connection->too_much == NULL && is_passed_by(connection, frame))
        return whole;
    if (connection->too_much == NULL) {
        connection->frame = frame;
        taken = pass(connection, bytes, len, ret_why);
        connection->frame = NULL;
        if (connection->too_much == NULL)
            return taken != 0 ? taken : whole;
    }
    *ret_why = connection->too_much;
    return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
}

static ssize_t pass_next(connection_t *connection, const uint8_t *bytes, size_t len,
                         const char **ret_why)
{
    h2o_http2_frame_t frame;
    ssize_t taken = h2o_http2_decode_frame(&frame, bytes, len, &H2O_HTTP2_SETTINGS_HOST, ret_why);

    return taken < 0 ? taken : pass_frame(connection, &frame, bytes, len, ret_why);
}

/* libh2o would keep what comes after an error, as long as a write has not ended */
static ssize_t end(connection_t *connection, ssize_t err, const char **ret_why)
{
    h2o_socket_read_stop(connection->conn->sock);
    if (connection->is_calmed)
        *ret_why = connection->too_much;
    return err;
}

/* libh2o's question for the next frame: how many bytes of it were taken, or an error */
static ssize_t on_frame(h2o_http2_conn_t *conn, const uint8_t *bytes, size_t len,
                        const char **ret_why)
{
    connection_t *connection = connection_of(conn);
    ssize_t taken;

    assert(connection->conn == conn);
    if (must_wait(connection) || !has_share(connection))
        return hold(connection);
    if (connection->is_calmed)
        return end(connection, H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM, ret_why);
    if (connection->has_begun) {
        taken = pass_next(connection, bytes, len, ret_why);
    } else {
        taken = pass(connection, bytes, len, ret_why);
        connection->has_begun = taken > 0;
    }
    if (taken >= 0 || taken == H2O_HTTP2_ERROR_INCOMPLETE)
        return taken;
    if (taken != H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM)
        return end(connection, taken, ret_why);
    calm(connection, *ret_why);
    return must_wait(connection) ? hold(connection) : end(connection, taken, ret_why);
}

/* not because of a frame: what the server resets for reasons of its own */
static bool is_of_frame(const connection_t *connection)
{
    return connection->frame != NULL && connection->too_much == NULL;
}

void breaker__turns_on_error(h2o_http2_conn_t *conn)
{
    connection_t *connection = connection_of(conn);

    if (is_of_frame(connection))
        connection->too_much =
            breaker__calm_error(&connection->calm, connection->turns->limits, connection->frame);
}

void breaker__turns_on_reset(h2o_http2_conn_t *conn)
{
    connection_t *connection = connection_of(conn);

    if (is_of_frame(connection) && connection->frame->type == H2O_HTTP2_FRAME_TYPE_RST_STREAM)
        connection->too_much = breaker__calm_reset(&connection->calm, connection->turns->limits);
}

/* ---- turns ---- */

static void go_on(connection_t *connection)
{
    breaker__turns_t *turns = connection->turns;
    h2o_socket_t *sock = connection->conn->sock;

    /* it may be gone after this, its socket be freed by the loop's turn, and a callback of that be
       due: as after a timer's callback, which this is one of for the loop */
    h2o_socket_read_start(sock, turns->on_read);
    turns->on_read(sock, NULL);
    h2o_timeout__do_post_callback(turns->ctx->loop);
}

bool breaker__turns_is_held(const h2o_http2_conn_t *conn)
{
    return h2o_linklist_is_linked(&connection_of(conn)->held);
}

bool breaker__turns_go_on(breaker__turns_t *turns)
{
    h2o_linklist_t held;

    turns->is_due = false;
    h2o_linklist_init_anchor(&held);
    h2o_linklist_insert_list(&held, &turns->held);
    while (!h2o_linklist_is_empty(&held)) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, held, held.next);
        h2o_linklist_unlink(&connection->held);
        if (connection->conn->state >= H2O_HTTP2_CONN_STATE_IS_CLOSING)
            continue;
        if (must_wait(connection))
            h2o_linklist_insert(&turns->held, &connection->held);
        else
            go_on(connection);
    }
    return turns->is_due;
}

/* ---- the life of a connection, and of a thread ---- */

void breaker__turns_take(breaker__turns_t *turns, h2o_http2_conn_t *conn)
{
    connection_t *connection = h2o_mem_alloc(sizeof(*connection));

    memset(connection, 0, sizeof(*connection));
    connection->callbacks = *conn->super.callbacks;
    connection->libh2os = conn->super.callbacks;
    connection->turns = turns;
    connection->conn = conn;
    connection->expect = conn->_read_expect;
    conn->super.callbacks = &connection->callbacks;
    conn->_read_expect = on_frame;
}

bool breaker__turns_let_go(h2o_http2_conn_t *conn)
{
    connection_t *connection = connection_of(conn);
    bool is_calmed = connection->is_calmed;

    if (h2o_linklist_is_linked(&connection->held))
        h2o_linklist_unlink(&connection->held);
    conn->super.callbacks = connection->libh2os;
    free(connection);
    return is_calmed;
}

void breaker__turns_begin(breaker__turns_t *turns, h2o_context_t *ctx,
                          const breaker__calm_limits_t *limits)
{
    memset(turns, 0, sizeof(*turns));
    turns->ctx = ctx;
    turns->limits = limits;
    h2o_linklist_init_anchor(&turns->held);
}
