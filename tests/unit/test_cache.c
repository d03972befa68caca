/*
 * Encodings that outlive the process: what a second run makes (nothing), what it does not believe,
 * how much it keeps, and what it does without a directory that works. How often something is
 * encoded is counted on the way to the library, so nothing here depends on time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <breaker/release.h>
#include "encoding/cache.h"
#include "encoding/coding.h"
#include "encoding/encodings.h"
#include "release/release.h"
#include "scratch.h"
#include "view/view.h"

#define LINES_MAX 16

static atomic_size_t num_encoded;

int __real_breaker__encode(breaker_encoding_t encoding, const char *src, size_t len, char *dst,
                           size_t dst_size, breaker__pace_t *pace, size_t *ret_len);
int __wrap_breaker__encode(breaker_encoding_t encoding, const char *src, size_t len, char *dst,
                           size_t dst_size, breaker__pace_t *pace, size_t *ret_len);
int __wrap_breaker__encode(breaker_encoding_t encoding, const char *src, size_t len, char *dst,
                           size_t dst_size, breaker__pace_t *pace, size_t *ret_len)
{
    atomic_fetch_add(&num_encoded, 1);
    return __real_breaker__encode(encoding, src, len, dst, dst_size, pace, ret_len);
}

typedef struct st_fixture_t {
    scratch_t tree, cache;
    breaker_view_config_t view_config;
    breaker_encoding_config_t config;
    breaker_view_t *view;
    breaker_release_t *release;
    atomic_bool stop;
    size_t num_lines;
    char lines[LINES_MAX][1024];
} fixture_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view, (void)path;
    *ret_compressible = true;
    return "text/css";
}

static void on_notice(void *data, const char *message)
{
    fixture_t *fixture = data;

    if (fixture->num_lines == LINES_MAX)
        abort();
    snprintf(fixture->lines[fixture->num_lines++], sizeof(fixture->lines[0]), "%s", message);
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    scratch_create(&fixture->tree);
    scratch_create(&fixture->cache);
    breaker_view_config_init(&fixture->view_config);
    fixture->view_config.name = "static/{breaker}";
    fixture->view_config.directory = fixture->tree.path;
    fixture->config.cache_directory = fixture->cache.path;
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

    forget(fixture);
    scratch_remove(&fixture->tree);
    scratch_remove(&fixture->cache);
    free(fixture);
    return 0;
}

/** Loads the tree and makes its encodings as a process does; returns how many were encoded. */
static size_t run(fixture_t *fixture)
{
    breaker__release_config_t config = {
        .num_views = 1,
        .hooks = {
            .data = fixture, .type_of = type_of, .on_notice = on_notice, .notice_data = fixture}};
    size_t before = atomic_load(&num_encoded);

    forget(fixture);
    fixture->num_lines = 0;
    assert_int_equal(breaker__view_create(&fixture->view_config, 0, &fixture->view), 0);
    config.views = (const breaker_view_t *const *)&fixture->view;
    assert_int_equal(breaker__release_load(&config, NULL, &fixture->release, NULL), 0);
    breaker__release_encode(fixture->release, &fixture->config, &fixture->stop);
    return atomic_load(&num_encoded) - before;
}

/** Text that compresses, different for each seed. */
static void write_text(const fixture_t *fixture, const char *path, size_t len, uint32_t seed)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i != len; ++i) {
        seed = seed * 1664525 + 1013904223;
        text[i] = "aaaaaeeeeeetttttoooonnnniiisssrrhhlldd  \n,.{}:;"[seed >> 24 & 31];
    }
    scratch_write(&fixture->tree, path, text, len);
    free(text);
}

static void write_noise(const fixture_t *fixture, const char *path, size_t len)
{
    char *noise = malloc(len);
    uint64_t random = 88172645463325252;

    assert_non_null(noise);
    for (size_t i = 0; i != len; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        noise[i] = (char)(random >> 32);
    }
    scratch_write(&fixture->tree, path, noise, len);
    free(noise);
}

static const breaker_variant_t *variant_of(const fixture_t *fixture, const char *path,
                                           breaker_encoding_t encoding)
{
    const breaker_asset_t *asset =
        breaker_store_find(breaker_release_store(fixture->release, 0), path, strlen(path));

    assert_non_null(asset);
    return breaker_asset_variant(asset, encoding);
}

/** Every asset has every encoding, and each is one. */
static void assert_all_encoded(const fixture_t *fixture)
{
    const breaker_store_t *store = breaker_release_store(fixture->release, 0);

    for (size_t i = 0; i != breaker_store_size(store); ++i) {
        const breaker_asset_t *asset = breaker_store_at(store, i);
        const breaker_variant_t *identity = breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);

        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
            const breaker_variant_t *made = breaker_asset_variant(asset, (breaker_encoding_t)e);

            assert_non_null(made);
            assert_true(made->len < identity->len);
            assert_int_equal(breaker__decodes_to((breaker_encoding_t)e, made, identity), 0);
        }
    }
}

/** Calls back for every file in the cache; returns how many there are. */
static size_t each_file(const fixture_t *fixture, void (*on_file)(int fd, const char *name))
{
    int fd = openat(fixture->cache.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fdopendir(fd);
    struct dirent *entry;
    size_t num = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (on_file != NULL)
            on_file(fd, entry->d_name);
        ++num;
    }
    closedir(directory);
    return num;
}

static size_t count_files(const fixture_t *fixture)
{
    return each_file(fixture, NULL);
}

/** Finds the file of the one asset in the tree, or another by its suffix. */
static void find_file(const fixture_t *fixture, const char *suffix, char *ret_name)
{
    DIR *directory = opendir(fixture->cache.path);
    struct dirent *entry;
    bool found = false;

    assert_non_null(directory);
    while (!found && (entry = readdir(directory)) != NULL)
        if ((found = strstr(entry->d_name, suffix) != NULL))
            strcpy(ret_name, entry->d_name);
    closedir(directory);
    assert_true(found);
}

static bool has_file(const fixture_t *fixture, const char *name)
{
    return faccessat(fixture->cache.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- a second run ---- */

static void a_second_run_makes_nothing_and_has_the_same_bytes(void **state)
{
    fixture_t *fixture = *state;
    char etags[3][BREAKER_ETAG_LEN + 1];

    write_text(fixture, "a.css", 5000, 1);
    write_text(fixture, "b.css", 200000, 2);
    assert_int_equal(run(fixture), 6);
    assert_all_encoded(fixture);
    assert_int_equal(count_files(fixture), 6);
    for (int e = 0; e != 3; ++e)
        strcpy(etags[e], variant_of(fixture, "b.css", (breaker_encoding_t)e)->etag);
    assert_int_equal(run(fixture), 0);
    assert_all_encoded(fixture);
    for (int e = 0; e != 3; ++e) {
        const breaker_variant_t *found = variant_of(fixture, "b.css", (breaker_encoding_t)e);

        assert_string_equal(found->etag, etags[e]);
        assert_int_equal(found->memory_fd >= 0, found->len >= BREAKER_SENDFILE_MIN);
    }
    assert_int_equal(fixture->num_lines, 0);
    assert_int_equal(count_files(fixture), 6);
}

static void a_file_is_found_by_its_content_wherever_it_lies(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "a.css", 5000, 1);
    run(fixture);
    assert_int_equal(unlinkat(fixture->tree.fd, "a.css", 0), 0);
    write_text(fixture, "moved/b.js", 5000, 1);
    write_text(fixture, "moved/new.js", 5000, 2);
    assert_int_equal(run(fixture), 3);
    assert_all_encoded(fixture);
}

static void the_same_content_is_encoded_once(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "a.css", 5000, 1);
    write_text(fixture, "b.css", 5000, 1);
    assert_int_equal(run(fixture), 3);
    assert_all_encoded(fixture);
}

static void that_it_is_not_smaller_is_remembered(void **state)
{
    fixture_t *fixture = *state;

    write_noise(fixture, "noise.bin", 3000);
    assert_int_equal(run(fixture), 3);
    assert_int_equal(count_files(fixture), 3);
    assert_int_equal(run(fixture), 0);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_null(variant_of(fixture, "noise.bin", (breaker_encoding_t)e));
}

static void that_there_was_no_room_in_memory_is_not(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "a.css", 5000, 1);
    fixture->view_config.memory_limit = 5100;
    assert_int_equal(run(fixture), 3);
    assert_int_equal(count_files(fixture), 0);
    fixture->view_config.memory_limit = 1 << 20;
    assert_int_equal(run(fixture), 3);
    assert_all_encoded(fixture);
    /* and what is known to be too large for the memory is not made in vain */
    fixture->view_config.memory_limit = 5100;
    assert_int_equal(run(fixture), 0);
    assert_null(variant_of(fixture, "a.css", BREAKER_ENCODING_GZIP));
    assert_int_equal(count_files(fixture), 3);
}

static void without_a_directory_nothing_is_kept(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "a.css", 5000, 1);
    fixture->config.cache_directory = NULL;
    assert_int_equal(run(fixture), 3);
    assert_int_equal(run(fixture), 3);
    assert_int_equal(count_files(fixture), 0);
}

static void the_directory_is_made(void **state)
{
    fixture_t *fixture = *state;
    char path[300];

    write_text(fixture, "a.css", 5000, 1);
    snprintf(path, sizeof(path), "%s/new", fixture->cache.path);
    fixture->config.cache_directory = path;
    assert_int_equal(run(fixture), 3);
    assert_int_equal(run(fixture), 0);
    assert_int_equal(fixture->num_lines, 0);
}

/* ---- what is not believed ---- */

static void overwrite(const fixture_t *fixture, const char *name, const void *base, size_t len)
{
    assert_int_equal(unlinkat(fixture->cache.fd, name, 0), 0);
    scratch_write(&fixture->cache, name, base, len);
}

static void flip_a_byte(const fixture_t *fixture, const char *name)
{
    int fd = openat(fixture->cache.fd, name, O_RDWR | O_CLOEXEC);
    char byte;

    assert_int_equal(pread(fd, &byte, 1, 1000), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, 1000), 1);
    close(fd);
}

static void cut_off(const fixture_t *fixture, const char *name)
{
    int fd = openat(fixture->cache.fd, name, O_RDWR | O_CLOEXEC);

    assert_int_equal(ftruncate(fd, 1500), 0);
    close(fd);
}

static void empty(const fixture_t *fixture, const char *name)
{
    overwrite(fixture, name, "", 0);
}

static void lengthen(const fixture_t *fixture, const char *name)
{
    char bytes[6000] = {0};

    overwrite(fixture, name, bytes, sizeof(bytes));
}

/** a good encoding of something else */
static void exchange(const fixture_t *fixture, const char *name)
{
    static const atomic_bool go_on;
    breaker__pace_t pace = {.stop = &go_on, .percent = 100};
    char text[4000], encoded[4000];
    size_t len;

    memset(text, 'x', sizeof(text));
    assert_int_equal(__real_breaker__encode(BREAKER_ENCODING_GZIP, text, sizeof(text), encoded,
                                            sizeof(encoded), &pace, &len),
                     0);
    overwrite(fixture, name, encoded, len);
}

static void lead_elsewhere(const fixture_t *fixture, const char *name)
{
    assert_int_equal(renameat(fixture->cache.fd, name, fixture->cache.fd, "elsewhere"), 0);
    scratch_link(&fixture->cache, name, "elsewhere");
}

static void make_a_pipe(const fixture_t *fixture, const char *name)
{
    assert_int_equal(unlinkat(fixture->cache.fd, name, 0), 0);
    assert_int_equal(mkfifoat(fixture->cache.fd, name, 0644), 0);
}

static void what_is_not_the_encoding_is_made_again_and_replaced(void **state)
{
    static void (*const spoil[])(const fixture_t *, const char *) = {
        flip_a_byte, cut_off, empty, lengthen, exchange, lead_elsewhere, make_a_pipe};
    fixture_t *fixture = *state;
    char name[256];

    write_text(fixture, "a.css", 5000, 1);
    run(fixture);
    for (size_t i = 0; i != sizeof(spoil) / sizeof(spoil[0]); ++i) {
        find_file(fixture, ".gz-", name);
        spoil[i](fixture, name);
        assert_int_equal(run(fixture), 1);
        assert_all_encoded(fixture);
        assert_int_equal(fixture->num_lines, 1);
        assert_non_null(strstr(fixture->lines[0], name));
        assert_non_null(strstr(fixture->lines[0], fixture->cache.path));
        assert_int_equal(run(fixture), 0);
        assert_int_equal(fixture->num_lines, 0);
    }
}

static void spoil_file(int directory, const char *name)
{
    int fd = openat(directory, name, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write(fd, "?", 1), 1);
    close(fd);
}

static void of_many_files_that_are_not_one_is_told(void **state)
{
    fixture_t *fixture = *state;

    write_text(fixture, "a.css", 5000, 1);
    write_text(fixture, "b.css", 6000, 2);
    run(fixture);
    assert_int_equal(each_file(fixture, spoil_file), 6);
    assert_int_equal(run(fixture), 6);
    assert_int_equal(fixture->num_lines, 1);
    assert_all_encoded(fixture);
    assert_int_equal(run(fixture), 0);
}

static void files_of_another_recipe_are_not_used(void **state)
{
    fixture_t *fixture = *state;
    char name[256], other[256];

    write_text(fixture, "a.css", 5000, 1);
    run(fixture);
    find_file(fixture, ".br-", name);
    snprintf(other, sizeof(other), "%.*s.br-0.0.1-q11.9-1", 64, name);
    assert_int_equal(renameat(fixture->cache.fd, name, fixture->cache.fd, other), 0);
    assert_int_equal(run(fixture), 1);
    assert_true(has_file(fixture, name));
    assert_true(has_file(fixture, other));
}

/* ---- leftovers and strangers ---- */

static void leftovers_of_the_killed_go_and_what_is_written_now_stays(void **state)
{
    fixture_t *fixture = *state;
    int fd;

    write_text(fixture, "a.css", 5000, 1);
    scratch_text(&fixture->cache, "breaker.new-0000000000000001", "left behind");
    scratch_text(&fixture->cache, "breaker.new-0000000000000002", "being written");
    scratch_text(&fixture->cache, "README", "not ours");
    scratch_text(&fixture->cache, "0123.br-1.0.9", "not ours either");
    fd = openat(fixture->cache.fd, "breaker.new-0000000000000002", O_WRONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    fixture->config.cache_max_size = 3 * BREAKER_CACHE_BLOCK;
    run(fixture);
    assert_false(has_file(fixture, "breaker.new-0000000000000001"));
    assert_true(has_file(fixture, "breaker.new-0000000000000002"));
    assert_true(has_file(fixture, "README"));
    assert_true(has_file(fixture, "0123.br-1.0.9"));
    close(fd);
    run(fixture);
    assert_false(has_file(fixture, "breaker.new-0000000000000002"));
}

/* ---- how much ---- */

/** Adds a file that was used so many hours ago, of one block, as a run with other content did. */
static void add_old(const fixture_t *fixture, unsigned number, unsigned hours, char *ret_name)
{
    struct timespec times[2];

    snprintf(ret_name, 128, "%064x.br-1.0.9-q11.9-1", number);
    scratch_text(&fixture->cache, ret_name, "old");
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= (time_t)hours * 3600;
    times[1] = times[0];
    assert_int_equal(utimensat(fixture->cache.fd, ret_name, times, 0), 0);
}

static void what_was_used_longest_ago_goes_first(void **state)
{
    static const unsigned hours[] = {5, 1, 9, 3, 7};
    fixture_t *fixture = *state;
    char names[5][128];

    for (unsigned i = 0; i != 5; ++i)
        add_old(fixture, i, hours[i], names[i]);
    write_text(fixture, "a.css", 500, 1);
    /* three for the asset, two of the five */
    fixture->config.cache_max_size = 5 * BREAKER_CACHE_BLOCK;
    assert_int_equal(run(fixture), 3);
    assert_int_equal(count_files(fixture), 5);
    for (unsigned i = 0; i != 5; ++i)
        assert_int_equal(has_file(fixture, names[i]), hours[i] <= 3);
    assert_int_equal(run(fixture), 0);
    assert_int_equal(fixture->num_lines, 0);
}

static void make_old(int directory, const char *name)
{
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    assert_int_equal(utimensat(directory, name, times, 0), 0);
}

static void what_this_run_uses_is_not_removed_for_what_it_makes(void **state)
{
    fixture_t *fixture = *state;
    char names[3][128];

    write_text(fixture, "b.css", 900, 1);
    run(fixture);
    /* older than all, had the run not said that it will use them */
    each_file(fixture, make_old);
    for (unsigned i = 0; i != 3; ++i)
        add_old(fixture, i, 1 + i, names[i]);
    write_text(fixture, "a.css", 500, 2);
    fixture->config.cache_max_size = 6 * BREAKER_CACHE_BLOCK;
    assert_int_equal(run(fixture), 3);
    assert_int_equal(count_files(fixture), 6);
    for (unsigned i = 0; i != 3; ++i)
        assert_false(has_file(fixture, names[i]));
    assert_int_equal(run(fixture), 0);
}

static char kept[4][BREAKER_CACHE_NAME_MAX];
static size_t num_kept;

static void note_kept(int directory, const char *name)
{
    (void)directory;
    assert_true(num_kept < 4);
    strcpy(kept[num_kept++], name);
}

static void a_site_larger_than_the_cache_is_served_all_the_same(void **state)
{
    fixture_t *fixture = *state;
    char path[32];

    num_kept = 0;

    for (uint32_t i = 0; i != 10; ++i) {
        snprintf(path, sizeof(path), "%u.css", i);
        write_text(fixture, path, 1000, i);
    }
    fixture->config.cache_max_size = 4 * BREAKER_CACHE_BLOCK;
    assert_int_equal(run(fixture), 30);
    assert_all_encoded(fixture);
    assert_int_equal(each_file(fixture, note_kept), 4);
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "max-size"));
    assert_int_equal(run(fixture), 26);
    assert_all_encoded(fixture);
    /* and what it found was not removed for what it made */
    assert_int_equal(count_files(fixture), 4);
    for (size_t i = 0; i != 4; ++i)
        assert_true(has_file(fixture, kept[i]));
}

static void a_smaller_bound_is_kept_from_the_next_run_on(void **state)
{
    fixture_t *fixture = *state;
    char path[32];

    for (uint32_t i = 0; i != 10; ++i) {
        snprintf(path, sizeof(path), "%u.css", i);
        write_text(fixture, path, 1000, i);
    }
    run(fixture);
    assert_int_equal(count_files(fixture), 30);
    fixture->config.cache_max_size = 7 * BREAKER_CACHE_BLOCK;
    run(fixture);
    assert_all_encoded(fixture);
    assert_int_equal(count_files(fixture), 7);
}

/* ---- trouble ---- */

static void a_directory_that_cannot_be_used_is_told_once(void **state)
{
    fixture_t *fixture = *state;
    char path[300];

    write_text(fixture, "a.css", 5000, 1);
    write_text(fixture, "b.css", 5000, 2);
    scratch_text(&fixture->cache, "file", "");
    for (int i = 0; i != 2; ++i) {
        snprintf(path, sizeof(path), "%s/%s", fixture->cache.path, i == 0 ? "no/such" : "file");
        fixture->config.cache_directory = path;
        assert_int_equal(run(fixture), 6);
        assert_all_encoded(fixture);
        assert_int_equal(fixture->num_lines, 1);
        assert_non_null(strstr(fixture->lines[0], path));
        assert_non_null(strstr(fixture->lines[0], i == 0 ? "No such file" : "Not a directory"));
    }
}

static void a_full_disk_is_told_once_and_what_is_there_is_used(void **state)
{
    fixture_t *fixture = *state;
    struct rlimit before, limit;

    write_text(fixture, "a.css", 5000, 1);
    run(fixture);
    write_text(fixture, "b.css", 6000, 2);
    write_text(fixture, "c.css", 6000, 3);
    /* the disk is full, as far as this process can tell */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 100, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(run(fixture), 6);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_all_encoded(fixture);
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "cannot be written to"));
    /* nothing half written is left */
    assert_int_equal(count_files(fixture), 3);
    assert_int_equal(run(fixture), 6);
    assert_int_equal(count_files(fixture), 9);
}

static void a_stop_leaves_the_cache_as_it_is(void **state)
{
    fixture_t *fixture = *state;
    char name[128];

    add_old(fixture, 1, 5, name);
    write_text(fixture, "a.css", 5000, 1);
    fixture->config.cache_max_size = 1;
    atomic_store(&fixture->stop, true);
    assert_int_equal(run(fixture), 0);
    assert_true(has_file(fixture, name));
    assert_int_equal(count_files(fixture), 1);
}

/* ---- several processes ---- */

enum { SHARERS = 4, SHARED_FILES = 12 };

static void *share(void *data)
{
    fixture_t *fixture = data;

    run(fixture);
    assert_all_encoded(fixture);
    return NULL;
}

/** Threads stand for processes: nothing is shared between runs but the directory. */
static void several_at_once_share_a_directory(void **state)
{
    fixture_t *fixture = *state, *sharers = calloc(SHARERS, sizeof(*sharers));
    pthread_t threads[SHARERS];
    char path[32];

    assert_non_null(sharers);
    for (uint32_t i = 0; i != SHARED_FILES; ++i) {
        snprintf(path, sizeof(path), "%u.css", i);
        write_text(fixture, path, 2000 + i * 3000, i);
    }
    for (size_t i = 0; i != SHARERS; ++i) {
        sharers[i].view_config = fixture->view_config;
        sharers[i].config = fixture->config;
        assert_int_equal(pthread_create(&threads[i], NULL, share, &sharers[i]), 0);
    }
    for (size_t i = 0; i != SHARERS; ++i) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sharers[i].num_lines, 0);
        forget(&sharers[i]);
    }
    free(sharers);
    assert_int_equal(count_files(fixture), 3 * SHARED_FILES);
    assert_int_equal(run(fixture), 0);
    assert_all_encoded(fixture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_second_run_makes_nothing_and_has_the_same_bytes),
        CASE(a_file_is_found_by_its_content_wherever_it_lies),
        CASE(the_same_content_is_encoded_once),
        CASE(that_it_is_not_smaller_is_remembered),
        CASE(that_there_was_no_room_in_memory_is_not),
        CASE(without_a_directory_nothing_is_kept),
        CASE(the_directory_is_made),
        CASE(what_is_not_the_encoding_is_made_again_and_replaced),
        CASE(of_many_files_that_are_not_one_is_told),
        CASE(files_of_another_recipe_are_not_used),
        CASE(leftovers_of_the_killed_go_and_what_is_written_now_stays),
        CASE(what_was_used_longest_ago_goes_first),
        CASE(what_this_run_uses_is_not_removed_for_what_it_makes),
        CASE(a_site_larger_than_the_cache_is_served_all_the_same),
        CASE(a_smaller_bound_is_kept_from_the_next_run_on),
        CASE(a_directory_that_cannot_be_used_is_told_once),
        CASE(a_full_disk_is_told_once_and_what_is_there_is_used),
        CASE(a_stop_leaves_the_cache_as_it_is),
        CASE(several_at_once_share_a_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
