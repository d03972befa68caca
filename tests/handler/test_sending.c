/*
 * Requests as they leave: over a pair of sockets, from bodies that are there, that come later, and
 * that break off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "upstream/wire/sending.h"

/* a request, the pieces of its body, and the other end of its connection */
typedef struct st_sender_t {
    breaker__transfer_t transfer;
    breaker__outgoing_t outgoing;
    h2o_mem_pool_t pool;
    breaker__sending_t sending;
    breaker__conduit_t conduit;
    int peer;
    /* NULL: later; the end follows the last one, or what `after` says */
    const char *pieces[8];
    size_t num_pieces, at;
    h2o_iovec_t left;
    breaker__source_state_t after;
    char received[4096];
    size_t received_len;
} sender_t;

static breaker__source_state_t on_look(breaker__transfer_t *transfer, h2o_iovec_t *ret_bytes)
{
    sender_t *self = H2O_STRUCT_FROM_MEMBER(sender_t, transfer, transfer);

    if (self->left.len == 0) {
        if (self->at == self->num_pieces)
            return self->after;
        if (self->pieces[self->at] == NULL) {
            ++self->at;
            return BREAKER__SOURCE_LATER;
        }
        self->left = h2o_iovec_init(self->pieces[self->at], strlen(self->pieces[self->at]));
        ++self->at;
    }
    *ret_bytes = self->left;
    return BREAKER__SOURCE_BYTES;
}

static void on_take(breaker__transfer_t *transfer, size_t len)
{
    sender_t *self = H2O_STRUCT_FROM_MEMBER(sender_t, transfer, transfer);

    assert_true(len <= self->left.len);
    self->left.base += len;
    self->left.len -= len;
}

static const breaker__transfer_callbacks_t callbacks = {.look = on_look, .take = on_take};

static void sender_init(sender_t *self, bool has_body, size_t body_len)
{
    int fds[2];

    memset(self, 0, sizeof(*self));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    self->conduit.fd = fds[0];
    self->peer = fds[1];
    h2o_mem_init_pool(&self->pool);
    self->outgoing.method = h2o_iovec_init(H2O_STRLIT("POST"));
    self->outgoing.target = h2o_iovec_init(H2O_STRLIT("/a?b"));
    self->outgoing.fields.entries =
        h2o_mem_alloc_pool(&self->pool, sizeof(self->outgoing.fields.entries[0]));
    self->outgoing.fields.entries[0] = (breaker__outgoing_field_t){
        h2o_iovec_init(H2O_STRLIT("host")), h2o_iovec_init(H2O_STRLIT("x"))};
    self->outgoing.fields.size = 1;
    self->outgoing.has_body = has_body;
    self->outgoing.body_len = body_len;
    self->after = BREAKER__SOURCE_END;
    self->transfer.callbacks = &callbacks;
    self->transfer.outgoing = &self->outgoing;
    self->transfer.pool = &self->pool;
}

static void sender_dispose(sender_t *self)
{
    close(self->conduit.fd);
    close(self->peer);
    h2o_mem_clear_pool(&self->pool);
}

static breaker__sending_state_t go_on(sender_t *self)
{
    return breaker__sending_go_on(&self->sending, &self->transfer, &self->conduit);
}

static breaker__sending_state_t start(sender_t *self)
{
    breaker__sending_start(&self->sending, &self->transfer);
    return go_on(self);
}

static void receive(sender_t *self)
{
    ssize_t len;

    while ((len = read(self->peer, self->received + self->received_len,
                       sizeof(self->received) - self->received_len)) > 0)
        self->received_len += (size_t)len;
}

static void assert_received(sender_t *self, const char *expected)
{
    receive(self);
    assert_int_equal(self->received_len, strlen(expected));
    assert_memory_equal(self->received, expected, self->received_len);
}

#define HEAD "POST /a?b HTTP/1.1\r\nhost: x\r\n"

static void a_request_without_a_body_is_its_head(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, false, 0);
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "\r\n");
    sender_dispose(&sender);
}

static void what_goes_in_front_of_everything_does(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, false, 0);
    sender.outgoing.proxy_header = h2o_iovec_init(H2O_STRLIT("PROXY UNKNOWN\r\n"));
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, "PROXY UNKNOWN\r\n" HEAD "\r\n");
    sender_dispose(&sender);
}

static void a_body_goes_with_its_length(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, 10);
    sender.pieces[0] = "hello";
    sender.pieces[1] = "world";
    sender.num_pieces = 2;
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "content-length: 10\r\n\r\nhelloworld");
    sender_dispose(&sender);
}

static void an_empty_body_says_so(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, 0);
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "content-length: 0\r\n\r\n");
    sender_dispose(&sender);
}

static void a_body_may_come_later(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, 10);
    sender.pieces[1] = "hello";
    sender.pieces[3] = "world";
    sender.num_pieces = 4;
    /* the head does not wait for it */
    assert_int_equal(start(&sender), BREAKER__SENDING_STARVED);
    assert_received(&sender, HEAD "content-length: 10\r\n\r\n");
    assert_int_equal(go_on(&sender), BREAKER__SENDING_STARVED);
    assert_received(&sender, HEAD "content-length: 10\r\n\r\nhello");
    assert_int_equal(go_on(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "content-length: 10\r\n\r\nhelloworld");
    sender_dispose(&sender);
}

static void a_body_of_unknown_length_goes_in_chunks(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, SIZE_MAX);
    sender.pieces[0] = "hello";
    sender.pieces[2] = "a wonderful world";
    sender.num_pieces = 3;
    assert_int_equal(start(&sender), BREAKER__SENDING_STARVED);
    assert_received(&sender, HEAD "transfer-encoding: chunked\r\n\r\n5\r\nhello");
    assert_int_equal(go_on(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "transfer-encoding: chunked\r\n\r\n"
                                  "5\r\nhello\r\n11\r\na wonderful world\r\n0\r\n\r\n");
    sender_dispose(&sender);
}

static void no_chunks_are_an_end(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, SIZE_MAX);
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    sender_dispose(&sender);
}

static void a_body_never_goes_beyond_its_length(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, 4);
    sender.pieces[0] = "hello";
    sender.num_pieces = 1;
    assert_int_equal(start(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, HEAD "content-length: 4\r\n\r\nhell");
    sender_dispose(&sender);
}

static void a_body_that_breaks_off_does_not_end_well(void **state)
{
    static const size_t lengths[] = {10, SIZE_MAX};
    (void)state;

    for (size_t i = 0; i != 2; ++i) {
        sender_t sender;
        sender_init(&sender, true, lengths[i]);
        sender.pieces[0] = "hello";
        sender.num_pieces = 1;
        sender.after = BREAKER__SOURCE_BROKEN;
        assert_int_equal(start(&sender), BREAKER__SENDING_BROKEN);
        receive(&sender);
        sender.received[sender.received_len] = '\0';
        assert_null(strstr(sender.received, "0\r\n\r\n0\r\n\r\n"));
        assert_string_equal(sender.received + sender.received_len - 5, "hello");
        sender_dispose(&sender);
    }
}

static void a_body_that_is_shorter_than_said_is_broken(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, true, 10);
    sender.pieces[0] = "hello";
    sender.num_pieces = 1;
    assert_int_equal(start(&sender), BREAKER__SENDING_BROKEN);
    sender_dispose(&sender);
}

static void bytes_of_another_protocol_go_as_they_are(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, false, 0);
    sender.pieces[0] = "hello";
    sender.pieces[2] = "world";
    sender.num_pieces = 3;
    breaker__sending_start_raw(&sender.sending);
    assert_int_equal(go_on(&sender), BREAKER__SENDING_STARVED);
    assert_int_equal(go_on(&sender), BREAKER__SENDING_DONE);
    assert_received(&sender, "helloworld");
    sender_dispose(&sender);
}

static void a_connection_that_takes_no_more_is_waited_for(void **state)
{
    static char much[1048577];
    sender_t sender;
    size_t num = 0;
    ssize_t len;
    breaker__sending_state_t result;
    (void)state;

    memset(much, 'x', sizeof(much) - 1);
    sender_init(&sender, true, sizeof(much) - 1);
    sender.pieces[0] = much;
    sender.num_pieces = 1;
    assert_int_equal(start(&sender), BREAKER__SENDING_BLOCKED);
    do {
        while ((len = read(sender.peer, sender.received, sizeof(sender.received))) > 0)
            num += (size_t)len;
        result = go_on(&sender);
    } while (result == BREAKER__SENDING_BLOCKED);
    while ((len = read(sender.peer, sender.received, sizeof(sender.received))) > 0)
        num += (size_t)len;
    assert_int_equal(result, BREAKER__SENDING_DONE);
    assert_int_equal(num, strlen(HEAD "content-length: 1048576\r\n\r\n") + sizeof(much) - 1);
    sender_dispose(&sender);
}

static void a_connection_that_has_ended_says_so(void **state)
{
    sender_t sender;
    (void)state;

    sender_init(&sender, false, 0);
    close(sender.peer);
    assert_int_equal(start(&sender), BREAKER__SENDING_CLOSED);
    sender.peer = dup(sender.conduit.fd);
    sender_dispose(&sender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_a_body_is_its_head),
        cmocka_unit_test(what_goes_in_front_of_everything_does),
        cmocka_unit_test(a_body_goes_with_its_length),
        cmocka_unit_test(an_empty_body_says_so),
        cmocka_unit_test(a_body_may_come_later),
        cmocka_unit_test(a_body_of_unknown_length_goes_in_chunks),
        cmocka_unit_test(no_chunks_are_an_end),
        cmocka_unit_test(a_body_never_goes_beyond_its_length),
        cmocka_unit_test(a_body_that_breaks_off_does_not_end_well),
        cmocka_unit_test(a_body_that_is_shorter_than_said_is_broken),
        cmocka_unit_test(bytes_of_another_protocol_go_as_they_are),
        cmocka_unit_test(a_connection_that_takes_no_more_is_waited_for),
        cmocka_unit_test(a_connection_that_has_ended_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
