/*
 * How a node that holds goes about what it has no room for: with an archive whose disk can be
 * stopped, so that it is seen who waits for it and who does not. No verdict depends on how long
 * anything takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <breaker/classify.h>
#include <breaker/holding.h>
#include <breaker/node.h>
#include "archive/archive.h"
#include "node/node.h"
#include "release/blob.h"
#include "release/blobs.h"
#include "release/cached.h"
#include "release/digest.h"
#include "release/release.h"
#include "tree.h"

enum { DEADLINE_MS = 60000, LARGE = 3 << 20, OPENED_MAX = 16 };

typedef struct st_world_t {
    tree_t tree;
    breaker_node_t *node;
    atomic_uint num_done;
    /* what one has loaded is sent from its file */
    bool on_disk;
    /* only of large files */
    bool large_on_disk;
    uint64_t keep_memory;
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

/* ---- a disk that can be stopped ---- */

typedef struct st_barrier_t {
    atomic_bool is_closed;
    /* how many have come to it and wait */
    atomic_uint num_waiting;
} barrier_t;

/* of what is written, and of large files that are opened */
static barrier_t writing, opening;

/* of large files the lengths, in the order in which they were opened: by one thread at a time */
static uint64_t opened[OPENED_MAX];
static atomic_uint num_opened;

static void pass(barrier_t *barrier)
{
    if (!atomic_load(&barrier->is_closed))
        return;
    atomic_fetch_add(&barrier->num_waiting, 1);
    WAIT_UNTIL(!atomic_load(&barrier->is_closed));
    atomic_fetch_sub(&barrier->num_waiting, 1);
}

int __wrap_breaker__archive_put(breaker__archive_t *archive, const uint8_t *digest,
                                const char *base, uint64_t len);
int __real_breaker__archive_put(breaker__archive_t *archive, const uint8_t *digest,
                                const char *base, uint64_t len);
int __wrap_breaker__archive_get(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                                int *ret_fd, breaker__stamp_t *ret_stamp);
int __real_breaker__archive_get(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                                int *ret_fd, breaker__stamp_t *ret_stamp);

int __wrap_breaker__archive_put(breaker__archive_t *archive, const uint8_t *digest,
                                const char *base, uint64_t len)
{
    pass(&writing);
    return __real_breaker__archive_put(archive, digest, base, len);
}

int __wrap_breaker__archive_get(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                                int *ret_fd, breaker__stamp_t *ret_stamp)
{
    if (len >= LARGE) {
        if (atomic_load(&num_opened) != OPENED_MAX)
            opened[atomic_fetch_add(&num_opened, 1)] = len;
        pass(&opening);
    }
    return __real_breaker__archive_get(archive, digest, len, ret_fd, ret_stamp);
}

/* ---- descriptors ---- */

/* so many that the process may have; 0: as it is */
static atomic_uint num_descriptors;

int __wrap_getrlimit(int resource, struct rlimit *ret_limit);
int __wrap_getrlimit64(int resource, struct rlimit *ret_limit);
int __real_getrlimit(int resource, struct rlimit *ret_limit);

int __wrap_getrlimit(int resource, struct rlimit *ret_limit)
{
    unsigned num = atomic_load(&num_descriptors);
    int ret = __real_getrlimit(resource, ret_limit);

    if (num != 0 && resource == RLIMIT_NOFILE)
        ret_limit->rlim_cur = num;
    return ret;
}

int __wrap_getrlimit64(int resource, struct rlimit *ret_limit)
{
    return __wrap_getrlimit(resource, ret_limit);
}

/* ---- nodes ---- */

static void path_of(const world_t *world, const char *name, char *dst, size_t size)
{
    snprintf(dst, size, "%s/%s", world->tree.path, name);
}

static void make(world_t *world, const char *tree)
{
    breaker_node_config_t config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    char path[128];

    breaker_node_free(world->node);
    breaker_node_config_init(&config);
    assert_int_equal(breaker_node_create(&config, &world->node), 0);
    path_of(world, tree, path, sizeof(path));
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = path;
    if (world->on_disk)
        view_config.memory_file_limit = 0;
    if (world->large_on_disk)
        view_config.memory_file_limit = LARGE - 1;
    assert_int_equal(breaker_node_add_view(world->node, &view_config, &view), 0);
}

static void load(world_t *world, const char *tree)
{
    breaker_holding_config_t config;
    char path[128];

    make(world, tree);
    config = *breaker_node_holding(world->node);
    path_of(world, "archive", path, sizeof(path));
    config.archive = path;
    config.keep_memory = world->keep_memory;
    assert_int_equal(breaker_node_set_holding(world->node, &config, NULL), 0);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
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

static void write_file(const world_t *world, const char *path, char filler, size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, filler, len);
    text[len] = '\0';
    tree_write(&world->tree, path, text);
    free(text);
}

static void write_large(const world_t *world, const char *path, char filler)
{
    write_file(world, path, filler, LARGE);
}

static int setup(void **state)
{
    static world_t world;

    memset(&world, 0, sizeof(world));
    world.keep_memory = UINT64_C(256) << 20;
    tree_create(&world.tree);
    for (char tree = 'a'; tree <= 'c'; ++tree) {
        char path[] = "a/name", large_path[] = "a/large", shared[] = "a/shared";

        path[0] = large_path[0] = shared[0] = tree;
        tree_write(&world.tree, path, path);
        write_large(&world, large_path, tree);
        tree_write(&world.tree, shared, "shared");
    }
    atomic_store(&writing.is_closed, false);
    atomic_store(&opening.is_closed, false);
    atomic_store(&num_descriptors, 0);
    atomic_store(&num_opened, 0);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    atomic_store(&writing.is_closed, false);
    atomic_store(&opening.is_closed, false);
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

static breaker_release_id_t own_id(world_t *world)
{
    breaker_release_t *release = breaker_node_release(world->node);
    breaker_release_id_t id = *breaker_release_id(release);

    breaker_release_unref(release);
    return id;
}

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

/* a release that is served or held; the snapshot keeps it. NULL: it is not yet */
static breaker_release_t *find(const breaker_snapshot_t *snapshot, const breaker_release_id_t *id)
{
    if (breaker_release_id_equal(breaker_release_id(snapshot->release), id))
        return snapshot->release;
    for (size_t i = 0; i != snapshot->num_held; ++i)
        if (breaker_release_id_equal(breaker_release_id(snapshot->held[i]), id))
            return snapshot->held[i];
    return NULL;
}

static const breaker_asset_t *asset_of(const breaker_release_t *release, const char *name)
{
    const breaker_asset_t *asset =
        breaker_store_find(breaker_release_store(release, 0), name, strlen(name));

    assert_non_null(asset);
    return asset;
}

static const breaker_variant_t *variant_of(const breaker_release_t *release, const char *name)
{
    return breaker_asset_variant(asset_of(release, name), BREAKER_ENCODING_IDENTITY);
}

/* what a request sees of a file: the first byte of its bytes, which it wants where they are not
 * here; '.' without them, '-' of a release that is not held, '4' where nobody has them */
static char ask(world_t *world, const breaker_release_id_t *id, const char *name)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker_release_t *release = find(snapshot, id);
    const breaker_variant_t *variant;
    breaker_pin_t *pin;
    char seen = '-';

    if (release != NULL) {
        variant = variant_of(release, name);
        switch (breaker_variant_pin(variant, &pin)) {
        case BREAKER_FILE_SOUND:
            assert_int_equal(breaker_variant_read(variant, 0, &seen, 1), 0);
            break;
        case BREAKER_FILE_LOST:
        case BREAKER_FILE_CHANGED:
            seen = '4';
            break;
        case BREAKER_FILE_ABSENT:
        case BREAKER_FILE_SUSPECT:
        case BREAKER_FILE_ELSEWHERE:
            seen = '.';
            breaker_asset_want(asset_of(release, name));
            break;
        }
        breaker_pin_drop(pin);
    }
    breaker_snapshot_unref(snapshot);
    return seen;
}

/* whether the bytes are in memory for good */
static bool is_kept(world_t *world, const breaker_release_id_t *id, const char *name)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker_release_t *release = find(snapshot, id);
    bool kept;

    assert_non_null(release);
    kept = variant_of(release, name)->base != NULL;
    breaker_snapshot_unref(snapshot);
    return kept;
}

/* loads one tree, and once it is archived another one in a node anew */
static breaker_release_id_t load_after(world_t *world, const char *before, const char *tree)
{
    breaker_release_id_t id;

    load(world, before);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load(world, tree);
    return id;
}

/* ---- the disk ---- */

static void requests_do_not_wait_for_what_is_written_to_the_archive(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 0;
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    atomic_store(&writing.is_closed, true);
    load(world, "b");
    WAIT_UNTIL(atomic_load(&writing.num_waiting) != 0);
    WAIT_UNTIL(ask(world, &id, "name") == 'a');
    assert_int_not_equal(atomic_load(&writing.num_waiting), 0);
    atomic_store(&writing.is_closed, false);
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
}

static void requests_for_others_do_not_wait_for_a_large_file_that_is_hashed(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 0;
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    atomic_store(&opening.is_closed, true);
    load(world, "b");
    WAIT_UNTIL(ask(world, &id, "large") != '-' && atomic_load(&opening.num_waiting) != 0);
    WAIT_UNTIL(ask(world, &id, "name") == 'a');
    assert_int_equal(ask(world, &id, "large"), '.');
    atomic_store(&opening.is_closed, false);
    WAIT_UNTIL(ask(world, &id, "large") == 'a');
}

/* waits until the holding's thread has taken it off; it has looked for it when it takes it again */
static void want_and_wait(world_t *world, const breaker_release_id_t *id, const char *name)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker__blob_t *blob = breaker__asset_blob(asset_of(find(snapshot, id), name));

    assert_int_equal(ask(world, id, name), '.');
    WAIT_UNTIL(!atomic_load(&blob->is_wanted));
    breaker_snapshot_unref(snapshot);
}

static void a_release_that_cannot_be_archived_whole_holds_up_no_other_one(void **state)
{
    world_t *world = *state;
    breaker_release_id_t first, second, third;

    world->large_on_disk = true;
    atomic_store(&writing.is_closed, true);
    load(world, "a");
    first = own_id(world);
    /* small files come before it */
    WAIT_UNTIL(atomic_load(&writing.num_waiting) != 0);
    write_large(world, "a/large", 'x');
    load_next(world, "b");
    second = own_id(world);
    load_next(world, "c");
    third = own_id(world);
    atomic_store(&writing.is_closed, false);
    WAIT_UNTIL(is_archived(world, &second) && is_archived(world, &third));
    assert_false(is_archived(world, &first));
}

/* a round comes to the largest file last */
static void a_large_file_that_is_wanted_is_read_before_those_of_a_round(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 0;
    write_large(world, "a/second", 's');
    write_large(world, "a/third", 't');
    write_file(world, "a/wanted", 'w', LARGE + 1);
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    atomic_store(&opening.is_closed, true);
    load(world, "b");
    WAIT_UNTIL(atomic_load(&opening.num_waiting) != 0);
    want_and_wait(world, &id, "wanted");
    want_and_wait(world, &id, "wanted");
    atomic_store(&opening.is_closed, false);
    WAIT_UNTIL(ask(world, &id, "third") == 't' && ask(world, &id, "wanted") == 'w');
    assert_int_equal(opened[0], LARGE);
    assert_int_equal(opened[1], LARGE + 1);
}

/* ---- room ---- */

static void what_is_not_kept_is_here_when_it_is_asked_for(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 3;
    /* one file stays open, the smallest */
    atomic_store(&num_descriptors, 8);
    id = load_after(world, "a", "b");
    for (int i = 0; i != 3; ++i) {
        WAIT_UNTIL(ask(world, &id, "name") == 'a');
        WAIT_UNTIL(ask(world, &id, "large") == 'a');
        assert_int_equal(breaker__blobs_cached_files(breaker__node_blobs(world->node)), 1);
        assert_false(is_kept(world, &id, "large"));
        while (breaker__blobs_evict(breaker__node_blobs(world->node), BREAKER__CACHED_MEMORY,
                                    now_ms()))
            ;
        while (
            breaker__blobs_evict(breaker__node_blobs(world->node), BREAKER__CACHED_FILE, now_ms()))
            ;
    }
    /* the own one has it anyway */
    assert_true(is_kept(world, &id, "shared"));
}

/* of two descriptors that give way both are being sent, slowly */
static void a_large_file_is_read_into_memory_where_no_descriptor_is_left(void **state)
{
    static const char *const sent[] = {"large", "second"};
    world_t *world = *state;
    breaker_snapshot_t *snapshot;
    breaker_pin_t *pins[2];
    breaker_release_id_t id;

    world->keep_memory = 3;
    atomic_store(&num_descriptors, 8);
    write_large(world, "a/second", 's');
    write_large(world, "a/third", 't');
    id = load_after(world, "a", "b");
    WAIT_UNTIL(ask(world, &id, "name") == 'a');
    snapshot = take_snapshot(world);
    for (int i = 0; i != 2; ++i) {
        const breaker_variant_t *variant = variant_of(find(snapshot, &id), sent[i]);
        WAIT_UNTIL(ask(world, &id, sent[i]) == (i == 0 ? 'a' : 's'));
        assert_int_equal(breaker_variant_pin(variant, pins + i), BREAKER_FILE_SOUND);
        assert_non_null(pins[i]);
    }
    WAIT_UNTIL(ask(world, &id, "third") == 't');
    assert_int_equal(breaker__blobs_cached_files(breaker__node_blobs(world->node)), 2);
    assert_true(breaker__blobs_cached_memory(breaker__node_blobs(world->node)) >= LARGE);
    for (int i = 0; i != 2; ++i)
        breaker_pin_drop(pins[i]);
    breaker_snapshot_unref(snapshot);
}

static void a_release_that_was_served_keeps_no_more_than_the_rest(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 1000;
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load_next(world, "b");
    WAIT_UNTIL(!is_kept(world, &id, "large"));
    WAIT_UNTIL(ask(world, &id, "large") == 'a');
    WAIT_UNTIL(ask(world, &id, "name") == 'a');
    assert_true(is_kept(world, &id, "shared"));
}

/* peers are told so, and do not take it for lost */
static void what_gave_way_is_known_to_be_in_the_archive_though_nobody_asked_for_it(void **state)
{
    world_t *world = *state;
    breaker_snapshot_t *snapshot;
    breaker_release_id_t id;

    world->keep_memory = 1000;
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    load_next(world, "b");
    WAIT_UNTIL(!is_kept(world, &id, "large"));
    snapshot = take_snapshot(world);
    assert_true(
        breaker__blob_is_archived(breaker__asset_blob(asset_of(find(snapshot, &id), "large"))));
    breaker_snapshot_unref(snapshot);
}

static void memory_goes_back_when_nobody_uses_the_release_of_before(void **state)
{
    world_t *world = *state;
    breaker_snapshot_t *slow;
    breaker_release_id_t id;
    uint64_t before;

    world->keep_memory = 1000;
    load(world, "a");
    id = own_id(world);
    slow = take_snapshot(world);
    WAIT_UNTIL(is_archived(world, &id));
    load_next(world, "b");
    WAIT_UNTIL(!is_kept(world, &id, "large"));
    before = breaker__blobs_memory(breaker__node_blobs(world->node));
    /* who began with the one before still has its bytes */
    assert_int_equal(breaker_asset_variant(
                         breaker_store_find(breaker_release_store(slow->release, 0), "large", 5),
                         BREAKER_ENCODING_IDENTITY)
                         ->base[LARGE - 1],
                     'a');
    breaker_snapshot_unref(slow);
    WAIT_UNTIL(breaker__blobs_memory(breaker__node_blobs(world->node)) + LARGE <= before);
}

static void what_nobody_else_has_stays_whatever_it_takes(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;

    world->keep_memory = 0;
    atomic_store(&writing.is_closed, true);
    load(world, "a");
    id = own_id(world);
    load_next(world, "b");
    load_next(world, "c");
    WAIT_UNTIL(atomic_load(&writing.num_waiting) != 0);
    assert_true(is_kept(world, &id, "name"));
    assert_true(is_kept(world, &id, "large"));
    atomic_store(&writing.is_closed, false);
}

static void the_release_that_was_seen_last_has_the_memory(void **state)
{
    world_t *world = *state;
    breaker_release_id_t first, second;

    first = load_after(world, "a", "b");
    second = own_id(world);
    WAIT_UNTIL(is_archived(world, &second));
    world->keep_memory = LARGE + 100;
    load(world, "c");
    WAIT_UNTIL(ask(world, &second, "large") == 'b' && is_kept(world, &second, "large"));
    WAIT_UNTIL(ask(world, &first, "large") == 'a');
    assert_false(is_kept(world, &first, "large"));
    assert_true(is_kept(world, &second, "large"));
}

/* ---- what nobody has ---- */

static void move_blob(const world_t *world, const uint8_t *digest, bool is_away)
{
    char name[2 * BREAKER_DIGEST_LEN + 1], there[256], away[256];

    breaker__digest_format(digest, name);
    snprintf(there, sizeof(there), "%s/archive/blobs/%.2s/%s", world->tree.path, name, name);
    snprintf(away, sizeof(away), "%s/away", world->tree.path);
    assert_int_equal(is_away ? rename(there, away) : rename(away, there), 0);
}

static void what_nobody_had_is_found_when_the_archive_has_it_again(void **state)
{
    world_t *world = *state;
    breaker_release_id_t id;
    breaker_release_t *own;
    uint8_t digest[BREAKER_DIGEST_LEN];

    world->on_disk = true;
    load(world, "a");
    id = own_id(world);
    WAIT_UNTIL(is_archived(world, &id));
    own = breaker_node_release(world->node);
    memcpy(digest, breaker_store_find(breaker_release_store(own, 0), "name", 4)->digest,
           sizeof(digest));
    breaker_release_unref(own);
    move_blob(world, digest, true);
    tree_write(&world->tree, "a/name", "other");
    WAIT_UNTIL(ask(world, &id, "name") == '4');
    move_blob(world, digest, false);
    WAIT_UNTIL(ask(world, &id, "name") == 'a');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_do_not_wait_for_what_is_written_to_the_archive),
        TEST(requests_for_others_do_not_wait_for_a_large_file_that_is_hashed),
        TEST(a_release_that_cannot_be_archived_whole_holds_up_no_other_one),
        TEST(a_large_file_that_is_wanted_is_read_before_those_of_a_round),
        TEST(what_is_not_kept_is_here_when_it_is_asked_for),
        TEST(a_large_file_is_read_into_memory_where_no_descriptor_is_left),
        TEST(a_release_that_was_served_keeps_no_more_than_the_rest),
        TEST(what_gave_way_is_known_to_be_in_the_archive_though_nobody_asked_for_it),
        TEST(memory_goes_back_when_nobody_uses_the_release_of_before),
        TEST(what_nobody_else_has_stays_whatever_it_takes),
        TEST(the_release_that_was_seen_last_has_the_memory),
        TEST(what_nobody_had_is_found_when_the_archive_has_it_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
