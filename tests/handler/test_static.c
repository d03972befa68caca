/* The handler of views, driven in process: what a request gets, header by header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "release/release.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"

#define TOKEN "1718539201234"
#define PREFIX "/static/" TOKEN "/"
#define UP "../"
#define SEGMENT TOKEN "/"

enum { LARGE_LEN = 300001, DISK_LEN = 1000003 };

typedef struct st_fixture_t {
    char dir[64];
    loopback_server_t server;
    breaker_node_t *node;
    const breaker_view_t *view;
    size_t num_declined;
} fixture_t;

typedef struct st_next_handler_t {
    h2o_handler_t super;
    fixture_t *fixture;
} next_handler_t;

static char pattern_at(size_t i)
{
    return (char)('a' + (i * 7 + i / 251) % 26);
}

static void write_file(const fixture_t *fixture, const char *name, const char *base, size_t len)
{
    char path[256];
    FILE *fp;

    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    fp = fopen(path, "wb");
    assert_non_null(fp);
    assert_int_equal(fwrite(base, 1, len, fp), len);
    assert_int_equal(fclose(fp), 0);
}

static void write_pattern(const fixture_t *fixture, const char *name, size_t len)
{
    char *text = malloc(len);

    for (size_t i = 0; i != len; ++i)
        text[i] = pattern_at(i);
    write_file(fixture, name, text, len);
    free(text);
}

static int on_next(h2o_handler_t *_self, h2o_req_t *req)
{
    next_handler_t *self = (void *)_self;

    ++self->fixture->num_declined;
    req->res.status = 200;
    req->res.content_length = strlen("the application");
    h2o_send_inline(req, H2O_STRLIT("the application"));
    return 0;
}

/* everything but the start, so that a test can add filters or leave the node unloaded */
static fixture_t *prepare(void)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    breaker_view_config_t view_config;
    breaker_node_config_t node_config;
    next_handler_t *next;
    char path[256];

    strcpy(fixture->dir, "/tmp/breaker-static-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    snprintf(path, sizeof(path), "%s/css", fixture->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/.well-known", fixture->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(fixture, ".well-known/x.txt", "x", 1);
    write_file(fixture, "css/site.css", "body{color:#123}\n", 17);
    write_file(fixture, "a b\xc3\xbc.txt", "umlaut", 6);
    write_file(fixture, "empty", "", 0);
    write_pattern(fixture, "large.txt", LARGE_LEN);
    write_pattern(fixture, "disk.bin", DISK_LEN);

    loopback_server_init(&fixture->server);
    breaker_h2o_add_types(fixture->server.config.mimemap);
    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    assert_int_equal(breaker_node_set_token(fixture->node, TOKEN, strlen(TOKEN)), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture->dir;
    view_config.memory_file_limit = 500000;
    view_config.headers = (const char *const[]){"X-Served-By:  node 7"};
    view_config.num_headers = 1;
    assert_int_equal(breaker_node_add_view(fixture->node, &view_config, &fixture->view), 0);
    next = (void *)h2o_create_handler(fixture->server.path, sizeof(*next));
    next->super.on_req = on_next;
    next->fixture = fixture;
    /* created after the application's handler, and asked before it */
    assert_int_equal(
        breaker_h2o_static_register(fixture->server.path, fixture->node, &fixture->view, 1), 0);
    return fixture;
}

static int setup(void **state)
{
    fixture_t *fixture = prepare();
    breaker_error_t error;

    assert_int_equal(breaker_node_load(fixture->node, &error), 0);
    loopback_server_start(&fixture->server);
    *state = fixture;
    return 0;
}

static void remove_tree(const fixture_t *fixture)
{
    static const char *const names[] = {
        "css/site.css", "css", "a b\xc3\xbc.txt", "empty", "large.txt", "disk.bin", ""};
    char path[256];

    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i) {
        snprintf(path, sizeof(path), "%s/%s", fixture->dir, names[i]);
        remove(path);
    }
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_dispose(&fixture->server);
    breaker_node_free(fixture->node);
    remove_tree(fixture);
    free(fixture);
    return 0;
}

static loopback_t *get(fixture_t *fixture, const char *path)
{
    loopback_t *exchange = loopback_open(&fixture->server, "GET", path);

    loopback_run(exchange);
    return exchange;
}

static void assert_header(loopback_t *exchange, const char *name, const char *value)
{
    const char *got = loopback_response_header(exchange, name);

    if (value == NULL) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_string_equal(got, value);
}

static void assert_body(loopback_t *exchange, const char *text)
{
    assert_int_equal(exchange->body->size, strlen(text));
    assert_memory_equal(exchange->body->bytes, text, strlen(text));
}

static void assert_pattern(const char *base, size_t first, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if (base[i] != pattern_at(first + i))
            fail_msg("byte %zu is wrong", first + i);
}

static void assert_uncached(loopback_t *exchange)
{
    assert_header(exchange, "cache-control", "no-store");
    assert_header(exchange, "x-content-type-options", "nosniff");
    assert_header(exchange, "content-type", "text/plain; charset=utf-8");
    assert_null(loopback_response_header(exchange, "etag"));
    assert_true(exchange->body->size > 0 && exchange->body->size < 64);
    assert_int_equal(exchange->content_length, exchange->body->size);
}

/* ---- the seed's rows ---- */

static void current_token_gets_the_file_for_a_year(void **state)
{
    loopback_t *exchange = get(*state, PREFIX "css/site.css");

    assert_int_equal(exchange->status, 200);
    assert_body(exchange, "body{color:#123}\n");
    assert_int_equal(exchange->content_length, 17);
    assert_true(exchange->persistent);
    assert_header(exchange, "content-type", "text/css; charset=utf-8");
    assert_header(exchange, "cache-control", "public, max-age=31536000, immutable");
    assert_header(exchange, "vary", "accept-encoding");
    assert_header(exchange, "accept-ranges", "bytes");
    assert_header(exchange, "access-control-allow-origin", "*");
    assert_header(exchange, "x-served-by", "node 7");
    assert_int_equal(strlen(loopback_response_header(exchange, "etag")), BREAKER_ETAG_LEN);
    assert_int_equal(strlen(loopback_response_header(exchange, "last-modified")),
                     BREAKER_HTTP_DATE_LEN);
    loopback_close(exchange);
}

static void head_equals_get_without_the_body(void **state)
{
    loopback_t *of_get = get(*state, PREFIX "css/site.css");
    loopback_t *of_head =
        loopback_open(&((fixture_t *)*state)->server, "HEAD", PREFIX "css/site.css");

    loopback_run(of_head);
    assert_int_equal(of_head->status, 200);
    assert_int_equal(of_head->body->size, 0);
    assert_int_equal(of_head->content_length, of_get->content_length);
    assert_int_equal(of_head->headers.size, of_get->headers.size);
    for (size_t i = 0; i != of_get->headers.size; ++i) {
        h2o_iovec_t a = of_get->headers.entries[i].value, b = of_head->headers.entries[i].value;
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.base, b.base, a.len);
    }
    loopback_close(of_head);
    loopback_close(of_get);
}

static void older_token_is_redirected_with_its_raw_path_and_query(void **state)
{
    static const struct {
        const char *path, *location;
    } rows[] = {
        {"/static/1718539201233/css/site.css", UP UP SEGMENT "css/site.css"},
        {"/static/17/css/site.css?v=1&w=%2F", UP UP SEGMENT "css/site.css?v=1&w=%2F"},
        {"/static/17/css/site.css?/../../a", UP UP SEGMENT "css/site.css?/../../a"},
        {"/static/0001718539201234/css/site.css", UP UP SEGMENT "css/site.css"},
        {"/static/17/a%20b%c3%BC.txt?x", UP SEGMENT "a%20b%c3%BC.txt?x"},
        {"/static/17/a%20b\xc3\xbc.txt", UP SEGMENT "a%20b%C3%BC.txt"},
        {"/st%61tic/17/css/site.css", UP UP SEGMENT "css/site.css"},
        {"/static/17/css/site.css?", UP UP SEGMENT "css/site.css?"},
        {"/static/17/css/site.css?a=%0d%0aX:y", UP UP SEGMENT "css/site.css?a=%0d%0aX:y"},
        {"/static/17/.well-known/x.txt", UP UP SEGMENT ".well-known/x.txt"},
        /* a client would count other segments than we do */
        {"/static/17/css/../css/./site.css", PREFIX "css/../css/./site.css"},
        {"/static/16/../17/css/site.css", PREFIX "css/site.css"},
        {"/static/17/css/%2e/site.css", PREFIX "css/%2e/site.css"},
        {"/static/17/css%2fsite.css", PREFIX "css%2fsite.css"},
        {"/static/17/css%2Fsite.css", PREFIX "css%2Fsite.css"},
        {"/static/./17/css/site.css", PREFIX "css/site.css"},
    };

    for (size_t i = 0; i != sizeof(rows) / sizeof(rows[0]); ++i) {
        loopback_t *exchange = get(*state, rows[i].path);
        assert_int_equal(exchange->status, 301);
        assert_header(exchange, "location", rows[i].location);
        assert_header(exchange, "cache-control", "public, max-age=60");
        assert_int_equal(exchange->content_length, 0);
        assert_int_equal(exchange->body->size, 0);
        loopback_close(exchange);
    }
}

static void newer_token_is_asked_to_come_back(void **state)
{
    loopback_t *exchange = get(*state, "/static/1718539201235/css/site.css");

    assert_int_equal(exchange->status, 503);
    assert_header(exchange, "retry-after", "3");
    assert_uncached(exchange);
    loopback_close(exchange);
}

static void missing_files_are_not_found_and_not_cached(void **state)
{
    static const char *const paths[] = {PREFIX "css/none.css",
                                        "/static/17/css/none.css",
                                        PREFIX,
                                        PREFIX "css",
                                        PREFIX "css/",
                                        PREFIX "css%2f",
                                        PREFIX "css/site.css/",
                                        PREFIX "css/site.css%00",
                                        PREFIX "css%5csite.css",
                                        "/static/17/css/a%0d%0ab",
                                        "/static/a%20b/css/x.css",
                                        "/static//css/site.css",
                                        PREFIX "%2e%2e/%2e%2e/x/../static/" TOKEN "/css/none",
                                        PREFIX "/css/site.css"};

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        loopback_t *exchange = get(*state, paths[i]);
        if (exchange->status != 404)
            fail_msg("%s: %d", paths[i], exchange->status);
        assert_uncached(exchange);
        loopback_close(exchange);
    }
}

/* ---- other answers ---- */

static void other_methods_are_not_allowed(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "get", "GETX"};
    fixture_t *fixture = *state;

    for (size_t i = 0; i != sizeof(methods) / sizeof(methods[0]); ++i) {
        loopback_t *exchange = loopback_open(&fixture->server, methods[i], PREFIX "css/site.css");
        loopback_run(exchange);
        assert_int_equal(exchange->status, 405);
        assert_header(exchange, "allow", "GET, HEAD");
        assert_uncached(exchange);
        loopback_close(exchange);
    }
}

static void body_on_get_is_served_and_the_connection_closed(void **state)
{
    loopback_t *exchange =
        loopback_open(&((fixture_t *)*state)->server, "GET", PREFIX "css/site.css");

    loopback_entity(exchange, "x=1", 3);
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    assert_false(exchange->persistent);
    loopback_close(exchange);
}

static void long_targets_are_refused(void **state)
{
    char *path = malloc(9000);
    loopback_t *exchange;

    memset(path, 'x', 8999);
    memcpy(path, PREFIX, strlen(PREFIX));
    path[8999] = '\0';
    exchange = get(*state, path);
    assert_int_equal(exchange->status, 414);
    assert_uncached(exchange);
    loopback_close(exchange);
    free(path);
}

static void paths_outside_the_views_reach_the_next_handler(void **state)
{
    static const char *const paths[] = {"/",
                                        "/static",
                                        "/static/",
                                        "/static/" TOKEN,
                                        "/statics/" TOKEN "/css/site.css",
                                        "/x/static/" TOKEN "/css/site.css"};
    fixture_t *fixture = *state;

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        loopback_t *exchange = get(fixture, paths[i]);
        assert_int_equal(exchange->status, 200);
        assert_body(exchange, "the application");
        assert_int_equal(fixture->num_declined, i + 1);
        loopback_close(exchange);
    }
}

static void empty_files_have_a_length_of_zero(void **state)
{
    loopback_t *exchange = get(*state, PREFIX "empty");

    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange->content_length, 0);
    assert_int_equal(exchange->body->size, 0);
    loopback_close(exchange);
}

/* ---- conditions and ranges ---- */

static loopback_t *get_with(fixture_t *fixture, const char *path, const char *name,
                            const char *value)
{
    loopback_t *exchange = loopback_open(&fixture->server, "GET", path);

    loopback_header(exchange, name, value);
    loopback_run(exchange);
    return exchange;
}

static void matching_tag_is_not_modified_with_the_shared_headers(void **state)
{
    loopback_t *first = get(*state, PREFIX "css/site.css"), *second;
    const char *etag = loopback_response_header(first, "etag");
    char list[128];

    snprintf(list, sizeof(list), "\"other\", W/%s", etag);
    second = get_with(*state, PREFIX "css/site.css", "if-none-match", list);
    assert_int_equal(second->status, 304);
    assert_int_equal(second->body->size, 0);
    assert_header(second, "etag", etag);
    assert_header(second, "cache-control", "public, max-age=31536000, immutable");
    assert_header(second, "vary", "accept-encoding");
    assert_header(second, "access-control-allow-origin", "*");
    assert_header(second, "content-type", NULL);
    assert_header(second, "last-modified", NULL);
    loopback_close(second);
    loopback_close(first);
}

static void condition_over_two_lines_is_one_list(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *first = get(fixture, PREFIX "css/site.css");
    loopback_t *second = loopback_open(&fixture->server, "GET", PREFIX "css/site.css");

    loopback_header(second, "if-none-match", "\"x\"");
    loopback_header(second, "if-none-match", loopback_response_header(first, "etag"));
    loopback_run(second);
    assert_int_equal(second->status, 304);
    loopback_close(second);
    loopback_close(first);
}

static void failed_precondition_is_412(void **state)
{
    loopback_t *exchange = get_with(*state, PREFIX "css/site.css", "if-match", "\"x\"");

    assert_int_equal(exchange->status, 412);
    assert_uncached(exchange);
    loopback_close(exchange);
}

static void single_range_has_its_bytes_and_place(void **state)
{
    static const char *const paths[] = {PREFIX "large.txt", PREFIX "disk.bin"};
    static const char *const expected[] = {"bytes 250000-299999/300001",
                                           "bytes 250000-299999/1000003"};

    for (size_t i = 0; i != 2; ++i) {
        loopback_t *exchange = get_with(*state, paths[i], "range", "bytes=250000-299999");
        assert_int_equal(exchange->status, 206);
        assert_header(exchange, "content-range", expected[i]);
        assert_int_equal(exchange->content_length, 50000);
        assert_int_equal(exchange->body->size, 50000);
        assert_pattern(exchange->body->bytes, 250000, 50000);
        loopback_close(exchange);
    }
}

static void several_ranges_are_multipart(void **state)
{
    loopback_t *exchange =
        get_with(*state, PREFIX "disk.bin", "range", "bytes=0-9,500000-699999,-1");
    const char *type = loopback_response_header(exchange, "content-type");
    char head[256], *boundary, *part;
    size_t head_len;

    assert_int_equal(exchange->status, 206);
    assert_non_null(type);
    assert_memory_equal(type, "multipart/byteranges; boundary=", 31);
    boundary = strdup(type + 31);
    assert_header(exchange, "content-range", NULL);
    assert_int_equal(exchange->content_length, exchange->body->size);
    head_len = (size_t)snprintf(head, sizeof(head),
                                "--%s\r\nContent-Type: application/octet-stream\r\n"
                                "Content-Range: bytes 0-9/1000003\r\n\r\n",
                                boundary);
    assert_memory_equal(exchange->body->bytes, head, head_len);
    assert_pattern(exchange->body->bytes + head_len, 0, 10);
    part = exchange->body->bytes + head_len + 10;
    head_len = (size_t)snprintf(head, sizeof(head),
                                "\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
                                "Content-Range: bytes 500000-699999/1000003\r\n\r\n",
                                boundary);
    assert_memory_equal(part, head, head_len);
    assert_pattern(part + head_len, 500000, 200000);
    part += head_len + 200000;
    head_len = (size_t)snprintf(head, sizeof(head),
                                "\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
                                "Content-Range: bytes 1000002-1000002/1000003\r\n\r\n",
                                boundary);
    assert_memory_equal(part, head, head_len);
    assert_int_equal(part[head_len], pattern_at(1000002));
    part += head_len + 1;
    head_len = (size_t)snprintf(head, sizeof(head), "\r\n--%s--\r\n", boundary);
    assert_int_equal(part + head_len - exchange->body->bytes, exchange->body->size);
    assert_memory_equal(part, head, head_len);
    free(boundary);
    loopback_close(exchange);
}

static void unsatisfiable_range_names_the_size(void **state)
{
    loopback_t *exchange = get_with(*state, PREFIX "css/site.css", "range", "bytes=17-");

    assert_int_equal(exchange->status, 416);
    assert_header(exchange, "content-range", "bytes */17");
    assert_uncached(exchange);
    loopback_close(exchange);
}

static void range_that_does_not_count_gets_the_whole(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *malformed = get_with(fixture, PREFIX "css/site.css", "range", "bytes=a-");
    loopback_t *of_head = loopback_open(&fixture->server, "HEAD", PREFIX "css/site.css");
    loopback_t *stale = loopback_open(&fixture->server, "GET", PREFIX "css/site.css");

    assert_int_equal(malformed->status, 200);
    loopback_header(of_head, "range", "bytes=0-1");
    loopback_run(of_head);
    assert_int_equal(of_head->status, 200);
    loopback_header(stale, "range", "bytes=0-1");
    loopback_header(stale, "if-range", "\"another\"");
    loopback_run(stale);
    assert_int_equal(stale->status, 200);
    assert_body(stale, "body{color:#123}\n");
    loopback_close(stale);
    loopback_close(of_head);
    loopback_close(malformed);
}

/* ---- encodings ---- */

static void encoding_is_negotiated_once_it_is_made(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *plain, *brotli, *zstd;

    breaker_node_wait_encoded(fixture->node);
    plain = get(fixture, PREFIX "large.txt");
    brotli = get_with(fixture, PREFIX "large.txt", "accept-encoding", "gzip, br");
    zstd = get_with(fixture, PREFIX "large.txt", "accept-encoding", "br;q=0.5, zstd");
    assert_header(plain, "content-encoding", NULL);
    assert_header(brotli, "content-encoding", "br");
    assert_header(zstd, "content-encoding", "zstd");
    assert_true(brotli->content_length < plain->content_length);
    assert_header(brotli, "vary", "accept-encoding");
    assert_header(brotli, "content-type", "text/plain; charset=utf-8");
    assert_string_not_equal(loopback_response_header(brotli, "etag"),
                            loopback_response_header(plain, "etag"));
    loopback_close(zstd);
    loopback_close(brotli);
    loopback_close(plain);
}

static void client_that_takes_nothing_there_is_gets_406(void **state)
{
    loopback_t *exchange = get_with(*state, PREFIX "empty", "accept-encoding", "br, identity;q=0");

    assert_int_equal(exchange->status, 406);
    assert_uncached(exchange);
    loopback_close(exchange);
}

/* ---- bodies in pieces, and what happens around them ---- */

static void file_on_disk_comes_in_pieces(void **state)
{
    loopback_t *exchange = get(*state, PREFIX "disk.bin");

    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange->content_length, DISK_LEN);
    assert_int_equal(exchange->body->size, DISK_LEN);
    assert_pattern(exchange->body->bytes, 0, DISK_LEN);
    assert_int_equal(exchange->num_sends, (DISK_LEN + 65535) / 65536);
    loopback_close(exchange);
}

static void body_in_memory_comes_at_once_but_under_tls_in_pieces(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *clear = get(fixture, PREFIX "large.txt");
    loopback_t *tls = loopback_open(&fixture->server, "GET", PREFIX "large.txt");

    tls->req.input.scheme = &H2O_URL_SCHEME_HTTPS;
    loopback_run(tls);
    assert_int_equal(clear->num_sends, 1);
    assert_int_equal(tls->num_sends, (LARGE_LEN + 65535) / 65536);
    assert_int_equal(clear->body->size, LARGE_LEN);
    assert_int_equal(tls->body->size, LARGE_LEN);
    assert_memory_equal(clear->body->bytes, tls->body->bytes, LARGE_LEN);
    loopback_close(tls);
    loopback_close(clear);
}

static void file_that_changes_on_disk_ends_the_response_with_an_error(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = loopback_open(&fixture->server, "GET", PREFIX "disk.bin");

    exchange->stepwise = true;
    assert_true(loopback_step(exchange));
    write_file(fixture, "disk.bin", "gone", 4);
    while (loopback_step(exchange))
        ;
    assert_true(exchange->error);
    assert_false(exchange->persistent && exchange->complete && !exchange->error);
    assert_true(exchange->body->size < DISK_LEN);
    assert_pattern(exchange->body->bytes, 0, exchange->body->size);
    loopback_close(exchange);
}

static void client_may_leave_at_any_piece(void **state)
{
    fixture_t *fixture = *state;

    for (size_t steps = 0; steps != 5; ++steps) {
        loopback_t *exchange = loopback_open(&fixture->server, "GET", PREFIX "disk.bin");
        exchange->stepwise = true;
        for (size_t i = 0; i != steps; ++i)
            assert_true(loopback_step(exchange));
        loopback_close(exchange);
    }
}

/* publishes what a next deploy would: the same view under a larger token, maybe nothing loaded */
static void publish(fixture_t *fixture, const char *token, breaker_release_t *release,
                    bool older_alive)
{
    breaker_token_t tokens[1];
    breaker__snapshot_config_t config = {.views = &fixture->view,
                                         .tokens = tokens,
                                         .num_views = 1,
                                         .release = release,
                                         .older_alive = older_alive};
    breaker_snapshot_t *snapshot;

    assert_int_equal(breaker_token_parse(token, strlen(token), tokens), 0);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    breaker__publisher_publish(breaker_node_publisher(fixture->node), snapshot);
}

static breaker_release_t *load_release(fixture_t *fixture)
{
    breaker__release_config_t config = {.views = &fixture->view, .num_views = 1};
    breaker_node_config_t node_config;
    breaker_release_t *release;

    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    config.hooks = node_config.hooks;
    assert_int_equal(breaker__release_load(&config, NULL, &release, NULL), 0);
    return release;
}

static void request_in_flight_keeps_the_release_that_it_began_with(void **state)
{
    fixture_t *fixture = *state;
    breaker_release_t *release = load_release(fixture);
    loopback_t *exchange, *after;

    publish(fixture, "1718539201300", release, false);
    breaker_release_unref(release);
    exchange = loopback_open(&fixture->server, "GET", "/static/1718539201300/disk.bin");
    exchange->stepwise = true;
    assert_true(loopback_step(exchange));
    /* the snapshot before held the only other reference to the release */
    publish(fixture, "1718539201400", NULL, false);
    after = get(fixture, "/static/1718539201400/disk.bin");
    assert_int_equal(after->status, 503);
    loopback_close(after);
    while (loopback_step(exchange))
        ;
    assert_false(exchange->error);
    assert_int_equal(exchange->body->size, DISK_LEN);
    assert_pattern(exchange->body->bytes, 0, DISK_LEN);
    loopback_close(exchange);
}

static void published_token_counts_from_the_next_request_on(void **state)
{
    fixture_t *fixture = *state;
    breaker_release_t *release = load_release(fixture);
    loopback_t *exchange;

    publish(fixture, "1718539201300", release, true);
    breaker_release_unref(release);
    exchange = get(fixture, PREFIX "css/site.css");
    assert_int_equal(exchange->status, 301);
    assert_header(exchange, "location", "../../1718539201300/css/site.css");
    /* an older release is alive somewhere */
    assert_header(exchange, "cache-control", "no-store");
    loopback_close(exchange);
    exchange = get(fixture, "/static/1718539201300/css/site.css");
    assert_int_equal(exchange->status, 200);
    loopback_close(exchange);
}

static void answers_are_counted_by_view_and_by_what_they_got(void **state)
{
    static const char *const paths[] = {
        PREFIX "css/site.css",     PREFIX "disk.bin",         PREFIX "none",
        "/static/17/css/site.css", "/static/1718539201235/x", "/else"};
    fixture_t *fixture = *state;
    breaker_h2o_counters_t counters;

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i)
        loopback_close(get(fixture, paths[i]));
    loopback_close(get_with(fixture, PREFIX "large.txt", "range", "bytes=0-0,9-9"));
    loopback_close(get_with(fixture, PREFIX "css/site.css", "if-none-match", "*"));
    loopback_close(get_with(fixture, PREFIX "css/site.css", "if-match", "\"x\""));
    breaker_h2o_counters(&fixture->server.config, fixture->view, &counters);
    assert_int_equal(counters.served, 2);
    assert_int_equal(counters.partial, 1);
    assert_int_equal(counters.not_modified, 1);
    assert_int_equal(counters.redirected, 1);
    assert_int_equal(counters.not_found, 1);
    assert_int_equal(counters.retry_later, 1);
    assert_int_equal(counters.refused, 1);
    assert_int_equal(counters.parked, 0);
}

/* ---- with another start ---- */

static void before_the_load_views_ask_to_come_back(void **state)
{
    fixture_t *fixture = prepare();
    loopback_t *exchange;

    loopback_server_start(&fixture->server);
    exchange = get(fixture, PREFIX "css/site.css");
    assert_int_equal(exchange->status, 503);
    assert_uncached(exchange);
    loopback_close(exchange);
    exchange = get(fixture, "/else");
    assert_body(exchange, "the application");
    loopback_close(exchange);
    *state = fixture;
    teardown(state);
}

static void filters_of_the_path_change_their_own_copy(void **state)
{
    fixture_t *fixture = prepare();
    h2o_headers_command_t *commands = NULL;
    h2o_iovec_t vary = {H2O_STRLIT("x-served-by")};
    const char *etag;
    loopback_t *first, *second, *missing;

    h2o_headers_append_command(&commands, H2O_HEADERS_CMD_SET,
                               (h2o_iovec_t *)&H2O_TOKEN_CACHE_CONTROL->buf,
                               h2o_iovec_init(H2O_STRLIT("private")));
    h2o_headers_append_command(&commands, H2O_HEADERS_CMD_UNSET, &vary, h2o_iovec_init(NULL, 0));
    h2o_headers_register(fixture->server.path, commands);
    assert_int_equal(breaker_node_load(fixture->node, NULL), 0);
    loopback_server_start(&fixture->server);
    first = get(fixture, PREFIX "css/site.css");
    second = get(fixture, PREFIX "css/site.css");
    missing = get(fixture, PREFIX "none");
    etag = loopback_response_header(first, "etag");
    assert_header(first, "cache-control", "private");
    assert_header(first, "x-served-by", NULL);
    assert_header(second, "cache-control", "private");
    assert_header(second, "etag", etag);
    assert_header(second, "content-type", "text/css; charset=utf-8");
    assert_int_equal(first->headers.size, second->headers.size);
    assert_header(missing, "cache-control", "private");
    loopback_close(missing);
    loopback_close(second);
    loopback_close(first);
    *state = fixture;
    teardown(state);
    h2o_mem_release_shared(commands);
}

/* without the configurator, which registers it by itself */
static void a_guard_looks_to_what_the_application_is_asked(void **state)
{
    fixture_t *fixture = prepare();
    loopback_t *absolute, *doubtful;

    breaker_h2o_guard_register(fixture->server.path);
    assert_int_equal(breaker_node_load(fixture->node, NULL), 0);
    loopback_server_start(&fixture->server);
    absolute = get(fixture, "http://shop.example:8080/page");
    assert_body(absolute, "the application");
    assert_int_equal(absolute->req.path_normalized.len, strlen("/page"));
    assert_int_equal(absolute->req.input.authority.len, strlen("shop.example:8080"));
    doubtful = loopback_open(&fixture->server, "GET", "/page");
    doubtful->req.input.authority = h2o_iovec_init(H2O_STRLIT("shop.example/x"));
    loopback_run(doubtful);
    assert_int_equal(doubtful->status, 400);
    assert_int_equal(fixture->num_declined, 1);
    loopback_close(doubtful);
    loopback_close(absolute);
    *state = fixture;
    teardown(state);
}

/* libh2o's configuration knows spans of time only; who registers the filter by hand, dates as well
 */
static void a_date_of_expires_is_none_of_a_views(void **state)
{
    h2o_expires_args_t args = {.mode = H2O_EXPIRES_MODE_ABSOLUTE,
                               .data.absolute = "Wed, 01 Jan 2020 00:00:00 GMT"};
    fixture_t *fixture = prepare();
    loopback_t *found, *missing, *other;

    h2o_expires_register(fixture->server.path, &args);
    assert_int_equal(breaker_node_load(fixture->node, NULL), 0);
    loopback_server_start(&fixture->server);
    found = get(fixture, PREFIX "css/site.css");
    missing = get(fixture, PREFIX "none");
    other = get(fixture, "/other");
    assert_header(found, "expires", NULL);
    assert_header(found, "cache-control", "public, max-age=31536000, immutable");
    assert_header(missing, "expires", NULL);
    assert_header(other, "expires", args.data.absolute);
    loopback_close(found);
    loopback_close(missing);
    loopback_close(other);
    *state = fixture;
    teardown(state);
}

static void url_for_pages_carries_the_current_token(void **state)
{
    fixture_t *fixture = *state;
    breaker_url_parts_t parts = {.path = "css/site.css", .path_len = strlen("css/site.css")};
    h2o_mem_pool_t pool;
    h2o_iovec_t url;

    h2o_mem_init_pool(&pool);
    assert_int_equal(breaker_h2o_static_url(&pool, fixture->node, fixture->view, &parts, &url), 0);
    assert_int_equal(url.len, strlen(PREFIX "css/site.css"));
    assert_memory_equal(url.base, PREFIX "css/site.css", url.len);
    parts = (breaker_url_parts_t){.base_url = "https://cdn.example/",
                                  .path = "a b.css",
                                  .path_len = strlen("a b.css"),
                                  .query = "x=1",
                                  .query_len = 3,
                                  .anchor = "top",
                                  .anchor_len = 3};
    assert_int_equal(breaker_h2o_static_url(&pool, fixture->node, fixture->view, &parts, &url), 0);
    assert_string_equal(url.base, "https://cdn.example" PREFIX "a%20b.css?x=1#top");
    assert_int_equal(url.len, strlen(url.base));
    parts = (breaker_url_parts_t){.path = "../x", .path_len = 4};
    url = (h2o_iovec_t){NULL, 0};
    assert_int_equal(breaker_h2o_static_url(&pool, fixture->node, fixture->view, &parts, &url),
                     BREAKER_ERR_OUTSIDE);
    assert_null(url.base);
    h2o_mem_clear_pool(&pool);
}

static void integrity_for_pages_is_that_of_the_current_bytes(void **state)
{
    fixture_t *fixture = *state;
    h2o_mem_pool_t pool;
    h2o_iovec_t text = {NULL, 0};

    h2o_mem_init_pool(&pool);
    assert_int_equal(breaker_h2o_static_integrity(&pool, fixture->node, fixture->view,
                                                  H2O_STRLIT("no/such/file"), &text),
                     BREAKER_ERR_NOT_FOUND);
    assert_null(text.base);
    assert_int_equal(breaker_h2o_static_integrity(&pool, fixture->node, fixture->view,
                                                  H2O_STRLIT("css/site.css"), &text),
                     0);
    assert_int_equal(text.len, BREAKER_INTEGRITY_LEN);
    assert_memory_equal(text.base, "sha256-", 7);
    h2o_mem_clear_pool(&pool);
}

static void a_node_without_a_token_has_no_urls_yet(void **state)
{
    breaker_url_parts_t parts = {.path = "a", .path_len = 1};
    breaker_view_config_t config;
    const breaker_view_t *view;
    breaker_node_t *node;
    h2o_mem_pool_t pool;
    h2o_iovec_t text = {NULL, 0};

    (void)state;
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent";
    assert_int_equal(breaker_node_create(NULL, &node), 0);
    assert_int_equal(breaker_node_add_view(node, &config, &view), 0);
    h2o_mem_init_pool(&pool);
    assert_int_equal(breaker_h2o_static_url(&pool, node, view, &parts, &text),
                     BREAKER_ERR_NOT_READY);
    assert_int_equal(breaker_h2o_static_integrity(&pool, node, view, "a", 1, &text),
                     BREAKER_ERR_NOT_READY);
    assert_null(text.base);
    h2o_mem_clear_pool(&pool);
    breaker_node_free(node);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(current_token_gets_the_file_for_a_year),
        TEST(head_equals_get_without_the_body),
        TEST(older_token_is_redirected_with_its_raw_path_and_query),
        TEST(newer_token_is_asked_to_come_back),
        TEST(missing_files_are_not_found_and_not_cached),
        TEST(other_methods_are_not_allowed),
        TEST(body_on_get_is_served_and_the_connection_closed),
        TEST(long_targets_are_refused),
        TEST(paths_outside_the_views_reach_the_next_handler),
        TEST(empty_files_have_a_length_of_zero),
        TEST(matching_tag_is_not_modified_with_the_shared_headers),
        TEST(condition_over_two_lines_is_one_list),
        TEST(failed_precondition_is_412),
        TEST(single_range_has_its_bytes_and_place),
        TEST(several_ranges_are_multipart),
        TEST(unsatisfiable_range_names_the_size),
        TEST(range_that_does_not_count_gets_the_whole),
        TEST(encoding_is_negotiated_once_it_is_made),
        TEST(client_that_takes_nothing_there_is_gets_406),
        TEST(file_on_disk_comes_in_pieces),
        TEST(body_in_memory_comes_at_once_but_under_tls_in_pieces),
        TEST(file_that_changes_on_disk_ends_the_response_with_an_error),
        TEST(client_may_leave_at_any_piece),
        TEST(request_in_flight_keeps_the_release_that_it_began_with),
        TEST(published_token_counts_from_the_next_request_on),
        TEST(answers_are_counted_by_view_and_by_what_they_got),
        cmocka_unit_test(before_the_load_views_ask_to_come_back),
        cmocka_unit_test(filters_of_the_path_change_their_own_copy),
        cmocka_unit_test(a_date_of_expires_is_none_of_a_views),
        cmocka_unit_test(a_guard_looks_to_what_the_application_is_asked),
        TEST(url_for_pages_carries_the_current_token),
        TEST(integrity_for_pages_is_that_of_the_current_bytes),
        TEST(a_node_without_a_token_has_no_urls_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
