/*
 * The table of answers, row by row, over releases with real trees. The node's release is r2, and T
 * is 1718539201234; r1 is kept on this node, r3 is newer and held here as well, "peer" is on a live
 * peer, and "gone" is nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/classify.h>
#include "allocations.h"
#include "guard.h"
#include "release/release_id.h"
#include "releases.h"
#include "serving/snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"

#define DECLINE BREAKER_VERDICT_DECLINE
#define SERVE BREAKER_VERDICT_SERVE
#define REDIRECT BREAKER_VERDICT_REDIRECT
#define RELAY BREAKER_VERDICT_RELAY
#define REFRESH BREAKER_VERDICT_REFRESH
#define RETRY BREAKER_VERDICT_RETRY
#define UNREPLACED BREAKER_VERDICT_UNREPLACED
#define DIRECTORY BREAKER_VERDICT_DIRECTORY
#define NOT_FOUND BREAKER_VERDICT_NOT_FOUND

static const fixture_file_t files_r1[] = {{0, "css/site.css", "r1"}, {0, "only-r1.css", "r1"}};
static const fixture_file_t files_r2[] = {{0, "css/site.css", "r2"},
                                          {0, "\xc3\xa4 b.css", "r2"},
                                          {1, "index.html", "r2"},
                                          {1, "docs/index.html", "r2"},
                                          {1, "docs/a.html", "r2"}};
static const fixture_file_t files_r3[] = {{0, "css/site.css", "r3"}, {0, "only-r3.css", "r3"}};

typedef struct st_world_t {
    fixture_t r1, r2, r3;
    breaker_views_t *views;
    /* no ledger */
    breaker_snapshot_t *single;
    /* the ledger below */
    breaker_snapshot_t *cluster;
    /* a ledger that does not know T */
    breaker_snapshot_t *stranger;
    /* nothing loaded, without and with the ledger */
    breaker_snapshot_t *unloaded, *unloaded_cluster;
    /* no ledger, T is v2.0 */
    breaker_snapshot_t *opaque;
    /* the ledger, T is v9 */
    breaker_snapshot_t *opaque_cluster;
} world_t;

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static const struct {
    uint64_t order;
    const char *token, *release;
} history[] = {
    {800, "zebra", "gone"},
    {850, "1750000000000", "gone"},
    {1600000000000, "1600000000000", "peer"},
    {1700000000000, "1700000000000", "r1"},
    {1718539200000, "1718539200000", "r2"},
    {1718539200500, "1718539299999", "r2"},
    {1718539201234, T, "r2"},
    {1718539201234, "1718539201235", "gone"},
    {1718539201234, "1718539201230", "gone"},
    {1718539202000, "1718539100000", "r2"},
    {1718539203000, "v9", "r3"},
    {1800000000000, "1800000000000", "peer"},
    {1800000000001, "0aaa", "gone"},
    {1800000000002, "1650000000000", "gone"},
};

/* of a release that is loaded the whole id, of the others the name */
static breaker_release_id_t release_of(const world_t *world, const char *name)
{
    const fixture_t *const loaded[] = {&world->r1, &world->r2, &world->r3};
    breaker_release_id_t id;

    for (size_t i = 0; i != COUNT(loaded); ++i) {
        id = *breaker_release_id(loaded[i]->release);
        if (breaker_release_id_label_len(&id) == strlen(name) &&
            strncmp(id.text, name, strlen(name)) == 0)
            return id;
    }
    assert_int_equal(breaker_release_id_parse(name, strlen(name), &id), 0);
    return id;
}

static void make_ledger(const world_t *world, breaker_ledger_t *ledger, bool with_current)
{
    breaker_ledger_entry_t entries[COUNT(history)];
    size_t num = 0;

    for (size_t i = 0; i != COUNT(history); ++i)
        if (with_current || strcmp(history[i].token, T) != 0)
            entries[num++] = (breaker_ledger_entry_t){history[i].order, token_of(history[i].token),
                                                      release_of(world, history[i].release)};
    assert_int_equal(breaker_ledger_init(ledger, entries, num), 0);
}

static breaker_snapshot_t *make_snapshot(world_t *world, const char *token, bool loaded,
                                         const breaker_ledger_t *ledger)
{
    breaker_release_t *held[] = {world->r1.release, world->r3.release};
    breaker_release_id_t relayable[] = {release_of(world, "peer")};
    breaker_token_t tokens[] = {token_of(token), token_of(token)};
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)world->r2.views,
        .tokens = tokens,
        .num_views = FIXTURE_VIEWS,
        .release = loaded ? world->r2.release : NULL,
        .held = held,
        .num_held = loaded ? 2 : 0,
        .ledger = ledger,
        .relayable = relayable,
        .num_relayable = 1,
    };
    breaker_snapshot_t *snapshot;

    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    return snapshot;
}

static int make_world(void **state)
{
    static world_t world;
    breaker_ledger_t ledger;

    fixture_load(&world.r1, "r1", files_r1, COUNT(files_r1));
    fixture_load(&world.r2, "r2", files_r2, COUNT(files_r2));
    fixture_load(&world.r3, "r3", files_r3, COUNT(files_r3));
    assert_int_equal(breaker_views_create((const breaker_view_t *const *)world.r2.views,
                                          FIXTURE_VIEWS, &world.views),
                     0);
    world.single = make_snapshot(&world, T, true, NULL);
    world.unloaded = make_snapshot(&world, T, false, NULL);
    world.opaque = make_snapshot(&world, "v2.0", true, NULL);
    make_ledger(&world, &ledger, true);
    world.cluster = make_snapshot(&world, T, true, &ledger);
    world.opaque_cluster = make_snapshot(&world, "v9", true, &ledger);
    world.unloaded_cluster = make_snapshot(&world, T, false, &ledger);
    make_ledger(&world, &ledger, false);
    world.stranger = make_snapshot(&world, T, true, &ledger);
    *state = &world;
    return 0;
}

static int free_world(void **state)
{
    world_t *world = *state;

    breaker_snapshot_unref(world->single);
    breaker_snapshot_unref(world->unloaded);
    breaker_snapshot_unref(world->opaque);
    breaker_snapshot_unref(world->cluster);
    breaker_snapshot_unref(world->opaque_cluster);
    breaker_snapshot_unref(world->unloaded_cluster);
    breaker_snapshot_unref(world->stranger);
    breaker_views_free(world->views);
    fixture_free(&world->r1);
    fixture_free(&world->r2);
    fixture_free(&world->r3);
    return 0;
}

static breaker_verdict_t classify(const world_t *world, const breaker_snapshot_t *snapshot,
                                  const char *path, size_t len, bool refreshed)
{
    char *base = guarded_copy(path, len);
    breaker_verdict_t verdict = breaker_classify(snapshot, world->views, base, len, refreshed);

    guarded_free(base, len);
    return verdict;
}

typedef struct st_case_t {
    const char *path;
    breaker_verdict_kind_t kind, otherwise;
    /* for SERVE the content, for RELAY the token of the entry, else NULL */
    const char *what;
} case_t;

/* what must hold of every verdict, whatever its kind */
static void check_pointers(const breaker_snapshot_t *snapshot, const breaker_verdict_t *verdict,
                           const char *path)
{
    if ((verdict->asset != NULL) != (verdict->kind == SERVE) ||
        (verdict->entry != NULL) != (verdict->kind == RELAY))
        fail_msg("%s: asset or entry", path);
    if (verdict->kind == DECLINE) {
        assert_null(verdict->view);
        return;
    }
    assert_ptr_equal(verdict->view, snapshot->views + breaker_view_index(verdict->match.view));
    assert_ptr_equal(verdict->view->view, verdict->match.view);
}

static void check_what(const breaker_verdict_t *verdict, const case_t *row)
{
    if (verdict->kind == SERVE) {
        const breaker_variant_t *variant =
            breaker_asset_variant(verdict->asset, BREAKER_ENCODING_IDENTITY);
        if (variant->len != 2 || memcmp(variant->base, row->what, 2) != 0)
            fail_msg("%s: the bytes of %.2s", row->path, variant->base);
    }
    if (verdict->kind == RELAY && strcmp(verdict->entry->token.text, row->what) != 0)
        fail_msg("%s: the entry of %s", row->path, verdict->entry->token.text);
}

static void check(const world_t *world, const breaker_snapshot_t *snapshot, bool refreshed,
                  const case_t *cases, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        const char *path = cases[i].path;
        breaker_verdict_t verdict = classify(world, snapshot, path, strlen(path), refreshed);
        if (verdict.kind != cases[i].kind || verdict.otherwise != cases[i].otherwise)
            fail_msg("%s: %d, otherwise %d", path, (int)verdict.kind, (int)verdict.otherwise);
        check_pointers(snapshot, &verdict, path);
        check_what(&verdict, cases + i);
    }
}

/* rows that do not depend on whether the ledger is fresh */
static void check_both(const world_t *world, const breaker_snapshot_t *snapshot,
                       const case_t *cases, size_t num)
{
    check(world, snapshot, false, cases, num);
    check(world, snapshot, true, cases, num);
}

/* ---- rows ---- */

/* the same on a single node and in a cluster */
static void the_current_token_serves_what_is_there(void **state)
{
    static const case_t cases[] = {
        {"/static/" T "/css/site.css", SERVE, SERVE, "r2"},
        {"/static/" T "/\xc3\xa4 b.css", SERVE, SERVE, "r2"},
        {"/assets/v" T "-x/pub/docs/a.html", SERVE, SERVE, "r2"},
        {"/static/" T "/only-r1.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/only-r3.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/docs/a.html", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css/site.css/", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css/site.cs", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "//css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css\\site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css/site.css\x01", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/../css/site.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->stranger, cases, COUNT(cases));
}

static void an_index_file_answers_for_its_directory_where_the_view_has_one(void **state)
{
    static const case_t cases[] = {
        {"/assets/v" T "-x/pub/", SERVE, SERVE, "r2"},
        {"/assets/v" T "-x/pub/docs/", SERVE, SERVE, "r2"},
        {"/assets/v" T "-x/pub/docs", DIRECTORY, DIRECTORY, NULL},
        {"/assets/v000000000001-x/pub/docs", REDIRECT, REDIRECT, NULL},
        {"/assets/v{breaker}-x/pub/docs", UNREPLACED, UNREPLACED, NULL},
        {"/assets/v" T "-x/pub/docs/a.html/", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css", NOT_FOUND, NOT_FOUND, NULL},
        {"/assets/v" T "-x/pub/none/", NOT_FOUND, NOT_FOUND, NULL},
        {"/assets/v000000000001-x/pub/docs/", REDIRECT, REDIRECT, NULL},
        {"/assets/v000000000001-x/pub/none/", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "/css/", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
}

static void paths_outside_the_views_are_declined(void **state)
{
    static const case_t cases[] = {
        {"/", DECLINE, DECLINE, NULL},
        {"", DECLINE, DECLINE, NULL},
        {"/index.html", DECLINE, DECLINE, NULL},
        {"/static", DECLINE, DECLINE, NULL},
        {"/static/" T, DECLINE, DECLINE, NULL},
        {"/statics/" T "/css/site.css", DECLINE, DECLINE, NULL},
        {"/other/" T "/css/site.css", DECLINE, DECLINE, NULL},
        {"/assets/" T "-x/pub/docs/a.html", DECLINE, DECLINE, NULL},
        {"/assets/v" T "-y/pub/docs/a.html", DECLINE, DECLINE, NULL},
        {"\x01\x02/\xff", DECLINE, DECLINE, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->unloaded, cases, COUNT(cases));
}

static void what_is_no_token_is_not_found(void **state)
{
    static const case_t cases[] = {
        {"/static//css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/ /css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1 2/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/\xc3\xa4/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/+1/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/%31/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/../css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "\x01/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/12345678901234567890123456789012345678901234567890123456789012345/css/site.css",
         NOT_FOUND, NOT_FOUND, NULL},
        {"/assets/v-x/pub/docs/a.html", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->unloaded, cases, COUNT(cases));
}

static void an_unclean_path_is_not_found_under_any_token(void **state)
{
    static const case_t cases[] = {
        {"/static/1/css\\site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1/css/site.css\n", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1/css/\x7f", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/9999999999999/css/site.css\r\nX: y", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/9999999999999/..\\..\\etc\\passwd", NOT_FOUND, NOT_FOUND, NULL},
        /* tokens that the ledger knows: of R, held, on a peer */
        {"/static/1718539200000/css/site.css\n", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1700000000000/css/site.css\n", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1800000000000/css/site.css\n", NOT_FOUND, NOT_FOUND, NULL},
    };
    static const char *const with_nul[] = {"/static/" T "/css/site.css\0.png",
                                           "/static/1/css/site.css\0.png",
                                           "/static/9999999999999/css/site.css\0.png"};
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->unloaded, cases, COUNT(cases));
    for (size_t i = 0; i != COUNT(with_nul); ++i) {
        size_t len = strlen(with_nul[i]) + sizeof("\0.png") - 1;
        assert_int_equal(classify(world, world->single, with_nul[i], len, true).kind, NOT_FOUND);
        assert_int_equal(classify(world, world->cluster, with_nul[i], len, false).kind, NOT_FOUND);
    }
}

static void an_older_token_leads_to_the_current_one_if_the_path_exists(void **state)
{
    static const case_t cases[] = {
        {"/static/1718539201233/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/0999999999999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/000000000009/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/000000000000/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/assets/v000000000017-x/pub/docs/a.html", REDIRECT, REDIRECT, NULL},
        {"/static/1718539201233/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1718539201233/", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/000000000001/only-r1.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/000000000001/docs/a.html", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->stranger, cases, COUNT(cases));
}

/* it was never minted: a cluster may know better, and afterwards it is older than everything */
static void a_number_that_is_too_short_to_be_minted_is_asked_for_first(void **state)
{
    static const case_t older[] = {
        {"/static/0/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/99999999999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/999999999999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/assets/v17-x/pub/docs/a.html", REDIRECT, REDIRECT, NULL},
        {"/static/1/only-r1.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    static const case_t not_refreshed[] = {
        {"/static/0/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1/css/site.css", REFRESH, RETRY, NULL},
        {"/static/99999999999/css/site.css", REFRESH, RETRY, NULL},
        /* a date perhaps */
        {"/static/999999999999/css/site.css", REFRESH, RETRY, NULL},
        {"/assets/v17-x/pub/docs/a.html", REFRESH, RETRY, NULL},
        {"/static/1/only-r1.css", REFRESH, RETRY, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, older, COUNT(older));
    check(world, world->cluster, true, older, COUNT(older));
    check(world, world->cluster, false, not_refreshed, COUNT(not_refreshed));
}

static void another_spelling_of_the_current_value_leads_to_the_nodes_own(void **state)
{
    static const case_t cases[] = {
        {"/static/0" T "/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/000000000000000000000000000000000000000000000000000" T "/css/site.css", REDIRECT,
         REDIRECT, NULL},
        {"/static/0" T "/none.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
}

static void a_word_among_minted_tokens_is_not_found_at_once(void **state)
{
    static const case_t cases[] = {
        {"/static/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/css/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/v1/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/-a/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/0abc/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/zzz/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/" T "a/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1600000000000-a1b2c3d/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->unloaded, cases, COUNT(cases));
}

static void the_placeholder_itself_leads_to_the_current_token(void **state)
{
    static const case_t cases[] = {
        {"/static/{breaker}/css/site.css", UNREPLACED, UNREPLACED, NULL},
        {"/static/{breaker}/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/{breaker}/css/\x01", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/{breaker}}/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/{Breaker}/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    static const case_t unloaded[] = {{"/static/{breaker}/css/site.css", RETRY, RETRY, NULL}};
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
    check_both(world, world->cluster, cases, COUNT(cases));
    check_both(world, world->unloaded, unloaded, COUNT(unloaded));
}

static void a_newer_token_is_to_be_tried_again_on_a_single_node(void **state)
{
    static const case_t cases[] = {
        {"/static/1718539201235/css/site.css", RETRY, RETRY, NULL},
        {"/static/1718539201235/none.css", RETRY, RETRY, NULL},
        {"/static/17185392012340/css/site.css", RETRY, RETRY, NULL},
        {"/static/1234567890123456789012345678901234567890123456789012345678901234/css/site.css",
         RETRY, RETRY, NULL},
        {"/assets/v9999999999999-x/pub/", RETRY, RETRY, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->single, cases, COUNT(cases));
}

static void opaque_tokens_are_ordered_bytewise_on_a_single_node(void **state)
{
    static const case_t cases[] = {
        {"/static/v2.0/css/site.css", SERVE, SERVE, "r2"},
        {"/static/v2.0/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/v1.9/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/v10.0/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/v2/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/" T "/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/v1.9/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/v2.0.1/css/site.css", RETRY, RETRY, NULL},
        {"/static/v2.1/css/site.css", RETRY, RETRY, NULL},
        {"/static/~/css/site.css", RETRY, RETRY, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->opaque, cases, COUNT(cases));
}

static void an_older_token_of_the_same_release_leads_to_the_current_one(void **state)
{
    static const case_t cases[] = {
        {"/static/1718539200000/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1718539200000/none.css", REDIRECT, REDIRECT, NULL},
        /* decimal order says newer, the ledger older */
        {"/static/1718539299999/css/site.css", REDIRECT, REDIRECT, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->cluster, cases, COUNT(cases));
}

static void a_newer_token_of_the_same_release_is_served(void **state)
{
    static const case_t cases[] = {
        /* decimal order says older, the ledger newer */
        {"/static/1718539100000/css/site.css", SERVE, SERVE, "r2"},
        {"/static/1718539100000/none.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->cluster, cases, COUNT(cases));
}

static void another_release_that_is_held_here_is_served_with_its_own_bytes(void **state)
{
    static const case_t cases[] = {
        {"/static/1700000000000/css/site.css", SERVE, SERVE, "r1"},
        {"/static/1700000000000/only-r1.css", SERVE, SERVE, "r1"},
        {"/static/1700000000000/\xc3\xa4 b.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/v9/css/site.css", SERVE, SERVE, "r3"},
        {"/static/v9/only-r3.css", SERVE, SERVE, "r3"},
        {"/static/v9/only-r1.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/assets/vv9-x/pub/docs/a.html", NOT_FOUND, NOT_FOUND, NULL},
        /* another spelling is not in the ledger */
        {"/static/01700000000000/only-r1.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/01700000000000/css/site.css", REDIRECT, REDIRECT, NULL},
    };
    const world_t *world = *state;

    check_both(world, world->cluster, cases, COUNT(cases));
}

static void a_release_on_a_live_peer_is_relayed(void **state)
{
    static const case_t cases[] = {
        {"/static/1600000000000/css/site.css", RELAY, REDIRECT, "1600000000000"},
        {"/static/1600000000000/none.css", RELAY, NOT_FOUND, "1600000000000"},
        {"/static/1800000000000/css/site.css", RELAY, RETRY, "1800000000000"},
        {"/static/1800000000000/none.css", RELAY, RETRY, "1800000000000"},
    };
    const world_t *world = *state;

    check_both(world, world->cluster, cases, COUNT(cases));
}

static void the_ledgers_order_overrules_that_of_the_tokens(void **state)
{
    static const case_t older[] = {
        {"/static/zebra/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/zebra/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1750000000000/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1750000000000/none.css", NOT_FOUND, NOT_FOUND, NULL},
        /* the same order: the tokens decide */
        {"/static/1718539201230/css/site.css", REDIRECT, REDIRECT, NULL},
    };
    static const case_t newer[] = {
        {"/static/0aaa/css/site.css", RETRY, RETRY, NULL},
        {"/static/1650000000000/css/site.css", RETRY, RETRY, NULL},
        /* the same order: the tokens decide */
        {"/static/1718539201235/css/site.css", RETRY, RETRY, NULL},
    };
    const world_t *world = *state;

    /* asking again has no use: what the ledger knows it knows */
    check_both(world, world->cluster, older, COUNT(older));
    check_both(world, world->cluster, newer, COUNT(newer));
}

/* their orders count, as T's own value does */
static void a_ledger_that_does_not_know_t_orders_the_others_by_its_value(void **state)
{
    static const case_t cases[] = {
        {"/static/zebra/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1750000000000/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/0aaa/css/site.css", RETRY, RETRY, NULL},
        {"/static/1650000000000/css/site.css", RETRY, RETRY, NULL},
        {"/static/1700000000000/only-r1.css", SERVE, SERVE, "r1"},
    };
    const world_t *world = *state;

    check(world, world->stranger, true, cases, COUNT(cases));
}

static void an_unknown_newer_token_asks_for_a_refresh_first(void **state)
{
    static const case_t not_refreshed[] = {
        {"/static/9999999999999/css/site.css", REFRESH, RETRY, NULL},
        {"/static/9999999999999/none.css", REFRESH, RETRY, NULL},
    };
    static const case_t refreshed[] = {
        {"/static/9999999999999/css/site.css", RETRY, RETRY, NULL},
        {"/static/9999999999999/none.css", RETRY, RETRY, NULL},
        {"/static/" T "-a1b2c3d4/css/site.css", RETRY, RETRY, NULL},
    };
    const world_t *world = *state;

    check(world, world->cluster, false, not_refreshed, COUNT(not_refreshed));
    check(world, world->cluster, true, refreshed, COUNT(refreshed));
}

/* bytewise some of them are older: a 301 on that guess could lead back from a newer token */
static void an_opaque_token_is_never_redirected_by_a_guess(void **state)
{
    static const case_t not_refreshed[] = {
        {"/static/4711/css/site.css", REFRESH, RETRY, NULL},
        {"/static/1600000000000/none.css", RELAY, NOT_FOUND, "1600000000000"},
        {"/static/1718539201233/css/site.css", REDIRECT, REDIRECT, NULL},
    };
    const world_t *world = *state;

    check(world, world->cluster, false, not_refreshed, COUNT(not_refreshed));
}

/* T is v9: what looks minted and is not known was minted at its value, nothing else tells its age
 */
static void an_unknown_minted_token_is_ordered_by_its_value_against_an_opaque_one(void **state)
{
    static const case_t not_refreshed[] = {
        {"/static/1718539202999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1718539203001/css/site.css", REFRESH, RETRY, NULL},
        {"/static/6999/css/site.css", REFRESH, RETRY, NULL},
    };
    static const case_t refreshed[] = {
        {"/static/1718539202999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/001718539202999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/000000006999/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1718539203000/css/site.css", REDIRECT, REDIRECT, NULL},
        {"/static/1718539202999/none.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/1718539203001/css/site.css", RETRY, RETRY, NULL},
        {"/static/6999/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
        {"/static/v8/css/site.css", NOT_FOUND, NOT_FOUND, NULL},
    };
    const world_t *world = *state;

    check(world, world->opaque_cluster, false, not_refreshed, COUNT(not_refreshed));
    check(world, world->opaque_cluster, true, refreshed, COUNT(refreshed));
}

static void nothing_is_served_while_nothing_is_loaded(void **state)
{
    static const case_t cases[] = {
        {"/static/" T "/css/site.css", RETRY, RETRY, NULL},
        {"/static/" T "/none.css", RETRY, RETRY, NULL},
        {"/static/1/css/site.css", RETRY, RETRY, NULL},
        {"/static/0" T "/css/site.css", RETRY, RETRY, NULL},
        {"/static/9999999999999/css/site.css", RETRY, RETRY, NULL},
    };
    static const case_t in_a_cluster[] = {
        {"/static/" T "/css/site.css", RETRY, RETRY, NULL},
        {"/static/1718539200000/css/site.css", RETRY, RETRY, NULL},
        {"/static/1700000000000/css/site.css", RETRY, RETRY, NULL},
        {"/static/1600000000000/css/site.css", RELAY, RETRY, "1600000000000"},
        {"/static/1800000000000/css/site.css", RELAY, RETRY, "1800000000000"},
    };
    const world_t *world = *state;

    check_both(world, world->unloaded, cases, COUNT(cases));
    check_both(world, world->unloaded_cluster, in_a_cluster, COUNT(in_a_cluster));
}

static void the_verdict_says_where_token_and_asset_lie(void **state)
{
    static const char path[] = "/assets/v" T "-x/pub/docs/a.html";
    const world_t *world = *state;
    breaker_verdict_t verdict = classify(world, world->single, path, sizeof(path) - 1, true);

    assert_ptr_equal(verdict.match.view, world->r2.views[1]);
    assert_int_equal(verdict.match.token_at, strlen("/assets/v"));
    assert_int_equal(verdict.match.token_len, strlen(T));
    assert_int_equal(verdict.match.asset_at, strlen("/assets/v" T "-x/pub/"));
    assert_string_equal(verdict.view->token.text, T);
}

/* ---- what a verdict costs, and that no bytes upset it ---- */

static void classifying_allocates_nothing(void **state)
{
    static const char *const paths[] = {
        "/static/" T "/css/site.css",           "/static/" T "/none.css",
        "/assets/v" T "-x/pub/docs/",           "/static/1/css/site.css",
        "/static/1600000000000/css/site.css",   "/static/1700000000000/css/site.css",
        "/static/9999999999999/css/site.css",   "/static/zzz/css/site.css",
        "/static/1718539200000/css/site.css\n", "/elsewhere"};
    const world_t *world = *state;
    breaker_views_t *views;
    size_t before = num_allocations;

    assert_int_equal(
        breaker_views_create((const breaker_view_t *const *)world->r2.views, FIXTURE_VIEWS, &views),
        0);
    assert_true(num_allocations > before);
    breaker_views_free(views);
    before = num_allocations;
    for (size_t i = 0; i != COUNT(paths); ++i) {
        size_t len = strlen(paths[i]);
        classify(world, world->single, paths[i], len, true);
        classify(world, world->cluster, paths[i], len, true);
        classify(world, world->cluster, paths[i], len, false);
    }
    assert_int_equal(num_allocations, before);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* only what is there under a name of this very form may ever be served */
static void no_damage_to_a_path_gets_bytes_that_it_does_not_name(void **state)
{
    static const char good[] = "/static/" T "/css/site.css";
    const world_t *world = *state;
    uint32_t seed = 3;
    char path[64];

    for (size_t i = 0; i != 20000; ++i) {
        size_t len = sizeof(good) - 1 - next_random(&seed) % 4;
        breaker_verdict_t verdict;
        memcpy(path, good, len);
        for (size_t n = next_random(&seed) % 3; n != 0; --n)
            path[next_random(&seed) % len] = (char)next_random(&seed);
        verdict = classify(world, world->single, path, len, true);
        check_pointers(world->single, &verdict, "a damaged path");
        if (verdict.kind == SERVE)
            assert_true(len == sizeof(good) - 1 && memcmp(path, good, len) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_current_token_serves_what_is_there),
        cmocka_unit_test(an_index_file_answers_for_its_directory_where_the_view_has_one),
        cmocka_unit_test(paths_outside_the_views_are_declined),
        cmocka_unit_test(what_is_no_token_is_not_found),
        cmocka_unit_test(an_unclean_path_is_not_found_under_any_token),
        cmocka_unit_test(an_older_token_leads_to_the_current_one_if_the_path_exists),
        cmocka_unit_test(a_number_that_is_too_short_to_be_minted_is_asked_for_first),
        cmocka_unit_test(another_spelling_of_the_current_value_leads_to_the_nodes_own),
        cmocka_unit_test(a_word_among_minted_tokens_is_not_found_at_once),
        cmocka_unit_test(the_placeholder_itself_leads_to_the_current_token),
        cmocka_unit_test(a_newer_token_is_to_be_tried_again_on_a_single_node),
        cmocka_unit_test(opaque_tokens_are_ordered_bytewise_on_a_single_node),
        cmocka_unit_test(an_older_token_of_the_same_release_leads_to_the_current_one),
        cmocka_unit_test(a_newer_token_of_the_same_release_is_served),
        cmocka_unit_test(another_release_that_is_held_here_is_served_with_its_own_bytes),
        cmocka_unit_test(a_release_on_a_live_peer_is_relayed),
        cmocka_unit_test(the_ledgers_order_overrules_that_of_the_tokens),
        cmocka_unit_test(a_ledger_that_does_not_know_t_orders_the_others_by_its_value),
        cmocka_unit_test(an_unknown_newer_token_asks_for_a_refresh_first),
        cmocka_unit_test(an_opaque_token_is_never_redirected_by_a_guess),
        cmocka_unit_test(an_unknown_minted_token_is_ordered_by_its_value_against_an_opaque_one),
        cmocka_unit_test(nothing_is_served_while_nothing_is_loaded),
        cmocka_unit_test(the_verdict_says_where_token_and_asset_lie),
        cmocka_unit_test(classifying_allocates_nothing),
        cmocka_unit_test(no_damage_to_a_path_gets_bytes_that_it_does_not_name),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
