/*
 * Lines of access logs. Random formats, of every directive, over random requests: what is written
 * here is what libh2o writes, byte for byte. The formats follow from their seeds, so a failure
 * repeats. And what becomes of lines that do not fit, here or into a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <breaker/h2o.h>
#include "config/configurator.h"
#include "log/batch.h"
#include "log/format.h"
#include "log/sink.h"
#include "loopback.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
#ifdef __SANITIZE_ADDRESS__
    /* with allocations traced the slow way, see CMakeLists.txt */
    NUM_SEEDS = 2000,
    NUM_REQUESTS = 20,
#else
    NUM_SEEDS = 40000,
    NUM_REQUESTS = 200,
#endif
    FORMAT_MAX = 1024,
    LINE_MAX_LEN = 65536,
    HEADERS_MAX = 6,
};

static unsigned seed;

static unsigned pick(unsigned num)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % num;
}

/* ---- a connection that is none ---- */

typedef struct st_nobody_t {
    h2o_conn_t super;
    struct sockaddr_storage addr;
    socklen_t addr_len;
} nobody_t;

static socklen_t get_address(h2o_conn_t *conn, struct sockaddr *sa)
{
    nobody_t *self = (void *)conn;

    memcpy(sa, &self->addr, self->addr_len);
    return self->addr_len;
}

static h2o_iovec_t log_something(h2o_req_t *req)
{
    (void)req;
    return h2o_iovec_init(H2O_STRLIT("something"));
}

static h2o_iovec_t log_nothing(h2o_req_t *req)
{
    (void)req;
    return h2o_iovec_init(NULL, 0);
}

static void make_address(nobody_t *conn)
{
    struct sockaddr_in *in = (void *)&conn->addr;
    struct sockaddr_in6 *in6 = (void *)&conn->addr;

    memset(&conn->addr, 0, sizeof(conn->addr));
    switch (pick(4)) {
    case 0:
        conn->addr_len = 0;
        return;
    case 1:
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)pick(65536));
        for (size_t i = 0; i != 16; ++i)
            in6->sin6_addr.s6_addr[i] = (uint8_t)pick(256);
        conn->addr_len = sizeof(*in6);
        return;
    default:
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)pick(65536));
        in->sin_addr.s_addr = (uint32_t)pick(65536) << 16 | pick(65536);
        conn->addr_len = sizeof(*in);
        return;
    }
}

/* ---- a request that nobody has sent ---- */

typedef struct st_world_t {
    h2o_globalconf_t config;
    h2o_hostconf_t *host;
    h2o_pathconf_t *path;
    h2o_timestamp_string_t time_text;
    nobody_t conn;
    h2o_req_t req;
} world_t;

static const char *const names[HEADERS_MAX] = {"referer",    "user-agent", "x-own",
                                               "set-cookie", "etag",       "cookie"};

static h2o_iovec_t random_text(h2o_mem_pool_t *pool)
{
    size_t len = pick(4) == 0 ? pick(300) : pick(20);
    bool is_wild = pick(3) == 0;
    h2o_iovec_t text = {h2o_mem_alloc_pool(pool, len + 1), len};

    for (size_t i = 0; i != len; ++i)
        text.base[i] = (char)(is_wild ? pick(256) : ' ' + pick(96));
    return text;
}

static void add_headers(h2o_req_t *req, h2o_headers_t *headers)
{
    *headers = (h2o_headers_t){NULL};
    for (size_t num = pick(HEADERS_MAX); num != 0; --num) {
        const char *name = names[pick(HEADERS_MAX)];
        const h2o_token_t *token = h2o_lookup_token(name, strlen(name));
        h2o_iovec_t value = random_text(&req->pool);
        if (token != NULL)
            h2o_add_header(&req->pool, headers, token, NULL, value.base, value.len);
        else
            h2o_add_header_by_str(&req->pool, headers, name, strlen(name), 0, NULL, value.base,
                                  value.len);
    }
}

static struct timeval random_time(void)
{
    if (pick(4) == 0)
        return (struct timeval){0, 0};
    return (struct timeval){1700000000 + (time_t)(pick(2) == 0 ? 0 : pick(1000)),
                            pick(3) == 0 ? 0 : (suseconds_t)pick(1000000)};
}

/* no earlier than all before, or none; what libh2o writes of a span that ends before it begins are
   no digits */
static struct timeval next_time(struct timeval *latest)
{
    struct timeval next = random_time();

    if (next.tv_sec == 0)
        return next;
    if (next.tv_sec <= latest->tv_sec)
        next = *latest;
    return *latest = next;
}

static void make_times(world_t *world)
{
    h2o_req_t *req = &world->req;
    struct timeval latest = {0, 0};

    world->conn.super.connected_at = next_time(&latest);
    req->timestamps.request_begin_at = next_time(&latest);
    req->timestamps.request_body_begin_at = next_time(&latest);
    req->processed_at.at = next_time(&latest);
    req->processed_at.str = &world->time_text;
    req->timestamps.response_start_at = next_time(&latest);
    req->timestamps.response_end_at = next_time(&latest);
}

static void make_request(world_t *world)
{
    static const int versions[] = {0x100, 0x101, 0x200};
    static const int statuses[] = {0, 100, 200, 206, 301, 304, 404, 503, 999};
    h2o_req_t *req = &world->req;

    h2o_init_request(req, &world->conn.super, NULL);
    make_address(&world->conn);
    world->conn.super.id = pick(2) == 0 ? UINT64_MAX : pick(100);
    req->input.method = random_text(&req->pool);
    req->input.path = random_text(&req->pool);
    req->input.query_at = pick(2) == 0 ? SIZE_MAX : pick((unsigned)req->input.path.len + 1);
    req->input.authority = random_text(&req->pool);
    req->version = versions[pick(COUNT(versions))];
    req->hostconf = world->host;
    req->pathconf = world->path;
    req->bytes_sent = pick(2) == 0 ? SIZE_MAX - pick(9) : pick(65536);
    req->res.status = statuses[pick(COUNT(statuses))];
    req->res.original.status = statuses[pick(COUNT(statuses))];
    if (pick(2) == 0)
        *h2o_req_getenv(req, H2O_STRLIT("REMOTE_USER"), 1) = random_text(&req->pool);
    if (pick(2) == 0)
        *h2o_req_getenv(req, H2O_STRLIT("NAME"), 1) = random_text(&req->pool);
    if (pick(2) == 0)
        h2o_req_log_error(req, "test", "%s", "an \"error\"");
    add_headers(req, &req->headers);
    add_headers(req, &req->res.headers);
    add_headers(req, &req->res.original.headers);
    make_times(world);
}

/* ---- formats ---- */

static const char *const directives[] = {"%A",
                                         "%b",
                                         "%H",
                                         "%h",
                                         "%l",
                                         "%m",
                                         "%p",
                                         "%e",
                                         "%q",
                                         "%r",
                                         "%s",
                                         "%t",
                                         "%U",
                                         "%u",
                                         "%V",
                                         "%v",
                                         "%<s",
                                         "%>s",
                                         "%<>s",
                                         "%><s",
                                         "%%",
                                         "%{local}p",
                                         "%{remote}p",
                                         "%{NAME}e",
                                         "%{OTHER}e",
                                         "%{sec}t",
                                         "%{msec}t",
                                         "%{usec}t",
                                         "%{msec_frac}t",
                                         "%{usec_frac}t",
                                         "%{%Y-%m-%d %H:%M:%S}t",
                                         "%{SEC}t",
                                         "%{referer}i",
                                         "%{Referer}i",
                                         "%{USER-AGENT}i",
                                         "%{x-own}i",
                                         "%{X-Other}i",
                                         "%{cookie}i",
                                         "%{host}i",
                                         "%{content-length}i",
                                         "%{}i",
                                         "%<{etag}i",
                                         "%{etag}o",
                                         "%<{etag}o",
                                         "%>{ETag}o",
                                         "%{x-own}o",
                                         "%<{x-own}o",
                                         "%{set-cookie}o",
                                         "%<{Set-Cookie}o",
                                         "%{none}o",
                                         "%{connection-id}x",
                                         "%{Connection-Id}x",
                                         "%{connect-time}x",
                                         "%{request-header-time}x",
                                         "%{request-body-time}x",
                                         "%{request-total-time}x",
                                         "%{process-time}x",
                                         "%{response-time}x",
                                         "%{duration}x",
                                         "%{error}x",
                                         "%{http1.request-index}x",
                                         "%{http2.stream-id}x",
                                         "%{http2.priority.received}x",
                                         "%{http2.priority.received.exclusive}x",
                                         "%{http2.priority.received.parent}x",
                                         "%{http2.priority.received.weight}x",
                                         "%{http2.priority.actual}x",
                                         "%{http2.priority.actual.parent}x",
                                         "%{http2.priority.actual.weight}x",
                                         "%{ssl.protocol-version}x",
                                         "%{ssl.session-reused}x",
                                         "%{ssl.cipher}x",
                                         "%{ssl.cipher-bits}x",
                                         "%{ssl.session-id}x",
                                         "%{no such thing}x"};

static const char *const texts[] = {"",   " ",   "\"",  "'",   "\\",     "\\\"",
                                    "a",  "\"a", "a\"", "\":", "\",",    "\"\"",
                                    "''", "%%",  "\n",  "{}",  "\\\\\"", "x'y\"z"};

static void make_format(char *dst)
{
    size_t len = 0;

    for (unsigned num = pick(8); num != 0; --num) {
        const char *around = pick(2) == 0 ? "\"" : pick(2) == 0 ? "'" : "";
        len += (size_t)snprintf(dst + len, FORMAT_MAX - len, "%s%s%s%s", texts[pick(COUNT(texts))],
                                around, directives[pick(COUNT(directives))], around);
    }
    snprintf(dst + len, FORMAT_MAX - len, "%s", texts[pick(COUNT(texts))]);
}

/* ---- tests ---- */

static int setup(void **state)
{
    static h2o_conn_callbacks_t callbacks;
    world_t *world = calloc(1, sizeof(*world));

    callbacks.get_sockname = callbacks.get_peername = get_address;
    callbacks.log_.ssl.protocol_version = log_something;
    callbacks.log_.ssl.cipher = log_nothing;
    callbacks.log_.http1.request_index = log_something;
    h2o_config_init(&world->config);
    world->host =
        h2o_config_register_host(&world->config, h2o_iovec_init(H2O_STRLIT("shop.example")), 8080);
    world->path = h2o_config_register_path(world->host, "/", 0);
    world->path->error_log.emit_request_errors = 0;
    world->conn.super.callbacks = &callbacks;
    strcpy(world->time_text.log, "27/Nov/2026:03:45:12 +0000");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    h2o_config_dispose(&world->config);
    free(world);
    return 0;
}

static void end_request(world_t *world)
{
    h2o_mem_clear_pool(&world->req.pool);
}

static void compare(world_t *world, const char *text, int escape)
{
    static char ours[LINE_MAX_LEN], memory[LINE_MAX_LEN];
    breaker_error_t error = {0};
    breaker__format_t *format = breaker__format_create(text, escape, &error);
    char reason[256], *theirs;
    h2o_logconf_t *compiled = h2o_logconf_compile(text, escape, reason);
    size_t len, their_len = sizeof(memory);

    assert_non_null(compiled);
    assert_non_null(format);
    theirs = h2o_log_request(compiled, &world->req, &their_len, memory);
    len = breaker__format_write(format, &world->req, ours, sizeof(ours));
    if (len != their_len || memcmp(ours, theirs, len) != 0)
        fail_msg("%s, escape %d:\n%.*s%.*s", text, escape, (int)len, ours, (int)their_len, theirs);
    if (theirs != memory)
        free(theirs);
    h2o_logconf_dispose(compiled);
    breaker__format_free(format);
}

static void lines_are_those_of_libh2o_whatever_the_format(void **state)
{
    world_t *world = *state;
    char text[FORMAT_MAX];

    for (unsigned i = 0; i != NUM_SEEDS; ++i) {
        seed = i;
        /* the first numbers of neighbours are alike */
        pick(2);
        make_format(text);
        make_request(world);
        compare(world, text, H2O_LOGCONF_ESCAPE_APACHE);
        compare(world, text, H2O_LOGCONF_ESCAPE_JSON);
        end_request(world);
    }
}

static void every_directive_by_itself_is_written_as_libh2o_writes_it(void **state)
{
    static const char *const marks[] = {"", "\"", "'"};
    world_t *world = *state;
    char text[FORMAT_MAX];

    for (unsigned i = 0; i != NUM_REQUESTS; ++i) {
        seed = i * 7919;
        make_request(world);
        for (size_t j = 0; j != COUNT(directives) * COUNT(marks); ++j) {
            const char *mark = marks[j % COUNT(marks)];
            snprintf(text, sizeof(text), "<%s%s%s>", mark, directives[j / COUNT(marks)], mark);
            compare(world, text, H2O_LOGCONF_ESCAPE_APACHE);
            compare(world, text, H2O_LOGCONF_ESCAPE_JSON);
        }
        end_request(world);
    }
}

static void a_line_that_does_not_fit_is_none_and_nothing_is_written_beyond(void **state)
{
    world_t *world = *state;
    breaker__format_t *format = breaker__format_create(
        "%m %U %q %s %b %t \"%u\" %v \"%{referer}i\"", H2O_LOGCONF_ESCAPE_JSON, NULL);
    char whole[LINE_MAX_LEN];

    for (unsigned i = 0; i != 20; ++i) {
        size_t len, num_whole = 0;
        seed = i * 104729;
        make_request(world);
        len = breaker__format_write(format, &world->req, whole, sizeof(whole));
        assert_int_not_equal(len, 0);
        for (size_t size = 0; size < 8 * len + 64; size += 1 + size / 64) {
            char *text = malloc(size + 8);
            size_t got;
            memset(text + size, '#', 8);
            got = breaker__format_write(format, &world->req, text, size);
            assert_memory_equal(text + size, "########", 8);
            assert_true(got == 0 || got == len);
            if (got != 0)
                assert_memory_equal(text, whole, len);
            num_whole += got != 0;
            free(text);
        }
        assert_int_not_equal(num_whole, 0);
        end_request(world);
    }
    breaker__format_free(format);
}

static void formats_name_what_they_look_at(void **state)
{
    breaker__format_t *format = breaker__format_create("%{Referer}i %{X-Own}i %{Host}i %<s",
                                                       H2O_LOGCONF_ESCAPE_APACHE, NULL);
    h2o_iovec_t *const *headers;
    (void)state;

    assert_int_equal(breaker__format_headers(format, &headers), 2);
    assert_ptr_equal(headers[0], &H2O_TOKEN_REFERER->buf);
    assert_int_equal(headers[1]->len, 5);
    assert_memory_equal(headers[1]->base, "x-own", 5);
    assert_false(breaker__format_shows_response(format));
    breaker__format_free(format);
    format = breaker__format_create("%<{x}o", H2O_LOGCONF_ESCAPE_APACHE, NULL);
    assert_true(breaker__format_shows_response(format));
    breaker__format_free(format);
}

static void what_is_no_format_is_refused_with_the_reason(void **state)
{
    static const char *const wrong[] = {
        "%",      "%z",  "%{x}", "%{x}z",          "%{x",        "%{x}p", "%<", "%<{x",
        "%s %{y", "%{}", "%{}t", "%s%%{%%}i%<{}t", "%{%02000Y}t"};
    char text[1000] = "%{";
    (void)state;

    memset(text + 2, 'x', sizeof(text) - 3);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i <= COUNT(wrong); ++i) {
        breaker_error_t error = {0};
        assert_null(breaker__format_create(i != COUNT(wrong) ? wrong[i] : text,
                                           H2O_LOGCONF_ESCAPE_APACHE, &error));
        assert_int_equal(error.code, BREAKER_ERR_RANGE);
        assert_int_not_equal(strlen(error.message), 0);
    }
}

/* ---- a reader that is slow ---- */

enum { PAGE = 4096, LONG = 6000 };

/* a pipe that has room for one page, and whose reader does not wait */
static breaker__sink_t *open_narrow_sink(int *ret_reader)
{
    int fds[2];
    char path[64];
    breaker__sink_t *sink;

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
    sink = breaker__sink_open(path, NULL);
    assert_non_null(sink);
    assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, PAGE), PAGE);
    close(fds[1]);
    *ret_reader = fds[0];
    return sink;
}

static void expect_rest(int reader, const char *line)
{
    char got[LONG];

    assert_int_equal(read(reader, got, sizeof(got)), LONG - PAGE);
    assert_memory_equal(got, line + PAGE, LONG - PAGE);
}

static void what_was_begun_of_a_line_is_ended_before_the_log_is_closed(void **state)
{
    char line[LONG], got[PAGE];
    int reader, errnum;
    breaker__sink_t *sink = open_narrow_sink(&reader);
    (void)state;

    memset(line, 'x', LONG - 1);
    line[LONG - 1] = '\n';
    assert_int_equal(breaker__sink_write(sink, line, LONG, &errnum), LONG);
    assert_int_equal(errnum, EAGAIN);
    assert_int_equal(read(reader, got, sizeof(got)), PAGE);
    breaker__sink_close(sink);
    expect_rest(reader, line);
    close(reader);
}

static void what_was_begun_of_a_line_is_ended_though_no_line_follows(void **state)
{
    loopback_server_t server;
    char line[LONG], got[PAGE];
    int reader, errnum;
    breaker__sink_t *sink = open_narrow_sink(&reader);
    breaker__batch_t *batch;
    (void)state;

    loopback_server_init(&server);
    loopback_server_start(&server);
    batch = breaker__batch_create(&server.ctx, sink);
    memset(line, 'x', LONG - 1);
    line[LONG - 1] = '\n';
    assert_int_equal(breaker__sink_write(sink, line, LONG, &errnum), LONG);
    assert_int_equal(read(reader, got, sizeof(got)), PAGE);
    breaker__batch_flush(batch);
    expect_rest(reader, line);
    breaker__batch_free(batch);
    breaker__sink_close(sink);
    close(reader);
    loopback_server_dispose(&server);
}

/* ---- configurations ---- */

static yoml_t scalar(char *text)
{
    return (yoml_t){
        .type = YOML_TYPE_SCALAR, .filename = "test", ._refcnt = 1, .data.scalar = text};
}

static void a_configuration_that_fails_leaves_no_log_open(void **state)
{
    yoml_t nodes[] = {scalar("access-log"), scalar("/dev/null"), scalar("no-such-key"),
                      scalar("x")};
    yoml_t *root = calloc(1, sizeof(*root) + sizeof(root->data.mapping.elements[0]));
    h2o_globalconf_t globalconf;
    int before, after;
    (void)state;

    assert_non_null(root);
    root->type = YOML_TYPE_MAPPING;
    root->filename = "test";
    root->_refcnt = 1;
    root->data.mapping.size = 2;
    for (size_t i = 0; i != 2; ++i)
        root->data.mapping.elements[i] =
            (yoml_mapping_element_t){.key = nodes + i * 2, .value = nodes + i * 2 + 1};
    assert_int_not_equal(before = dup(STDIN_FILENO), -1);
    close(before);
    h2o_config_init(&globalconf);
    breaker__access_log_register_configurator(&globalconf);
    assert_int_not_equal(h2o_configurator_apply(&globalconf, root, 0), 0);
    h2o_config_dispose(&globalconf);
    after = dup(STDIN_FILENO);
    close(after);
    assert_int_equal(after, before);
    free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_those_of_libh2o_whatever_the_format, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_directive_by_itself_is_written_as_libh2o_writes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_line_that_does_not_fit_is_none_and_nothing_is_written_beyond, setup, teardown),
        cmocka_unit_test(formats_name_what_they_look_at),
        cmocka_unit_test(what_is_no_format_is_refused_with_the_reason),
        cmocka_unit_test(what_was_begun_of_a_line_is_ended_before_the_log_is_closed),
        cmocka_unit_test(what_was_begun_of_a_line_is_ended_though_no_line_follows),
        cmocka_unit_test(a_configuration_that_fails_leaves_no_log_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
