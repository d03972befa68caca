/*
 * An archive in a process of its own, to be killed, starved of disk, or run beside others.
 *
 *     archive_probe write DIRECTORY 0         puts a release that is to be kept from now on
 *     archive_probe write DIRECTORY ROUNDS    works on it, and kills itself before the call number
 *                                             PROBE_KILL_AT of those that change something; a write
 *                                             is half done then
 *     archive_probe check DIRECTORY           everything that is given out has to be right, what
 *                                             is kept be there, and nothing be told; what was left
 *                                             is gone after a sweep
 *     archive_probe share DIRECTORY SEED ROUNDS
 *                                             the same work in another order, beside others; what
 *                                             must not be lost is not lost
 *     archive_probe fill DIRECTORY            until the disk is full, and once there is room again
 *     archive_probe refuse DIRECTORY          where nothing can be written
 *     archive_probe bench DIRECTORY           ten thousand blobs of 4 KiB; what is removed at the
 *                                             end makes ext4 slow for five minutes, which looks for
 *                                             inodes that were not given back lately
 *
 * Ends with status 0 if all was well, else aborts and says why. The releases are numbers: every
 * process knows what each has to be.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <breaker/error.h>
#include "archives.h"

enum {
    RELEASES = 8,
    BLOBS = 5,
    LEN = 3000,
    /* a blob that takes several pieces */
    LARGE_LEN = 700000,
    BENCH_BLOBS = 10000,
    BENCH_LEN = 4096,
};

/* ---- death ---- */

/* calls that change something; after any other one death is what it was before */
static unsigned long num_calls, kill_at;

ssize_t __real_write(int fd, const void *base, size_t len);
int __real_openat(int fd, const char *path, int flags, ...);
int __real_openat64(int fd, const char *path, int flags, ...);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int fd, const char *path, int flags);
int __real_mkdirat(int fd, const char *path, mode_t mode);
int __real_fsync(int fd);
int __real_syncfs(int fd);
ssize_t __wrap_write(int fd, const void *base, size_t len);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_syncfs(int fd);

static bool is_last_call(void)
{
    return ++num_calls == kill_at;
}

static void die_here(void)
{
    if (is_last_call())
        kill(getpid(), SIGKILL);
}

ssize_t __wrap_write(int fd, const void *base, size_t len)
{
    if (is_last_call()) {
        __real_write(fd, base, len / 2);
        kill(getpid(), SIGKILL);
    }
    return __real_write(fd, base, len);
}

/* by either name that it goes by */
int __wrap_openat64(int fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if ((flags & O_CREAT) != 0) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
        die_here();
    }
    return __real_openat64(fd, path, flags, mode);
}

int __wrap_openat(int fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if ((flags & O_CREAT) != 0) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
        die_here();
    }
    return __real_openat(fd, path, flags, mode);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    die_here();
    return __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_unlinkat(int fd, const char *path, int flags)
{
    die_here();
    return __real_unlinkat(fd, path, flags);
}

int __wrap_mkdirat(int fd, const char *path, mode_t mode)
{
    die_here();
    return __real_mkdirat(fd, path, mode);
}

int __wrap_fsync(int fd)
{
    die_here();
    return __real_fsync(fd);
}

/* on a machine that others write on as well this takes seconds, and no one here cuts the power */
int __wrap_syncfs(int fd)
{
    die_here();
    return getenv("PROBE_SYNC") != NULL ? __real_syncfs(fd) : 0;
}

/* ---- what is common ---- */

static unsigned num_notices;

static void on_notice(void *data, const char *message)
{
    (void)data;
    ++num_notices;
    printf("notice: %s\n", message);
    fflush(stdout);
}

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static breaker__archive_t *open_archive(const char *directory)
{
    breaker__archive_config_t config = {.directory = directory, .on_notice = on_notice};
    breaker__archive_t *archive;
    breaker_error_t error = {0};

    if (breaker__archive_open(&config, &archive, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return archive;
}

static uint64_t now_ms(void)
{
    return (uint64_t)time(NULL) * 1000;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* what a piece of work takes: of time, and of the processor, which others may want as well */
typedef struct st_watch_t {
    double began_s, began_cpu_s;
} watch_t;

static watch_t begin(void)
{
    return (watch_t){seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

static void tell(const watch_t *watch, const char *what)
{
    printf("%-40s %.3f s, processor %.3f s\n", what, seconds_of(CLOCK_MONOTONIC) - watch->began_s,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - watch->began_cpu_s);
}

/* a release shares two blobs with the next one */
static parcel_t release_of(unsigned number)
{
    char label[16], token[32];
    parcel_t parcel;

    snprintf(label, sizeof(label), "r%u", number);
    parcel = parcel_make(label, number * (BLOBS - 2), BLOBS, LEN);
    parcel.archived.first_seen_ms = parcel.archived.last_seen_ms = now_ms() - 1000 + number;
    snprintf(token, sizeof(token), "t%u", number);
    parcel_add_token(&parcel, token, 1000 + number);
    return parcel;
}

static breaker_release_id_t id_of(unsigned number)
{
    parcel_t parcel = release_of(number);
    breaker_release_id_t id = parcel.archived.id;

    parcel_free(&parcel);
    return id;
}

/* whether a blob is there; if so it is right */
static bool is_right(breaker__archive_t *archive, const blob_t *blob)
{
    char *dst = malloc(blob->len + 1);
    int err = breaker__archive_read(archive, blob->digest, blob->len, dst), fd;

    EXPECT(err == 0 || err == BREAKER_ERR_NOT_FOUND);
    if (err == 0)
        EXPECT(memcmp(dst, blob->base, blob->len) == 0);
    if (breaker__archive_get(archive, blob->digest, blob->len, &fd, NULL) == 0) {
        EXPECT(pread(fd, dst, blob->len + 1, 0) == (ssize_t)blob->len);
        EXPECT(memcmp(dst, blob->base, blob->len) == 0);
        close(fd);
    }
    free(dst);
    return err == 0;
}

/* the large blob goes in as a file */
static void put_large(breaker__archive_t *archive, const char *directory)
{
    blob_t blob = blob_make(77, LARGE_LEN);
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/../large", directory);
    fd = open(path, O_RDWR | O_CREAT, 0644);
    EXPECT(fd >= 0);
    EXPECT(pwrite(fd, blob.base, blob.len, 0) == (ssize_t)blob.len);
    EXPECT(breaker__archive_put_file(archive, blob.digest, fd, blob.len) == 0);
    close(fd);
    blob_free(&blob);
}

/* ---- write ---- */

/* the release 0 is noted again and again, and never removed */
static void note_kept(breaker__archive_t *archive, unsigned round)
{
    parcel_t parcel = release_of(0);
    char token[32];

    snprintf(token, sizeof(token), "round%u", round);
    parcel_add_token(&parcel, token, 2000 + round);
    parcel.archived.last_seen_ms = now_ms() + round;
    EXPECT(breaker__archive_note(archive, &parcel.archived) == 0);
    parcel_free(&parcel);
}

static void work(breaker__archive_t *archive, const char *directory, unsigned round)
{
    parcel_t parcel = release_of(1 + round % (RELEASES - 1));
    breaker_release_id_t id, kept = id_of(0);
    breaker__archive_keep_t keep = {.now_ms = now_ms() + 3600000,
                                    .ids = &kept,
                                    .num_ids = 1,
                                    .num_newest = 3,
                                    .size_max = UINT64_MAX};

    note_kept(archive, round);
    EXPECT(parcel_put(&parcel, archive) == 0);
    if (round % 4 == 1)
        put_large(archive, directory);
    parcel.archived.last_seen_ms = now_ms() + round;
    parcel_add_token(&parcel, round % 2 == 0 ? "even" : "odd", 5000 + round);
    EXPECT(breaker__archive_note(archive, &parcel.archived) == 0);
    id = parcel.archived.id;
    parcel_free(&parcel);
    if (round % 3 == 2)
        EXPECT(breaker__archive_sweep(archive, &keep) == 0);
    if (round % 5 == 4)
        EXPECT(breaker__archive_drop(archive, &id) == 0);
}

static void put_kept(breaker__archive_t *archive)
{
    parcel_t parcel = release_of(0);

    EXPECT(parcel_put(&parcel, archive) == 0);
    parcel_free(&parcel);
}

static void run_write(const char *directory, unsigned rounds)
{
    breaker__archive_t *archive;

    kill_at = getenv("PROBE_KILL_AT") != NULL ? strtoul(getenv("PROBE_KILL_AT"), NULL, 10) : 0;
    archive = open_archive(directory);
    if (rounds == 0)
        put_kept(archive);
    for (unsigned round = 0; round != rounds; ++round)
        work(archive, directory, round);
    EXPECT(num_notices == 0);
    breaker__archive_close(archive);
    printf("calls %lu\n", num_calls);
}

/* ---- check ---- */

static parcel_t parcel_of(const breaker_release_id_t *id)
{
    unsigned number;
    parcel_t parcel;

    EXPECT(sscanf(id->text, "r%u~", &number) == 1);
    EXPECT(number < RELEASES);
    parcel = release_of(number);
    EXPECT(breaker_release_id_equal(&parcel.archived.id, id));
    return parcel;
}

static void check_release(breaker__archive_t *archive, const breaker__archived_t *listed)
{
    parcel_t parcel = parcel_of(&listed->id);
    size_t len, num_right = 0;
    char *text;

    EXPECT(breaker__archive_manifest(archive, &listed->id, &text, &len) == 0);
    EXPECT(len == parcel.manifest_len);
    EXPECT(memcmp(text, parcel.manifest, len) == 0);
    free(text);
    for (size_t i = 0; i != parcel.num_blobs; ++i)
        num_right += is_right(archive, parcel.blobs + i);
    if (listed->is_whole) {
        EXPECT(num_right == parcel.num_blobs);
        EXPECT(listed->num_tokens != 0);
    }
    parcel_free(&parcel);
}

static void check_all(breaker__archive_t *archive)
{
    breaker_release_id_t kept = id_of(0);
    breaker__archived_t *list;
    bool has_kept = false;
    size_t num;

    EXPECT(breaker__archive_list(archive, &list, &num) == 0);
    EXPECT(num <= RELEASES);
    for (size_t i = 0; i != num; ++i) {
        check_release(archive, list + i);
        if (breaker_release_id_equal(&list[i].id, &kept))
            has_kept = list[i].is_whole;
    }
    free(list);
    EXPECT(has_kept);
}

static void run_check(const char *directory)
{
    breaker__archive_t *archive = open_archive(directory);
    breaker__archive_keep_t keep = {
        .now_ms = now_ms() + 3600000, .num_newest = RELEASES, .size_max = UINT64_MAX};
    blob_t large = blob_make(77, LARGE_LEN);

    check_all(archive);
    is_right(archive, &large);
    EXPECT(breaker__archive_sweep(archive, &keep) == 0);
    check_all(archive);
    EXPECT(num_notices == 0);
    breaker__archive_close(archive);
    blob_free(&large);
}

/* ---- share ---- */

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

/* the release that all processes keep */
static void expect_kept(breaker__archive_t *archive)
{
    parcel_t parcel = release_of(0);
    size_t len;
    char *text;

    EXPECT(breaker__archive_manifest(archive, &parcel.archived.id, &text, &len) == 0);
    free(text);
    for (size_t i = 0; i != parcel.num_blobs; ++i)
        EXPECT(is_right(archive, parcel.blobs + i));
    parcel_free(&parcel);
}

/* a release that others may remove this moment */
static void put_any(breaker__archive_t *archive, unsigned number)
{
    parcel_t parcel = release_of(number);
    int err = parcel_put(&parcel, archive);

    EXPECT(err == 0 || err == BREAKER_ERR_NOT_FOUND);
    for (size_t i = 0; i != parcel.num_blobs; ++i)
        is_right(archive, parcel.blobs + i);
    parcel_free(&parcel);
}

static void sweep_any(breaker__archive_t *archive, size_t num_newest)
{
    breaker_release_id_t id = id_of(0);
    breaker__archive_keep_t keep = {.now_ms = now_ms() + 3600000,
                                    .ids = &id,
                                    .num_ids = 1,
                                    .num_newest = num_newest,
                                    .size_max = UINT64_MAX};

    EXPECT(breaker__archive_sweep(archive, &keep) == 0);
}

static void share_once(breaker__archive_t *archive, uint64_t *state)
{
    unsigned number = 1 + (unsigned)draw(state, RELEASES - 1);
    breaker_release_id_t id = id_of(number);

    switch (draw(state, 6)) {
    case 0:
    case 1:
    case 2:
        put_any(archive, number);
        break;
    case 3:
        sweep_any(archive, draw(state, 4));
        break;
    case 4:
        EXPECT(breaker__archive_drop(archive, &id) == 0);
        break;
    case 5:
        expect_kept(archive);
        break;
    }
}

static void run_share(const char *directory, uint64_t seed, unsigned rounds)
{
    breaker__archive_t *archive = open_archive(directory);
    uint64_t state = seed + 1;

    put_kept(archive);
    for (unsigned round = 0; round != rounds; ++round)
        share_once(archive, &state);
    expect_kept(archive);
    EXPECT(num_notices == 0);
    breaker__archive_close(archive);
}

/* ---- disks that refuse ---- */

static void run_fill(const char *directory)
{
    breaker__archive_t *archive = open_archive(directory);
    parcel_t parcel = release_of(0);
    unsigned num = 0;
    blob_t blob;
    int err = 0;

    EXPECT(parcel_put(&parcel, archive) == 0);
    for (; err == 0; ++num) {
        blob = blob_make(1000 + num, 100000);
        EXPECT(num != 100000);
        err = breaker__archive_put(archive, blob.digest, blob.base, blob.len);
        if (err == 0)
            blob_free(&blob);
    }
    EXPECT(err == BREAKER_ERR_IO);
    EXPECT(num_notices == 1);
    EXPECT(!is_right(archive, &blob));
    /* small ones until nothing fits at all, then a release */
    for (unsigned i = 0; i != 3000; ++i) {
        blob_t small = blob_make(500000 + i, 3000);
        breaker__archive_put(archive, small.digest, small.base, small.len);
        is_right(archive, &small);
        blob_free(&small);
    }
    parcel_t other = release_of(5);
    EXPECT(parcel_put(&other, archive) == BREAKER_ERR_IO);
    EXPECT(num_notices == 1);
    check_all(archive);
    /* room again: what no release needs goes */
    sweep_any(archive, 0);
    EXPECT(parcel_put(&other, archive) == 0);
    EXPECT(breaker__archive_put(archive, blob.digest, blob.base, blob.len) == 0);
    EXPECT(is_right(archive, &blob));
    check_all(archive);
    EXPECT(num_notices == 1);
    breaker__archive_close(archive);
    blob_free(&blob);
    parcel_free(&parcel);
    parcel_free(&other);
}

static void run_refuse(const char *directory)
{
    breaker__archive_t *archive = open_archive(directory);
    parcel_t parcel = release_of(5);
    breaker__archived_t *list;
    size_t num;

    EXPECT(breaker__archive_list(archive, &list, &num) == 0);
    EXPECT(num != 0);
    check_all(archive);
    for (int i = 0; i != 3; ++i) {
        EXPECT(parcel_put(&parcel, archive) == BREAKER_ERR_IO);
        EXPECT(breaker__archive_put(archive, parcel.blobs[0].digest, parcel.blobs[0].base,
                                    parcel.blobs[0].len) == BREAKER_ERR_IO);
        list[0].last_seen_ms += 1;
        EXPECT(breaker__archive_note(archive, list) == BREAKER_ERR_IO);
        EXPECT(breaker__archive_drop(archive, &list[0].id) == BREAKER_ERR_IO);
    }
    check_all(archive);
    EXPECT(num_notices == 1);
    free(list);
    breaker__archive_close(archive);
    parcel_free(&parcel);
}

/* ---- bench ---- */

typedef int (*bench_t)(breaker__archive_t *archive, const blob_t *blob);

static int bench_put(breaker__archive_t *archive, const blob_t *blob)
{
    return breaker__archive_put(archive, blob->digest, blob->base, blob->len);
}

static int bench_read(breaker__archive_t *archive, const blob_t *blob)
{
    char dst[BENCH_LEN];

    return breaker__archive_read(archive, blob->digest, blob->len, dst);
}

static int bench_get(breaker__archive_t *archive, const blob_t *blob)
{
    int fd = -1, err = breaker__archive_get(archive, blob->digest, blob->len, &fd, NULL);

    if (err == 0)
        close(fd);
    return err;
}

static void measure(const char *what, bench_t call, breaker__archive_t *archive,
                    const blob_t *blobs)
{
    watch_t watch = begin();

    for (size_t i = 0; i != BENCH_BLOBS; ++i)
        EXPECT(call(archive, blobs + i) == 0);
    tell(&watch, what);
}

static void run_bench(const char *directory)
{
    breaker__archive_t *archive = open_archive(directory);
    breaker__archive_keep_t keep = {.now_ms = now_ms(), .size_max = UINT64_MAX};
    blob_t *blobs = calloc(BENCH_BLOBS, sizeof(*blobs));
    parcel_t parcel = release_of(0);
    watch_t watch;

    for (size_t i = 0; i != BENCH_BLOBS; ++i)
        blobs[i] = blob_make(i, BENCH_LEN);
    measure("put, new", bench_put, archive, blobs);
    measure("put, there already, compared", bench_put, archive, blobs);
    measure("get, hashed", bench_get, archive, blobs);
    sleep(2);
    measure("get, hashed and believed from now on", bench_get, archive, blobs);
    measure("get, believed", bench_get, archive, blobs);
    measure("put, there already, believed", bench_put, archive, blobs);
    measure("read, hashed", bench_read, archive, blobs);
    watch = begin();
    EXPECT(parcel_put(&parcel, archive) == 0);
    tell(&watch, "a release of 5 blobs, whole (syncfs)");
    watch = begin();
    EXPECT(breaker__archive_sweep(archive, &keep) == 0);
    tell(&watch, "sweep that removes nothing");
    keep.now_ms += 3600000;
    watch = begin();
    EXPECT(breaker__archive_sweep(archive, &keep) == 0);
    tell(&watch, "sweep that removes all");
    breaker__archive_close(archive);
    for (size_t i = 0; i != BENCH_BLOBS; ++i)
        blob_free(blobs + i);
    free(blobs);
    parcel_free(&parcel);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "write") == 0 && argc == 4)
        run_write(argv[2], (unsigned)atoi(argv[3]));
    else if (strcmp(what, "check") == 0 && argc == 3)
        run_check(argv[2]);
    else if (strcmp(what, "share") == 0 && argc == 5)
        run_share(argv[2], strtoull(argv[3], NULL, 10), (unsigned)atoi(argv[4]));
    else if (strcmp(what, "fill") == 0 && argc == 3)
        run_fill(argv[2]);
    else if (strcmp(what, "refuse") == 0 && argc == 3)
        run_refuse(argv[2]);
    else if (strcmp(what, "bench") == 0 && argc == 3)
        run_bench(argv[2]);
    else
        return 2;
    return 0;
}
