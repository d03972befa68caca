/*
 * Pages of another release than the node's: the application says which by X-Breaker-Release. The
 * node's release has the label r2 and the token TOKEN; the ledger knows two tokens of r1, and one
 * of r3, of which nothing is held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "pages.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define R1_ID "r1~1111111111111111111111111111111111111111111"
#define R1_OLD "1700000000000"
#define R1_NEW "1710000000000"
#define R3_ID "r3~3333333333333333333333333333333333333333333"
#define R3_TOKEN "1800000000000"
#define PAGE "<p>" LITERAL "</p>"
#define PAGE_OF(token) "<p>/static/" token "/</p>"

static int setup(void **state)
{
    static const pages_token_t history[] = {
        {R1_OLD, R1_ID}, {R1_NEW, R1_ID}, {TOKEN, NULL}, {R3_TOKEN, R3_ID}};
    pages_t *pages;

    pages_setup_unstarted(state);
    pages = *state;
    assert_int_equal(breaker_node_set_label(pages->node, "r2", 2), 0);
    pages_start(pages);
    pages_publish(pages->node, history, COUNT(history));
    return 0;
}

static loopback_t *open_page(pages_t *pages)
{
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/");

    /* without libh2o's chunked coding */
    exchange->req.version = 0x200;
    return exchange;
}

/* a page that the application says is of a release; `header` is a whole line */
static loopback_t *get(pages_t *pages, const char *header)
{
    const char *const headers[] = {"Content-Type: text/html", "ETag: \"abc\"", header, NULL};
    loopback_t *exchange = open_page(pages);

    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    return exchange;
}

static void check_page(pages_t *pages, const char *header, const char *body)
{
    loopback_t *exchange = get(pages, header);

    assert_body(exchange, body, strlen(body));
    assert_header(exchange, "X-Breaker-Release", NULL);
    loopback_close(exchange);
}

/* ---- tests ---- */

static void a_page_has_the_newest_token_of_the_release_that_the_application_names(void **state)
{
    pages_t *pages = *state;

    check_page(pages, "X-Breaker-Release: r1", PAGE_OF(R1_NEW));
    check_page(pages, "X-Breaker-Release: " R1_ID, PAGE_OF(R1_NEW));
    check_page(pages, "x-breaker-release: r3", PAGE_OF(R3_TOKEN));
    /* by turns, from what was worked out before */
    check_page(pages, "X-Breaker-Release: r1", PAGE_OF(R1_NEW));
}

static void a_page_of_the_node_s_own_release_has_its_own_token(void **state)
{
    pages_t *pages = *state;
    breaker_release_t *release = breaker_node_release(pages->node);
    char header[256] = "X-Breaker-Release: ";

    strcat(header, breaker_release_id(release)->text);
    breaker_release_unref(release);
    check_page(pages, "X: y", PAGE_OF(TOKEN));
    check_page(pages, "X-Breaker-Release: r2", PAGE_OF(TOKEN));
    check_page(pages, header, PAGE_OF(TOKEN));
}

static void an_unknown_release_is_told_once_and_its_pages_have_the_own_token(void **state)
{
    static const char *const unknown[] = {
        "X-Breaker-Release: r", "X-Breaker-Release: r11", "X-Breaker-Release: " R1_ID "1",
        "X-Breaker-Release: ", "X-Breaker-Release: \x01 \xff r1, r2"};
    pages_t *pages = *state;

    for (size_t i = 0; i != COUNT(unknown); ++i) {
        for (size_t again = 0; again != 2; ++again) {
            loopback_t *exchange = get(pages, unknown[i]);
            assert_body(exchange, PAGE_OF(TOKEN), strlen(PAGE_OF(TOKEN)));
            assert_header(exchange, "X-Breaker-Release", NULL);
            assert_int_equal(exchange->req.error_logs.size, again == 0 ? 1 : 0);
            loopback_close(exchange);
        }
    }
}

/* an application that makes names up cannot fill the log */
static void the_log_hears_of_a_few_unknown_releases_only(void **state)
{
    pages_t *pages = *state;
    size_t num_lines = 0;

    for (size_t i = 0; i != 100; ++i) {
        char header[64];
        loopback_t *exchange;
        snprintf(header, sizeof(header), "X-Breaker-Release: build-%zu", i);
        exchange = get(pages, header);
        num_lines += exchange->req.error_logs.size;
        loopback_close(exchange);
    }
    assert_int_equal(num_lines, 16);
}

static void no_client_sees_the_application_s_header_whatever_the_answer(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", "X-Breaker-Release: r1",
                                       "X-Other: r1", "X-Breaker-Release: r1", NULL};
    static const char *const page[] = {"Content-Type: text/html", "X-Breaker-Release: r1", NULL};
    static const char *const encoded[] = {"Content-Type: text/html", "Content-Encoding: dcb",
                                          "X-Breaker-Release: r1", NULL};
    static const char *const *const answers[] = {json, page, encoded};
    pages_t *pages = *state;

    for (size_t i = 0; i != COUNT(answers); ++i) {
        loopback_t *exchange = loopback_open(&pages->server, i == 1 ? "HEAD" : "GET", "/");
        exchange->req.version = 0x200;
        pages_answer(pages, answers[i], PAGE, strlen(PAGE));
        loopback_run(exchange);
        assert_int_equal(exchange->status, 200);
        assert_header(exchange, "X-Breaker-Release", NULL);
        if (answers[i] == json) {
            assert_header(exchange, "X-Other", "r1");
            assert_body(exchange, PAGE, strlen(PAGE));
        }
        loopback_close(exchange);
    }
}

static char *etag_of(pages_t *pages, const char *header)
{
    loopback_t *exchange = get(pages, header);
    char *etag = strdup(loopback_response_header(exchange, "ETag"));

    loopback_close(exchange);
    return etag;
}

static void a_tag_names_the_prefixes_of_the_release_that_the_page_is_of(void **state)
{
    pages_t *pages = *state;
    char *own = etag_of(pages, "X: y"), *r1 = etag_of(pages, "X-Breaker-Release: r1");
    char *same = etag_of(pages, "X-Breaker-Release: " R1_ID);

    assert_string_not_equal(own, r1);
    assert_string_equal(r1, same);
    free(own);
    free(r1);
    free(same);
}

/* nobody knows yet which release the page will be of: only the node's own is taken for certain */
static void a_tag_of_another_release_does_not_reach_the_application(void **state)
{
    static const char *const html[] = {"Content-Type: text/html", "ETag: \"abc\"", NULL};
    pages_t *pages = *state;
    char *r1 = etag_of(pages, "X-Breaker-Release: r1"), *own = etag_of(pages, "X: y");
    loopback_t *exchange = open_page(pages);

    loopback_header(exchange, "Accept", "text/html");
    loopback_header(exchange, "If-None-Match", r1);
    pages_answer(pages, html, PAGE, strlen(PAGE));
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    assert_seen(exchange, "If-None-Match", NULL);
    loopback_close(exchange);
    exchange = open_page(pages);
    pages->app->etag = "\"abc\"";
    loopback_header(exchange, "Accept", "text/html");
    loopback_header(exchange, "If-None-Match", own);
    loopback_run(exchange);
    assert_int_equal(exchange->status, 304);
    assert_header(exchange, "ETag", own);
    loopback_close(exchange);
    free(r1);
    free(own);
}

static void the_application_hears_the_label_of_the_node_s_release_from_nobody_else(void **state)
{
    pages_t *pages = *state;
    loopback_t *exchange = open_page(pages);

    loopback_header(exchange, "X-Breaker-Release-Label", "forged");
    loopback_header(exchange, "X_Breaker-Release_Label", "forged");
    pages_answer(pages, NULL, "", 0);
    loopback_run(exchange);
    assert_seen(exchange, "X-Breaker-Release-Label", "r2");
    assert_seen(exchange, "X_Breaker-Release_Label", NULL);
    loopback_close(exchange);
}

static void a_release_without_a_label_is_none_to_tell(void **state)
{
    pages_t *pages = *state;
    loopback_t *exchange = open_page(pages);

    loopback_header(exchange, "X-Breaker-Release-Label", "forged");
    pages_answer(pages, NULL, "", 0);
    loopback_run(exchange);
    assert_seen(exchange, "X-Breaker-Release-Label", NULL);
    loopback_close(exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_page_has_the_newest_token_of_the_release_that_the_application_names, setup,
            pages_teardown),
        cmocka_unit_test_setup_teardown(a_page_of_the_node_s_own_release_has_its_own_token, setup,
                                        pages_teardown),
        cmocka_unit_test_setup_teardown(
            an_unknown_release_is_told_once_and_its_pages_have_the_own_token, setup,
            pages_teardown),
        cmocka_unit_test_setup_teardown(the_log_hears_of_a_few_unknown_releases_only, setup,
                                        pages_teardown),
        cmocka_unit_test_setup_teardown(no_client_sees_the_application_s_header_whatever_the_answer,
                                        setup, pages_teardown),
        cmocka_unit_test_setup_teardown(a_tag_names_the_prefixes_of_the_release_that_the_page_is_of,
                                        setup, pages_teardown),
        cmocka_unit_test_setup_teardown(a_tag_of_another_release_does_not_reach_the_application,
                                        setup, pages_teardown),
        cmocka_unit_test_setup_teardown(
            the_application_hears_the_label_of_the_node_s_release_from_nobody_else, setup,
            pages_teardown),
        cmocka_unit_test_setup_teardown(a_release_without_a_label_is_none_to_tell, pages_setup,
                                        pages_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
