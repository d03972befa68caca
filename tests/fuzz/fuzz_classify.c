/*
 * What must hold of every verdict, whatever the path: nothing is served that the path and its token
 * do not name, a redirect leads to something, and what cannot be is never asked for. An input is a
 * path; it is judged by a node without a history, by one with its own, and by one in a cluster.
 */
#include <assert.h>
#include <stdlib.h>
#include <breaker/classify.h>
#include "fuzz.h"
#include "cluster/ledger.h"
#include "release/release.h"
#include "release/store.h"
#include "serving/snapshot.h"
#include "stores.h"
#include "token/token.h"
#include "tree.h"
#include "view/view.h"

#define T "1718539201234"
#define ORDER UINT64_C(1718539201234)

/** r2 under T; r1 held under tokens of several forms; r0 held, which has nothing of the view. */
typedef struct st_world_t {
    breaker_view_t *view;
    breaker_views_t *views;
    breaker_release_t *r0, *r1, *r2;
    breaker_snapshot_t *single, *alone, *cluster;
} world_t;

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token = {.len = 0};
    int error = breaker_token_parse(text, strlen(text), &token);

    assert(error == 0);
    return token;
}

static breaker_release_id_t id_of(const char *text)
{
    breaker_release_id_t id = {.len = 0};
    int error = breaker_release_id_parse(text, strlen(text), &id);

    assert(error == 0);
    return id;
}

/** The first to be called with NULL makes the view over its tree; the bytes stay in memory. */
static breaker_release_t *load(world_t *world, const char *label, const char *const *paths)
{
    breaker__release_config_t config = {.num_views = 1, .label = token_of(label)};
    breaker_view_config_t view_config;
    breaker_view_t *view = NULL;
    breaker_release_t *release = NULL;
    tree_t tree;
    int error;

    tree_create(&tree);
    /* each file has its own content, and so an asset of its own */
    for (size_t i = 0; paths[i] != NULL; ++i)
        tree_write(&tree, paths[i], paths[i]);
    breaker_view_config_init(&view_config);
    view_config.name = "s/v{breaker}";
    view_config.directory = tree.path;
    view_config.index = "index.html";
    error = breaker__view_create(&view_config, 0, &view);
    assert(error == 0);
    config.views = (const breaker_view_t *const *)&view;
    error = breaker__release_load(&config, NULL, &release, NULL);
    assert(error == 0);
    tree_remove(&tree);
    world->view = view;
    return release;
}

static breaker_release_t *load_empty(void)
{
    breaker__release_config_t config = {.num_views = 0, .label = token_of("r0")};
    breaker_release_t *release = NULL;
    int error = breaker__release_load(&config, NULL, &release, NULL);

    assert(error == 0);
    return release;
}

static breaker_snapshot_t *make_snapshot(const world_t *world, const breaker_ledger_t *ledger,
                                         bool is_alone)
{
    breaker_token_t token = token_of(T);
    breaker_release_id_t relayable = id_of("peer");
    breaker_release_t *held[] = {world->r1, world->r0};
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)&world->view,
        .tokens = &token,
        .num_views = 1,
        .release = world->r2,
        .held = held,
        .num_held = ledger != NULL ? 2 : 0,
        .ledger = ledger,
        .is_alone = is_alone,
        .relayable = &relayable,
        .num_relayable = is_alone ? 0 : 1,
    };
    breaker_snapshot_t *snapshot = NULL;
    int error = breaker__snapshot_create(&config, &snapshot);

    assert(error == 0);
    return snapshot;
}

static const world_t *the_world(void)
{
    static const char *const files_r1[] = {"a.css", "old.css", NULL};
    static const char *const files_r2[] = {"a.css",  "index.html",     "d/index.html",
                                           "d/b.js", "\xc3\xa4 %.css", NULL};
    static world_t world;
    const breaker_view_t *view;
    breaker_ledger_t ledger;
    int error;

    if (world.r2 != NULL)
        return &world;
    world.r0 = load_empty();
    world.r1 = load(&world, "r1", files_r1);
    world.r2 = load(&world, "r2", files_r2);
    view = world.view;
    error = breaker_views_create(&view, 1, &world.views);
    assert(error == 0);
    breaker_ledger_entry_t entries[] = {
        {1600000000000, token_of("1600000000000"), id_of("peer")},
        {1690000000000, token_of("1690000000000"), *breaker_release_id(world.r0)},
        {1700000000000, token_of("1700000000000"), *breaker_release_id(world.r1)},
        {1700000000001, token_of("7"), *breaker_release_id(world.r1)},
        {1700000000002, token_of("1700000000000-abcdefgh"), *breaker_release_id(world.r1)},
        {1700000000003, token_of("1700000010000-abcdefgh"), *breaker_release_id(world.r1)},
        {1710000000000, token_of("v1"), id_of("gone")},
        {1718539200000, token_of("1718539200000"), *breaker_release_id(world.r2)},
        {ORDER, token_of(T), *breaker_release_id(world.r2)},
        {1718539202000, token_of("v2"), *breaker_release_id(world.r2)},
        {1800000000000, token_of("1800000000000"), id_of("peer")},
        {1900000000000, token_of("1900000000000"), id_of("gone")},
    };
    error = breaker_ledger_init(&ledger, entries, sizeof(entries) / sizeof(entries[0]));
    assert(error == 0);
    world.single = make_snapshot(&world, NULL, true);
    world.alone = make_snapshot(&world, &ledger, true);
    world.cluster = make_snapshot(&world, &ledger, false);
    return &world;
}

/** The release whose bytes the token of a path may get from this node, or NULL. */
static const breaker_release_t *release_of(const breaker_snapshot_t *snapshot, fuzz_text_t token)
{
    if (token.len == strlen(T) && memcmp(token.base, T, token.len) == 0)
        return snapshot->release;
    for (size_t i = 0; snapshot->has_ledger && i != breaker_ledger_size(&snapshot->ledger); ++i) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(&snapshot->ledger, i);
        if (entry->token.len == token.len && memcmp(entry->token.text, token.base, token.len) == 0)
            return snapshot->entry_release[i];
    }
    return NULL;
}

static void check_serve(const breaker_verdict_t *verdict, const breaker_snapshot_t *snapshot,
                        fuzz_text_t token, fuzz_text_t asset)
{
    const breaker_release_t *release = release_of(snapshot, token);
    const breaker_store_t *store;
    const char *path;

    assert(release != NULL);
    store = breaker_release_store(release, 0);
    assert(store != NULL);
    assert(breaker_store_find(store, asset.base, asset.len) == verdict->asset);
    path = stores_path(store, verdict->asset);
    assert(path != NULL);
    /* the very path, or the index file of a directory */
    assert(strlen(path) >= asset.len && memcmp(path, asset.base, asset.len) == 0);
    if (path[asset.len] != '\0') {
        assert(asset.len == 0 || asset.base[asset.len - 1] == '/');
        assert(strcmp(path + asset.len, "index.html") == 0);
    }
}

/** With a history no redirect follows a guess: t came up before T, or it looks minted before it. */
static bool is_certainly_older(const breaker_snapshot_t *snapshot, fuzz_text_t token)
{
    const breaker_ledger_entry_t *entry =
        breaker__ledger_find(&snapshot->ledger, token.base, token.len);

    if (entry != NULL)
        return entry->order < ORDER;
    if (breaker__token_minted_digits(token.base, token.len) != 0)
        return breaker__token_compare_minted(token.base, token.len, T, strlen(T)) <= 0;
    return breaker__token_is_decimal(token.base, token.len);
}

static void check_redirect(const breaker_snapshot_t *snapshot, fuzz_text_t token, fuzz_text_t asset)
{
    const breaker_store_t *store = breaker_release_store(snapshot->release, 0);

    assert(token.len != strlen(T) || memcmp(token.base, T, token.len) != 0);
    assert(breaker_token_is_valid(token.base, token.len));
    assert(!snapshot->has_ledger || is_certainly_older(snapshot, token));
    assert(breaker_store_find(store, asset.base, asset.len) != NULL ||
           breaker__store_has_directory(store, asset.base, asset.len) ||
           release_of(snapshot, token) == snapshot->release);
}

static void check_kinds(const breaker_verdict_t *verdict, const breaker_snapshot_t *snapshot,
                        bool refreshed)
{
    bool asks = verdict->kind == BREAKER_VERDICT_RELAY || verdict->kind == BREAKER_VERDICT_REFRESH;

    assert(!asks || (snapshot->has_ledger && !snapshot->is_alone));
    assert(verdict->kind != BREAKER_VERDICT_REFRESH || !refreshed);
    assert(asks ? verdict->otherwise == BREAKER_VERDICT_REDIRECT ||
                      verdict->otherwise == BREAKER_VERDICT_RETRY ||
                      verdict->otherwise == BREAKER_VERDICT_NOT_FOUND
                : verdict->otherwise == verdict->kind);
    assert((verdict->asset != NULL) == (verdict->kind == BREAKER_VERDICT_SERVE));
    assert((verdict->entry != NULL) == (verdict->kind == BREAKER_VERDICT_RELAY));
    assert((verdict->view != NULL) == (verdict->kind != BREAKER_VERDICT_DECLINE));
}

static void check(const world_t *world, const breaker_snapshot_t *snapshot, fuzz_text_t path,
                  bool refreshed)
{
    breaker_verdict_t verdict =
        breaker_classify(snapshot, world->views, path.base, path.len, refreshed);
    fuzz_text_t token, asset;

    check_kinds(&verdict, snapshot, refreshed);
    if (verdict.kind == BREAKER_VERDICT_DECLINE)
        return;
    token = (fuzz_text_t){path.base + verdict.match.token_at, verdict.match.token_len};
    asset = (fuzz_text_t){path.base + verdict.match.asset_at, path.len - verdict.match.asset_at};
    if (verdict.kind == BREAKER_VERDICT_SERVE)
        check_serve(&verdict, snapshot, token, asset);
    if (verdict.kind == BREAKER_VERDICT_REDIRECT || verdict.otherwise == BREAKER_VERDICT_REDIRECT)
        check_redirect(snapshot, token, asset);
    if (verdict.kind == BREAKER_VERDICT_UNREPLACED)
        assert(token.len == strlen(BREAKER_PLACEHOLDER) &&
               memcmp(token.base, BREAKER_PLACEHOLDER, token.len) == 0);
    else if (!breaker_token_is_valid(token.base, token.len))
        assert(verdict.kind == BREAKER_VERDICT_NOT_FOUND);
    if (snapshot->has_ledger && release_of(snapshot, token) == world->r0)
        assert(verdict.kind == BREAKER_VERDICT_NOT_FOUND);
    if (release_of(snapshot, token) == world->r1)
        assert(verdict.kind == BREAKER_VERDICT_SERVE || verdict.kind == BREAKER_VERDICT_DIRECTORY ||
               verdict.kind == BREAKER_VERDICT_NOT_FOUND);
    if (verdict.kind == BREAKER_VERDICT_RELAY)
        assert(strcmp(verdict.entry->release.text, "peer") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const world_t *world = the_world();
    fuzz_text_t path = {(const char *)data, size};

    if (size == 0 || size > FUZZ_INPUT_MAX || *path.base != '/')
        return 0;
    for (int refreshed = 0; refreshed != 2; ++refreshed) {
        check(world, world->single, path, refreshed != 0);
        check(world, world->alone, path, refreshed != 0);
        check(world, world->cluster, path, refreshed != 0);
    }
    return 0;
}
