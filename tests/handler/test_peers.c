/*
 * What other nodes and everybody else get at the paths between nodes, in process: the test plays
 * the cluster, which says what the keys are, and the node that asks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "node/node.h"
#include "peers/auth.h"
#include "release/manifest.h"
#include "release/release.h"
#include "tree.h"

enum { NUM_FILES = 1000, DISK_LEN = 200000, MEMORY_LEN = 150000 };

typedef struct st_fixture_t {
    const char *view_name;
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
    breaker_release_t *release; /* owned reference */
} fixture_t;

static breaker__peer_keys_t keys_of(uint8_t byte)
{
    breaker__peer_keys_t keys = {.num = 1};

    memset(keys.keys[0], byte, BREAKER_PEER_KEY_LEN);
    return keys;
}

/* ---- the node ---- */

static int answer_everything(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    h2o_send_error_404(req, "Not Found", "the application has no such page", 0);
    return 0;
}

static void write_files(fixture_t *fixture)
{
    char *body = malloc(DISK_LEN + 1), path[64];

    assert_non_null(body);
    tree_create(&fixture->tree);
    for (size_t i = 0; i != DISK_LEN; ++i)
        body[i] = (char)('a' + i % 23);
    body[DISK_LEN] = '\0';
    tree_write(&fixture->tree, "disk.bin", body);
    body[MEMORY_LEN] = '\0';
    tree_write(&fixture->tree, "memory.bin", body);
    tree_write(&fixture->tree, "empty.txt", "");
    for (int i = 0; i != NUM_FILES; ++i) {
        snprintf(path, sizeof(path), "file-%d.txt", i);
        tree_write(&fixture->tree, path, path);
    }
    free(body);
}

static void publish(fixture_t *fixture)
{
    breaker_token_t token;
    breaker_ledger_t ledger;
    breaker_ledger_entry_t entry = {.order = 1000};

    assert_int_equal(breaker_token_parse("v1", 2, &token), 0);
    entry.token = token;
    entry.release = *breaker_release_id(fixture->release);
    assert_int_equal(breaker_ledger_init(&ledger, &entry, 1), 0);
    assert_int_equal(breaker_node_publish(fixture->node, fixture->release, &token, &ledger, false),
                     0);
}

static void set_keys(fixture_t *fixture, const breaker__peer_keys_t *keys)
{
    breaker_peers_t peers = {.num_keys = keys->num, .clock_offset_ms = keys->clock_offset_ms};

    memcpy(peers.keys, keys->keys, sizeof(peers.keys));
    assert_int_equal(breaker_node_set_peers(fixture->node, &peers), 0);
}

static void configure(fixture_t *fixture)
{
    breaker_holding_config_t holding;
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;

    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    breaker_view_config_init(&view_config);
    view_config.name = fixture->view_name;
    view_config.directory = fixture->tree.path;
    view_config.memory_file_limit = MEMORY_LEN;
    assert_int_equal(breaker_node_add_view(fixture->node, &view_config, &view), 0);
    assert_int_equal(breaker_node_set_label(fixture->node, "r1", 2), 0);
    assert_int_equal(breaker_node_join(fixture->node), 0);
    breaker_holding_config_init(&holding);
    holding.has_peers = true;
    assert_int_equal(breaker_node_set_holding(fixture->node, &holding, NULL), 0);
    assert_int_equal(breaker_h2o_static_register(fixture->server.path, fixture->node, &view, 1), 0);
}

static int set_up_with(void **state, const char *view_name)
{
    static fixture_t fixture;
    breaker__peer_keys_t keys = keys_of(0x11);
    breaker_error_t error;

    memset(&fixture, 0, sizeof(fixture));
    fixture.view_name = view_name;
    write_files(&fixture);
    loopback_server_init(&fixture.server);
    configure(&fixture);
    h2o_create_handler(fixture.server.path, sizeof(h2o_handler_t))->on_req = answer_everything;
    assert_int_equal(breaker_h2o_peers_register(&fixture.server.config, fixture.node), 0);
    assert_int_equal(breaker_node_load(fixture.node, &error), 0);
    fixture.release = breaker_node_release(fixture.node);
    publish(&fixture);
    set_keys(&fixture, &keys);
    loopback_server_start(&fixture.server);
    *state = &fixture;
    return 0;
}

static int setup(void **state)
{
    return set_up_with(state, "static/{breaker}");
}

static int set_up_at_root(void **state)
{
    return set_up_with(state, "{breaker}");
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    breaker_release_unref(fixture->release);
    loopback_server_dispose(&fixture->server);
    breaker_node_free(fixture->node);
    tree_remove(&fixture->tree);
    return 0;
}

/* ---- who asks ---- */

static void sign(loopback_t *exchange, const breaker__peer_keys_t *keys, const char *path)
{
    char auth[BREAKER__AUTH_MAX + 1];

    assert_int_equal(
        breaker__auth_sign(keys, 0, path, strlen(path), breaker__auth_now_s(keys), auth), 0);
    loopback_header(exchange, "X-Breaker-Auth", auth);
}

static loopback_t *open_as_member(fixture_t *fixture, const char *rest)
{
    breaker__peer_keys_t keys = keys_of(0x11);
    char path[512];
    loopback_t *exchange;

    snprintf(path, sizeof(path), "%s%s", BREAKER_PEER_PREFIX, rest);
    exchange = loopback_open(&fixture->server, "GET", path);
    /* bodies without a length come as they are, and not in chunks */
    exchange->req.version = 0x200;
    sign(exchange, &keys, path);
    return exchange;
}

static loopback_t *ask(fixture_t *fixture, const char *rest)
{
    loopback_t *exchange = open_as_member(fixture, rest);

    loopback_run(exchange);
    return exchange;
}

static void check_member(loopback_t *exchange, int status)
{
    assert_int_equal(exchange->status, status);
    assert_false(exchange->error);
    assert_string_equal(loopback_response_header(exchange, BREAKER_PEER_MEMBER_HEADER), "1");
    assert_string_equal(loopback_response_header(exchange, "cache-control"), "no-store");
    assert_int_equal(loopback_count_response_headers(exchange, "cache-control"), 1);
    assert_non_null(loopback_response_header(exchange, "content-type"));
}

static const breaker_asset_t *asset_of(const fixture_t *fixture, const char *path)
{
    const breaker_asset_t *asset =
        breaker_store_find(breaker_release_store(fixture->release, 0), path, strlen(path));

    assert_non_null(asset);
    return asset;
}

static void blob_path(const fixture_t *fixture, const char *path, char *dst)
{
    memcpy(dst, "blob/", 5);
    breaker__digest_format(asset_of(fixture, path)->digest, dst + 5);
}

/* ---- members ---- */

static void a_member_is_told_what_is_held(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = ask(fixture, "held");
    char expected[256];

    snprintf(expected, sizeof(expected), "h2o-breaker held 1\n%s complete\n",
             breaker_release_id(fixture->release)->text);
    check_member(exchange, 200);
    assert_int_equal(exchange->content_length, strlen(expected));
    assert_int_equal(exchange->body->size, strlen(expected));
    assert_memory_equal(exchange->body->bytes, expected, strlen(expected));
    loopback_close(exchange);
}

/* "/.well-known/…" is then a path of the view's, with a token that nobody has minted */
static void a_member_is_answered_where_a_view_begins_with_the_token(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = ask(fixture, "held");

    check_member(exchange, 200);
    loopback_close(exchange);
    exchange = loopback_open(&fixture->server, "GET", "/v1/empty.txt");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    loopback_close(exchange);
}

static int compare_sink(void *data, const char *base, size_t len)
{
    h2o_iovec_t *rest = data;

    assert_true(len <= rest->len);
    assert_memory_equal(rest->base, base, len);
    *rest = h2o_iovec_init(rest->base + len, rest->len - len);
    return 0;
}

static void a_manifest_comes_in_pieces(void **state)
{
    fixture_t *fixture = *state;
    char path[256];
    loopback_t *exchange;
    h2o_iovec_t rest;

    snprintf(path, sizeof(path), "manifest/%s", breaker_release_id(fixture->release)->text);
    exchange = ask(fixture, path);
    check_member(exchange, 200);
    assert_int_equal(exchange->content_length, SIZE_MAX);
    assert_true(exchange->num_sends > 2);
    assert_true(exchange->largest_send <= BREAKER_PEER_PIECE_MAX);
    rest = h2o_iovec_init(exchange->body->bytes, exchange->body->size);
    assert_int_equal(breaker__manifest_write(fixture->release, compare_sink, &rest), 0);
    assert_int_equal(rest.len, 0);
    loopback_close(exchange);
}

static bool has_pattern(const char *base, size_t len, size_t offset)
{
    for (size_t i = 0; i != len; ++i)
        if (base[i] != (char)('a' + (i + offset) % 23))
            return false;
    return true;
}

static void check_blob(fixture_t *fixture, const char *name, size_t len)
{
    char path[128];
    loopback_t *exchange;

    blob_path(fixture, name, path);
    exchange = ask(fixture, path);
    check_member(exchange, 200);
    assert_string_equal(loopback_response_header(exchange, "content-type"),
                        "application/octet-stream");
    assert_int_equal(exchange->content_length, len);
    assert_int_equal(exchange->body->size, len);
    assert_true(exchange->largest_send <= BREAKER_PEER_PIECE_MAX);
    assert_true(len <= 100 || has_pattern(exchange->body->bytes, len, 0));
    loopback_close(exchange);
}

static void blobs_come_from_memory_and_from_disk(void **state)
{
    fixture_t *fixture = *state;

    assert_null(
        breaker_asset_variant(asset_of(fixture, "disk.bin"), BREAKER_ENCODING_IDENTITY)->base);
    check_blob(fixture, "disk.bin", DISK_LEN);
    check_blob(fixture, "memory.bin", MEMORY_LEN);
    check_blob(fixture, "file-7.txt", strlen("file-7.txt"));
    check_blob(fixture, "empty.txt", 0);
}

static void a_part_of_a_blob_can_be_had(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;
    char path[128];

    blob_path(fixture, "disk.bin", path);
    exchange = open_as_member(fixture, path);
    loopback_header(exchange, "Range", "bytes=70000-170000");
    loopback_run(exchange);
    check_member(exchange, 206);
    assert_string_equal(loopback_response_header(exchange, "content-range"),
                        "bytes 70000-170000/200000");
    assert_int_equal(exchange->content_length, 100001);
    assert_int_equal(exchange->body->size, 100001);
    assert_true(has_pattern(exchange->body->bytes, 100001, 70000));
    loopback_close(exchange);
}

static void what_is_not_here_is_said_to_a_member_as_such(void **state)
{
    static const char *const paths[] = {
        "x",
        "held/",
        "held?x",
        "manifest/",
        "manifest/any",
        "manifest/..",
        "blob/",
        "blob/00",
        "blob/0000000000000000000000000000000000000000000000000000000000000000",
        "blob/000000000000000000000000000000000000000000000000000000000000000G",
        "blob/0000000000000000000000000000000000000000000000000000000000000000/"};

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        loopback_t *exchange = ask(*state, paths[i]);
        check_member(exchange, 404);
        assert_int_equal(exchange->content_length, 0);
        loopback_close(exchange);
    }
}

static void more_blobs_at_a_time_than_there_are_places_are_put_off(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchanges[BREAKER_H2O_PEER_BLOBS_MAX], *late;
    char path[128];

    blob_path(fixture, "disk.bin", path);
    for (size_t i = 0; i != BREAKER_H2O_PEER_BLOBS_MAX; ++i) {
        exchanges[i] = open_as_member(fixture, path);
        exchanges[i]->stepwise = true;
        assert_true(loopback_step(exchanges[i]));
    }
    late = ask(fixture, path);
    check_member(late, 503);
    loopback_close(late);
    late = ask(fixture, "held");
    check_member(late, 200);
    loopback_close(late);
    /* one goes away in the middle of its answer */
    loopback_close(exchanges[0]);
    late = ask(fixture, path);
    check_member(late, 200);
    loopback_close(late);
    for (size_t i = 1; i != BREAKER_H2O_PEER_BLOBS_MAX; ++i) {
        while (loopback_step(exchanges[i]))
            ;
        assert_int_equal(exchanges[i]->body->size, DISK_LEN);
        loopback_close(exchanges[i]);
    }
}

static void a_file_that_changed_is_not_sent(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;
    char path[128];

    blob_path(fixture, "disk.bin", path);
    exchange = open_as_member(fixture, path);
    exchange->stepwise = true;
    assert_true(loopback_step(exchange));
    tree_write(&fixture->tree, "disk.bin", "other bytes");
    while (loopback_step(exchange))
        ;
    assert_true(exchange->error);
    loopback_close(exchange);
    exchange = ask(fixture, path);
    assert_true(exchange->status == 503 || exchange->status == 404);
    loopback_close(exchange);
}

/* ---- everybody else ---- */

static void check_same(loopback_t *a, loopback_t *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->headers.size, b->headers.size);
    for (size_t i = 0; i != a->headers.size; ++i) {
        const h2o_header_t *x = a->headers.entries + i, *y = b->headers.entries + i;
        assert_string_equal(x->name->base, y->name->base);
        assert_int_equal(x->value.len, y->value.len);
        assert_memory_equal(x->value.base, y->value.base, x->value.len);
    }
    assert_int_equal(a->body->size, b->body->size);
    if (a->body->size != 0)
        assert_memory_equal(a->body->bytes, b->body->bytes, a->body->size);
    assert_null(loopback_response_header(a, BREAKER_PEER_MEMBER_HEADER));
}

/* Runs it and compares what it gets with what an unknown path gets; closes it. */
static void check_stranger(fixture_t *fixture, loopback_t *exchange, const char *method)
{
    loopback_t *unknown = loopback_open(&fixture->server, method, "/no/such/path");

    loopback_run(exchange);
    loopback_run(unknown);
    assert_int_equal(unknown->status, 404);
    check_same(exchange, unknown);
    loopback_close(exchange);
    loopback_close(unknown);
}

static void a_stranger_gets_what_any_unknown_path_gets(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "OPTIONS"};
    static const char *const rests[] = {"held", "manifest/any", "blob/00", "", "x"};
    fixture_t *fixture = *state;
    char path[512];

    for (size_t i = 0; i != sizeof(rests) / sizeof(rests[0]); ++i)
        for (size_t j = 0; j != sizeof(methods) / sizeof(methods[0]); ++j) {
            snprintf(path, sizeof(path), "%s%s", BREAKER_PEER_PREFIX, rests[i]);
            check_stranger(fixture, loopback_open(&fixture->server, methods[j], path), methods[j]);
        }
}

static void only_a_signed_get_is_a_members(void **state)
{
    static const char *const methods[] = {"HEAD", "POST", "PUT", "DELETE"};
    static const char path[] = BREAKER_PEER_PREFIX "held";
    fixture_t *fixture = *state;
    breaker__peer_keys_t good = keys_of(0x11), bad = keys_of(0x12);
    loopback_t *exchange;

    for (size_t i = 0; i != sizeof(methods) / sizeof(methods[0]); ++i) {
        exchange = loopback_open(&fixture->server, methods[i], path);
        sign(exchange, &good, path);
        check_stranger(fixture, exchange, methods[i]);
    }
    exchange = loopback_open(&fixture->server, "GET", path);
    sign(exchange, &bad, path);
    check_stranger(fixture, exchange, "GET");
    exchange = loopback_open(&fixture->server, "GET", path);
    sign(exchange, &good, BREAKER_PEER_PREFIX "blob/00");
    check_stranger(fixture, exchange, "GET");
    good.clock_offset_ms = -40000;
    exchange = loopback_open(&fixture->server, "GET", path);
    sign(exchange, &good, path);
    check_stranger(fixture, exchange, "GET");
}

static void the_path_is_taken_as_it_was_signed(void **state)
{
    static const char *const paths[] = {
        "/%2Ewell-known/h2o-breaker/held", "/.WELL-KNOWN/h2o-breaker/held",
        "/x/../.well-known/h2o-breaker/held", "//.well-known/h2o-breaker/held"};
    fixture_t *fixture = *state;
    breaker__peer_keys_t keys = keys_of(0x11);
    loopback_t *exchange;

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        exchange = loopback_open(&fixture->server, "GET", paths[i]);
        sign(exchange, &keys, paths[i]);
        check_stranger(fixture, exchange, "GET");
    }
}

static void keys_change_while_it_runs(void **state)
{
    static const char path[] = BREAKER_PEER_PREFIX "held";
    fixture_t *fixture = *state;
    breaker__peer_keys_t both = keys_of(0x22), none = {.num = 0}, one = keys_of(0x22);
    loopback_t *exchange;

    memset(both.keys[1], 0x11, BREAKER_PEER_KEY_LEN);
    both.num = 2;
    set_keys(fixture, &both);
    exchange = ask(fixture, "held");
    check_member(exchange, 200);
    loopback_close(exchange);
    set_keys(fixture, &one);
    check_stranger(fixture, open_as_member(fixture, "held"), "GET");
    exchange = loopback_open(&fixture->server, "GET", path);
    sign(exchange, &one, path);
    loopback_run(exchange);
    check_member(exchange, 200);
    loopback_close(exchange);
    set_keys(fixture, &none);
    exchange = loopback_open(&fixture->server, "GET", path);
    sign(exchange, &one, path);
    check_stranger(fixture, exchange, "GET");
    one = keys_of(0x11);
    set_keys(fixture, &one);
}

int main(void)
{
    /* one node for all: the last test breaks one of its files */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_told_what_is_held),
        cmocka_unit_test(a_manifest_comes_in_pieces),
        cmocka_unit_test(blobs_come_from_memory_and_from_disk),
        cmocka_unit_test(a_part_of_a_blob_can_be_had),
        cmocka_unit_test(what_is_not_here_is_said_to_a_member_as_such),
        cmocka_unit_test(more_blobs_at_a_time_than_there_are_places_are_put_off),
        cmocka_unit_test(a_stranger_gets_what_any_unknown_path_gets),
        cmocka_unit_test(only_a_signed_get_is_a_members),
        cmocka_unit_test(the_path_is_taken_as_it_was_signed),
        cmocka_unit_test(keys_change_while_it_runs),
        cmocka_unit_test(a_file_that_changed_is_not_sent),
    };
    const struct CMUnitTest tests_at_root[] = {
        cmocka_unit_test(a_member_is_answered_where_a_view_begins_with_the_token),
    };
    int num_failed = cmocka_run_group_tests(tests, setup, teardown);

    return num_failed + cmocka_run_group_tests(tests_at_root, set_up_at_root, teardown);
}
