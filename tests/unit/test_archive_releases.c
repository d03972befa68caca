/*
 * Releases of an archive: kept, noted by several processes, listed, removed, swept.
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
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <breaker/error.h>
#include "archives.h"
#include "scratch.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_ID "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"

typedef struct st_world_t {
    scratch_t scratch;
    atomic_bool stop;
    breaker__archive_t *archive;
    size_t num_notices;
    char notice[1024];
} world_t;

/* ---- what the archive asks of the system ---- */

int __real_flock(int fd, int operation);
int __real_syncfs(int fd);
int __wrap_flock(int fd, int operation);
int __wrap_nanosleep(const struct timespec *span, struct timespec *left);
int __wrap_syncfs(int fd);

/* called once, before the archive is locked alone for the time after `locks_before_call` others */
static void (*on_lock)(world_t *world);
static world_t *on_lock_world;
static unsigned locks_before_call;
static unsigned num_syncs;
static bool sync_fails;

int __wrap_flock(int fd, int operation)
{
    void (*call)(world_t *) = on_lock;

    if (call != NULL && (operation & LOCK_EX) != 0 && locks_before_call-- == 0) {
        on_lock = NULL;
        call(on_lock_world);
    }
    return __real_flock(fd, operation);
}

/* nobody waits here */
int __wrap_nanosleep(const struct timespec *span, struct timespec *left)
{
    (void)span, (void)left;
    return 0;
}

int __wrap_syncfs(int fd)
{
    ++num_syncs;
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return __real_syncfs(fd);
}

/* ---- the world ---- */

static void on_notice(void *data, const char *message)
{
    world_t *world = data;

    ++world->num_notices;
    snprintf(world->notice, sizeof(world->notice), "%s", message);
}

static breaker__archive_t *open_again(world_t *world)
{
    breaker__archive_config_t config = {.directory = world->scratch.path,
                                        .on_notice = on_notice,
                                        .data = world,
                                        .stop = &world->stop};
    breaker__archive_t *archive;

    assert_int_equal(breaker__archive_open(&config, &archive, NULL), 0);
    return archive;
}

static int setup(void **state)
{
    static world_t world;

    memset(&world, 0, sizeof(world));
    scratch_create(&world.scratch);
    world.archive = open_again(&world);
    on_lock = NULL;
    on_lock_world = &world;
    num_syncs = 0;
    sync_fails = false;
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

/* the labels of the releases that are listed, in their order */
static void expect_list(world_t *world, const char *labels)
{
    breaker__archived_t *list;
    char found[256] = "";
    size_t num;

    assert_int_equal(breaker__archive_list(world->archive, &list, &num), 0);
    for (size_t i = 0; i != num; ++i)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.*s", i != 0 ? " " : "",
                 (int)breaker_release_id_label_len(&list[i].id), list[i].id.text);
    free(list);
    assert_string_equal(found, labels);
}

static breaker__archived_t only_one(world_t *world)
{
    breaker__archived_t *list, archived;
    size_t num;

    assert_int_equal(breaker__archive_list(world->archive, &list, &num), 0);
    assert_int_equal(num, 1);
    archived = list[0];
    free(list);
    return archived;
}

static bool is_here(world_t *world, const parcel_t *parcel, size_t at)
{
    const blob_t *blob = parcel->blobs + at;
    char *dst = malloc(blob->len + 1);
    int err = breaker__archive_read(world->archive, blob->digest, blob->len, dst);

    if (err == 0)
        assert_memory_equal(dst, blob->base, blob->len);
    else
        assert_int_equal(err, BREAKER_ERR_NOT_FOUND);
    free(dst);
    return err == 0;
}

static void path_of(const parcel_t *parcel, const char *name, char dst[200])
{
    snprintf(dst, 200, "releases/%s/%s", parcel->archived.id.text, name);
}

/* another file in the place of a read-only one */
static void replace(world_t *world, const char *path, const char *base, size_t len)
{
    unlinkat(world->scratch.fd, path, 0);
    scratch_write(&world->scratch, path, base, len);
}

/* ---- keeping ---- */

static void a_release_that_was_put_is_listed_with_what_is_known(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 5, 100);
    breaker__archived_t archived;
    char *text;
    size_t len;

    parcel.archived.first_seen_ms = 5;
    parcel.archived.last_seen_ms = 7;
    parcel_add_token(&parcel, "t1", 6);
    assert_int_equal(breaker__archive_manifest(world->archive, &parcel.archived.id, &text, &len),
                     BREAKER_ERR_NOT_FOUND);
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    breaker__archive_close(world->archive);
    world->archive = open_again(world);
    archived = only_one(world);
    assert_true(breaker_release_id_equal(&archived.id, &parcel.archived.id));
    assert_int_equal(archived.first_seen_ms, 5);
    assert_int_equal(archived.last_seen_ms, 7);
    assert_true(archived.is_whole);
    assert_int_equal(archived.num_tokens, 1);
    assert_string_equal(archived.tokens[0].token.text, "t1");
    assert_int_equal(breaker__archive_manifest(world->archive, &archived.id, &text, &len), 0);
    assert_int_equal(len, parcel.manifest_len);
    assert_memory_equal(text, parcel.manifest, len);
    free(text);
    for (size_t i = 0; i != parcel.num_blobs; ++i)
        assert_true(is_here(world, &parcel, i));
    assert_int_equal(world->num_notices, 0);
    parcel_free(&parcel);
}

static void the_disk_has_the_blobs_before_a_release_is_whole(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 2, 100);

    sync_fails = true;
    assert_int_equal(parcel_put(&parcel, world->archive), BREAKER_ERR_IO);
    expect_notices(world, 1, "cannot be brought to the disk");
    assert_false(only_one(world).is_whole);
    sync_fails = false;
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_true(only_one(world).is_whole);
    assert_int_equal(num_syncs, 2);
    /* once whole, always whole, and nothing to bring to the disk again */
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_true(only_one(world).is_whole);
    assert_int_equal(num_syncs, 2);
    parcel_free(&parcel);
}

static void two_processes_note_one_release(void **state)
{
    world_t *world = *state;
    breaker__archive_t *other = open_again(world);
    parcel_t a = parcel_make("one", 1, 1, 10), b = parcel_make("one", 1, 1, 10);
    breaker__archived_t archived;

    a.archived.first_seen_ms = a.archived.last_seen_ms = 5;
    b.archived.first_seen_ms = b.archived.last_seen_ms = 9;
    parcel_add_token(&a, "a", 1);
    parcel_add_token(&b, "b", 2);
    assert_int_equal(parcel_put(&a, world->archive), 0);
    assert_int_equal(breaker__archive_note(other, &b.archived), 0);
    assert_int_equal(breaker__archive_note(world->archive, &a.archived), 0);
    archived = only_one(world);
    assert_int_equal(archived.first_seen_ms, 5);
    assert_int_equal(archived.last_seen_ms, 9);
    assert_int_equal(archived.num_tokens, 2);
    breaker__archive_close(other);
    parcel_free(&a);
    parcel_free(&b);
}

static void what_is_not_there_is_not_noted(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);

    assert_int_equal(breaker__archive_note(world->archive, &parcel.archived),
                     BREAKER_ERR_NOT_FOUND);
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id), 0);
    assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id), 0);
    assert_int_equal(breaker__archive_note(world->archive, &parcel.archived),
                     BREAKER_ERR_NOT_FOUND);
    expect_list(world, "");
    assert_true(is_here(world, &parcel, 0));
    parcel_free(&parcel);
}

static void a_process_that_holds_the_lock_for_ever_stops_nobody(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);
    breaker__archive_keep_t keep = {.now_ms = 1, .size_max = UINT64_MAX};
    int fd = openat(world->scratch.fd, "releases", O_RDONLY);

    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_int_equal(__real_flock(fd, LOCK_EX), 0);
    parcel.archived.last_seen_ms = 1;
    assert_int_equal(breaker__archive_note(world->archive, &parcel.archived), BREAKER_ERR_BUSY);
    assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id), BREAKER_ERR_BUSY);
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), BREAKER_ERR_BUSY);
    assert_true(is_here(world, &parcel, 0));
    expect_notices(world, 1, "another process");
    world->stop = true;
    assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id),
                     BREAKER_ERR_CANCELLED);
    world->stop = false;
    close(fd);
    assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id), 0);
    parcel_free(&parcel);
}

/* ---- what else may lie there ---- */

static void a_manifest_that_is_not_its_releases_is_removed_and_told(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 2, 10), other = parcel_make("one", 2, 2, 10);
    char path[200], *text;
    size_t len;

    path_of(&parcel, "manifest", path);
    for (int i = 0; i != 3; ++i) {
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        if (i == 0)
            replace(world, path, other.manifest, other.manifest_len);
        else if (i == 1)
            replace(world, path, parcel.manifest, parcel.manifest_len - 1);
        else
            replace(world, path, "", 0);
        assert_int_equal(
            breaker__archive_manifest(world->archive, &parcel.archived.id, &text, &len),
            BREAKER_ERR_NOT_FOUND);
        expect_list(world, "");
    }
    expect_notices(world, 1, "a manifest is not that of its release");
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    replace(world, path, "xyz", 3);
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_int_equal(breaker__archive_manifest(world->archive, &parcel.archived.id, &text, &len),
                     0);
    assert_memory_equal(text, parcel.manifest, len);
    free(text);
    parcel_free(&parcel);
    parcel_free(&other);
}

static void what_is_no_file_makes_room_for_a_manifest(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 2, 10);
    char path[200], *text;
    size_t len;

    path_of(&parcel, "manifest", path);
    for (int i = 0; i != 3; ++i) {
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        assert_int_equal(unlinkat(world->scratch.fd, path, 0), 0);
        if (i == 0)
            assert_int_equal(mkfifoat(world->scratch.fd, path, 0600), 0);
        else if (i == 1)
            assert_int_equal(mkdirat(world->scratch.fd, path, 0700), 0);
        else
            assert_int_equal(symlinkat("/dev/zero", world->scratch.fd, path), 0);
        expect_list(world, "");
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        assert_int_equal(
            breaker__archive_manifest(world->archive, &parcel.archived.id, &text, &len), 0);
        free(text);
    }
    expect_notices(world, 1, "a manifest is not that of its release");
    parcel_free(&parcel);
}

static void a_manifest_of_a_later_version_is_left_alone_and_so_are_all_blobs(void **state)
{
    static const char later[] = "h2o-breaker manifest 3\nwhatever\n";
    breaker__archive_keep_t keep = {
        .now_ms = (uint64_t)time(NULL) * 1000 + 3600000, .num_newest = 9, .size_max = UINT64_MAX};
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 2, 10);
    blob_t blob = blob_make(50, 10);
    char path[200], *text;
    size_t len;

    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_int_equal(breaker__archive_put(world->archive, blob.digest, blob.base, 10), 0);
    scratch_text(&world->scratch, "releases/x~" NO_ID "/manifest", later);
    assert_int_equal(breaker_release_id_parse("x~" NO_ID, 45, &parcel.archived.id), 0);
    assert_int_equal(breaker__archive_manifest(world->archive, &parcel.archived.id, &text, &len),
                     BREAKER_ERR_NOT_FOUND);
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    assert_int_equal(faccessat(world->scratch.fd, "releases/x~" NO_ID "/manifest", F_OK, 0), 0);
    blob_path(&blob, path);
    assert_int_equal(faccessat(world->scratch.fd, path, F_OK, 0), 0);
    /* as soon as it has gone by age the others go as well */
    keep.num_newest = 0;
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    assert_int_not_equal(faccessat(world->scratch.fd, path, F_OK, 0), 0);
    blob_free(&blob);
    parcel_free(&parcel);
}

static void what_was_seen_is_not_used_when_it_is_damaged(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10), other = parcel_make("two", 1, 1, 10);
    char path[200], text[9000];
    breaker__archived_t archived;
    ssize_t len;
    int fd;

    parcel.archived.last_seen_ms = other.archived.last_seen_ms = 7;
    parcel_add_token(&parcel, "a", 1);
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    path_of(&parcel, "seen", path);
    fd = openat(world->scratch.fd, path, O_RDONLY);
    len = read(fd, text, sizeof(text));
    close(fd);
    replace(world, path, text, (size_t)len - 1);
    archived = only_one(world);
    assert_int_equal(archived.num_tokens, 0);
    assert_false(archived.is_whole);
    /* the time at which the manifest came */
    assert_true(archived.last_seen_ms > UINT64_C(1600000000000));
    memset(text, 'x', sizeof(text));
    replace(world, path, text, sizeof(text));
    assert_int_equal(only_one(world).num_tokens, 0);
    expect_notices(world, 1, "a file with the tokens of a release is damaged");
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    assert_int_equal(only_one(world).num_tokens, 1);
    parcel_free(&parcel);
    parcel_free(&other);
}

static void what_is_no_file_makes_room_for_what_was_seen(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);
    char path[200];

    parcel_add_token(&parcel, "a", 1);
    path_of(&parcel, "seen", path);
    for (int i = 0; i != 3; ++i) {
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        assert_int_equal(unlinkat(world->scratch.fd, path, 0), 0);
        if (i == 0)
            assert_int_equal(mkfifoat(world->scratch.fd, path, 0600), 0);
        else if (i == 1)
            assert_int_equal(mkdirat(world->scratch.fd, path, 0700), 0);
        else
            assert_int_equal(symlinkat("manifest", world->scratch.fd, path), 0);
        assert_int_equal(only_one(world).num_tokens, 0);
        assert_int_equal(breaker__archive_note(world->archive, &parcel.archived), 0);
        assert_int_equal(only_one(world).num_tokens, 1);
    }
    expect_notices(world, 1, "a file with the tokens of a release is damaged");
    parcel_free(&parcel);
}

static void a_manifest_that_nobody_could_read_again_is_not_kept(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);

    assert_int_equal(breaker__archive_put_release(world->archive, &parcel.archived, NULL,
                                                  BREAKER__MANIFEST_MAX + 1),
                     BREAKER_ERR_TOO_LONG);
    expect_list(world, "");
    parcel_free(&parcel);
}

static void what_is_no_release_is_left_out_and_left_alone(void **state)
{
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10), other = parcel_make("two", 1, 1, 10);
    breaker__archive_keep_t keep = {.now_ms = 1, .num_newest = 9, .size_max = UINT64_MAX};

    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    scratch_text(&world->scratch, "releases/holidays/photo", "x");
    scratch_text(&world->scratch, "releases/.hidden", "x");
    scratch_text(&world->scratch, "releases/y~" NO_ID, "x");
    scratch_text(&world->scratch, "blobs/notes", "x");
    scratch_text(&world->scratch, "blobs/ab/notes", "x");
    scratch_link(&world->scratch, "releases/z~" NO_ID, "holidays");
    assert_int_equal(mkfifoat(world->scratch.fd, "releases/fifo", 0600), 0);
    scratch_parents(&world->scratch, "releases/w~" NO_ID "/x");
    assert_int_equal(mkfifoat(world->scratch.fd, "releases/w~" NO_ID "/manifest", 0600), 0);
    expect_list(world, "one");
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    expect_list(world, "one");
    assert_true(is_here(world, &parcel, 0));
    assert_int_equal(faccessat(world->scratch.fd, "releases/holidays/photo", F_OK, 0), 0);
    assert_int_equal(faccessat(world->scratch.fd, "blobs/ab/notes", F_OK, 0), 0);
    /* one that is in a release's place makes room for it */
    scratch_link(&world->scratch, "away", "releases/holidays");
    snprintf(world->notice, sizeof(world->notice), "releases/%s", other.archived.id.text);
    scratch_link(&world->scratch, world->notice, "holidays");
    assert_int_equal(parcel_put(&other, world->archive), 0);
    assert_int_equal(faccessat(world->scratch.fd, "releases/holidays/manifest", F_OK, 0), -1);
    parcel_free(&parcel);
    parcel_free(&other);
}

/* ---- sweeping ---- */

static const uint64_t HOUR_MS = 3600000;

/* releases a, b, c, …, each seen an hour before the one before, with a blob of its own */
static void put_some(world_t *world, size_t num, uint64_t now_ms, breaker_release_id_t *ret_ids)
{
    for (size_t i = 0; i != num; ++i) {
        char label[2] = {(char)('a' + i), '\0'};
        parcel_t parcel = parcel_make(label, i * 10, 2, 5000);
        parcel.archived.last_seen_ms = now_ms - i * HOUR_MS;
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        ret_ids[i] = parcel.archived.id;
        parcel_free(&parcel);
    }
}

static void releases_go_by_number_age_and_size(void **state)
{
    /* a release takes two blobs of two blocks, a manifest and what was seen: six blocks */
    static const struct {
        const char *sacred;
        size_t num_newest;
        uint64_t age_h;
        size_t num_max;
        uint64_t blocks;
        const char *expected;
    } cases[] = {
        {"", 9, 0, 9, 999, "a b c d e"},
        {"", 2, 0, 9, 999, "a b"},
        {"", 0, 2, 9, 999, "a b c"},
        {"", 1, 2, 9, 999, "a b c"},
        {"", 1, 9, 3, 999, "a b c"},
        {"", 4, 9, 3, 999, "a b c d"},
        {"e", 1, 0, 9, 999, "a e"},
        {"ad", 1, 0, 9, 999, "a b d"},
        {"ade", 9, 0, 0, 999, "a b c d e"},
        {"de", 0, 9, 3, 999, "a d e"},
        {"", 9, 0, 9, 30, "a b c d e"},
        {"", 9, 0, 9, 29, "a b c d"},
        {"", 9, 0, 9, 12, "a b"},
        {"", 9, 0, 9, 5, ""},
        {"e", 9, 0, 9, 12, "a e"},
        {"de", 9, 0, 9, 1, "d e"},
        {"", 0, 0, 0, 0, ""},
    };
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    world_t *world = *state;
    breaker_release_id_t ids[5], sacred[5];

    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker__archive_keep_t keep = {.now_ms = now_ms,
                                        .ids = sacred,
                                        .num_ids = strlen(cases[i].sacred),
                                        .num_newest = cases[i].num_newest,
                                        .age_ms = cases[i].age_h * HOUR_MS,
                                        .num_max = cases[i].num_max,
                                        .size_max = cases[i].blocks * 4096};
        put_some(world, 5, now_ms, ids);
        for (size_t j = 0; j != keep.num_ids; ++j)
            sacred[j] = ids[cases[i].sacred[j] - 'a'];
        assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
        expect_list(world, cases[i].expected);
    }
    assert_int_equal(world->num_notices, 0);
}

static void blobs_that_no_release_needs_go_when_they_are_old(void **state)
{
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    world_t *world = *state;
    /* "new" has the blobs 2 and 3 of "old" as well */
    parcel_t old = parcel_make("old", 1, 3, 5000), new = parcel_make("new", 2, 2, 5000);
    breaker__archive_keep_t keep = {
        .now_ms = now_ms, .ids = &new.archived.id, .num_ids = 1, .size_max = UINT64_MAX};

    assert_int_equal(parcel_put(&old, world->archive), 0);
    assert_int_equal(parcel_put(&new, world->archive), 0);
    assert_int_equal(breaker__archive_size(world->archive), (3 * 2 + 2 * 2) * 4096);
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    expect_list(world, "new");
    assert_true(is_here(world, &old, 0));
    keep.now_ms += 11 * 60000;
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    assert_false(is_here(world, &old, 0));
    assert_true(is_here(world, &old, 1));
    assert_true(is_here(world, &new, 0));
    assert_true(is_here(world, &new, 1));
    assert_int_equal(breaker__archive_size(world->archive), (2 * 2 + 2) * 4096);
    parcel_free(&old);
    parcel_free(&new);
}

static void put_newcomer(world_t *world)
{
    breaker__archive_t *other = open_again(world);
    parcel_t parcel = parcel_make("newcomer", 1, 3, 5000);

    assert_int_equal(parcel_put(&parcel, other), 0);
    breaker__archive_close(other);
    parcel_free(&parcel);
}

static void the_blobs_of_a_release_that_comes_while_sweeping_stay(void **state)
{
    breaker__archive_keep_t keep = {.now_ms = (uint64_t)time(NULL) * 1000 + HOUR_MS,
                                    .size_max = UINT64_MAX};
    world_t *world = *state;
    parcel_t parcel = parcel_make("newcomer", 1, 3, 5000);

    for (unsigned locks = 0; locks != 2; ++locks) {
        assert_int_equal(parcel_put(&parcel, world->archive), 0);
        assert_int_equal(breaker__archive_drop(world->archive, &parcel.archived.id), 0);
        locks_before_call = locks;
        on_lock = put_newcomer;
        assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
        assert_null(on_lock);
        expect_list(world, "newcomer");
        for (size_t i = 0; i != parcel.num_blobs; ++i)
            assert_true(is_here(world, &parcel, i));
        assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
        expect_list(world, "");
        assert_false(is_here(world, &parcel, 0));
    }
    parcel_free(&parcel);
}

static void see_it_again(world_t *world)
{
    breaker__archive_t *other = open_again(world);
    parcel_t parcel = parcel_make("one", 1, 1, 10);

    parcel.archived.last_seen_ms = 10;
    assert_int_equal(breaker__archive_note(other, &parcel.archived), 0);
    breaker__archive_close(other);
    parcel_free(&parcel);
}

static void a_release_that_is_seen_again_while_sweeping_stays(void **state)
{
    breaker__archive_keep_t keep = {.now_ms = (uint64_t)time(NULL) * 1000 + HOUR_MS,
                                    .size_max = UINT64_MAX};
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);

    parcel.archived.last_seen_ms = 5;
    assert_int_equal(parcel_put(&parcel, world->archive), 0);
    locks_before_call = 0;
    on_lock = see_it_again;
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    expect_list(world, "one");
    assert_true(is_here(world, &parcel, 0));
    parcel_free(&parcel);
}

static void what_killed_processes_left_goes(void **state)
{
    static const char *const left[] = {
        "blobs/ab/blob.new-0123456789abcdef",
        "releases/x~" NO_ID "/manifest.new-0123456789abcdef",
        "releases/x~" NO_ID "/seen",
    };
    breaker__archive_keep_t keep = {
        .now_ms = (uint64_t)time(NULL) * 1000, .num_newest = 9, .size_max = UINT64_MAX};
    world_t *world = *state;
    int fd;

    for (size_t i = 0; i != COUNT(left); ++i)
        scratch_text(&world->scratch, left[i], "x");
    fd = openat(world->scratch.fd, left[0], O_RDONLY);
    assert_int_equal(__real_flock(fd, LOCK_EX), 0);
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    /* its writer lives; the directory is young */
    assert_int_equal(faccessat(world->scratch.fd, left[0], F_OK, 0), 0);
    assert_int_not_equal(faccessat(world->scratch.fd, left[1], F_OK, 0), 0);
    assert_int_equal(faccessat(world->scratch.fd, left[2], F_OK, 0), 0);
    close(fd);
    keep.now_ms += HOUR_MS;
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    assert_int_not_equal(faccessat(world->scratch.fd, left[0], F_OK, 0), 0);
    assert_int_not_equal(faccessat(world->scratch.fd, "releases/x~" NO_ID, F_OK, 0), 0);
}

static void a_list_has_a_limit_and_nothing_beyond_it_loses_its_blobs(void **state)
{
    breaker__archive_keep_t keep = {.now_ms = (uint64_t)time(NULL) * 1000 + HOUR_MS,
                                    .num_newest = BREAKER__ARCHIVE_RELEASES_MAX,
                                    .size_max = UINT64_MAX};
    world_t *world = *state;
    parcel_t parcel = parcel_make("one", 1, 1, 10);
    breaker__archived_t *list;
    char path[200];
    blob_t blob = blob_make(7, 10);
    size_t num;

    assert_int_equal(breaker__archive_put(world->archive, blob.digest, blob.base, 10), 0);
    for (int i = 0; i != BREAKER__ARCHIVE_RELEASES_MAX + 1; ++i) {
        snprintf(path, sizeof(path), "releases/%d~%s/manifest", i,
                 strrchr(parcel.archived.id.text, '~') + 1);
        scratch_write(&world->scratch, path, parcel.manifest, parcel.manifest_len);
    }
    assert_int_equal(breaker__archive_list(world->archive, &list, &num), 0);
    assert_int_equal(num, BREAKER__ARCHIVE_RELEASES_MAX);
    free(list);
    expect_notices(world, 1, "more releases");
    assert_int_equal(breaker__archive_sweep(world->archive, &keep), 0);
    blob_path(&blob, path);
    assert_int_equal(faccessat(world->scratch.fd, path, F_OK, 0), 0);
    parcel_free(&parcel);
    blob_free(&blob);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_release_that_was_put_is_listed_with_what_is_known),
        TEST(the_disk_has_the_blobs_before_a_release_is_whole),
        TEST(two_processes_note_one_release),
        TEST(what_is_not_there_is_not_noted),
        TEST(a_process_that_holds_the_lock_for_ever_stops_nobody),
        TEST(a_manifest_that_is_not_its_releases_is_removed_and_told),
        TEST(what_is_no_file_makes_room_for_a_manifest),
        TEST(a_manifest_of_a_later_version_is_left_alone_and_so_are_all_blobs),
        TEST(what_was_seen_is_not_used_when_it_is_damaged),
        TEST(what_is_no_file_makes_room_for_what_was_seen),
        TEST(a_manifest_that_nobody_could_read_again_is_not_kept),
        TEST(what_is_no_release_is_left_out_and_left_alone),
        TEST(releases_go_by_number_age_and_size),
        TEST(blobs_that_no_release_needs_go_when_they_are_old),
        TEST(the_blobs_of_a_release_that_comes_while_sweeping_stay),
        TEST(a_release_that_is_seen_again_while_sweeping_stays),
        TEST(what_killed_processes_left_goes),
        TEST(a_list_has_a_limit_and_nothing_beyond_it_loses_its_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
