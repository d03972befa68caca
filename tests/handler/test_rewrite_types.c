/* What is rewritten beside text/html and how it may be spelled; what is left as it is; what caches
 * may make of it; how it leaves encoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "guard.h"
#include "pages.h"
#include "pages/coding.h"
#include "pages/page.h"
#include "pages/types.h"

#define PAGE "<p>" LITERAL "</p>"
#define REWRITTEN "<p>" PREFIX "</p>"
#define NUM(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *const view_names[] = {"static/{breaker}", NULL};

/* a server with settings of its own, started */
static void start(pages_t *pages, const breaker_h2o_rewrite_config_t *config)
{
    pages_prepare_config(pages, view_names, config);
    pages_start(pages);
}

static void start_with_types(pages_t *pages, const char *const *types, size_t num)
{
    breaker_h2o_rewrite_config_t config;

    breaker_h2o_rewrite_config_init(&config);
    config.types = types;
    config.num_types = num;
    start(pages, &config);
}

static loopback_t *ask(pages_t *pages, const char *method, const char *name, const char *value)
{
    loopback_t *exchange = loopback_open(&pages->server, method, "/");

    exchange->req.version = 0x200;
    if (name != NULL)
        loopback_header(exchange, name, value);
    loopback_run(exchange);
    return exchange;
}

static loopback_t *get(pages_t *pages, const char *const *headers, const char *body)
{
    pages_answer(pages, headers, body, strlen(body));
    return ask(pages, "GET", NULL, NULL);
}

/* ---- types ---- */

static void a_name_stands_for_all_that_is_called_so(void **state)
{
    static const char *const all[] = {"xhtml",       "json", "xml", "turbo-stream", "event-stream",
                                      "webmanifest", "css",  "js",  "Text/Plain"};
    static const struct {
        const char *type;
        /* its place in `all`, or -1: none */
        int which;
    } cases[] = {
        {"application/xhtml+xml", 0},
        {"application/json", 1},
        {"application/problem+json; charset=utf-8", 1},
        {"application/vnd.api+JSON", 1},
        {"+json", -1},
        {"application/json-seq", -1},
        {"application/rss+xml", 2},
        {"text/xml;charset=utf-8", 2},
        {"image/svg+xml", 2},
        {"text/vnd.turbo-stream.html; charset=utf-8", 3},
        {"text/event-stream", 4},
        {"application/manifest+json", 5},
        {"text/css", 6},
        {"text/javascript", 7},
        {"application/javascript ; x=y", 7},
        {"text/plain", 8},
        {"text/plainer", -1},
        {"image/png", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i != NUM(all); ++i) {
        breaker__types_t one, none;
        assert_true(breaker__type_is_known(all[i]));
        breaker__types_init(&one, all + i, 1);
        breaker__types_init(&none, NULL, 0);
        for (size_t j = 0; j != NUM(cases); ++j) {
            size_t len = strlen(cases[j].type);
            char *type = guarded_copy(cases[j].type, len);
            h2o_iovec_t text = {type, len};
            bool expected = cases[j].which == (int)i;
            /* what ends in +xml or +json belongs to two names */
            expected |= (i == 2 && cases[j].which == 0) || (i == 1 && cases[j].which == 5);
            if (breaker__types_have(&one, text) != expected)
                fail_msg("%s by %s", cases[j].type, all[i]);
            assert_false(breaker__types_have(&none, text));
            guarded_free(type, len);
        }
        breaker__types_dispose(&one);
        breaker__types_dispose(&none);
    }
}

static void what_is_no_type_is_refused(void **state)
{
    static const char *const bad[] = {"",           "jsn",      "text/",    "/html", "text/html/x",
                                      "text/ht ml", "text/*x;", "a/b; c=d", "*/*",   "+json"};
    breaker_h2o_rewrite_config_t config;
    pages_t *pages = *state;

    breaker_h2o_rewrite_config_init(&config);
    config.num_types = 1;
    for (size_t i = 0; i != NUM(bad); ++i) {
        config.types = bad + i;
        assert_int_equal(
            breaker_h2o_rewrite_register_config(pages->server.path, pages->node, &config),
            BREAKER_ERR_RANGE);
    }
    config.num_types = BREAKER_H2O_REWRITE_TYPES_MAX + 1;
    assert_int_equal(breaker_h2o_rewrite_register_config(pages->server.path, pages->node, &config),
                     BREAKER_ERR_RANGE);
}

static void the_types_that_are_named_are_rewritten_and_no_others(void **state)
{
    static const char *const named[] = {"json", "css"};
    static const char *const json[] = {"Content-Type: application/json", "Content-Length: 24",
                                       NULL};
    static const char *const script[] = {"Content-Type: text/javascript", NULL};
    pages_t pages;

    (void)state;
    start_with_types(&pages, named, NUM(named));
    loopback_t *exchange = get(&pages, json, PAGE);
    assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
    loopback_close(exchange);
    exchange = get(&pages, script, PAGE);
    assert_body(exchange, PAGE, strlen(PAGE));
    loopback_close(exchange);
    pages_dispose(&pages);
}

static void an_event_is_sent_on_when_it_has_come(void **state)
{
    static const char *const named[] = {"event-stream"};
    static const char *const headers[] = {"Content-Type: text/event-stream", NULL};
    static const char unit[] = "data: " LITERAL "a\n\n", expected[] = "data: " PREFIX "a\n\n";
    pages_t pages;

    (void)state;
    start_with_types(&pages, named, 1);
    pages_answer(&pages, headers, unit, strlen(unit));
    pages.app->late_end = true;
    loopback_t *exchange = loopback_open(&pages.server, "GET", "/");
    exchange->req.version = 0x200;
    loopback_run(exchange);
    /* all of it with the first send, none with the end */
    assert_int_equal(exchange->largest_send, strlen(expected));
    assert_body(exchange, expected, strlen(expected));
    loopback_close(exchange);
    pages_dispose(&pages);
}

/* ---- spellings ---- */

static void every_spelling_is_found_however_it_is_cut(void **state)
{
    static const char *const html[] = {"Content-Type: text/html", NULL};
    static const char page[] =
        "{\"a\":\"\\/static\\/{breaker}\\/a.css\",\"b\":\"/static/%7Bbreaker%7D/b\","
        "\"c\":\"\\/static\\/%7bbreaker%7d\\/c\",\"d\":\"" LITERAL "d\","
        "\"e\":\"\\/static\\/{breaker}/\",\"f\":\"/static/%7Bbreaker%7d/\"}";
    static const char expected[] =
        "{\"a\":\"\\/static\\/" TOKEN "\\/a.css\",\"b\":\"/static/" TOKEN
        "/b\",\"c\":\"\\/static\\/" TOKEN "\\/c\",\"d\":\"" PREFIX "d\","
        "\"e\":\"\\/static\\/{breaker}/\",\"f\":\"/static/%7Bbreaker%7d/\"}";
    pages_t *pages = *state;

    for (size_t chunk_len = 1; chunk_len <= strlen(page); ++chunk_len) {
        pages_answer(pages, html, page, strlen(page));
        pages->app->chunk_len = chunk_len;
        loopback_t *exchange = ask(pages, "GET", NULL, NULL);
        assert_body(exchange, expected, strlen(expected));
        loopback_close(exchange);
    }
}

static void headers_that_browsers_follow_are_rewritten_whatever_the_body(void **state)
{
    static const struct {
        const char *name, *sent, *expected;
    } cases[] = {
        {"Link", "<" LITERAL "a.css>; rel=preload, </static/%7Bbreaker%7D/b.js>; rel=preload",
         "<" PREFIX "a.css>; rel=preload, <" PREFIX "b.js>; rel=preload"},
        {"Location", LITERAL "a", PREFIX "a"},
        {"Content-Location", "/static/%7bbreaker%7d/a", PREFIX "a"},
        {"Refresh", "0; url=" LITERAL "a", "0; url=" PREFIX "a"},
        {"SourceMap", LITERAL "a.map", PREFIX "a.map"},
        {"X-SourceMap", LITERAL "a.map", PREFIX "a.map"},
        {"X-Other", LITERAL "a", LITERAL "a"},
        {"Location", "/breaker/a", "/breaker/a"},
    };
    static const char *const types[] = {"Content-Type: text/html", "Content-Type: image/png"};
    static const int statuses[] = {200, 301, 404};
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM(cases); ++i)
        for (size_t j = 0; j != NUM(types); ++j)
            for (size_t k = 0; k != NUM(statuses); ++k) {
                char header[256];
                const char *const headers[] = {types[j], header, "X-Last: yes", NULL};
                bool is_mended = j == 0 || strcmp(cases[i].sent, cases[i].expected) != 0;
                snprintf(header, sizeof(header), "%s: %s", cases[i].name, cases[i].sent);
                pages_answer(pages, headers, "x", 1);
                pages->app->status = statuses[k];
                loopback_t *exchange = ask(pages, "GET", NULL, NULL);
                assert_header(exchange, cases[i].name, cases[i].expected);
                assert_header(exchange, "X-Last", "yes");
                assert_header(exchange, "Cache-Control", is_mended ? "no-cache" : NULL);
                loopback_close(exchange);
            }
}

/* a 304 need not repeat its headers, and a copy then keeps those that it has */
static void a_head_with_prefixes_has_a_tag_that_names_them(void **state)
{
    static const char *const headers[] = {"Content-Type: image/png", "ETag: \"abc\"",
                                          "Link: <" LITERAL "a.css>", NULL};
    static const char marked[] = "W/\"abc;breaker=s",
                      other[] = "W/\"abc;breaker=s0123456789abcdef\"";
    pages_t *pages = *state;
    loopback_t *exchange = get(pages, headers, "x");
    char etag[128];

    snprintf(etag, sizeof(etag), "%s", loopback_response_header(exchange, "ETag"));
    loopback_close(exchange);
    assert_memory_equal(etag, marked, sizeof(marked) - 1);
    for (size_t i = 0; i != 2; ++i) {
        pages_answer(pages, headers, "x", 1);
        pages->app->etag = "\"abc\"";
        exchange = ask(pages, "GET", "If-None-Match", i == 0 ? etag : other);
        assert_int_equal(exchange->status, i == 0 ? 304 : 200);
        assert_header(exchange, "ETag", etag);
        loopback_close(exchange);
    }
}

/* ---- what is left ---- */

static void no_transform_leaves_a_page_as_it_is(void **state)
{
    static const char *const values[] = {"no-transform", "max-age=60, No-Transform",
                                         "public,no-transform"};
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM(values); ++i) {
        char header[64];
        const char *const headers[] = {"Content-Type: text/html", header,
                                       "ETag: \"abc\"",           "Link: <" LITERAL "a.css>",
                                       "Content-Encoding: gzip",  NULL};
        snprintf(header, sizeof(header), "Cache-Control: %s", values[i]);
        loopback_t *exchange = get(pages, headers, PAGE);
        assert_body(exchange, PAGE, strlen(PAGE));
        assert_header(exchange, "Cache-Control", values[i]);
        assert_header(exchange, "Content-Encoding", "gzip");
        assert_header(exchange, "ETag", "\"abc\"");
        /* a head is no content */
        assert_header(exchange, "Link", "<" PREFIX "a.css>");
        assert_int_equal(exchange->req.compress_hint, H2O_COMPRESS_HINT_DISABLE);
        loopback_close(exchange);
    }
}

static void what_is_no_coding_does_not_keep_a_page_from_being_rewritten(void **state)
{
    static const char *const codings[] = {"none", "identity", "None, identity"};
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM(codings); ++i) {
        char header[64];
        const char *const headers[] = {"Content-Type: text/html", header, NULL};
        snprintf(header, sizeof(header), "Content-Encoding: %s", codings[i]);
        loopback_t *exchange = get(pages, headers, PAGE);
        assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
        assert_header(exchange, "Content-Encoding", NULL);
        loopback_close(exchange);
    }
}

static void a_page_in_wide_letters_is_left_as_it_is(void **state)
{
    static const struct {
        const char *type;
        bool is_wide;
    } cases[] = {
        {"text/html; charset=utf-16", true},
        {"text/html;charset=\"UTF-16LE\"", true},
        {"text/html; x=y; charset=ucs-2", true},
        {"text/html; charset=utf-8", false},
        {"text/html; charset=", false},
        {"text/html; xcharset=utf-16", false},
        {"text/html", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i != NUM(cases); ++i) {
        size_t len = strlen(cases[i].type);
        char *type = guarded_copy(cases[i].type, len);
        assert_int_equal(breaker__is_wide_charset(h2o_iovec_init(type, len)), cases[i].is_wide);
        guarded_free(type, len);
    }

    static const char *const headers[] = {"Content-Type: text/html; charset=utf-16", "ETag: \"a\"",
                                          NULL};
    pages_t *pages = *state;
    loopback_t *exchange = get(pages, headers, PAGE);
    assert_body(exchange, PAGE, strlen(PAGE));
    assert_header(exchange, "Cache-Control", "no-store");
    assert_header(exchange, "ETag", NULL);
    loopback_close(exchange);
}

static void a_notice_comes_once_a_minute_with_a_count(void **state)
{
    pages_t *pages = *state;
    breaker__notice_t notice = {0};
    static const char *const headers[] = {"Content-Type: text/html", NULL};
    uint64_t num = 0;
    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/");

    assert_true(breaker__notice_is_due(&notice, &exchange->req, &num));
    assert_int_equal(num, 1);
    for (int i = 0; i != 5; ++i)
        assert_false(breaker__notice_is_due(&notice, &exchange->req, &num));
    notice.said_at_s -= 60;
    assert_true(breaker__notice_is_due(&notice, &exchange->req, &num));
    assert_int_equal(num, 6);
    /* a clock that was set back silences nothing */
    notice.said_at_s += 1000;
    assert_true(breaker__notice_is_due(&notice, &exchange->req, &num));
    assert_int_equal(num, 1);
    loopback_run(exchange);
    loopback_close(exchange);
}

/* ---- caches ---- */

static void a_page_that_says_nothing_of_caching_is_revalidated(void **state)
{
    static const struct {
        const char *sent, *kept, *revalidated;
    } cases[] = {
        {"X: y", "no-cache", "no-cache"},
        {"Cache-Control: no-store", "no-store", "no-store"},
        {"Cache-Control: private", "private", "private, no-cache"},
        {"Cache-Control: private, max-age=60", "private, max-age=60", "private, no-cache"},
        {"Cache-Control: public, max-age=60", "public, max-age=60", "no-cache"},
        {"Cache-Control: s-maxage=60", "s-maxage=60", "no-cache"},
        {"Expires: Sun, 06 Nov 2094 08:49:37 GMT", NULL, "no-cache"},
        {"CDN-Cache-Control: max-age=60", "no-cache", "no-cache"},
    };
    static const char *const methods[] = {"GET", "HEAD"};
    breaker_h2o_rewrite_config_t config;
    (void)state;

    breaker_h2o_rewrite_config_init(&config);
    for (int revalidates = 0; revalidates != 2; ++revalidates) {
        pages_t pages;
        config.revalidates = revalidates != 0;
        start(&pages, &config);
        for (size_t i = 0; i != NUM(cases); ++i)
            for (size_t j = 0; j != NUM(methods); ++j) {
                const char *const headers[] = {"Content-Type: text/html", cases[i].sent, NULL};
                pages_answer(&pages, headers, PAGE, strlen(PAGE));
                loopback_t *exchange = ask(&pages, methods[j], NULL, NULL);
                assert_header(exchange, "Cache-Control",
                              revalidates ? cases[i].revalidated : cases[i].kept);
                if (revalidates) {
                    assert_header(exchange, "Expires", NULL);
                    assert_header(exchange, "CDN-Cache-Control", NULL);
                }
                loopback_close(exchange);
            }
        pages_dispose(&pages);
    }
}

static void what_expires_says_of_pages_counts(void **state)
{
    static const char *const html[] = {"Content-Type: text/html", NULL};
    h2o_expires_args_t args = {.mode = H2O_EXPIRES_MODE_MAX_AGE, .data.max_age = 60};
    breaker_h2o_rewrite_config_t config;
    (void)state;

    breaker_h2o_rewrite_config_init(&config);
    for (int revalidates = 0; revalidates != 2; ++revalidates) {
        pages_t pages;
        config.revalidates = revalidates != 0;
        pages_prepare_config(&pages, view_names, &config);
        h2o_expires_register(pages.server.path, &args);
        pages_start(&pages);
        loopback_t *exchange = get(&pages, html, PAGE);
        assert_header(exchange, "Cache-Control", revalidates ? "no-cache" : "max-age=60");
        loopback_close(exchange);
        pages_dispose(&pages);
    }
}

/* a copy from a time when its type was left alone, and the other way round */
static void a_tag_of_other_types_confirms_nothing(void **state)
{
    static const char *const named[] = {"json"};
    static const char *const headers[] = {"Content-Type: application/json", "ETag: \"abc\"", NULL};
    pages_t servers[2];
    char etags[2][128];
    (void)state;

    start_with_types(servers, NULL, 0);
    start_with_types(servers + 1, named, 1);
    for (size_t i = 0; i != 2; ++i) {
        loopback_t *exchange = get(servers + i, headers, PAGE);
        snprintf(etags[i], sizeof(etags[i]), "%s", loopback_response_header(exchange, "ETag"));
        loopback_close(exchange);
    }
    for (size_t i = 0; i != 2; ++i)
        for (size_t j = 0; j != 2; ++j) {
            pages_answer(servers + i, headers, PAGE, strlen(PAGE));
            servers[i].app->etag = "\"abc\"";
            loopback_t *exchange = ask(servers + i, "GET", "If-None-Match", etags[j]);
            assert_int_equal(exchange->status, i == j ? 304 : 200);
            loopback_close(exchange);
        }
    pages_dispose(servers);
    pages_dispose(servers + 1);
}

/* ---- encoded again ---- */

typedef struct st_gzipped_t {
    char bytes[512];
    size_t len;
} gzipped_t;

static void gzip(const char *text, gzipped_t *dst)
{
    z_stream zlib = {.next_in = (Bytef *)(uintptr_t)text,
                     .avail_in = (uInt)strlen(text),
                     .next_out = (Bytef *)dst->bytes,
                     .avail_out = sizeof(dst->bytes)};

    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    dst->len = zlib.total_out;
    deflateEnd(&zlib);
}

static void a_page_that_came_encoded_leaves_encoded(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html", "Content-Encoding: gzip",
                                          "ETag: \"abc\"", "Vary: Cookie", NULL};
    static const struct {
        const char *accept;
        bool is_encoded;
    } cases[] = {
        {NULL, false},           {"gzip", true},      {"br, gzip;q=0.5", true}, {"br", false},
        {"gzip;q=0, br", false}, {"identity", false}, {"x-gzip", true},
    };
    static const int statuses[] = {200, 404};
    pages_t *pages = *state;
    gzipped_t page;

    gzip(PAGE, &page);
    for (size_t i = 0; i != NUM(cases); ++i)
        for (size_t j = 0; j != NUM(statuses); ++j)
            for (size_t chunk_len = 0; chunk_len <= 7; chunk_len += 7) {
                pages_answer(pages, headers, page.bytes, page.len);
                pages->app->status = statuses[j];
                pages->app->chunk_len = chunk_len;
                loopback_t *exchange = loopback_open(&pages->server, "GET", "/");
                exchange->req.version = 0x200;
                if (cases[i].accept != NULL)
                    loopback_header(exchange, "Accept-Encoding", cases[i].accept);
                loopback_run(exchange);
                assert_header(exchange, "Content-Encoding", cases[i].is_encoded ? "gzip" : NULL);
                assert_header(exchange, "Vary", "Cookie, accept-encoding");
                assert_memory_equal(loopback_response_header(exchange, "ETag"), "W/", 2);
                if (cases[i].is_encoded)
                    assert_gzip_body(exchange, REWRITTEN, strlen(REWRITTEN));
                else
                    assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
                loopback_close(exchange);
            }
    pages_answer(pages, headers, "", 0);
    loopback_t *head = ask(pages, "HEAD", "Accept-Encoding", "gzip");
    assert_header(head, "Content-Encoding", "gzip");
    loopback_close(head);
}

static void a_page_that_came_plain_leaves_plain(void **state)
{
    static const char *const html[] = {"Content-Type: text/html", NULL};
    pages_t *pages = *state;

    pages_answer(pages, html, PAGE, strlen(PAGE));
    loopback_t *exchange = ask(pages, "GET", "Accept-Encoding", "gzip");
    assert_header(exchange, "Content-Encoding", NULL);
    assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
    loopback_close(exchange);
}

static void encoding_again_can_be_turned_off(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html", "Content-Encoding: gzip",
                                          NULL};
    breaker_h2o_rewrite_config_t config;
    gzipped_t page;
    pages_t pages;
    (void)state;

    gzip(PAGE, &page);
    breaker_h2o_rewrite_config_init(&config);
    config.encodes = false;
    start(&pages, &config);
    pages_answer(&pages, headers, page.bytes, page.len);
    loopback_t *exchange = ask(&pages, "GET", "Accept-Encoding", "gzip");
    assert_header(exchange, "Content-Encoding", NULL);
    assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
    loopback_close(exchange);
    pages_dispose(&pages);
}

/* two nodes substitute one after the other, and what they made is encoded once, after both */
static void a_page_of_two_nodes_is_encoded_after_both(void **state)
{
    static const char *const other_names[] = {"assets/{breaker}", NULL};
    static const char *const headers[] = {"Content-Type: text/html", "Content-Encoding: gzip",
                                          NULL};
    static const char text[] = "<" LITERAL "/assets/{breaker}/>";
    static const char expected[] = "<" PREFIX "/assets/" TOKEN "/>";
    pages_t *pages = *state, other;
    breaker_error_t error;
    gzipped_t page;

    gzip(text, &page);
    pages_prepare(&other, other_names);
    assert_int_equal(breaker_node_load(other.node, &error), 0);
    assert_int_equal(breaker_h2o_rewrite_register(pages->server.path, other.node), 0);
    pages_start(pages);
    pages_answer(pages, headers, page.bytes, page.len);
    loopback_t *exchange = ask(pages, "GET", "Accept-Encoding", "gzip");
    assert_header(exchange, "Content-Encoding", "gzip");
    assert_gzip_body(exchange, expected, strlen(expected));
    loopback_close(exchange);

    /* the other node outlives the server that it is part of */
    loopback_server_dispose(&pages->server);
    loopback_server_init(&pages->server);
    pages_dispose(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pages_setup, pages_teardown)
#define UNSTARTED(name) cmocka_unit_test_setup_teardown(name, pages_setup_unstarted, pages_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_stands_for_all_that_is_called_so),
        UNSTARTED(what_is_no_type_is_refused),
        cmocka_unit_test(the_types_that_are_named_are_rewritten_and_no_others),
        cmocka_unit_test(an_event_is_sent_on_when_it_has_come),
        TEST(every_spelling_is_found_however_it_is_cut),
        TEST(headers_that_browsers_follow_are_rewritten_whatever_the_body),
        TEST(a_head_with_prefixes_has_a_tag_that_names_them),
        TEST(no_transform_leaves_a_page_as_it_is),
        TEST(what_is_no_coding_does_not_keep_a_page_from_being_rewritten),
        TEST(a_page_in_wide_letters_is_left_as_it_is),
        TEST(a_notice_comes_once_a_minute_with_a_count),
        cmocka_unit_test(a_page_that_says_nothing_of_caching_is_revalidated),
        cmocka_unit_test(what_expires_says_of_pages_counts),
        cmocka_unit_test(a_tag_of_other_types_confirms_nothing),
        TEST(a_page_that_came_encoded_leaves_encoded),
        TEST(a_page_that_came_plain_leaves_plain),
        cmocka_unit_test(encoding_again_can_be_turned_off),
        UNSTARTED(a_page_of_two_nodes_is_encoded_after_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
