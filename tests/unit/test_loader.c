/*
 * The encodings of several releases by one loader: first those of the one that is served, then
 * those of held ones, as far as their bytes are here.
 */
#include <time.h>
#include "held.h"
#include "node/loader.h"

#define DEADLINE_S 60

typedef struct st_world_t {
    scratch_t scratch[2];
    breaker__blobs_t *theirs, *ours;
    const breaker_view_t *views[2];
    breaker_release_t *original, *own, *held;
    breaker__loader_t *loader;
    breaker_release_hooks_t hooks;
    /* how many encodings were prepared on our side, and what number each of two files had */
    atomic_size_t num_prepared, number[2];
} world_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view, (void)path;
    *ret_compressible = true;
    return "text/css";
}

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    world_t *world = data;
    size_t number;

    (void)view;
    if (variant->encoding == BREAKER_ENCODING_IDENTITY)
        return NULL;
    number = atomic_fetch_add(&world->num_prepared, 1) + 1;
    atomic_store(&world->number[asset->last_modified_s != 1], number);
    return NULL;
}

static void write_text(const scratch_t *scratch, const char *path, char mark, time_t modified_s)
{
    struct timespec times[2] = {{.tv_sec = modified_s}, {.tv_sec = modified_s}};
    char text[2001];

    for (size_t i = 0; i != 2000; ++i)
        text[i] = "body{margin:0}\n"[i % 15];
    text[2000] = '\0';
    text[0] = mark;
    scratch_text(scratch, path, text);
    assert_int_equal(utimensat(scratch->fd, path, times, 0), 0);
}

static int setup(void **state)
{
    static const breaker_encoding_config_t encoding;
    world_t *world = calloc(1, sizeof(*world));
    breaker_view_config_t config;

    if (world == NULL || breaker__blobs_create(&world->theirs) != 0 ||
        breaker__blobs_create(&world->ours) != 0 ||
        breaker__loader_create(&encoding, &world->loader) != 0)
        return -1;
    world->hooks = (breaker_release_hooks_t){.data = world, .type_of = type_of, .prepare = prepare};
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    for (size_t i = 0; i != 2; ++i) {
        breaker_view_t *view;
        scratch_create(&world->scratch[i]);
        config.directory = world->scratch[i].path;
        if (breaker__view_create(&config, 0, &view) != 0)
            return -1;
        world->views[i] = view;
    }
    write_text(&world->scratch[0], "held.css", 'h', 2);
    write_text(&world->scratch[1], "own.css", 'o', 1);
    world->original = held_load(&world->views[0], 1, &world->hooks, world->theirs);
    world->own = held_load(&world->views[1], 1, &world->hooks, world->ours);
    world->held = held_hold(world->original, &world->views[1], 1, &world->hooks, world->ours);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker__loader_free(world->loader);
    breaker_release_unref(world->held);
    breaker_release_unref(world->own);
    breaker_release_unref(world->original);
    breaker__blobs_unref(world->ours);
    breaker__blobs_unref(world->theirs);
    for (size_t i = 0; i != 2; ++i) {
        breaker__view_free((breaker_view_t *)(uintptr_t)world->views[i]);
        scratch_remove(&world->scratch[i]);
    }
    free(world);
    return 0;
}

static bool is_encoded(const breaker_release_t *release, const char *path)
{
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        if (breaker_asset_variant(held_asset(release, 0, path), (breaker_encoding_t)e) == NULL)
            return false;
    return true;
}

static void wait_for(const breaker_release_t *release, const char *path)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    time_t end = time(NULL) + DEADLINE_S;

    while (!is_encoded(release, path)) {
        assert_true(time(NULL) < end);
        nanosleep(&pause, NULL);
    }
}

static void held_releases_follow_the_own_one(void **state)
{
    world_t *world = *state;
    breaker_error_t error = {0};

    held_fill(world->held, world->theirs);
    breaker__loader_encode_held(world->loader, &world->held, 1);
    breaker__loader_encode(world->loader, world->own);
    assert_int_equal(breaker__loader_start(world->loader, &error), 0);
    breaker__loader_wait_encoded(world->loader);
    assert_true(is_encoded(world->own, "own.css"));
    wait_for(world->held, "held.css");
    assert_true(atomic_load(&world->number[0]) < atomic_load(&world->number[1]));
}

static void bytes_that_come_later_are_encoded_when_it_is_said_again(void **state)
{
    world_t *world = *state;
    breaker_error_t error = {0};

    assert_int_equal(breaker__loader_start(world->loader, &error), 0);
    breaker__loader_encode(world->loader, world->own);
    breaker__loader_encode_held(world->loader, &world->held, 1);
    breaker__loader_wait_encoded(world->loader);
    held_fill(world->held, world->theirs);
    breaker__loader_encode_held(world->loader, &world->held, 1);
    wait_for(world->held, "held.css");
    assert_int_equal(atomic_load(&world->num_prepared), 2 * BREAKER_ENCODING_IDENTITY);
}

static void what_is_not_held_any_more_is_let_go(void **state)
{
    world_t *world = *state;
    breaker__blobs_t *ours = world->ours;
    size_t num = breaker__blobs_num(ours);

    breaker__loader_encode_held(world->loader, &world->held, 1);
    breaker_release_unref(world->held);
    world->held = NULL;
    assert_int_equal(breaker__blobs_num(ours), num);
    breaker__loader_encode_held(world->loader, NULL, 0);
    assert_int_equal(breaker__blobs_num(ours), num - 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(held_releases_follow_the_own_one),
        CASE(bytes_that_come_later_are_encoded_when_it_is_said_again),
        CASE(what_is_not_held_any_more_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
