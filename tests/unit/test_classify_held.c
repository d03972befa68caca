/*
 * Releases that a node holds besides its own: 16 of them over 16 views, each with tokens of every
 * length. One tree stands for all views of a release, so whose bytes a verdict names is told by the
 * asset itself, which is one of exactly one store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/classify.h>
#include "guard.h"
#include "release/release.h"
#include "serving/snapshot.h"
#include "tree.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"
#define NUM_VIEWS 16
#define NUM_HELD BREAKER_HELD_MAX

#define SERVE BREAKER_VERDICT_SERVE
#define REDIRECT BREAKER_VERDICT_REDIRECT
#define NOT_FOUND BREAKER_VERDICT_NOT_FOUND

typedef struct st_world_t {
    tree_t tree;
    breaker_view_t *views[NUM_VIEWS];
    breaker_views_t *set;
    /* the node's own; held ones; one that has the first view only */
    breaker_release_t *own, *held[NUM_HELD], *narrow;
} world_t;

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static breaker_release_t *load(const world_t *world, const char *label, size_t num_views)
{
    breaker__release_config_t config = {.views = (const breaker_view_t *const *)world->views,
                                        .num_views = num_views,
                                        .label = token_of(label)};
    breaker_error_t error = {0};
    breaker_release_t *release;

    if (breaker__release_load(&config, NULL, &release, &error) != 0)
        fail_msg("%s", error.message);
    return release;
}

static int make_world(void **state)
{
    static world_t world;
    char text[32];

    tree_create(&world.tree);
    tree_write(&world.tree, "css/site.css", "x");
    for (size_t i = 0; i != NUM_VIEWS; ++i) {
        breaker_view_config_t config;
        breaker_view_config_init(&config);
        snprintf(text, sizeof(text), "view%zu/{breaker}", i);
        config.name = text;
        config.directory = world.tree.path;
        assert_int_equal(breaker__view_create(&config, i, world.views + i), 0);
    }
    assert_int_equal(
        breaker_views_create((const breaker_view_t *const *)world.views, NUM_VIEWS, &world.set), 0);
    world.own = load(&world, "own", NUM_VIEWS);
    world.narrow = load(&world, "narrow", 1);
    for (size_t i = 0; i != NUM_HELD; ++i) {
        snprintf(text, sizeof(text), "held%zu", i);
        world.held[i] = load(&world, text, NUM_VIEWS);
    }
    *state = &world;
    return 0;
}

static int free_world(void **state)
{
    world_t *world = *state;

    breaker_views_free(world->set);
    breaker_release_unref(world->own);
    breaker_release_unref(world->narrow);
    for (size_t i = 0; i != NUM_HELD; ++i)
        breaker_release_unref(world->held[i]);
    for (size_t i = 0; i != NUM_VIEWS; ++i)
        breaker__view_free(world->views[i]);
    tree_remove(&world->tree);
    return 0;
}

/* ---- a node ---- */

typedef struct st_history_t {
    size_t num;
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
} history_t;

static void remember(history_t *history, uint64_t order, const char *token,
                     const breaker_release_t *release)
{
    assert_true(history->num < BREAKER_LEDGER_MAX);
    history->entries[history->num++] =
        (breaker_ledger_entry_t){order, token_of(token), *breaker_release_id(release)};
}

static breaker_snapshot_t *make_snapshot(const world_t *world, const history_t *history,
                                         breaker_release_t *const *held, size_t num_held)
{
    breaker_token_t tokens[NUM_VIEWS];
    breaker_ledger_t ledger;
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)world->views,
        .tokens = tokens,
        .num_views = NUM_VIEWS,
        .release = world->own,
        .held = held,
        .num_held = num_held,
        .ledger = &ledger,
    };
    breaker_snapshot_t *snapshot;

    for (size_t i = 0; i != NUM_VIEWS; ++i)
        tokens[i] = token_of(T);
    assert_int_equal(breaker_ledger_init(&ledger, history->entries, history->num), 0);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    return snapshot;
}

static breaker_verdict_t judge(const world_t *world, const breaker_snapshot_t *snapshot,
                               size_t view, const char *token, const char *asset)
{
    char path[256], *base;
    int len = snprintf(path, sizeof(path), "/view%zu/%s/%s", view, token, asset);
    breaker_verdict_t verdict;

    base = guarded_copy(path, (size_t)len);
    verdict = breaker_classify(snapshot, world->set, base, (size_t)len, false);
    guarded_free(base, (size_t)len);
    return verdict;
}

/* a token gets the bytes of a release, in a view, and no others */
static void check_served(const world_t *world, const breaker_snapshot_t *snapshot, size_t view,
                         const char *token, const breaker_release_t *release)
{
    const breaker_store_t *store = breaker_release_store(release, view);
    breaker_verdict_t verdict = judge(world, snapshot, view, token, "css/site.css");

    if (verdict.kind != SERVE || verdict.otherwise != SERVE)
        fail_msg("%s in view %zu: %d", token, view, (int)verdict.kind);
    assert_ptr_equal(verdict.asset, breaker_store_find(store, "css/site.css", 12));
    assert_ptr_equal(verdict.view, snapshot->views + view);
    assert_null(verdict.entry);
    assert_int_equal(judge(world, snapshot, view, token, "css/site.cs").kind, NOT_FOUND);
    assert_int_equal(judge(world, snapshot, view, token, "css/site.css\n").kind, NOT_FOUND);
    assert_int_equal(judge(world, snapshot, view, token, "").kind, NOT_FOUND);
}

/* ---- tests ---- */

static void sixteen_held_releases_are_served_in_sixteen_views(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;
    char token[32];

    remember(&history, 1718539201234, T, world->own);
    for (size_t i = 0; i != NUM_HELD; ++i) {
        /* older than T and newer ones, a few minutes apart */
        snprintf(token, sizeof(token), "%zu", 1718538000000 + i * 150000);
        remember(&history, 1718538000000 + i * 150000, token, world->held[i]);
    }
    snapshot = make_snapshot(world, &history, world->held, NUM_HELD);
    for (size_t view = 0; view != NUM_VIEWS; ++view) {
        check_served(world, snapshot, view, T, world->own);
        for (size_t i = 0; i != NUM_HELD; ++i)
            check_served(world, snapshot, view, history.entries[1 + i].token.text, world->held[i]);
    }
    breaker_snapshot_unref(snapshot);
}

/* pairs of one length begin and end alike, so that only their middle tells them apart */
static const char *const spellings[] = {
    "1",
    "v1",
    "abc",
    "1234",
    "v1.2.3",
    "release",
    "abcdefgh",
    "hgfedcba",
    "123456789",
    "0123456789ab",
    "0123456789abcdef",
    "fedcba9876543210",
    "0123456789abcdefg",
    "01234567x9abcdefg",
    "1718539101234-a1b2c3d4",
    "1718539111234-a1b2c3d4",
    "17185391.........a1b2c3d4",
    "17185391....-....a1b2c3d4",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabaaaaaaaaaaaaaaaaaaaaaaa",
};

static void all_tokens_of_a_held_release_get_its_bytes_whatever_they_look_like(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;

    remember(&history, 1000, T, world->own);
    /* three releases take turns, so that a token taken for its neighbour is found out */
    for (size_t i = 0; i != COUNT(spellings); ++i)
        remember(&history, 900 + 10 * i, spellings[i], world->held[i % 3]);
    snapshot = make_snapshot(world, &history, world->held, 3);
    check_served(world, snapshot, 0, T, world->own);
    for (size_t i = 0; i != COUNT(spellings); ++i)
        check_served(world, snapshot, i % NUM_VIEWS, spellings[i], world->held[i % 3]);
    breaker_snapshot_unref(snapshot);
}

static void a_full_ledger_of_one_held_release_is_served(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;
    char token[32];

    remember(&history, 5000, T, world->own);
    while (history.num != BREAKER_LEDGER_MAX) {
        snprintf(token, sizeof(token), "17185391%05zu-a1b2c3d4", history.num * 7);
        remember(&history, history.num, token, world->held[0]);
    }
    snapshot = make_snapshot(world, &history, world->held, 1);
    for (size_t i = 1; i != BREAKER_LEDGER_MAX; ++i)
        check_served(world, snapshot, i % NUM_VIEWS, history.entries[i].token.text, world->held[0]);
    check_served(world, snapshot, 3, T, world->own);
    breaker_snapshot_unref(snapshot);
}

static void a_held_release_without_the_view_has_nothing_there(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;

    remember(&history, 1600000000000, "1600000000000", world->narrow);
    remember(&history, 1718539201234, T, world->own);
    remember(&history, 1800000000000, "1800000000000", world->narrow);
    snapshot = make_snapshot(world, &history, &world->narrow, 1);
    check_served(world, snapshot, 0, "1600000000000", world->narrow);
    check_served(world, snapshot, 0, "1800000000000", world->narrow);
    for (size_t view = 1; view != NUM_VIEWS; ++view) {
        /* not to T, whose bytes are others; nor to be asked for again */
        assert_int_equal(judge(world, snapshot, view, "1600000000000", "css/site.css").kind,
                         NOT_FOUND);
        assert_int_equal(judge(world, snapshot, view, "1800000000000", "css/site.css").kind,
                         NOT_FOUND);
    }
    breaker_snapshot_unref(snapshot);
}

static void
an_older_token_of_the_own_release_leads_to_the_current_one_beside_held_ones(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;

    remember(&history, 1718539100000, "1718539100000", world->own);
    remember(&history, 1718539150000, "1718539150000", world->held[0]);
    remember(&history, 1718539201234, T, world->own);
    remember(&history, 1718539300000, "1718539300000", world->own);
    snapshot = make_snapshot(world, &history, world->held, NUM_HELD);
    assert_int_equal(judge(world, snapshot, 2, "1718539100000", "css/site.css").kind, REDIRECT);
    check_served(world, snapshot, 2, "1718539150000", world->held[0]);
    check_served(world, snapshot, 2, T, world->own);
    check_served(world, snapshot, 2, "1718539300000", world->own);
    breaker_snapshot_unref(snapshot);
}

/* an operator's token that somebody else has given to other files before */
static void the_node_s_own_token_counts_where_the_ledger_gives_it_to_a_held_release(void **state)
{
    const world_t *world = *state;
    history_t history = {0};
    breaker_snapshot_t *snapshot;

    remember(&history, 1718539201234, T, world->held[0]);
    snapshot = make_snapshot(world, &history, world->held, 1);
    check_served(world, snapshot, 0, T, world->own);
    breaker_snapshot_unref(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_held_releases_are_served_in_sixteen_views),
        cmocka_unit_test(all_tokens_of_a_held_release_get_its_bytes_whatever_they_look_like),
        cmocka_unit_test(a_full_ledger_of_one_held_release_is_served),
        cmocka_unit_test(a_held_release_without_the_view_has_nothing_there),
        cmocka_unit_test(
            an_older_token_of_the_own_release_leads_to_the_current_one_beside_held_ones),
        cmocka_unit_test(the_node_s_own_token_counts_where_the_ledger_gives_it_to_a_held_release),
    };

    return cmocka_run_group_tests(tests, make_world, free_world);
}
