/*
 * Blobs of an archive: what is given out is right, whatever lies in the directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <breaker/error.h>
#include "archive/believed.h"
#include "archives.h"
#include "guard.h"
#include "scratch.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOBODY = 65534 };

typedef struct st_world_t {
    scratch_t scratch;
    char directory[300];
    atomic_bool stop;
    breaker__archive_t *archive;
    size_t num_notices;
    char notice[1024];
} world_t;

static void on_notice(void *data, const char *message)
{
    world_t *world = data;

    ++world->num_notices;
    snprintf(world->notice, sizeof(world->notice), "%s", message);
}

static breaker__archive_t *open_again(world_t *world)
{
    breaker__archive_config_t config = {
        .directory = world->directory, .on_notice = on_notice, .data = world, .stop = &world->stop};
    breaker__archive_t *archive;
    breaker_error_t error = {0};

    if (breaker__archive_open(&config, &archive, &error) != 0)
        fail_msg("%s", error.message);
    return archive;
}

static int setup(void **state)
{
    static world_t world;

    memset(&world, 0, sizeof(world));
    scratch_create(&world.scratch);
    snprintf(world.directory, sizeof(world.directory), "%s/archive", world.scratch.path);
    world.archive = open_again(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker__archive_close(world->archive);
    scratch_remove(&world->scratch);
    return 0;
}

static void expect_notices(const world_t *world, size_t num, const char *part)
{
    if (world->num_notices != num || (num != 0 && strstr(world->notice, part) == NULL))
        fail_msg("%zu notices, the last one \"%s\"", world->num_notices, world->notice);
}

static void path_of(const world_t *world, const blob_t *blob, char dst[400])
{
    char path[96];

    blob_path(blob, path);
    snprintf(dst, 400, "%s/%s", world->directory, path);
}

static bool exists(const world_t *world, const blob_t *blob)
{
    struct stat status;
    char path[400];

    path_of(world, blob, path);
    return lstat(path, &status) == 0;
}

static int put(world_t *world, const blob_t *blob)
{
    return breaker__archive_put(world->archive, blob->digest, blob->base, blob->len);
}

/* what both ways of asking say; what they give out is right */
static int ask(world_t *world, const blob_t *blob, uint64_t len)
{
    char *dst = guarded_alloc(len), *got = malloc(len + 1);
    int err = breaker__archive_read(world->archive, blob->digest, len, dst), fd = -7;
    breaker__stamp_t stamp, now;
    struct stat status;

    if (err == 0) {
        assert_int_equal(len, blob->len);
        assert_memory_equal(dst, blob->base, len);
    }
    guarded_free(dst, len);
    assert_int_equal(breaker__archive_get(world->archive, blob->digest, len, &fd, &stamp), err);
    if (err == 0) {
        assert_int_equal(pread(fd, got, len + 1, 0), len);
        assert_memory_equal(got, blob->base, len);
        assert_int_equal(fstat(fd, &status), 0);
        breaker__stamp_from(&status, &now);
        assert_true(breaker__stamp_equal(&stamp, &now));
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    } else {
        assert_int_equal(fd, -7);
    }
    free(got);
    return err;
}

/* writes over a blob's file, which is read-only */
static void spoil(const world_t *world, const blob_t *blob, const void *base, size_t len)
{
    char path[400];
    int fd;

    path_of(world, blob, path);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, base, len), len);
    close(fd);
}

/* ---- what is put ---- */

static void a_blob_that_was_put_is_given_out(void **state)
{
    static const uint64_t lens[] = {0, 1, 4096, 262144, 262145, 1000000};
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(lens); ++i) {
        blob_t blob = blob_make(i, lens[i]);
        struct stat status;
        char path[400];
        assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
        assert_false(breaker__archive_has(world->archive, blob.digest, blob.len));
        assert_int_equal(put(world, &blob), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        assert_int_equal(put(world, &blob), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        assert_true(breaker__archive_has(world->archive, blob.digest, blob.len));
        assert_false(breaker__archive_has(world->archive, blob.digest, blob.len + 1));
        path_of(world, &blob, path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0222, 0);
        blob_free(&blob);
    }
    assert_int_equal(world->num_notices, 0);
}

static void another_process_finds_it(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);

    assert_int_equal(put(world, &blob), 0);
    breaker__archive_close(world->archive);
    world->archive = open_again(world);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    blob_free(&blob);
}

static int put_file(world_t *world, const blob_t *blob, const char *base, size_t len)
{
    char path[400];
    int fd, err;

    scratch_write(&world->scratch, "source", base, len);
    snprintf(path, sizeof(path), "%s/source", world->scratch.path);
    fd = open(path, O_RDONLY);
    assert_int_not_equal(fd, -1);
    err = breaker__archive_put_file(world->archive, blob->digest, fd, blob->len);
    close(fd);
    return err;
}

/* how many files there are under blobs/ */
static size_t count_files(const world_t *world)
{
    char command[400];
    FILE *pipe;
    size_t num;

    snprintf(command, sizeof(command), "find %s/blobs -not -type d | wc -l", world->directory);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%zu", &num), 1);
    pclose(pipe);
    return num;
}

static void a_file_is_copied_if_it_has_the_bytes(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 600000), nothing = blob_make(2, 0);

    assert_int_equal(put_file(world, &blob, blob.base, blob.len - 1), BREAKER_ERR_CHANGED);
    ++blob.base[599999];
    assert_int_equal(put_file(world, &blob, blob.base, blob.len), BREAKER_ERR_CHANGED);
    --blob.base[599999];
    assert_int_equal(count_files(world), 0);
    assert_int_equal(put_file(world, &blob, blob.base, blob.len), 0);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    /* what is beyond its length is not its own, and what is there is not copied again */
    assert_int_equal(put_file(world, &blob, "", 0), 0);
    assert_int_equal(put_file(world, &nothing, blob.base, 10), 0);
    assert_int_equal(ask(world, &nothing, 0), 0);
    ++nothing.digest[0];
    assert_int_equal(put_file(world, &nothing, blob.base, 10), BREAKER_ERR_CHANGED);
    assert_int_equal(count_files(world), 2);
    assert_int_equal(world->num_notices, 0);
    blob_free(&blob);
    blob_free(&nothing);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000), other = blob_make(2, 5000);
    int fd;

    assert_int_equal(put(world, &other), 0);
    world->stop = true;
    assert_int_equal(put(world, &blob), BREAKER_ERR_CANCELLED);
    assert_int_equal(put_file(world, &blob, blob.base, blob.len), BREAKER_ERR_CANCELLED);
    assert_int_equal(breaker__archive_get(world->archive, other.digest, other.len, &fd, NULL),
                     BREAKER_ERR_CANCELLED);
    assert_int_equal(breaker__archive_read(world->archive, other.digest, other.len, blob.base),
                     BREAKER_ERR_CANCELLED);
    world->stop = false;
    assert_int_equal(count_files(world), 1);
    assert_int_equal(ask(world, &other, other.len), 0);
    assert_int_equal(world->num_notices, 0);
    blob_free(&blob);
    blob_free(&other);
}

/* ---- what else may lie there ---- */

static void a_blob_with_other_bytes_is_removed_and_told_once(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000), other = blob_make(2, 5000);

    spoil(world, (assert_int_equal(put(world, &blob), 0), &blob), other.base, other.len);
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    expect_notices(world, 1, "a blob is not what it is named for");
    assert_false(exists(world, &blob));
    assert_int_equal(put(world, &blob), 0);
    spoil(world, &blob, other.base, other.len);
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(put(world, &blob), 0);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    expect_notices(world, 1, "");
    blob_free(&blob);
    blob_free(&other);
}

static void a_blob_that_is_written_to_in_its_place_is_found_out(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);
    char path[400];
    int fd;

    assert_int_equal(put(world, &blob), 0);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    path_of(world, &blob, path);
    chmod(path, 0644);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 4999), 1);
    close(fd);
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    blob_free(&blob);
}

static void a_wrong_blob_is_replaced_when_it_is_put(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000), other = blob_make(2, 5000);
    size_t lens[] = {5000, 4999, 0};

    for (size_t i = 0; i != COUNT(lens); ++i) {
        assert_int_equal(put(world, &blob), 0);
        spoil(world, &blob, other.base, lens[i]);
        assert_int_equal(put(world, &blob), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        spoil(world, &blob, other.base, lens[i]);
        assert_int_equal(put_file(world, &blob, blob.base, blob.len), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
    }
    expect_notices(world, 1, "a blob is not what it is named for");
    blob_free(&blob);
    blob_free(&other);
}

static void a_torn_blob_is_removed(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);

    for (size_t len = 0; len < 5000; len += 4999) {
        assert_int_equal(put(world, &blob), 0);
        spoil(world, &blob, blob.base, len);
        assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
        assert_false(exists(world, &blob));
    }
    expect_notices(world, 1, "a blob is not what it is named for");
    blob_free(&blob);
}

static void a_lie_about_its_length_does_not_cost_a_blob(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000), large = blob_make(2, 3000000);

    assert_int_equal(put(world, &blob), 0);
    assert_int_equal(put(world, &large), 0);
    assert_int_equal(ask(world, &blob, 4999), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(ask(world, &blob, 5001), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(ask(world, &blob, 0), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(ask(world, &large, 1), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(ask(world, &blob, 5000), 0);
    assert_int_equal(ask(world, &large, large.len), 0);
    assert_int_equal(world->num_notices, 0);
    blob_free(&blob);
    blob_free(&large);
}

static void plant(const world_t *world, const blob_t *blob, const char *kind)
{
    char path[400], below[420];

    path_of(world, blob, path);
    unlink(path);
    if (strcmp(kind, "link") == 0) {
        scratch_write(&world->scratch, "target", blob->base, blob->len);
        assert_int_equal(symlink("../../../target", path), 0);
    } else if (strcmp(kind, "fifo") == 0) {
        assert_int_equal(mkfifo(path, 0644), 0);
    } else {
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(below, sizeof(below), "%s/x", path);
        if (strcmp(kind, "full directory") == 0)
            assert_int_equal(mkdir(below, 0755), 0);
    }
}

static void what_is_no_file_is_never_read_and_makes_room(void **state)
{
    static const char *const kinds[] = {"link", "fifo", "directory"};
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(kinds); ++i) {
        blob_t blob = blob_make(i, 5000);
        assert_int_equal(put(world, &blob), 0);
        plant(world, &blob, kinds[i]);
        assert_false(breaker__archive_has(world->archive, blob.digest, blob.len));
        assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
        assert_false(exists(world, &blob));
        plant(world, &blob, kinds[i]);
        assert_int_equal(put(world, &blob), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        plant(world, &blob, kinds[i]);
        assert_int_equal(put_file(world, &blob, blob.base, blob.len), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        blob_free(&blob);
    }
    expect_notices(world, 1, "a blob is not what it is named for");
    assert_int_equal(access(world->scratch.path, F_OK), 0);
}

static void a_directory_with_something_in_it_is_not_emptied(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);

    assert_int_equal(put(world, &blob), 0);
    plant(world, &blob, "full directory");
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(put(world, &blob), BREAKER_ERR_IO);
    assert_true(exists(world, &blob));
    expect_notices(world, 2, "cannot be written to");
    assert_int_equal(count_files(world), 0);
    blob_free(&blob);
}

static void a_link_in_the_place_of_a_directory_leads_nowhere(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);
    char shard[400], away[400];

    path_of(world, &blob, shard);
    *strrchr(shard, '/') = '\0';
    snprintf(away, sizeof(away), "%s/away", world->scratch.path);
    assert_int_equal(mkdir(away, 0755), 0);
    assert_int_equal(symlink(away, shard), 0);
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(put(world, &blob), 0);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    /* nothing was written there */
    assert_int_equal(rmdir(away), 0);
    blob_free(&blob);
}

static void an_archive_that_was_removed_is_made_again(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);
    parcel_t parcel = parcel_make("one", 1, 2, 100);
    char command[400];

    for (int i = 0; i != 2; ++i) {
        assert_int_equal(put(world, &blob), 0);
        snprintf(command, sizeof(command), "rm -r '%s'%s", world->directory,
                 i == 0 ? "" : "/blobs");
        assert_int_equal(system(command), 0);
        assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
        assert_int_equal(put(world, &blob), 0);
        assert_int_equal(ask(world, &blob, blob.len), 0);
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
    }
    assert_int_equal(world->num_notices, 0);
    blob_free(&blob);
    parcel_free(&parcel);
}

/* ---- opening, and disks that refuse ---- */

static void expect_no_archive(const world_t *world, const char *directory, const char *part)
{
    breaker__archive_config_t config = {.directory = directory};
    breaker__archive_t *archive = NULL;
    breaker_error_t error = {0};

    (void)world;
    assert_int_equal(breaker__archive_open(&config, &archive, &error), BREAKER_ERR_IO);
    assert_null(archive);
    if (strstr(error.message, directory) == NULL || strstr(error.message, part) == NULL)
        fail_msg("%s", error.message);
}

static void what_is_no_directory_is_no_archive(void **state)
{
    world_t *world = *state;
    char path[400];

    scratch_text(&world->scratch, "file", "x");
    snprintf(path, sizeof(path), "%s/file", world->scratch.path);
    expect_no_archive(world, path, "not a directory");
    snprintf(path, sizeof(path), "%s/a/b", world->scratch.path);
    expect_no_archive(world, path, "No such file");
    snprintf(path, sizeof(path), "%s/linked", world->scratch.path);
    scratch_link(&world->scratch, "linked/blobs", "/tmp");
    expect_no_archive(world, path, "blobs is not a directory");
    snprintf(path, sizeof(path), "%s/filed", world->scratch.path);
    scratch_text(&world->scratch, "filed/releases", "x");
    expect_no_archive(world, path, "releases is not a directory");
}

static void a_directory_that_cannot_be_written_to_is_told_once_and_read(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000), other = blob_make(2, 5000);
    char path[400];
    uid_t user = geteuid();

    assert_int_equal(put(world, &blob), 0);
    snprintf(path, sizeof(path), "chmod -R a-w '%s'", world->directory);
    assert_int_equal(system(path), 0);
    /* root may write everywhere */
    if (user == 0)
        assert_int_equal(seteuid(NOBODY), 0);
    assert_int_equal(put(world, &other), BREAKER_ERR_IO);
    assert_int_equal(put(world, &other), BREAKER_ERR_IO);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    assert_int_equal(ask(world, &other, other.len), BREAKER_ERR_NOT_FOUND);
    expect_notices(world, 1, "cannot be written to");
    assert_int_equal(seteuid(user), 0);
    snprintf(path, sizeof(path), "chmod -R u+w '%s'", world->directory);
    assert_int_equal(system(path), 0);
    assert_int_equal(put(world, &other), 0);
    assert_int_equal(ask(world, &other, other.len), 0);
    blob_free(&blob);
    blob_free(&other);
}

static void an_empty_directory_that_cannot_be_written_to_is_an_empty_archive(void **state)
{
    world_t *world = *state;
    blob_t blob = blob_make(1, 5000);
    breaker__archived_t *list;
    uid_t user = geteuid();
    size_t num = 7;

    breaker__archive_close(world->archive);
    snprintf(world->directory, sizeof(world->directory), "%s/other", world->scratch.path);
    assert_int_equal(mkdir(world->directory, 0555), 0);
    if (user == 0)
        assert_int_equal(seteuid(NOBODY), 0);
    world->archive = open_again(world);
    expect_notices(world, 1, "cannot be written to");
    assert_int_equal(put(world, &blob), BREAKER_ERR_IO);
    assert_int_equal(ask(world, &blob, blob.len), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(breaker__archive_list(world->archive, &list, &num), 0);
    assert_int_equal(num, 0);
    assert_null(list);
    assert_int_equal(breaker__archive_size(world->archive), 0);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(world->directory, 0755), 0);
    assert_int_equal(put(world, &blob), 0);
    assert_int_equal(ask(world, &blob, blob.len), 0);
    blob_free(&blob);
}

/* ---- what is believed ---- */

static void a_file_is_believed_until_anything_happens_to_it(void **state)
{
    const struct stat status = {.st_ino = 7, .st_size = 100, .st_ctim = {.tv_sec = 50}};
    const uint8_t digest[BREAKER_DIGEST_LEN] = {1, 2, 3}, other[BREAKER_DIGEST_LEN] = {1, 2, 4};
    breaker__believed_t believed = {.num = 0};
    struct stat changed[3] = {status, status, status};

    (void)state;
    assert_false(breaker__believed_has(&believed, digest, &status));
    /* it may change once more in the moment in which it changed */
    breaker__believed_add(&believed, digest, &status, INT64_C(50999999999));
    assert_false(breaker__believed_has(&believed, digest, &status));
    breaker__believed_add(&believed, digest, &status, INT64_C(51000000001));
    assert_true(breaker__believed_has(&believed, digest, &status));
    assert_false(breaker__believed_has(&believed, other, &status));
    changed[0].st_ino = 8;
    changed[1].st_size = 101;
    changed[2].st_ctim.tv_nsec = 1;
    for (size_t i = 0; i != COUNT(changed); ++i)
        assert_false(breaker__believed_has(&believed, digest, changed + i));
    breaker__believed_dispose(&believed);
}

static void more_are_believed_than_fit_at_first_and_not_without_end(void **state)
{
    struct stat status = {.st_ino = 7, .st_size = 100, .st_ctim = {.tv_sec = 50}};
    breaker__believed_t believed = {.num = 0};
    uint8_t digest[BREAKER_DIGEST_LEN] = {0};

    (void)state;
    for (uint32_t i = 0; i != BREAKER__BELIEVED_MAX + 10; ++i) {
        if (i == BREAKER__BELIEVED_MAX)
            assert_int_equal(believed.num, BREAKER__BELIEVED_MAX);
        memcpy(digest, &i, sizeof(i));
        breaker__believed_add(&believed, digest, &status, INT64_C(60000000000));
        assert_true(breaker__believed_has(&believed, digest, &status));
    }
    assert_int_equal(believed.num, 10);
    breaker__believed_dispose(&believed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_blob_that_was_put_is_given_out),
        TEST(another_process_finds_it),
        TEST(a_file_is_copied_if_it_has_the_bytes),
        TEST(what_is_given_up_leaves_nothing),
        TEST(a_blob_with_other_bytes_is_removed_and_told_once),
        TEST(a_blob_that_is_written_to_in_its_place_is_found_out),
        TEST(a_wrong_blob_is_replaced_when_it_is_put),
        TEST(a_torn_blob_is_removed),
        TEST(a_lie_about_its_length_does_not_cost_a_blob),
        TEST(what_is_no_file_is_never_read_and_makes_room),
        TEST(a_directory_with_something_in_it_is_not_emptied),
        TEST(a_link_in_the_place_of_a_directory_leads_nowhere),
        TEST(an_archive_that_was_removed_is_made_again),
        TEST(what_is_no_directory_is_no_archive),
        TEST(a_directory_that_cannot_be_written_to_is_told_once_and_read),
        TEST(an_empty_directory_that_cannot_be_written_to_is_an_empty_archive),
        cmocka_unit_test(a_file_is_believed_until_anything_happens_to_it),
        cmocka_unit_test(more_are_believed_than_fit_at_first_and_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
