/*
 * Large bodies in sealed memory files: the same bytes both ways, nobody who could change them, few
 * descriptors, no more memory than whole pages and one huge page not filled, and no difference but
 * the descriptor where the system has no such files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <breaker/release.h>
#include "encoding/encodings.h"
#include "release/release.h"
#include "release/sealed.h"
#include "release/store.h"
#include "scratch.h"
#include "view/view.h"

#define HUGE_PAGE (UINT64_C(2) << 20)
#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* what the next calls come to, by the linker's --wrap */
static bool refuse_files, refuse_seals, refuse_pages;
static size_t num_refused;

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    if (!refuse_files)
        return __real_memfd_create(name, flags);
    ++num_refused;
    errno = EPERM;
    return -1;
}

/* The library may be built for 64-bit offsets by name or by nature: whichever of the two names it
 * calls comes here. */
int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len)
{
    if (!refuse_pages)
        return __real_fallocate64(fd, mode, offset, len);
    ++num_refused;
    errno = ENOSPC;
    return -1;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
    return __wrap_fallocate64(fd, mode, offset, len);
}

/* as a kernel before 5.1 does: it makes the file and does not know the seal */
int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, int argument);
int __wrap_fcntl(int fd, int command, int argument);
int __wrap_fcntl64(int fd, int command, int argument)
{
    if (!refuse_seals || command != F_ADD_SEALS)
        return __real_fcntl64(fd, command, argument);
    ++num_refused;
    errno = EINVAL;
    return -1;
}

int __wrap_fcntl(int fd, int command, int argument)
{
    return __wrap_fcntl64(fd, command, argument);
}

typedef struct st_fixture_t {
    scratch_t scratch;
    breaker_view_t *view;
    breaker_release_t *release;
    atomic_bool stop;
} fixture_t;

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    scratch_create(&fixture->scratch);
    refuse_files = refuse_seals = refuse_pages = false;
    num_refused = 0;
    *state = fixture;
    return 0;
}

static void forget(fixture_t *fixture)
{
    breaker_release_unref(fixture->release);
    breaker__view_free(fixture->view);
    fixture->release = NULL;
    fixture->view = NULL;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    refuse_files = refuse_seals = refuse_pages = false;
    forget(fixture);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view;
    *ret_compressible = strstr(path, ".css") != NULL;
    return "text/css";
}

static const breaker_store_t *store_of(const fixture_t *fixture)
{
    return breaker_release_store(fixture->release, 0);
}

static const breaker_variant_t *variant_of(const fixture_t *fixture, const char *path,
                                           breaker_encoding_t encoding)
{
    const breaker_asset_t *asset = breaker_store_find(store_of(fixture), path, strlen(path));

    assert_non_null(asset);
    return breaker_asset_variant(asset, encoding);
}

static const breaker_variant_t *identity_of(const fixture_t *fixture, const char *path)
{
    return variant_of(fixture, path, BREAKER_ENCODING_IDENTITY);
}

/** Writes a file of text that compresses to some two thirds. */
static void write_text(const fixture_t *fixture, const char *path, size_t len, uint32_t seed)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i != len; ++i) {
        seed = seed * 1664525 + 1013904223;
        text[i] = "aaaaaeeeeeetttttoooonnnniiisssrrhhlldd  \n,.{}:;"[seed >> 24 & 31];
    }
    scratch_write(&fixture->scratch, path, text, len);
    free(text);
}

static void load(fixture_t *fixture, bool encodings, uint64_t memory_limit)
{
    breaker_view_config_t view_config;
    breaker__release_config_t config = {.num_views = 1, .hooks = {.type_of = type_of}};

    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture->scratch.path;
    view_config.encodings = encodings;
    if (memory_limit != 0)
        view_config.memory_limit = memory_limit;
    assert_int_equal(breaker__view_create(&view_config, 0, &fixture->view), 0);
    config.views = (const breaker_view_t *const *)&fixture->view;
    assert_int_equal(breaker__release_load(&config, NULL, &fixture->release, NULL), 0);
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

/** Sends a body over a socket pair by sendfile and compares what comes out. */
static void assert_sent_alike(const breaker_variant_t *variant)
{
    off_t offset = (off_t)variant->memory_offset, end = offset + (off_t)variant->len;
    char piece[16384];
    const char *expected = variant->base;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    while (offset != end) {
        size_t want =
            (size_t)(end - offset) < sizeof(piece) ? (size_t)(end - offset) : sizeof(piece);
        ssize_t sent = sendfile(ends[0], variant->memory_fd, &offset, want);

        assert_true(sent > 0);
        assert_int_equal(recv(ends[1], piece, (size_t)sent, MSG_WAITALL), sent);
        assert_memory_equal(piece, expected, (size_t)sent);
        expected += sent;
    }
    close(ends[0]);
    close(ends[1]);
}

/** Everything by which a process could change what is behind a descriptor. */
static void assert_cannot_be_changed(const breaker_variant_t *variant)
{
    int fd = variant->memory_fd;
    off_t offset = (off_t)variant->memory_offset;
    char path[64];
    int again;

    assert_int_equal(fcntl(fd, F_GET_SEALS, 0) & SEALS, SEALS);
    assert_int_equal(pwrite(fd, "x", 1, offset), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)PAGE),
                     -1);
    assert_int_equal(errno, EPERM);
    assert_ptr_equal(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset), MAP_FAILED);
    assert_int_equal(errno, EPERM);
    /* a second opening of the file is no better */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_true((again = open(path, O_RDWR | O_CLOEXEC)) >= 0);
    assert_int_equal(pwrite(again, "x", 1, offset), -1);
    assert_int_equal(errno, EPERM);
    close(again);
}

static void the_same_bytes_are_read_at_the_address_and_sent_from_the_file(void **state)
{
    fixture_t *fixture = *state;
    size_t num_in_file = 0;

    write_text(fixture, "small.css", BREAKER_SENDFILE_MIN - 1, 1);
    write_text(fixture, "enough.css", BREAKER_SENDFILE_MIN, 2);
    write_text(fixture, "page.css", 16 * PAGE, 3);
    write_text(fixture, "large.css", 400001, 4);
    load(fixture, true, 0);
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(identity_of(fixture, "small.css")->memory_fd, -1);
    assert_true(identity_of(fixture, "enough.css")->memory_fd >= 0);
    for (size_t i = 0; i != breaker_store_size(store_of(fixture)); ++i)
        for (int e = 0; e != BREAKER_ENCODINGS; ++e) {
            const breaker_variant_t *variant = breaker_asset_variant(
                breaker_store_at(store_of(fixture), i), (breaker_encoding_t)e);

            assert_non_null(variant);
            assert_int_equal(variant->memory_fd >= 0, variant->len >= BREAKER_SENDFILE_MIN);
            if (variant->memory_fd < 0)
                continue;
            assert_int_equal(variant->memory_offset % PAGE, 0);
            assert_sent_alike(variant);
            ++num_in_file;
        }
    /* three files, and the encodings that are large still */
    assert_true(num_in_file >= 6);
}

static void a_sibling_is_sent_from_the_file_that_it_lies_in(void **state)
{
    fixture_t *fixture = *state;
    char command[1200];

    write_text(fixture, "x.css", 200000, 1);
    snprintf(command, sizeof(command), "gzip -nk '%s/x.css'", fixture->scratch.path);
    assert_int_equal(system(command), 0);
    load(fixture, true, 0);
    assert_non_null(variant_of(fixture, "x.css", BREAKER_ENCODING_GZIP));
    assert_true(identity_of(fixture, "x.css.gz")->memory_fd >= 0);
    assert_int_equal(variant_of(fixture, "x.css", BREAKER_ENCODING_GZIP)->memory_fd,
                     identity_of(fixture, "x.css.gz")->memory_fd);
    assert_sent_alike(variant_of(fixture, "x.css", BREAKER_ENCODING_GZIP));
}

static void nobody_writes_to_a_body_from_the_load_on(void **state)
{
    fixture_t *fixture = *state;
    const breaker_variant_t *identity;
    int seals;

    write_text(fixture, "x.css", 100000, 1);
    load(fixture, true, 0);
    identity = identity_of(fixture, "x.css");
    assert_cannot_be_changed(identity);
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_cannot_be_changed(identity);
    assert_cannot_be_changed(variant_of(fixture, "x.css", BREAKER_ENCODING_GZIP));
    /* and once everything is made there is no writer in the process either */
    seals = fcntl(identity->memory_fd, F_GET_SEALS, 0);
    assert_int_equal(seals & (F_SEAL_WRITE | F_SEAL_SEAL), F_SEAL_WRITE | F_SEAL_SEAL);
    assert_sent_alike(identity);
}

static void a_view_without_encodings_is_sealed_when_it_is_loaded(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "x.css", 100000, 1);
    load(fixture, false, 0);
    assert_int_equal(fcntl(identity_of(fixture, "x.css")->memory_fd, F_GET_SEALS, 0),
                     SEALS | F_SEAL_WRITE | F_SEAL_SEAL);
}

static void many_bodies_share_one_descriptor(void **state)
{
    enum { NUM = 300 };
    fixture_t *fixture = *state;
    size_t before = count_descriptors();
    char path[32];

    for (uint32_t i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%03u.bin", i);
        write_text(fixture, path, 33000, i);
    }
    load(fixture, true, 0);
    for (uint32_t i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%03u.bin", i);
        assert_int_equal(identity_of(fixture, path)->memory_fd,
                         identity_of(fixture, "000.bin")->memory_fd);
    }
    assert_int_equal(count_descriptors(), before + 1);
    forget(fixture);
    assert_int_equal(count_descriptors(), before);
}

static void small_files_need_no_descriptor(void **state)
{
    fixture_t *fixture = *state;
    size_t before = count_descriptors();

    write_text(fixture, "x.css", 20000, 1);
    load(fixture, true, 0);
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(count_descriptors(), before);
}

/** The bytes that the kernel holds for a memory file. */
static uint64_t allocated(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/** Whether the system gathers a memory file into huge pages, holes included. */
static bool gathers(void)
{
    int fd = __real_memfd_create("test", 0);
    char *room = mmap(NULL, 2 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *base = room + (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    bool gathered;

    assert_int_equal(ftruncate(fd, HUGE_PAGE), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_ptr_equal(mmap(base, HUGE_PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), base);
    gathered = madvise(base, HUGE_PAGE, MADV_COLLAPSE) == 0;
    munmap(room, 2 * HUGE_PAGE);
    close(fd);
    return gathered;
}

static void memory_is_whole_pages_and_counted_as_such(void **state)
{
    enum { NUM = 100, LEN = 40000 };
    fixture_t *fixture = *state;
    uint64_t span = breaker__sealed_span(LEN), bytes = 0, in_files = 0;
    char path[32];
    size_t empty;

    write_text(fixture, "small", 1, 0);
    load(fixture, true, 0);
    empty = breaker__store_memory(store_of(fixture));
    forget(fixture);
    for (uint32_t i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%03u.css", i);
        write_text(fixture, path, LEN, i);
    }
    load(fixture, true, 0);
    assert_in_range(breaker__store_memory(store_of(fixture)), NUM * span,
                    empty + NUM * (span + 1000));
    assert_int_equal(allocated(identity_of(fixture, "000.css")->memory_fd), NUM * span);

    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    for (size_t i = 0; i != breaker_store_size(store_of(fixture)); ++i)
        for (int e = 0; e != BREAKER_ENCODINGS; ++e) {
            const breaker_variant_t *variant = breaker_asset_variant(
                breaker_store_at(store_of(fixture), i), (breaker_encoding_t)e);

            if (variant == NULL)
                continue;
            bytes += variant->len;
            if (variant->memory_fd >= 0)
                in_files += breaker__sealed_span(variant->len);
        }
    assert_true(in_files % HUGE_PAGE >= 256 << 10);
    assert_int_equal(allocated(identity_of(fixture, "000.css")->memory_fd),
                     gathers() ? (in_files + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : in_files);
    assert_in_range(breaker__store_memory(store_of(fixture)), bytes, bytes / 10 * 13);
}

/** How much of this process's memory the kernel says is mapped from such files. */
static uint64_t resident(void)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[1024];
    bool ours = false;
    uint64_t sum = 0;
    unsigned long kib;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strchr(line, '-') != NULL && strchr(line, ':') > strchr(line, '-'))
            ours = strstr(line, "memfd:breaker-bodies") != NULL;
        else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1)
            sum += kib * 1024;
    }
    fclose(file);
    return sum;
}

static void a_body_is_resident_once(void **state)
{
    enum { LEN = 4 << 20 };
    fixture_t *fixture = *state;
    uint64_t now;

    write_text(fixture, "x.bin", LEN, 1);
    load(fixture, true, 0);
    now = resident();
    assert_in_range(now, LEN, LEN / 10 * 11);
}

static void the_last_bytes_of_memory_need_not_be_whole_pages(void **state)
{
    fixture_t *fixture = *state;
    size_t len = 8 * PAGE + 1 > BREAKER_SENDFILE_MIN ? 8 * PAGE + 1 : BREAKER_SENDFILE_MIN + 1;

    write_text(fixture, "a", len, 1);
    write_text(fixture, "b", len, 2);
    load(fixture, true, breaker__sealed_span(len) + len);
    assert_true(identity_of(fixture, "a")->memory_fd >= 0);
    assert_non_null(identity_of(fixture, "b")->base);
    assert_int_equal(identity_of(fixture, "b")->memory_fd, -1);
}

/* ---- without memory files ---- */

static void assert_served_without_files(fixture_t *fixture)
{
    size_t before = count_descriptors();
    char *expected = malloc(50000);
    int fd;

    assert_non_null(expected);
    write_text(fixture, "x.css", 50000, 1);
    write_text(fixture, "y.css", 50001, 2);
    load(fixture, true, 0);
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(count_descriptors(), before);
    for (int e = 0; e != BREAKER_ENCODINGS; ++e) {
        assert_non_null(variant_of(fixture, "y.css", (breaker_encoding_t)e));
        assert_int_equal(variant_of(fixture, "y.css", (breaker_encoding_t)e)->memory_fd, -1);
    }
    assert_true((fd = openat(fixture->scratch.fd, "x.css", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal(read(fd, expected, 50000), 50000);
    assert_memory_equal(identity_of(fixture, "x.css")->base, expected, 50000);
    close(fd);
    free(expected);
}

static void without_memory_files_bodies_are_allocated(void **state)
{
    refuse_files = true;
    assert_served_without_files(*state);
    assert_int_equal(num_refused, 1); /* asked once, not for every body */
}

static void without_the_seals_bodies_are_allocated(void **state)
{
    refuse_seals = true;
    assert_served_without_files(*state);
    assert_int_equal(num_refused, 1);
}

static void a_limit_of_file_size_raises_no_signal(void **state)
{
    struct rlimit before, limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_served_without_files(*state);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void without_pages_the_rest_is_allocated(void **state)
{
    breaker__sealed_t sealed = {0};
    breaker_variant_t first = {.memory_fd = -1}, second = {.memory_fd = -1};
    breaker__sealed_file_t *file;
    char *dst;

    (void)state;
    assert_non_null(dst = breaker__sealed_begin(&sealed, 5, &first));
    memcpy(dst, "first", 5);
    file = breaker__sealed_keep(&sealed, 5);
    refuse_pages = true;
    assert_null(breaker__sealed_begin(&sealed, 5, &second));
    assert_null(second.base);
    assert_int_equal(second.memory_fd, -1);
    refuse_pages = false;
    assert_null(breaker__sealed_begin(&sealed, 5, &second));
    breaker__sealed_dispose(&sealed);
    assert_memory_equal(first.base, "first", 5);
    breaker__sealed_let_go(file, 5);
}

/* ---- the files themselves ---- */

static void what_was_not_kept_is_written_over(void **state)
{
    breaker__sealed_t sealed = {0};
    breaker_variant_t given_up = {0}, kept = {0}, next = {0};
    breaker__sealed_file_t *file;
    char *dst;

    (void)state;
    assert_non_null(dst = breaker__sealed_begin(&sealed, 3 * PAGE, &given_up));
    memset(dst, 'x', 3 * PAGE);
    assert_int_equal(given_up.base[PAGE], 'x'); /* as a file is hashed that then proves changed */
    assert_ptr_equal(breaker__sealed_begin(&sealed, PAGE + 1, &kept), dst);
    memset(dst, 'k', PAGE + 1);
    file = breaker__sealed_keep(&sealed, PAGE + 1);
    assert_ptr_equal(kept.base, given_up.base);
    assert_non_null(dst = breaker__sealed_begin(&sealed, 1, &next));
    *dst = 'n';
    assert_ptr_equal(breaker__sealed_keep(&sealed, 1), file);
    assert_ptr_equal(next.base, kept.base + 2 * PAGE);
    assert_int_equal(next.memory_offset, 2 * PAGE);
    assert_int_equal(kept.base[PAGE], 'k');
    assert_int_equal(*next.base, 'n');
    breaker__sealed_let_go(file, PAGE + 1);
    breaker__sealed_let_go(file, 1);
    breaker__sealed_dispose(&sealed);
}

static void a_full_file_is_sealed_and_another_begun(void **state)
{
    breaker__sealed_t sealed = {.file_size = 4 * PAGE};
    const size_t pages[] = {3, 1, 2, 3, 9, 1};
    const size_t files[] = {0, 0, 1, 2, 3, 4};
    breaker__sealed_file_t *kept[6];
    breaker_variant_t variants[6];
    size_t before = count_descriptors();

    (void)state;
    for (size_t i = 0; i != 6; ++i) {
        char *dst = breaker__sealed_begin(&sealed, pages[i] * PAGE, &variants[i]);

        assert_non_null(dst);
        memset(dst, 'a' + (int)i, pages[i] * PAGE);
        kept[i] = breaker__sealed_keep(&sealed, pages[i] * PAGE);
        assert_int_equal(variants[i].memory_fd, kept[i]->fd);
        assert_int_equal(i != 0 && kept[i] == kept[i - 1], i != 0 && files[i] == files[i - 1]);
        assert_int_equal(count_descriptors(), before + files[i] + 1);
    }
    for (size_t i = 0; i != 6; ++i) {
        int seals = fcntl(variants[i].memory_fd, F_GET_SEALS, 0);

        assert_int_equal((seals & F_SEAL_WRITE) != 0, files[i] != 4);
        for (size_t at = 0; at != pages[i] * PAGE; ++at)
            if (variants[i].base[at] != 'a' + (int)i)
                fail_msg("body %zu, byte %zu", i, at);
    }
    breaker__sealed_finish(&sealed);
    breaker__sealed_finish(&sealed);
    assert_int_equal(fcntl(variants[5].memory_fd, F_GET_SEALS, 0) & F_SEAL_WRITE, F_SEAL_WRITE);
    breaker__sealed_dispose(&sealed);
    assert_int_equal(count_descriptors(), before + 5);
    for (size_t i = 0; i != 6; ++i)
        breaker__sealed_let_go(kept[i], pages[i] * PAGE);
    assert_int_equal(count_descriptors(), before);
}

static void a_file_lives_as_long_as_a_body_in_it(void **state)
{
    breaker__sealed_t sealed = {0};
    breaker__sealed_file_t *kept[4] = {0};
    breaker_variant_t variants[4];
    size_t before = count_descriptors();

    (void)state;
    for (size_t i = 0; i != 4; ++i) {
        memset(breaker__sealed_begin(&sealed, PAGE, &variants[i]), 'a' + (int)i, PAGE);
        kept[i] = breaker__sealed_keep(&sealed, PAGE);
    }
    assert_false(breaker__sealed_is_sparse(kept[0]));
    breaker__sealed_dispose(&sealed);
    breaker__sealed_let_go(kept[0], PAGE);
    breaker__sealed_let_go(kept[1], PAGE);
    assert_false(breaker__sealed_is_sparse(kept[3]));
    breaker__sealed_let_go(kept[2], PAGE);
    assert_true(breaker__sealed_is_sparse(kept[3]));
    assert_int_equal(variants[3].base[PAGE - 1], 'd');
    /* who wrote it has gone: nobody can write any more */
    assert_int_equal(fcntl(variants[3].memory_fd, F_GET_SEALS, 0) & F_SEAL_WRITE, F_SEAL_WRITE);
    assert_int_equal(count_descriptors(), before + 1);
    breaker__sealed_let_go(kept[3], PAGE);
    assert_int_equal(count_descriptors(), before);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_same_bytes_are_read_at_the_address_and_sent_from_the_file),
        CASE(a_sibling_is_sent_from_the_file_that_it_lies_in),
        CASE(nobody_writes_to_a_body_from_the_load_on),
        CASE(a_view_without_encodings_is_sealed_when_it_is_loaded),
        CASE(many_bodies_share_one_descriptor),
        CASE(small_files_need_no_descriptor),
        CASE(memory_is_whole_pages_and_counted_as_such),
        CASE(a_body_is_resident_once),
        CASE(the_last_bytes_of_memory_need_not_be_whole_pages),
        CASE(without_memory_files_bodies_are_allocated),
        CASE(without_the_seals_bodies_are_allocated),
        CASE(a_limit_of_file_size_raises_no_signal),
        CASE(without_pages_the_rest_is_allocated),
        CASE(what_was_not_kept_is_written_over),
        CASE(a_full_file_is_sealed_and_another_begun),
        CASE(a_file_lives_as_long_as_a_body_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
