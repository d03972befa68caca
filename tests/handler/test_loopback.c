/* The in-process client itself: what the tests of the handlers rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "loopback.h"

/* sends "0123456789" a byte at a time, from one and the same place */
typedef struct st_counter_t {
    h2o_generator_t super;
    char byte;
    bool *ret_stopped;
} counter_t;

typedef struct st_counter_handler_t {
    h2o_handler_t super;
    bool stopped;
} counter_handler_t;

static void on_counter_proceed(h2o_generator_t *super, h2o_req_t *req)
{
    counter_t *counter = (counter_t *)super;
    h2o_iovec_t buf = {&counter->byte, 1};

    ++counter->byte;
    h2o_send(req, &buf, 1,
             counter->byte == '9' ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void on_counter_stop(h2o_generator_t *super, h2o_req_t *req)
{
    counter_t *counter = (counter_t *)super;

    (void)req;
    *counter->ret_stopped = true;
}

static int on_counter_req(h2o_handler_t *super, h2o_req_t *req)
{
    counter_handler_t *self = (counter_handler_t *)super;
    counter_t *counter = h2o_mem_alloc_pool(&req->pool, sizeof(*counter));

    *counter = (counter_t){.super = {on_counter_proceed, on_counter_stop},
                           .byte = '0' - 1,
                           .ret_stopped = &self->stopped};
    req->res.status = 200;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/plain"));
    h2o_start_response(req, &counter->super);
    on_counter_proceed(&counter->super, req);
    return 0;
}

typedef struct st_fixture_t {
    loopback_server_t server;
    counter_handler_t *counter;
} fixture_t;

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    loopback_server_init(&fixture->server);
    fixture->counter = (counter_handler_t *)h2o_create_handler(
        loopback_register_path(&fixture->server, "/count"), sizeof(*fixture->counter));
    fixture->counter->super.on_req = on_counter_req;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_dispose(&fixture->server);
    free(fixture);
    return 0;
}

static void nobody_s_path_is_not_found(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_start(&fixture->server);
    loopback_t *exchange = loopback_open(&fixture->server, "GET", "/");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 404);
    assert_int_equal(exchange->body->size, 9);
    assert_memory_equal(exchange->body->bytes, "not found", 9);
    assert_string_equal(loopback_response_header(exchange, "Content-Type"),
                        "text/plain; charset=utf-8");
    assert_null(loopback_response_header(exchange, "Location"));
    loopback_close(exchange);
}

static void a_generator_is_asked_until_its_end(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_start(&fixture->server);
    loopback_t *exchange = loopback_open(&fixture->server, "GET", "/count");
    exchange->req.version = 0x200;
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange->num_sends, 10);
    assert_int_equal(exchange->largest_send, 1);
    assert_false(exchange->error);
    assert_int_equal(exchange->body->size, 10);
    assert_memory_equal(exchange->body->bytes, "0123456789", 10);
    loopback_close(exchange);
    assert_false(fixture->counter->stopped);
}

static void a_step_is_one_send_and_a_close_in_between_stops_the_generator(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_start(&fixture->server);
    loopback_t *exchange = loopback_open(&fixture->server, "GET", "/count");
    exchange->req.version = 0x200;
    exchange->stepwise = true;
    assert_true(loopback_step(exchange));
    assert_int_equal(exchange->num_sends, 1);
    assert_true(loopback_step(exchange));
    assert_true(loopback_step(exchange));
    assert_int_equal(exchange->num_sends, 3);
    loopback_turn(&fixture->server);
    assert_int_equal(exchange->num_sends, 3);
    assert_int_equal(exchange->body->size, 2);
    loopback_close(exchange);
    assert_true(fixture->counter->stopped);
}

static void a_file_is_pulled(void **state)
{
    fixture_t *fixture = *state;
    char dir[] = "/tmp/breaker-loopback-XXXXXX", path[64];
    const size_t len = 200000;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file.bin", dir);
    FILE *fp = fopen(path, "w");
    assert_non_null(fp);
    for (size_t i = 0; i != len; ++i)
        fputc('a' + (int)(i % 26), fp);
    assert_int_equal(fclose(fp), 0);

    h2o_file_register(fixture->server.path, dir, NULL, NULL, 0);
    loopback_server_start(&fixture->server);
    loopback_t *exchange = loopback_open(&fixture->server, "GET", "/file.bin");
    loopback_run(exchange);
    assert_non_null(exchange->pull);
    assert_int_equal(exchange->content_length, len);
    assert_int_equal(exchange->body->size, len);
    for (size_t i = 0; i != len; ++i)
        assert_int_equal(exchange->body->bytes[i], 'a' + (int)(i % 26));
    loopback_close(exchange);

    unlink(path);
    rmdir(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nobody_s_path_is_not_found),
        TEST(a_generator_is_asked_until_its_end),
        TEST(a_step_is_one_send_and_a_close_in_between_stops_the_generator),
        TEST(a_file_is_pulled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
