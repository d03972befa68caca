/*
 * What releases that are loaded into one table have in common, and what that saves: the bytes of
 * one release and little more, by the library's own count and by what the system says that a
 * process takes.
 */
#include "held.h"
#include <sys/prctl.h>
#include <sys/wait.h>
#include "encoding/coding.h"
#include "encoding/encodings.h"

typedef struct st_world_t {
    scratch_t scratch;
    breaker__blobs_t *blobs;
    breaker_view_t *views[4];
    size_t num_views;
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

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    world_t *world = data;

    (void)view, (void)asset, (void)variant;
    ++world->num_prepared;
    return world;
}

static void unprepare(void *data, void *prepared)
{
    world_t *world = data;

    assert_ptr_equal(prepared, world);
    ++world->num_unprepared;
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));

    if (world == NULL || breaker__blobs_create(&world->blobs) != 0)
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
    int ret = breaker__blobs_num(world->blobs) == 0 && world->num_prepared == world->num_unprepared
                  ? 0
                  : -1;

    breaker__blobs_unref(world->blobs);
    for (size_t i = 0; i != world->num_views; ++i)
        breaker__view_free(world->views[i]);
    scratch_remove(&world->scratch);
    free(world);
    return ret;
}

static breaker_view_config_t config_of(const world_t *world, const char *name)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = world->scratch.path;
    return config;
}

static const breaker_view_t *add_view(world_t *world, breaker_view_config_t config)
{
    assert_int_equal(
        breaker__view_create(&config, world->num_views, &world->views[world->num_views]), 0);
    return world->views[world->num_views++];
}

static breaker_release_t *load(world_t *world)
{
    return held_load((const breaker_view_t *const *)world->views, world->num_views, &world->hooks,
                     world->blobs);
}

static void write_bytes(const scratch_t *scratch, const char *path, size_t len, uint32_t seed)
{
    char *bytes = malloc(len);

    assert_non_null(bytes);
    for (size_t i = 0; i != len; ++i)
        bytes[i] = "abcdefghijklmnop"[(seed = seed * 1664525 + 1013904223) >> 28];
    scratch_write(scratch, path, bytes, len);
    free(bytes);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t num = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        ++num;
    closedir(directory);
    return num;
}

/* ---- what is shared ---- */

static void an_unchanged_tree_is_found_again(void **state)
{
    world_t *world = *state;
    breaker_release_t *first, *second;
    size_t num_prepared, descriptors;
    uint64_t memory;

    write_bytes(&world->scratch, "a.css", 3000, 1);
    write_bytes(&world->scratch, "large.css", 100000, 2);
    add_view(world, config_of(world, "static/{breaker}"));
    first = load(world);
    breaker__release_encode(first, NULL, &world->stop);
    memory = breaker__blobs_memory(world->blobs);
    num_prepared = world->num_prepared;
    descriptors = count_descriptors();
    second = load(world);
    assert_ptr_equal(held_asset(second, 0, "a.css"), held_asset(first, 0, "a.css"));
    assert_ptr_equal(held_asset(second, 0, "large.css"), held_asset(first, 0, "large.css"));
    breaker__release_encode(second, NULL, &world->stop);
    assert_int_equal(breaker__blobs_memory(world->blobs), memory);
    assert_int_equal(world->num_prepared, num_prepared);
    assert_int_equal(count_descriptors(), descriptors);
    /* and the second one keeps all of it */
    breaker_release_unref(first);
    assert_int_equal(breaker__blobs_memory(world->blobs), memory);
    assert_non_null(
        breaker_asset_variant(held_asset(second, 0, "large.css"), BREAKER_ENCODING_BROTLI));
    breaker_release_unref(second);
}

static void what_changed_is_new_and_goes_with_its_release(void **state)
{
    world_t *world = *state;
    breaker_release_t *first, *second;
    uint64_t memory;

    scratch_text(&world->scratch, "a", "first");
    scratch_text(&world->scratch, "b", "same");
    add_view(world, config_of(world, "static/{breaker}"));
    first = load(world);
    memory = breaker__blobs_memory(world->blobs);
    scratch_text(&world->scratch, "a", "other");
    second = load(world);
    assert_ptr_equal(held_asset(second, 0, "b"), held_asset(first, 0, "b"));
    assert_memory_equal(held_identity(first, 0, "a")->base, "first", 5);
    assert_memory_equal(held_identity(second, 0, "a")->base, "other", 5);
    assert_int_equal(breaker__blobs_num(world->blobs), 3);
    breaker_release_unref(first);
    assert_int_equal(breaker__blobs_num(world->blobs), 2);
    assert_int_equal(breaker__blobs_memory(world->blobs), memory);
    breaker_release_unref(second);
}

static void views_that_say_the_same_share_assets_and_others_bytes(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of(world, "a/{breaker}");
    breaker_release_t *release;

    scratch_text(&world->scratch, "x.css", "body{}");
    add_view(world, config);
    config.name = "b/{breaker}";
    config.index = "index.html";
    add_view(world, config);
    config.name = "c/{breaker}";
    config.allow_origin = NULL;
    add_view(world, config);
    config.name = "d/{breaker}";
    config.data = world;
    add_view(world, config);
    release = load(world);
    assert_ptr_equal(held_asset(release, 0, "x.css"), held_asset(release, 1, "x.css"));
    assert_ptr_not_equal(held_asset(release, 0, "x.css"), held_asset(release, 2, "x.css"));
    assert_ptr_not_equal(held_asset(release, 2, "x.css"), held_asset(release, 3, "x.css"));
    assert_ptr_equal(held_identity(release, 0, "x.css")->base,
                     held_identity(release, 3, "x.css")->base);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    breaker_release_unref(release);
}

static void a_siblings_bytes_outlive_it(void **state)
{
    world_t *world = *state;
    breaker_release_t *first, *second;
    const breaker_variant_t *variant;
    char command[1200];

    write_bytes(&world->scratch, "x.css", 50000, 1);
    snprintf(command, sizeof(command), "gzip -nk '%s/x.css'", world->scratch.path);
    assert_int_equal(system(command), 0);
    add_view(world, config_of(world, "static/{breaker}"));
    first = load(world);
    assert_ptr_equal(
        breaker_asset_variant(held_asset(first, 0, "x.css"), BREAKER_ENCODING_GZIP)->base,
        held_identity(first, 0, "x.css.gz")->base);
    assert_int_equal(unlinkat(world->scratch.fd, "x.css.gz", 0), 0);
    second = load(world);
    breaker_release_unref(first);
    variant = breaker_asset_variant(held_asset(second, 0, "x.css"), BREAKER_ENCODING_GZIP);
    assert_int_equal(
        breaker__decodes_to(BREAKER_ENCODING_GZIP, variant, held_identity(second, 0, "x.css")), 0);
    breaker_release_unref(second);
}

/* ---- on disk ---- */

static void a_load_sends_files_that_lie_in_its_own_tree(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of(world, "static/{breaker}");
    size_t descriptors = count_descriptors();
    breaker_release_t *first, *second;
    struct stat old_file, new_file;
    char part[9];

    config.memory_file_limit = 5;
    add_view(world, config);
    scratch_text(&world->scratch, "large", "some text");
    first = load(world);
    /* as a deployment replaces a directory by another one with the same file */
    assert_int_equal(unlinkat(world->scratch.fd, "large", 0), 0);
    scratch_text(&world->scratch, "large", "some text");
    second = load(world);
    assert_int_equal(fstat(held_identity(first, 0, "large")->fd, &old_file), 0);
    assert_int_equal(fstat(held_identity(second, 0, "large")->fd, &new_file), 0);
    assert_int_equal(old_file.st_nlink, 0);
    assert_int_equal(new_file.st_nlink, 1);
    assert_int_equal(breaker_variant_read(held_identity(first, 0, "large"), 0, part, 9), 0);
    breaker_release_unref(first);
    assert_int_equal(count_descriptors(), descriptors + 1);
    assert_int_equal(breaker_variant_read(held_identity(second, 0, "large"), 0, part, 9), 0);
    assert_memory_equal(part, "some text", 9);
    breaker_release_unref(second);
    assert_int_equal(count_descriptors(), descriptors);
}

static void what_is_in_memory_serves_a_file_that_has_no_room_there(void **state)
{
    world_t *world = *state;
    breaker_view_config_t config = config_of(world, "a/{breaker}");
    size_t descriptors = count_descriptors();
    breaker_release_t *release;

    scratch_text(&world->scratch, "x", "some text");
    add_view(world, config);
    config.name = "b/{breaker}";
    config.memory_file_limit = 5;
    add_view(world, config);
    release = load(world);
    assert_ptr_equal(held_asset(release, 0, "x"), held_asset(release, 1, "x"));
    assert_non_null(held_identity(release, 1, "x")->base);
    assert_int_equal(count_descriptors(), descriptors);
    breaker_release_unref(release);
}

/* ---- memory files ---- */

static void what_lives_moves_out_of_a_memory_file_of_dead_bodies(void **state)
{
    enum { FILES = 10, LEN = 100000 };
    world_t *world = *state;
    size_t descriptors = count_descriptors();
    breaker_release_t *first, *second, *third;
    char path[32];

    add_view(world, config_of(world, "static/{breaker}"));
    for (uint32_t i = 0; i != FILES; ++i) {
        snprintf(path, sizeof(path), "%u.css", i);
        write_bytes(&world->scratch, path, LEN, i);
    }
    first = load(world);
    breaker__release_encode(first, NULL, &world->stop);
    for (uint32_t i = 1; i != FILES; ++i) {
        snprintf(path, sizeof(path), "%u.css", i);
        write_bytes(&world->scratch, path, LEN, 100 + i);
    }
    second = load(world);
    assert_ptr_equal(held_asset(second, 0, "0.css"), held_asset(first, 0, "0.css"));
    breaker_release_unref(first);
    /* two files now, the first one of them for one body and its encodings */
    assert_int_equal(count_descriptors(), descriptors + 2);
    third = load(world);
    assert_ptr_not_equal(held_asset(third, 0, "0.css"), held_asset(second, 0, "0.css"));
    assert_ptr_equal(held_asset(third, 0, "1.css"), held_asset(second, 0, "1.css"));
    assert_memory_equal(held_identity(third, 0, "0.css")->base,
                        held_identity(second, 0, "0.css")->base, LEN);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_non_null(
            breaker_asset_variant(held_asset(third, 0, "0.css"), (breaker_encoding_t)e));
    breaker_release_unref(second);
    assert_true(held_identity(third, 0, "0.css")->memory_fd !=
                held_identity(third, 0, "1.css")->memory_fd);
    assert_int_equal(count_descriptors(), descriptors + 2);
    breaker_release_unref(third);
    assert_int_equal(count_descriptors(), descriptors);
}

/* ---- what two releases cost ---- */

/** How a tree looks of which some files change. */
typedef struct st_shape_t {
    size_t num_files, len, num_changed;
} shape_t;

/** Bytes for one release and for two, as the library counts and as the system does. */
typedef struct st_cost_t {
    uint64_t counted[2], resident[2];
} cost_t;

static uint64_t resident(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    unsigned long kib = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Rss: %lu kB", &kib) == 1)
            break;
    fclose(file);
    return (uint64_t)kib * 1024;
}

static void write_shape(const scratch_t *scratch, const shape_t *shape, size_t num, uint32_t seed)
{
    char path[64];

    for (size_t i = 0; i != num; ++i) {
        snprintf(path, sizeof(path), "assets/%02zu/chunk-%06zu.js", i % 50, i);
        write_bytes(scratch, path, shape->len, seed + (uint32_t)i);
    }
}

static uint64_t counted(breaker__blobs_t *blobs, breaker_release_t *const *releases, size_t num)
{
    uint64_t sum = breaker__blobs_memory(blobs);

    for (size_t i = 0; i != num; ++i)
        sum += breaker__release_memory(releases[i]);
    return sum;
}

/* in a process of its own, whose memory nothing else has touched */
static cost_t measure(world_t *world, const shape_t *shape)
{
    breaker_release_t *releases[2];
    uint64_t before;
    cost_t cost;

    /* huge pages round up by as much as the second release takes */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    before = resident();
    for (size_t i = 0; i != 2; ++i) {
        if (i == 1)
            write_shape(&world->scratch, shape, shape->num_changed, 1u << 30);
        releases[i] = load(world);
        cost.counted[i] = counted(world->blobs, releases, i + 1);
        cost.resident[i] = resident() - before;
    }
    return cost;
}

static cost_t measure_apart(world_t *world, const shape_t *shape)
{
    int ends[2], status;
    cost_t cost;
    pid_t pid;

    write_shape(&world->scratch, shape, shape->num_files, 1);
    assert_int_equal(pipe(ends), 0);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        cost = measure(world, shape);
        _exit(write(ends[1], &cost, sizeof(cost)) == sizeof(cost) ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &cost, sizeof(cost)), sizeof(cost));
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return cost;
}

static double ratio(const uint64_t *costs)
{
    return (double)costs[1] / (double)costs[0];
}

static void assert_little_more_than_one(world_t *world, const shape_t *shape)
{
    uint64_t bytes = shape->num_files * shape->len;
    cost_t cost;

    add_view(world, config_of(world, "static/{breaker}"));
    cost = measure_apart(world, shape);
    print_message("%zu files of %zu bytes, %zu changed: counted %.1f MiB, with the second one "
                  "%.4f times; resident %.1f MiB, %.4f times\n",
                  shape->num_files, shape->len, shape->num_changed,
                  (double)cost.counted[0] / (1 << 20), ratio(cost.counted),
                  (double)cost.resident[0] / (1 << 20), ratio(cost.resident));
    assert_true(cost.counted[0] >= bytes);
    assert_true(ratio(cost.counted) <= 1.08);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* the sanitizers' allocators keep what is given back */
    assert_true(cost.resident[0] >= bytes);
    assert_true(ratio(cost.resident) <= 1.08);
#endif
}

static void two_releases_of_small_files_cost_little_more_than_one(void **state)
{
    static const shape_t shape = {.num_files = 10000, .len = 4096, .num_changed = 500};

    assert_little_more_than_one(*state, &shape);
}

static void two_releases_of_larger_files_cost_little_more_than_one(void **state)
{
    static const shape_t shape = {.num_files = 400, .len = 100000, .num_changed = 20};

    assert_little_more_than_one(*state, &shape);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_unchanged_tree_is_found_again),
        CASE(what_changed_is_new_and_goes_with_its_release),
        CASE(views_that_say_the_same_share_assets_and_others_bytes),
        CASE(a_siblings_bytes_outlive_it),
        CASE(a_load_sends_files_that_lie_in_its_own_tree),
        CASE(what_is_in_memory_serves_a_file_that_has_no_room_there),
        CASE(what_lives_moves_out_of_a_memory_file_of_dead_bodies),
        CASE(two_releases_of_small_files_cost_little_more_than_one),
        CASE(two_releases_of_larger_files_cost_little_more_than_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
