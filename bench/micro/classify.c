/*
 * What classification costs, for each verdict, over sizes of the ledger, numbers of views and
 * lengths of the path. Each verdict is checked before it is measured. The case is named
 * "VERDICT/LEDGER/VIEWS/LENGTH"; length 0 is a short path.
 */
#include <breaker/classify.h>
#include "measure.h"
#include "release/release.h"
#include "scratch.h"
#include "serving/snapshot.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"
#define OLDER "1700000000000"
#define NEWER "1800000000000"
#define HELD "1710000000000"
#define ON_A_PEER "1790000000000"
#define VIEWS_MAX 16
#define PATH_MAX_LEN 512

static const size_t ledger_sizes[] = {0, 1, 8, BREAKER_LEDGER_MAX};
static const size_t view_numbers[] = {1, 4, VIEWS_MAX};
static const size_t path_lengths[] = {0, 64, PATH_MAX_LEN};

/*
 * Rows of the table of answers. `last` takes the place of the path's last byte, if there is one, so
 * that a file that is missing differs from one that is there at its end. least_ledger says from
 * which size on there can be such a verdict.
 */
static const struct {
    const char *name, *prefix, *last;
    breaker_verdict_kind_t kind;
    bool refreshed;
    size_t least_ledger;
} rows[] = {
    {"decline", "/other/" T "/", "", BREAKER_VERDICT_DECLINE, true, 0},
    {"serve", "/static/" T "/", "", BREAKER_VERDICT_SERVE, true, 0},
    {"held", "/static/" HELD "/", "", BREAKER_VERDICT_SERVE, true, 4},
    {"held-not-found", "/static/" HELD "/", "x", BREAKER_VERDICT_NOT_FOUND, true, 4},
    {"redirect", "/static/" OLDER "/", "", BREAKER_VERDICT_REDIRECT, true, 0},
    {"relay", "/static/" ON_A_PEER "/", "", BREAKER_VERDICT_RELAY, true, 2},
    {"refresh", "/static/" NEWER "/", "", BREAKER_VERDICT_REFRESH, false, 1},
    {"retry", "/static/" NEWER "/", "", BREAKER_VERDICT_RETRY, true, 0},
    {"not-found", "/static/" T "/", "x", BREAKER_VERDICT_NOT_FOUND, true, 0},
};

typedef struct st_world_t {
    scratch_t scratch;
    breaker_view_t *views[VIEWS_MAX];
    breaker_release_t *release, *held; /* of all views */
} world_t;

typedef struct st_case_t {
    const breaker_snapshot_t *snapshot;
    const breaker_views_t *views;
    char path[PATH_MAX_LEN + 1];
    size_t len;
    bool refreshed;
} case_t;

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    measure_check(breaker_token_parse(text, strlen(text), &token) == 0, text);
    return token;
}

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    measure_check(breaker_release_id_parse(text, strlen(text), &id) == 0, text);
    return id;
}

/* Writes an asset's path for a prefix, so that both are `len` bytes (0: as few as may be). */
static void write_asset_path(char *dst, size_t prefix_len, size_t len)
{
    size_t asset_len = len == 0 ? 4 : len - prefix_len;

    for (size_t i = 0; i != asset_len; ++i)
        dst[i] = i % 32 == 31 ? '/' : (char)('a' + i % 26);
    memcpy(dst + asset_len - 3, ".js", 4);
}

static void write_assets(world_t *world)
{
    char path[PATH_MAX_LEN + 1];

    /* an asset for every length of a prefix, so that all the paths of a row are there */
    for (size_t i = 0; i != COUNT(path_lengths); ++i) {
        for (size_t row = 0; row != COUNT(rows); ++row) {
            write_asset_path(path, strlen(rows[row].prefix), path_lengths[i]);
            scratch_text(&world->scratch, path, "x");
        }
    }
}

static void make_world(world_t *world)
{
    breaker__release_config_t config = {.num_views = VIEWS_MAX, .label = token_of("r2")};
    breaker_error_t error = {0};

    scratch_create(&world->scratch);
    write_assets(world);
    for (size_t i = 0; i != VIEWS_MAX; ++i) {
        breaker_view_config_t view;
        char name[64];
        snprintf(name, sizeof(name), i == 0 ? "static/{breaker}" : "view%zu/{breaker}", i);
        breaker_view_config_init(&view);
        view.name = name;
        view.directory = world->scratch.path;
        measure_check(breaker__view_create(&view, i, world->views + i) == 0, name);
    }
    config.views = (const breaker_view_t *const *)world->views;
    measure_check(breaker__release_load(&config, NULL, &world->release, &error) == 0,
                  error.message);
    config.label = token_of("r1");
    measure_check(breaker__release_load(&config, NULL, &world->held, &error) == 0, error.message);
}

static void free_world(world_t *world)
{
    breaker_release_unref(world->release);
    breaker_release_unref(world->held);
    for (size_t i = 0; i != VIEWS_MAX; ++i)
        breaker__view_free(world->views[i]);
    scratch_remove(&world->scratch);
}

static breaker_ledger_entry_t minted(const char *text, breaker_release_id_t release)
{
    return (breaker_ledger_entry_t){strtoull(text, NULL, 10), token_of(text), release};
}

/*
 * Of n entries: T; what a peer has; an older token, OLDER, whose bytes are gone; one whose bytes
 * are held here; then more that are gone.
 */
static void make_ledger(const world_t *world, breaker_ledger_t *ledger, size_t num)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX] = {
        minted(T, *breaker_release_id(world->release)),
        minted(ON_A_PEER, release_of("peer")),
        minted(OLDER, release_of("gone")),
        minted(HELD, *breaker_release_id(world->held)),
    };

    for (size_t i = 4; i < num; ++i) {
        char text[32];
        snprintf(text, sizeof(text), "17000001%05zu", i);
        entries[i] = minted(text, release_of("gone"));
    }
    measure_check(breaker_ledger_init(ledger, entries, num) == 0, "ledger");
}

static breaker_snapshot_t *make_snapshot(const world_t *world, size_t ledger_size, size_t num_views)
{
    breaker_release_id_t relayable = release_of("peer");
    breaker_token_t tokens[VIEWS_MAX];
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)world->views,
        .tokens = tokens,
        .num_views = num_views,
        .release = world->release,
        .held = &world->held,
        .num_held = 1,
        .relayable = &relayable,
        .num_relayable = 1,
    };
    breaker_ledger_t ledger;
    breaker_snapshot_t *snapshot;

    for (size_t i = 0; i != num_views; ++i)
        tokens[i] = token_of(T);
    if (ledger_size != 0) {
        make_ledger(world, &ledger, ledger_size);
        config.ledger = &ledger;
    }
    measure_check(breaker__snapshot_create(&config, &snapshot) == 0, "snapshot");
    return snapshot;
}

static void classify(void *data, size_t num)
{
    const case_t *what = data;

    for (size_t i = 0; i != num; ++i) {
        breaker_verdict_t verdict =
            breaker_classify(what->snapshot, what->views, what->path, what->len, what->refreshed);
        measure_keep(&verdict);
    }
}

static void measure_row(size_t row, case_t *what, size_t ledger_size, size_t num_views,
                        size_t length)
{
    size_t prefix_len = strlen(rows[row].prefix);
    breaker_verdict_t verdict;
    char name[64];

    if (ledger_size < rows[row].least_ledger)
        return;
    snprintf(name, sizeof(name), "%s/%zu/%zu/%zu", rows[row].name, ledger_size, num_views, length);
    memcpy(what->path, rows[row].prefix, prefix_len);
    write_asset_path(what->path + prefix_len, prefix_len, length);
    if (rows[row].last[0] != '\0')
        what->path[strlen(what->path) - 1] = rows[row].last[0];
    what->len = strlen(what->path);
    what->refreshed = rows[row].refreshed;
    verdict = breaker_classify(what->snapshot, what->views, what->path, what->len, what->refreshed);
    measure_check(verdict.kind == rows[row].kind, name);
    measure(name, classify, what);
}

static void measure_snapshot(const world_t *world, size_t ledger_size, size_t num_views)
{
    breaker_snapshot_t *snapshot = make_snapshot(world, ledger_size, num_views);
    case_t what = {.snapshot = snapshot};
    breaker_views_t *views;

    measure_check(
        breaker_views_create((const breaker_view_t *const *)world->views, num_views, &views) == 0,
        "views");
    what.views = views;
    for (size_t row = 0; row != COUNT(rows); ++row)
        for (size_t i = 0; i != COUNT(path_lengths); ++i)
            measure_row(row, &what, ledger_size, num_views, path_lengths[i]);
    breaker_views_free(views);
    breaker_snapshot_unref(snapshot);
}

int main(int argc, char **argv)
{
    world_t world;

    measure_init(argc, argv);
    make_world(&world);
    for (size_t i = 0; i != COUNT(ledger_sizes); ++i)
        for (size_t j = 0; j != COUNT(view_numbers); ++j)
            measure_snapshot(&world, ledger_sizes[i], view_numbers[j]);
    free_world(&world);
    return 0;
}
