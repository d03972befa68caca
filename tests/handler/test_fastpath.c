/*
 * Whose a connection is: it stays on the fast path as long as its requests are plain, and is
 * libh2o's from the first other one on. libh2o's list of its HTTP/1 connections tells. What the
 * answers say is compared with libh2o's own in test_pens.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <breaker/h2o.h>
#include "include-private/filter.h"
#include "loopback.h"
#include "release/release.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"
#include "sockets.h"
#include "tree.h"

#define TOKEN "1718539201234"
#define DEADLINE_S 20
#define GET(target) "GET " target " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ASSET GET("/static/" TOKEN "/css/site.css")
#define CSS "body{color:#123}\n"
#define HELD "1700000000000"
#define HELD_CSS "body{color:#789;margin:0}\n"

enum { LARGE_LEN = 4 << 20 };

typedef struct st_fixture_t {
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
    h2o_accept_ctx_t accept_ctx;
    breaker_h2o_fastpath_t *fastpath;
    size_t num_closed;
} fixture_t;

/* ---- sockets ---- */

static void on_close(void *data)
{
    ++*(size_t *)data;
}

static void accept_connection(fixture_t *fixture, h2o_socket_t *sock)
{
    sock->on_close.cb = on_close;
    sock->on_close.data = &fixture->num_closed;
    breaker_h2o_fastpath_accept(fixture->fastpath, sock);
}

/* a connection that the fast path has accepted; returns the client's end */
static int dial(fixture_t *fixture)
{
    int client;

    accept_connection(fixture, sockets_pair(fixture->server.loop, &client));
    return client;
}

/* the same over TCP, whose buffers hold many small answers */
static int dial_tcp(fixture_t *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
    assert_int_equal(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    accept_connection(fixture,
                      sockets_adopt(fixture->server.loop,
                                    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    close(listener);
    return client;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* reads what is there, once; 0 at the end, -1 for nothing yet */
static ssize_t read_some(int fd, char *dst, size_t size)
{
    ssize_t got = read(fd, dst, size);

    assert_true(got >= 0 || errno == EAGAIN || errno == ECONNRESET);
    return got < 0 && errno == ECONNRESET ? 0 : got;
}

/* runs the loop until `len` bytes have come or the connection has ended; returns how many came */
static size_t receive(fixture_t *fixture, int fd, char *dst, size_t len)
{
    time_t end = time(NULL) + DEADLINE_S;
    size_t have = 0;

    while (have != len) {
        ssize_t got = read_some(fd, dst + have, len - have);
        if (got == 0)
            break;
        if (got > 0) {
            have += (size_t)got;
            continue;
        }
        assert_true(time(NULL) < end);
        loopback_turn(&fixture->server);
    }
    return have;
}

/* takes the head of an answer */
static void expect_head(fixture_t *fixture, int fd, const char *status)
{
    char text[2048];
    size_t len = 0;

    while (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0)
        assert_int_equal(receive(fixture, fd, text + len++, 1), 1);
    assert_memory_equal(text, status, strlen(status));
}

/* takes an answer whose body is known, and checks both */
static void expect(fixture_t *fixture, int fd, const char *status, const char *body)
{
    char text[2048];

    expect_head(fixture, fd, status);
    assert_int_equal(receive(fixture, fd, text, strlen(body)), strlen(body));
    assert_memory_equal(text, body, strlen(body));
}

static bool libh2o_has_connections(const fixture_t *fixture)
{
    return !h2o_linklist_is_empty((h2o_linklist_t *)&fixture->server.ctx.http1._conns);
}

/* ---- the server ---- */

static int on_page(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.content_length = strlen("page");
    h2o_send_inline(req, H2O_STRLIT("page"));
    return 0;
}

static void write_large(const fixture_t *fixture)
{
    char *text = malloc(LARGE_LEN + 1);

    for (size_t i = 0; i != LARGE_LEN; ++i)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    text[LARGE_LEN] = '\0';
    tree_write(&fixture->tree, "large.bin", text);
    free(text);
}

/* everything but the start */
static fixture_t *prepare(void)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    breaker_view_config_t view_config;
    breaker_node_config_t node_config;
    const breaker_view_t *view;

    tree_create(&fixture->tree);
    tree_write(&fixture->tree, "css/site.css", CSS);
    write_large(fixture);
    loopback_server_init(&fixture->server);
    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    assert_int_equal(breaker_node_set_token(fixture->node, TOKEN, strlen(TOKEN)), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture->tree.path;
    assert_int_equal(breaker_node_add_view(fixture->node, &view_config, &view), 0);
    h2o_create_handler(fixture->server.path, sizeof(h2o_handler_t))->on_req = on_page;
    assert_int_equal(breaker_h2o_static_register(fixture->server.path, fixture->node, &view, 1), 0);
    return fixture;
}

static void start(fixture_t *fixture)
{
    breaker_error_t error;

    assert_int_equal(breaker_node_load(fixture->node, &error), 0);
    loopback_server_start(&fixture->server);
    fixture->accept_ctx.ctx = &fixture->server.ctx;
    fixture->accept_ctx.hosts = fixture->server.config.hosts;
    fixture->fastpath = breaker_h2o_fastpath_create(&fixture->accept_ctx);
}

static int setup(void **state)
{
    fixture_t *fixture = prepare();

    start(fixture);
    *state = fixture;
    return 0;
}

/* every connection is closed by its client before */
static int teardown(void **state)
{
    fixture_t *fixture = *state;

    breaker_h2o_fastpath_free(fixture->fastpath);
    loopback_server_dispose(&fixture->server);
    breaker_node_free(fixture->node);
    tree_remove(&fixture->tree);
    free(fixture);
    return 0;
}

static void end_of(fixture_t *fixture)
{
    void *state = fixture;

    teardown(&state);
}

static void hang_up(fixture_t *fixture, int fd)
{
    size_t before = fixture->num_closed;
    time_t end = time(NULL) + DEADLINE_S;

    close(fd);
    while (fixture->num_closed == before) {
        assert_true(time(NULL) < end);
        loopback_turn(&fixture->server);
    }
}

/* ---- tests ---- */

static void plain_requests_never_reach_libh2o(void **state)
{
    fixture_t *fixture = *state;
    int fd = dial(fixture);

    for (int i = 0; i != 3; ++i) {
        say(fd, ASSET);
        expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
        say(fd, GET("/static/" TOKEN "/none"));
        expect(fixture, fd, "HTTP/1.1 404 Not Found", "not found\n");
        say(fd, GET("/static/1/css/site.css"));
        expect(fixture, fd, "HTTP/1.1 301 Moved Permanently", "");
        say(fd, GET("/static/9718539201234/none"));
        expect(fixture, fd, "HTTP/1.1 503 Service Unavailable",
               "not on this node yet, try again\n");
        assert_false(libh2o_has_connections(fixture));
    }
    hang_up(fixture, fd);
}

/* publishes the node's release under TOKEN, beside another that is held under HELD */
static void publish_held(const fixture_t *fixture, breaker_release_t *held)
{
    const breaker_view_t *view = breaker_node_view(fixture->node, 0);
    breaker_release_t *own = breaker_node_release(fixture->node);
    breaker_ledger_entry_t entries[2] = {{.order = 1, .release = *breaker_release_id(held)},
                                         {.order = 2, .release = *breaker_release_id(own)}};
    breaker_ledger_t ledger;
    breaker__snapshot_config_t config = {.views = &view,
                                         .tokens = &entries[1].token,
                                         .num_views = 1,
                                         .release = own,
                                         .held = &held,
                                         .num_held = 1,
                                         .ledger = &ledger};
    breaker_snapshot_t *snapshot;

    assert_int_equal(breaker_token_parse(HELD, strlen(HELD), &entries[0].token), 0);
    assert_int_equal(breaker_token_parse(TOKEN, strlen(TOKEN), &entries[1].token), 0);
    assert_int_equal(breaker_ledger_init(&ledger, entries, 2), 0);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    breaker__publisher_publish(breaker_node_publisher(fixture->node), snapshot);
    breaker_release_unref(own);
}

/* the same view with other bytes */
static breaker_release_t *load_held(fixture_t *fixture)
{
    const breaker_view_t *view = breaker_node_view(fixture->node, 0);
    breaker__release_config_t config = {.views = &view, .num_views = 1};
    breaker_node_config_t node_config;
    breaker_release_t *release;

    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    config.hooks = node_config.hooks;
    tree_write(&fixture->tree, "css/site.css", HELD_CSS);
    assert_int_equal(breaker__release_load(&config, NULL, &release, NULL), 0);
    return release;
}

static void a_held_release_is_answered_without_libh2o_as_the_own_one_is(void **state)
{
    fixture_t *fixture = *state;
    breaker_release_t *held = load_held(fixture);
    int fd;

    publish_held(fixture, held);
    breaker_release_unref(held);
    fd = dial(fixture);
    for (int i = 0; i != 3; ++i) {
        say(fd, GET("/static/" HELD "/css/site.css"));
        expect(fixture, fd, "HTTP/1.1 200 OK", HELD_CSS);
        say(fd, ASSET);
        expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
        say(fd, GET("/static/" HELD "/none"));
        expect(fixture, fd, "HTTP/1.1 404 Not Found", "not found\n");
        assert_false(libh2o_has_connections(fixture));
    }
    hang_up(fixture, fd);
}

static void another_request_takes_its_connection_to_libh2o(void **state)
{
    fixture_t *fixture = *state;
    int fd = dial(fixture), other = dial(fixture);

    say(fd, ASSET GET("/page") ASSET);
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    expect(fixture, fd, "HTTP/1.1 200 OK", "page");
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    assert_true(libh2o_has_connections(fixture));
    say(other, ASSET);
    expect(fixture, other, "HTTP/1.1 200 OK", CSS);
    hang_up(fixture, fd);
    assert_false(libh2o_has_connections(fixture));
    hang_up(fixture, other);
}

static void what_was_read_before_the_fast_path_had_the_connection_is_answered(void **state)
{
    fixture_t *fixture = *state;
    int fd;
    h2o_socket_t *sock = sockets_pair(fixture->server.loop, &fd);

    memcpy(h2o_buffer_reserve(&sock->input, strlen(ASSET)).base, ASSET, strlen(ASSET));
    sock->input->size += strlen(ASSET);
    accept_connection(fixture, sock);
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    say(fd, ASSET);
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    hang_up(fixture, fd);
}

static void a_request_in_two_pieces_stays(void **state)
{
    fixture_t *fixture = *state;
    int fd = dial(fixture);

    for (int i = 0; i != 2; ++i) {
        say(fd, "GET /static/" TOKEN);
        loopback_turn(&fixture->server);
        say(fd, "/css/site.css HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
        assert_false(libh2o_has_connections(fixture));
    }
    hang_up(fixture, fd);
}

static void a_request_in_three_pieces_takes_its_connection_to_libh2o(void **state)
{
    fixture_t *fixture = *state;
    int fd = dial(fixture);
    time_t end = time(NULL) + DEADLINE_S;

    say(fd, "GET /static/" TOKEN);
    loopback_turn(&fixture->server);
    assert_false(libh2o_has_connections(fixture));
    say(fd, "/css");
    while (!libh2o_has_connections(fixture)) {
        assert_true(time(NULL) < end);
        loopback_turn(&fixture->server);
    }
    say(fd, "/site.css HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    hang_up(fixture, fd);
}

static void a_client_that_stops_reading_gets_the_rest_when_it_goes_on(void **state)
{
    static char body[LARGE_LEN];
    fixture_t *fixture = *state;
    int fd = dial(fixture);

    say(fd, GET("/static/" TOKEN "/large.bin") ASSET);
    for (int i = 0; i != 5; ++i)
        loopback_turn(&fixture->server);
    expect_head(fixture, fd, "HTTP/1.1 200 OK");
    assert_int_equal(receive(fixture, fd, body, LARGE_LEN), LARGE_LEN);
    for (size_t i = 0; i != LARGE_LEN; ++i)
        if (body[i] != (char)('a' + (i * 7 + i / 251) % 26))
            fail_msg("byte %zu is wrong", i);
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    assert_false(libh2o_has_connections(fixture));
    hang_up(fixture, fd);
}

static void a_client_that_goes_away_in_the_middle_leaves_nothing(void **state)
{
    fixture_t *fixture = *state;
    int fd = dial(fixture);
    char text[100];

    say(fd, GET("/static/" TOKEN "/large.bin"));
    assert_int_equal(receive(fixture, fd, text, sizeof(text)), sizeof(text));
    hang_up(fixture, fd);
}

static void a_flood_of_requests_lets_others_have_their_turn(void **state)
{
    enum { FLOOD = 2000 };
    static char answers[FLOOD * 1024];
    fixture_t *fixture = *state;
    int flood = dial_tcp(fixture), other = dial_tcp(fixture);
    size_t answer_len = 0, have = 0;

    say(other, ASSET);
    while (answer_len < strlen(CSS) ||
           memcmp(answers + answer_len - strlen(CSS), CSS, strlen(CSS)) != 0)
        assert_int_equal(receive(fixture, other, answers + answer_len++, 1), 1);
    for (int i = 0; i != FLOOD; ++i)
        strcpy(answers + (size_t)i * strlen(ASSET), ASSET);
    say(flood, answers);
    say(other, ASSET);
    expect(fixture, other, "HTTP/1.1 200 OK", CSS);
    /* the flood has rested meanwhile, twice at most */
    for (ssize_t got; (got = read_some(flood, answers, sizeof(answers))) > 0;)
        have += (size_t)got;
    assert_true(have <= 3 * 256 * answer_len);
    assert_int_equal(receive(fixture, flood, answers, FLOOD * answer_len - have),
                     FLOOD * answer_len - have);
    say(flood, ASSET);
    expect(fixture, flood, "HTTP/1.1 200 OK", CSS);
    assert_false(libh2o_has_connections(fixture));
    hang_up(fixture, flood);
    hang_up(fixture, other);
}

static void an_idle_connection_is_closed_in_time(void **state)
{
    fixture_t *fixture = prepare();
    char byte;
    int fds[2];
    (void)state;

    fixture->server.config.http1.req_timeout = 4000;
    start(fixture);
    fds[0] = dial(fixture);
    fds[1] = dial(fixture);
    say(fds[1], ASSET);
    expect(fixture, fds[1], "HTTP/1.1 200 OK", CSS);
    for (int i = 0; i != 2; ++i) {
        assert_int_equal(receive(fixture, fds[i], &byte, 1), 0);
        close(fds[i]);
    }
    assert_int_equal(fixture->num_closed, 2);
    end_of(fixture);
}

static void at_the_end_idle_connections_end_and_requests_are_answered(void **state)
{
    fixture_t *fixture = *state;
    int idle = dial(fixture), fresh = dial(fixture), asking = dial(fixture);
    char byte;

    say(idle, ASSET);
    expect(fixture, idle, "HTTP/1.1 200 OK", CSS);
    say(asking, ASSET);
    expect(fixture, asking, "HTTP/1.1 200 OK", CSS);
    say(asking, ASSET);
    h2o_context_request_shutdown(&fixture->server.ctx);
    breaker_h2o_fastpath_end_idle(fixture->fastpath, true);
    assert_int_equal(receive(fixture, idle, &byte, 1), 0);
    expect(fixture, asking, "HTTP/1.1 200 OK", CSS);
    assert_int_equal(receive(fixture, asking, &byte, 1), 0);
    assert_int_equal(fixture->num_closed, 2);
    breaker_h2o_fastpath_end_idle(fixture->fastpath, false);
    assert_int_equal(receive(fixture, fresh, &byte, 1), 0);
    assert_int_equal(fixture->num_closed, 3);
    close(idle);
    close(fresh);
    close(asking);
    /* libh2o leaves it linked, and then asserts that the list is empty */
    h2o_timeout_unlink(&fixture->server.ctx.http2._graceful_shutdown_timeout);
}

typedef void (*spoil_t)(fixture_t *fixture);

static void on_log(h2o_logger_t *self, h2o_req_t *req)
{
    (void)self, (void)req;
}

static void add_logger(fixture_t *fixture)
{
    h2o_create_logger(fixture->server.path, sizeof(h2o_logger_t))->log_access = on_log;
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    h2o_setup_next_ostream(req, slot);
}

static void add_filter(fixture_t *fixture)
{
    h2o_create_filter(fixture->server.path, sizeof(h2o_filter_t))->on_setup_ostream =
        on_setup_ostream;
}

static void add_host(fixture_t *fixture)
{
    h2o_config_register_host(&fixture->server.config, h2o_iovec_init(H2O_STRLIT("other")), 65535);
}

static void add_compress(fixture_t *fixture)
{
    h2o_compress_args_t args = {.min_size = 1, .gzip = {1}, .brotli = {-1}};

    h2o_compress_register(fixture->server.path, &args);
}

static void add_spared(fixture_t *fixture)
{
    add_filter(fixture);
    fixture->server.path->filters.entries[0]->on_context_init = breaker__filter_spares_assets;
}

static void add_expires(fixture_t *fixture)
{
    h2o_expires_args_t args = {.mode = H2O_EXPIRES_MODE_MAX_AGE, .data.max_age = 60};

    h2o_expires_register(fixture->server.path, &args);
}

static void add_headers(fixture_t *fixture, int cmd, const h2o_token_t *token)
{
    static h2o_headers_command_t cmds[2];

    cmds[0] = (h2o_headers_command_t){
        cmd, (h2o_iovec_t *)(uintptr_t)&token->buf, {H2O_STRLIT("x-filter")}};
    cmds[1] = (h2o_headers_command_t){.cmd = H2O_HEADERS_CMD_NULL};
    h2o_headers_register(fixture->server.path, cmds);
}

static void add_link(fixture_t *fixture)
{
    add_headers(fixture, H2O_HEADERS_CMD_SET, H2O_TOKEN_LINK);
}

/* for which libh2o's HTTP/1 writes something else to some user agents */
static void add_vary(fixture_t *fixture)
{
    add_headers(fixture, H2O_HEADERS_CMD_MERGE, H2O_TOKEN_VARY);
}

/* what compresses does nothing to assets, what changes heads is done on the way past libh2o */
static void filters_that_look_at_nothing_but_heads_take_nothing_to_libh2o(void **state)
{
    static const spoil_t spoils[] = {add_compress, add_spared, add_expires, add_link};
    (void)state;

    for (size_t i = 0; i != sizeof(spoils) / sizeof(spoils[0]); ++i) {
        fixture_t *fixture = prepare();

        spoils[i](fixture);
        start(fixture);
        *state = fixture;
        plain_requests_never_reach_libh2o(state);
        end_of(fixture);
    }
}

static void access_logs_take_nothing_to_libh2o(void **state)
{
#define ROUND "200 17\n404 10\n301 0\n503 32\n"
    fixture_t *fixture = prepare();
    breaker_h2o_access_log_t *log;
    char path[128], text[256] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/log", fixture->tree.path);
    assert_int_equal(
        breaker_h2o_access_log_open(path, "%s %b", H2O_LOGCONF_ESCAPE_APACHE, &log, NULL), 0);
    breaker_h2o_access_log_register(fixture->server.path, log);
    breaker_h2o_access_log_close(log);
    start(fixture);
    *state = fixture;
    plain_requests_never_reach_libh2o(state);
    breaker_h2o_flush_logs(&fixture->server.config);
    assert_non_null(file = fopen(path, "r"));
    assert_int_equal(fread(text, 1, sizeof(text) - 1, file), strlen(ROUND) * 3);
    assert_string_equal(text, ROUND ROUND ROUND);
    fclose(file);
    end_of(fixture);
}

static void what_is_behind_filters_loggers_and_hosts_is_libh2os(void **state)
{
    static const spoil_t spoils[] = {add_logger, add_filter, add_vary, add_host};
    (void)state;

    for (size_t i = 0; i != sizeof(spoils) / sizeof(spoils[0]); ++i) {
        fixture_t *fixture = prepare();
        int fd;

        spoils[i](fixture);
        start(fixture);
        fd = dial(fixture);
        assert_true(libh2o_has_connections(fixture));
        say(fd, ASSET);
        expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
        hang_up(fixture, fd);
        end_of(fixture);
    }
}

static void a_server_that_answers_its_peers_is_no_slower(void **state)
{
    fixture_t *fixture = prepare();
    int fd;
    (void)state;

    assert_int_equal(breaker_h2o_peers_register(&fixture->server.config, fixture->node), 0);
    start(fixture);
    fd = dial(fixture);
    say(fd, ASSET);
    expect(fixture, fd, "HTTP/1.1 200 OK", CSS);
    assert_false(libh2o_has_connections(fixture));
    say(fd, GET("/.well-known/h2o-breaker/held"));
    expect(fixture, fd, "HTTP/1.1 200 OK", "page");
    assert_true(libh2o_has_connections(fixture));
    hang_up(fixture, fd);
    end_of(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_requests_never_reach_libh2o, setup, teardown),
        cmocka_unit_test_setup_teardown(a_held_release_is_answered_without_libh2o_as_the_own_one_is,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_request_takes_its_connection_to_libh2o, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_was_read_before_the_fast_path_had_the_connection_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_in_two_pieces_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_in_three_pieces_takes_its_connection_to_libh2o,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_stops_reading_gets_the_rest_when_it_goes_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_goes_away_in_the_middle_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_flood_of_requests_lets_others_have_their_turn, setup,
                                        teardown),
        cmocka_unit_test(an_idle_connection_is_closed_in_time),
        cmocka_unit_test_setup_teardown(at_the_end_idle_connections_end_and_requests_are_answered,
                                        setup, teardown),
        cmocka_unit_test(filters_that_look_at_nothing_but_heads_take_nothing_to_libh2o),
        cmocka_unit_test(access_logs_take_nothing_to_libh2o),
        cmocka_unit_test(what_is_behind_filters_loggers_and_hosts_is_libh2os),
        cmocka_unit_test(a_server_that_answers_its_peers_is_no_slower),
    };
    /* as every server on libh2o does */
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
