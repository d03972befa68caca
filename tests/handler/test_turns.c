/*
 * Frames on their way to libh2o: each is counted and handed over once, wherever reads have cut it;
 * a connection has its share of a turn, and waits where what was written is not taken. Behind it
 * stands no libh2o here, but what notes the frames that it gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "http2/turns.h"
#include "logs/error_log.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char ping[] = "\0\0\x08\x06\0\0\0\0\0abcdefgh";
static const char unknown[] = "\0\0\x03\x42\0\0\0\0\0xyz";

enum { PREFACE_LEN = sizeof(preface) - 1, PING_LEN = sizeof(ping) - 1, MANY = 2000 };

static struct {
    union {
        h2o_loop_t loop; /* of both flavours the beginning is enough, for the time */
        char bytes[4096];
    } loop;
    h2o_globalconf_t config;
    h2o_context_t ctx;
    h2o_socket_t sock;
    h2o_conn_callbacks_t callbacks;
    h2o_http2_conn_t conn;
    h2o_buffer_t written, in_flight;
    breaker__calm_limits_t limits;
    breaker__turns_t turns;
    size_t num_frames;
    bool provokes;
    size_t num_said;
    /* what has come and was not taken */
    char input[MANY * PING_LEN];
    size_t len;
} peer;

/* ---- what stands around ---- */

void breaker__error_log_say(const breaker_log_event_t *event)
{
    assert_string_equal(event->name, "flood");
    ++peer.num_said;
}

void h2o_socket_read_stop(h2o_socket_t *sock)
{
    sock->_cb.read = NULL;
}

static void on_read(h2o_socket_t *sock, const char *err);

void h2o_socket_read_start(h2o_socket_t *sock, h2o_socket_cb cb)
{
    assert_ptr_equal(cb, on_read);
    sock->_cb.read = cb;
}

socklen_t h2o_socket_getpeername(h2o_socket_t *sock, struct sockaddr *addr)
{
    (void)sock, (void)addr;
    return 0;
}

static ssize_t expect_frame(h2o_http2_conn_t *conn, const uint8_t *bytes, size_t len,
                            const char **ret_why)
{
    (void)ret_why;
    assert_true(len >= PING_LEN);
    assert_memory_equal(bytes, ping, PING_LEN);
    ++peer.num_frames;
    if (peer.provokes)
        breaker__turns_on_error(conn);
    return PING_LEN;
}

static ssize_t expect_preface(h2o_http2_conn_t *conn, const uint8_t *bytes, size_t len,
                              const char **ret_why)
{
    (void)ret_why;
    if (len < PREFACE_LEN)
        return H2O_HTTP2_ERROR_INCOMPLETE;
    assert_memory_equal(bytes, preface, PREFACE_LEN);
    conn->_read_expect = expect_frame;
    return PREFACE_LEN;
}

/* as libh2o goes through its input; an error, or what it waits for */
static ssize_t parse(void)
{
    const char *why = NULL;
    ssize_t taken;

    while (peer.len != 0) {
        taken = peer.conn._read_expect(&peer.conn, (uint8_t *)peer.input, peer.len, &why);
        if (taken < 0) {
            assert_true(taken == H2O_HTTP2_ERROR_INCOMPLETE || why != NULL);
            return taken;
        }
        assert_true((size_t)taken <= peer.len);
        peer.len -= (size_t)taken;
        memmove(peer.input, peer.input + taken, peer.len);
    }
    return 0;
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    assert_ptr_equal(sock, &peer.sock);
    assert_null(err);
    parse();
}

static ssize_t receive(const char *bytes, size_t len)
{
    assert_true(peer.len + len <= sizeof(peer.input));
    memcpy(peer.input + peer.len, bytes, len);
    peer.len += len;
    return parse();
}

static int begin(void **state)
{
    (void)state;
    memset(&peer, 0, sizeof(peer));
    peer.ctx.loop = &peer.loop.loop;
    peer.ctx.globalconf = &peer.config;
    peer.conn.super.ctx = &peer.ctx;
    peer.conn.super.callbacks = &peer.callbacks;
    peer.conn.sock = &peer.sock;
    peer.conn._write.buf = &peer.written;
    peer.conn._read_expect = expect_preface;
    peer.sock.data = &peer.conn;
    peer.sock._cb.read = on_read;
    breaker__turns_begin(&peer.turns, &peer.ctx, &peer.limits);
    breaker__turns_take(&peer.turns, &peer.conn);
    breaker__turns_next(&peer.turns);
    return 0;
}

static int end(void **state)
{
    (void)state;
    breaker__turns_let_go(&peer.conn);
    assert_ptr_equal(peer.conn.super.callbacks, &peer.callbacks);
    assert_true(h2o_linklist_is_empty(&peer.turns.held));
    return 0;
}

/* ---- tests ---- */

static size_t make_stream(char *stream)
{
    size_t len = PREFACE_LEN;

    memcpy(stream, preface, PREFACE_LEN);
    for (size_t i = 0; i != 5; ++i) {
        memcpy(stream + len, ping, PING_LEN);
        len += PING_LEN;
        memcpy(stream + len, unknown, sizeof(unknown) - 1);
        len += sizeof(unknown) - 1;
    }
    return len;
}

static void frames_in_two_pieces_are_counted_once(void **state)
{
    char stream[512];
    size_t len = make_stream(stream);

    peer.limits.per_second[BREAKER__CALM_CONTROL] = 5;
    peer.limits.per_second[BREAKER__CALM_EMPTY] = 5;
    for (size_t cut = 0; cut <= len; ++cut) {
        receive(stream, cut);
        assert_int_equal(receive(stream + cut, len - cut), 0);
        assert_int_equal(peer.num_frames, 5);
        assert_int_equal(receive(ping, PING_LEN), H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM);
        end(state);
        begin(state);
        peer.limits.per_second[BREAKER__CALM_CONTROL] = 5;
        peer.limits.per_second[BREAKER__CALM_EMPTY] = 5;
    }
}

static void frames_byte_by_byte_are_counted_once(void **state)
{
    char stream[512];
    size_t len = make_stream(stream);

    (void)state;
    peer.limits.per_second[BREAKER__CALM_CONTROL] = 5;
    peer.limits.per_second[BREAKER__CALM_EMPTY] = 5;
    for (size_t i = 0; i != len; ++i) {
        ssize_t taken = receive(stream + i, 1);
        assert_true(taken == 0 || taken == H2O_HTTP2_ERROR_INCOMPLETE);
    }
    assert_int_equal(peer.num_frames, 5);
    assert_int_equal(peer.len, 0);
    assert_int_equal(receive(unknown, sizeof(unknown) - 1), H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM);
}

static void who_is_sent_away_is_not_read_from_and_told_of(void **state)
{
    (void)state;
    peer.limits.per_second[BREAKER__CALM_CONTROL] = 1;
    receive(preface, PREFACE_LEN);
    assert_int_equal(receive(ping, PING_LEN), 0);
    assert_non_null(peer.sock._cb.read);
    assert_int_equal(receive(ping, PING_LEN), H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM);
    assert_null(peer.sock._cb.read);
    assert_int_equal(peer.num_frames, 1);
    assert_int_equal(peer.num_said, 1);
    assert_int_equal(peer.turns.num_calmed, 1);
}

static void a_reset_that_a_frame_provokes_counts(void **state)
{
    (void)state;
    peer.limits.per_second[BREAKER__CALM_ERRORS] = 2;
    receive(preface, PREFACE_LEN);
    /* one of the server's own doing does not */
    breaker__turns_on_error(&peer.conn);
    peer.provokes = true;
    assert_int_equal(receive(ping, PING_LEN), 0);
    assert_int_equal(receive(ping, PING_LEN), 0);
    assert_int_equal(receive(ping, PING_LEN), H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM);
}

static void receive_many(void)
{
    receive(preface, PREFACE_LEN);
    for (size_t i = 0; i != MANY - 10; ++i) {
        memcpy(peer.input + peer.len, ping, PING_LEN);
        peer.len += PING_LEN;
    }
}

static void a_connection_has_a_share_of_a_turn(void **state)
{
    size_t before = 0, turns = 0;
    bool is_due;

    (void)state;
    receive_many();
    assert_int_equal(parse(), H2O_HTTP2_ERROR_INCOMPLETE);
    for (; peer.len != 0; ++turns) {
        assert_true(breaker__turns_is_held(&peer.conn));
        assert_null(peer.sock._cb.read);
        assert_true(peer.num_frames > before);
        assert_true(peer.num_frames - before <= 256);
        before = peer.num_frames;
        is_due = breaker__turns_next(&peer.turns);
        assert_int_equal(is_due, peer.len != 0);
    }
    assert_in_range(turns, 2, MANY);
    assert_int_equal(peer.num_frames, MANY - 10);
    assert_false(breaker__turns_is_held(&peer.conn));
    assert_non_null(peer.sock._cb.read);
    assert_false(breaker__turns_next(&peer.turns));
}

static void who_does_not_read_waits(void **state)
{
    (void)state;
    receive(preface, PREFACE_LEN);
    peer.conn._write.buf_in_flight = &peer.in_flight;
    peer.in_flight.size = 100 << 10;
    peer.written.size = (28 << 10) - 1;
    assert_int_equal(receive(ping, PING_LEN), 0);
    ++peer.written.size;
    assert_int_equal(receive(ping, PING_LEN), H2O_HTTP2_ERROR_INCOMPLETE);
    /* and the loop may wait as well, for the write to end */
    for (size_t i = 0; i != 3; ++i)
        assert_false(breaker__turns_next(&peer.turns));
    assert_null(peer.sock._cb.read);
    assert_int_equal(peer.num_frames, 1);
    peer.conn._write.buf_in_flight = NULL;
    assert_false(breaker__turns_next(&peer.turns));
    assert_int_equal(peer.num_frames, 2);
    assert_non_null(peer.sock._cb.read);
}

static void who_goes_while_held_is_forgotten(void **state)
{
    (void)state;
    receive_many();
    assert_int_equal(parse(), H2O_HTTP2_ERROR_INCOMPLETE);
    peer.conn.state = H2O_HTTP2_CONN_STATE_IS_CLOSING;
    assert_false(breaker__turns_next(&peer.turns));
    assert_null(peer.sock._cb.read);
    assert_false(breaker__turns_is_held(&peer.conn));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(frames_in_two_pieces_are_counted_once),
        TEST(frames_byte_by_byte_are_counted_once),
        TEST(who_is_sent_away_is_not_read_from_and_told_of),
        TEST(a_reset_that_a_frame_provokes_counts),
        TEST(a_connection_has_a_share_of_a_turn),
        TEST(who_does_not_read_waits),
        TEST(who_goes_while_held_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
