/*
 * Other files for a running node by itself: what is served changes in one step from one release
 * under its token to the other under its own, and tokens never go back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <breaker/classify.h>
#include <breaker/node.h>
#include "cluster/ledger.h"
#include "cluster/state.h"
#include "token/token.h"
#include "tree.h"

enum { DEADLINE_MS = 30000 };

typedef struct st_world_t {
    tree_t tree;
    char state_path[128];
    breaker_node_t *node;

    /* what the callbacks said */
    atomic_uint num_done;
    breaker_next_end_t end;
    breaker_error_t error;
    pthread_t thread;
    char notice[512];
    /* loaded from within the next callback */
    const char *follows;
    /* the load waits here until the test lets it go on */
    atomic_bool is_held_up, is_waiting;
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

/* asked for each file, so that a load can be held up in its middle */
static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    world_t *world = data;
    (void)view, (void)path;

    while (atomic_load(&world->is_held_up)) {
        atomic_store(&world->is_waiting, true);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    *ret_compressible = false;
    return "text/plain";
}

static void on_notice(void *data, const char *message)
{
    world_t *world = data;

    snprintf(world->notice, sizeof(world->notice), "%s", message);
}

static void add_view(breaker_node_t *node, const char *name, const char *directory)
{
    breaker_view_config_t config;
    const breaker_view_t *view;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    /* the file on disk keeps its descriptor */
    config.memory_file_limit = 100;
    assert_int_equal(breaker_node_add_view(node, &config, &view), 0);
}

static breaker_node_t *make_node(world_t *world)
{
    breaker_node_config_t config;
    breaker_node_t *node;

    breaker_node_config_init(&config);
    config.hooks.data = world;
    config.hooks.type_of = type_of;
    config.hooks.on_notice = on_notice;
    config.hooks.notice_data = world;
    assert_int_equal(breaker_node_create(&config, &node), 0);
    return node;
}

static void path_of(const world_t *world, const char *name, char *dst, size_t size)
{
    snprintf(dst, size, "%s/%s", world->tree.path, name);
}

static int setup(void **state)
{
    static world_t world;
    char large[1001], path[128];

    memset(&world, 0, sizeof(world));
    tree_create(&world.tree);
    for (char tree = 'a'; tree <= 'c'; ++tree) {
        memset(large, tree, 1000);
        large[1000] = '\0';
        snprintf(path, sizeof(path), "%c/large", tree);
        tree_write(&world.tree, path, large);
        snprintf(path, sizeof(path), "%c/name", tree);
        tree_write(&world.tree, path, path);
    }
    path_of(&world, "state", world.state_path, sizeof(world.state_path));
    world.node = make_node(&world);
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

/* with one view that has the files of a tree */
static void load(world_t *world, const char *tree)
{
    char path[128];

    path_of(world, tree, path, sizeof(path));
    add_view(world->node, "static/{breaker}", path);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
}

static int ask(world_t *world, const char *tree, const char *token);

static void on_done(void *data, breaker_next_end_t end, const breaker_error_t *error)
{
    world_t *world = data;
    const char *follows = world->follows;

    assert_true((end == BREAKER_NEXT_FAILED) == (error != NULL));
    world->end = end;
    if (error != NULL)
        world->error = *error;
    world->thread = pthread_self();
    world->follows = NULL;
    if (follows != NULL)
        assert_int_equal(ask(world, follows, NULL), 0);
    atomic_fetch_add(&world->num_done, 1);
}

static int ask(world_t *world, const char *tree, const char *token)
{
    char path[128];
    const char *directories[8];
    breaker_next_t next;

    path_of(world, tree, path, sizeof(path));
    for (size_t i = 0; i != breaker_node_num_views(world->node); ++i)
        directories[i] = path;
    breaker_next_init(&next);
    next.directories = directories;
    next.token = token;
    next.data = world;
    next.on_done = on_done;
    return breaker_node_load_next(world->node, &next);
}

/* loads the files of a tree, and waits until that is done */
static breaker_next_end_t load_next(world_t *world, const char *tree, const char *token)
{
    unsigned before = atomic_load(&world->num_done);

    assert_int_equal(ask(world, tree, token), 0);
    WAIT_UNTIL(atomic_load(&world->num_done) != before);
    return world->end;
}

static breaker_snapshot_t *take_snapshot(world_t *world)
{
    breaker_snapshot_t *current = NULL;

    breaker_publisher_refresh(breaker_node_publisher(world->node), &current);
    assert_non_null(current);
    return current;
}

static breaker_token_t take_token(world_t *world, size_t view)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker_token_t token = snapshot->views[view].token;

    breaker_snapshot_unref(snapshot);
    return token;
}

static int compare(breaker_token_t a, breaker_token_t b)
{
    return breaker__token_compare(a.text, a.len, b.text, b.len);
}

/* the file that names its tree, by a snapshot */
static char tree_of(const breaker_snapshot_t *snapshot)
{
    const breaker_asset_t *asset = breaker_store_find(snapshot->views[0].store, "name", 4);

    assert_non_null(asset);
    return breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY)->base[0];
}

static char current_tree(world_t *world)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    char tree = tree_of(snapshot);

    breaker_snapshot_unref(snapshot);
    return tree;
}

static breaker_verdict_kind_t verdict_of(world_t *world, breaker_token_t token)
{
    const breaker_view_t *view = breaker_node_view(world->node, 0);
    breaker_snapshot_t *snapshot = take_snapshot(world);
    breaker_verdict_kind_t kind;
    breaker_views_t *set;
    char path[128];

    snprintf(path, sizeof(path), "/static/%s/name", token.text);
    assert_int_equal(breaker_views_create(&view, 1, &set), 0);
    kind = breaker_classify(snapshot, set, path, strlen(path), false).kind;
    breaker_views_free(set);
    breaker_snapshot_unref(snapshot);
    return kind;
}

static void other_files_are_published_under_a_newer_token(void **state)
{
    world_t *world = *state;
    breaker_token_t before;

    load(world, "a");
    before = take_token(world, 0);
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_int_equal(current_tree(world), 'b');
    assert_true(compare(before, take_token(world, 0)) < 0);
    assert_int_equal(verdict_of(world, before), BREAKER_VERDICT_REDIRECT);
    assert_int_equal(verdict_of(world, take_token(world, 0)), BREAKER_VERDICT_SERVE);
    assert_false(pthread_equal(world->thread, pthread_self()));
    breaker_node_wait_encoded(world->node);
}

static void the_same_files_change_nothing(void **state)
{
    world_t *world = *state;
    breaker_snapshot_t *before, *after;

    load(world, "a");
    before = take_snapshot(world);
    assert_int_equal(load_next(world, "a", NULL), BREAKER_NEXT_UNCHANGED);
    after = take_snapshot(world);
    assert_ptr_equal(before, after);
    breaker_snapshot_unref(before);
    breaker_snapshot_unref(after);
}

static void without_directories_the_views_own_are_read_anew(void **state)
{
    world_t *world = *state;
    breaker_next_t next;

    load(world, "a");
    tree_write(&world->tree, "a/name", "new");
    breaker_next_init(&next);
    next.data = world;
    next.on_done = on_done;
    assert_int_equal(breaker_node_load_next(world->node, &next), 0);
    WAIT_UNTIL(atomic_load(&world->num_done) == 1);
    assert_int_equal(world->end, BREAKER_NEXT_PUBLISHED);
    assert_int_equal(current_tree(world), 'n');
}

static void a_label_makes_another_release_of_the_same_files(void **state)
{
    world_t *world = *state;
    breaker_token_t before;
    breaker_next_t next;

    load(world, "a");
    before = take_token(world, 0);
    breaker_next_init(&next);
    next.label = "second";
    next.data = world;
    next.on_done = on_done;
    assert_int_equal(breaker_node_load_next(world->node, &next), 0);
    WAIT_UNTIL(atomic_load(&world->num_done) == 1);
    assert_int_equal(world->end, BREAKER_NEXT_PUBLISHED);
    assert_true(compare(before, take_token(world, 0)) < 0);
}

static void a_load_that_fails_leaves_what_is_served(void **state)
{
    world_t *world = *state;
    breaker_snapshot_t *before, *after;

    load(world, "a");
    before = take_snapshot(world);
    assert_int_equal(load_next(world, "nowhere", NULL), BREAKER_NEXT_FAILED);
    assert_int_equal(world->error.code, BREAKER_ERR_IO);
    assert_non_null(strstr(world->error.message, "/nowhere"));
    after = take_snapshot(world);
    assert_ptr_equal(before, after);
    breaker_snapshot_unref(before);
    breaker_snapshot_unref(after);
    /* and the next one may be better */
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
}

static void files_that_come_back_get_a_token_above_all(void **state)
{
    static const char *const trees[] = {"b", "a", "b", "c", "a"};
    world_t *world = *state;
    breaker_token_t tokens[6];
    breaker_ledger_t saved;

    assert_int_equal(breaker_node_set_state_path(world->node, world->state_path), 0);
    load(world, "a");
    tokens[0] = take_token(world, 0);
    for (size_t i = 0; i != 5; ++i) {
        assert_int_equal(load_next(world, trees[i], NULL), BREAKER_NEXT_PUBLISHED);
        tokens[i + 1] = take_token(world, 0);
        for (size_t k = 0; k <= i; ++k) {
            assert_true(compare(tokens[k], tokens[i + 1]) < 0);
            assert_int_equal(verdict_of(world, tokens[k]), BREAKER_VERDICT_REDIRECT);
        }
    }
    assert_int_equal(breaker__state_load(world->state_path, &saved, NULL), 0);
    for (size_t i = 0; i != 6; ++i)
        assert_non_null(breaker__ledger_find(&saved, tokens[i].text, tokens[i].len));

    /* what was served last has its token after a restart */
    breaker_node_free(world->node);
    world->node = make_node(world);
    assert_int_equal(breaker_node_set_state_path(world->node, world->state_path), 0);
    load(world, "a");
    assert_int_equal(compare(take_token(world, 0), tokens[5]), 0);
}

static void an_operators_token_never_names_other_files(void **state)
{
    world_t *world = *state;
    breaker_token_t first, second;

    assert_int_equal(breaker_node_set_token(world->node, "v2", 2), 0);
    load(world, "a");
    first = take_token(world, 0);
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    second = take_token(world, 0);
    assert_memory_equal(second.text, "v2.", 3);
    assert_true(second.len > 3);
    assert_int_equal(verdict_of(world, first), BREAKER_VERDICT_REDIRECT);

    /* one that was given before is another release's */
    assert_int_equal(load_next(world, "c", "v2"), BREAKER_NEXT_PUBLISHED);
    assert_memory_equal(take_token(world, 0).text, "v2.", 3);
    assert_int_not_equal(compare(take_token(world, 0), second), 0);
    /* and a new one is used as it is, whatever it looks like beside the others */
    assert_int_equal(load_next(world, "a", "v10"), BREAKER_NEXT_PUBLISHED);
    assert_string_equal(take_token(world, 0).text, "v10");
    assert_int_equal(verdict_of(world, first), BREAKER_VERDICT_REDIRECT);
    assert_int_equal(verdict_of(world, second), BREAKER_VERDICT_REDIRECT);
    assert_int_equal(ask(world, "b", "not a token"), BREAKER_ERR_TOKEN_SYNTAX);
}

static void an_operators_token_gets_one_order_however_often_other_files_follow(void **state)
{
    static const char *const trees[] = {"b", "c", "a", "b"};
    world_t *world = *state;
    breaker_token_t tokens[5];
    char minted[BREAKER_TOKEN_MAX + 1];

    assert_int_equal(breaker_node_set_token(world->node, "v1", 2), 0);
    load(world, "a");
    tokens[0] = take_token(world, 0);
    for (size_t i = 1; i != 5; ++i) {
        assert_int_equal(load_next(world, trees[i - 1], NULL), BREAKER_NEXT_PUBLISHED);
        tokens[i] = take_token(world, 0);
        assert_int_equal(sscanf(tokens[i].text, "v1.%[0-9]", minted), 1);
        assert_int_equal(tokens[i].len, 3 + strlen(minted));
        for (size_t k = 0; k != i; ++k)
            assert_int_equal(verdict_of(world, tokens[k]), BREAKER_VERDICT_REDIRECT);
    }
    /* it is the operator's last word that the order is appended to */
    assert_int_equal(load_next(world, "a", "v2"), BREAKER_NEXT_PUBLISHED);
    assert_string_equal(take_token(world, 0).text, "v2");
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_memory_equal(take_token(world, 0).text, "v2.", 3);
}

/* after a restart with what was loaded last there is nothing new to hand out */
static void a_restart_has_the_token_that_other_files_got(void **state)
{
    world_t *world = *state;
    breaker_token_t last;

    assert_int_equal(breaker_node_set_state_path(world->node, world->state_path), 0);
    assert_int_equal(breaker_node_set_token(world->node, "v1", 2), 0);
    load(world, "a");
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_int_equal(load_next(world, "c", NULL), BREAKER_NEXT_PUBLISHED);
    last = take_token(world, 0);

    breaker_node_free(world->node);
    world->node = make_node(world);
    assert_int_equal(breaker_node_set_state_path(world->node, world->state_path), 0);
    assert_int_equal(breaker_node_set_token(world->node, "v1", 2), 0);
    load(world, "c");
    assert_string_equal(take_token(world, 0).text, last.text);
}

static breaker_verdict_kind_t verdict_of_text(world_t *world, const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return verdict_of(world, token);
}

/* no state file: what the process itself has handed out is its history */
static void versions_and_commits_follow_each_other_in_a_running_node(void **state)
{
    static const char *const tokens[] = {"v1.9.0", "v1.10.0", "f00dcafe", "0a1b2c3d", "9999", "1"};
    static const char *const trees[] = {"a", "b", "c", "a", "b", "c"};
    world_t *world = *state;

    assert_int_equal(breaker_node_set_token(world->node, tokens[0], strlen(tokens[0])), 0);
    load(world, trees[0]);
    for (size_t i = 1; i != sizeof(tokens) / sizeof(tokens[0]); ++i) {
        assert_int_equal(load_next(world, trees[i], tokens[i]), BREAKER_NEXT_PUBLISHED);
        assert_string_equal(take_token(world, 0).text, tokens[i]);
        for (size_t k = 0; k != i; ++k)
            assert_int_equal(verdict_of_text(world, tokens[k]), BREAKER_VERDICT_REDIRECT);
        assert_int_equal(verdict_of_text(world, "-a"), BREAKER_VERDICT_RETRY);
        assert_int_equal(verdict_of_text(world, "v2"), BREAKER_VERDICT_RETRY);
        assert_int_equal(verdict_of_text(world, "00"), BREAKER_VERDICT_REDIRECT);
    }
}

static void a_token_that_other_files_had_is_told(void **state)
{
    world_t *world = *state;

    assert_int_equal(breaker_node_set_token(world->node, "v1", 2), 0);
    load(world, "a");
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_string_equal(world->notice, "");
    assert_int_equal(load_next(world, "c", "v1"), BREAKER_NEXT_PUBLISHED);
    assert_non_null(strstr(world->notice, "token v1 is that of release "));
    assert_non_null(strstr(world->notice, take_token(world, 0).text));
}

static void every_view_gets_a_token_of_its_kind(void **state)
{
    world_t *world = *state;
    breaker_token_t minted;
    char path[128];

    path_of(world, "a", path, sizeof(path));
    add_view(world->node, "one/{breaker}", path);
    assert_int_equal(breaker_node_set_token(world->node, "v1", 2), 0);
    add_view(world->node, "two/{breaker}", path);
    assert_int_equal(breaker_node_set_token(world->node, NULL, 0), 0);
    add_view(world->node, "three/{breaker}", path);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
    minted = take_token(world, 0);
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_true(compare(minted, take_token(world, 0)) < 0);
    assert_memory_equal(take_token(world, 1).text, "v1.", 3);
    assert_string_equal(take_token(world, 0).text, take_token(world, 2).text);
}

static void one_load_at_a_time_and_only_once_there_is_something_to_follow(void **state)
{
    world_t *world = *state;

    assert_int_equal(ask(world, "b", NULL), BREAKER_ERR_STATE);
    load(world, "a");
    atomic_store(&world->is_held_up, true);
    assert_int_equal(ask(world, "b", NULL), 0);
    assert_int_equal(ask(world, "c", NULL), BREAKER_ERR_BUSY);
    atomic_store(&world->is_held_up, false);
    WAIT_UNTIL(atomic_load(&world->num_done) == 1);
    assert_int_equal(current_tree(world), 'b');
}

static void a_callback_may_ask_for_the_next_load(void **state)
{
    world_t *world = *state;

    load(world, "a");
    world->follows = "c";
    assert_int_equal(ask(world, "b", NULL), 0);
    WAIT_UNTIL(atomic_load(&world->num_done) == 2);
    assert_int_equal(current_tree(world), 'c');
}

static void what_is_being_sent_keeps_its_bytes(void **state)
{
    world_t *world = *state;
    const breaker_asset_t *asset;
    breaker_snapshot_t *before;
    char bytes[1000];

    load(world, "a");
    before = take_snapshot(world);
    assert_int_equal(load_next(world, "b", NULL), BREAKER_NEXT_PUBLISHED);
    assert_int_equal(load_next(world, "c", NULL), BREAKER_NEXT_PUBLISHED);
    assert_int_equal(tree_of(before), 'a');
    asset = breaker_store_find(before->views[0].store, "large", 5);
    assert_int_equal(breaker_variant_read(breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY),
                                          0, bytes, sizeof(bytes)),
                     0);
    assert_int_equal(bytes[0], 'a');
    breaker_snapshot_unref(before);
}

static void *let_go(void *data)
{
    world_t *world = data;

    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    atomic_store(&world->is_held_up, false);
    return NULL;
}

static void freeing_the_node_ends_a_load(void **state)
{
    world_t *world = *state;
    pthread_t thread;

    load(world, "a");
    atomic_store(&world->is_held_up, true);
    assert_int_equal(ask(world, "b", NULL), 0);
    WAIT_UNTIL(atomic_load(&world->is_waiting));
    assert_int_equal(pthread_create(&thread, NULL, let_go, world), 0);
    breaker_node_free(world->node);
    world->node = NULL;
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&world->num_done), 1);
    /* it may have been through with its files just before */
    if (world->end == BREAKER_NEXT_FAILED)
        assert_int_equal(world->error.code, BREAKER_ERR_CANCELLED);
    else
        assert_int_equal(world->end, BREAKER_NEXT_PUBLISHED);
}

/* ---- files on disk, watched by the node ---- */

static breaker_file_state_t state_of_large(world_t *world)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    const breaker_asset_t *asset = breaker_store_find(snapshot->views[0].store, "large", 5);
    breaker_file_state_t state =
        breaker_variant_probe(breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY));

    breaker_snapshot_unref(snapshot);
    return state;
}

static void write_large(world_t *world, char byte)
{
    char large[1001];

    memset(large, byte, 1000);
    large[1000] = '\0';
    tree_write(&world->tree, "a/large", large);
}

static void a_file_that_something_happened_to_is_looked_at_by_the_loader(void **state)
{
    world_t *world = *state;

    load(world, "a");
    assert_int_equal(state_of_large(world), BREAKER_FILE_SOUND);
    /* the clock of the file system ticks more slowly than this test runs */
    WAIT_UNTIL((write_large(world, 'a'), state_of_large(world) == BREAKER_FILE_SUSPECT));
    WAIT_UNTIL(state_of_large(world) == BREAKER_FILE_SOUND);
    WAIT_UNTIL((write_large(world, 'x'), state_of_large(world) == BREAKER_FILE_SUSPECT));
    WAIT_UNTIL(state_of_large(world) == BREAKER_FILE_CHANGED);
    /* what was changed is another release by now */
    assert_int_equal(load_next(world, "a", NULL), BREAKER_NEXT_PUBLISHED);
    assert_int_equal(state_of_large(world), BREAKER_FILE_SOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_files_are_published_under_a_newer_token),
        TEST(the_same_files_change_nothing),
        TEST(without_directories_the_views_own_are_read_anew),
        TEST(a_label_makes_another_release_of_the_same_files),
        TEST(a_load_that_fails_leaves_what_is_served),
        TEST(files_that_come_back_get_a_token_above_all),
        TEST(an_operators_token_never_names_other_files),
        TEST(an_operators_token_gets_one_order_however_often_other_files_follow),
        TEST(a_restart_has_the_token_that_other_files_got),
        TEST(versions_and_commits_follow_each_other_in_a_running_node),
        TEST(a_token_that_other_files_had_is_told),
        TEST(every_view_gets_a_token_of_its_kind),
        TEST(one_load_at_a_time_and_only_once_there_is_something_to_follow),
        TEST(a_callback_may_ask_for_the_next_load),
        TEST(what_is_being_sent_keeps_its_bytes),
        TEST(freeing_the_node_ends_a_load),
        TEST(a_file_that_something_happened_to_is_looked_at_by_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
