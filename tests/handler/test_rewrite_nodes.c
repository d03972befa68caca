/*
 * Several nodes at one path, as an embedder may have them: each serves its own views under its own
 * tokens, and the application behind them is told of all. What becomes of the bodies and tags of
 * pages is in test_rewrite.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "pages.h"

#define OTHER_TOKEN "1700000000000"

/* the nodes of one server: that of `pages`, which is registered first, and another one */
typedef struct st_fixture_t {
    pages_t pages;
    char dir[64];
    breaker_node_t *other;
    const breaker_view_t *other_view;
} fixture_t;

static void write_asset(const fixture_t *fixture, const char *bytes)
{
    char path[128];
    FILE *fp;

    snprintf(path, sizeof(path), "%s/page.html", fixture->dir);
    fp = fopen(path, "w");
    assert_non_null(fp);
    fputs(bytes, fp);
    assert_int_equal(fclose(fp), 0);
}

static void prepare(fixture_t *fixture, const char *const *names, const char *other_name)
{
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;

    pages_prepare(&fixture->pages, names);
    strcpy(fixture->dir, "/tmp/breaker-nodes-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    write_asset(fixture, "<p other " LITERAL "x /media/{breaker}/x>");
    breaker_h2o_node_config_init(&node_config, &fixture->pages.server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->other), 0);
    assert_int_equal(breaker_node_set_token(fixture->other, OTHER_TOKEN, strlen(OTHER_TOKEN)), 0);
    breaker_view_config_init(&view_config);
    view_config.name = other_name;
    view_config.directory = fixture->dir;
    assert_int_equal(breaker_node_add_view(fixture->other, &view_config, &fixture->other_view), 0);
}

static void start(fixture_t *fixture)
{
    h2o_pathconf_t *path = fixture->pages.server.path;
    const breaker_view_t *view = breaker_node_view(fixture->pages.node, 0);
    breaker_error_t error;

    assert_int_equal(breaker_h2o_static_register(path, fixture->pages.node, &view, 1), 0);
    assert_int_equal(breaker_h2o_static_register(path, fixture->other, &fixture->other_view, 1), 0);
    assert_int_equal(breaker_h2o_rewrite_register(path, fixture->other), 0);
    if (breaker_node_load(fixture->other, &error) != 0)
        fail_msg("%s", error.message);
    pages_start(&fixture->pages);
}

static void dispose(fixture_t *fixture)
{
    char path[128];

    pages_dispose(&fixture->pages);
    breaker_node_free(fixture->other);
    snprintf(path, sizeof(path), "%s/page.html", fixture->dir);
    unlink(path);
    rmdir(fixture->dir);
}

static int setup(void **state)
{
    static const char *const names[] = {"static/{breaker}", NULL};
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    prepare(fixture, names, "media/{breaker}");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    dispose(*state);
    free(*state);
    return 0;
}

static loopback_t *get(fixture_t *fixture, const char *path)
{
    loopback_t *exchange = loopback_open(&fixture->pages.server, "GET", path);

    loopback_run(exchange);
    return exchange;
}

/* ---- assets ---- */

static void each_node_answers_under_its_own_token(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        const char *path, *location;
        int status;
    } cases[] = {
        {PREFIX "page.html", NULL, 200},
        {"/media/" OTHER_TOKEN "/page.html", NULL, 200},
        {"/media/1/page.html", "../" OTHER_TOKEN "/page.html", 301},
        {"/static/" OTHER_TOKEN "/page.html", "../" TOKEN "/page.html", 301},
        {"/media/" TOKEN "/page.html", NULL, 503},
        {"/media/" OTHER_TOKEN "/none", NULL, 404},
    };

    start(fixture);
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        loopback_t *exchange = get(fixture, cases[i].path);
        assert_int_equal(exchange->status, cases[i].status);
        assert_header(exchange, "Location", cases[i].location);
        loopback_close(exchange);
    }
    assert_int_equal(fixture->pages.app->num_requests, 0);
}

/* ---- what the application is told ---- */

static const char *const html[] = {"Content-Type: text/html", NULL};

static size_t count_seen(const loopback_t *exchange, const char *prefix)
{
    size_t num = 0;

    for (size_t i = 0; i != exchange->req.headers.size; ++i) {
        const h2o_iovec_t *name = exchange->req.headers.entries[i].name;
        num += name->len >= strlen(prefix) && memcmp(name->base, prefix, strlen(prefix)) == 0;
    }
    return num;
}

static void the_application_hears_of_every_node(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    start(fixture);
    pages_answer(&fixture->pages, html, "", 0);
    exchange = loopback_open(&fixture->pages.server, "GET", "/");
    loopback_header(exchange, "X-Breaker-Token", "evil");
    loopback_header(exchange, "X_Breaker_Prefix_Media", "evil");
    loopback_run(exchange);
    assert_seen(exchange, "X-Breaker-Token", TOKEN);
    assert_seen(exchange, "X-Breaker-Prefix", PREFIX);
    assert_seen(exchange, "X-Breaker-Prefix-Static", PREFIX);
    assert_seen(exchange, "X-Breaker-Prefix-Media", "/media/" OTHER_TOKEN "/");
    assert_int_equal(count_seen(exchange, "x-breaker"), 4);
    assert_int_equal(count_seen(exchange, "x_breaker"), 0);
    loopback_close(exchange);
}

static void a_new_token_of_one_node_changes_its_headers_only(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    start(fixture);
    pages_answer(&fixture->pages, html, "", 0);
    loopback_close(get(fixture, "/"));
    pages_set_token(&fixture->pages, "1800000000000");
    exchange = get(fixture, "/");
    assert_seen(exchange, "X-Breaker-Token", "1800000000000");
    assert_seen(exchange, "X-Breaker-Prefix-Static", "/static/1800000000000/");
    assert_seen(exchange, "X-Breaker-Prefix-Media", "/media/" OTHER_TOKEN "/");
    assert_int_equal(count_seen(exchange, "x-breaker"), 4);
    loopback_close(exchange);
}

static void every_node_hears_which_release_a_page_is_of_and_the_client_does_not(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html", "X-Breaker-Release: r1", NULL};
    static const char page[] = LITERAL "a /media/{breaker}/b";
    static const char rewritten[] = "/static/1600000000000/a /media/1600000000001/b";
    static const pages_token_t histories[2][2] = {{{"1600000000000", "r1"}, {TOKEN, NULL}},
                                                  {{"1600000000001", "r1"}, {OTHER_TOKEN, NULL}}};
    fixture_t *fixture = *state;
    loopback_t *exchange;

    start(fixture);
    pages_publish(fixture->pages.node, histories[0], 2);
    pages_publish(fixture->other, histories[1], 2);
    pages_answer(&fixture->pages, headers, page, strlen(page));
    exchange = loopback_open(&fixture->pages.server, "GET", "/");
    exchange->req.version = 0x200;
    loopback_run(exchange);
    assert_body(exchange, rewritten, strlen(rewritten));
    assert_header(exchange, "X-Breaker-Release", NULL);
    assert_int_equal(exchange->req.error_logs.size, 0);
    loopback_close(exchange);
}

static void names_that_two_nodes_share_are_numbered(void **state)
{
    static const char *const names[] = {"static/{breaker}", "a/{breaker}", NULL};
    fixture_t fixture;
    loopback_t *exchange;

    (void)state;
    prepare(&fixture, names, "static-{breaker}");
    start(&fixture);
    pages_answer(&fixture.pages, html, "", 0);
    exchange = get(&fixture, "/");
    assert_seen(exchange, "X-Breaker-Prefix-Static", PREFIX);
    assert_seen(exchange, "X-Breaker-Prefix-A", "/a/" TOKEN "/");
    assert_seen(exchange, "X-Breaker-Prefix-Static-2", "/static-" OTHER_TOKEN "/");
    assert_int_equal(count_seen(exchange, "x-breaker"), 5);
    loopback_close(exchange);
    dispose(&fixture);
}

/* the request is seen again by both handlers, with what they told the application before */
static void a_request_that_comes_by_again_is_told_once(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html",
                                          "X-Reproxy-URL: http://default/again", NULL};
    fixture_t *fixture = *state;
    loopback_t *exchange;

    h2o_reproxy_register(fixture->pages.server.path);
    start(fixture);
    pages_answer(&fixture->pages, headers, "", 0);
    exchange = get(fixture, "/");
    assert_true(fixture->pages.app->num_requests > 1);
    assert_seen(exchange, "X-Breaker-Token", TOKEN);
    assert_seen(exchange, "X-Breaker-Prefix-Media", "/media/" OTHER_TOKEN "/");
    assert_int_equal(count_seen(exchange, "x-breaker"), 4);
    loopback_close(exchange);
}

/* ---- pages ---- */

static void an_answer_that_points_at_the_other_node_s_asset_gives_its_bytes(void **state)
{
    static const char asset[] = "<p other " LITERAL "x /media/{breaker}/x>";
    static const char *const targets[] = {"/media/" OTHER_TOKEN "/page.html", PREFIX "page.html"};
    fixture_t *fixture = *state;
    char header[128];
    const char *const headers[] = {"Content-Type: text/html", header, NULL};

    h2o_reproxy_register(fixture->pages.server.path);
    start(fixture);
    for (size_t i = 0; i != 2; ++i) {
        snprintf(header, sizeof(header), "X-Reproxy-URL: http://default%s", targets[i]);
        pages_answer(&fixture->pages, headers, "", 0);
        loopback_t *exchange = get(fixture, "/");
        assert_int_equal(exchange->status, 200);
        assert_null(strstr(loopback_response_header(exchange, "ETag"), ";breaker="));
        if (i == 0)
            assert_body(exchange, asset, strlen(asset));
        loopback_close(exchange);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_node_answers_under_its_own_token),
        TEST(the_application_hears_of_every_node),
        TEST(a_new_token_of_one_node_changes_its_headers_only),
        TEST(every_node_hears_which_release_a_page_is_of_and_the_client_does_not),
        cmocka_unit_test(names_that_two_nodes_share_are_numbered),
        TEST(a_request_that_comes_by_again_is_told_once),
        TEST(an_answer_that_points_at_the_other_node_s_asset_gives_its_bytes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
