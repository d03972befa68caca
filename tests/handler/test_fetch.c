/*
 * Requests that wait for bytes, in process: the node holds a release of which it has the manifest
 * and one of the files, and the test plays the holding: it hears what is wanted, and brings it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "node/node.h"
#include "release/blobs.h"
#include "release/manifest.h"
#include "release/manifest_read.h"
#include "release/release.h"
#include "release/spool.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"
#include "sockets.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"
#define OLDER "1700000000000"
#define NEWER "1800000000000"
#define SHARED "shared{}"
#define BYTES "0123456789abcdefghij"

enum { DEADLINE_MS = 20000, LONG_MS = 20000, SHORT_MS = 50 };

typedef struct st_fixture_t {
    loopback_server_t server;
    breaker_node_t *node;
    breaker_release_t *held;
    size_t num_wanted;
} fixture_t;

/* ---- the holding, played ---- */

static uint64_t fetch_timeout_ms;
static size_t num_releases_wanted;
static breaker_release_id_t wanted_release;

uint64_t __wrap_breaker_node_fetch_timeout_ms(const breaker_node_t *node);
void __wrap_breaker_node_want_release(breaker_node_t *node, const breaker_release_id_t *release);

uint64_t __wrap_breaker_node_fetch_timeout_ms(const breaker_node_t *node)
{
    (void)node;
    return fetch_timeout_ms;
}

void __wrap_breaker_node_want_release(breaker_node_t *node, const breaker_release_id_t *release)
{
    (void)node;
    ++num_releases_wanted;
    wanted_release = *release;
}

static void on_wanted(void *num_wanted)
{
    ++*(size_t *)num_wanted;
}

/* the blob of a file of the held release; borrowed */
static breaker__blob_t *blob_of(const fixture_t *fixture, const char *path)
{
    const breaker_asset_t *asset =
        breaker_store_find(breaker_release_store(fixture->held, 0), path, strlen(path));

    assert_non_null(asset);
    return breaker__asset_blob(asset);
}

/* takes what is wanted, which is one file, and brings it */
static void bring(fixture_t *fixture, const char *path)
{
    breaker__blobs_t *blobs = breaker__node_blobs(fixture->node);
    breaker__blob_t *blob = breaker__blobs_take_wanted(blobs);

    assert_ptr_equal(blob, blob_of(fixture, path));
    assert_int_equal(breaker__blob_fill(blob, BYTES), 0);
    breaker__blob_unref(blob);
}

/* ---- the node ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

/* the manifest of another release of the node's view, as another node would send it */
static breaker__manifest_t *make_manifest(const fixture_t *fixture, breaker_release_id_t *ret_id)
{
    const breaker_view_t *view = breaker_node_view(fixture->node, 0);
    breaker__release_config_t config = {.views = &view, .num_views = 1, .label = token_of("r1")};
    breaker__manifest_cursor_t cursor = {.part = 0};
    breaker__manifest_t *manifest;
    breaker_release_t *release;
    char text[4096];
    const char *directory;
    size_t len;
    tree_t tree;

    tree_create(&tree);
    tree_write(&tree, "a.css", SHARED);
    tree_write(&tree, "b.css", BYTES);
    tree_write(&tree, "empty.css", "");
    directory = tree.path;
    config.directories = &directory;
    assert_int_equal(breaker__release_load(&config, NULL, &release, NULL), 0);
    tree_remove(&tree);
    len = breaker__manifest_piece(release, &cursor, text, sizeof(text));
    assert_true(len < sizeof(text));
    assert_int_equal(breaker__manifest_read(text, len, &manifest, NULL), 0);
    *ret_id = *breaker_release_id(release);
    breaker_release_unref(release);
    return manifest;
}

static void hold(fixture_t *fixture)
{
    const breaker_view_t *view = breaker_node_view(fixture->node, 0);
    breaker_node_config_t node_config;
    breaker__hold_config_t config = {
        .views = &view, .num_views = 1, .blobs = breaker__node_blobs(fixture->node)};
    breaker__manifest_t *manifest = make_manifest(fixture, &config.id);

    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    config.manifest = manifest;
    config.hooks = node_config.hooks;
    assert_int_equal(breaker__release_hold(&config, &fixture->held, NULL), 0);
    breaker__manifest_free(manifest);
    assert_false(breaker__release_is_complete(fixture->held));
}

/*
 * What a node of a cluster, or one by itself, knows of the other release: OLDER is its token, and
 * perhaps NEWER.
 */
static void publish_ledger(fixture_t *fixture, bool is_alone, bool is_held, bool has_newer)
{
    const breaker_view_t *view = breaker_node_view(fixture->node, 0);
    breaker_release_t *own = breaker_node_release(fixture->node);
    const breaker_release_id_t *id = breaker_release_id(fixture->held);
    breaker_ledger_entry_t entries[] = {{1700000000000, token_of(OLDER), *id},
                                        {1718539201234, token_of(T), *breaker_release_id(own)},
                                        {1800000000000, token_of(NEWER), *id}};
    breaker_ledger_t ledger;
    breaker__snapshot_config_t config = {.views = &view,
                                         .tokens = &entries[1].token,
                                         .num_views = 1,
                                         .release = own,
                                         .held = &fixture->held,
                                         .num_held = is_held ? 1 : 0,
                                         .ledger = &ledger,
                                         .is_alone = is_alone,
                                         .relayable = id,
                                         .num_relayable = is_held || is_alone ? 0 : 1};
    breaker_snapshot_t *snapshot;

    assert_int_equal(breaker_ledger_init(&ledger, entries, has_newer ? 3 : 2), 0);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    breaker__publisher_publish(breaker_node_publisher(fixture->node), snapshot);
    breaker_release_unref(own);
}

static void publish(fixture_t *fixture, bool is_alone, bool is_held)
{
    publish_ledger(fixture, is_alone, is_held, true);
}

static int setup_node(void **state, bool is_joined, uint64_t timeout_ms)
{
    static fixture_t fixture;
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    breaker_error_t error;
    tree_t tree;

    memset(&fixture, 0, sizeof(fixture));
    fetch_timeout_ms = timeout_ms;
    num_releases_wanted = 0;
    tree_create(&tree);
    tree_write(&tree, "a.css", SHARED);
    /* of another content than the other release's */
    tree_write(&tree, "b.css", "own{}");
    loopback_server_init(&fixture.server);
    breaker_h2o_node_config_init(&node_config, &fixture.server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture.node), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = tree.path;
    assert_int_equal(breaker_node_add_view(fixture.node, &view_config, &view), 0);
    if (is_joined)
        assert_int_equal(breaker_node_join(fixture.node), 0);
    assert_int_equal(breaker_h2o_static_register(fixture.server.path, fixture.node, &view, 1), 0);
    assert_int_equal(breaker_node_load(fixture.node, &error), 0);
    tree_remove(&tree);
    breaker__blobs_listen(breaker__node_blobs(fixture.node), on_wanted, &fixture.num_wanted);
    hold(&fixture);
    loopback_server_start(&fixture.server);
    publish(&fixture, !is_joined, true);
    *state = &fixture;
    return 0;
}

static int setup(void **state)
{
    return setup_node(state, true, LONG_MS);
}

static int setup_impatient(void **state)
{
    return setup_node(state, true, SHORT_MS);
}

static int setup_alone(void **state)
{
    return setup_node(state, false, LONG_MS);
}

static int setup_without_holding(void **state)
{
    return setup_node(state, true, 0);
}

/* libh2o asserts that no timer is left, and the node that no place is taken */
static int teardown(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_dispose(&fixture->server);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    breaker__blobs_listen(breaker__node_blobs(fixture->node), NULL, NULL);
    breaker_release_unref(fixture->held);
    breaker_node_free(fixture->node);
    return 0;
}

/* ---- requests ---- */

static loopback_t *start(fixture_t *fixture, const char *method, const char *path,
                         const char *header, const char *value)
{
    loopback_t *exchange = loopback_open(&fixture->server, method, path);

    if (header != NULL)
        loopback_header(exchange, header, value);
    exchange->processed = true;
    h2o_process_request(&exchange->req);
    return exchange;
}

static loopback_t *get(fixture_t *fixture, const char *path)
{
    return start(fixture, "GET", path, NULL, NULL);
}

static bool is_answered(const loopback_t *exchange)
{
    return exchange->num_sends != 0;
}

static void wait_for(fixture_t *fixture, loopback_t *exchange)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    while (!exchange->complete) {
        if (now_ms() > deadline)
            fail_msg("no answer to %s", exchange->req.input.path.base);
        loopback_turn(&fixture->server);
    }
}

static void check(fixture_t *fixture, loopback_t *exchange, int status, const char *body)
{
    wait_for(fixture, exchange);
    assert_int_equal(exchange->status, status);
    if (body != NULL) {
        assert_int_equal(exchange->body->size, strlen(body));
        assert_memory_equal(exchange->body->bytes, body, strlen(body));
    }
    loopback_close(exchange);
}

/* answered before the loop has turned, and nothing was asked for */
static void check_at_once(fixture_t *fixture, loopback_t *exchange, int status, const char *body)
{
    if (!is_answered(exchange))
        fail_msg("%s waits", exchange->req.input.path.base);
    assert_int_equal(fixture->num_wanted, 0);
    check(fixture, exchange, status, body);
}

static breaker_h2o_counters_t count(const fixture_t *fixture)
{
    breaker_h2o_counters_t counters;

    breaker_h2o_counters(&fixture->server.config, breaker_node_view(fixture->node, 0), &counters);
    return counters;
}

/* ---- bytes ---- */

static void a_request_waits_until_the_bytes_are_here(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    assert_false(is_answered(exchange));
    assert_int_equal(breaker__node_num_parked(fixture->node), 1);
    assert_int_equal(fixture->num_wanted, 1);
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    assert_int_equal(count(fixture).fetched, 1);
    assert_int_equal(count(fixture).parked, 0);
    assert_int_equal(count(fixture).served, 1);
    assert_int_equal(count(fixture).retry_later, 0);
    /* from then on nobody waits */
    fixture->num_wanted = 0;
    check_at_once(fixture, get(fixture, "/static/" OLDER "/b.css"), 200, BYTES);
}

static void a_file_that_the_own_release_has_too_needs_no_wait(void **state)
{
    fixture_t *fixture = *state;

    check_at_once(fixture, get(fixture, "/static/" NEWER "/a.css"), 200, SHARED);
    check_at_once(fixture, get(fixture, "/static/" T "/b.css"), 200, "own{}");
    check_at_once(fixture, get(fixture, "/static/" NEWER "/none.css"), 404, NULL);
    check_at_once(fixture, get(fixture, "/static/" NEWER "/empty.css"), 200, "");
    assert_int_equal(count(fixture).fetched, 0);
}

static void what_needs_no_body_needs_no_wait(void **state)
{
    fixture_t *fixture = *state;
    const breaker_variant_t *variant = breaker_asset_variant(
        breaker_store_find(breaker_release_store(fixture->held, 0), "b.css", 5),
        BREAKER_ENCODING_IDENTITY);
    const struct {
        const char *method, *header, *value;
        int status;
    } cases[] = {
        {"HEAD", NULL, NULL, 200},           {"GET", "If-None-Match", variant->etag, 304},
        {"GET", "If-None-Match", "*", 304},  {"GET", "If-Match", "\"other\"", 412},
        {"GET", "Range", "bytes=100-", 416}, {"POST", NULL, NULL, 405},
    };

    for (size_t i = 0; i != COUNT(cases); ++i) {
        loopback_t *exchange = start(fixture, cases[i].method, "/static/" NEWER "/b.css",
                                     cases[i].header, cases[i].value);
        if (i == 0) {
            assert_string_equal(loopback_response_header(exchange, "ETag"), variant->etag);
            assert_int_equal(exchange->content_length, strlen(BYTES));
        }
        check_at_once(fixture, exchange, cases[i].status, NULL);
    }
    assert_int_equal(count(fixture).fetched, 0);
}

static void a_range_waits_as_the_whole_does(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *one = start(fixture, "GET", "/static/" NEWER "/b.css", "Range", "bytes=3-5");
    loopback_t *two = start(fixture, "GET", "/static/" NEWER "/b.css", "Range", "bytes=0-1,15-19");

    assert_false(is_answered(one));
    assert_false(is_answered(two));
    bring(fixture, "b.css");
    check(fixture, one, 206, "345");
    wait_for(fixture, two);
    assert_int_equal(two->status, 206);
    assert_non_null(strstr(loopback_response_header(two, "Content-Type"), "multipart/byteranges"));
    loopback_close(two);
    assert_int_equal(count(fixture).partial, 2);
}

static void the_time_of_a_wait_is_bounded(void **state)
{
    fixture_t *fixture = *state;
    uint64_t begun_ms = now_ms();
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    assert_false(is_answered(exchange));
    wait_for(fixture, exchange);
    assert_true(now_ms() - begun_ms >= SHORT_MS);
    assert_non_null(loopback_response_header(exchange, "Retry-After"));
    assert_string_equal(loopback_response_header(exchange, "Cache-Control"), "no-store");
    check(fixture, exchange, 503, NULL);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    assert_int_equal(count(fixture).retry_later, 1);
}

static void lost_bytes_are_not_found_and_not_waited_for(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    assert_false(is_answered(exchange));
    breaker__blob_set_lost(blob_of(fixture, "b.css"), true);
    wait_for(fixture, exchange);
    assert_string_equal(loopback_response_header(exchange, "Cache-Control"), "no-store");
    check(fixture, exchange, 404, NULL);
    fixture->num_wanted = 0;
    check_at_once(fixture, get(fixture, "/static/" NEWER "/b.css"), 404, NULL);
    check_at_once(fixture, start(fixture, "HEAD", "/static/" NEWER "/b.css", NULL, NULL), 404,
                  NULL);
    /* and waited for again once somebody may have them */
    breaker__blob_set_lost(blob_of(fixture, "b.css"), false);
    exchange = get(fixture, "/static/" NEWER "/b.css");
    assert_false(is_answered(exchange));
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
}

static void what_only_others_have_is_theirs_to_answer(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    assert_false(is_answered(exchange));
    breaker__blob_set_elsewhere(blob_of(fixture, "b.css"));
    wait_for(fixture, exchange);
    assert_string_equal(loopback_response_header(exchange, "Retry-After"), "3");
    check(fixture, exchange, 503, NULL);
    fixture->num_wanted = 0;
    check_at_once(fixture, get(fixture, "/static/" NEWER "/b.css"), 503, NULL);
    check_at_once(fixture, start(fixture, "HEAD", "/static/" NEWER "/b.css", NULL, NULL), 200,
                  NULL);
}

/* whoever was asked may have forgotten it */
static void what_is_waited_for_is_asked_for_again(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");
    uint64_t deadline = now_ms() + DEADLINE_MS;

    breaker__blob_unref(breaker__blobs_take_wanted(breaker__node_blobs(fixture->node)));
    while (fixture->num_wanted == 1) {
        assert_true(now_ms() < deadline);
        loopback_turn(&fixture->server);
    }
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
    assert_int_equal(count(fixture).fetched, 1);
}

static void clients_that_go_away_give_their_places_back(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchanges[16];

    for (size_t i = 0; i != COUNT(exchanges); ++i)
        exchanges[i] =
            get(fixture, i % 3 != 0 ? "/static/" NEWER "/b.css" : "/static/" OLDER "/b.css");
    /* asked for once */
    assert_int_equal(fixture->num_wanted, 1);
    assert_int_equal(breaker__node_num_parked(fixture->node), COUNT(exchanges));
    for (size_t i = 0; i < COUNT(exchanges); i += 2)
        loopback_close(exchanges[i]);
    assert_int_equal(breaker__node_num_parked(fixture->node), COUNT(exchanges) / 2);
    bring(fixture, "b.css");
    for (size_t i = 1; i < COUNT(exchanges); i += 2)
        check(fixture, exchanges[i], 200, BYTES);
    assert_int_equal(count(fixture).fetched, COUNT(exchanges));
    assert_int_equal(count(fixture).served, COUNT(exchanges) / 2);
}

static void without_room_the_answer_comes_at_once_and_the_bytes_are_wanted(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    for (size_t i = 0; i != BREAKER_PARKED_MAX; ++i)
        assert_true(breaker_node_reserve_place(fixture->node));
    exchange = get(fixture, "/static/" NEWER "/b.css");
    assert_true(is_answered(exchange));
    check(fixture, exchange, 503, NULL);
    /* whoever comes next finds it here */
    assert_int_equal(fixture->num_wanted, 1);
    for (size_t i = 0; i != BREAKER_PARKED_MAX; ++i)
        breaker_node_return_place(fixture->node);
}

static void a_node_that_does_not_hold_waits_for_nothing(void **state)
{
    fixture_t *fixture = *state;

    check_at_once(fixture, get(fixture, "/static/" NEWER "/b.css"), 503, NULL);
    publish(fixture, false, false);
    check_at_once(fixture, get(fixture, "/static/" NEWER "/b.css"), 503, NULL);
    check_at_once(fixture, get(fixture, "/static/" OLDER "/b.css"), 301, NULL);
    assert_int_equal(num_releases_wanted, 0);
}

static void a_node_by_itself_waits_for_its_archive(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = get(fixture, "/static/" OLDER "/b.css");

    assert_false(is_answered(exchange));
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
}

/* ---- releases ---- */

static void a_request_waits_for_a_release_and_then_for_its_bytes(void **state)
{
    fixture_t *fixture = *state;
    uint64_t deadline = now_ms() + DEADLINE_MS;
    loopback_t *exchange, *known;

    publish(fixture, false, false);
    exchange = get(fixture, "/static/" NEWER "/b.css");
    known = get(fixture, "/static/" OLDER "/a.css");
    assert_false(is_answered(exchange));
    assert_false(is_answered(known));
    assert_int_equal(num_releases_wanted, 2);
    assert_true(breaker_release_id_equal(&wanted_release, breaker_release_id(fixture->held)));
    assert_int_equal(fixture->num_wanted, 0);
    publish(fixture, false, true);
    check(fixture, known, 200, SHARED);
    while (fixture->num_wanted == 0) {
        assert_true(now_ms() < deadline);
        loopback_turn(&fixture->server);
    }
    assert_false(is_answered(exchange));
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
    /* one wait, whatever for */
    assert_int_equal(count(fixture).fetched, 2);
}

static void without_its_release_in_time_a_request_gets_the_plain_rules(void **state)
{
    static const struct {
        const char *path;
        int status;
    } cases[] = {
        {"/static/" NEWER "/b.css", 503},
        {"/static/" OLDER "/b.css", 301},
        {"/static/" OLDER "/none.css", 404},
    };
    fixture_t *fixture = *state;

    publish(fixture, false, false);
    for (size_t i = 0; i != COUNT(cases); ++i) {
        uint64_t begun_ms = now_ms();
        loopback_t *exchange = get(fixture, cases[i].path);
        assert_false(is_answered(exchange));
        wait_for(fixture, exchange);
        assert_true(now_ms() - begun_ms >= SHORT_MS);
        check(fixture, exchange, cases[i].status, NULL);
    }
    assert_int_equal(fixture->num_wanted, 0);
}

/* the node gave the release up while it was waited for: what is not offered is not waited for */
static void a_release_that_nobody_gives_ends_the_wait(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish(fixture, false, false);
    exchange = get(fixture, "/static/" OLDER "/b.css");
    assert_false(is_answered(exchange));
    publish(fixture, true, false);
    check(fixture, exchange, 301, NULL);
}

static void news_may_lead_to_bytes(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish_ledger(fixture, false, true, false);
    breaker_node_set_freshness(fixture->node, (breaker_freshness_t){1, .reachable = true});
    exchange = get(fixture, "/static/" NEWER "/b.css");
    assert_false(is_answered(exchange));
    assert_int_equal(count(fixture).parked, 1);
    assert_int_equal(count(fixture).fetched, 0);
    publish(fixture, false, true);
    while (fixture->num_wanted == 0 && !is_answered(exchange))
        loopback_turn(&fixture->server);
    bring(fixture, "b.css");
    check(fixture, exchange, 200, BYTES);
    assert_int_equal(count(fixture).parked, 1);
    assert_int_equal(count(fixture).fetched, 1);
}

/* ---- the fast path ---- */

typedef struct st_client_t {
    h2o_accept_ctx_t accept_ctx;
    breaker_h2o_fastpath_t *fastpath;
    int fd;
    bool is_closed;
} client_t;

static void on_close(void *is_closed)
{
    *(bool *)is_closed = true;
}

static void dial(fixture_t *fixture, client_t *client)
{
    h2o_socket_t *sock;

    *client = (client_t){
        .accept_ctx = {.ctx = &fixture->server.ctx, .hosts = fixture->server.config.hosts}};
    client->fastpath = breaker_h2o_fastpath_create(&client->accept_ctx);
    sock = sockets_pair(fixture->server.loop, &client->fd);
    sock->on_close.cb = on_close;
    sock->on_close.data = &client->is_closed;
    breaker_h2o_fastpath_accept(client->fastpath, sock);
}

static void hang_up(fixture_t *fixture, client_t *client)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    close(client->fd);
    while (!client->is_closed) {
        assert_true(now_ms() < deadline);
        loopback_turn(&fixture->server);
    }
    breaker_h2o_fastpath_free(client->fastpath);
}

static void say(const client_t *client, const char *text)
{
    assert_int_equal(write(client->fd, text, strlen(text)), strlen(text));
}

/* turns the loop until an answer ends like this; it is the last that was asked for */
static void hear(fixture_t *fixture, const client_t *client, const char *status, const char *end)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;
    char text[4096];
    size_t len = 0;

    while (len < strlen(end) || memcmp(text + len - strlen(end), end, strlen(end)) != 0) {
        ssize_t got = read(client->fd, text + len, sizeof(text) - len);
        assert_true(got > 0 || (got < 0 && errno == EAGAIN));
        if (got > 0)
            len += (size_t)got;
        assert_true(now_ms() < deadline);
        loopback_turn(&fixture->server);
    }
    assert_memory_equal(text, status, strlen(status));
}

static bool libh2o_has_connections(const fixture_t *fixture)
{
    return !h2o_linklist_is_empty((h2o_linklist_t *)&fixture->server.ctx.http1._conns);
}

static void a_request_that_has_to_wait_leaves_the_fast_path(void **state)
{
    static const char head[] = "HEAD /static/" NEWER "/b.css HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char whole[] = "GET /static/" NEWER "/b.css HTTP/1.1\r\nHost: a\r\n\r\n";
    fixture_t *fixture = *state;
    client_t client;

    dial(fixture, &client);
    say(&client, head);
    hear(fixture, &client, "HTTP/1.1 200 OK\r\n", "\r\n\r\n");
    assert_false(libh2o_has_connections(fixture));
    say(&client, whole);
    while (fixture->num_wanted == 0)
        loopback_turn(&fixture->server);
    assert_true(libh2o_has_connections(fixture));
    /* not counted before it is answered */
    assert_int_equal(count(fixture).served, 1);
    bring(fixture, "b.css");
    hear(fixture, &client, "HTTP/1.1 200 OK\r\n", BYTES);
    assert_int_equal(count(fixture).served, 2);
    assert_int_equal(count(fixture).fetched, 1);
    hang_up(fixture, &client);
    /* and the next client is answered by it alone */
    dial(fixture, &client);
    say(&client, whole);
    hear(fixture, &client, "HTTP/1.1 200 OK\r\n", BYTES);
    assert_false(libh2o_has_connections(fixture));
    hang_up(fixture, &client);
}

/* ---- bytes that come in a spool ---- */

/* of b.css; the test writes to it, and is to drop it */
static breaker_spool_t *begin_spool(const fixture_t *fixture, const char *first)
{
    breaker__blob_t *blob = blob_of(fixture, "b.css");
    breaker_spool_t *spool;
    int fd;

    assert_int_equal(breaker__spool_open(NULL, &fd), 0);
    assert_int_equal(breaker__spool_create(fd, breaker__blob_digest(blob), strlen(BYTES), &spool),
                     0);
    breaker__blob_set_spool(blob, spool);
    assert_int_equal(breaker__spool_write(spool, first, strlen(first)), 0);
    return spool;
}

static void write_rest(breaker_spool_t *spool)
{
    const char *rest = BYTES + breaker_spool_len(spool);

    assert_int_equal(breaker__spool_write(spool, rest, strlen(rest)), 0);
}

static void wait_for_bytes(fixture_t *fixture, const loopback_t *exchange, size_t len)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;

    while (exchange->body->size != len) {
        if (now_ms() > deadline)
            fail_msg("%zu bytes of %zu came", exchange->body->size, len);
        assert_true(exchange->body->size < len);
        loopback_turn(&fixture->server);
    }
}

/* long enough for whoever looks to have looked */
static void let_look(fixture_t *fixture)
{
    for (uint64_t begun_ms = now_ms(); now_ms() - begun_ms < SHORT_MS;)
        loopback_turn(&fixture->server);
}

static void what_has_come_is_sent_and_the_end_once_it_is_right(void **state)
{
    fixture_t *fixture = *state;
    breaker_spool_t *spool = begin_spool(fixture, "0123456789");
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    wait_for_bytes(fixture, exchange, 10);
    assert_int_equal(exchange->content_length, strlen(BYTES));
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    assert_int_equal(count(fixture).served, 1);
    assert_int_equal(breaker__spool_num_readers(spool), 1);
    write_rest(spool);
    let_look(fixture);
    assert_false(exchange->complete);
    assert_int_equal(breaker__spool_end(spool), 0);
    check(fixture, exchange, 200, BYTES);
    assert_int_equal(breaker__spool_num_readers(spool), 0);
    breaker__spool_unref(spool);
}

static void a_request_that_waits_is_answered_from_the_first_byte_on(void **state)
{
    fixture_t *fixture = *state;
    breaker_spool_t *spool = begin_spool(fixture, "");
    loopback_t *exchange = get(fixture, "/static/" NEWER "/b.css");

    assert_int_equal(breaker__node_num_parked(fixture->node), 1);
    assert_int_equal(breaker__spool_write(spool, BYTES, 1), 0);
    wait_for_bytes(fixture, exchange, 1);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    write_rest(spool);
    assert_int_equal(breaker__spool_end(spool), 0);
    check(fixture, exchange, 200, BYTES);
    breaker__spool_unref(spool);
}

static void what_breaks_is_never_ended_well(void **state)
{
    static const char *const ranges[] = {NULL, "bytes=0-3", "bytes=2-15", "bytes=0-1,15-19"};
    fixture_t *fixture = *state;

    for (size_t i = 0; i != COUNT(ranges); ++i) {
        breaker_spool_t *spool = begin_spool(fixture, "0123456789");
        loopback_t *exchange = start(fixture, "GET", "/static/" NEWER "/b.css",
                                     ranges[i] != NULL ? "Range" : NULL, ranges[i]);

        assert_int_equal(breaker__spool_write(spool, "other byte", 10), 0);
        let_look(fixture);
        assert_false(exchange->complete);
        assert_int_equal(breaker__spool_end(spool), BREAKER_ERR_CHANGED);
        wait_for(fixture, exchange);
        assert_true(exchange->error);
        loopback_close(exchange);
        breaker__spool_unref(spool);
    }
}

static void ranges_are_sent_as_their_bytes_come(void **state)
{
    fixture_t *fixture = *state;
    breaker_spool_t *spool = begin_spool(fixture, "0123456789");
    loopback_t *near = start(fixture, "GET", "/static/" NEWER "/b.css", "Range", "bytes=2-3");
    loopback_t *far = start(fixture, "GET", "/static/" NEWER "/b.css", "Range", "bytes=-4");

    let_look(fixture);
    assert_false(is_answered(near));
    assert_false(is_answered(far));
    write_rest(spool);
    assert_int_equal(breaker__spool_end(spool), 0);
    check(fixture, near, 206, "23");
    check(fixture, far, 206, "ghij");
    breaker__spool_unref(spool);
}

static void a_client_that_goes_away_gives_the_spool_back(void **state)
{
    fixture_t *fixture = *state;
    breaker_spool_t *spool = begin_spool(fixture, "0123456789");
    loopback_t *waiting = get(fixture, "/static/" NEWER "/b.css");
    loopback_t *sending = get(fixture, "/static/" NEWER "/b.css");

    wait_for_bytes(fixture, waiting, 10);
    assert_int_equal(breaker__spool_num_readers(spool), 2);
    loopback_close(waiting);
    loopback_close(sending);
    assert_int_equal(breaker__spool_num_readers(spool), 0);
    breaker__spool_unref(spool);
}

static void the_fast_path_leaves_spools_to_libh2o(void **state)
{
    fixture_t *fixture = *state;
    breaker_spool_t *spool = begin_spool(fixture, "0123456789");
    client_t client;

    dial(fixture, &client);
    say(&client, "GET /static/" NEWER "/b.css HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fixture, &client, "HTTP/1.1 200 OK\r\n", "0123456789");
    assert_true(libh2o_has_connections(fixture));
    write_rest(spool);
    assert_int_equal(breaker__spool_end(spool), 0);
    hear(fixture, &client, "abcdefghij", "abcdefghij");
    hang_up(fixture, &client);
    breaker__spool_unref(spool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_waits_until_the_bytes_are_here),
        TEST(a_file_that_the_own_release_has_too_needs_no_wait),
        TEST(what_needs_no_body_needs_no_wait),
        TEST(a_range_waits_as_the_whole_does),
        cmocka_unit_test_setup_teardown(the_time_of_a_wait_is_bounded, setup_impatient, teardown),
        TEST(lost_bytes_are_not_found_and_not_waited_for),
        TEST(what_only_others_have_is_theirs_to_answer),
        TEST(what_is_waited_for_is_asked_for_again),
        TEST(clients_that_go_away_give_their_places_back),
        TEST(without_room_the_answer_comes_at_once_and_the_bytes_are_wanted),
        cmocka_unit_test_setup_teardown(a_node_that_does_not_hold_waits_for_nothing,
                                        setup_without_holding, teardown),
        cmocka_unit_test_setup_teardown(a_node_by_itself_waits_for_its_archive, setup_alone,
                                        teardown),
        TEST(a_request_waits_for_a_release_and_then_for_its_bytes),
        cmocka_unit_test_setup_teardown(without_its_release_in_time_a_request_gets_the_plain_rules,
                                        setup_impatient, teardown),
        TEST(a_release_that_nobody_gives_ends_the_wait),
        TEST(news_may_lead_to_bytes),
        TEST(a_request_that_has_to_wait_leaves_the_fast_path),
        TEST(what_has_come_is_sent_and_the_end_once_it_is_right),
        TEST(a_request_that_waits_is_answered_from_the_first_byte_on),
        TEST(what_breaks_is_never_ended_well),
        TEST(ranges_are_sent_as_their_bytes_come),
        TEST(a_client_that_goes_away_gives_the_spool_back),
        TEST(the_fast_path_leaves_spools_to_libh2o),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
