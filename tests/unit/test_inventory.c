/*
 * What one load leaves the next one: files to which nothing happened are not opened, all others
 * are, and a table that is not exactly what was written is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <breaker/release.h>
#include "release/blob.h"
#include "release/inventory_layout.h"
#include "release/release.h"
#include "release/store.h"
#include "release/tree.h"
#include "scratch.h"
#include "view/view.h"

#define LARGE_LEN ((size_t)BREAKER_SENDFILE_MIN * 2 + 7)

/* the loads of two processes, one after the other */
typedef struct st_fixture_t {
    scratch_t scratch;
    breaker_view_t *views[2];
    size_t num_views;
    breaker_release_t *release;
    breaker__inventory_t *inventory;
    int fds[BREAKER_INVENTORY_MAX];
    size_t num_fds;
    int opened_fd; /* tells of files of the directory that are opened */
    char large[LARGE_LEN + 1];
} fixture_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view, (void)path;
    *ret_compressible = false;
    return "text/plain";
}

/* adds a view of a directory of the scratch; "" is itself */
static void add_view(fixture_t *fixture, const char *name, const char *directory,
                     uint64_t memory_file_limit)
{
    breaker_view_config_t config;
    char place[4096];

    snprintf(place, sizeof(place), "%s/%s", fixture->scratch.path, directory);
    breaker_view_config_init(&config);
    config.name = name;
    config.directory = place;
    if (memory_file_limit != 0)
        config.memory_file_limit = memory_file_limit;
    assert_int_equal(
        breaker__view_create(&config, fixture->num_views, &fixture->views[fixture->num_views]), 0);
    ++fixture->num_views;
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    scratch_create(&fixture->scratch);
    memset(fixture->large, 'l', LARGE_LEN);
    fixture->opened_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(inotify_add_watch(fixture->opened_fd, fixture->scratch.path, IN_OPEN) >= 0);
    *state = fixture;
    return 0;
}

static void drop_fds(fixture_t *fixture)
{
    for (size_t i = 0; i != fixture->num_fds; ++i)
        close(fixture->fds[i]);
    fixture->num_fds = 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    breaker_release_unref(fixture->release);
    breaker__inventory_free(fixture->inventory);
    drop_fds(fixture);
    close(fixture->opened_fd);
    for (size_t i = 0; i != fixture->num_views; ++i)
        breaker__view_free(fixture->views[i]);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

/* a load that leaves what it had, of files that changed until `latest_ns` */
static void load_until(fixture_t *fixture, int64_t latest_ns)
{
    breaker__release_config_t config = {.hooks = {.type_of = type_of}};
    breaker__loaded_t loaded = {.latest_ns = latest_ns};
    breaker__load_t how = {.inventory = fixture->inventory, .loaded = &loaded};
    breaker_release_t *release;

    if (fixture->num_views == 0)
        add_view(fixture, "static/{breaker}", "", 0);
    config.views = (const breaker_view_t *const *)fixture->views;
    config.num_views = fixture->num_views;
    assert_int_equal(breaker__release_load(&config, &how, &release, NULL), 0);
    drop_fds(fixture);
    fixture->num_fds = breaker__loaded_write(&loaded, fixture->fds);
    breaker__loaded_dispose(&loaded);
    breaker_release_unref(fixture->release);
    fixture->release = release;
}

static void load(fixture_t *fixture)
{
    load_until(fixture, INT64_MAX);
}

/* as another process would: the first one's release goes only afterwards */
static void load_next(fixture_t *fixture)
{
    fixture->inventory = breaker__inventory_open(fixture->fds, fixture->num_fds);
    fixture->num_fds = 0;
    assert_non_null(fixture->inventory);
    load(fixture);
    breaker__inventory_free(fixture->inventory);
    fixture->inventory = NULL;
}

static void write_file(const fixture_t *fixture, const char *path, const char *text)
{
    scratch_write(&fixture->scratch, path, text, strlen(text));
}

static const char *place_of(const fixture_t *fixture, const char *path)
{
    static char place[4096];

    snprintf(place, sizeof(place), "%s/%s", fixture->scratch.path, path);
    return place;
}

static breaker__stamp_t stamp_of(const fixture_t *fixture, const char *path)
{
    breaker__stamp_t stamp;
    struct stat status;
    int fd = open(place_of(fixture, path), O_PATH | O_CLOEXEC);

    assert_int_equal(fstat(fd, &status), 0);
    breaker__stamp_from(&status, &stamp);
    stamp.mount = breaker__tree_mount_of(fd);
    close(fd);
    return stamp;
}

static const breaker_variant_t *body_of(const fixture_t *fixture, const char *path)
{
    const breaker_asset_t *asset =
        breaker_store_find(breaker_release_store(fixture->release, 0), path, strlen(path));

    assert_non_null(asset);
    return breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);
}

static void assert_has(const fixture_t *fixture, const char *path, const char *text)
{
    const breaker_variant_t *body = body_of(fixture, path);

    assert_int_equal(body->len, strlen(text));
    assert_memory_equal(body->base, text, body->len);
}

/* how many files were opened since the last call */
static size_t num_opened(const fixture_t *fixture)
{
    _Alignas(struct inotify_event) char events[16384];
    size_t num = 0;
    ssize_t len;

    while ((len = read(fixture->opened_fd, events, sizeof(events))) > 0)
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *event =
                (const struct inotify_event *)(const void *)(events + at);

            num += (event->mask & IN_ISDIR) == 0;
            at += (ssize_t)sizeof(*event) + (ssize_t)event->len;
        }
    return num;
}

static void write_three(const fixture_t *fixture)
{
    write_file(fixture, "a.css", "a {}");
    write_file(fixture, "b.css", "b {}");
    write_file(fixture, "large.bin", fixture->large);
}

static void load_three(fixture_t *fixture)
{
    write_three(fixture);
    load(fixture);
    num_opened(fixture);
}

static void files_to_which_nothing_happened_are_not_opened(void **state)
{
    fixture_t *fixture = *state;
    breaker_release_id_t before;

    load_three(fixture);
    assert_int_equal(fixture->num_fds, 3);
    before = *breaker_release_id(fixture->release);
    for (int i = 0; i != 3; ++i) {
        load_next(fixture);
        assert_int_equal(num_opened(fixture), 0);
        assert_true(breaker_release_id_equal(breaker_release_id(fixture->release), &before));
        assert_has(fixture, "a.css", "a {}");
        assert_has(fixture, "b.css", "b {}");
        assert_has(fixture, "large.bin", fixture->large);
        assert_true(body_of(fixture, "large.bin")->memory_fd >= 0);
        assert_int_equal(body_of(fixture, "a.css")->memory_fd, -1);
    }
}

static void files_of_the_same_path_in_two_views_are_told_apart(void **state)
{
    fixture_t *fixture = *state;

    write_file(fixture, "one/a.css", "1 {}");
    write_file(fixture, "two/a.css", "2 {}");
    add_view(fixture, "one/{breaker}", "one", 0);
    add_view(fixture, "two/{breaker}", "two", 0);
    load(fixture);
    for (int i = 0; i != 2; ++i) {
        load_next(fixture);
        for (size_t view = 0; view != 2; ++view) {
            const breaker_asset_t *asset = breaker_store_find(
                breaker_release_store(fixture->release, view), "a.css", strlen("a.css"));

            assert_memory_equal(breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY)->base,
                                view == 0 ? "1 {}" : "2 {}", 4);
        }
    }
}

/* the same folder and names in two directories of a view, the first of which goes empty */
static void a_file_of_the_next_directory_comes_in_the_place_of_one_that_is_gone(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config;
    char first[4096], second[4096];
    const char *const further[] = {second};

    write_file(fixture, "one/css/a.css", "1 {}");
    write_file(fixture, "one/css/b.css", "b {}");
    write_file(fixture, "two/css/a.css", "2 {}");
    snprintf(first, sizeof(first), "%s/one", fixture->scratch.path);
    snprintf(second, sizeof(second), "%s/two", fixture->scratch.path);
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = first;
    config.directories = further;
    config.num_directories = 1;
    assert_int_equal(breaker__view_create(&config, 0, &fixture->views[0]), 0);
    fixture->num_views = 1;
    load(fixture);
    assert_has(fixture, "css/a.css", "1 {}");
    assert_int_equal(unlinkat(fixture->scratch.fd, "one/css/a.css", 0), 0);
    for (int i = 0; i != 2; ++i) {
        load_next(fixture);
        assert_has(fixture, "css/a.css", "2 {}");
        assert_has(fixture, "css/b.css", "b {}");
    }
}

static void names_that_were_exchanged_have_the_bytes_of_their_files(void **state)
{
    fixture_t *fixture = *state;

    load_three(fixture);
    assert_int_equal(renameat(fixture->scratch.fd, "a.css", fixture->scratch.fd, "c.css"), 0);
    assert_int_equal(renameat(fixture->scratch.fd, "b.css", fixture->scratch.fd, "a.css"), 0);
    assert_int_equal(renameat(fixture->scratch.fd, "c.css", fixture->scratch.fd, "b.css"), 0);
    for (int i = 0; i != 2; ++i) {
        load_next(fixture);
        assert_has(fixture, "a.css", "b {}");
        assert_has(fixture, "b.css", "a {}");
    }
}

static void paths_that_are_links_to_one_file_have_its_bytes_and_are_not_opened(void **state)
{
    fixture_t *fixture = *state;

    write_three(fixture);
    assert_int_equal(linkat(fixture->scratch.fd, "a.css", fixture->scratch.fd, "link.css", 0), 0);
    load(fixture);
    num_opened(fixture);
    for (int i = 0; i != 2; ++i) {
        load_next(fixture);
        assert_int_equal(num_opened(fixture), 0);
        assert_has(fixture, "a.css", "a {}");
        assert_has(fixture, "link.css", "a {}");
    }
    /* written to by one name, it is another file by both */
    write_file(fixture, "link.css", "A {}");
    load_next(fixture);
    assert_has(fixture, "a.css", "A {}");
    assert_has(fixture, "link.css", "A {}");
}

static void a_file_of_another_mount_is_another_file(void **state)
{
    fixture_t *fixture = *state;
    breaker__inventory_t *inventory;
    breaker__stamp_t stamp;

    load_three(fixture);
    inventory = breaker__inventory_open(fixture->fds, fixture->num_fds);
    fixture->num_fds = 0;
    assert_non_null(inventory);
    stamp = stamp_of(fixture, "a.css");
    assert_non_null(breaker__inventory_find(inventory, &stamp));
    ++stamp.mount;
    assert_null(breaker__inventory_find(inventory, &stamp));
    breaker__inventory_free(inventory);
}

static void replace(const fixture_t *fixture)
{
    write_file(fixture, "new", "B {}");
    assert_int_equal(renameat(fixture->scratch.fd, "new", fixture->scratch.fd, "b.css"), 0);
}

static void rewrite(const fixture_t *fixture)
{
    write_file(fixture, "b.css", "B {}");
}

/* of the same size, and with the time of before */
static void rewrite_with_its_time(const fixture_t *fixture)
{
    breaker__stamp_t stamp = stamp_of(fixture, "b.css");
    struct timespec times[2] = {stamp.mtime, stamp.mtime};

    write_file(fixture, "b.css", "B {}");
    assert_int_equal(utimensat(fixture->scratch.fd, "b.css", times, 0), 0);
}

static void truncate_it(const fixture_t *fixture)
{
    write_file(fixture, "b.css", "B");
}

static void link_it(const fixture_t *fixture)
{
    write_file(fixture, "new.css", "B {}");
    assert_int_equal(unlinkat(fixture->scratch.fd, "b.css", 0), 0);
    scratch_link(&fixture->scratch, "b.css", "new.css");
}

static void files_to_which_anything_happened_are_read(void **state)
{
    static const struct {
        void (*change)(const fixture_t *fixture);
        const char *text;
    } cases[] = {{replace, "B {}"},
                 {rewrite, "B {}"},
                 {rewrite_with_its_time, "B {}"},
                 {truncate_it, "B"},
                 {link_it, "B {}"}};
    fixture_t *fixture = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        unlinkat(fixture->scratch.fd, "new.css", 0);
        unlinkat(fixture->scratch.fd, "b.css", 0);
        load_three(fixture);
        cases[i].change(fixture);
        num_opened(fixture);
        load_next(fixture);
        assert_true(num_opened(fixture) != 0);
        assert_has(fixture, "a.css", "a {}");
        assert_has(fixture, "b.css", cases[i].text);
    }
}

static void a_file_that_was_touched_is_read(void **state)
{
    fixture_t *fixture = *state;

    load_three(fixture);
    assert_int_equal(utimensat(fixture->scratch.fd, "b.css", NULL, 0), 0);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 1);
    assert_has(fixture, "b.css", "b {}");
}

static void a_file_of_a_time_that_has_no_number_is_known_again(void **state)
{
    /* the year 5138, where the file system has it; nanoseconds end in 2262 */
    const struct timespec times[2] = {{.tv_sec = 100000000000}, {.tv_sec = 100000000000}};
    fixture_t *fixture = *state;

    write_three(fixture);
    assert_int_equal(utimensat(fixture->scratch.fd, "b.css", times, 0), 0);
    load(fixture);
    num_opened(fixture);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 0);
    assert_has(fixture, "b.css", "b {}");
}

static void a_file_that_had_just_changed_is_read_once_more(void **state)
{
    fixture_t *fixture = *state;
    breaker__stamp_t stamp;

    write_file(fixture, "a.css", "a {}");
    stamp = stamp_of(fixture, "a.css");
    load_until(fixture, breaker__stamp_ctime_ns(&stamp) - 1);
    num_opened(fixture);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 1);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 0);
}

static void what_changed_a_moment_ago_is_not_remembered(void **state)
{
    breaker__loaded_t loaded;
    struct timespec now;

    (void)state;
    breaker__loaded_begin(&loaded);
    clock_gettime(CLOCK_REALTIME, &now);
    assert_true(loaded.latest_ns <= (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - 2000000000);
}

static void files_that_stay_on_disk_are_opened_and_not_hashed_again(void **state)
{
    fixture_t *fixture = *state;

    add_view(fixture, "static/{breaker}", "", 3);
    load_three(fixture);
    assert_int_equal(fixture->num_fds, 1);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 3);
    assert_true(body_of(fixture, "large.bin")->fd >= 0);
    assert_int_equal(lseek(body_of(fixture, "large.bin")->fd, 0, SEEK_CUR), 0);
}

/* ---- tables that are none ---- */

/* a table with these bytes, and the seals */
static int table_of(const void *base, size_t len, int seals)
{
    int fd = memfd_create("table", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, base, len), len);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* opens a table with the memory files of the fixture */
static breaker__inventory_t *open_table(const fixture_t *fixture, const void *base, size_t len,
                                        int seals)
{
    int fds[BREAKER_INVENTORY_MAX];

    fds[0] = table_of(base, len, seals);
    for (size_t i = 1; i != fixture->num_fds; ++i)
        assert_true((fds[i] = fcntl(fixture->fds[i], F_DUPFD_CLOEXEC, 0)) >= 0);
    return breaker__inventory_open(fds, fixture->num_fds);
}

static size_t read_table(const fixture_t *fixture, char *dst, size_t size)
{
    ssize_t len = pread(fixture->fds[0], dst, size, 0);

    assert_true(len > 0 && (size_t)len < size);
    return (size_t)len;
}

static void a_table_with_any_byte_changed_is_none(void **state)
{
    fixture_t *fixture = *state;
    char table[4096];
    size_t len;

    load_three(fixture);
    len = read_table(fixture, table, sizeof(table));
    for (size_t i = 0; i != len; ++i) {
        table[i] ^= 1;
        assert_null(open_table(fixture, table, len, SEALS));
        table[i] ^= 1;
    }
}

static void a_table_of_any_other_length_is_none(void **state)
{
    fixture_t *fixture = *state;
    char table[4096] = {0};
    size_t len;

    load_three(fixture);
    len = read_table(fixture, table, sizeof(table));
    for (size_t i = 0; i != len + 100; ++i) {
        breaker__inventory_t *inventory = open_table(fixture, table, i, SEALS);

        assert_int_equal(inventory != NULL, i == len);
        breaker__inventory_free(inventory);
    }
}

/* it would take as much memory as it says that it is long */
static void a_table_with_holes_is_none(void **state)
{
    int fd = memfd_create("table", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
    assert_null(breaker__inventory_open(&fd, 1));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void a_table_that_somebody_could_write_to_is_none(void **state)
{
    fixture_t *fixture = *state;
    char table[4096];
    size_t len;

    load_three(fixture);
    len = read_table(fixture, table, sizeof(table));
    assert_null(open_table(fixture, table, len, F_SEAL_SHRINK | F_SEAL_GROW));
    assert_null(open_table(fixture, table, len, F_SEAL_WRITE | F_SEAL_GROW));
}

/* a table whose records say something else, under a digest that is right */
static breaker__inventory_t *open_forged(const fixture_t *fixture,
                                         void (*forge)(breaker__record_t *record))
{
    _Alignas(breaker__inventory_header_t) char table[4096];
    size_t len = read_table(fixture, table, sizeof(table));
    breaker__inventory_header_t *header = (breaker__inventory_header_t *)(void *)table;
    breaker__record_t *records =
        (breaker__record_t *)(void *)(table + len - header->num_records * sizeof(*records));

    for (size_t i = 0; i != header->num_records; ++i)
        forge(records + i);
    assert_true(breaker__inventory_digest(header + 1, len - sizeof(*header), header->digest));
    return open_table(fixture, table, len, SEALS);
}

static void forge_far(breaker__record_t *record)
{
    record->offset = UINT64_MAX / 4096 * 4096;
}

/* behind the last body, where there are no pages */
static void forge_hole(breaker__record_t *record)
{
    record->offset = BREAKER_SEALED_FILE / 4096 / 2 * 4096;
}

static void forge_long(breaker__record_t *record)
{
    record->size = UINT64_MAX - record->offset + 1;
}

static void forge_odd(breaker__record_t *record)
{
    record->offset += 1;
}

static void forge_file(breaker__record_t *record)
{
    record->file = 7;
}

static void forge_empty(breaker__record_t *record)
{
    record->size = 0;
}

static void records_that_lie_nowhere_are_left_out(void **state)
{
    static void (*const forges[])(breaker__record_t * record) = {
        forge_far, forge_hole, forge_long, forge_odd, forge_file, forge_empty};
    fixture_t *fixture = *state;
    breaker__stamp_t stamp;

    load_three(fixture);
    for (size_t i = 0; i != sizeof(forges) / sizeof(forges[0]); ++i) {
        breaker__inventory_t *inventory = open_forged(fixture, forges[i]);

        assert_non_null(inventory);
        stamp = stamp_of(fixture, "a.css");
        assert_true(stamp.mount != 0);
        assert_null(breaker__inventory_find(inventory, &stamp));
        breaker__inventory_free(inventory);
    }
}

static void a_memory_file_that_somebody_could_write_to_is_not_used(void **state)
{
    fixture_t *fixture = *state;

    load_three(fixture);
    for (size_t i = 1; i != fixture->num_fds; ++i) {
        close(fixture->fds[i]);
        fixture->fds[i] = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fixture->fds[i], 64 << 20), 0);
    }
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 3);
    assert_has(fixture, "a.css", "a {}");
}

/* ---- what memory is kept for ---- */

static void a_file_most_of_which_is_dead_is_not_adopted(void **state)
{
    enum { NUM = 160 };
    fixture_t *fixture = *state;

    for (int i = 0; i != NUM; ++i) {
        char path[16];

        snprintf(path, sizeof(path), "%d.bin", i);
        memcpy(fixture->large, path, strlen(path));
        write_file(fixture, path, fixture->large);
    }
    load(fixture);
    for (int i = 1; i != NUM; ++i) {
        char path[16];

        snprintf(path, sizeof(path), "%d.bin", i);
        assert_int_equal(unlinkat(fixture->scratch.fd, path, 0), 0);
    }
    num_opened(fixture);
    /* it is adopted once more, with what is dead in it, and then no more */
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 0);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 1);
    load_next(fixture);
    assert_int_equal(num_opened(fixture), 0);
}

static void memory_files_are_brought_together_where_many_came_to_be(void **state)
{
    enum { NUM = 40, FILES_MAX = 1 + 16 + 2 };
    fixture_t *fixture = *state;
    char path[16], text[16];
    bool has_been_many = false;

    for (int i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%d.css", i);
        write_file(fixture, path, path);
    }
    load(fixture);
    for (int i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%d.css", i);
        snprintf(text, sizeof(text), "new %d", i);
        write_file(fixture, path, text);
        load_next(fixture);
        assert_true(fixture->num_fds <= FILES_MAX);
        has_been_many = has_been_many || fixture->num_fds == FILES_MAX;
        assert_has(fixture, path, text);
    }
    assert_true(has_been_many);
    for (int i = 0; i != NUM; ++i) {
        snprintf(path, sizeof(path), "%d.css", i);
        snprintf(text, sizeof(text), "new %d", i);
        assert_has(fixture, path, text);
    }
}

/* before Linux 6.8 files of different mounts are not told apart, and all are read */
static bool has_mounts(void)
{
    int fd = open("/", O_PATH | O_CLOEXEC);
    uint64_t mount = breaker__tree_mount_of(fd);

    close(fd);
    return mount != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_to_which_nothing_happened_are_not_opened, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(files_of_the_same_path_in_two_views_are_told_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_file_of_the_next_directory_comes_in_the_place_of_one_that_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_were_exchanged_have_the_bytes_of_their_files,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            paths_that_are_links_to_one_file_have_its_bytes_and_are_not_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_mount_is_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(files_to_which_anything_happened_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_touched_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_a_time_that_has_no_number_is_known_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_that_had_just_changed_is_read_once_more, setup,
                                        teardown),
        cmocka_unit_test(what_changed_a_moment_ago_is_not_remembered),
        cmocka_unit_test_setup_teardown(files_that_stay_on_disk_are_opened_and_not_hashed_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_with_any_byte_changed_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_of_any_other_length_is_none, setup, teardown),
        cmocka_unit_test(a_table_with_holes_is_none),
        cmocka_unit_test_setup_teardown(a_table_that_somebody_could_write_to_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(records_that_lie_nowhere_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_memory_file_that_somebody_could_write_to_is_not_used,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_most_of_which_is_dead_is_not_adopted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(memory_files_are_brought_together_where_many_came_to_be,
                                        setup, teardown),
    };

    if (!has_mounts()) {
        print_message("skipped: the kernel does not tell mounts apart\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
