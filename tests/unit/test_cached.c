/*
 * Bytes that are here for now: they are read through a variant without bytes, stay while somebody
 * reads them and until whoever wanted them came, go in the order of the last reads, and come again.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include "held.h"
#include "release/cached.h"
#include "release/digest.h"
#include "release/suspects.h"

enum { NUM = 8, LEN = 100000, NOW_MS = 1000 };

/** A release of another node with some files, held here without bytes. */
typedef struct st_world_t {
    scratch_t scratch;
    breaker__blobs_t *theirs, *ours;
    breaker_view_t *view;
    breaker_release_t *original, *held;
    breaker__suspects_t suspects;
    sem_t wake;
    char expected[NUM][LEN];
} world_t;

static const char *path_of(int number)
{
    static const char *const paths[NUM] = {"0.bin", "1.bin", "2.bin", "3.bin",
                                           "4.bin", "5.bin", "6.bin", "7.bin"};

    return paths[number];
}

/* small ones are allocated, large ones have pages */
static size_t len_of(int number)
{
    return number % 2 == 0 ? LEN : 1000 + (size_t)number;
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));
    breaker_view_config_t config;

    if (world == NULL || breaker__blobs_create(&world->theirs) != 0 ||
        breaker__blobs_create(&world->ours) != 0 || sem_init(&world->wake, 0, 0) != 0)
        return -1;
    scratch_create(&world->scratch);
    for (int i = 0; i != NUM; ++i) {
        memset(world->expected[i], 'a' + i, LEN);
        scratch_write(&world->scratch, path_of(i), world->expected[i], len_of(i));
    }
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = world->scratch.path;
    assert_int_equal(breaker__view_create(&config, 0, &world->view), 0);
    world->original =
        held_load((const breaker_view_t *const *)&world->view, 1, NULL, world->theirs);
    world->held = held_hold(world->original, (const breaker_view_t *const *)&world->view, 1, NULL,
                            world->ours);
    breaker__suspects_init(&world->suspects, &world->wake);
    breaker__blobs_set_suspects(world->ours, &world->suspects);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    int ret;

    breaker__suspects_dispose(&world->suspects);
    breaker_release_unref(world->held);
    breaker_release_unref(world->original);
    ret = breaker__blobs_cached_memory(world->ours) == 0 &&
                  breaker__blobs_cached_files(world->ours) == 0 &&
                  breaker__blobs_num(world->ours) == 0
              ? 0
              : -1;
    breaker__blobs_unref(world->theirs);
    breaker__blobs_unref(world->ours);
    breaker__view_free(world->view);
    scratch_remove(&world->scratch);
    sem_destroy(&world->wake);
    free(world);
    return ret;
}

static breaker__blob_t *blob_of(const world_t *world, int number)
{
    return breaker__asset_blob(held_asset(world->held, 0, path_of(number)));
}

static const breaker_variant_t *variant_of(const world_t *world, int number)
{
    return held_identity(world->held, 0, path_of(number));
}

static void cache(world_t *world, int number)
{
    breaker__blob_t *blob = blob_of(world, number);

    assert_int_equal(breaker__blob_cache(blob, world->expected[number], NOW_MS), 0);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_CACHED);
}

static void cache_file(world_t *world, int number)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", world->scratch.path, path_of(number));
    assert_true((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal(breaker__blob_cache_from(blob_of(world, number), fd, NULL, NOW_MS), 0);
}

static void assert_reads(const world_t *world, int number)
{
    static char bytes[LEN];
    const breaker_variant_t *variant = variant_of(world, number);

    assert_int_equal(breaker_variant_read(variant, 0, bytes, variant->len), 0);
    assert_memory_equal(bytes, world->expected[number], variant->len);
}

static bool is_cached(const world_t *world, int number)
{
    return breaker__blob_state(blob_of(world, number)) == BREAKER__BLOB_CACHED;
}

static bool evict(world_t *world, breaker__cached_kind_t kind)
{
    return breaker__blobs_evict(world->ours, kind, NOW_MS + 1);
}

/* ---- reading ---- */

static void cached_bytes_are_read_through_the_variant_without_any(void **state)
{
    world_t *world = *state;
    const breaker_variant_t *before = variant_of(world, 0);

    assert_int_equal(breaker_variant_probe(before), BREAKER_FILE_ABSENT);
    cache(world, 0);
    cache_file(world, 1);
    assert_ptr_equal(variant_of(world, 0), before);
    assert_null(before->base);
    assert_int_equal(before->fd, -1);
    for (int i = 0; i != 2; ++i) {
        assert_int_equal(breaker_variant_probe(variant_of(world, i)), BREAKER_FILE_SOUND);
        assert_reads(world, i);
    }
    assert_int_equal(breaker__blobs_cached_files(world->ours), 1);
    assert_true(breaker__blobs_cached_memory(world->ours) >= LEN);
}

static void what_is_pinned_stays_until_the_pin_is_dropped(void **state)
{
    world_t *world = *state;
    breaker_pin_t *pin, *second;

    cache(world, 0);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &pin), BREAKER_FILE_SOUND);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &second), BREAKER_FILE_SOUND);
    breaker_pin_drop(second);
    assert_false(evict(world, BREAKER__CACHED_MEMORY));
    assert_reads(world, 0);
    breaker_pin_drop(pin);
    assert_true(evict(world, BREAKER__CACHED_MEMORY));
    assert_int_equal(breaker_variant_probe(variant_of(world, 0)), BREAKER_FILE_ABSENT);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &pin), BREAKER_FILE_ABSENT);
    assert_null(pin);
}

static void who_takes_nothing_keeps_no_room_from_others(void **state)
{
    world_t *world = *state;
    uint64_t later_ms = NOW_MS + 10 * BREAKER__CACHED_STALL_MS;
    breaker_pin_t *pins[2];

    for (int i = 0; i != 2; ++i) {
        cache(world, 2 * i);
        assert_int_equal(breaker_variant_pin(variant_of(world, 2 * i), pins + i),
                         BREAKER_FILE_SOUND);
    }
    /* the time begins when the room is needed */
    assert_false(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY, later_ms));
    later_ms += BREAKER__CACHED_STALL_MS;
    assert_reads(world, 2);
    assert_false(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY, later_ms - 1));
    assert_reads(world, 2);
    assert_true(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY, later_ms));
    assert_false(is_cached(world, 0));
    assert_true(is_cached(world, 2));
    assert_true(breaker__blobs_cached_memory(world->ours) < 2 * LEN);
    /* it is read on where it comes again */
    assert_int_equal(breaker_variant_read(variant_of(world, 0), 0, (char[1]){0}, 1),
                     BREAKER_ERR_CHANGED);
    assert_int_equal(breaker_variant_probe(variant_of(world, 0)), BREAKER_FILE_ABSENT);
    breaker_pin_want(pins[0]);
    cache(world, 0);
    assert_reads(world, 0);
    for (int i = 0; i != 2; ++i)
        breaker_pin_drop(pins[i]);
    assert_true(evict(world, BREAKER__CACHED_MEMORY));
}

static void bytes_that_nobody_is_sent_go_before_those_of_who_takes_nothing(void **state)
{
    world_t *world = *state;
    breaker_pin_t *pin;

    cache(world, 0);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &pin), BREAKER_FILE_SOUND);
    assert_false(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY, NOW_MS));
    cache(world, 2);
    assert_reads(world, 2);
    assert_true(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY,
                                     NOW_MS + BREAKER__CACHED_STALL_MS));
    assert_true(is_cached(world, 0));
    breaker_pin_drop(pin);
}

static void nothing_is_pinned_of_what_stays_anyway(void **state)
{
    world_t *world = *state;
    breaker_pin_t *pin;

    assert_int_equal(breaker__blob_fill(blob_of(world, 0), world->expected[0]), 0);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &pin), BREAKER_FILE_SOUND);
    assert_null(pin);
}

/* ---- going ---- */

static void what_was_wanted_waits_for_whoever_wanted_it(void **state)
{
    world_t *world = *state;

    cache(world, 0);
    /* a peer is somebody else */
    breaker__cached_unref(breaker__cached_get(blob_of(world, 0), false));
    assert_false(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY,
                                      NOW_MS + BREAKER__CACHED_WAIT_MS - 1));
    assert_true(breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY,
                                     NOW_MS + BREAKER__CACHED_WAIT_MS));
}

static void what_was_read_longest_ago_goes_first(void **state)
{
    world_t *world = *state;
    const int order[] = {1, 3, 0, 2};

    for (int i = 0; i != 4; ++i)
        cache(world, i);
    for (int i = 0; i != 4; ++i)
        assert_reads(world, order[i]);
    for (int i = 0; i != 4; ++i) {
        assert_true(is_cached(world, order[i]));
        assert_true(evict(world, BREAKER__CACHED_MEMORY));
        assert_false(is_cached(world, order[i]));
    }
    assert_false(evict(world, BREAKER__CACHED_MEMORY));
}

static void descriptors_and_memory_go_by_themselves(void **state)
{
    world_t *world = *state;

    cache(world, 0);
    cache_file(world, 1);
    assert_reads(world, 0);
    assert_reads(world, 1);
    assert_true(evict(world, BREAKER__CACHED_FILE));
    assert_false(evict(world, BREAKER__CACHED_FILE));
    assert_true(is_cached(world, 0));
    assert_false(is_cached(world, 1));
}

static void evicted_bytes_come_again_and_memory_is_given_back(void **state)
{
    world_t *world = *state;
    uint64_t before = breaker__blobs_memory(world->ours);

    for (int round = 0; round != 50; ++round)
        for (int i = 0; i != NUM; ++i) {
            cache(world, i);
            assert_reads(world, i);
            assert_true(evict(world, BREAKER__CACHED_MEMORY));
        }
    assert_true(breaker__blobs_memory(world->ours) == before);
}

static void cached_bytes_give_way_to_those_that_stay(void **state)
{
    world_t *world = *state;
    const breaker_variant_t *before = variant_of(world, 0);
    breaker_pin_t *pin;
    char piece[10];

    cache(world, 0);
    assert_int_equal(breaker_variant_pin(before, &pin), BREAKER_FILE_SOUND);
    assert_int_equal(breaker__blob_fill(blob_of(world, 0), world->expected[0]), 0);
    assert_int_equal(breaker__blob_state(blob_of(world, 0)), BREAKER__BLOB_HERE);
    /* who began with the one goes on with the other */
    assert_int_equal(breaker_variant_read(before, 90, piece, sizeof(piece)), 0);
    assert_memory_equal(piece, world->expected[0], sizeof(piece));
    breaker_pin_drop(pin);
    assert_int_equal(breaker__blobs_cached_memory(world->ours), 0);
}

static void whoever_says_that_nobody_has_it_is_late(void **state)
{
    world_t *world = *state;

    cache(world, 0);
    breaker__blob_set_lost(blob_of(world, 0), true);
    breaker__blob_set_elsewhere(blob_of(world, 0));
    assert_true(is_cached(world, 0));
}

/* ---- files that change ---- */

static void listen_to(void *data)
{
    (void)data;
}

static void a_cached_file_that_changed_is_absent_again(void **state)
{
    world_t *world = *state;
    const atomic_bool stop = false;
    breaker_pin_t *pin;

    breaker__blobs_listen(world->ours, listen_to, NULL);
    cache_file(world, 0);
    assert_reads(world, 0);
    scratch_write(&world->scratch, path_of(0), world->expected[1], LEN);
    assert_int_equal(breaker_variant_pin(variant_of(world, 0), &pin), BREAKER_FILE_SUSPECT);
    assert_null(pin);
    /* while it is looked at it does not go */
    assert_false(evict(world, BREAKER__CACHED_FILE));
    breaker__suspects_check(&world->suspects, &stop);
    assert_int_equal(breaker__blob_state(blob_of(world, 0)), BREAKER__BLOB_ABSENT);
    assert_int_equal(breaker__blobs_cached_files(world->ours), 0);
    breaker__blobs_listen(world->ours, NULL, NULL);
}

/* ---- threads ---- */

typedef struct st_reader_t {
    world_t *world;
    unsigned seed;
    size_t num_read;
    pthread_t thread;
    atomic_bool *stop;
} reader_t;

/* pins, reads in two pieces, and never gets others' bytes or an error within a pin */
static void read_one(reader_t *reader, int number)
{
    const breaker_variant_t *variant = variant_of(reader->world, number);
    size_t half = variant->len / 2;
    char *bytes = malloc(variant->len);
    breaker_pin_t *pin;

    assert_non_null(bytes);
    if (breaker_variant_pin(variant, &pin) == BREAKER_FILE_SOUND) {
        assert_int_equal(breaker_variant_read(variant, 0, bytes, half), 0);
        sched_yield();
        assert_int_equal(breaker_variant_read(variant, half, bytes + half, variant->len - half), 0);
        assert_memory_equal(bytes, reader->world->expected[number], variant->len);
        ++reader->num_read;
        breaker_pin_drop(pin);
    }
    free(bytes);
}

static void *read_all(void *data)
{
    reader_t *reader = data;

    while (!atomic_load(reader->stop)) {
        reader->seed = reader->seed * 1103515245 + 12345;
        read_one(reader, (int)(reader->seed >> 16) % NUM);
        sched_yield();
    }
    return NULL;
}

/* the holding's side: one more than has room is brought, and another one goes */
static void churn(world_t *world, int rounds)
{
    for (int i = 0; i != rounds; ++i) {
        int number = i * 5 % NUM;

        if (breaker__blob_has_bytes(blob_of(world, number)))
            continue;
        while (breaker__blobs_cached_memory(world->ours) > 2 * LEN)
            if (!breaker__blobs_evict(world->ours, BREAKER__CACHED_MEMORY,
                                      NOW_MS + BREAKER__CACHED_WAIT_MS))
                sched_yield();
        assert_int_equal(
            breaker__blob_cache(blob_of(world, number), world->expected[number], NOW_MS), 0);
    }
}

static void readers_never_meet_bytes_that_are_gone(void **state)
{
    enum { READERS = 3 };
    world_t *world = *state;
    atomic_bool stop = false;
    reader_t readers[READERS] = {{0}};

    for (unsigned i = 0; i != READERS; ++i) {
        readers[i] = (reader_t){.world = world, .seed = i + 1, .stop = &stop};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, readers + i), 0);
    }
    churn(world, 2000);
    atomic_store(&stop, true);
    for (unsigned i = 0; i != READERS; ++i)
        pthread_join(readers[i].thread, NULL);
    assert_true(breaker__blobs_cached_memory(world->ours) <= 4 * LEN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cached_bytes_are_read_through_the_variant_without_any),
        CASE(what_is_pinned_stays_until_the_pin_is_dropped),
        CASE(who_takes_nothing_keeps_no_room_from_others),
        CASE(bytes_that_nobody_is_sent_go_before_those_of_who_takes_nothing),
        CASE(nothing_is_pinned_of_what_stays_anyway),
        CASE(what_was_wanted_waits_for_whoever_wanted_it),
        CASE(what_was_read_longest_ago_goes_first),
        CASE(descriptors_and_memory_go_by_themselves),
        CASE(evicted_bytes_come_again_and_memory_is_given_back),
        CASE(cached_bytes_give_way_to_those_that_stay),
        CASE(whoever_says_that_nobody_has_it_is_late),
        CASE(a_cached_file_that_changed_is_absent_again),
        CASE(readers_never_meet_bytes_that_are_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
