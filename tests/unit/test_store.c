/*
 * The index over paths and the variants of an asset, without a tree: stores are made of a list of
 * paths. Every path looked up ends at a guard page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard.h"
#include "release/digest.h"
#include "release/disk.h"
#include "release/store.h"
#include "scratch.h"
#include "stores.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* of every store of this program */
static breaker__blobs_t *blobs;

static breaker_view_t *make_view(const char *index)
{
    breaker_view_config_t config;
    breaker_view_t *view;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent";
    config.index = index;
    config.memory_limit = 1000;
    assert_int_equal(breaker__view_create(&config, 0, &view), 0);
    return view;
}

/** Makes a store with an index of paths in bytewise order. */
static breaker_store_t *make_store(const breaker_view_t *view, const char *const *paths, size_t num)
{
    breaker_store_t *store = stores_create(view, blobs, paths, num);

    assert_non_null(store);
    return store;
}

/** Looks a path up from memory that ends with it. */
static const breaker_asset_t *find(const breaker_store_t *store, const char *path, size_t len)
{
    char *guarded = guarded_copy(path, len);
    const breaker_asset_t *asset = breaker_store_find(store, guarded, len);

    guarded_free(guarded, len);
    return asset;
}

static void assert_found(const breaker_store_t *store, const char *path, const char *expected)
{
    const breaker_asset_t *asset = find(store, path, strlen(path));

    if (expected == NULL) {
        assert_null(asset);
        return;
    }
    assert_non_null(asset);
    assert_string_equal(stores_path(store, asset), expected);
}

static void paths_are_found_and_their_neighbours_are_not(void **state)
{
    static const char *const paths[] = {
        "a", "a.css", "b/c.js", "css/site.css", "i/1.png", "js/application-1234.min.js"};
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store = make_store(view, paths, 6);

    (void)state;
    assert_int_equal(breaker_store_size(store), 6);
    assert_ptr_equal(breaker__store_view(store), view);
    for (size_t i = 0; i != 6; ++i) {
        assert_found(store, paths[i], paths[i]);
        assert_string_equal(breaker_store_path(store, i, NULL), paths[i]);
    }
    assert_found(store, "", NULL);
    assert_found(store, "/", NULL);
    assert_found(store, "css", NULL);
    assert_found(store, "css/", NULL);
    assert_found(store, "/a", NULL);
    assert_found(store, "a/", NULL);
    assert_found(store, "A", NULL);
    assert_found(store, "css/site.cs", NULL);
    assert_found(store, "css/site.css2", NULL);
    assert_found(store, "js/application-1234.min.jS", NULL);
    assert_null(find(store, "a\0", 2));
    assert_null(find(store, "css/site.css\0", 13));
    breaker__store_free(store);
    breaker__view_free(view);
}

/** Every length from 1 on, and for each every way to be one byte different. */
static void paths_of_every_length_are_told_apart(void **state)
{
    enum { LENGTHS = 70 };
    const char *paths[LENGTHS];
    char texts[LENGTHS][LENGTHS + 1];
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store;

    (void)state;
    for (size_t i = 0; i != LENGTHS; ++i) {
        for (size_t at = 0; at <= i; ++at)
            texts[i][at] = (char)('a' + at % 7);
        texts[i][i + 1] = '\0';
        paths[i] = texts[i];
    }
    store = make_store(view, paths, LENGTHS);
    for (size_t i = 0; i != LENGTHS; ++i) {
        assert_ptr_equal(find(store, texts[i], i + 1), breaker_store_at(store, i));
        for (size_t at = 0; at <= i; ++at) {
            texts[i][at] ^= 0x10;
            assert_null(find(store, texts[i], i + 1));
            texts[i][at] ^= 0x10;
        }
    }
    breaker__store_free(store);
    breaker__view_free(view);
}

static void a_path_longer_than_any_asset_is_not_found(void **state)
{
    static const char *const paths[] = {"aaaa"};
    const size_t lens[] = {65536 + 4, 4096, 1 << 20};
    breaker_view_t *view = make_view("index.html");
    breaker_store_t *store = make_store(view, paths, 1);
    char *path = malloc(1 << 20);

    (void)state;
    assert_non_null(path);
    memset(path, 'a', 1 << 20);
    for (size_t i = 0; i != 3; ++i)
        assert_null(find(store, path, lens[i]));
    free(path);
    breaker__store_free(store);
    breaker__view_free(view);
}

static void the_index_file_answers_for_its_directory(void **state)
{
    static const char *const paths[] = {"docs/a/index.html", "docs/b/page.html",
                                        "docs/c/myindex.html", "docs/index.html2", "index.html"};
    breaker_view_t *view = make_view("index.html");
    breaker_store_t *store = make_store(view, paths, 5);

    (void)state;
    assert_found(store, "", "index.html");
    assert_found(store, "index.html", "index.html");
    assert_found(store, "docs/a/", "docs/a/index.html");
    assert_found(store, "docs/a/index.html", "docs/a/index.html");
    assert_found(store, "docs/a", NULL);
    assert_found(store, "docs/", NULL);
    assert_found(store, "docs/b/", NULL);
    assert_found(store, "docs/c/", NULL);
    assert_found(store, "docs/c/my", NULL);
    assert_found(store, "/", NULL);
    assert_null(breaker__store_find_exact(store, "docs/a/", 7));
    assert_non_null(breaker__store_find_exact(store, "docs/a/index.html", 17));
    breaker__store_free(store);
    breaker__view_free(view);
}

static void without_an_index_option_directories_are_not_found(void **state)
{
    static const char *const paths[] = {"docs/index.html", "index.html"};
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store = make_store(view, paths, 2);

    (void)state;
    assert_found(store, "", NULL);
    assert_found(store, "docs/", NULL);
    assert_found(store, "docs/index.html", "docs/index.html");
    breaker__store_free(store);
    breaker__view_free(view);
}

static void an_empty_store_finds_nothing(void **state)
{
    breaker_view_t *view = make_view("index.html");
    breaker_store_t *store = make_store(view, NULL, 0);

    (void)state;
    assert_found(store, "", NULL);
    assert_found(store, "x", NULL);
    assert_int_equal(breaker_store_size(store), 0);
    breaker__store_free(store);
    breaker__view_free(view);
}

static void a_hundred_thousand_paths_are_found(void **state)
{
    enum { NUM = 100000, LEN = 32 };
    char(*texts)[LEN] = calloc(NUM, LEN);
    const char **paths = calloc(NUM, sizeof(*paths));
    breaker_view_t *view = make_view("index.html");
    breaker_store_t *store;

    (void)state;
    assert_non_null(texts);
    assert_non_null(paths);
    for (size_t i = 0; i != NUM; ++i) {
        snprintf(texts[i], LEN, "d%02zu/%06zu/index.html", i / 1000, i);
        paths[i] = texts[i];
    }
    store = make_store(view, paths, NUM);
    for (size_t i = 0; i != NUM; ++i) {
        size_t len = strlen(texts[i]);

        assert_ptr_equal(breaker_store_find(store, texts[i], len), breaker_store_at(store, i));
        assert_ptr_equal(breaker_store_find(store, texts[i], len - 10), breaker_store_at(store, i));
        assert_null(breaker_store_find(store, texts[i], len - 1));
    }
    breaker__store_free(store);
    breaker__view_free(view);
    free(paths);
    free(texts);
}

static void the_first_acceptable_variant_is_chosen(void **state)
{
    static const struct {
        breaker_acceptable_t acceptable;
        int expected;
    } cases[] = {
        {{4,
          {BREAKER_ENCODING_BROTLI, BREAKER_ENCODING_ZSTD, BREAKER_ENCODING_GZIP,
           BREAKER_ENCODING_IDENTITY}},
         BREAKER_ENCODING_ZSTD},
        {{2, {BREAKER_ENCODING_GZIP, BREAKER_ENCODING_ZSTD}}, BREAKER_ENCODING_GZIP},
        {{2, {BREAKER_ENCODING_IDENTITY, BREAKER_ENCODING_ZSTD}}, BREAKER_ENCODING_IDENTITY},
        {{2, {BREAKER_ENCODING_BROTLI, BREAKER_ENCODING_IDENTITY}}, BREAKER_ENCODING_IDENTITY},
        {{1, {BREAKER_ENCODING_BROTLI}}, -1},
        {{0, {0}}, -1},
    };
    breaker_variant_t variants[BREAKER_ENCODINGS];
    breaker_asset_t asset = {.type = "x"};

    (void)state;
    for (int e = BREAKER_ENCODING_ZSTD; e != BREAKER_ENCODINGS; ++e) {
        variants[e] = (breaker_variant_t){.encoding = (breaker_encoding_t)e, .fd = -1};
        breaker__asset_set_variant(&asset, &variants[e]);
    }
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        assert_ptr_equal(breaker_asset_choose(&asset, &cases[i].acceptable),
                         cases[i].expected < 0 ? NULL : &variants[cases[i].expected]);
}

static void kinds_are_made_once(void **state)
{
    static const char *const paths[] = {"a"};
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store = make_store(view, paths, 1), *other = make_store(view, paths, 1);
    breaker__traits_t traits;
    const breaker__kind_t *first;
    char type[32];

    (void)state;
    snprintf(type, sizeof(type), "text/css");
    traits = breaker__traits_of_type(type, true);
    first = breaker__store_kind(store, &traits);
    assert_ptr_not_equal(first->type, type);
    assert_string_equal(first->type, "text/css");
    for (int i = 0; i != 100; ++i) {
        snprintf(type, sizeof(type), "text/x-%d", i);
        traits = breaker__traits_of_type(type, false);
        assert_string_equal(breaker__store_kind(store, &traits)->type, type);
    }
    traits = breaker__traits_of_type("text/css", true);
    assert_ptr_equal(breaker__store_kind(store, &traits), first);
    assert_ptr_equal(breaker__store_kind(other, &traits), first);
    traits.compressible = false;
    assert_ptr_not_equal(breaker__store_kind(store, &traits), first);
    breaker__store_free(store);
    breaker__store_free(other);
    breaker__view_free(view);
}

static void headers_and_codings_make_kinds_of_their_own(void **state)
{
    static const char *const paths[] = {"a"};
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store = make_store(view, paths, 1), *other = make_store(view, paths, 1);
    breaker__traits_t traits = breaker__traits_of_type("text/css", false);
    const breaker__kind_t *kinds[5];
    char header[] = "X-A: 1";

    (void)state;
    kinds[0] = breaker__store_kind(store, &traits);
    traits.coding = BREAKER_ENCODING_GZIP;
    kinds[1] = breaker__store_kind(store, &traits);
    assert_false(kinds[1]->encodings);
    traits.num_headers = 1;
    traits.headers[0] = "X-A: 2";
    kinds[2] = breaker__store_kind(store, &traits);
    traits.headers[0] = header;
    kinds[3] = breaker__store_kind(store, &traits);
    traits.num_headers = 2;
    traits.headers[1] = "X-B: 1";
    kinds[4] = breaker__store_kind(store, &traits);
    assert_ptr_equal(breaker__store_kind(other, &traits), kinds[4]);
    for (size_t i = 0; i != sizeof(kinds) / sizeof(kinds[0]); ++i)
        for (size_t j = 0; j != i; ++j)
            assert_ptr_not_equal(kinds[i], kinds[j]);
    memset(header, 'x', sizeof(header) - 1);
    assert_memory_equal(kinds[4]->headers, "X-A: 1\0X-B: 1\0", 15);
    breaker__store_free(store);
    breaker__store_free(other);
    breaker__view_free(view);
}

static void memory_is_counted_up_to_the_limit_of_the_view(void **state)
{
    static const char *const paths[] = {"a"};
    breaker_view_t *view = make_view(NULL);
    breaker_store_t *store = make_store(view, paths, 1);
    size_t before = breaker__store_memory(store);

    (void)state;
    assert_true(before >= sizeof(*store));
    assert_int_equal(breaker__store_room(store), 1000);
    breaker__store_add_body(store, 600);
    assert_int_equal(breaker__store_memory(store), before + 600);
    assert_int_equal(breaker__store_room(store), 400);
    breaker__store_add_body(store, 400);
    assert_int_equal(breaker__store_room(store), 0);
    /* bytes that another release brought are used, limit or not */
    breaker__store_add_body(store, 500);
    assert_int_equal(breaker__store_room(store), 0);
    breaker__store_free(store);
    breaker__view_free(view);
}

static void texts_longer_than_a_block_have_their_own(void **state)
{
    char *longer = malloc(3 * BREAKER_ARENA_BLOCK);
    const char *copies[3];
    breaker__arena_t arena;

    (void)state;
    assert_non_null(longer);
    memset(longer, 'x', 3 * BREAKER_ARENA_BLOCK);
    breaker__arena_init(&arena);
    copies[0] = breaker__arena_copy(&arena, "first", 5);
    copies[1] = breaker__arena_copy(&arena, longer, 3 * BREAKER_ARENA_BLOCK);
    copies[2] = breaker__arena_copy(&arena, "second", 6);
    assert_string_equal(copies[0], "first");
    assert_int_equal(strlen(copies[1]), 3 * BREAKER_ARENA_BLOCK);
    /* the block that was begun is filled on */
    assert_ptr_equal(copies[2], copies[0] + 6);
    breaker__arena_dispose(&arena);
    assert_int_equal(arena.memory, 0);
    free(longer);
}

/* ---- variants on disk ---- */

/* gives a variant the entity tag of what its file holds now */
static void name_content(breaker_variant_t *variant)
{
    char *bytes = malloc(variant->len + 1);
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__hasher_t hasher;

    assert_int_equal(breaker__hasher_init(&hasher), 0);
    assert_int_equal(pread(variant->fd, bytes, variant->len, 0), variant->len);
    assert_int_equal(breaker__hash(&hasher, bytes, variant->len, digest), 0);
    breaker__etag_format(digest, variant->etag);
    breaker__hasher_dispose(&hasher);
    free(bytes);
}

static breaker_variant_t open_variant(const scratch_t *scratch, const char *path)
{
    breaker_variant_t variant = {.encoding = BREAKER_ENCODING_IDENTITY};
    breaker__stamp_t stamp;
    struct stat status;

    variant.fd = openat(scratch->fd, path, O_RDONLY | O_CLOEXEC);
    assert_true(variant.fd >= 0);
    assert_int_equal(fstat(variant.fd, &status), 0);
    breaker__stamp_from(&status, &stamp);
    assert_non_null(variant._disk = breaker__disk_create(&stamp));
    variant.len = (uint64_t)status.st_size;
    name_content(&variant);
    return variant;
}

static void close_variant(breaker_variant_t *variant)
{
    close(variant->fd);
    breaker__disk_free(variant->_disk);
}

/* what the loader does with a file that is posted */
static breaker_file_state_t check(breaker_variant_t *variant)
{
    variant->_disk->variant = variant;
    return breaker__disk_check(variant->_disk, NULL);
}

static void any_part_of_a_file_is_read(void **state)
{
    char *bytes = malloc(100000), *part;
    static const size_t lens[] = {0, 1, 4096, 65536, 100000};
    breaker_variant_t variant;
    scratch_t scratch;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i != 100000; ++i)
        bytes[i] = (char)(i * 7 % 251);
    scratch_create(&scratch);
    scratch_write(&scratch, "file", bytes, 100000);
    variant = open_variant(&scratch, "file");
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        uint64_t offset = 100000 - lens[i];

        part = guarded_alloc(lens[i]);
        assert_int_equal(breaker_variant_read(&variant, offset, part, lens[i]), 0);
        assert_memory_equal(part, bytes + offset, lens[i]);
        assert_int_equal(breaker_variant_read(&variant, 0, part, lens[i]), 0);
        assert_memory_equal(part, bytes, lens[i]);
        guarded_free(part, lens[i]);
    }
    close_variant(&variant);
    scratch_remove(&scratch);
    free(bytes);
}

static void overwrite(const scratch_t *scratch)
{
    int fd = openat(scratch->fd, "file", O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    close(fd);
}

static void grow(const scratch_t *scratch)
{
    int fd = openat(scratch->fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(write(fd, "X", 1), 1);
    close(fd);
}

static void shrink(const scratch_t *scratch)
{
    int fd = openat(scratch->fd, "file", O_WRONLY | O_CLOEXEC);

    assert_int_equal(ftruncate(fd, 3), 0);
    close(fd);
}

static void set_back(const scratch_t *scratch)
{
    struct stat status;
    struct timespec times[2];

    assert_int_equal(fstatat(scratch->fd, "file", &status, 0), 0);
    overwrite(scratch);
    times[0] = status.st_atim;
    times[1] = status.st_mtim;
    assert_int_equal(utimensat(scratch->fd, "file", times, 0), 0);
}

static void put_away_and_back(const scratch_t *scratch)
{
    assert_int_equal(renameat(scratch->fd, "file", scratch->fd, "elsewhere"), 0);
    assert_int_equal(renameat(scratch->fd, "elsewhere", scratch->fd, "file"), 0);
}

static void touch(const scratch_t *scratch)
{
    assert_int_equal(utimensat(scratch->fd, "file", NULL, 0), 0);
}

static void write_the_same(const scratch_t *scratch)
{
    scratch_text(scratch, "file", "some text");
}

static void link_it(const scratch_t *scratch)
{
    (void)unlinkat(scratch->fd, "link", 0);
    assert_int_equal(linkat(scratch->fd, "file", scratch->fd, "link", 0), 0);
}

static void unlink_it(const scratch_t *scratch)
{
    (void)unlinkat(scratch->fd, "file", 0);
}

static void close_to_others(const scratch_t *scratch)
{
    assert_int_equal(fchmodat(scratch->fd, "file", 0600, 0), 0);
}

/* a change within one tick of the file system's clock would not show in its change time */
static void change(const breaker_variant_t *variant, const scratch_t *scratch,
                   void (*apply)(const scratch_t *))
{
    struct stat before, after;

    do {
        assert_int_equal(fstat(variant->fd, &before), 0);
        apply(scratch);
        assert_int_equal(fstat(variant->fd, &after), 0);
    } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) == 0);
}

static breaker_variant_t write_and_open(scratch_t *scratch)
{
    struct timespec past[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    scratch_create(scratch);
    scratch_text(scratch, "file", "some text");
    assert_int_equal(utimensat(scratch->fd, "file", past, 0), 0);
    return open_variant(scratch, "file");
}

static void assert_read(const breaker_variant_t *variant)
{
    char part[8];

    assert_int_equal(breaker_variant_probe(variant), BREAKER_FILE_SOUND);
    assert_int_equal(breaker_variant_read(variant, 1, part, 8), 0);
    assert_memory_equal(part, "ome text", 8);
}

static void assert_not_read(const breaker_variant_t *variant, breaker_file_state_t state)
{
    char part[8];

    assert_int_equal(breaker_variant_probe(variant), state);
    assert_int_equal(breaker_variant_read(variant, 0, part, 8), BREAKER_ERR_CHANGED);
}

/* how often a test has reads of the library counted; the linker routes its pread through here */
static size_t num_preads, num_read;
ssize_t __real_pread(int fd, void *dst, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *dst, size_t len, off_t offset);

ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t offset)
{
    ++num_preads;
    num_read += len;
    return __real_pread(fd, dst, len, offset);
}

ssize_t __wrap_pread64(int fd, void *dst, size_t len, off_t offset)
{
    return __wrap_pread(fd, dst, len, offset);
}

static void a_file_that_was_unlinked_or_has_another_mode_is_sent_unread(void **state)
{
    static void (*const changes[])(const scratch_t *) = {unlink_it, close_to_others, link_it};

    (void)state;
    for (size_t i = 0; i != COUNT(changes); ++i) {
        scratch_t scratch;
        breaker_variant_t variant = write_and_open(&scratch);

        change(&variant, &scratch, changes[i]);
        num_preads = num_read = 0;
        assert_read(&variant);
        assert_read(&variant);
        /* the bytes that were asked for, and no others */
        assert_int_equal(num_preads, 2);
        assert_int_equal(num_read, 16);
        assert_int_equal(check(&variant), BREAKER_FILE_SOUND);
        assert_read(&variant);
        close_variant(&variant);
        scratch_remove(&scratch);
    }
}

static void a_file_that_was_moved_or_touched_has_its_bytes_still(void **state)
{
    static void (*const changes[])(const scratch_t *) = {put_away_and_back, touch, write_the_same};

    (void)state;
    for (size_t i = 0; i != COUNT(changes); ++i) {
        scratch_t scratch;
        breaker_variant_t variant = write_and_open(&scratch);

        change(&variant, &scratch, changes[i]);
        num_preads = 0;
        assert_int_equal(breaker_variant_probe(&variant), BREAKER_FILE_SUSPECT);
        assert_int_equal(num_preads, 0);
        assert_not_read(&variant, BREAKER_FILE_SUSPECT);
        assert_int_equal(check(&variant), BREAKER_FILE_SOUND);
        assert_read(&variant);
        /* and once that is known, the next change is compared with it */
        change(&variant, &scratch, close_to_others);
        assert_read(&variant);
        close_variant(&variant);
        scratch_remove(&scratch);
    }
}

static void a_file_that_changed_is_not_sent(void **state)
{
    static void (*const changes[])(const scratch_t *) = {overwrite, grow, shrink, set_back};

    (void)state;
    for (size_t i = 0; i != COUNT(changes); ++i) {
        scratch_t scratch;
        breaker_variant_t variant = write_and_open(&scratch);
        char part[8];

        assert_int_equal(breaker_variant_read(&variant, 0, part, 8), 0);
        change(&variant, &scratch, changes[i]);
        assert_not_read(&variant, BREAKER_FILE_SUSPECT);
        assert_int_equal(check(&variant), BREAKER_FILE_CHANGED);
        assert_not_read(&variant, BREAKER_FILE_CHANGED);
        close_variant(&variant);
        scratch_remove(&scratch);
    }
}

static void a_file_that_gets_its_bytes_back_is_sent_again(void **state)
{
    scratch_t scratch;
    breaker_variant_t variant = write_and_open(&scratch);

    (void)state;
    change(&variant, &scratch, overwrite);
    assert_int_equal(check(&variant), BREAKER_FILE_CHANGED);
    assert_int_equal(breaker_variant_probe(&variant), BREAKER_FILE_CHANGED);
    change(&variant, &scratch, write_the_same);
    assert_int_equal(breaker_variant_probe(&variant), BREAKER_FILE_SUSPECT);
    assert_int_equal(check(&variant), BREAKER_FILE_SOUND);
    assert_read(&variant);
    close_variant(&variant);
    scratch_remove(&scratch);
}

static void a_check_that_is_stopped_finds_nothing_out(void **state)
{
    atomic_bool stop = true;
    scratch_t scratch;
    breaker_variant_t variant = write_and_open(&scratch);

    (void)state;
    change(&variant, &scratch, touch);
    variant._disk->variant = &variant;
    assert_int_equal(breaker__disk_check(variant._disk, &stop), BREAKER_FILE_SUSPECT);
    assert_int_equal(breaker_variant_probe(&variant), BREAKER_FILE_SUSPECT);
    close_variant(&variant);
    scratch_remove(&scratch);
}

static int create_blobs(void **state)
{
    (void)state;
    return breaker__blobs_create(&blobs);
}

static int drop_blobs(void **state)
{
    (void)state;
    breaker__blobs_unref(blobs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_found_and_their_neighbours_are_not),
        cmocka_unit_test(paths_of_every_length_are_told_apart),
        cmocka_unit_test(a_path_longer_than_any_asset_is_not_found),
        cmocka_unit_test(the_index_file_answers_for_its_directory),
        cmocka_unit_test(without_an_index_option_directories_are_not_found),
        cmocka_unit_test(an_empty_store_finds_nothing),
        cmocka_unit_test(a_hundred_thousand_paths_are_found),
        cmocka_unit_test(the_first_acceptable_variant_is_chosen),
        cmocka_unit_test(kinds_are_made_once),
        cmocka_unit_test(headers_and_codings_make_kinds_of_their_own),
        cmocka_unit_test(memory_is_counted_up_to_the_limit_of_the_view),
        cmocka_unit_test(texts_longer_than_a_block_have_their_own),
        cmocka_unit_test(any_part_of_a_file_is_read),
        cmocka_unit_test(a_file_that_was_unlinked_or_has_another_mode_is_sent_unread),
        cmocka_unit_test(a_file_that_was_moved_or_touched_has_its_bytes_still),
        cmocka_unit_test(a_file_that_changed_is_not_sent),
        cmocka_unit_test(a_file_that_gets_its_bytes_back_is_sent_again),
        cmocka_unit_test(a_check_that_is_stopped_finds_nothing_out),
    };

    return cmocka_run_group_tests(tests, create_blobs, drop_blobs);
}
