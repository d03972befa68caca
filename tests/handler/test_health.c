/* What balancers are told, in process: before the first token, while serving, before the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <breaker/h2o.h>
#include "health/health.h"
#include "loopback.h"
#include "tree.h"

typedef struct st_fixture_t {
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
} fixture_t;

static int answer_everything(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = sizeof("the application") - 1;
    h2o_send_inline(req, H2O_STRLIT("the application"));
    return 0;
}

/* "/" would win over everything after it */
static void root_last(loopback_server_t *server)
{
    h2o_pathconf_t root = server->host->paths.entries[0];
    size_t last = server->host->paths.size - 1;

    memmove(server->host->paths.entries, server->host->paths.entries + 1, last * sizeof(root));
    server->host->paths.entries[last] = root;
    server->path = server->host->paths.entries + last;
}

static void prepare(fixture_t *fixture, bool is_joined)
{
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;

    tree_create(&fixture->tree);
    tree_write(&fixture->tree, "a.css", "a{}");
    loopback_server_init(&fixture->server);
    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture->tree.path;
    assert_int_equal(breaker_node_add_view(fixture->node, &view_config, &view), 0);
    if (is_joined)
        assert_int_equal(breaker_node_join(fixture->node), 0);
    assert_int_equal(
        breaker_h2o_health_register(fixture->server.host, "/our/health", fixture->node), 0);
    root_last(&fixture->server);
    h2o_create_handler(fixture->server.path, sizeof(h2o_handler_t))->on_req = answer_everything;
    loopback_server_start(&fixture->server);
}

static void dispose(fixture_t *fixture)
{
    loopback_server_dispose(&fixture->server);
    breaker_node_free(fixture->node);
    tree_remove(&fixture->tree);
}

/* the node is loaded, alone, and so has a token */
static int setup(void **state)
{
    static fixture_t fixture;
    breaker_error_t error;

    memset(&fixture, 0, sizeof(fixture));
    prepare(&fixture, false);
    assert_int_equal(breaker_node_load(fixture.node, &error), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    dispose(*state);
    return 0;
}

static void expect(fixture_t *fixture, const char *method, const char *path, int status,
                   const char *body)
{
    loopback_t *exchange = loopback_open(&fixture->server, method, path);

    loopback_run(exchange);
    assert_int_equal(exchange->status, status);
    assert_int_equal(exchange->body->size, strlen(body));
    assert_memory_equal(exchange->body->bytes, body, strlen(body));
    loopback_close(exchange);
}

static void a_server_with_a_token_lives_and_is_ready(void **state)
{
    expect(*state, "GET", "/our/health/livez", 200, "ok\n");
    expect(*state, "GET", "/our/health/readyz", 200, "ok\n");
    expect(*state, "GET", "/our/health/readyz?from=somebody", 200, "ok\n");
    expect(*state, "HEAD", "/our/health/readyz", 200, "");
}

static void no_answer_may_be_kept(void **state)
{
    static const char *const paths[] = {"/our/health/readyz", "/our/health/livez",
                                        "/our/health/livez/x"};
    fixture_t *fixture = *state;

    for (size_t i = 0; i != 3; ++i) {
        loopback_t *exchange = loopback_open(&fixture->server, "GET", paths[i]);
        loopback_run(exchange);
        assert_string_equal(loopback_response_header(exchange, "cache-control"), "no-store");
        assert_string_equal(loopback_response_header(exchange, "content-type"),
                            "text/plain; charset=utf-8");
        loopback_close(exchange);
    }
}

static void other_methods_and_what_is_below_are_refused(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = loopback_open(&fixture->server, "POST", "/our/health/readyz");

    loopback_run(exchange);
    assert_int_equal(exchange->status, 405);
    assert_string_equal(loopback_response_header(exchange, "allow"), "GET, HEAD");
    loopback_close(exchange);
    expect(fixture, "GET", "/our/health/readyz/", 404, "not found\n");
    expect(fixture, "GET", "/our/health/livez/x", 404, "not found\n");
}

static void all_other_paths_are_somebody_elses(void **state)
{
    expect(*state, "GET", "/our/health", 200, "the application");
    expect(*state, "GET", "/our/health/", 200, "the application");
    expect(*state, "GET", "/our/health/livezz", 200, "the application");
    expect(*state, "GET", "/readyz", 200, "the application");
}

static void a_server_that_is_to_stop_lives_and_is_not_ready(void **state)
{
    fixture_t *fixture = *state;

    breaker_h2o_health_drain(&fixture->server.config);
    expect(fixture, "GET", "/our/health/readyz", 503, "draining\n");
    expect(fixture, "HEAD", "/our/health/readyz", 503, "");
    expect(fixture, "GET", "/our/health/livez", 200, "ok\n");
    expect(fixture, "GET", "/", 200, "the application");
}

static void a_node_that_waits_for_its_token_is_not_ready(void **state)
{
    fixture_t fixture = {.node = NULL};
    breaker_error_t error;
    (void)state;

    prepare(&fixture, true);
    expect(&fixture, "GET", "/our/health/readyz", 503, "no-token\n");
    assert_int_equal(breaker_node_load(fixture.node, &error), 0);
    expect(&fixture, "GET", "/our/health/readyz", 503, "no-token\n");
    expect(&fixture, "GET", "/our/health/livez", 200, "ok\n");
    dispose(&fixture);
}

static void a_path_is_of_words_between_slashes(void **state)
{
    static const char *const good[] = {"/breaker", "/a/b", "/_/~x.y-z"};
    static const char *const bad[] = {"",      "/",    "breaker", "/a/",       "//a",
                                      "/a//b", "/a b", "/a%20",   "/..",       "/a/.",
                                      "/ä",    "/a?b", "/a\n",    "/{breaker}"};
    char longest[257];
    (void)state;

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i)
        assert_true(breaker__health_is_path(good[i]));
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i)
        if (breaker__health_is_path(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < sizeof(longest); i += 50)
        longest[i] = '/';
    longest[256] = '\0';
    assert_false(breaker__health_is_path(longest));
    longest[255] = '\0';
    assert_true(breaker__health_is_path(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_with_a_token_lives_and_is_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(no_answer_may_be_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(other_methods_and_what_is_below_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(all_other_paths_are_somebody_elses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_is_to_stop_lives_and_is_not_ready, setup,
                                        teardown),
        cmocka_unit_test(a_node_that_waits_for_its_token_is_not_ready),
        cmocka_unit_test(a_path_is_of_words_between_slashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
