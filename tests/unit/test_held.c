/*
 * Releases that are held from their manifests: what they answer before and after their bytes are
 * here, as which views, and what they share with the release that the node loaded itself.
 */
#include <pthread.h>
#include <time.h>
#include "held.h"
#include "encoding/encodings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** Two nodes, each with a table and views; the first one's tree is what is held by the second. */
typedef struct st_world_t {
    scratch_t scratch;
    breaker__blobs_t *theirs, *ours;
    breaker_view_t *views[8];
    size_t num_views;
    breaker_release_t *original, *held;
    breaker_release_hooks_t hooks;
    size_t num_prepared, num_unprepared;
    atomic_bool stop;
} world_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view;
    *ret_compressible = strstr(path, ".css") != NULL;
    return *ret_compressible ? "text/css" : NULL;
}

/* what a view says and the answer depends on, as a text */
static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    const breaker_view_config_t *config = breaker_view_config(view);
    world_t *world = data;
    char *prepared;

    ++world->num_prepared;
    assert_true(asprintf(&prepared, "%llu %s %s %llu", (unsigned long long)config->cache_max_age_s,
                         config->allow_origin != NULL ? config->allow_origin : "-", asset->type,
                         (unsigned long long)variant->len) > 0);
    return prepared;
}

static void unprepare(void *data, void *prepared)
{
    world_t *world = data;

    ++world->num_unprepared;
    free(prepared);
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));

    if (world == NULL || breaker__blobs_create(&world->theirs) != 0 ||
        breaker__blobs_create(&world->ours) != 0)
        return -1;
    world->hooks = (breaker_release_hooks_t){
        .data = world, .type_of = type_of, .prepare = prepare, .unprepare = unprepare};
    scratch_create(&world->scratch);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    int ret;

    breaker_release_unref(world->held);
    breaker_release_unref(world->original);
    ret = world->num_prepared == world->num_unprepared && breaker__blobs_num(world->ours) == 0 &&
                  breaker__blobs_num(world->theirs) == 0
              ? 0
              : -1;
    breaker__blobs_unref(world->theirs);
    breaker__blobs_unref(world->ours);
    for (size_t i = 0; i != world->num_views; ++i)
        breaker__view_free(world->views[i]);
    scratch_remove(&world->scratch);
    free(world);
    return ret;
}

static breaker_view_config_t config_of(const char *name, const char *directory)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    return config;
}

static breaker_view_t *add_view(world_t *world, size_t index, breaker_view_config_t config)
{
    breaker_view_t *view;

    assert_int_equal(breaker__view_create(&config, index, &view), 0);
    world->views[world->num_views++] = view;
    return view;
}

static void load(world_t *world, const breaker_view_t *const *views, size_t num_views)
{
    world->original = held_load(views, num_views, &world->hooks, world->theirs);
}

static void hold(world_t *world, const breaker_view_t *const *views, size_t num_views)
{
    world->held = held_hold(world->original, views, num_views, &world->hooks, world->ours);
}

static void assert_same_manifest(const breaker_release_t *a, const breaker_release_t *b)
{
    held_text_t x = held_text(a), y = held_text(b);

    assert_string_equal(x.base, y.base);
    assert_memory_equal(breaker__release_digest(a), breaker__release_digest(b), BREAKER_DIGEST_LEN);
    free(x.base);
    free(y.base);
}

/* ---- one view ---- */

static void a_held_release_answers_everything_but_bytes_at_once(void **state)
{
    world_t *world = *state;
    const breaker_view_t *view;
    const breaker_variant_t *ghost, *identity;

    scratch_text(&world->scratch, "a.css", "body{}");
    scratch_text(&world->scratch, "docs/index.html", "hello");
    scratch_text(&world->scratch, "empty.css", "");
    breaker_view_config_t config = config_of("static/{breaker}", world->scratch.path);
    config.index = "index.html";
    view = add_view(world, 0, config);
    load(world, &view, 1);
    hold(world, &view, 1);
    assert_true(breaker_release_id_equal(breaker_release_id(world->held),
                                         breaker_release_id(world->original)));
    assert_same_manifest(world->held, world->original);
    assert_false(breaker__release_is_complete(world->held));
    assert_ptr_equal(breaker__store_view(breaker_release_store(world->held, 0)), view);

    ghost = held_identity(world->held, 0, "a.css");
    identity = held_identity(world->original, 0, "a.css");
    assert_null(ghost->base);
    assert_int_equal(ghost->fd, -1);
    assert_int_equal(ghost->len, identity->len);
    assert_string_equal(ghost->etag, identity->etag);
    assert_string_equal(ghost->prepared, identity->prepared);
    assert_string_equal(held_asset(world->held, 0, "a.css")->last_modified,
                        held_asset(world->original, 0, "a.css")->last_modified);
    assert_ptr_equal(held_asset(world->held, 0, "docs/"),
                     held_asset(world->held, 0, "docs/index.html"));
    assert_null(breaker_store_find(breaker_release_store(world->held, 0), "b.css", 5));
    /* of nothing there is nothing to wait for */
    assert_non_null(held_identity(world->held, 0, "empty.css")->base);

    held_fill(world->held, world->theirs);
    assert_true(breaker__release_is_complete(world->held));
    assert_memory_equal(held_identity(world->held, 0, "a.css")->base, "body{}", 6);
    assert_ptr_equal(held_identity(world->held, 0, "a.css")->prepared, ghost->prepared);
    assert_memory_equal(held_identity(world->held, 0, "docs/")->base, "hello", 5);
}

static void a_time_in_the_future_is_not_believed(void **state)
{
    world_t *world = *state;
    breaker__manifest_file_t file = {.path = "a.css",
                                     .type = "text/css",
                                     .size = 6,
                                     .last_modified_s = INT64_MAX,
                                     .path_len = 5};
    char *host = (char[]){"default"};
    breaker__manifest_view_t described = {
        .hosts = {.names = &host, .num = 1}, .files = &file, .num_files = 1};
    breaker__manifest_t manifest = {.views = &described, .num_views = 1};
    const breaker_view_t *view =
        add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    breaker__hold_config_t config = {.manifest = &manifest,
                                     .views = &view,
                                     .num_views = 1,
                                     .hooks = world->hooks,
                                     .blobs = world->ours};
    int64_t before = time(NULL);

    breaker_view_config_init(&described.config);
    described.config.name = "static/{breaker}";
    assert_int_equal(breaker__release_hold(&config, &world->held, NULL), 0);
    assert_in_range(held_asset(world->held, 0, "a.css")->last_modified_s, before, time(NULL));
}

/* ---- several views ---- */

static void a_view_that_the_node_has_otherwise_answers_as_the_manifest_says(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of("static/{breaker}", world->scratch.path);
    const breaker_view_t *theirs, *ours;
    const breaker_store_t *store;

    scratch_text(&world->scratch, "a.css", "body{}");
    config.cache_max_age_s = 60;
    config.allow_origin = "https://example.org http://localhost:3000";
    theirs = add_view(world, 0, config);
    config.cache_max_age_s = 120;
    config.redirect_max_age_s = 5;
    config.data = world;
    ours = add_view(world, 0, config);
    load(world, &theirs, 1);
    hold(world, &ours, 1);
    store = breaker_release_store(world->held, 0);
    assert_ptr_not_equal(breaker__store_view(store), ours);
    assert_int_equal(breaker_view_config(breaker__store_view(store))->cache_max_age_s, 60);
    /* what no client sees is the node's own */
    assert_int_equal(breaker_view_config(breaker__store_view(store))->redirect_max_age_s, 5);
    assert_ptr_equal(breaker_view_data(breaker__store_view(store)), world);
    assert_string_equal(held_identity(world->held, 0, "a.css")->prepared,
                        "60 https://example.org http://localhost:3000 text/css; charset=utf-8 6");
    assert_same_manifest(world->held, world->original);
}

static void an_index_of_its_own_is_another_view(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of("static/{breaker}", world->scratch.path);
    const breaker_view_t *theirs, *ours;

    scratch_text(&world->scratch, "index.html", "hello");
    config.index = "index.html";
    theirs = add_view(world, 0, config);
    config.index = NULL;
    ours = add_view(world, 0, config);
    load(world, &theirs, 1);
    hold(world, &ours, 1);
    assert_ptr_equal(held_asset(world->held, 0, ""), held_asset(world->held, 0, "index.html"));
}

static void views_that_only_one_side_has_are_passed_on_or_have_no_store(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs[2], *ours[2];

    scratch_text(&world->scratch, "a.css", "body{}");
    theirs[0] = add_view(world, 0, config_of("old/{breaker}", world->scratch.path));
    theirs[1] = add_view(world, 1, config_of("static/{breaker}", world->scratch.path));
    ours[0] = add_view(world, 0, config_of("new/{breaker}", world->scratch.path));
    ours[1] = add_view(world, 1, config_of("static/{breaker}", world->scratch.path));
    load(world, theirs, 2);
    hold(world, ours, 2);
    assert_null(breaker_release_store(world->held, 0));
    assert_non_null(held_asset(world->held, 1, "a.css"));
    assert_ptr_equal(breaker__store_view(breaker_release_store(world->held, 1)), ours[1]);
    assert_same_manifest(world->held, world->original);
    assert_false(breaker__release_is_complete(world->held));
    held_fill(world->held, world->theirs);
    assert_true(breaker__release_is_complete(world->held));
    assert_memory_equal(held_identity(world->held, 1, "a.css")->base, "body{}", 6);
}

/* ---- several views of one name ---- */

/* a view of the node's or the others' whose one file says which it is */
static breaker_view_t *add_of_host(world_t *world, size_t index, const char *host, const char *file)
{
    char directory[300], path[128];
    breaker_view_config_t config;

    snprintf(path, sizeof(path), "%s/%s", file, file);
    scratch_text(&world->scratch, path, file);
    snprintf(directory, sizeof(directory), "%s/%s", world->scratch.path, file);
    config = config_of("static/{breaker}", directory);
    config.host = host;
    return add_view(world, index, config);
}

static bool has_file(const world_t *world, size_t view, const char *file)
{
    const breaker_store_t *store = breaker_release_store(world->held, view);

    return store != NULL && breaker_store_find(store, file, strlen(file)) != NULL;
}

static void views_of_one_name_are_found_by_their_hosts(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs[2], *ours[2];

    theirs[0] = add_of_host(world, 0, "b.example", "b");
    theirs[1] = add_of_host(world, 1, "a.example", "a");
    ours[0] = add_of_host(world, 0, "a.example", "a");
    ours[1] = add_of_host(world, 1, "b.example", "b");
    load(world, theirs, 2);
    hold(world, ours, 2);
    assert_true(has_file(world, 0, "a"));
    assert_false(has_file(world, 0, "b"));
    assert_true(has_file(world, 1, "b"));
    assert_false(has_file(world, 1, "a"));
    assert_same_manifest(world->held, world->original);
}

static void the_order_of_hosts_makes_no_other_release(void **state)
{
    world_t *world = *state;
    const breaker_view_t *one[2], *other[2];
    breaker_release_t *again;

    one[0] = add_of_host(world, 0, "b.example", "b");
    one[1] = add_of_host(world, 1, "a.example", "a");
    other[0] = add_of_host(world, 0, "a.example", "a");
    other[1] = add_of_host(world, 1, "b.example", "b");
    load(world, one, 2);
    again = held_load(other, 2, &world->hooks, world->theirs);
    assert_same_manifest(again, world->original);
    breaker_release_unref(again);
}

static void one_view_of_a_name_on_each_side_needs_no_host(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs, *ours;

    theirs = add_of_host(world, 0, "node1.example", "a");
    ours = add_of_host(world, 0, "node2.example", "a");
    load(world, &theirs, 1);
    hold(world, &ours, 1);
    assert_true(has_file(world, 0, "a"));
    assert_same_manifest(world->held, world->original);
}

/* a deploy adds a host whose view has a name that is there: what was handed out means what it did
 */
static void the_only_view_of_before_stays_with_its_host(void **state)
{
    static const char *const hosts[] = {"a.example", NULL};
    world_t *world = *state;

    for (size_t i = 0; i != 2; ++i) {
        const breaker_view_t *theirs, *ours[2];
        theirs = add_of_host(world, 0, hosts[i], "before");
        ours[0] = add_of_host(world, 0, "b.example", "b");
        ours[1] = add_of_host(world, 1, hosts[i], "a");
        load(world, &theirs, 1);
        hold(world, ours, 2);
        assert_null(breaker_release_store(world->held, 0));
        assert_true(has_file(world, 1, "before"));
        assert_same_manifest(world->held, world->original);
        breaker_release_unref(world->held);
        breaker_release_unref(world->original);
        world->held = world->original = NULL;
    }
}

static void a_node_of_before_answers_for_the_host_that_it_has(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs[2], *ours;

    theirs[0] = add_of_host(world, 0, "a.example", "a");
    theirs[1] = add_of_host(world, 1, "b.example", "b");
    ours = add_of_host(world, 0, "b.example", "before");
    load(world, theirs, 2);
    hold(world, &ours, 1);
    assert_true(has_file(world, 0, "b"));
    assert_false(has_file(world, 0, "a"));
    assert_same_manifest(world->held, world->original);
}

static void hosts_that_shared_a_view_and_are_parted_keep_what_they_shared(void **state)
{
    world_t *world = *state;
    breaker_view_t *shared = add_of_host(world, 0, "a.example", "shared");
    const breaker_view_t *theirs = shared, *ours[2];

    assert_int_equal(breaker__hosts_add(&shared->hosts, "b.example"), 0);
    ours[0] = add_of_host(world, 0, "a.example", "a");
    ours[1] = add_of_host(world, 1, "b.example", "b");
    load(world, &theirs, 1);
    hold(world, ours, 2);
    assert_true(has_file(world, 0, "shared"));
    assert_ptr_equal(breaker_release_store(world->held, 0), breaker_release_store(world->held, 1));
    assert_same_manifest(world->held, world->original);
}

/* whichever of them it took would be wrong for one host */
static void hosts_that_share_a_view_answer_for_neither_of_two(void **state)
{
    world_t *world = *state;
    breaker_view_t *shared = add_of_host(world, 0, "a.example", "shared");
    const breaker_view_t *theirs[2], *ours = shared;

    assert_int_equal(breaker__hosts_add(&shared->hosts, "b.example"), 0);
    theirs[0] = add_of_host(world, 0, "a.example", "a");
    theirs[1] = add_of_host(world, 1, "b.example", "b");
    load(world, theirs, 2);
    hold(world, &ours, 1);
    assert_null(breaker_release_store(world->held, 0));
    assert_same_manifest(world->held, world->original);
}

/* a server's thread is asked by peers, and a release may have 100,000 files */
static void what_was_found_here_is_not_looked_at_again(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs[2], *ours[2];
    scratch_t other;

    scratch_create(&other);
    scratch_text(&world->scratch, "a.css", "body{}");
    scratch_text(&other, "b.css", "b{}");
    scratch_text(&other, "c.css", "i{}");
    theirs[0] = add_view(world, 0, config_of("{breaker}/first", world->scratch.path));
    theirs[1] = add_view(world, 1, config_of("{breaker}/second", other.path));
    ours[0] = add_view(world, 0, config_of("{breaker}/first", "/"));
    ours[1] = add_view(world, 1, config_of("{breaker}/second", "/"));
    load(world, theirs, 2);
    hold(world, ours, 2);
    assert_false(breaker__release_is_complete(world->held));
    assert_int_equal(world->held->num_seen_here, 0);
    held_fill(world->held, world->theirs);
    assert_true(breaker__release_is_complete(world->held));
    assert_int_equal(world->held->num_seen_here, 3);
    assert_true(breaker__release_is_complete(world->held));
    scratch_remove(&other);
}

/* ---- beside the own release ---- */

static void what_the_node_has_is_here_at_once_and_shared(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs, *ours;
    breaker_release_t *own;
    scratch_t scratch;
    uint64_t memory;

    scratch_create(&scratch);
    scratch_text(&world->scratch, "same.css", "body{}");
    scratch_text(&world->scratch, "other.css", "body{color:red}");
    scratch_text(&scratch, "same.css", "body{}");
    scratch_text(&scratch, "moved/same.css", "body{}");
    scratch_text(&scratch, "other.css", "body{color:blue}");
    theirs = add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    ours = add_view(world, 0, config_of("static/{breaker}", scratch.path));
    load(world, &theirs, 1);
    own = held_load(&ours, 1, &world->hooks, world->ours);
    memory = breaker__blobs_memory(world->ours);
    hold(world, &ours, 1);
    assert_ptr_equal(held_asset(world->held, 0, "same.css"), held_asset(own, 0, "same.css"));
    assert_ptr_equal(held_asset(own, 0, "moved/same.css"), held_asset(own, 0, "same.css"));
    assert_memory_equal(held_identity(world->held, 0, "same.css")->base, "body{}", 6);
    assert_null(held_identity(world->held, 0, "other.css")->base);
    assert_string_equal(held_identity(own, 0, "other.css")->prepared,
                        "31536000 * text/css; charset=utf-8 16");
    assert_int_equal(breaker__blobs_num(world->ours), 3);
    assert_int_equal(breaker__blobs_memory(world->ours),
                     memory + sizeof(breaker__blob_t) + sizeof(breaker__shared_asset_t));

    /* and the other way: what is only held is read once, however the own release comes by it */
    breaker_release_unref(own);
    assert_memory_equal(held_identity(world->held, 0, "same.css")->base, "body{}", 6);
    scratch_text(&scratch, "other.css", "body{color:red}");
    own = held_load(&ours, 1, &world->hooks, world->ours);
    assert_ptr_equal(held_asset(world->held, 0, "other.css"), held_asset(own, 0, "other.css"));
    assert_memory_equal(held_identity(world->held, 0, "other.css")->base, "body{color:red}", 15);
    assert_true(breaker__release_is_complete(world->held));
    breaker_release_unref(own);
    scratch_remove(&scratch);
}

/* a text that every encoding makes smaller */
static void write_text(const scratch_t *scratch, const char *path, char mark)
{
    char text[2001];

    for (size_t i = 0; i != 2000; ++i)
        text[i] = "body{margin:0}\n"[i % 15];
    text[2000] = '\0';
    text[0] = mark;
    scratch_text(scratch, path, text);
}

static void encodings_are_made_once_and_of_what_is_here(void **state)
{
    world_t *world = *state;
    const breaker_view_t *theirs, *ours;
    breaker_release_t *own;
    scratch_t scratch;
    size_t num_prepared;

    scratch_create(&scratch);
    write_text(&world->scratch, "same.css", 'a');
    write_text(&world->scratch, "other.css", 'b');
    write_text(&scratch, "same.css", 'a');
    theirs = add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    ours = add_view(world, 0, config_of("static/{breaker}", scratch.path));
    load(world, &theirs, 1);
    own = held_load(&ours, 1, &world->hooks, world->ours);
    hold(world, &ours, 1);
    breaker__release_encode(own, NULL, &world->stop);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        assert_non_null(
            breaker_asset_variant(held_asset(world->held, 0, "same.css"), (breaker_encoding_t)e));
        assert_null(
            breaker_asset_variant(held_asset(world->held, 0, "other.css"), (breaker_encoding_t)e));
    }
    num_prepared = world->num_prepared;
    breaker__release_encode(world->held, NULL, &world->stop);
    assert_int_equal(world->num_prepared, num_prepared);
    held_fill(world->held, world->theirs);
    breaker__release_encode(world->held, NULL, &world->stop);
    assert_int_equal(world->num_prepared, num_prepared + BREAKER_ENCODING_IDENTITY);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_non_null(
            breaker_asset_variant(held_asset(world->held, 0, "other.css"), (breaker_encoding_t)e));
    breaker_release_unref(own);
    scratch_remove(&scratch);
}

/* of what has to wait for its encodings the first answer must not stay in caches */
static void what_comes_into_memory_is_early_until_its_encodings_are_made(void **state)
{
    world_t *world = *state;
    const breaker_view_t *view;
    const breaker_variant_t *absent, *early, *settled;

    write_text(&world->scratch, "text.css", 'a');
    scratch_text(&world->scratch, "small.css", "body{}");
    view = add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    load(world, &view, 1);
    hold(world, &view, 1);
    absent = held_identity(world->held, 0, "text.css");
    assert_null(absent->base);
    assert_false(absent->is_early);
    held_fill(world->held, world->theirs);
    early = held_identity(world->held, 0, "text.css");
    assert_non_null(early->base);
    assert_true(early->is_early);
    assert_string_equal(early->etag, absent->etag);
    assert_ptr_not_equal(early->prepared, absent->prepared);
    assert_false(held_identity(world->held, 0, "small.css")->is_early);
    breaker__release_encode(world->held, NULL, &world->stop);
    settled = held_identity(world->held, 0, "text.css");
    assert_false(settled->is_early);
    assert_ptr_equal(settled->base, early->base);
    assert_ptr_equal(settled->prepared, absent->prepared);
    /* who found the first one still has it */
    assert_true(early->is_early);
}

static void what_is_given_up_is_early_until_it_is_settled(void **state)
{
    world_t *world = *state;
    const breaker_encoding_config_t plain = {.cpu_percent = 0};
    const breaker_view_t *view;
    breaker_release_t *again;

    write_text(&world->scratch, "text.css", 'a');
    view = add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    load(world, &view, 1);
    assert_false(held_identity(world->original, 0, "text.css")->is_early);
    breaker__release_expect_encodings(world->original, &plain, NULL);
    assert_true(held_identity(world->original, 0, "text.css")->is_early);
    /* stopped before it began */
    atomic_store(&world->stop, true);
    breaker__release_encode(world->original, NULL, &world->stop);
    assert_true(held_identity(world->original, 0, "text.css")->is_early);
    atomic_store(&world->stop, false);
    breaker__release_encode(world->original, NULL, &world->stop);
    assert_false(held_identity(world->original, 0, "text.css")->is_early);
    /* the same content in another release */
    again = held_load(&view, 1, &world->hooks, world->theirs);
    breaker__release_expect_encodings(again, &plain, NULL);
    assert_false(held_identity(again, 0, "text.css")->is_early);
    breaker_release_unref(again);
}

static void what_is_not_smaller_or_not_encoded_at_all_is_not_early_for_long(void **state)
{
    world_t *world = *state;
    const breaker_encoding_config_t plain = {.cpu_percent = 0};
    breaker_view_config_t config = config_of("off/{breaker}", world->scratch.path);
    const breaker_view_t *views[2];
    char noise[1025];
    uint32_t seed = 1;

    for (size_t i = 0; i != 1024; ++i) {
        seed = seed * 1664525 + 1013904223;
        noise[i] = (char)(1 + (seed >> 24) % 255);
    }
    noise[1024] = '\0';
    scratch_text(&world->scratch, "noise.css", noise);
    write_text(&world->scratch, "text.bin", 'a');
    config.encodings = false;
    views[0] = add_view(world, 0, config);
    views[1] = add_view(world, 1, config_of("on/{breaker}", world->scratch.path));
    load(world, views, 2);
    breaker__release_expect_encodings(world->original, &plain, NULL);
    assert_false(held_identity(world->original, 0, "noise.css")->is_early);
    assert_false(held_identity(world->original, 1, "text.bin")->is_early);
    assert_true(held_identity(world->original, 1, "noise.css")->is_early);
    breaker__release_encode(world->original, NULL, &world->stop);
    assert_false(held_identity(world->original, 1, "noise.css")->is_early);
}

static void an_asset_that_comes_later_has_the_encodings_that_there_are(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of("static/{breaker}", world->scratch.path);
    const breaker_view_t *theirs, *ours;
    breaker_release_t *own;

    write_text(&world->scratch, "a.css", 'a');
    ours = add_view(world, 0, config);
    config.cache_max_age_s = 60;
    theirs = add_view(world, 0, config);
    load(world, &theirs, 1);
    own = held_load(&ours, 1, &world->hooks, world->ours);
    breaker__release_encode(own, NULL, &world->stop);
    hold(world, &ours, 1);
    assert_ptr_not_equal(held_asset(own, 0, "a.css"), held_asset(world->held, 0, "a.css"));
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        const breaker_variant_t *x =
            breaker_asset_variant(held_asset(own, 0, "a.css"), (breaker_encoding_t)e);
        const breaker_variant_t *y =
            breaker_asset_variant(held_asset(world->held, 0, "a.css"), (breaker_encoding_t)e);

        assert_ptr_equal(x->base, y->base);
        assert_true(strncmp(x->prepared, "31536000 ", 9) == 0);
        assert_true(strncmp(y->prepared, "60 ", 3) == 0);
    }
    breaker_release_unref(own);
}

/* ---- threads ---- */

enum { FILES = 12, ROUNDS = 20, READERS = 2 };

/** What two threads that make releases hand to those that serve. */
typedef struct st_stage_t {
    breaker_release_hooks_t hooks;
    breaker__blobs_t *theirs, *ours;
    const breaker_view_t *their_view, *our_view;
    const scratch_t *scratch;
    const breaker_release_t *original;
    pthread_mutex_t lock;
    breaker_release_t *releases[2]; /* owned references, under the lock */
    atomic_size_t num_working;
    atomic_bool stop;
} stage_t;

static void put_on(stage_t *stage, size_t at, breaker_release_t *release)
{
    breaker_release_t *before;

    pthread_mutex_lock(&stage->lock);
    before = stage->releases[at];
    stage->releases[at] = release;
    pthread_mutex_unlock(&stage->lock);
    breaker_release_unref(before);
}

static breaker_release_t *take(stage_t *stage, size_t at)
{
    breaker_release_t *release;

    pthread_mutex_lock(&stage->lock);
    release = stage->releases[at];
    if (release != NULL)
        breaker__release_ref(release);
    pthread_mutex_unlock(&stage->lock);
    return release;
}

static void path_of(size_t i, char *dst, size_t size)
{
    snprintf(dst, size, "%02zu.css", i);
}

/* as the holding's thread: from the manifest, then the bytes */
static void *keep_holding(void *data)
{
    stage_t *stage = data;

    for (size_t round = 0; round != ROUNDS; ++round) {
        breaker_release_t *held =
            held_hold(stage->original, &stage->our_view, 1, &stage->hooks, stage->ours);

        put_on(stage, 0, breaker__release_ref(held));
        held_fill(held, stage->theirs);
        breaker_release_unref(held);
        if (round % 3 == 0)
            put_on(stage, 0, NULL);
    }
    atomic_fetch_sub(&stage->num_working, 1);
    return NULL;
}

/* as the loader's thread: other files, then the encodings of both */
static void *keep_loading(void *data)
{
    stage_t *stage = data;
    char path[16];

    for (size_t round = 0; round != ROUNDS; ++round) {
        breaker_release_t *own, *held;

        path_of(round % FILES, path, sizeof(path));
        write_text(stage->scratch, path, (char)('A' + round % 5));
        own = held_load(&stage->our_view, 1, &stage->hooks, stage->ours);
        put_on(stage, 1, breaker__release_ref(own));
        breaker__release_encode(own, NULL, &stage->stop);
        breaker_release_unref(own);
        if ((held = take(stage, 0)) != NULL)
            breaker__release_encode(held, NULL, &stage->stop);
        breaker_release_unref(held);
    }
    atomic_fetch_sub(&stage->num_working, 1);
    return NULL;
}

static uint64_t read_all(const breaker_release_t *release)
{
    const breaker_store_t *store = breaker_release_store(release, 0);
    uint64_t sum = 0;

    for (size_t i = 0; i != breaker_store_size(store); ++i)
        for (int e = 0; e != BREAKER_ENCODINGS; ++e) {
            const breaker_asset_t *asset = breaker_store_at(store, i);
            const breaker_variant_t *variant = breaker_asset_variant(asset, (breaker_encoding_t)e);

            if (variant == NULL)
                continue;
            if (breaker_variant_probe(variant) == BREAKER_FILE_ABSENT)
                breaker__blob_want(breaker__asset_blob(asset));
            for (uint64_t at = 0; variant->base != NULL && at < variant->len; at += 64)
                sum += (unsigned char)variant->base[at];
        }
    return sum;
}

static void *keep_serving(void *data)
{
    stage_t *stage = data;
    uint64_t sum = 0;

    while (atomic_load(&stage->num_working) != 0)
        for (size_t at = 0; at != 2; ++at) {
            breaker_release_t *release = take(stage, at);

            if (release != NULL)
                sum += read_all(release);
            breaker_release_unref(release);
        }
    return (void *)(uintptr_t)sum;
}

static void releases_come_and_go_while_others_serve_them(void **state)
{
    world_t *world = *state;
    stage_t stage = {.theirs = world->theirs, .ours = world->ours, .num_working = 2};
    pthread_t threads[READERS + 2];
    scratch_t scratch;
    char path[16];

    scratch_create(&scratch);
    for (size_t i = 0; i != FILES; ++i) {
        path_of(i, path, sizeof(path));
        write_text(&world->scratch, path, (char)('A' + i));
        write_text(&scratch, path, (char)('A' + i));
    }
    /* the hooks of this test count, and are not for two threads */
    stage.hooks.type_of = type_of;
    stage.scratch = &scratch;
    stage.their_view = add_view(world, 0, config_of("static/{breaker}", world->scratch.path));
    stage.our_view = add_view(world, 0, config_of("static/{breaker}", scratch.path));
    world->original = held_load(&stage.their_view, 1, &stage.hooks, world->theirs);
    stage.original = world->original;
    assert_int_equal(pthread_mutex_init(&stage.lock, NULL), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, keep_holding, &stage), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, keep_loading, &stage), 0);
    for (size_t i = 0; i != READERS; ++i)
        assert_int_equal(pthread_create(&threads[2 + i], NULL, keep_serving, &stage), 0);
    for (size_t i = 0; i != READERS + 2; ++i)
        pthread_join(threads[i], NULL);
    put_on(&stage, 0, NULL);
    put_on(&stage, 1, NULL);
    assert_int_equal(breaker__blobs_num(world->ours), 0);
    pthread_mutex_destroy(&stage.lock);
    scratch_remove(&scratch);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_held_release_answers_everything_but_bytes_at_once),
        CASE(a_time_in_the_future_is_not_believed),
        CASE(a_view_that_the_node_has_otherwise_answers_as_the_manifest_says),
        CASE(an_index_of_its_own_is_another_view),
        CASE(views_that_only_one_side_has_are_passed_on_or_have_no_store),
        CASE(views_of_one_name_are_found_by_their_hosts),
        CASE(the_order_of_hosts_makes_no_other_release),
        CASE(one_view_of_a_name_on_each_side_needs_no_host),
        CASE(the_only_view_of_before_stays_with_its_host),
        CASE(a_node_of_before_answers_for_the_host_that_it_has),
        CASE(hosts_that_shared_a_view_and_are_parted_keep_what_they_shared),
        CASE(hosts_that_share_a_view_answer_for_neither_of_two),
        CASE(what_was_found_here_is_not_looked_at_again),
        CASE(what_the_node_has_is_here_at_once_and_shared),
        CASE(encodings_are_made_once_and_of_what_is_here),
        CASE(what_comes_into_memory_is_early_until_its_encodings_are_made),
        CASE(what_is_given_up_is_early_until_it_is_settled),
        CASE(what_is_not_smaller_or_not_encoded_at_all_is_not_early_for_long),
        CASE(an_asset_that_comes_later_has_the_encodings_that_there_are),
        CASE(releases_come_and_go_while_others_serve_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
