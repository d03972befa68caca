/*
 * What a client sends over HTTP/2 on its way to libh2o: however reads cut it, and however often the
 * connection has to wait, libh2o gets the same frames, whole, once and in their order, and whoever
 * sends too much of something is sent away at the same frame. Behind turns.c stands no libh2o here,
 * but what notes the frames that it gets.
 *
 * An input has a line with six limits, a digit each (0 is none), one with a number that says where
 * reads end and when writes do not, and what comes after the connection's preface. Of frames one
 * reserved flag makes libh2o complain of the stream, another one of the connection.
 */
#include <assert.h>
#include <stdlib.h>
#include "fuzz.h"
#include "http2/turns.h"
#include "logs/error_log.h"

enum {
    FRAME_HEAD = 9,
    FRAMES_MAX = FUZZ_INPUT_MAX / FRAME_HEAD + 1,
    /* turns.c's */
    FRAMES_OF_TURN_MAX = 256,
    FULL = 128 << 10,
    /* what libh2o has been told that a frame holds at most */
    PAYLOAD_MAX = 16384,
    /* flags of no frame */
    FLAG_PROVOKES = 0x40,
    FLAG_IS_WRONG = 0x80,
    /* bytes of an answer */
    ANSWER_LEN = 1000,
};

/* what has become of all that was sent */
typedef struct st_outcome_t {
    /* frames that libh2o got, by where they begin */
    size_t frames[FRAMES_MAX];
    size_t num_frames;
    /* what was gone through, with frames that libh2o did not get */
    size_t num_bytes;
    /* 0: the connection goes on */
    ssize_t error;
    const char *why;
    bool is_sent_away;
} outcome_t;

static struct {
    h2o_evloop_t loop;
    h2o_globalconf_t config;
    h2o_context_t ctx;
    h2o_socket_t sock;
    h2o_conn_callbacks_t callbacks;
    h2o_http2_conn_t conn;
    h2o_buffer_t written, in_flight, unparsed;
    breaker__calm_limits_t limits;
    breaker__turns_t turns;
    /* all that is sent; what has come of it */
    fuzz_text_t stream;
    size_t num_come;
    size_t num_of_turn;
    outcome_t outcome;
} peer;

/* ---- what stands around ---- */

void breaker__error_log_say(const breaker_log_event_t *event)
{
    assert(strcmp(event->name, "flood") == 0);
}

void h2o_socket_read_stop(h2o_socket_t *sock)
{
    sock->_cb.read = NULL;
}

void h2o_socket_read_start(h2o_socket_t *sock, h2o_socket_cb cb)
{
    sock->_cb.read = cb;
}

socklen_t h2o_socket_getpeername(h2o_socket_t *sock, struct sockaddr *addr)
{
    (void)sock, (void)addr;
    return 0;
}

/* ---- libh2o ---- */

static void count_pushed_or_answered(const uint8_t *head)
{
    /* time passes with what is sent, not with how it comes */
    if (head[3] == H2O_HTTP2_FRAME_TYPE_PING)
        peer.loop._now += head[8];
    if (head[3] == H2O_HTTP2_FRAME_TYPE_HEADERS)
        peer.sock.bytes_written += ANSWER_LEN;
}

static ssize_t expect_frame(h2o_http2_conn_t *conn, const uint8_t *bytes, size_t len,
                            const char **ret_why)
{
    size_t payload_len = (size_t)bytes[0] << 16 | (size_t)bytes[1] << 8 | bytes[2];
    uint8_t type = bytes[3], flags = bytes[4];
    size_t at = (size_t)((const char *)bytes - peer.stream.base);

    /* whole, and the one that is next */
    assert(len >= FRAME_HEAD + payload_len && at == peer.outcome.num_bytes);
    ++peer.num_of_turn;
    assert(peer.num_of_turn <= FRAMES_OF_TURN_MAX);
    peer.outcome.frames[peer.outcome.num_frames++] = at;
    count_pushed_or_answered(bytes);
    if ((flags & FLAG_IS_WRONG) != 0) {
        /* of a CONTINUATION on a connection that is to end libh2o takes nothing */
        if (type == H2O_HTTP2_FRAME_TYPE_CONTINUATION)
            return 0;
        *ret_why = "libh2o's reason";
        return H2O_HTTP2_ERROR_PROTOCOL;
    }
    if (type == H2O_HTTP2_FRAME_TYPE_HEADERS || type == H2O_HTTP2_FRAME_TYPE_CONTINUATION)
        conn->_headers_unparsed =
            (flags & H2O_HTTP2_FRAME_FLAG_END_HEADERS) != 0 ? NULL : &peer.unparsed;
    if ((flags & FLAG_PROVOKES) != 0)
        breaker__turns_on_error(conn);
    if (type == H2O_HTTP2_FRAME_TYPE_RST_STREAM && (bytes[8] & 1) != 0)
        breaker__turns_on_reset(conn);
    return (ssize_t)(FRAME_HEAD + payload_len);
}

static ssize_t expect_preface(h2o_http2_conn_t *conn, const uint8_t *bytes, size_t len,
                              const char **ret_why)
{
    (void)ret_why;
    assert((const char *)bytes == peer.stream.base);
    if (len < 3)
        return H2O_HTTP2_ERROR_INCOMPLETE;
    conn->_read_expect = expect_frame;
    return 3;
}

/* as libh2o goes through its input */
static void on_read(h2o_socket_t *sock, const char *err)
{
    outcome_t *outcome = &peer.outcome;

    assert(sock == &peer.sock && err == NULL);
    while (outcome->num_bytes != peer.num_come && outcome->error == 0) {
        const char *why = NULL;
        ssize_t taken = peer.conn._read_expect(
            &peer.conn, (const uint8_t *)peer.stream.base + outcome->num_bytes,
            peer.num_come - outcome->num_bytes, &why);
        if (taken == H2O_HTTP2_ERROR_INCOMPLETE)
            return;
        assert(taken != 0);
        if (taken < 0) {
            outcome->error = taken;
            outcome->why = why;
            peer.conn.state = H2O_HTTP2_CONN_STATE_IS_CLOSING;
            assert(sock->_cb.read == NULL);
        } else {
            outcome->num_bytes += (size_t)taken;
            assert(outcome->num_bytes <= peer.num_come);
        }
    }
}

/* ---- the connection ---- */

static void begin(fuzz_text_t stream, const uint32_t *limits)
{
    memset(&peer, 0, sizeof(peer));
    peer.stream = stream;
    peer.loop._now = 1000000;
    for (size_t i = 0; i != BREAKER__CALM_NUM; ++i)
        peer.limits.per_second[i] = limits[i];
    peer.limits.continuations = limits[BREAKER__CALM_NUM];
    peer.limits.header_list_size = limits[BREAKER__CALM_NUM + 1] * 64;
    peer.ctx.loop = &peer.loop;
    peer.ctx.globalconf = &peer.config;
    h2o_linklist_init_anchor(&peer.loop._timeouts);
    peer.loop._statechanged.tail_ref = &peer.loop._statechanged.head;
    peer.conn.super.ctx = &peer.ctx;
    peer.conn.super.callbacks = &peer.callbacks;
    peer.conn.sock = &peer.sock;
    peer.conn._write.buf = &peer.written;
    peer.conn._read_expect = expect_preface;
    peer.sock.data = &peer.conn;
    peer.sock._cb.read = on_read;
    breaker__turns_begin(&peer.turns, &peer.ctx, &peer.limits);
    breaker__turns_take(&peer.turns, &peer.conn);
}

static void end(void)
{
    size_t num = atomic_load(&peer.turns.num_calmed);

    peer.outcome.is_sent_away = breaker__turns_let_go(&peer.conn);
    assert(num == (peer.outcome.is_sent_away ? 1 : 0));
    assert(h2o_linklist_is_empty(&peer.turns.held));
    assert(peer.outcome.error != 0 || !peer.outcome.is_sent_away);
}

/* a turn of the loop; true where the next one may not wait for something to happen */
static bool turn(void)
{
    size_t before = peer.outcome.num_bytes;
    bool is_due;

    peer.num_of_turn = 0;
    is_due = breaker__turns_next(&peer.turns);
    if (peer.outcome.error == 0)
        assert(breaker__turns_is_held(&peer.conn) == (peer.sock._cb.read == NULL));
    /* who is due went on */
    assert(!is_due || peer.outcome.num_bytes != before || peer.outcome.error != 0);
    return is_due;
}

static uint64_t next(uint64_t number)
{
    return number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

/* the client takes nothing for a while: nothing that comes is gone through */
static void stop_taking(uint64_t number)
{
    peer.conn._write.buf_in_flight = &peer.in_flight;
    peer.in_flight.size = (size_t)(number >> 40) % FULL;
    peer.written.size = FULL - peer.in_flight.size;
}

static void take_again(void)
{
    /* of one that is sent away only what was under way goes */
    assert(peer.written.size == 0 || peer.written.size == FULL - peer.in_flight.size);
    peer.conn._write.buf_in_flight = NULL;
    peer.in_flight.size = peer.written.size = 0;
}

static void receive(size_t len, uint64_t number)
{
    bool is_stopped = number >> 61 == 0;

    if (len > peer.stream.len - peer.num_come)
        len = peer.stream.len - peer.num_come;
    peer.num_come += len;
    if (is_stopped)
        stop_taking(number);
    peer.num_of_turn = 0;
    on_read(&peer.sock, NULL);
    if (is_stopped) {
        bool is_due = turn();
        assert(!is_due);
        take_again();
    }
    for (size_t i = 0; peer.outcome.error == 0 && breaker__turns_is_held(&peer.conn); ++i) {
        assert(i <= FRAMES_MAX);
        turn();
    }
}

/* of a number 0 all at once, of 1 byte by byte */
static outcome_t run(fuzz_text_t stream, const uint32_t *limits, uint64_t number)
{
    bool is_random = number > 1;

    begin(stream, limits);
    while (peer.num_come != stream.len && peer.outcome.error == 0) {
        size_t len = number == 0 ? SIZE_MAX : 1;
        if (is_random) {
            number = next(number);
            len += (size_t)(number >> 33) % ((number >> 30 & 7) == 0 ? 512 : 16);
        }
        receive(len, is_random ? number : UINT64_MAX);
    }
    end();
    return peer.outcome;
}

/* ---- what must hold ---- */

static void check_same(const outcome_t *a, const outcome_t *b)
{
    assert(a->num_frames == b->num_frames && a->num_bytes == b->num_bytes);
    assert(memcmp(a->frames, b->frames, a->num_frames * sizeof(a->frames[0])) == 0);
    assert(a->error == b->error && a->is_sent_away == b->is_sent_away);
    assert((a->why == NULL) == (b->why == NULL) && (a->why == NULL || strcmp(a->why, b->why) == 0));
}

/* what has been counted of a second, as it is said in calm.h and no closer */
typedef struct st_counts_t {
    uint64_t begun_at_ms, now_ms;
    uint32_t num_requests, num_control, num_empty, num_resets, num_continuations, block_len;
} counts_t;

static void check_limits(const counts_t *counts, const uint32_t *limits)
{
    const uint32_t *per_second = limits;

    assert(per_second[BREAKER__CALM_CONTROL] == 0 ||
           counts->num_control <= per_second[BREAKER__CALM_CONTROL]);
    assert(per_second[BREAKER__CALM_CONTROL] == 0 ||
           counts->num_resets <= per_second[BREAKER__CALM_CONTROL] + counts->num_requests);
    assert(per_second[BREAKER__CALM_EMPTY] == 0 ||
           counts->num_empty <= per_second[BREAKER__CALM_EMPTY]);
    assert(limits[BREAKER__CALM_NUM] == 0 ||
           counts->num_continuations <= limits[BREAKER__CALM_NUM]);
    assert(limits[BREAKER__CALM_NUM + 1] == 0 ||
           counts->block_len <= limits[BREAKER__CALM_NUM + 1] * 64);
}

static void count(counts_t *counts, const uint8_t *head, uint32_t payload_len)
{
    bool is_ack = (head[4] & 1) != 0;

    if (counts->now_ms - counts->begun_at_ms >= 1000)
        *counts = (counts_t){.begun_at_ms = counts->now_ms,
                             .now_ms = counts->now_ms,
                             .num_continuations = counts->num_continuations,
                             .block_len = counts->block_len};
    switch (head[3]) {
    case H2O_HTTP2_FRAME_TYPE_DATA:
        counts->num_empty += payload_len == 0 && !is_ack; /* the same bit ends the stream */
        break;
    case H2O_HTTP2_FRAME_TYPE_HEADERS:
        ++counts->num_requests;
        counts->num_continuations = 0;
        counts->block_len = payload_len;
        break;
    case H2O_HTTP2_FRAME_TYPE_CONTINUATION:
        ++counts->num_continuations;
        counts->block_len += payload_len;
        break;
    case H2O_HTTP2_FRAME_TYPE_RST_STREAM:
        ++counts->num_resets;
        break;
    case H2O_HTTP2_FRAME_TYPE_PING:
        counts->num_control += !is_ack;
        counts->num_empty += is_ack;
        break;
    case H2O_HTTP2_FRAME_TYPE_SETTINGS:
        counts->num_control += !is_ack;
        break;
    case H2O_HTTP2_FRAME_TYPE_PRIORITY:
    case H2O_HTTP2_FRAME_TYPE_GOAWAY:
        ++counts->num_control;
        break;
    default:
        break;
    }
}

/* goes through the frames once more: those that libh2o got are those that there are */
static void check_frames(fuzz_text_t stream, const uint32_t *limits, const outcome_t *outcome)
{
    counts_t counts = {.now_ms = 1000000};
    size_t at = 3, num = 0;

    if (stream.len < at) {
        assert(outcome->num_bytes == 0 && outcome->error == 0);
        return;
    }
    while (at != outcome->num_bytes || num != outcome->num_frames) {
        const uint8_t *head = (const uint8_t *)stream.base + at;
        uint32_t len;
        bool is_handed_on = num != outcome->num_frames && outcome->frames[num] == at;
        assert(stream.len - at >= FRAME_HEAD);
        len = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        assert(len <= PAYLOAD_MAX && len <= stream.len - at - FRAME_HEAD);
        /* libh2o has no word for others */
        assert(is_handed_on || head[3] > H2O_HTTP2_FRAME_TYPE_CONTINUATION);
        count(&counts, head, len);
        num += is_handed_on;
        check_limits(&counts, limits);
        if (head[3] == H2O_HTTP2_FRAME_TYPE_PING)
            counts.now_ms += head[8];
        if (at == outcome->num_bytes) {
            /* the one that it ended with */
            assert(num == outcome->num_frames && outcome->error != 0);
            return;
        }
        at += FRAME_HEAD + len;
    }
    /* what is left is no frame yet, or what it ended for */
    assert(outcome->error != 0 || stream.len - at < FRAME_HEAD + PAYLOAD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t stream = {(const char *)data, size};
    uint64_t number = fuzz_take_number(&stream), cuts = fuzz_take_number(&stream);
    uint32_t limits[BREAKER__CALM_NUM + 2];
    outcome_t whole, other;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    for (size_t i = 0; i != BREAKER__CALM_NUM + 2; ++i) {
        limits[i] = (uint32_t)(number % 10);
        number /= 10;
    }
    whole = run(stream, limits, 0);
    other = run(stream, limits, 1);
    check_same(&whole, &other);
    other = run(stream, limits, cuts);
    check_same(&whole, &other);
    check_frames(stream, limits, &whole);
    return 0;
}
