/*
 * The table of blobs: one for a content, gone with its last reference and never found afterwards;
 * bytes that arrive under readers; what is wanted and taken; better bytes in the place of others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include "release/blob.h"
#include "release/digest.h"
#include "scratch.h"
#include "view/view.h"

typedef struct st_world_t {
    breaker__blobs_t *blobs;
    breaker_view_t *view;
    breaker__saying_t saying;
    size_t empty_memory;
    atomic_size_t num_wakes;
    size_t num_prepared, num_unprepared;
} world_t;

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
    breaker_release_hooks_t hooks = {.data = world, .prepare = prepare, .unprepare = unprepare};
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent";
    if (world == NULL || breaker__view_create(&config, 0, &world->view) != 0 ||
        breaker__saying_init(&world->saying, world->view) != 0 ||
        breaker__blobs_create(&world->blobs) != 0)
        return -1;
    breaker__blobs_set_hooks(world->blobs, &hooks);
    world->empty_memory = breaker__blobs_memory(world->blobs);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;
    int ret = 0;

    if (breaker__blobs_num(world->blobs) != 0 || world->num_prepared != world->num_unprepared)
        ret = -1;
    breaker__blobs_unref(world->blobs);
    breaker__saying_dispose(&world->saying);
    breaker__view_free(world->view);
    free(world);
    return ret;
}

static void digest_of(const char *base, size_t len, uint8_t *digest)
{
    breaker__hasher_t hasher;

    assert_int_equal(breaker__hasher_init(&hasher), 0);
    assert_int_equal(breaker__hash(&hasher, base, len, digest), 0);
    breaker__hasher_dispose(&hasher);
}

/* the blob of a text, ABSENT at first */
static breaker__blob_t *blob_of(world_t *world, const char *text)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__blob_t *blob;

    digest_of(text, strlen(text), digest);
    assert_non_null(blob = breaker__blobs_get(world->blobs, digest, strlen(text)));
    return blob;
}

static breaker_asset_t *asset_of(world_t *world, breaker__blob_t *blob, const char *type)
{
    const breaker__traits_t traits = breaker__traits_of_type(type, false);
    breaker__kind_t *kind = breaker__kind_get(world->blobs, world->view, &world->saying, &traits);
    breaker_asset_t *asset;

    assert_non_null(kind);
    assert_int_equal(breaker__asset_get(blob, kind, world->view, 784111777, &asset), 0);
    breaker__kind_unref(world->blobs, kind);
    return asset;
}

static const breaker_variant_t *identity_of(const breaker_asset_t *asset)
{
    return breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);
}

static void on_wanted(void *data)
{
    world_t *world = data;

    atomic_fetch_add(&world->num_wakes, 1);
}

/* ---- the table ---- */

static void a_content_is_one_blob(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello"), *again = blob_of(world, "hello");
    breaker__blob_t *other = blob_of(world, "hellp");

    assert_ptr_equal(blob, again);
    assert_ptr_not_equal(blob, other);
    assert_int_equal(breaker__blobs_num(world->blobs), 2);
    assert_int_equal(breaker__blob_len(blob), 5);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_ABSENT);
    breaker__blob_unref(blob);
    breaker__blob_unref(other);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    breaker__blob_unref(again);
    breaker__blob_unref(NULL);
    assert_int_equal(breaker__blobs_memory(world->blobs), world->empty_memory);
}

static void a_lie_about_a_length_is_another_blob(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello"), *lie, *found;

    lie = breaker__blobs_get(world->blobs, breaker__blob_digest(blob), 6);
    assert_ptr_not_equal(blob, lie);
    assert_int_equal(breaker__blob_fill(blob, "hello"), 0);
    assert_int_equal(breaker__blob_state(lie), BREAKER__BLOB_ABSENT);
    /* whoever asks by the digest gets the bytes that have it */
    found = breaker__blobs_find(world->blobs, breaker__blob_digest(blob));
    assert_ptr_equal(found, blob);
    breaker__blob_unref(found);
    breaker__blob_unref(blob);
    found = breaker__blobs_find(world->blobs, breaker__blob_digest(lie));
    assert_ptr_equal(found, lie);
    breaker__blob_unref(found);
    breaker__blob_unref(lie);
}

static void thousands_of_blobs_are_found_and_forgotten(void **state)
{
    enum { NUM = 5000 };
    world_t *world = *state;
    breaker__blob_t *blobs[NUM], *found;
    uint8_t digest[BREAKER_DIGEST_LEN];
    char text[16];

    for (size_t i = 0; i != NUM; ++i) {
        snprintf(text, sizeof(text), "%zu", i);
        blobs[i] = blob_of(world, text);
    }
    for (size_t i = 0; i != NUM; i += 2)
        breaker__blob_unref(blobs[i]);
    assert_int_equal(breaker__blobs_num(world->blobs), NUM / 2);
    for (size_t i = 0; i != NUM; ++i) {
        snprintf(text, sizeof(text), "%zu", i);
        digest_of(text, strlen(text), digest);
        found = breaker__blobs_find(world->blobs, digest);
        assert_ptr_equal(found, i % 2 != 0 ? blobs[i] : NULL);
        breaker__blob_unref(found);
    }
    for (size_t i = 1; i < NUM; i += 2)
        breaker__blob_unref(blobs[i]);
}

/* ---- bytes ---- */

static void a_fill_gives_every_asset_its_bytes(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello");
    breaker_asset_t *assets[] = {asset_of(world, blob, "text/a"), asset_of(world, blob, "text/b"),
                                 asset_of(world, blob, "text/a")};
    const breaker_variant_t *before = identity_of(assets[0]), *after;

    assert_ptr_equal(assets[0], assets[2]);
    assert_ptr_not_equal(assets[0], assets[1]);
    assert_null(before->base);
    assert_int_equal(before->fd, -1);
    assert_int_equal(before->len, 5);
    assert_string_equal(before->etag, "\"LPJNul-wow4m6Dsqxbninh\"");
    assert_int_equal(breaker_variant_probe(before), BREAKER_FILE_ABSENT);
    assert_null(breaker__blob_body(blob));
    assert_int_equal(breaker__blob_fill(blob, "hello"), 0);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_HERE);
    for (size_t i = 0; i != 2; ++i) {
        after = identity_of(assets[i]);
        assert_memory_equal(after->base, "hello", 5);
        assert_ptr_equal(after->base, breaker__blob_body(blob)->base);
        assert_int_equal(breaker_variant_probe(after), BREAKER_FILE_SOUND);
        assert_string_equal(after->etag, before->etag);
        assert_ptr_equal(after->prepared, world);
    }
    /* who holds what was there before may go on with it */
    assert_int_equal(before->len, 5);
    assert_int_equal(breaker_variant_probe(before), BREAKER_FILE_ABSENT);
    /* one head for both */
    assert_int_equal(world->num_prepared, 2);
    assert_int_equal(breaker__blob_memory(blob), 5);
    /* and once is enough */
    assert_int_equal(breaker__blob_fill(blob, "HELLO"), 0);
    assert_memory_equal(breaker__blob_body(blob)->base, "hello", 5);
    for (size_t i = 0; i != 3; ++i)
        breaker__asset_unref(assets[i]);
    breaker__blob_unref(blob);
    assert_int_equal(breaker__blobs_memory(world->blobs), world->empty_memory);
}

static void an_asset_keeps_its_blob(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello");
    breaker_asset_t *asset = asset_of(world, blob, "text/a");

    assert_int_equal(breaker__blob_fill(blob, "hello"), 0);
    breaker__blob_unref(blob);
    assert_ptr_equal(breaker__asset_blob(asset), blob);
    assert_memory_equal(identity_of(asset)->base, "hello", 5);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    breaker__asset_unref(asset);
    assert_int_equal(breaker__blobs_num(world->blobs), 0);
}

static void what_nobody_has_is_lost_until_somebody_has_it(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello");
    breaker_asset_t *asset = asset_of(world, blob, "text/a");

    breaker__blob_set_lost(blob, true);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_LOST);
    assert_int_equal(breaker_variant_probe(identity_of(asset)), BREAKER_FILE_LOST);
    breaker__blob_set_lost(blob, false);
    assert_int_equal(breaker_variant_probe(identity_of(asset)), BREAKER_FILE_ABSENT);
    breaker__blob_set_lost(blob, true);
    assert_int_equal(breaker__blob_fill(blob, "hello"), 0);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_HERE);
    breaker__blob_set_lost(blob, true);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_HERE);
    breaker__asset_unref(asset);
    breaker__blob_unref(blob);
}

static void large_fills_lie_in_sealed_memory(void **state)
{
    enum { LEN = 100000 };
    world_t *world = *state;
    char *bytes = malloc(LEN);
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__blob_t *blob;
    char part[10];

    assert_non_null(bytes);
    for (size_t i = 0; i != LEN; ++i)
        bytes[i] = (char)(i % 251);
    digest_of(bytes, LEN, digest);
    blob = breaker__blobs_get(world->blobs, digest, LEN);
    assert_int_equal(breaker__blob_fill(blob, bytes), 0);
    breaker__blobs_settle(world->blobs);
    assert_memory_equal(breaker__blob_body(blob)->base, bytes, LEN);
    assert_true(breaker__blob_body(blob)->memory_fd >= 0);
    assert_int_equal(pread(breaker__blob_body(blob)->memory_fd, part, 10,
                           (off_t)breaker__blob_body(blob)->memory_offset + 1000),
                     10);
    assert_memory_equal(part, bytes + 1000, 10);
    assert_int_equal(breaker__blob_memory(blob), breaker__sealed_span(LEN));
    breaker__blob_unref(blob);
    free(bytes);
}

/* ---- from a file ---- */

static int open_text(const scratch_t *scratch, const char *text)
{
    int fd;

    scratch_text(scratch, "blob", text);
    assert_true((fd = openat(scratch->fd, "blob", O_RDONLY | O_CLOEXEC)) >= 0);
    return fd;
}

static breaker__stamp_t stamp_of(const scratch_t *scratch)
{
    breaker__stamp_t stamp;
    struct stat status;

    assert_int_equal(fstatat(scratch->fd, "blob", &status, 0), 0);
    breaker__stamp_from(&status, &stamp);
    return stamp;
}

static void a_file_fills_a_blob_and_is_watched(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "some text");
    breaker_asset_t *asset = asset_of(world, blob, "text/a");
    breaker__suspects_t suspects;
    scratch_t scratch;
    char part[9];
    sem_t wake;

    assert_int_equal(sem_init(&wake, 0, 0), 0);
    breaker__suspects_init(&suspects, &wake);
    breaker__blobs_set_suspects(world->blobs, &suspects);
    scratch_create(&scratch);
    assert_int_equal(breaker__blob_fill_from(blob, open_text(&scratch, "some tex"), NULL),
                     BREAKER_ERR_CHANGED);
    assert_int_equal(breaker__blob_fill_from(blob, open(scratch.path, O_RDONLY | O_CLOEXEC), NULL),
                     BREAKER_ERR_IO);
    assert_int_equal(breaker__blob_state(blob), BREAKER__BLOB_ABSENT);
    assert_int_equal(breaker__blob_fill_from(blob, open_text(&scratch, "some text"), NULL), 0);
    assert_null(identity_of(asset)->base);
    assert_int_equal(breaker_variant_probe(identity_of(asset)), BREAKER_FILE_SOUND);
    assert_int_equal(breaker_variant_read(identity_of(asset), 0, part, 9), 0);
    assert_memory_equal(part, "some text", 9);
    assert_int_equal(breaker__blob_memory(blob), 0);

    do {
        scratch_text(&scratch, "blob", "SOME TEXT");
    } while (breaker_variant_probe(identity_of(asset)) == BREAKER_FILE_SOUND);
    assert_int_equal(sem_trywait(&wake), 0);
    /* what waits to be read keeps its blob */
    breaker__asset_unref(asset);
    breaker__blob_unref(blob);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    breaker__suspects_check(&suspects, NULL);
    assert_int_equal(breaker__blobs_num(world->blobs), 0);
    breaker__suspects_dispose(&suspects);
    sem_destroy(&wake);
    scratch_remove(&scratch);
}

/* as one is that is written to while it is hashed */
static void a_file_that_changed_since_it_was_checked_is_suspect_from_the_first(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "some text");
    breaker_asset_t *asset = asset_of(world, blob, "text/a");
    breaker__suspects_t suspects;
    breaker__stamp_t checked, now;
    scratch_t scratch;
    sem_t wake;
    int fd;

    assert_int_equal(sem_init(&wake, 0, 0), 0);
    breaker__suspects_init(&suspects, &wake);
    breaker__blobs_set_suspects(world->blobs, &suspects);
    scratch_create(&scratch);
    close(open_text(&scratch, "some text"));
    checked = now = stamp_of(&scratch);
    /* the clock of a file system ticks slowly */
    while (breaker__stamp_equal(&checked, &now)) {
        scratch_text(&scratch, "blob", "SOME TEXT");
        now = stamp_of(&scratch);
    }
    assert_true((fd = openat(scratch.fd, "blob", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal(breaker__blob_fill_from(blob, fd, &checked), 0);
    assert_int_equal(breaker_variant_probe(identity_of(asset)), BREAKER_FILE_SUSPECT);
    breaker__suspects_check(&suspects, NULL);
    assert_int_equal(breaker_variant_probe(identity_of(asset)), BREAKER_FILE_CHANGED);
    breaker__asset_unref(asset);
    breaker__blob_unref(blob);
    breaker__suspects_dispose(&suspects);
    sem_destroy(&wake);
    scratch_remove(&scratch);
}

static void a_file_that_changed_is_absent_where_somebody_may_get_its_bytes(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "some text"), *taken;
    breaker_asset_t *asset = asset_of(world, blob, "text/a");
    const breaker_variant_t *on_disk, *absent;
    breaker__suspects_t suspects;
    scratch_t scratch;
    sem_t wake;

    assert_int_equal(sem_init(&wake, 0, 0), 0);
    breaker__suspects_init(&suspects, &wake);
    breaker__blobs_set_suspects(world->blobs, &suspects);
    scratch_create(&scratch);
    assert_int_equal(breaker__blob_fill_from(blob, open_text(&scratch, "some text"), NULL), 0);
    on_disk = identity_of(asset);
    do {
        scratch_text(&scratch, "blob", "SOME TEXT");
    } while (breaker_variant_probe(on_disk) == BREAKER_FILE_SOUND);
    breaker__suspects_check(&suspects, NULL);
    /* nobody listens */
    assert_ptr_equal(identity_of(asset), on_disk);
    assert_int_equal(breaker_variant_probe(on_disk), BREAKER_FILE_CHANGED);

    breaker__blobs_listen(world->blobs, on_wanted, world);
    do {
        scratch_text(&scratch, "blob", "Some Text");
    } while (breaker_variant_probe(on_disk) == BREAKER_FILE_CHANGED);
    breaker__suspects_check(&suspects, NULL);
    absent = identity_of(asset);
    assert_ptr_not_equal(absent, on_disk);
    assert_int_equal(breaker_variant_probe(absent), BREAKER_FILE_ABSENT);
    assert_string_equal(absent->etag, on_disk->etag);
    assert_ptr_equal(absent->prepared, on_disk->prepared);
    assert_null(breaker__blob_body(blob));
    /* an answer that is under way notices by itself */
    assert_int_equal(breaker_variant_probe(on_disk), BREAKER_FILE_CHANGED);
    breaker__blob_want(blob);
    assert_ptr_equal(taken = breaker__blobs_take_wanted(world->blobs), blob);
    assert_int_equal(breaker__blob_fill(taken, "some text"), 0);
    breaker__blob_unref(taken);
    assert_memory_equal(identity_of(asset)->base, "some text", 9);
    assert_int_equal(world->num_prepared, 1);

    breaker__blobs_listen(world->blobs, NULL, NULL);
    breaker__asset_unref(asset);
    breaker__blob_unref(blob);
    assert_int_equal(breaker__blobs_memory(world->blobs), world->empty_memory);
    breaker__suspects_dispose(&suspects);
    sem_destroy(&wake);
    scratch_remove(&scratch);
}

/* ---- wanted ---- */

static void what_is_wanted_first_is_taken_first_and_once(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blobs[] = {blob_of(world, "a"), blob_of(world, "b"), blob_of(world, "c")};

    breaker__blob_want(blobs[0]);
    assert_null(breaker__blobs_take_wanted(world->blobs));
    breaker__blobs_listen(world->blobs, on_wanted, world);
    for (size_t i = 0; i != 3; ++i) {
        breaker__blob_want(blobs[i]);
        breaker__blob_want(blobs[i]);
    }
    assert_int_equal(world->num_wakes, 3);
    for (size_t i = 0; i != 3; ++i) {
        breaker__blob_t *taken = breaker__blobs_take_wanted(world->blobs);
        assert_ptr_equal(taken, blobs[i]);
        breaker__blob_unref(taken);
    }
    assert_null(breaker__blobs_take_wanted(world->blobs));
    /* it can be wanted again, but not once it is there */
    breaker__blob_want(blobs[1]);
    assert_int_equal(world->num_wakes, 4);
    assert_int_equal(breaker__blob_fill(blobs[0], "a"), 0);
    breaker__blob_want(blobs[0]);
    assert_int_equal(world->num_wakes, 4);
    /* the list keeps what is on it until it is forgotten */
    for (size_t i = 0; i != 3; ++i)
        breaker__blob_unref(blobs[i]);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    breaker__blobs_listen(world->blobs, NULL, NULL);
    assert_int_equal(breaker__blobs_num(world->blobs), 0);
}

/* ---- better bytes ---- */

static void another_blob_takes_the_place_of_one_with_worse_bytes(void **state)
{
    world_t *world = *state;
    breaker__blob_t *blob = blob_of(world, "hello"), *renewed, *found;
    breaker_asset_t *asset = asset_of(world, blob, "text/a"), *anew;
    breaker__body_t *body = breaker__body_create(BREAKER_ENCODING_IDENTITY, 5);
    breaker__sealed_t sealed = {0};

    assert_int_equal(breaker__blob_fill(blob, "hello"), 0);
    memcpy(breaker__body_begin(body, &sealed, 5), "hello", 5);
    breaker__body_keep(body, &sealed);
    assert_int_equal(breaker__blob_renew(blob, body, &renewed), 0);
    found = breaker__blobs_find(world->blobs, breaker__blob_digest(blob));
    assert_ptr_equal(found, renewed);
    breaker__blob_unref(found);
    anew = asset_of(world, renewed, "text/a");
    assert_ptr_not_equal(anew, asset);
    assert_ptr_not_equal(identity_of(anew)->base, identity_of(asset)->base);
    /* who has the first one keeps it, and its end takes nothing from the table */
    assert_memory_equal(identity_of(asset)->base, "hello", 5);
    breaker__asset_unref(asset);
    breaker__blob_unref(blob);
    assert_int_equal(breaker__blobs_num(world->blobs), 1);
    assert_memory_equal(identity_of(anew)->base, "hello", 5);
    breaker__asset_unref(anew);
    breaker__blob_unref(renewed);
}

/* ---- threads ---- */

enum { THREADS = 4, TEXTS = 8, ROUNDS = 4000 };

/* finds, makes, fills and drops a handful of contents, as releases that come and go do */
static void *come_and_go(void *data)
{
    world_t *world = data;
    uint8_t digests[TEXTS][BREAKER_DIGEST_LEN];
    char text[2] = "a";

    for (size_t i = 0; i != TEXTS; ++i) {
        text[0] = (char)('a' + i);
        digest_of(text, 1, digests[i]);
    }
    for (size_t round = 0; round != ROUNDS; ++round) {
        size_t i = round * 7 % TEXTS;
        breaker__blob_t *blob = round % 3 == 0 ? breaker__blobs_find(world->blobs, digests[i])
                                               : breaker__blobs_get(world->blobs, digests[i], 1);
        const breaker_variant_t *body;

        if (blob == NULL)
            continue;
        breaker__blob_want(blob);
        body = breaker__blob_body(blob);
        if (body != NULL && body->base[0] != (char)('a' + i))
            abort();
        breaker__blob_unref(blob);
    }
    return NULL;
}

static void *fill_what_is_wanted(void *data)
{
    world_t *world = data;

    for (size_t round = 0; round != ROUNDS; ++round) {
        breaker__blob_t *blob = breaker__blobs_take_wanted(world->blobs);
        uint8_t digest[BREAKER_DIGEST_LEN];

        if (blob == NULL)
            continue;
        for (char c = 'a'; c != 'a' + TEXTS; ++c) {
            digest_of(&c, 1, digest);
            if (memcmp(digest, breaker__blob_digest(blob), BREAKER_DIGEST_LEN) == 0)
                assert_int_equal(breaker__blob_fill(blob, &c), 0);
        }
        breaker__blob_unref(blob);
    }
    return NULL;
}

static void what_is_dropped_is_never_found_while_threads_come_and_go(void **state)
{
    world_t *world = *state;
    pthread_t threads[THREADS + 1];

    breaker__blobs_listen(world->blobs, on_wanted, world);
    for (size_t i = 0; i != THREADS; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, world), 0);
    assert_int_equal(pthread_create(&threads[THREADS], NULL, fill_what_is_wanted, world), 0);
    for (size_t i = 0; i != THREADS + 1; ++i)
        pthread_join(threads[i], NULL);
    breaker__blobs_listen(world->blobs, NULL, NULL);
    assert_int_equal(breaker__blobs_num(world->blobs), 0);
    assert_int_equal(breaker__blobs_memory(world->blobs), world->empty_memory);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_content_is_one_blob),
        CASE(a_lie_about_a_length_is_another_blob),
        CASE(thousands_of_blobs_are_found_and_forgotten),
        CASE(a_fill_gives_every_asset_its_bytes),
        CASE(an_asset_keeps_its_blob),
        CASE(what_nobody_has_is_lost_until_somebody_has_it),
        CASE(large_fills_lie_in_sealed_memory),
        CASE(a_file_fills_a_blob_and_is_watched),
        CASE(a_file_that_changed_since_it_was_checked_is_suspect_from_the_first),
        CASE(a_file_that_changed_is_absent_where_somebody_may_get_its_bytes),
        CASE(what_is_wanted_first_is_taken_first_and_once),
        CASE(another_blob_takes_the_place_of_one_with_worse_bytes),
        CASE(what_is_dropped_is_never_found_while_threads_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
