/*
 * A request with its body on its way out, however its source and its connection stop: what arrives
 * is the head and a body that reads back, by a strict reader, as the one that was given, whole
 * where all has gone out, and not whole where it broke off.
 *
 * An input has a line with the kind of body (0: none, 1: in chunks, else one of a length of as much
 * less two), and steps, a byte each: what the source and the connection do next.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include "fuzz.h"
#include "upstream/wire/sending.h"

enum { ROOM = 64 * FUZZ_INPUT_MAX };

static struct {
    breaker__transfer_t transfer;
    breaker__outgoing_t outgoing;
    breaker__sending_t sending;
    h2o_mem_pool_t pool;
    /* the steps that are left */
    fuzz_text_t steps;
    bool has_ended, has_broken;
    /* bytes that the source has and that have not been taken */
    size_t num_ready;
    /* bytes that have been given, and taken; each tells its place */
    size_t num_given, num_taken;
    char body[ROOM];
    /* what has arrived */
    char arrived[2 * ROOM];
    size_t num_arrived;
} peer;

static uint8_t next_step(void)
{
    if (peer.steps.len == 0)
        return 0xff;
    --peer.steps.len;
    return (uint8_t)*peer.steps.base++;
}

/* ---- the source, and the connection ---- */

static breaker__source_state_t on_look(breaker__transfer_t *transfer, h2o_iovec_t *ret_bytes)
{
    uint8_t step;

    assert(transfer == &peer.transfer);
    if (peer.num_ready == 0 && !peer.has_ended && !peer.has_broken) {
        step = next_step();
        peer.has_ended = step == 0xff;
        peer.has_broken = step == 0xfe;
        if (step < 0xf0)
            peer.num_ready = 1 + step % 48;
        if (peer.num_ready > ROOM - peer.num_given)
            peer.num_ready = ROOM - peer.num_given;
        peer.num_given += peer.num_ready;
    }
    if (peer.num_ready == 0)
        return peer.has_broken  ? BREAKER__SOURCE_BROKEN
               : peer.has_ended ? BREAKER__SOURCE_END
                                : BREAKER__SOURCE_LATER;
    *ret_bytes = h2o_iovec_init(peer.body + peer.num_taken, peer.num_ready);
    return BREAKER__SOURCE_BYTES;
}

static void on_take(breaker__transfer_t *transfer, size_t len)
{
    assert(transfer == &peer.transfer && len != 0 && len <= peer.num_ready);
    peer.num_ready -= len;
    peer.num_taken += len;
}

ssize_t breaker__conduit_send(const breaker__conduit_t *conduit, const h2o_iovec_t *pieces,
                              size_t num)
{
    uint8_t step = next_step();
    size_t room = step < 0x80 ? (size_t)step % 32 + 1 : SIZE_MAX, sent = 0;

    (void)conduit;
    assert(num == 1 || num == 2);
    if (step >= 0xe0 && step < 0xff)
        return step < 0xfd ? BREAKER__CONDUIT_LATER : BREAKER__CONDUIT_BROKEN;
    for (size_t i = 0; i != num; ++i) {
        size_t len = pieces[i].len < room - sent ? pieces[i].len : room - sent;
        assert(pieces[i].len != 0 && len <= sizeof(peer.arrived) - peer.num_arrived);
        memcpy(peer.arrived + peer.num_arrived, pieces[i].base, len);
        peer.num_arrived += len;
        sent += len;
    }
    return (ssize_t)sent;
}

/* ---- what arrives ---- */

static bool take(fuzz_text_t *rest, const char *text)
{
    size_t len = strlen(text);

    if (rest->len < len || memcmp(rest->base, text, len) != 0)
        return false;
    rest->base += len;
    rest->len -= len;
    return true;
}

/* takes bytes that have to be the next ones of the body; returns how many */
static size_t take_body(fuzz_text_t *rest, size_t len, size_t at)
{
    if (len > rest->len)
        len = rest->len;
    assert(at + len <= peer.num_given && memcmp(rest->base, peer.body + at, len) == 0);
    rest->base += len;
    rest->len -= len;
    return len;
}

/* a chunk's size and the end of its line; SIZE_MAX: it has not come whole */
static size_t take_size(fuzz_text_t *rest)
{
    size_t size = 0, num_digits = 0;

    for (; rest->len != 0 && isxdigit((unsigned char)*rest->base); ++num_digits) {
        size = size * 16 + (size_t)(strchr("0123456789abcdef", *rest->base++) - "0123456789abcdef");
        --rest->len;
    }
    return num_digits != 0 && take(rest, "\r\n") ? size : SIZE_MAX;
}

/* true where it has ended */
static bool read_chunks(fuzz_text_t rest, size_t *ret_len)
{
    size_t size, len;

    for (*ret_len = 0; (size = take_size(&rest)) != SIZE_MAX && size != 0;) {
        len = take_body(&rest, size, *ret_len);
        *ret_len += len;
        if (len != size || !take(&rest, "\r\n"))
            break;
    }
    if (size == 0 && take(&rest, "\r\n")) {
        assert(rest.len == 0);
        return true;
    }
    /* nothing but the beginning of what is missing */
    assert(rest.len <= strlen("0123456789abcdef\r\n"));
    return false;
}

/* whether all of a request has arrived */
static bool is_whole(size_t head_len, size_t *ret_body_len)
{
    fuzz_text_t rest = {peer.arrived + head_len, peer.num_arrived - head_len};
    size_t max = peer.outgoing.has_body ? peer.outgoing.body_len : 0;

    if (max == SIZE_MAX)
        return read_chunks(rest, ret_body_len);
    assert(rest.len <= max);
    *ret_body_len = take_body(&rest, rest.len, 0);
    return *ret_body_len == max;
}

static void check(const char *head, size_t head_len, breaker__sending_state_t state)
{
    size_t len, body_len = 0;
    bool has_all;

    len = peer.num_arrived < head_len ? peer.num_arrived : head_len;
    assert(memcmp(peer.arrived, head, len) == 0);
    has_all = len == head_len && is_whole(head_len, &body_len);
    assert(body_len == peer.num_taken);
    assert(has_all == (state == BREAKER__SENDING_DONE) || state == BREAKER__SENDING_CLOSED);
    if (has_all && peer.outgoing.body_len == SIZE_MAX)
        assert(peer.has_ended && peer.num_taken == peer.num_given);
}

static void begin(uint64_t kind, fuzz_text_t steps)
{
    static const breaker__transfer_callbacks_t callbacks = {.look = on_look, .take = on_take};
    static bool has_body;

    memset(&peer, 0, offsetof(__typeof__(peer), body));
    peer.num_arrived = 0;
    for (size_t i = 0; !has_body && i != ROOM; ++i)
        peer.body[i] = (char)(i * 31 + i / 251);
    has_body = true;
    h2o_mem_init_pool(&peer.pool);
    peer.outgoing.method = h2o_iovec_init(H2O_STRLIT("POST"));
    peer.outgoing.target = h2o_iovec_init(H2O_STRLIT("/"));
    peer.outgoing.has_body = kind != 0;
    peer.outgoing.body_len = kind == 0 ? 0 : kind == 1 ? SIZE_MAX : (size_t)(kind - 2) % 1000;
    peer.transfer.callbacks = &callbacks;
    peer.transfer.outgoing = &peer.outgoing;
    peer.transfer.pool = &peer.pool;
    peer.steps = steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t steps = {(const char *)data, size};
    uint64_t kind = fuzz_take_number(&steps);
    breaker__conduit_t conduit = {.fd = -1};
    breaker__sending_state_t state;
    char head[512];
    size_t head_len, num_left;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    begin(kind, steps);
    breaker__sending_start(&peer.sending, &peer.transfer);
    head_len = peer.sending.front.len;
    assert(head_len <= sizeof(head));
    memcpy(head, peer.sending.front.base, head_len);
    do {
        num_left = peer.steps.len;
        state = breaker__sending_go_on(&peer.sending, &peer.transfer, &conduit);
        check(head, head_len, state);
    } while ((state == BREAKER__SENDING_BLOCKED || state == BREAKER__SENDING_STARVED) &&
             (num_left != 0 || peer.steps.len != num_left));
    /* whoever waits has something to wait for */
    assert(num_left != 0 || (state != BREAKER__SENDING_BLOCKED));
    h2o_mem_clear_pool(&peer.pool);
    return 0;
}
