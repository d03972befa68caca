/*
 * Pages of a proxied application: libh2o's proxy sends when data comes, holds its own buffers, and
 * goes on with the request elsewhere inside of h2o, so it meets the rewriting in ways of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>
#include "pages.h"

#define UNIT "<a href=" LITERAL "x>"
#define REWRITTEN_UNIT "<a href=" PREFIX "x>"

/* ---- the application: a blocking server on the loopback address, one connection at a time ---- */

typedef struct st_upstream_t {
    pthread_t thread;
    int fd;
    uint16_t port;
    pthread_mutex_t mutex;
    /* under the mutex */
    char *response; /* owned */
    size_t len;
    char request[8192];
} upstream_t;

static void read_request(upstream_t *upstream, int fd)
{
    char request[sizeof(upstream->request)];
    size_t len = 0;
    ssize_t ret;

    while (len != sizeof(request) - 1 &&
           (ret = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
        len += (size_t)ret;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            break;
    }
    request[len] = '\0';
    pthread_mutex_lock(&upstream->mutex);
    memcpy(upstream->request, request, len + 1);
    pthread_mutex_unlock(&upstream->mutex);
}

/* the head by itself and the beginning of the body by bytes, then whatever fits */
static void write_response(upstream_t *upstream, int fd)
{
    size_t at = 0, piece;
    ssize_t ret = 1;

    pthread_mutex_lock(&upstream->mutex);
    while (at != upstream->len && ret > 0) {
        piece = at < 1000 ? 1 : upstream->len - at;
        ret = send(fd, upstream->response + at, piece, MSG_NOSIGNAL);
        at += ret > 0 ? (size_t)ret : 0;
    }
    pthread_mutex_unlock(&upstream->mutex);
}

static void *serve(void *_upstream)
{
    upstream_t *upstream = _upstream;
    int fd, on = 1;

    while ((fd = accept(upstream->fd, NULL, NULL)) != -1) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        read_request(upstream, fd);
        write_response(upstream, fd);
        close(fd);
    }
    return NULL;
}

static void upstream_start(upstream_t *upstream)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);

    memset(upstream, 0, sizeof(*upstream));
    pthread_mutex_init(&upstream->mutex, NULL);
    upstream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_not_equal(upstream->fd, -1);
    assert_int_equal(bind(upstream->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(upstream->fd, 16), 0);
    assert_int_equal(getsockname(upstream->fd, (struct sockaddr *)&sin, &len), 0);
    upstream->port = ntohs(sin.sin_port);
    assert_int_equal(pthread_create(&upstream->thread, NULL, serve, upstream), 0);
}

static void upstream_stop(upstream_t *upstream)
{
    shutdown(upstream->fd, SHUT_RDWR);
    pthread_join(upstream->thread, NULL);
    close(upstream->fd);
    pthread_mutex_destroy(&upstream->mutex);
    free(upstream->response);
}

/* `len` is what the head says, `sent` how much of it follows */
static void upstream_answer(upstream_t *upstream, const char *head, const char *body, size_t len,
                            size_t sent)
{
    char *response = malloc(strlen(head) + 64 + sent);
    int head_len;

    assert_non_null(response);
    head_len = sprintf(response, "%sConnection: close\r\nContent-Length: %zu\r\n\r\n", head, len);
    memcpy(response + head_len, body, sent);
    pthread_mutex_lock(&upstream->mutex);
    free(upstream->response);
    upstream->response = response;
    upstream->len = (size_t)head_len + sent;
    pthread_mutex_unlock(&upstream->mutex);
}

static bool upstream_saw(upstream_t *upstream, const char *line)
{
    bool seen;

    pthread_mutex_lock(&upstream->mutex);
    seen = strcasestr(upstream->request, line) != NULL;
    pthread_mutex_unlock(&upstream->mutex);
    return seen;
}

/* ---- the fixture ---- */

typedef struct st_fixture_t {
    pages_t pages;
    upstream_t upstream;
    char url[64];
    char *page, *rewritten;
    char *gzipped;
    size_t gzipped_len;
    /** libh2o's proxy forgets to free the authority of its upstream */
    char *leaked_authorities[2];
} fixture_t;

enum { TIMES = 100000 };

static char *repeat(const char *unit)
{
    size_t len = strlen(unit);
    char *text = malloc(len * TIMES + 1);

    assert_non_null(text);
    for (size_t i = 0; i != TIMES; ++i)
        memcpy(text + i * len, unit, len + 1);
    return text;
}

static void gzip_page(fixture_t *fixture)
{
    size_t len = strlen(fixture->page);
    z_stream zlib = {0};

    fixture->gzipped = malloc(len);
    assert_non_null(fixture->gzipped);
    assert_int_equal(deflateInit2(&zlib, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (Bytef *)fixture->page;
    zlib.avail_in = (uInt)len;
    zlib.next_out = (Bytef *)fixture->gzipped;
    zlib.avail_out = (uInt)len;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    fixture->gzipped_len = zlib.total_out;
    deflateEnd(&zlib);
}

/* how the handler of libh2o's proxy begins */
typedef struct st_proxy_handler_t {
    h2o_handler_t super;
    h2o_url_t upstream;
} proxy_handler_t;

static void register_proxy(fixture_t *fixture, size_t number, const char *path_base,
                           const char *upstream_path)
{
    h2o_pathconf_t *path = loopback_register_path(&fixture->pages.server, path_base);
    h2o_proxy_config_vars_t config = {.io_timeout = 30000, .preserve_host = 1};
    h2o_url_t url;

    snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:%u%s",
             (unsigned)fixture->upstream.port, upstream_path);
    assert_int_equal(h2o_url_parse(fixture->url, SIZE_MAX, &url), 0);
    h2o_proxy_register_reverse_proxy(path, &url, &config);
    fixture->leaked_authorities[number] =
        ((proxy_handler_t *)path->handlers.entries[0])->upstream.authority.base;
    assert_int_equal(breaker_h2o_rewrite_register(path, fixture->pages.node), 0);
}

static int setup(void **state)
{
    static const char *const names[] = {"static/{breaker}", NULL};
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    upstream_start(&fixture->upstream);
    pages_prepare(&fixture->pages, names);
    register_proxy(fixture, 0, "/lookalike", "/static/1");
    register_proxy(fixture, 1, "/proxied", "/app");
    h2o_reproxy_register(fixture->pages.server.path);
    pages_start(&fixture->pages);
    fixture->page = repeat(UNIT);
    fixture->rewritten = repeat(REWRITTEN_UNIT);
    gzip_page(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    pages_dispose(&fixture->pages);
    upstream_stop(&fixture->upstream);
    free(fixture->leaked_authorities[0]);
    free(fixture->leaked_authorities[1]);
    free(fixture->page);
    free(fixture->rewritten);
    free(fixture->gzipped);
    free(fixture);
    return 0;
}

static loopback_t *open_page(fixture_t *fixture, const char *path)
{
    loopback_t *exchange = loopback_open(&fixture->pages.server, "GET", path);

    exchange->req.version = 0x200;
    return exchange;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
#define GZIP_HEAD HEAD "Content-Encoding: gzip\r\n"

/* ---- the tests ---- */

static void a_proxied_page_is_rewritten(void **state)
{
    fixture_t *fixture = *state;

    upstream_answer(&fixture->upstream, HEAD, fixture->page, strlen(fixture->page),
                    strlen(fixture->page));
    loopback_t *exchange = open_page(fixture, "/proxied/page");
    loopback_header(exchange, "X-Breaker-Token", "spoofed");
    loopback_run(exchange);
    assert_false(exchange->error);
    assert_body(exchange, fixture->rewritten, strlen(fixture->rewritten));
    assert_true(exchange->largest_send < 3 * 65536);
    loopback_close(exchange);
    assert_true(upstream_saw(&fixture->upstream, "GET /app/page HTTP/1.1\r\n"));
    assert_true(upstream_saw(&fixture->upstream, "\r\nX-Breaker-Token: " TOKEN "\r\n"));
    assert_true(upstream_saw(&fixture->upstream, "\r\nX-Breaker-Prefix: " PREFIX "\r\n"));
    assert_true(upstream_saw(&fixture->upstream, "\r\nX-Breaker-Prefix-Static: " PREFIX "\r\n"));
    assert_false(upstream_saw(&fixture->upstream, "spoofed"));
}

static void a_path_of_the_application_s_own_is_none_of_a_view(void **state)
{
    fixture_t *fixture = *state;

    upstream_answer(&fixture->upstream, HEAD, UNIT, strlen(UNIT), strlen(UNIT));
    loopback_t *exchange = open_page(fixture, "/lookalike/page");
    loopback_run(exchange);
    assert_body(exchange, REWRITTEN_UNIT, strlen(REWRITTEN_UNIT));
    loopback_close(exchange);
    assert_true(upstream_saw(&fixture->upstream, "GET /static/1/page HTTP/1.1\r\n"));
}

static void a_proxied_encoded_page_is_rewritten_and_leaves_encoded(void **state)
{
    fixture_t *fixture = *state;

    upstream_answer(&fixture->upstream, GZIP_HEAD, fixture->gzipped, fixture->gzipped_len,
                    fixture->gzipped_len);
    loopback_t *exchange = open_page(fixture, "/proxied/page");
    loopback_header(exchange, "Accept-Encoding", "gzip");
    loopback_run(exchange);
    assert_false(exchange->error);
    assert_header(exchange, "Content-Encoding", "gzip");
    assert_header(exchange, "Vary", "accept-encoding");
    assert_gzip_body(exchange, fixture->rewritten, strlen(fixture->rewritten));
    assert_true(exchange->largest_send < 3 * 65536);
    loopback_close(exchange);
    assert_true(upstream_saw(&fixture->upstream, "\r\nAccept-Encoding: gzip\r\n"));
}

static void a_proxied_page_is_confirmed(void **state)
{
    fixture_t *fixture = *state;
    char etag[128];

    upstream_answer(&fixture->upstream, HEAD "ETag: \"abc\"\r\n", UNIT, strlen(UNIT), strlen(UNIT));
    loopback_t *exchange = open_page(fixture, "/proxied/page");
    loopback_run(exchange);
    snprintf(etag, sizeof(etag), "%s", loopback_response_header(exchange, "ETag"));
    loopback_close(exchange);

    upstream_answer(&fixture->upstream, "HTTP/1.1 304 Not Modified\r\nETag: W/\"abc\"\r\n", "", 0,
                    0);
    exchange = open_page(fixture, "/proxied/page");
    loopback_header(exchange, "If-None-Match", etag);
    loopback_header(exchange, "Accept", "text/html");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 304);
    assert_header(exchange, "ETag", etag);
    loopback_close(exchange);
    assert_true(upstream_saw(&fixture->upstream, "\r\nIf-None-Match: \"abc\"\r\n"));
}

static void a_proxied_page_that_breaks_off_ends_as_an_error(void **state)
{
    fixture_t *fixture = *state;
    size_t len = strlen(fixture->page);

    for (size_t part = 0; part <= 2; ++part) {
        upstream_answer(&fixture->upstream, HEAD, fixture->page, len, len * part / 4);
        loopback_t *exchange = open_page(fixture, "/proxied/page");
        loopback_run(exchange);
        assert_true(exchange->error);
        loopback_close(exchange);
    }
}

static void a_proxied_page_with_a_corrupt_encoding_ends_as_an_error(void **state)
{
    fixture_t *fixture = *state;
    const size_t places[] = {0, 11, fixture->gzipped_len / 2, fixture->gzipped_len - 5};

    for (size_t i = 0; i != sizeof(places) / sizeof(places[0]); ++i) {
        char *corrupt = malloc(fixture->gzipped_len);
        assert_non_null(corrupt);
        memcpy(corrupt, fixture->gzipped, fixture->gzipped_len);
        for (size_t at = places[i]; at != fixture->gzipped_len; ++at)
            corrupt[at] ^= 0x55;
        upstream_answer(&fixture->upstream, GZIP_HEAD, corrupt, fixture->gzipped_len,
                        fixture->gzipped_len);
        loopback_t *exchange = open_page(fixture, "/proxied/page");
        loopback_run(exchange);
        assert_true(exchange->error);
        loopback_close(exchange);
        free(corrupt);
    }
}

static void a_client_may_leave_a_proxied_page_at_any_step(void **state)
{
    fixture_t *fixture = *state;

    for (unsigned steps = 1; steps != 12; ++steps)
        for (int encoded = 0; encoded <= 1; ++encoded) {
            size_t len = encoded ? fixture->gzipped_len : strlen(fixture->page);
            upstream_answer(&fixture->upstream, encoded ? GZIP_HEAD : HEAD,
                            encoded ? fixture->gzipped : fixture->page, len, len);
            loopback_t *exchange = open_page(fixture, "/proxied/page");
            exchange->stepwise = true;
            for (unsigned step = 0; step != steps; ++step)
                assert_true(loopback_step(exchange));
            loopback_close(exchange);
            loopback_turn(&fixture->pages.server);
        }
}

static void an_answer_that_points_at_another_server_s_page_gives_it_rewritten(void **state)
{
    fixture_t *fixture = *state;
    char header[128];
    const char *const headers[] = {"Content-Type: text/html", header, NULL};

    snprintf(header, sizeof(header), "X-Reproxy-URL: %s", fixture->url);
    upstream_answer(&fixture->upstream, HEAD, UNIT, strlen(UNIT), strlen(UNIT));
    for (size_t chunk_len = 0; chunk_len <= 3; ++chunk_len) {
        pages_answer(&fixture->pages, headers, UNIT UNIT, 2 * strlen(UNIT));
        fixture->pages.app->chunk_len = chunk_len;
        loopback_t *exchange = open_page(fixture, "/");
        loopback_run(exchange);
        assert_body(exchange, REWRITTEN_UNIT, strlen(REWRITTEN_UNIT));
        loopback_close(exchange);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_proxied_page_is_rewritten),
        TEST(a_path_of_the_application_s_own_is_none_of_a_view),
        TEST(a_proxied_encoded_page_is_rewritten_and_leaves_encoded),
        TEST(a_proxied_page_is_confirmed),
        TEST(a_proxied_page_that_breaks_off_ends_as_an_error),
        TEST(a_proxied_page_with_a_corrupt_encoding_ends_as_an_error),
        TEST(a_client_may_leave_a_proxied_page_at_any_step),
        TEST(an_answer_that_points_at_another_server_s_page_gives_it_rewritten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
