/*
 * Contents that are sent on while they come: what was written is read at once, the end is judged by
 * the hash, and whoever reads keeps what he took whatever becomes of the blob.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/digest.h"
#include "release/spool.h"
#include "scratch.h"
#include "view/view.h"

#define TEXT "the bytes of a large file"
#define LEN (sizeof(TEXT) - 1)

enum { STREAM_LEN = 4 << 20, PIECE_LEN = 8192, READERS = 3 };

ssize_t __real_pwrite64(int fd, const void *base, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *base, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *base, size_t len, off_t offset);

/* what the disk takes at a time, and the error that it ends with */
static size_t disk_piece = SIZE_MAX;
static int disk_error;

ssize_t __wrap_pwrite64(int fd, const void *base, size_t len, off_t offset)
{
    if (disk_error != 0) {
        errno = disk_error;
        return -1;
    }
    return __real_pwrite64(fd, base, len < disk_piece ? len : disk_piece, offset);
}

ssize_t __wrap_pwrite(int fd, const void *base, size_t len, off_t offset)
{
    return __wrap_pwrite64(fd, base, len, offset);
}

static void digest_of(const char *base, size_t len, uint8_t *digest)
{
    breaker__hasher_t hasher;

    assert_int_equal(breaker__hasher_init(&hasher), 0);
    assert_int_equal(breaker__hash(&hasher, base, len, digest), 0);
    breaker__hasher_dispose(&hasher);
}

static breaker_spool_t *spool_of(const char *base, size_t len)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker_spool_t *spool;
    int fd;

    digest_of(base, len, digest);
    assert_int_equal(breaker__spool_open(NULL, &fd), 0);
    assert_int_equal(breaker__spool_create(fd, digest, len, &spool), 0);
    return spool;
}

static void what_was_written_is_read_at_once(void **state)
{
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    char part[LEN];
    (void)state;

    assert_int_equal(breaker_spool_len(spool), 0);
    assert_int_equal(breaker__spool_left(spool), LEN);
    assert_int_equal(breaker__spool_write(spool, TEXT, 10), 0);
    assert_int_equal(breaker_spool_len(spool), 10);
    assert_int_equal(breaker__spool_left(spool), LEN - 10);
    assert_int_equal(breaker_spool_read(spool, 4, part, 6), 0);
    assert_memory_equal(part, TEXT + 4, 6);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_COMING);
    breaker__spool_unref(spool);
}

static void it_is_right_when_the_last_byte_has_come(void **state)
{
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    char whole[LEN];
    (void)state;

    for (size_t i = 0; i != LEN; ++i)
        assert_int_equal(breaker__spool_write(spool, TEXT + i, 1), 0);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_COMING);
    assert_int_equal(breaker__spool_end(spool), 0);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_RIGHT);
    breaker__spool_break(spool);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_RIGHT);
    assert_int_equal(breaker_spool_read(spool, 0, whole, LEN), 0);
    assert_memory_equal(whole, TEXT, LEN);
    breaker__spool_unref(spool);
}

static void other_bytes_break_it(void **state)
{
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    (void)state;

    assert_int_equal(breaker__spool_write(spool, TEXT, LEN - 1), 0);
    assert_int_equal(breaker__spool_write(spool, "E", 1), 0);
    assert_int_equal(breaker__spool_end(spool), BREAKER_ERR_CHANGED);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_BROKEN);
    breaker__spool_unref(spool);
}

static void a_disk_that_takes_less_at_a_time_is_written_to_again(void **state)
{
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    (void)state;

    disk_piece = 3;
    assert_int_equal(breaker__spool_write(spool, TEXT, LEN), 0);
    disk_piece = SIZE_MAX;
    assert_int_equal(breaker__spool_end(spool), 0);
    breaker__spool_unref(spool);
}

static void a_full_disk_is_an_error_and_what_came_before_stays(void **state)
{
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    char part[5];
    (void)state;

    assert_int_equal(breaker__spool_write(spool, TEXT, 5), 0);
    disk_error = ENOSPC;
    assert_int_equal(breaker__spool_write(spool, TEXT + 5, 5), BREAKER_ERR_IO);
    disk_error = 0;
    assert_int_equal(breaker_spool_len(spool), 5);
    breaker__spool_break(spool);
    assert_int_equal(breaker_spool_state(spool), BREAKER_SPOOL_BROKEN);
    assert_int_equal(breaker_spool_read(spool, 0, part, 5), 0);
    breaker__spool_unref(spool);
}

static void its_file_has_no_name(void **state)
{
    scratch_t scratch;
    struct stat status;
    int fd;
    (void)state;

    scratch_create(&scratch);
    assert_int_equal(breaker__spool_open(scratch.path, &fd), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_nlink, 0);
    close(fd);
    scratch_remove(&scratch);
    assert_int_equal(breaker__spool_open(scratch.path, &fd), BREAKER_ERR_IO);
}

/* ---- of a blob ---- */

typedef struct st_world_t {
    breaker__blobs_t *blobs;
    breaker_view_t *view;
    breaker__saying_t saying;
    breaker__blob_t *blob;
    breaker_asset_t *asset;
} world_t;

static void make_asset(world_t *world)
{
    const breaker__traits_t traits = breaker__traits_of_type("text/plain", false);
    breaker__kind_t *kind = breaker__kind_get(world->blobs, world->view, &world->saying, &traits);
    uint8_t digest[BREAKER_DIGEST_LEN];

    digest_of(TEXT, LEN, digest);
    assert_non_null(kind);
    assert_non_null(world->blob = breaker__blobs_get(world->blobs, digest, LEN));
    assert_int_equal(breaker__asset_get(world->blob, kind, world->view, 784111777, &world->asset),
                     0);
    breaker__kind_unref(world->blobs, kind);
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent";
    if (world == NULL || breaker__view_create(&config, 0, &world->view) != 0 ||
        breaker__saying_init(&world->saying, world->view) != 0 ||
        breaker__blobs_create(&world->blobs) != 0)
        return -1;
    make_asset(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker__asset_unref(world->asset);
    breaker__blob_unref(world->blob);
    breaker__blobs_unref(world->blobs);
    breaker__saying_dispose(&world->saying);
    breaker__view_free(world->view);
    free(world);
    return 0;
}

static void it_is_taken_from_its_first_byte_on(void **state)
{
    world_t *world = *state;
    breaker_spool_t *spool = spool_of(TEXT, LEN);

    assert_null(breaker_asset_take_spool(world->asset));
    breaker__blob_set_spool(world->blob, spool);
    assert_null(breaker_asset_take_spool(world->asset));
    assert_int_equal(breaker__spool_write(spool, TEXT, 1), 0);
    assert_ptr_equal(breaker_asset_take_spool(world->asset), spool);
    assert_int_equal(breaker__spool_num_readers(spool), 1);
    breaker_spool_leave(spool);
    assert_int_equal(breaker__spool_num_readers(spool), 0);
    assert_int_equal(breaker__spool_num_taken(spool), 1);
    breaker__spool_unref(spool);
}

static void a_broken_one_is_not_taken(void **state)
{
    world_t *world = *state;
    breaker_spool_t *spool = spool_of(TEXT, LEN);

    breaker__blob_set_spool(world->blob, spool);
    assert_int_equal(breaker__spool_write(spool, TEXT, 9), 0);
    breaker__spool_break(spool);
    assert_null(breaker_asset_take_spool(world->asset));
    breaker__spool_unref(spool);
}

static void who_took_it_keeps_it(void **state)
{
    world_t *world = *state;
    breaker_spool_t *spool = spool_of(TEXT, LEN), *taken;
    char part[9];

    breaker__blob_set_spool(world->blob, spool);
    assert_int_equal(breaker__spool_write(spool, TEXT, 9), 0);
    taken = breaker_asset_take_spool(world->asset);
    breaker__blob_set_spool(world->blob, NULL);
    breaker__spool_unref(spool);
    assert_null(breaker_asset_take_spool(world->asset));
    assert_int_equal(breaker_spool_read(taken, 0, part, 9), 0);
    assert_memory_equal(part, TEXT, 9);
    breaker_spool_leave(taken);
}

static void a_blob_is_sent_from_the_file_of_a_right_one(void **state)
{
    world_t *world = *state;
    breaker_spool_t *spool = spool_of(TEXT, LEN);
    const breaker_variant_t *variant;
    char whole[LEN];
    int fd;

    assert_int_equal(breaker__spool_write(spool, TEXT, LEN), 0);
    assert_int_equal(breaker__spool_end(spool), 0);
    assert_int_equal(breaker__spool_descriptor(spool, &fd), 0);
    assert_int_equal(breaker__blob_fill_from(world->blob, fd, NULL), 0);
    breaker__spool_unref(spool);
    variant = breaker_asset_variant(world->asset, BREAKER_ENCODING_IDENTITY);
    assert_int_equal(breaker_variant_probe(variant), BREAKER_FILE_SOUND);
    assert_int_equal(breaker_variant_read(variant, 0, whole, LEN), 0);
    assert_memory_equal(whole, TEXT, LEN);
}

/* ---- threads ---- */

typedef struct st_stream_t {
    breaker_spool_t *spool;
    const char *bytes;
} stream_t;

static void *read_along(void *data)
{
    const stream_t *stream = data;
    static _Thread_local char piece[PIECE_LEN];
    uint64_t at = 0;

    while (at != STREAM_LEN) {
        uint64_t there = breaker_spool_len(stream->spool) - at;
        size_t len = there < PIECE_LEN ? (size_t)there : PIECE_LEN;

        if (breaker_spool_read(stream->spool, at, piece, len) != 0 ||
            memcmp(piece, stream->bytes + at, len) != 0)
            return NULL;
        at += len;
    }
    while (breaker_spool_state(stream->spool) == BREAKER_SPOOL_COMING)
        ;
    return data;
}

static void many_read_along_while_one_writes(void **state)
{
    char *bytes = malloc(STREAM_LEN);
    stream_t stream = {.bytes = bytes};
    pthread_t readers[READERS];
    void *end;
    (void)state;

    assert_non_null(bytes);
    for (size_t i = 0; i != STREAM_LEN; ++i)
        bytes[i] = (char)(i * 2654435761u >> 13);
    stream.spool = spool_of(bytes, STREAM_LEN);
    for (size_t i = 0; i != READERS; ++i)
        assert_int_equal(pthread_create(readers + i, NULL, read_along, &stream), 0);
    for (size_t at = 0; at != STREAM_LEN; at += PIECE_LEN)
        assert_int_equal(breaker__spool_write(stream.spool, bytes + at, PIECE_LEN), 0);
    assert_int_equal(breaker__spool_end(stream.spool), 0);
    for (size_t i = 0; i != READERS; ++i) {
        assert_int_equal(pthread_join(readers[i], &end), 0);
        assert_ptr_equal(end, &stream);
    }
    breaker__spool_unref(stream.spool);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_at_once),
        cmocka_unit_test(it_is_right_when_the_last_byte_has_come),
        cmocka_unit_test(other_bytes_break_it),
        cmocka_unit_test(a_disk_that_takes_less_at_a_time_is_written_to_again),
        cmocka_unit_test(a_full_disk_is_an_error_and_what_came_before_stays),
        cmocka_unit_test(its_file_has_no_name),
        cmocka_unit_test_setup_teardown(it_is_taken_from_its_first_byte_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_one_is_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(who_took_it_keeps_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_is_sent_from_the_file_of_a_right_one, setup,
                                        teardown),
        cmocka_unit_test(many_read_along_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
