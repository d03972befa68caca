/*
 * A node that holds releases of others, its thread included: from an archive over starts with other
 * files, through loads into the running node, and as its coordinator tells it of peers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <breaker/classify.h>
#include <breaker/figures.h>
#include <breaker/holding.h>
#include <breaker/node.h>
#include "archive/archive.h"
#include "node/node.h"
#include "tree.h"

enum { DEADLINE_MS = 30000 };

typedef struct st_world_t {
    tree_t tree;
    breaker_node_t *node;
    atomic_uint num_done;
    /* of the last change: how many releases were held in it */
    atomic_size_t num_held;
    atomic_uint num_troubles;
    /* files are sent from where they lie */
    bool on_disk;
} world_t;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define WAIT_UNTIL(condition)                                                                      \
    for (uint64_t end_ = now_ms() + DEADLINE_MS; !(condition);                                     \
         nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL))                                  \
    assert_true(now_ms() < end_)

static void on_change(void *data, const breaker_snapshot_t *snapshot)
{
    world_t *world = data;

    atomic_store(&world->num_held, snapshot->num_held);
}

static void on_log(void *data, const breaker_log_event_t *event)
{
    world_t *world = data;

    if (strcmp(event->name, "archive") == 0)
        atomic_fetch_add(&world->num_troubles, 1);
}

static void path_of(const world_t *world, const char *name, char *dst, size_t size)
{
    snprintf(dst, size, "%s/%s", world->tree.path, name);
}

static void add_view(world_t *world, const char *tree)
{
    breaker_view_config_t config;
    const breaker_view_t *view;
    char path[128];

    path_of(world, tree, path, sizeof(path));
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = path;
    if (world->on_disk)
        config.memory_file_limit = 0;
    assert_int_equal(breaker_node_add_view(world->node, &config, &view), 0);
}

/* a node with the files of a tree, which is not loaded yet; the one before ends */
static void make(world_t *world, const char *tree)
{
    breaker_node_config_t config;

    breaker_node_free(world->node);
    breaker_node_config_init(&config);
    config.on_change = on_change;
    config.change_data = world;
    assert_int_equal(breaker_node_create(&config, &world->node), 0);
    add_view(world, tree);
}

static void set_archive(world_t *world)
{
    breaker_holding_config_t config = *breaker_node_holding(world->node);
    char path[128];

    path_of(world, "archive", path, sizeof(path));
    config.archive = path;
    config.log_data = world;
    config.on_log = on_log;
    assert_int_equal(breaker_node_set_holding(world->node, &config, NULL), 0);
}

static void load(world_t *world, const char *tree)
{
    make(world, tree);
    set_archive(world);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
}

/* how often the archive's disk refuses a manifest */
static atomic_int num_refusals;

int __wrap_breaker__archive_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                                     char **ret_text, size_t *ret_len);
int __real_breaker__archive_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                                     char **ret_text, size_t *ret_len);

int __wrap_breaker__archive_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                                     char **ret_text, size_t *ret_len)
{
    if (atomic_load(&num_refusals) > 0) {
        atomic_fetch_sub(&num_refusals, 1);
        return BREAKER_ERR_IO;
    }
    return __real_breaker__archive_manifest(archive, id, ret_text, ret_len);
}

static int setup(void **state)
{
    static world_t world;
    char path[128];

    memset(&world, 0, sizeof(world));
    tree_create(&world.tree);
    for (char tree = 'a'; tree <= 'c'; ++tree) {
        snprintf(path, sizeof(path), "%c/name", tree);
        tree_write(&world.tree, path, path);
        snprintf(path, sizeof(path), "%c/shared", tree);
        tree_write(&world.tree, path, "shared");
    }
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker_node_free(world->node);
    tree_remove(&world->tree);
    return 0;
}

/* ---- what is seen ---- */

static breaker_snapshot_t *take_snapshot(world_t *world)
{
    breaker_snapshot_t *current = NULL;

    breaker_publisher_refresh(breaker_node_publisher(world->node), &current);
    assert_non_null(current);
    return current;
}

static breaker_token_t take_token(world_t *world)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker_token_t token = snapshot->views[0].token;

    breaker_snapshot_unref(snapshot);
    return token;
}

static breaker_release_id_t own_id(world_t *world)
{
    breaker_release_t *release = breaker_node_release(world->node);
    breaker_release_id_t id = *breaker_release_id(release);

    breaker_release_unref(release);
    return id;
}

/* the first byte of the file that names its tree; '.' while it is known without bytes, else what
 * the verdict is: '3', '5', '4', 'r' for one that waits for a release */
static char get(world_t *world, breaker_token_t token)
{
    const breaker_view_t *view = breaker_node_view(world->node, 0);
    breaker_snapshot_t *snapshot = take_snapshot(world);
    const breaker_variant_t *variant;
    breaker_verdict_t verdict;
    breaker_views_t *set;
    char path[128], seen = '?';

    snprintf(path, sizeof(path), "/static/%s/name", token.text);
    assert_int_equal(breaker_views_create(&view, 1, &set), 0);
    verdict = breaker_classify(snapshot, set, path, strlen(path), false);
    if (verdict.kind == BREAKER_VERDICT_SERVE) {
        variant = breaker_asset_variant(verdict.asset, BREAKER_ENCODING_IDENTITY);
        seen = variant->base != NULL ? variant->base[0] : '.';
    } else if (verdict.kind == BREAKER_VERDICT_RELAY) {
        seen = 'r';
    } else if (verdict.kind == BREAKER_VERDICT_REDIRECT) {
        seen = '3';
    } else if (verdict.kind == BREAKER_VERDICT_RETRY) {
        seen = '5';
    } else if (verdict.kind == BREAKER_VERDICT_NOT_FOUND) {
        seen = '4';
    }
    breaker_views_free(set);
    breaker_snapshot_unref(snapshot);
    return seen;
}

static size_t num_held(world_t *world)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    size_t num = snapshot->num_held;

    breaker_snapshot_unref(snapshot);
    return num;
}

/* whether a release lies in the archive whole */
static bool is_archived(world_t *world, const breaker_release_id_t *id)
{
    breaker__archive_config_t config = {.directory = NULL};
    breaker__archive_t *archive;
    breaker__archived_t *list;
    bool found = false;
    char path[128];
    size_t num;

    path_of(world, "archive", path, sizeof(path));
    config.directory = path;
    assert_int_equal(breaker__archive_open(&config, &archive, NULL), 0);
    assert_int_equal(breaker__archive_list(archive, &list, &num), 0);
    for (size_t i = 0; i != num; ++i)
        found |= breaker_release_id_equal(&list[i].id, id) && list[i].is_whole;
    free(list);
    breaker__archive_close(archive);
    return found;
}

static void on_done(void *data, breaker_next_end_t end, const breaker_error_t *error)
{
    world_t *world = data;
    (void)error;

    assert_int_equal(end, BREAKER_NEXT_PUBLISHED);
    atomic_fetch_add(&world->num_done, 1);
}

static void load_next(world_t *world, const char *tree)
{
    unsigned before = atomic_load(&world->num_done);
    const char *directory;
    breaker_next_t next;
    char path[128];

    path_of(world, tree, path, sizeof(path));
    directory = path;
    breaker_next_init(&next);
    next.directories = &directory;
    next.data = world;
    next.on_done = on_done;
    assert_int_equal(breaker_node_load_next(world->node, &next), 0);
    WAIT_UNTIL(atomic_load(&world->num_done) != before);
}

/* ---- an archive ---- */

static void other_files_leave_old_urls_their_bytes_over_a_start(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;
    breaker_token_t token;

    load(world, "a");
    token = take_token(world);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load(world, "b");
    /* from the first moment a request waits at worst */
    assert_non_null(strchr("ra.", get(world, token)));
    WAIT_UNTIL(get(world, token) == 'a');
    assert_int_equal(get(world, take_token(world)), 'b');
    assert_int_equal(num_held(world), 1);
}

static void what_is_held_and_fetched_is_told(void **state)
{
    world_t *world = *state;
    breaker_figures_t figures;
    breaker_release_id_t id;

    load(world, "a");
    breaker_node_figures(world->node, &figures);
    assert_true(figures.holding.is_on);
    assert_int_equal(figures.holding.archive_files.ok, 0);
    assert_int_equal(figures.standing, BREAKER_STANDING_ALONE);
    assert_true(figures.ledger_age_ms == UINT64_MAX);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load(world, "b");
    do {
        breaker_node_figures(world->node, &figures);
    } while (figures.holding.complete != 1);
    assert_int_equal(figures.holding.partial + figures.holding.awaited, 0);
    assert_int_equal(figures.holding.blobs_lacking, 0);
    assert_true(figures.holding.archive_files.ok >= 1);
    assert_true(figures.holding.archive_files.bytes >= 1);
    assert_int_equal(figures.holding.archive_files.failed, 0);
    assert_true(figures.holding.memory >= 1);
    assert_true(figures.blobs >= 2);
}

static void a_release_that_a_disk_refuses_for_a_moment_is_read_again(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;
    breaker_token_t token;

    load(world, "a");
    token = take_token(world);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    atomic_store(&num_refusals, 1);
    load(world, "b");
    WAIT_UNTIL(get(world, token) == 'a');
    assert_int_equal(atomic_load(&num_refusals), 0);
}

static void the_same_files_have_their_token_again(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;
    breaker_token_t token, again;

    load(world, "a");
    token = take_token(world);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load(world, "a");
    again = take_token(world);
    assert_true(breaker_token_equal(&token, &again));
    assert_int_equal(num_held(world), 0);
}

static void what_nobody_keeps_is_not_waited_for(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;
    breaker_token_t token;
    char path[128], state_path[128];

    load(world, "a");
    token = take_token(world);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    breaker_node_free(world->node);
    world->node = NULL;
    path_of(world, "archive", path, sizeof(path));
    path_of(world, "elsewhere", state_path, sizeof(state_path));
    assert_int_equal(rename(path, state_path), 0);
    load(world, "b");
    WAIT_UNTIL(get(world, token) == '3');
}

/* a file in its place */
static void without_an_archive_the_node_goes_on(void **state)
{
    world_t *world = *state;

    tree_write(&world->tree, "archive", "none");
    load(world, "a");
    assert_int_equal(get(world, take_token(world)), 'a');
    assert_int_not_equal(atomic_load(&world->num_troubles), 0);
    WAIT_UNTIL(breaker_node_readiness(world->node) == BREAKER_READY);
}

/* ---- loads into the running node ---- */

static void what_was_served_is_held_in_the_very_change(void **state)
{
    world_t *world = *state;
    breaker_token_t first;

    load(world, "a");
    first = take_token(world);
    load_next(world, "b");
    assert_int_equal(atomic_load(&world->num_held), 1);
    assert_int_equal(get(world, first), 'a');
    load_next(world, "c");
    assert_int_equal(atomic_load(&world->num_held), 2);
    assert_int_equal(get(world, first), 'a');
}

static void a_stopped_node_loads_nothing_and_asks_its_host_nothing(void **state)
{
    world_t *world = *state;
    breaker_token_t token;
    breaker_next_t next;

    load(world, "a");
    token = take_token(world);
    breaker_node_stop(world->node);
    breaker_next_init(&next);
    assert_int_equal(breaker_node_load_next(world->node, &next), BREAKER_ERR_STATE);
    breaker_node_stop(world->node);
    /* what was published stays */
    assert_int_equal(get(world, token), 'a');
}

static void what_was_held_is_served_again_and_not_held(void **state)
{
    world_t *world = *state;
    breaker_token_t first, second;

    load(world, "a");
    first = take_token(world);
    load_next(world, "b");
    second = take_token(world);
    load_next(world, "a");
    assert_int_equal(atomic_load(&world->num_held), 1);
    assert_int_equal(get(world, second), 'b');
    /* an older token of the own release leads to the newer one */
    assert_int_equal(get(world, first), '3');
    for (int i = 0; i != 20; ++i)
        load_next(world, i % 2 == 0 ? "b" : "a");
    assert_int_equal(num_held(world), 1);
    assert_int_equal(get(world, take_token(world)), 'a');
}

static void a_node_that_does_not_hold_holds_nothing(void **state)
{
    world_t *world = *state;
    breaker_figures_t figures;
    breaker_release_id_t id;

    make(world, "a");
    assert_int_equal(breaker_node_readiness(world->node), BREAKER_NOT_READY_NO_TOKEN);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
    load_next(world, "b");
    assert_int_equal(num_held(world), 0);
    breaker_node_figures(world->node, &figures);
    assert_false(figures.holding.is_on);
    assert_int_equal(breaker_node_fetch_timeout_ms(world->node), 0);
    assert_int_equal(breaker_node_readiness(world->node), BREAKER_READY);
    id = own_id(world);
    breaker_node_want_release(world->node, &id);
    assert_int_equal(breaker_node_set_peers(world->node, &(breaker_peers_t){.num_peers = 0}), 0);
}

/* ---- peers ---- */

static void join_unpublished(world_t *world, uint32_t ready_timeout_ms)
{
    static const char *const loopback = "127.0.0.0/8";
    breaker_holding_config_t config;

    make(world, "a");
    config = *breaker_node_holding(world->node);
    config.has_peers = true;
    config.networks = &loopback;
    config.num_networks = 1;
    config.ready_timeout_ms = ready_timeout_ms;
    assert_int_equal(breaker_node_set_holding(world->node, &config, NULL), 0);
    assert_int_equal(breaker_node_join(world->node), 0);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
    assert_int_equal(breaker_node_readiness(world->node), BREAKER_NOT_READY_NO_TOKEN);
}

static void join(world_t *world, uint32_t ready_timeout_ms)
{
    breaker_release_t *release;
    breaker_ledger_t ledger;
    breaker_ledger_entry_t entry = {.order = 2};

    join_unpublished(world, ready_timeout_ms);
    release = breaker_node_release(world->node);
    entry.release = *breaker_release_id(release);
    assert_int_equal(breaker_token_parse("t2", 2, &entry.token), 0);
    assert_int_equal(breaker_ledger_init(&ledger, &entry, 1), 0);
    assert_int_equal(breaker_node_publish(world->node, release, &entry.token, &ledger, false), 0);
    breaker_release_unref(release);
}

static breaker_release_id_t other_id(void)
{
    static const char text[] = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, sizeof(text) - 1, &id), 0);
    return id;
}

static void a_node_whose_cluster_has_no_other_release_is_ready_when_told(void **state)
{
    world_t *world = *state;
    breaker_release_id_t own;
    breaker_peers_t peers = {.num_alive = 1, .alive = &own};

    join(world, 3600000);
    own = own_id(world);
    /* it asks who is there */
    WAIT_UNTIL(breaker_node_wants_peers(world->node));
    assert_int_equal(breaker_node_readiness(world->node), BREAKER_NOT_READY_FETCHING);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    assert_int_equal(breaker_node_readiness(world->node), BREAKER_NOT_READY_FETCHING);
    peers.is_current = true;
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    WAIT_UNTIL(breaker_node_readiness(world->node) == BREAKER_READY);
}

static void a_node_waits_for_a_live_release_and_not_for_ever(void **state)
{
    world_t *world = *state;
    breaker_release_id_t other = other_id();
    breaker_peers_t peers = {.num_alive = 1, .alive = &other, .is_current = true};

    join(world, 50);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    WAIT_UNTIL(breaker_node_readiness(world->node) == BREAKER_READY);
}

static breaker_token_t publish_other(world_t *world, const char *release)
{
    breaker_release_t *own = breaker_node_release(world->node);
    breaker_ledger_entry_t entries[2] = {{.order = 2}, {.order = 3}};
    breaker_ledger_t ledger;

    entries[0].release = *breaker_release_id(own);
    assert_int_equal(breaker_release_id_parse(release, strlen(release), &entries[1].release), 0);
    assert_int_equal(breaker_token_parse("t2", 2, &entries[0].token), 0);
    assert_int_equal(breaker_token_parse("t3", 2, &entries[1].token), 0);
    assert_int_equal(breaker_ledger_init(&ledger, entries, 2), 0);
    assert_int_equal(breaker_node_publish(world->node, own, &entries[0].token, &ledger, false), 0);
    breaker_release_unref(own);
    return entries[1].token;
}

static void news_of_the_ledger_is_waited_for_before_peers_are_known(void **state)
{
    world_t *world = *state;
    breaker_token_t token;

    join(world, 0);
    token = publish_other(world, other_id().text);
    assert_int_equal(get(world, token), 'r');
}

/* the node that has it is in the ledger before it is among the peers */
static void what_peers_of_before_had_not_is_waited_for(void **state)
{
    world_t *world = *state;
    breaker_peer_t nobody = {.address = "127.0.0.1:1"};
    breaker_peers_t peers = {.num_peers = 1,
                             .peers = &nobody,
                             .address = "127.0.0.1:2",
                             .num_keys = 1,
                             .is_current = true};
    breaker_token_t token;

    join(world, 0);
    nobody.release = own_id(world);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    token = publish_other(world, other_id().text);
    /* it is wanted when it is heard of, and again when nobody has it */
    for (int i = 0; i != 3; ++i)
        WAIT_UNTIL(breaker_node_wants_peers(world->node));
    assert_int_equal(get(world, token), 'r');
    /* they were told of, and nobody has it: in vain */
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    WAIT_UNTIL(get(world, token) == '5');
}

/* it advertises nothing, say */
static void a_live_release_that_nobody_can_give_is_not_waited_for_for_ever(void **state)
{
    world_t *world = *state;
    breaker_peer_t nobody = {.address = "127.0.0.1:1"};
    breaker_release_id_t other = other_id();
    breaker_peers_t peers = {.num_peers = 1,
                             .peers = &nobody,
                             .num_alive = 1,
                             .alive = &other,
                             .address = "127.0.0.1:2",
                             .num_keys = 1,
                             .is_current = true};
    breaker_token_t token;

    join(world, 0);
    nobody.release = own_id(world);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    token = publish_other(world, other.text);
    assert_int_equal(get(world, token), 'r');
    WAIT_UNTIL(get(world, token) == '5');
}

/* nothing could be checked against it */
static void a_release_without_a_digest_is_not_waited_for(void **state)
{
    world_t *world = *state;

    join(world, 0);
    assert_int_equal(get(world, publish_other(world, "v2")), '5');
}

/* the set was chosen beside what the node had until then */
static void what_was_chosen_before_the_first_publication_is_refused_after_it(void **state)
{
    world_t *world = *state;
    static breaker__held_set_t none, held;
    breaker__issue_t issue;
    uint64_t num_changes;

    join_unpublished(world, 0);
    breaker__published_read(world->node, &issue, &held, &num_changes);
    breaker__published_drop(&issue, &held);
    publish_other(world, other_id().text);
    assert_int_equal(breaker__published_hold(world->node, &none, num_changes), BREAKER_ERR_BUSY);
}

static void keys_are_copied_when_they_are_others(void **state)
{
    world_t *world = *state;
    breaker_peers_t peers = {.num_keys = 1, .clock_offset_ms = -5, .keys = {{1, 2, 3}}};
    breaker__peer_keys_t keys;
    uint64_t generation = 0;

    join(world, 0);
    assert_false(breaker__node_peer_keys(world->node, &generation, &keys));
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    assert_true(breaker__node_peer_keys(world->node, &generation, &keys));
    assert_int_equal(keys.num, 1);
    assert_int_equal(keys.clock_offset_ms, -5);
    assert_int_equal(keys.keys[0][2], 3);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    assert_false(breaker__node_peer_keys(world->node, &generation, &keys));
}

/* ---- a peer, played ---- */

static int listen_on_loopback(char *dst, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_not_equal(fd, -1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(dst, size, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

/* answers one request, if there is one, as a peer that holds nothing; whether it was for a blob */
static bool is_asked_for_blob(int listener)
{
    static const char none[] = "HTTP/1.1 200 OK\r\nX-Breaker-Member: 1\r\nConnection: close\r\n"
                               "Content-Length: 19\r\n\r\nh2o-breaker held 1\n";
    struct timeval patience = {.tv_sec = 10};
    char request[2048] = "";
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd == -1)
        return false;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_true(recv(fd, request, sizeof(request) - 1, 0) >= 0);
    send(fd, none, sizeof(none) - 1, MSG_NOSIGNAL);
    close(fd);
    return strstr(request, "/blob/") != NULL;
}

static const breaker_asset_t *own_asset(breaker_release_t *own)
{
    return breaker_store_find(breaker_release_store(own, 0), "name", 4);
}

static bool is_absent(breaker_release_t *own)
{
    const breaker_variant_t *variant =
        breaker_asset_variant(own_asset(own), BREAKER_ENCODING_IDENTITY);

    return breaker_variant_probe(variant) == BREAKER_FILE_ABSENT;
}

static void an_own_file_that_changed_is_asked_of_peers_where_nothing_else_is_held(void **state)
{
    world_t *world = *state;
    breaker_peer_t peer;
    breaker_peers_t peers = {.num_peers = 1, .peers = &peer, .num_keys = 1, .is_current = true};
    int listener = listen_on_loopback(peer.address, sizeof(peer.address));
    breaker_release_t *own;

    world->on_disk = true;
    join(world, 0);
    own = breaker_node_release(world->node);
    peer.release = *breaker_release_id(own);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), 0);
    tree_write(&world->tree, "a/name", "b");
    WAIT_UNTIL(is_absent(own));
    WAIT_UNTIL((breaker_asset_want(own_asset(own)), is_asked_for_blob(listener)));
    breaker_release_unref(own);
    close(listener);
}

static void too_many_peers_are_refused(void **state)
{
    world_t *world = *state;
    static breaker_peer_t many[BREAKER_PEERS_MAX + 1];
    breaker_peers_t peers = {.num_peers = BREAKER_PEERS_MAX + 1, .peers = many};

    join(world, 0);
    assert_int_equal(breaker_node_set_peers(world->node, &peers), BREAKER_ERR_TOO_MANY);
    peers = (breaker_peers_t){.num_keys = BREAKER_PEER_KEYS_MAX + 1};
    assert_int_equal(breaker_node_set_peers(world->node, &peers), BREAKER_ERR_TOO_MANY);
}

/* ---- the configuration ---- */

static void values_out_of_their_bounds_are_refused(void **state)
{
    static const char *const network = "10.0.0.0/99";
    world_t *world = *state;
    breaker_holding_config_t good, bad;
    breaker_error_t error;

    make(world, "a");
    good = *breaker_node_holding(world->node);
#define REFUSED(field, value)                                                                      \
    bad = good;                                                                                    \
    bad.field = value;                                                                             \
    assert_int_equal(breaker_node_set_holding(world->node, &bad, &error), BREAKER_ERR_RANGE);      \
    assert_true(error.message[0] != '\0')
    REFUSED(keep_releases, BREAKER_KEEP_RELEASES_MAX + 1);
    REFUSED(keep_age_ms, BREAKER_KEEP_AGE_MAX_MS + 1);
    REFUSED(keep_disk, BREAKER_KEEP_DISK_MIN - 1);
    REFUSED(fetch_timeout_ms, BREAKER_FETCH_TIMEOUT_MIN_MS - 1);
    REFUSED(fetch_timeout_ms, BREAKER_FETCH_TIMEOUT_MAX_MS + 1);
    REFUSED(fetch_rate, BREAKER_FETCH_RATE_MIN - 1);
    REFUSED(fetch_connections, 0);
    REFUSED(fetch_connections, BREAKER_FETCH_CONNECTIONS_MAX + 1);
    REFUSED(fetch_file_limit, 0);
    REFUSED(ready_timeout_ms, BREAKER_READY_TIMEOUT_MAX_MS + 1);
    REFUSED(archive, "");
#undef REFUSED
    bad = good;
    bad.networks = &network;
    bad.num_networks = 1;
    assert_int_equal(breaker_node_set_holding(world->node, &bad, &error), BREAKER_ERR_RANGE);
    assert_non_null(strstr(error.message, network));
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
    assert_int_equal(breaker_node_set_holding(world->node, &good, NULL), BREAKER_ERR_STATE);
}

static void nodes_that_share_all_files_hold_nothing(void **state)
{
    world_t *world = *state;
    breaker_holding_config_t config;

    make(world, "a");
    set_archive(world);
    config = *breaker_node_holding(world->node);
    config.is_shared = true;
    assert_int_equal(breaker_node_set_holding(world->node, &config, NULL), 0);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
    assert_int_equal(breaker_node_fetch_timeout_ms(world->node), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_files_leave_old_urls_their_bytes_over_a_start),
        TEST(what_is_held_and_fetched_is_told),
        TEST(a_release_that_a_disk_refuses_for_a_moment_is_read_again),
        TEST(the_same_files_have_their_token_again),
        TEST(what_nobody_keeps_is_not_waited_for),
        TEST(without_an_archive_the_node_goes_on),
        TEST(what_was_served_is_held_in_the_very_change),
        TEST(a_stopped_node_loads_nothing_and_asks_its_host_nothing),
        TEST(what_was_held_is_served_again_and_not_held),
        TEST(a_node_that_does_not_hold_holds_nothing),
        TEST(a_node_whose_cluster_has_no_other_release_is_ready_when_told),
        TEST(a_node_waits_for_a_live_release_and_not_for_ever),
        TEST(news_of_the_ledger_is_waited_for_before_peers_are_known),
        TEST(what_peers_of_before_had_not_is_waited_for),
        TEST(a_live_release_that_nobody_can_give_is_not_waited_for_for_ever),
        TEST(a_release_without_a_digest_is_not_waited_for),
        TEST(what_was_chosen_before_the_first_publication_is_refused_after_it),
        TEST(keys_are_copied_when_they_are_others),
        TEST(an_own_file_that_changed_is_asked_of_peers_where_nothing_else_is_held),
        TEST(too_many_peers_are_refused),
        TEST(values_out_of_their_bounds_are_refused),
        TEST(nodes_that_share_all_files_hold_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
