/*
 * Whose chunks are decoded: the bodies of requests by the letter, what applications answer as
 * libh2o does it, wherever their bytes lie. The server's functions stand before libh2o's here as
 * they do in the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "http/calls.h"
#include "http/linger.h"
#include "server/error_log.h"
#include "picohttpparser.h"

/* nothing closes here */
void breaker__linger(h2o_context_t *ctx, h2o_socket_t *sock, bool is_flood,
                     void (*close)(h2o_socket_t *))
{
    (void)ctx, (void)sock, (void)is_flood, (void)close;
    fail();
}

/* nor is anything said */
void breaker__error_log_say(const breaker_log_event_t *event)
{
    (void)event;
    fail();
}

/* a connection whose buffer has a request before the one that is looked at */
typedef struct st_peer_t {
    h2o_globalconf_t config;
    h2o_context_t ctx;
    h2o_conn_t conn;
    h2o_conn_callbacks_t callbacks;
    h2o_socket_t sock;
    h2o_buffer_t input;
    h2o_req_t req;
    breaker__calm_limits_t limits;
    breaker__http_calls_t calls;
    /* the buffer's 256 bytes, the first half of them consumed, and what lies behind */
    char memory[512];
} peer_t;

enum { CONSUMED = 128, CAPACITY = 256, BEHIND = CAPACITY + 32 };

static peer_t peer;

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
    (void)conn;
    return &peer.sock;
}

static int begin(void **state)
{
    (void)state;
    memset(&peer, 0, sizeof(peer));
    peer.config.max_request_entity_size = 1000;
    peer.ctx.globalconf = &peer.config;
    peer.callbacks.get_socket = get_socket;
    peer.conn.ctx = &peer.ctx;
    peer.conn.callbacks = &peer.callbacks;
    peer.input.capacity = CAPACITY;
    peer.input.bytes = peer.memory + CONSUMED;
    peer.sock.input = &peer.input;
    peer.req.conn = &peer.conn;
    h2o_mem_init_pool(&peer.req.pool);
    breaker__http_calls_begin(&peer.calls, &peer.ctx, &peer.limits);
    return 0;
}

static int end(void **state)
{
    (void)state;
    h2o_mem_clear_pool(&peer.req.pool);
    breaker__http_calls_end(&peer.calls);
    return 0;
}

static void take_head(const char *head)
{
    struct phr_header headers[8];
    size_t num_headers = 8;
    int minor_version;

    peer.input.size = strlen(head);
    memcpy(peer.input.bytes, head, peer.input.size);
    assert_int_equal(
        phr_parse_request(peer.input.bytes, peer.input.size,
                          (const char **)&peer.req.input.method.base, &peer.req.input.method.len,
                          (const char **)&peer.req.input.path.base, &peer.req.input.path.len,
                          &minor_version, headers, &num_headers, 0),
        (int)peer.input.size);
}

static ssize_t decode(char *dst, const char *chunk)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    size_t len = strlen(chunk);

    memcpy(dst, chunk, len);
    return phr_decode_chunked(&decoder, dst, &len);
}

static void an_answer_that_lies_behind_a_buffer_is_no_request(void **state)
{
    (void)state;
    take_head("GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(peer.input.size < CAPACITY - CONSUMED);
    assert_int_equal(decode(peer.memory + BEHIND, "5x\r\nhello"), PHR_INCOMPLETE);
    /* the request's own come later, and are read by the letter all the same */
    peer.input.size += strlen("5x\r\nhello");
    assert_int_equal(
        decode(peer.input.bytes + peer.input.size - strlen("5x\r\nhello"), "5x\r\nhello"),
        PHR_MALFORMED);
}

static void an_answer_after_the_request_has_begun_is_none_either(void **state)
{
    (void)state;
    take_head("GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.input.size += strlen("5\r\nhello");
    assert_int_equal(
        decode(peer.input.bytes + peer.input.size - strlen("5\r\nhello"), "5\r\nhello"),
        PHR_INCOMPLETE);
    assert_int_equal(decode(peer.memory + BEHIND, "5x\r\nhello"), PHR_INCOMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_that_lies_behind_a_buffer_is_no_request, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_answer_after_the_request_has_begun_is_none_either, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
