/*
 * The parts of a node that holds, without its thread: which release gives way, and what becomes of
 * its blobs; what is done about blobs that nobody has.
 */
#include "held.h"
#include <stdatomic.h>
#include <breaker/holding.h>
#include <breaker/node.h>
#include "holding/parts.h"
#include "node/node.h"

enum { BLOBS_MAX = 8, RELEASES_MAX = 4 };

typedef struct st_world_t {
    scratch_t scratch;
    breaker_node_t *node;
    breaker_holding_config_t config;
    /* of other nodes */
    breaker__blobs_t *elsewhere;
    breaker_release_t *originals[RELEASES_MAX];
    breaker_view_t *views[RELEASES_MAX];
    size_t num_originals;
    breaker__holding_t holding;
} world_t;

/* how often this release was gone through, or any where it is NULL */
static const breaker_release_t *walked;
static size_t num_walks;
/* nothing can be held */
static bool is_refused;

int __wrap_breaker__release_hold(const breaker__hold_config_t *config,
                                 breaker_release_t **ret_release, breaker_error_t *error);
int __real_breaker__release_hold(const breaker__hold_config_t *config,
                                 breaker_release_t **ret_release, breaker_error_t *error);

int __wrap_breaker__release_hold(const breaker__hold_config_t *config,
                                 breaker_release_t **ret_release, breaker_error_t *error)
{
    return is_refused ? BREAKER_ERR_NO_MEMORY
                      : __real_breaker__release_hold(config, ret_release, error);
}

void __wrap_breaker__release_each_blob(const breaker_release_t *release,
                                       void (*on_blob)(void *data, breaker__blob_t *blob),
                                       void *data);
void __real_breaker__release_each_blob(const breaker_release_t *release,
                                       void (*on_blob)(void *data, breaker__blob_t *blob),
                                       void *data);

void __wrap_breaker__release_each_blob(const breaker_release_t *release,
                                       void (*on_blob)(void *data, breaker__blob_t *blob),
                                       void *data)
{
    num_walks += walked == NULL || walked == release;
    __real_breaker__release_each_blob(release, on_blob, data);
}

/* ---- a world ---- */

static void describe(const world_t *world, const char *tree, char *path, size_t size,
                     breaker_view_config_t *ret_config)
{
    snprintf(path, size, "%s/%s", world->scratch.path, tree);
    breaker_view_config_init(ret_config);
    ret_config->name = "static/{breaker}";
    ret_config->directory = path;
}

static void make_node(world_t *world)
{
    const breaker_view_t *added;
    breaker_node_config_t config;
    breaker_view_config_t view;
    char path[512];

    breaker_node_config_init(&config);
    assert_int_equal(breaker_node_create(&config, &world->node), 0);
    describe(world, "own", path, sizeof(path), &view);
    assert_int_equal(breaker_node_add_view(world->node, &view, &added), 0);
    /* there may be peers */
    assert_int_equal(breaker_node_join(world->node), 0);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
}

static void make_holding(world_t *world)
{
    const breaker__archive_config_t archive = {.directory = world->scratch.path};
    breaker__holding_t *holding = &world->holding;
    int err;

    assert_int_equal(breaker__archive_open(&archive, &holding->archive, NULL), 0);
    world->config = *breaker_node_holding(world->node);
    world->config.has_peers = true;
    world->config.keep_memory = 0;
    holding->node = world->node;
    holding->config = &world->config;
    err = uv_loop_init(&holding->loop);
    err |= uv_idle_init(&holding->loop, &holding->work);
    assert_int_equal(err, 0);
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    scratch_create(&world->scratch);
    for (char tree[] = "a/name"; tree[0] <= 'c'; ++tree[0])
        scratch_write(&world->scratch, tree, tree, strlen(tree));
    scratch_write(&world->scratch, "a/shared", "shared", 6);
    scratch_write(&world->scratch, "b/shared", "shared", 6);
    scratch_write(&world->scratch, "own/own", "own", 3);
    assert_int_equal(breaker__blobs_create(&world->elsewhere), 0);
    make_node(world);
    make_holding(world);
    walked = NULL;
    num_walks = 0;
    is_refused = false;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    breaker__holding_t *holding = &world->holding;

    breaker__source_dispose(&holding->source);
    breaker__catalog_dispose(&holding->catalog);
    breaker__archive_close(holding->archive);
    uv_close((uv_handle_t *)&holding->work, NULL);
    uv_run(&holding->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&holding->loop), 0);
    breaker_node_free(world->node);
    for (size_t i = 0; i != world->num_originals; ++i) {
        breaker_release_unref(world->originals[i]);
        breaker__view_free(world->views[i]);
    }
    breaker__blobs_unref(world->elsewhere);
    scratch_remove(&world->scratch);
    free(world);
    return 0;
}

/* ---- releases ---- */

/* the release of a tree is held, and nothing of it is here; seen at this moment */
static breaker__tracked_t *hold_empty(world_t *world, const char *tree, uint64_t seen_ms)
{
    breaker_view_config_t config;
    breaker_release_t *original;
    breaker__tracked_t *known;
    breaker_view_t *view;
    char path[512];

    describe(world, tree, path, sizeof(path), &config);
    assert_int_equal(breaker__view_create(&config, 0, &view), 0);
    original = held_load((const breaker_view_t *const *)&view, 1, NULL, world->elsewhere);
    known = breaker__catalog_add(&world->holding.catalog, breaker_release_id(original), seen_ms);
    assert_non_null(known);
    known->release = held_hold(original, (const breaker_view_t *const *)world->node->views,
                               world->node->num_views, NULL, breaker__node_blobs(world->node));
    known->is_complete = true;
    world->originals[world->num_originals] = original;
    world->views[world->num_originals++] = view;
    return known;
}

/* the same, and all of it is here */
static breaker__tracked_t *hold(world_t *world, const char *tree, uint64_t seen_ms)
{
    breaker__tracked_t *known = hold_empty(world, tree, seen_ms);

    held_fill(known->release, world->elsewhere);
    return known;
}

/* the same, and the archive has it */
static breaker__tracked_t *hold_archived(world_t *world, const char *tree, uint64_t seen_ms)
{
    breaker__tracked_t *known = hold(world, tree, seen_ms);

    known->is_archived = known->about.is_whole = true;
    return known;
}

static void serve_own(world_t *world)
{
    breaker_release_t *own = breaker_node_release(world->node);
    breaker__tracked_t *known =
        breaker__catalog_add(&world->holding.catalog, breaker_release_id(own), UINT32_MAX);

    assert_non_null(known);
    known->release = own;
    known->is_own = known->is_complete = true;
}

static breaker__blob_t *blob_of(const breaker__tracked_t *known, const char *path)
{
    return breaker__asset_blob(held_asset(known->release, 0, path));
}

static bool make_room(world_t *world)
{
    breaker__room_count(&world->holding);
    return breaker__anew_make_room(&world->holding);
}

/* ---- which gives way ---- */

/* two that held it could each let it go because of the other */
static void what_only_peers_have_does_not_give_way(void **state)
{
    world_t *world = *state;
    breaker__tracked_t *known;

    serve_own(world);
    known = hold(world, "a", 1);
    known->is_offered = true;
    assert_false(make_room(world));
    known->is_alive = true;
    assert_false(make_room(world));
    assert_int_equal(breaker__blob_state(blob_of(known, "name")), BREAKER__BLOB_HERE);
}

/* the blob that is found where a release names this path; its reference is not kept */
static breaker__blob_t *find(world_t *world, const uint8_t *digest)
{
    breaker__blob_t *found = breaker__blobs_find(breaker__node_blobs(world->node), digest);

    assert_non_null(found);
    breaker__blob_unref(found);
    return found;
}

static void what_gives_way_keeps_what_others_name(void **state)
{
    world_t *world = *state;
    breaker__tracked_t *cold, *other;

    serve_own(world);
    cold = hold_archived(world, "a", 1);
    other = hold(world, "b", 2);
    assert_true(make_room(world));
    assert_int_equal(breaker__blob_state(blob_of(cold, "name")), BREAKER__BLOB_ABSENT);
    assert_ptr_equal(blob_of(cold, "shared"), blob_of(other, "shared"));
    assert_int_equal(breaker__blob_state(blob_of(cold, "shared")), BREAKER__BLOB_HERE);
    /* each gives way once */
    assert_false(make_room(world));
}

static void what_a_load_has_just_found_stays_for_its_release(void **state)
{
    world_t *world = *state;
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__blob_t *loaded;
    breaker__tracked_t *cold;

    serve_own(world);
    cold = hold_archived(world, "a", 1);
    memcpy(digest, breaker__blob_digest(blob_of(cold, "name")), sizeof(digest));
    loaded = breaker__blobs_find(breaker__node_blobs(world->node), digest);
    assert_true(make_room(world));
    assert_int_equal(breaker__blob_state(blob_of(cold, "shared")), BREAKER__BLOB_ABSENT);
    assert_ptr_equal(find(world, digest), loaded);
    assert_ptr_equal(blob_of(cold, "name"), loaded);
    breaker__blob_unref(loaded);
}

static void blobs_are_found_again_where_a_release_cannot_be_held_anew(void **state)
{
    world_t *world = *state;
    breaker__tracked_t *cold;
    breaker__blob_t *blob;

    serve_own(world);
    cold = hold_archived(world, "a", 1);
    blob = blob_of(cold, "name");
    is_refused = true;
    assert_true(make_room(world));
    assert_ptr_equal(blob_of(cold, "name"), blob);
    assert_ptr_equal(find(world, breaker__blob_digest(blob)), blob);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_HERE);
}

/* there may be many, with many files each */
static void where_one_gives_way_the_others_are_not_gone_through(void **state)
{
    world_t *world = *state;

    serve_own(world);
    hold_archived(world, "a", 1);
    walked = hold(world, "b", 2)->release;
    breaker__room_count(&world->holding);
    num_walks = 0;
    assert_true(breaker__anew_make_room(&world->holding));
    assert_int_equal(num_walks, 0);
}

static void what_releases_share_is_counted_once(void **state)
{
    world_t *world = *state;

    serve_own(world);
    hold(world, "a", 1);
    hold(world, "b", 2);
    breaker__room_count(&world->holding);
    assert_int_equal(world->holding.source.memory, strlen("a/name") * 2 + strlen("shared"));
    breaker__room_count(&world->holding);
    assert_int_equal(world->holding.source.memory, strlen("a/name") * 2 + strlen("shared"));
}

/* ---- what nobody has ---- */

static void ask(world_t *world, breaker__blob_t *blob, uint64_t number)
{
    breaker__source_t *source = &world->holding.source;

    source->asks[source->num_asks++] =
        (breaker__blob_ask_t){.ask = number, .blob = breaker__blob_ref(blob)};
}

/* they may be all files of many releases */
static void however_many_blobs_nobody_has_complete_releases_are_gone_through_once(void **state)
{
    static const uint8_t digests[BLOBS_MAX][BREAKER_DIGEST_LEN] = {{1}, {2}, {3}, {4},
                                                                   {5}, {6}, {7}, {8}};
    world_t *world = *state;
    breaker__tracked_t *first, *second;

    serve_own(world);
    first = hold(world, "a", 1);
    second = hold(world, "b", 2);
    num_walks = 0;
    for (uint64_t i = 0; i != BLOBS_MAX; ++i) {
        breaker__blob_t *blob = breaker__blobs_get(breaker__node_blobs(world->node), digests[i], 1);

        assert_non_null(blob);
        ask(world, blob, i + 1);
        assert_true(breaker__source_on_nobody(&world->holding, i + 1, BREAKER__NOBODY_HAS_IT));
        assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_LOST);
        breaker__blob_unref(blob);
    }
    while (breaker__source_step(&world->holding))
        ;
    assert_true(num_walks <= world->holding.catalog.num);
    assert_false(first->is_hurt || second->is_hurt);
}

static void a_complete_release_that_lost_a_blob_is_gone_through_again(void **state)
{
    world_t *world = *state;
    breaker__tracked_t *first, *second;

    serve_own(world);
    first = hold_empty(world, "a", 1);
    second = hold(world, "c", 2);
    ask(world, blob_of(first, "name"), 1);
    assert_true(breaker__source_on_nobody(&world->holding, 1, BREAKER__NOBODY_HAS_IT));
    while (breaker__source_step(&world->holding))
        ;
    assert_true(first->is_hurt);
    assert_false(second->is_hurt);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_only_peers_have_does_not_give_way),
        TEST(what_gives_way_keeps_what_others_name),
        TEST(what_a_load_has_just_found_stays_for_its_release),
        TEST(blobs_are_found_again_where_a_release_cannot_be_held_anew),
        TEST(where_one_gives_way_the_others_are_not_gone_through),
        TEST(what_releases_share_is_counted_once),
        TEST(however_many_blobs_nobody_has_complete_releases_are_gone_through_once),
        TEST(a_complete_release_that_lost_a_blob_is_gone_through_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
