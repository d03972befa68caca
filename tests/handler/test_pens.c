/*
 * One answer, two pens: random requests, each asked once of libh2o's HTTP/1 and once of the fast
 * path, over connections of their own, at a bare path and at one with filters. Status, every header
 * line in its order, and the body must be the same; the date may not be. Both are counted alike.
 * The requests follow from their seeds, so a failure repeats.
 */
#include <errno.h>
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
#include "loopback.h"
#include "sockets.h"
#include "tree.h"

#define TOKEN "1718539201234"
#define DEADLINE_S 20
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    NUM_SEEDS = 4,
    REQUESTS_PER_SEED = 1500,
    REQUEST_MAX = 16384,
    ANSWER_MAX = 512 << 10,
    /* files longer than this are sent from disk */
    MEMORY_FILE_MAX = 100000,
    NUM_VIEWS = 2,
    NUM_CODINGS = 4,
    STATUS_MAX = 600,
};

static const struct {
    const char *path;
    size_t len;
} files[] = {{"a.txt", 26},          {"empty.txt", 0},   {"css/site.css", 20000},
             {"dir/index.html", 90}, {"k40.bin", 40000}, {"disk.bin", 150001}};

typedef struct st_fixture_t {
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
    const breaker_view_t *views[NUM_VIEWS];
    h2o_accept_ctx_t accept_ctx;
    breaker_h2o_fastpath_t *fastpath;
    size_t num_closed;
    /* of the files above, in the encodings that there are */
    char etags[COUNT(files)][NUM_CODINGS][BREAKER_ETAG_LEN + 1];
    /* how many answers the fast path wrote itself, by status */
    unsigned num_fast[STATUS_MAX];
} fixture_t;

/* ---- the server ---- */

static int on_page(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.content_length = strlen("page");
    h2o_send_inline(req, H2O_STRLIT("page"));
    return 0;
}

static void write_files(const fixture_t *fixture)
{
    for (size_t i = 0; i != COUNT(files); ++i) {
        char *text = malloc(files[i].len + 1);
        for (size_t at = 0; at != files[i].len; ++at)
            text[at] = (char)('a' + (at * 7 + at / 251 + i) % 26);
        text[files[i].len] = '\0';
        tree_write(&fixture->tree, files[i].path, text);
        free(text);
    }
    tree_write(&fixture->tree, "with space.txt", "space");
}

static void add_views(fixture_t *fixture)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = fixture->tree.path;
    config.index = "index.html";
    config.memory_file_limit = MEMORY_FILE_MAX;
    assert_int_equal(breaker_node_add_view(fixture->node, &config, fixture->views), 0);
    config.name = "plain/{breaker}";
    config.index = NULL;
    config.encodings = false;
    config.redirect_max_age_s = 0;
    config.retry_after_s = 7;
    config.timing_allow_origin = "*";
    config.allow_origin = "https://shop.example http://localhost:3000";
    config.headers = (const char *const[]){"X-View: plain"};
    config.num_headers = 1;
    assert_int_equal(breaker_node_add_view(fixture->node, &config, fixture->views + 1), 0);
}

static void fetch_etags(fixture_t *fixture);

/* every command, on headers that answers have and on others, with a token for a name and without;
   `expires` before them and after them */
static void add_filters(h2o_pathconf_t *path)
{
    static const struct {
        int cmd;
        const char *name, *value;
    } wanted[] = {
        {H2O_HEADERS_CMD_ADD, "x-filter", "yes"},
        {H2O_HEADERS_CMD_ADD, "link", "</>; rel=home"},
        {H2O_HEADERS_CMD_APPEND, "cache-control", "stale-while-revalidate=9"},
        {H2O_HEADERS_CMD_APPEND, "x-appended", "1"},
        {H2O_HEADERS_CMD_MERGE, "cache-control", "public"},
        {H2O_HEADERS_CMD_MERGE, "x-view", "merged"},
        {H2O_HEADERS_CMD_SET, "x-content-type-options", "nosniff"},
        {H2O_HEADERS_CMD_SET, "content-type", "text/x-set"},
        {H2O_HEADERS_CMD_SETIFEMPTY, "location", "/nowhere"},
        {H2O_HEADERS_CMD_SETIFEMPTY, "x-view", "set"},
        {H2O_HEADERS_CMD_UNSET, "last-modified", NULL},
        {H2O_HEADERS_CMD_UNSET, "access-control-allow-origin", NULL},
    };
    static h2o_headers_command_t cmds[COUNT(wanted) + 1];
    static h2o_iovec_t names[COUNT(wanted)];
    h2o_compress_args_t compress = {.min_size = 1, .gzip = {1}, .brotli = {-1}};
    h2o_expires_args_t max_age = {.mode = H2O_EXPIRES_MODE_MAX_AGE, .data.max_age = 60};
    h2o_expires_args_t absolute = {.mode = H2O_EXPIRES_MODE_ABSOLUTE,
                                   .data.absolute = "Fri, 01 Jan 2100 00:00:00 GMT"};

    for (size_t i = 0; i != COUNT(wanted); ++i) {
        const h2o_token_t *token = h2o_lookup_token(wanted[i].name, strlen(wanted[i].name));
        names[i] = h2o_iovec_init(wanted[i].name, strlen(wanted[i].name));
        cmds[i] = (h2o_headers_command_t){
            .cmd = wanted[i].cmd,
            .name = token != NULL ? (h2o_iovec_t *)(uintptr_t)&token->buf : names + i};
        if (wanted[i].value != NULL)
            cmds[i].value = h2o_iovec_init(wanted[i].value, strlen(wanted[i].value));
    }
    cmds[COUNT(wanted)] = (h2o_headers_command_t){.cmd = H2O_HEADERS_CMD_NULL};
    h2o_expires_register(path, &absolute);
    h2o_headers_register(path, cmds);
    h2o_expires_register(path, &max_age);
    h2o_compress_register(path, &compress);
}

static int setup_with(void **state, bool has_filters)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    breaker_node_config_t node_config;

    tree_create(&fixture->tree);
    write_files(fixture);
    loopback_server_init(&fixture->server);
    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    assert_int_equal(breaker_node_set_token(fixture->node, TOKEN, strlen(TOKEN)), 0);
    add_views(fixture);
    if (has_filters)
        add_filters(fixture->server.path);
    h2o_create_handler(fixture->server.path, sizeof(h2o_handler_t))->on_req = on_page;
    assert_int_equal(
        breaker_h2o_static_register(fixture->server.path, fixture->node, fixture->views, NUM_VIEWS),
        0);
    assert_int_equal(breaker_node_load(fixture->node, NULL), 0);
    breaker_node_wait_encoded(fixture->node);
    loopback_server_start(&fixture->server);
    fixture->accept_ctx.ctx = &fixture->server.ctx;
    fixture->accept_ctx.hosts = fixture->server.config.hosts;
    fixture->fastpath = breaker_h2o_fastpath_create(&fixture->accept_ctx);
    fetch_etags(fixture);
    *state = fixture;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, false);
}

static int setup_filtered(void **state)
{
    return setup_with(state, true);
}

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

/* ---- the client ---- */

typedef struct st_request_t {
    char text[REQUEST_MAX];
    size_t len;
    bool is_head;
} request_t;

typedef struct st_answer_t {
    char text[ANSWER_MAX + 1]; /* NUL-ended */
    size_t len, head_len;
    int status;
    bool by_libh2o;
    /* what the answer added to the counters of each view */
    breaker_h2o_counters_t counted[NUM_VIEWS];
} answer_t;

typedef void (*accept_t)(fixture_t *fixture, h2o_socket_t *sock);

static void accept_fast(fixture_t *fixture, h2o_socket_t *sock)
{
    breaker_h2o_fastpath_accept(fixture->fastpath, sock);
}

static void accept_by_libh2o(fixture_t *fixture, h2o_socket_t *sock)
{
    h2o_accept(&fixture->accept_ctx, sock);
}

static void on_close(void *data)
{
    ++*(size_t *)data;
}

/* reads what comes next; returns false when the connection ended instead */
static bool read_more(fixture_t *fixture, int fd, answer_t *answer)
{
    time_t end = time(NULL) + DEADLINE_S;
    ssize_t got;

    assert_true(answer->len < ANSWER_MAX);
    while ((got = read(fd, answer->text + answer->len, ANSWER_MAX - answer->len)) < 0) {
        assert_true(errno == EAGAIN || errno == ECONNRESET);
        if (errno == ECONNRESET)
            return false;
        assert_true(time(NULL) < end);
        loopback_turn(&fixture->server);
    }
    answer->len += (size_t)got;
    answer->text[answer->len] = '\0';
    return got != 0;
}

static size_t body_len_of(const request_t *request, const answer_t *answer)
{
    const char *field = strstr(answer->text, "\r\nContent-Length: ");

    if (request->is_head || answer->status == 304 || field == NULL)
        return 0;
    return strtoul(field + strlen("\r\nContent-Length: "), NULL, 10);
}

/* one answer is all that comes, so what is more than it would have to have is found, too */
static void read_answer(fixture_t *fixture, int fd, const request_t *request, answer_t *answer)
{
    const char *end = NULL;
    bool is_open = true;

    answer->len = 0;
    while (end == NULL && is_open) {
        is_open = read_more(fixture, fd, answer);
        end = strstr(answer->text, "\r\n\r\n");
    }
    answer->head_len = end != NULL ? (size_t)(end + 4 - answer->text) : answer->len;
    answer->status = atoi(answer->text + strlen("HTTP/1.1 "));
    while (is_open && answer->len < answer->head_len + body_len_of(request, answer))
        is_open = read_more(fixture, fd, answer);
    /* the fast path ends no connection by itself, and libh2o's may be gone already */
    answer->by_libh2o = !h2o_linklist_is_empty(&fixture->server.ctx.http1._conns) ||
                        strstr(answer->text, "\r\nConnection: close\r\n") != NULL;
}

static void read_counters(fixture_t *fixture, breaker_h2o_counters_t *ret_counters)
{
    for (size_t i = 0; i != NUM_VIEWS; ++i)
        breaker_h2o_counters(&fixture->server.config, fixture->views[i], ret_counters + i);
}

/* all members are numbers of one type */
static void subtract_counters(breaker_h2o_counters_t *from, const breaker_h2o_counters_t *other)
{
    uint64_t *number = (uint64_t *)from;
    const uint64_t *subtrahend = (const uint64_t *)other;

    for (size_t i = 0; i != NUM_VIEWS * sizeof(*from) / sizeof(*number); ++i)
        number[i] -= subtrahend[i];
}

static void ask(fixture_t *fixture, accept_t accept_socket, const request_t *request,
                answer_t *ret_answer)
{
    breaker_h2o_counters_t counted_before[NUM_VIEWS];
    size_t before = fixture->num_closed;
    time_t end = time(NULL) + DEADLINE_S;
    int fd;
    h2o_socket_t *sock = sockets_pair(fixture->server.loop, &fd);

    sock->on_close.cb = on_close;
    sock->on_close.data = &fixture->num_closed;
    read_counters(fixture, counted_before);
    accept_socket(fixture, sock);
    assert_int_equal(write(fd, request->text, request->len), request->len);
    read_answer(fixture, fd, request, ret_answer);
    read_counters(fixture, ret_answer->counted);
    subtract_counters(ret_answer->counted, counted_before);
    close(fd);
    while (fixture->num_closed == before) {
        assert_true(time(NULL) < end);
        loopback_turn(&fixture->server);
    }
}

static void fetch_etags(fixture_t *fixture)
{
    static const char *const codings[NUM_CODINGS] = {"identity", "br", "gzip", "zstd"};
    static answer_t answer;
    static request_t request;

    for (size_t i = 0; i != COUNT(files); ++i)
        for (size_t j = 0; j != NUM_CODINGS; ++j) {
            const char *field;
            request.len = (size_t)sprintf(request.text,
                                          "GET /static/" TOKEN "/%s HTTP/1.1\r\nHost: x\r\n"
                                          "Accept-Encoding: %s\r\n\r\n",
                                          files[i].path, codings[j]);
            ask(fixture, accept_by_libh2o, &request, &answer);
            field = strstr(answer.text, "\r\netag: ");
            assert_non_null(field);
            memcpy(fixture->etags[i][j], field + strlen("\r\netag: "), BREAKER_ETAG_LEN);
        }
}

/* ---- requests ---- */

/* below `limit`; xorshift64* */
static size_t draw(uint64_t *seed, size_t limit)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (size_t)((*seed * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static bool chance(uint64_t *seed, size_t percent)
{
    return draw(seed, 100) < percent;
}

#define DRAW(seed, texts) ((texts)[draw(seed, COUNT(texts))])

static void put(request_t *request, const char *text)
{
    size_t len = strlen(text);

    assert_true(request->len + len < sizeof(request->text));
    memcpy(request->text + request->len, text, len);
    request->len += len;
}

static void put_line(request_t *request, const char *name, const char *value)
{
    put(request, name);
    put(request, ": ");
    put(request, value);
    put(request, "\r\n");
}

static void put_odd_bytes(request_t *request, uint64_t *seed)
{
    static const char odd[] = "\"<>{}|^`\\'#;=&?%%\x01\x7f\xc3\xbc\xff./:@!$*()+,~ ";

    for (size_t left = draw(seed, 12); left != 0; --left)
        request->text[request->len++] = odd[draw(seed, sizeof(odd) - 1)];
}

static void put_token(request_t *request, uint64_t *seed)
{
    static const char *const older[] = {"1718539201233", "17", "0" TOKEN, "1"};
    static const char *const newer[] = {"1718539201235", "9718539201234"};
    static const char *const odd[] = {
        "",    "v1.2", "{breaker}", "%7Bbreaker%7D",
        "a,b", "-",    "%31",       "99999999999999999999999999999999999999999"};
    size_t kind = draw(seed, 100);

    if (kind < 60)
        put(request, TOKEN);
    else if (kind < 75)
        put(request, DRAW(seed, older));
    else if (kind < 85)
        put(request, DRAW(seed, newer));
    else if (kind < 95)
        put(request, DRAW(seed, odd));
    else
        put_odd_bytes(request, seed);
}

static void put_path(request_t *request, uint64_t *seed, size_t file)
{
    static const char *const others[] = {"none",
                                         "",
                                         "dir/",
                                         "dir",
                                         "with%20space.txt",
                                         "css/%73ite.css",
                                         "./a.txt",
                                         "dir/../a.txt",
                                         "../a.txt",
                                         "css//site.css",
                                         ".hidden",
                                         "a.txt/",
                                         "\xc3\xbc.txt",
                                         "css%2fsite.css",
                                         "a.txt%00"};

    if (chance(seed, 75))
        put(request, files[file].path);
    else
        put(request, DRAW(seed, others));
    if (chance(seed, 5))
        put_odd_bytes(request, seed);
}

static void put_target(request_t *request, uint64_t *seed, size_t file)
{
    static const char *const views[] = {"/static/", "/plain/"};
    static const char *const others[] = {"/statics/", "/st%61tic/", "//static/", "/"};

    put(request, chance(seed, 92) ? DRAW(seed, views) : DRAW(seed, others));
    put_token(request, seed);
    if (chance(seed, 97))
        put(request, "/");
    put_path(request, seed, file);
    if (chance(seed, 20)) {
        put(request, "?v=1");
        put_odd_bytes(request, seed);
    }
    for (size_t left = chance(seed, 1) ? 900 : 0; left != 0; --left)
        put(request, "0123456789");
}

static void put_tag(request_t *request, uint64_t *seed, const fixture_t *fixture, const char *name,
                    size_t file)
{
    static const struct {
        const char *before, *after;
    } frames[] = {{"", ""}, {"", ""}, {"W/", ""}, {"\"other\", ", ""}, {"", ", \"other\""},
                  {"x", ""}};
    static const char *const others[] = {"*", "\"other\"", "", "W/\"\"", "garbage", "\"open"};
    char value[128];
    size_t frame;

    if (chance(seed, 25)) {
        put_line(request, name, DRAW(seed, others));
        return;
    }
    if (chance(seed, 20))
        file = draw(seed, COUNT(files));
    frame = draw(seed, COUNT(frames));
    snprintf(value, sizeof(value), "%s%s%s", frames[frame].before,
             fixture->etags[file][draw(seed, NUM_CODINGS)], frames[frame].after);
    put_line(request, name, value);
}

static void put_date(request_t *request, uint64_t *seed, const char *name)
{
    static const char *const dates[] = {"Thu, 01 Jan 1970 00:00:00 GMT",
                                        "Mon, 01 Jan 2024 00:00:00 GMT",
                                        "Fri, 31 Dec 2100 00:00:00 GMT",
                                        "Monday, 01-Jan-24 00:00:00 GMT",
                                        "yesterday",
                                        ""};

    put_line(request, name, DRAW(seed, dates));
}

static void put_range(request_t *request, uint64_t *seed, size_t file)
{
    static const char *const others[] = {"bytes=0-0",       "bytes=-5",  "bytes=3-",
                                         "bytes=5-2",       "lines=1-2", "bytes=",
                                         "bytes=0-1,4-5",   "bytes=-0",  "bytes=0-1,2-3,9-9,20-21",
                                         "bytes=99999999-", "x"};
    char value[64];
    size_t size = files[file].len + 1, first = draw(seed, size + size / 8);

    if (chance(seed, 40)) {
        put_line(request, "Range", DRAW(seed, others));
        return;
    }
    snprintf(value, sizeof(value), "bytes=%zu-%zu", first, first + draw(seed, size));
    put_line(request, "Range", value);
}

static void put_field(request_t *request, uint64_t *seed, const fixture_t *fixture, size_t file)
{
    static const char *const codings[] = {
        "br", "gzip, deflate, br, zstd", "zstd", "gzip;q=0.5, br;q=0", "identity;q=0", "*;q=0", ""};
    static const char *const lines[] = {
        "User-Agent: Mozilla/4.0 (x; MSIE 6.0; y)\r\n",
        "Cookie: a=b\r\nX-Empty:\r\n",
        "Origin: https://shop.example\r\n",
        "origin: http://localhost:3000\r\n",
        "Origin: https://other.example\r\n",
        "Origin: https://shop.example\r\nOrigin: null\r\n",
        "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-a, x-b\r\n",
        "Connection: keep-alive\r\n",
        "Connection: close\r\n",
        "Referer: http://x/\xff\r\n",
        "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"};

    switch (draw(seed, 11)) {
    case 0:
    case 1:
        put_line(request, "Accept-Encoding", DRAW(seed, codings));
        break;
    case 2:
        put_tag(request, seed, fixture, "If-None-Match", file);
        break;
    case 3:
        put_tag(request, seed, fixture, "If-Match", file);
        break;
    case 4:
        put_date(request, seed, "If-Modified-Since");
        break;
    case 5:
        put_date(request, seed, "If-Unmodified-Since");
        break;
    case 6:
    case 7:
    case 8:
        put_range(request, seed, file);
        break;
    case 9:
        put_range(request, seed, file);
        if (chance(seed, 30))
            put_date(request, seed, "If-Range");
        else
            put_tag(request, seed, fixture, "If-Range", file);
        break;
    default:
        put(request, DRAW(seed, lines));
    }
}

static void make_request(request_t *request, uint64_t *seed, const fixture_t *fixture)
{
    static const char *const methods[] = {"POST", "OPTIONS", "get", "DELETE", "G\x01T"};
    static const char *const bodies[] = {"Content-Length: 3\r\n\r\nabc",
                                         "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
                                         "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"};
    size_t file = draw(seed, COUNT(files)), kind = draw(seed, 100);

    request->len = 0;
    request->is_head = kind >= 80 && kind < 95;
    put(request, kind < 80 ? "GET" : request->is_head ? "HEAD" : DRAW(seed, methods));
    put(request, " ");
    put_target(request, seed, file);
    put(request, chance(seed, 97) ? " HTTP/1.1\r\nHost: localhost\r\n" : " HTTP/1.0\r\n");
    for (size_t left = chance(seed, 20) ? 0 : 1 + draw(seed, 3); left != 0; --left)
        put_field(request, seed, fixture, file);
    put(request, chance(seed, 97) ? "\r\n" : DRAW(seed, bodies));
}

/* ---- comparison ---- */

static void fail_by(const request_t *request, const answer_t *fast, const answer_t *slow,
                    const char *what)
{
    fail_msg("%s of\n%.*s\nare, from the fast path,\n%.*s\nand from libh2o\n%.*s", what,
             (int)request->len, request->text, (int)fast->head_len, fast->text, (int)slow->head_len,
             slow->text);
}

/* the end of a line of a head, or of the head */
static const char *line_end(const char *at, const char *end)
{
    const char *found = memchr(at, '\n', (size_t)(end - at));

    return found != NULL ? found + 1 : end;
}

static bool is_date(const char *line)
{
    return strncmp(line, "Date: ", strlen("Date: ")) == 0;
}

static bool heads_are_the_same(const answer_t *one, const answer_t *two)
{
    const char *a = one->text, *a_end = a + one->head_len;
    const char *b = two->text, *b_end = b + two->head_len;

    while (a != a_end && b != b_end) {
        const char *a_next = line_end(a, a_end), *b_next = line_end(b, b_end);
        bool is_same = a_next - a == b_next - b && memcmp(a, b, (size_t)(a_next - a)) == 0;
        if (!is_same && !(is_date(a) && is_date(b)))
            return false;
        a = a_next;
        b = b_next;
    }
    return a == a_end && b == b_end;
}

static void compare(const request_t *request, const answer_t *fast, const answer_t *slow)
{
    size_t fast_len = fast->len - fast->head_len, slow_len = slow->len - slow->head_len;

    if (!heads_are_the_same(fast, slow))
        fail_by(request, fast, slow, "the heads");
    if (fast_len != slow_len ||
        memcmp(fast->text + fast->head_len, slow->text + slow->head_len, fast_len) != 0)
        fail_by(request, fast, slow, "the bodies");
    if (memcmp(fast->counted, slow->counted, sizeof(fast->counted)) != 0)
        fail_by(request, fast, slow, "the counters");
}

/* by which counter an answer of a view is counted */
static uint64_t counted_as(const breaker_h2o_counters_t *counted, int status)
{
    switch (status) {
    case 200:
        return counted->served;
    case 206:
        return counted->partial;
    case 204:
        return counted->preflights;
    case 301:
    case 302:
        return counted->redirected;
    case 304:
        return counted->not_modified;
    case 404:
        return counted->not_found;
    case 503:
        return counted->retry_later;
    default:
        return counted->refused;
    }
}

static uint64_t sum_of(const breaker_h2o_counters_t *counted)
{
    return counted->served + counted->partial + counted->redirected + counted->not_modified +
           counted->not_found + counted->retry_later + counted->refused + counted->preflights;
}

static void check_counted(const request_t *request, const answer_t *fast, const answer_t *slow)
{
    uint64_t all = 0, fitting = 0;

    for (size_t i = 0; i != NUM_VIEWS; ++i) {
        all += sum_of(fast->counted + i);
        fitting += counted_as(fast->counted + i, fast->status);
    }
    /* the fast path answers for views only; elsewhere an application may have answered */
    if (all > 1 || (all == 0 && !fast->by_libh2o) || all != fitting)
        fail_by(request, fast, slow, "the counters do not fit: the answers");
}

/* ---- tests ---- */

static void both_pens_write_the_same(void **state)
{
    static answer_t fast, slow;
    static request_t request;
    fixture_t *fixture = *state;

    for (uint64_t i = 1; i <= NUM_SEEDS; ++i) {
        uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t left = REQUESTS_PER_SEED; left != 0; --left) {
            make_request(&request, &seed, fixture);
            ask(fixture, accept_fast, &request, &fast);
            ask(fixture, accept_by_libh2o, &request, &slow);
            compare(&request, &fast, &slow);
            check_counted(&request, &fast, &slow);
            if (!fast.by_libh2o)
                ++fixture->num_fast[fast.status];
        }
    }
}

/* what was compared above were two pens, not one with itself */
static void the_fast_path_has_written_answers_of_its_own(void **state)
{
    static const int statuses[] = {200, 206, 301, 304, 404, 406, 412, 416, 503};
    const fixture_t *fixture = *state;

    for (size_t i = 0; i != COUNT(statuses); ++i) {
        if (fixture->num_fast[statuses[i]] < 30)
            fail_msg("only %u times %d", fixture->num_fast[statuses[i]], statuses[i]);
    }
}

int main(void)
{
    int bare, filtered;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_pens_write_the_same),
        cmocka_unit_test(the_fast_path_has_written_answers_of_its_own),
    };

    /* as every server on libh2o does */
    signal(SIGPIPE, SIG_IGN);
    bare = cmocka_run_group_tests_name("bare", tests, setup, teardown);
    filtered = cmocka_run_group_tests_name("filtered", tests, setup_filtered, teardown);
    return bare + filtered;
}
