/*
 * Releases of real trees: what a load keeps and where, what it is called, what it refuses, which
 * siblings it takes, and the encodings that appear while others read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <breaker/release.h>
#include "encoding/coding.h"
#include "encoding/encodings.h"
#include "http/encoding.h"
#include "release/release.h"
#include "release/release_id.h"
#include "release/sealed.h"
#include "release/store.h"
#include "scratch.h"
#include "view/view.h"

#define LINES_MAX 64
#define DEADLINE_S 30

/** A host: types by suffix, answers that are counted, notices that are kept. */
typedef struct st_fixture_t {
    scratch_t scratch;
    breaker_view_t *views[4];
    size_t num_views;
    breaker_release_t *release;
    breaker_error_t error;
    size_t num_prepared, num_unprepared, num_encoded;
    /** raised when this many encodings are prepared */
    size_t stop_after;
    atomic_bool stop;
    size_t num_lines;
    char lines[LINES_MAX][1024];
} fixture_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    /* the answer is copied, so it may be gone after the next question */
    static char answer[32];
    const char *dot = strrchr(path, '.');

    (void)data;
    (void)view;
    if (dot == NULL)
        return NULL;
    *ret_compressible = strcmp(dot, ".css") == 0 || strcmp(dot, ".js") == 0;
    snprintf(answer, sizeof(answer), "test/%s", dot + 1);
    return answer;
}

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    fixture_t *fixture = data;
    char *prepared;

    /* nobody sees the variant yet, and all there is to know of it is known */
    assert_null(breaker_asset_variant(asset, variant->encoding));
    assert_int_equal(strlen(variant->etag), BREAKER_ETAG_LEN);
    assert_int_equal(strlen(asset->last_modified), BREAKER_HTTP_DATE_LEN);
    assert_non_null(view);
    ++fixture->num_prepared;
    if (variant->encoding != BREAKER_ENCODING_IDENTITY &&
        ++fixture->num_encoded == fixture->stop_after)
        atomic_store(&fixture->stop, true);
    assert_true(asprintf(&prepared, "%s %s", breaker_view_name(view), asset->type) > 0);
    return prepared;
}

static void unprepare(void *data, void *prepared)
{
    fixture_t *fixture = data;

    ++fixture->num_unprepared;
    free(prepared);
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
    scratch_create(&fixture->scratch);
    *state = fixture;
    return 0;
}

/** Frees the release and the views, and checks that every answer was handed back. */
static void forget(fixture_t *fixture)
{
    breaker_release_unref(fixture->release);
    fixture->release = NULL;
    for (size_t i = 0; i != fixture->num_views; ++i)
        breaker__view_free(fixture->views[i]);
    fixture->num_views = 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    int ret;

    forget(fixture);
    scratch_remove(&fixture->scratch);
    ret = fixture->num_prepared == fixture->num_unprepared ? 0 : -1;
    free(fixture);
    return ret;
}

/** What most views of these tests are. */
static breaker_view_config_t config_of(const char *name, const char *directory)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    return config;
}

static void add_view(fixture_t *fixture, const breaker_view_config_t *config)
{
    assert_int_equal(
        breaker__view_create(config, fixture->num_views, &fixture->views[fixture->num_views]), 0);
    ++fixture->num_views;
}

static int load(fixture_t *fixture)
{
    breaker__release_config_t config = {
        .views = (const breaker_view_t *const *)fixture->views,
        .num_views = fixture->num_views,
        .hooks = {.data = fixture,
                  .type_of = type_of,
                  .prepare = prepare,
                  .unprepare = unprepare,
                  .on_notice = on_notice,
                  .notice_data = fixture},
    };

    return breaker__release_load(&config, NULL, &fixture->release, &fixture->error);
}

/** Loads the scratch directory, or one in it, as the only view. */
static void load_only(fixture_t *fixture, breaker_view_config_t config, const char *directory)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", fixture->scratch.path, directory);
    config.directory = path;
    add_view(fixture, &config);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->error.code, 0);
}

static breaker_view_config_t plain_config(void)
{
    return config_of("static/{breaker}", "");
}

static const breaker_asset_t *asset_of(const fixture_t *fixture, const char *path)
{
    const breaker_store_t *store = breaker_release_store(fixture->release, 0);
    const breaker_asset_t *asset = breaker_store_find(store, path, strlen(path));

    assert_non_null(asset);
    return asset;
}

static const breaker_variant_t *variant_of(const fixture_t *fixture, const char *path,
                                           breaker_encoding_t encoding)
{
    return breaker_asset_variant(asset_of(fixture, path), encoding);
}

static const breaker_variant_t *identity_of(const fixture_t *fixture, const char *path)
{
    return variant_of(fixture, path, BREAKER_ENCODING_IDENTITY);
}

static void assert_bytes(const breaker_variant_t *variant, const char *expected, size_t len)
{
    char *read_back;

    assert_non_null(variant);
    assert_int_equal(variant->len, len);
    if (variant->base != NULL) {
        assert_int_equal(variant->fd, -1);
        assert_memory_equal(variant->base, expected, len);
        return;
    }
    assert_non_null(read_back = malloc(len + 1));
    assert_int_equal(breaker_variant_read(variant, 0, read_back, len), 0);
    assert_memory_equal(read_back, expected, len);
    free(read_back);
}

/** Text that compresses, of a length; the caller frees it. */
static char *make_text(size_t len, uint32_t seed)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i != len; ++i) {
        seed = seed * 1664525 + 1013904223;
        text[i] = "aaaaaeeeeeetttttoooonnnniiisssrrhhlldd  \n,.{}:;"[seed >> 24 & 31];
    }
    text[len] = '\0';
    return text;
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

/* ---- what is loaded ---- */

static void a_tree_is_loaded_with_everything_an_answer_needs(void **state)
{
    fixture_t *fixture = *state;
    const breaker_asset_t *asset;
    size_t len;
    struct timespec times[2] = {{.tv_sec = 784111777}, {.tv_sec = 784111777}};

    scratch_text(&fixture->scratch, "a.txt", "hello");
    scratch_text(&fixture->scratch, "css/site.css", "body{}");
    scratch_text(&fixture->scratch, "plain", "");
    assert_int_equal(utimensat(fixture->scratch.fd, "a.txt", times, 0), 0);
    load_only(fixture, plain_config(), "");

    assert_int_equal(breaker_store_size(breaker_release_store(fixture->release, 0)), 3);
    assert_null(breaker_release_store(fixture->release, 1));
    asset = asset_of(fixture, "a.txt");
    assert_string_equal(breaker_store_path(breaker_release_store(fixture->release, 0), 0, &len),
                        "a.txt");
    assert_int_equal(len, 5);
    assert_string_equal(asset->type, "test/txt");
    assert_false(asset->compressible);
    assert_string_equal(asset->last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(asset->last_modified_s, 784111777);
    assert_memory_equal(asset->digest, "\x2c\xf2\x4d\xba\x5f\xb0\xa3\x0e", 8);
    assert_bytes(identity_of(fixture, "a.txt"), "hello", 5);
    assert_string_equal(identity_of(fixture, "a.txt")->etag, "\"LPJNul-wow4m6Dsqxbninh\"");
    assert_string_equal(identity_of(fixture, "a.txt")->prepared, "static/{breaker} test/txt");

    assert_true(asset_of(fixture, "css/site.css")->compressible);
    assert_string_equal(asset_of(fixture, "css/site.css")->type, "test/css");
    assert_string_equal(asset_of(fixture, "plain")->type, "application/octet-stream");
    assert_non_null(identity_of(fixture, "plain")->base);
    assert_bytes(identity_of(fixture, "plain"), "", 0);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_null(variant_of(fixture, "css/site.css", (breaker_encoding_t)e));
    assert_int_equal(fixture->num_prepared, 3);
}

static void hooks_may_all_be_absent(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t view_config = config_of("static/{breaker}", fixture->scratch.path);
    breaker__release_config_t config = {.views = (const breaker_view_t *const *)fixture->views,
                                        .num_views = 1};
    atomic_bool stop = false;

    scratch_text(&fixture->scratch, "a.css", "body{}");
    scratch_text(&fixture->scratch, "a.css.gz", "stale");
    scratch_text(&fixture->scratch, "bad\\name", "x");
    add_view(fixture, &view_config);
    assert_int_equal(breaker__release_load(&config, NULL, &fixture->release, NULL), 0);
    assert_string_equal(asset_of(fixture, "a.css")->type, "application/octet-stream");
    assert_null(identity_of(fixture, "a.css")->prepared);
    breaker__release_encode(fixture->release, NULL, &stop);
}

static void a_time_in_the_future_is_taken_for_the_time_of_the_load(void **state)
{
    fixture_t *fixture = *state;
    struct timespec times[2] = {{.tv_sec = 4102444800}, {.tv_sec = 4102444800}};
    int64_t before = time(NULL);

    scratch_text(&fixture->scratch, "a", "x");
    assert_int_equal(utimensat(fixture->scratch.fd, "a", times, 0), 0);
    load_only(fixture, plain_config(), "");
    assert_in_range(asset_of(fixture, "a")->last_modified_s, before, time(NULL));
}

static void files_beyond_the_limits_stay_on_disk(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const size_t lens[] = {4000, 5000, 5001, 2000, 999};
    static const bool in_memory[] = {true, true, false, false, true};
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    char *texts[5];
    size_t descriptors = count_descriptors();

    config.memory_file_limit = 5000;
    config.memory_limit = 10000;
    for (size_t i = 0; i != 5; ++i) {
        texts[i] = make_text(lens[i], (uint32_t)i);
        scratch_write(&fixture->scratch, names[i], texts[i], lens[i]);
    }
    load_only(fixture, config, "");
    for (size_t i = 0; i != 5; ++i) {
        assert_int_equal(identity_of(fixture, names[i])->base != NULL, in_memory[i]);
        assert_bytes(identity_of(fixture, names[i]), texts[i], lens[i]);
        free(texts[i]);
    }
    assert_int_equal(count_descriptors(), descriptors + 2);
    forget(fixture);
    assert_int_equal(count_descriptors(), descriptors);
}

static void where_a_body_lies_does_not_show_in_digests(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    breaker_release_id_t id;
    char etag[BREAKER_ETAG_LEN + 1], *text = make_text(600000, 1);

    scratch_write(&fixture->scratch, "large.css", text, 600000);
    free(text);
    load_only(fixture, config, "");
    assert_non_null(identity_of(fixture, "large.css")->base);
    id = *breaker_release_id(fixture->release);
    memcpy(etag, identity_of(fixture, "large.css")->etag, sizeof(etag));
    forget(fixture);

    config.memory_limit = 1;
    load_only(fixture, config, "");
    assert_null(identity_of(fixture, "large.css")->base);
    assert_true(breaker_release_id_equal(breaker_release_id(fixture->release), &id));
    assert_string_equal(identity_of(fixture, "large.css")->etag, etag);
}

static void a_file_on_disk_that_changes_after_the_load_is_not_sent(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    char part[4];

    config.memory_file_limit = 1;
    scratch_text(&fixture->scratch, "a", "old text");
    scratch_text(&fixture->scratch, "b", "old text");
    load_only(fixture, config, "");
    assert_int_equal(breaker_variant_read(identity_of(fixture, "a"), 4, part, 4), 0);
    assert_memory_equal(part, "text", 4);
    scratch_text(&fixture->scratch, "a", "new");
    assert_int_equal(breaker_variant_read(identity_of(fixture, "a"), 4, part, 4),
                     BREAKER_ERR_CHANGED);
    assert_int_equal(breaker_variant_read(identity_of(fixture, "b"), 4, part, 4), 0);
}

static void links_inside_are_assets_of_their_own(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "shared/a.css", "body{}");
    scratch_link(&fixture->scratch, "css", "shared");
    scratch_link(&fixture->scratch, "out", "/etc");
    load_only(fixture, plain_config(), "");
    assert_bytes(identity_of(fixture, "css/a.css"), "body{}", 6);
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "/out: left out"));
}

static void ten_thousand_files_are_loaded_in_little_more_than_their_bytes(void **state)
{
    enum { NUM = 10000, LEN = 4096 };
    fixture_t *fixture = *state;
    const breaker_store_t *store;
    char path[64], *text = make_text(LEN, 1);

    for (unsigned i = 0; i != NUM; ++i) {
        memcpy(text, &i, sizeof(i));
        snprintf(path, sizeof(path), "d%02u/file-%05u.bin", i % 40, i);
        scratch_write(&fixture->scratch, path, text, LEN);
    }
    load_only(fixture, plain_config(), "");
    store = breaker_release_store(fixture->release, 0);
    assert_int_equal(breaker_store_size(store), NUM);
    assert_in_range(breaker__store_memory(store), NUM * LEN, NUM * LEN / 10 * 13);
    for (unsigned i = 0; i != NUM; ++i) {
        memcpy(text, &i, sizeof(i));
        snprintf(path, sizeof(path), "d%02u/file-%05u.bin", i % 40, i);
        assert_bytes(identity_of(fixture, path), text, LEN);
    }
    free(text);
}

/* ---- what fails ---- */

static void a_missing_directory_fails_the_load(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = config_of("static/{breaker}", fixture->scratch.path);
    char path[300], expected[512];

    scratch_text(&fixture->scratch, "a", "x");
    snprintf(path, sizeof(path), "%s/missing", fixture->scratch.path);
    add_view(fixture, &config);
    config.name = "other/{breaker}";
    config.directory = path;
    add_view(fixture, &config);
    assert_int_equal(load(fixture), BREAKER_ERR_IO);
    snprintf(expected, sizeof(expected), "view \"other/{breaker}\": %s: No such file or directory",
             path);
    assert_string_equal(fixture->error.message, expected);
    assert_null(fixture->release);
    /* the view before it was loaded and is forgotten again */
    assert_int_equal(fixture->num_prepared, 1);
    assert_int_equal(fixture->num_unprepared, 1);
}

/** Loads a view of the scratch directory as a user who may not read "css/secret.css". */
static int load_beside_secret(fixture_t *fixture, bool strict)
{
    breaker_view_config_t config = config_of("static/{breaker}", fixture->scratch.path);
    int ret;

    config.strict = strict;
    scratch_text(&fixture->scratch, "a", "x");
    scratch_text(&fixture->scratch, "css/secret.css", "x");
    scratch_text(&fixture->scratch, "z", "y");
    assert_int_equal(fchmodat(fixture->scratch.fd, "css/secret.css", 0, 0), 0);
    add_view(fixture, &config);
    if (geteuid() == 0 && seteuid(65534) != 0)
        skip();
    ret = load(fixture);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    return ret;
}

static void an_unreadable_file_fails_the_load_of_a_strict_view_with_its_name(void **state)
{
    fixture_t *fixture = *state;
    char expected[512];

    assert_int_equal(load_beside_secret(fixture, true), BREAKER_ERR_DENIED);
    snprintf(expected, sizeof(expected),
             "view \"static/{breaker}\": %s/css/secret.css: Permission denied",
             fixture->scratch.path);
    assert_string_equal(fixture->error.message, expected);
}

static void an_unreadable_file_is_left_out_with_a_notice(void **state)
{
    fixture_t *fixture = *state;
    const breaker_store_t *store;

    assert_int_equal(load_beside_secret(fixture, false), 0);
    store = breaker_release_store(fixture->release, 0);
    assert_int_equal(breaker_store_size(store), 2);
    assert_bytes(identity_of(fixture, "a"), "x", 1);
    assert_bytes(identity_of(fixture, "z"), "y", 1);
    assert_null(breaker_store_find(store, "css/secret.css", strlen("css/secret.css")));
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "/css/secret.css: left out: this process may not"));
}

static void an_unreadable_file_hides_none_of_a_later_directory(void **state)
{
    fixture_t *fixture = *state;
    char later[300];
    const char *const directories[] = {later, later};
    breaker_view_config_t config = config_of("static/{breaker}", fixture->scratch.path);

    snprintf(later, sizeof(later), "%s/css", fixture->scratch.path);
    config.directories = directories;
    config.num_directories = 2;
    scratch_text(&fixture->scratch, "a", "x");
    scratch_text(&fixture->scratch, "css/a", "of the later");
    assert_int_equal(fchmodat(fixture->scratch.fd, "a", 0, 0), 0);
    add_view(fixture, &config);
    if (geteuid() == 0 && seteuid(65534) != 0)
        skip();
    assert_int_equal(load(fixture), 0);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_bytes(identity_of(fixture, "a"), "of the later", strlen("of the later"));
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "/a: left out: this process may not"));
}

static void files_come_from_the_directory_that_has_them_first(void **state)
{
    fixture_t *fixture = *state;
    char first[300], second[300];
    const char *const directories[] = {second};
    breaker_view_config_t config = config_of("static/{breaker}", first);

    snprintf(first, sizeof(first), "%s/first", fixture->scratch.path);
    snprintf(second, sizeof(second), "%s/second", fixture->scratch.path);
    config.directories = directories;
    config.num_directories = 1;
    config.memory_file_limit = 1;
    scratch_text(&fixture->scratch, "first/a", "of first");
    scratch_text(&fixture->scratch, "second/a", "of second");
    scratch_text(&fixture->scratch, "second/b", "of second");
    scratch_text(&fixture->scratch, "second/b.gz", "stale");
    add_view(fixture, &config);
    assert_int_equal(load(fixture), 0);
    assert_bytes(identity_of(fixture, "a"), "of first", 8);
    assert_bytes(identity_of(fixture, "b"), "of second", 9);
    assert_int_equal(breaker_store_size(breaker_release_store(fixture->release, 0)), 3);
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "/second/b.gz: not used"));
}

static void too_few_descriptors_fail_the_load_with_advice(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = config_of("static/{breaker}", fixture->scratch.path);
    size_t descriptors = count_descriptors();
    struct rlimit limit, low;
    char name[8];
    int ret;

    for (int i = 0; i != 40; ++i) {
        snprintf(name, sizeof(name), "%d", i);
        scratch_text(&fixture->scratch, name, "more than a byte");
    }
    config.memory_file_limit = 1;
    add_view(fixture, &config);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = descriptors + 20;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    ret = load(fixture);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(ret, BREAKER_ERR_IO);
    assert_non_null(strstr(fixture->error.message, "LimitNOFILE"));
    assert_int_equal(count_descriptors(), descriptors);
}

typedef struct st_restless_t {
    int fd;
    atomic_bool stop;
} restless_t;

/** Changes a file without pause. */
static void *keep_changing(void *data)
{
    restless_t *restless = data;

    while (!atomic_load(&restless->stop)) {
        if (pwrite(restless->fd, "x", 1, 0) != 1)
            abort();
        sched_yield();
    }
    return NULL;
}

static void a_file_that_keeps_changing_fails_the_load(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = config_of("static/{breaker}", fixture->scratch.path);
    time_t deadline = time(NULL) + DEADLINE_S;
    restless_t restless = {.stop = false};
    pthread_t thread;
    int ret;

    scratch_text(&fixture->scratch, "restless", "x");
    restless.fd = openat(fixture->scratch.fd, "restless", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(restless.fd, 64 << 20), 0);
    add_view(fixture, &config);
    assert_int_equal(pthread_create(&thread, NULL, keep_changing, &restless), 0);
    /* the writer may not get a turn within one load */
    while ((ret = load(fixture)) == 0 && time(NULL) < deadline) {
        breaker_release_unref(fixture->release);
        fixture->release = NULL;
    }
    atomic_store(&restless.stop, true);
    pthread_join(thread, NULL);
    close(restless.fd);
    assert_int_equal(ret, BREAKER_ERR_CHANGED);
    assert_non_null(strstr(fixture->error.message, "/restless: the file changed while it was"));
    /* and is loaded when it has come to rest */
    assert_int_equal(load(fixture), 0);
}

/* ---- the name of a release ---- */

/** The digest of a tree that `build` makes. */
static breaker_release_id_t id_of_tree(fixture_t *fixture, void (*build)(const scratch_t *))
{
    breaker_release_id_t id;
    scratch_t kept = fixture->scratch;

    scratch_create(&fixture->scratch);
    build(&fixture->scratch);
    load_only(fixture, plain_config(), "");
    id = *breaker_release_id(fixture->release);
    forget(fixture);
    scratch_remove(&fixture->scratch);
    fixture->scratch = kept;
    return id;
}

static void build_original(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abc");
    scratch_text(scratch, "b.css", "def");
}

static void build_same_later(const scratch_t *scratch)
{
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    scratch_text(scratch, "b.css", "def");
    scratch_text(scratch, "a.css", "abc");
    assert_int_equal(utimensat(scratch->fd, "a.css", times, 0), 0);
    assert_int_equal(fchmodat(scratch->fd, "b.css", 0600, 0), 0);
    assert_int_equal(mkdirat(scratch->fd, "empty", 0755), 0);
    scratch_text(scratch, ".hidden", "not served");
}

static void build_changed_byte(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abC");
    scratch_text(scratch, "b.css", "def");
}

static void build_moved_boundary(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abcd");
    scratch_text(scratch, "b.css", "ef");
}

static void build_renamed(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abc");
    scratch_text(scratch, "b.csS", "def");
}

static void build_exchanged(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "def");
    scratch_text(scratch, "b.css", "abc");
}

static void build_one_more(const scratch_t *scratch)
{
    build_original(scratch);
    scratch_text(scratch, "c.css", "");
}

static void build_one_less(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abc");
}

static void build_moved_down(const scratch_t *scratch)
{
    scratch_text(scratch, "a.css", "abc");
    scratch_text(scratch, "b/.css", "def");
    scratch_text(scratch, "b/css", "def");
}

static void build_nothing(const scratch_t *scratch)
{
    (void)scratch;
}

static void the_digest_tells_trees_apart_and_nothing_else(void **state)
{
    static void (*const others[])(const scratch_t *) = {
        build_changed_byte, build_moved_boundary, build_renamed,    build_exchanged,
        build_one_more,     build_one_less,       build_moved_down, build_nothing};
    fixture_t *fixture = *state;
    breaker_release_id_t original = id_of_tree(fixture, build_original);
    breaker_release_id_t same = id_of_tree(fixture, build_same_later);

    assert_int_equal(original.len, BREAKER_RELEASE_DIGEST_CHARS);
    assert_string_equal(original.text, same.text);
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        assert_string_not_equal(id_of_tree(fixture, others[i]).text, original.text);
}

static void build_two_views(const scratch_t *scratch)
{
    scratch_text(scratch, "static/a.txt", "hello");
    scratch_text(scratch, "static/css/site.css", "body{}");
    scratch_text(scratch, "static/empty", "");
    scratch_text(scratch, "img/x", "y");
}

static void load_two_views(fixture_t *fixture, const char *first, const char *second)
{
    char name[64], path[300];

    for (int i = 0; i != 2; ++i) {
        const char *directory = i == 0 ? first : second;
        breaker_view_config_t config = config_of(name, path);

        snprintf(name, sizeof(name), "%s/{breaker}", directory);
        snprintf(path, sizeof(path), "%s/%s", fixture->scratch.path, directory);
        add_view(fixture, &config);
    }
    assert_int_equal(load(fixture), 0);
}

/** The constant was computed apart from this code; nodes of different versions must agree on it. */
static void the_digest_is_made_as_documented_in_any_order_of_views(void **state)
{
    static const char *const expected = "tTFHrNzT6SMPV8hWAs9Z8LxmrgcK0V7bYEa1lyGf-NY";
    fixture_t *fixture = *state;

    build_two_views(&fixture->scratch);
    load_two_views(fixture, "static", "img");
    assert_string_equal(breaker_release_id(fixture->release)->text, expected);
    assert_int_equal(breaker__release_digest(fixture->release)[0], 0xb5);
    forget(fixture);
    load_two_views(fixture, "img", "static");
    assert_string_equal(breaker_release_id(fixture->release)->text, expected);
}

static void the_operators_label_names_the_release_together_with_its_digest(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t view_config = config_of("static/{breaker}", fixture->scratch.path);
    breaker__release_config_t config = {.views = (const breaker_view_t *const *)fixture->views,
                                        .num_views = 1,
                                        .hooks = {.data = fixture, .type_of = type_of}};
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker_release_id_t plain, id;

    build_original(&fixture->scratch);
    add_view(fixture, &view_config);
    assert_int_equal(load(fixture), 0);
    plain = *breaker_release_id(fixture->release);
    memcpy(digest, breaker__release_digest(fixture->release), sizeof(digest));
    breaker_release_unref(fixture->release);
    assert_int_equal(breaker_token_parse("2026.11.23-1", 12, &config.label), 0);
    assert_int_equal(breaker__release_load(&config, NULL, &fixture->release, NULL), 0);
    id = *breaker_release_id(fixture->release);
    assert_memory_equal(id.text, "2026.11.23-1~", 13);
    assert_string_equal(breaker_release_id_digest(&id), plain.text);
    assert_memory_equal(breaker__release_digest(fixture->release), digest, sizeof(digest));
}

static void references_keep_a_release_until_the_last_is_dropped(void **state)
{
    fixture_t *fixture = *state;
    breaker_release_t *second;

    build_original(&fixture->scratch);
    load_only(fixture, plain_config(), "");
    second = breaker__release_ref(fixture->release);
    assert_ptr_equal(second, fixture->release);
    breaker_release_unref(second);
    assert_int_equal(fixture->num_unprepared, 0);
    assert_bytes(identity_of(fixture, "a.css"), "abc", 3);
    breaker_release_unref(fixture->release);
    fixture->release = NULL;
    assert_int_equal(fixture->num_unprepared, 2);
    breaker_release_unref(NULL);
}

/* ---- siblings ---- */

/** Writes the encoding of a text beside it, as two streams when `first_len` is not 0. */
static void write_sibling_parts(const scratch_t *scratch, const char *path, const char *text,
                                size_t first_len, breaker_encoding_t encoding)
{
    static const atomic_bool go_on = false;
    breaker__pace_t pace = {.stop = &go_on, .percent = 100};
    size_t len = strlen(text), room = len + len / 8 + 1024, at = 0, encoded_len;
    char *encoded = malloc(room), name[128];

    assert_non_null(encoded);
    if (first_len != 0)
        assert_int_equal(breaker__encode(encoding, text, first_len, encoded, room, &pace, &at), 0);
    assert_int_equal(breaker__encode(encoding, text + first_len, len - first_len, encoded + at,
                                     room - at, &pace, &encoded_len),
                     0);
    snprintf(name, sizeof(name), "%s%s", path, breaker__encoding_suffix(encoding));
    scratch_write(scratch, name, encoded, at + encoded_len);
    free(encoded);
}

static void write_sibling(const scratch_t *scratch, const char *path, const char *text,
                          breaker_encoding_t encoding)
{
    write_sibling_parts(scratch, path, text, 0, encoding);
}

static void good_siblings_are_adopted_and_stay_assets(void **state)
{
    static const char *const names[] = {"x.css.br", "x.css.zst", "x.css.gz"};
    fixture_t *fixture = *state;
    char *text = make_text(3000, 1);

    scratch_text(&fixture->scratch, "x.css", text);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        write_sibling(&fixture->scratch, "x.css", text, (breaker_encoding_t)e);
    load_only(fixture, plain_config(), "");
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        const breaker_variant_t *adopted = variant_of(fixture, "x.css", (breaker_encoding_t)e);
        const breaker_variant_t *own = identity_of(fixture, names[e]);

        assert_non_null(adopted);
        assert_int_equal(adopted->encoding, e);
        assert_ptr_equal(adopted->base, own->base);
        assert_int_equal(adopted->len, own->len);
        assert_string_equal(adopted->etag, own->etag);
        assert_string_equal(adopted->prepared, "static/{breaker} test/css");
    }
    assert_int_equal(breaker_store_size(breaker_release_store(fixture->release, 0)), 4);
    assert_int_equal(fixture->num_lines, 0);
    free(text);
}

static void siblings_on_disk_are_adopted_with_descriptors_of_their_own(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    size_t descriptors = count_descriptors();
    char *text = make_text(300000, 1), *read_back;
    const breaker_variant_t *adopted, *own;

    config.memory_limit = 10;
    scratch_text(&fixture->scratch, "x.css", text);
    write_sibling(&fixture->scratch, "x.css", text, BREAKER_ENCODING_ZSTD);
    load_only(fixture, config, "");
    adopted = variant_of(fixture, "x.css", BREAKER_ENCODING_ZSTD);
    own = identity_of(fixture, "x.css.zst");
    assert_non_null(adopted);
    assert_null(adopted->base);
    assert_true(adopted->fd >= 0 && adopted->fd != own->fd);
    assert_non_null(read_back = malloc(own->len));
    assert_int_equal(breaker_variant_read(own, 0, read_back, own->len), 0);
    assert_bytes(adopted, read_back, own->len);
    assert_int_equal(count_descriptors(), descriptors + 3);
    forget(fixture);
    assert_int_equal(count_descriptors(), descriptors);
    free(read_back);
    free(text);
}

static void stale_siblings_are_told_and_not_used(void **state)
{
    fixture_t *fixture = *state;
    char *text = make_text(3000, 1), *older = make_text(3000, 2);

    scratch_text(&fixture->scratch, "x.css", text);
    write_sibling(&fixture->scratch, "x.css", older, BREAKER_ENCODING_BROTLI);
    write_sibling(&fixture->scratch, "x.css", older, BREAKER_ENCODING_ZSTD);
    scratch_text(&fixture->scratch, "x.css.gz", "not gzip at all");
    load_only(fixture, plain_config(), "");
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_null(variant_of(fixture, "x.css", (breaker_encoding_t)e));
    assert_int_equal(fixture->num_lines, 3);
    assert_non_null(strstr(fixture->lines[0], "/x.css.br: "));
    assert_non_null(strstr(fixture->lines[0], "stale sibling"));
    assert_bytes(identity_of(fixture, "x.css.gz"), "not gzip at all", 15);
    free(older);
    free(text);
}

/* a client that reads the first member only would take half of the file for the whole */
static void gzip_siblings_of_several_members_are_told_and_not_used(void **state)
{
    fixture_t *fixture = *state;
    char *text = make_text(3000, 1);

    scratch_text(&fixture->scratch, "x.css", text);
    write_sibling_parts(&fixture->scratch, "x.css", text, 1000, BREAKER_ENCODING_GZIP);
    write_sibling_parts(&fixture->scratch, "x.css", text, 1000, BREAKER_ENCODING_ZSTD);
    load_only(fixture, plain_config(), "");
    assert_null(variant_of(fixture, "x.css", BREAKER_ENCODING_GZIP));
    assert_non_null(variant_of(fixture, "x.css", BREAKER_ENCODING_ZSTD));
    assert_int_equal(fixture->num_lines, 1);
    assert_non_null(strstr(fixture->lines[0], "/x.css.gz: not used as an encoding: several gzip "
                                              "members"));
    free(text);
}

static void a_view_without_encodings_adopts_and_makes_none(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    char *text = make_text(3000, 1);

    config.encodings = false;
    scratch_text(&fixture->scratch, "x.css", text);
    write_sibling(&fixture->scratch, "x.css", text, BREAKER_ENCODING_GZIP);
    load_only(fixture, config, "");
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_null(variant_of(fixture, "x.css", (breaker_encoding_t)e));
    assert_non_null(asset_of(fixture, "x.css.gz"));
    free(text);
}

static void an_index_file_has_no_sibling_by_the_name_of_its_directory(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    char *text = make_text(3000, 1);

    config.index = "index.html";
    config.dotfiles = true;
    scratch_text(&fixture->scratch, "d/index.html", text);
    write_sibling(&fixture->scratch, "d/", text, BREAKER_ENCODING_GZIP);
    load_only(fixture, config, "");
    assert_non_null(asset_of(fixture, "d/"));
    assert_null(variant_of(fixture, "d/", BREAKER_ENCODING_GZIP));
    assert_non_null(asset_of(fixture, "d/.gz"));
    free(text);
}

static void notices_of_stale_siblings_are_bounded(void **state)
{
    fixture_t *fixture = *state;
    char name[32];

    for (int i = 0; i != 30; ++i) {
        snprintf(name, sizeof(name), "%02d.css", i);
        scratch_text(&fixture->scratch, name, "body{}");
        snprintf(name, sizeof(name), "%02d.css.gz", i);
        scratch_text(&fixture->scratch, name, "stale");
    }
    load_only(fixture, plain_config(), "");
    assert_int_equal(fixture->num_lines, 21);
    assert_non_null(strstr(fixture->lines[20], "10 more: not used as an encoding"));
}

/* ---- encodings made in the background ---- */

static void write_texts(const scratch_t *scratch, size_t num, size_t len)
{
    char name[32];

    for (size_t i = 0; i != num; ++i) {
        char *text = make_text(len + i, (uint32_t)i);

        snprintf(name, sizeof(name), "%03zu.js", i);
        scratch_text(scratch, name, text);
        free(text);
    }
}

static void missing_encodings_are_made_and_decode_to_the_asset(void **state)
{
    fixture_t *fixture = *state;
    size_t before, bodies = 0;
    char *text = make_text(5000, 7);

    scratch_text(&fixture->scratch, "x.css", text);
    write_sibling(&fixture->scratch, "x.css", text, BREAKER_ENCODING_BROTLI);
    write_texts(&fixture->scratch, 3, 200000);
    load_only(fixture, plain_config(), "");
    before = breaker__store_memory(breaker_release_store(fixture->release, 0));
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    for (size_t i = 0; i != 4; ++i) {
        const breaker_asset_t *asset =
            breaker_store_at(breaker_release_store(fixture->release, 0), i);
        const breaker_variant_t *identity = breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);

        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
            const breaker_variant_t *made = breaker_asset_variant(asset, (breaker_encoding_t)e);

            assert_non_null(made);
            assert_true(made->len < identity->len);
            assert_string_not_equal(made->etag, identity->etag);
            assert_int_equal(made->etag[23], '"');
            assert_int_equal(breaker__decodes_to((breaker_encoding_t)e, made, identity), 0);
            /* but for the sibling's; a large body takes whole pages */
            if (made->base != identity_of(fixture, "x.css.br")->base)
                bodies += made->memory_fd >= 0 ? breaker__sealed_span(made->len) : made->len;
        }
    }
    /* the sibling stays what it was, and is no asset to be encoded */
    assert_ptr_equal(variant_of(fixture, "x.css", BREAKER_ENCODING_BROTLI)->base,
                     identity_of(fixture, "x.css.br")->base);
    assert_null(variant_of(fixture, "x.css.br", BREAKER_ENCODING_GZIP));
    assert_int_equal(breaker__store_memory(breaker_release_store(fixture->release, 0)),
                     before + bodies + 11 * (sizeof(breaker_variant_t) + sizeof(breaker__body_t)));
    free(text);
}

static void what_is_not_worth_encoding_is_left_alone(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    char noise[2000], *text = make_text(9000, 1);
    uint64_t random = 88172645463325252;

    for (size_t i = 0; i != sizeof(noise); ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        noise[i] = (char)(random >> 32);
    }
    config.memory_file_limit = 8000;
    scratch_write(&fixture->scratch, "noise.css", noise, sizeof(noise));
    scratch_write(&fixture->scratch, "small.css", text, 255);
    scratch_write(&fixture->scratch, "enough.css", text, 256);
    scratch_write(&fixture->scratch, "image.png", text, 5000);
    scratch_write(&fixture->scratch, "disk.css", text, 9000);
    load_only(fixture, config, "");
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        assert_null(variant_of(fixture, "noise.css", (breaker_encoding_t)e));
        assert_null(variant_of(fixture, "small.css", (breaker_encoding_t)e));
        assert_non_null(variant_of(fixture, "enough.css", (breaker_encoding_t)e));
        assert_null(variant_of(fixture, "image.png", (breaker_encoding_t)e));
        assert_null(variant_of(fixture, "disk.css", (breaker_encoding_t)e));
    }
    free(text);
}

static void encodings_stay_within_the_memory_of_the_view(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = plain_config();
    uint64_t bodies = 0;

    write_texts(&fixture->scratch, 10, 5000);
    config.memory_limit = 10 * 5005 + 9000;
    load_only(fixture, config, "");
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    for (size_t i = 0; i != 10; ++i)
        for (int e = 0; e != BREAKER_ENCODINGS; ++e) {
            const breaker_variant_t *variant = breaker_asset_variant(
                breaker_store_at(breaker_release_store(fixture->release, 0), i),
                (breaker_encoding_t)e);

            bodies += variant != NULL ? variant->len : 0;
        }
    assert_true(fixture->num_encoded >= 1 && fixture->num_encoded < 30);
    assert_in_range(bodies, 10 * 5000, config.memory_limit);
}

static void a_stop_leaves_what_is_made_and_the_rest_is_made_later(void **state)
{
    fixture_t *fixture = *state;

    write_texts(&fixture->scratch, 10, 3000);
    load_only(fixture, plain_config(), "");
    fixture->stop_after = 4;
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(fixture->num_encoded, 4);
    /* the smallest first: one asset is complete, the next one begun */
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        assert_non_null(variant_of(fixture, "000.js", (breaker_encoding_t)e));
    assert_non_null(variant_of(fixture, "001.js", BREAKER_ENCODING_BROTLI));
    assert_null(variant_of(fixture, "001.js", BREAKER_ENCODING_ZSTD));
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(fixture->num_encoded, 4);

    atomic_store(&fixture->stop, false);
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    assert_int_equal(fixture->num_encoded, 30);
}

typedef struct st_reader_t {
    const breaker_store_t *store;
    const atomic_bool *done;
    size_t num_encoded;
    unsigned sum;
} reader_t;

/** Looks up, chooses and reads like a server thread until everything is made. */
static void *keep_reading(void *data)
{
    static const breaker_acceptable_t acceptable = {4,
                                                    {BREAKER_ENCODING_BROTLI, BREAKER_ENCODING_ZSTD,
                                                     BREAKER_ENCODING_GZIP,
                                                     BREAKER_ENCODING_IDENTITY}};
    reader_t *reader = data;
    bool last = false;

    while (!last) {
        last = atomic_load(reader->done);
        reader->num_encoded = 0;
        for (size_t i = 0; i != breaker_store_size(reader->store); ++i) {
            const breaker_asset_t *known = breaker_store_at(reader->store, i);
            size_t len;
            const char *path = breaker_store_path(reader->store, i, &len);
            const breaker_asset_t *asset = breaker_store_find(reader->store, path, len);
            const breaker_variant_t *variant = breaker_asset_choose(asset, &acceptable);

            if (asset != known || variant->prepared == NULL || variant->etag[0] != '"')
                abort();
            for (uint64_t at = 0; at < variant->len; at += 64)
                reader->sum += (unsigned char)variant->base[at];
            reader->num_encoded += variant->encoding != BREAKER_ENCODING_IDENTITY;
            reader->sum += (unsigned)breaker__store_memory(reader->store);
        }
    }
    return NULL;
}

static void readers_see_encodings_appear(void **state)
{
    enum { READERS = 3, FILES = 40 };
    fixture_t *fixture = *state;
    reader_t readers[READERS];
    pthread_t threads[READERS];
    atomic_bool done = false;

    write_texts(&fixture->scratch, FILES, 2000);
    load_only(fixture, plain_config(), "");
    for (size_t i = 0; i != READERS; ++i) {
        readers[i] = (reader_t){.store = breaker_release_store(fixture->release, 0), .done = &done};
        assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &readers[i]), 0);
    }
    breaker__release_encode(fixture->release, NULL, &fixture->stop);
    atomic_store(&done, true);
    for (size_t i = 0; i != READERS; ++i) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].num_encoded, FILES);
    }
}

static void *keep_referencing(void *data)
{
    breaker_release_t *release = data;

    for (int i = 0; i != 10000; ++i)
        breaker_release_unref(breaker__release_ref(release));
    breaker_release_unref(release);
    return NULL;
}

static void references_are_counted_on_any_thread(void **state)
{
    fixture_t *fixture = *state;
    pthread_t threads[4];

    build_original(&fixture->scratch);
    load_only(fixture, plain_config(), "");
    for (size_t i = 0; i != 4; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_referencing,
                                        breaker__release_ref(fixture->release)),
                         0);
    breaker_release_unref(fixture->release);
    fixture->release = NULL;
    for (size_t i = 0; i != 4; ++i)
        pthread_join(threads[i], NULL);
    assert_int_equal(fixture->num_unprepared, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_tree_is_loaded_with_everything_an_answer_needs),
        CASE(hooks_may_all_be_absent),
        CASE(a_time_in_the_future_is_taken_for_the_time_of_the_load),
        CASE(files_beyond_the_limits_stay_on_disk),
        CASE(where_a_body_lies_does_not_show_in_digests),
        CASE(a_file_on_disk_that_changes_after_the_load_is_not_sent),
        CASE(links_inside_are_assets_of_their_own),
        CASE(ten_thousand_files_are_loaded_in_little_more_than_their_bytes),
        CASE(a_missing_directory_fails_the_load),
        CASE(an_unreadable_file_fails_the_load_of_a_strict_view_with_its_name),
        CASE(an_unreadable_file_is_left_out_with_a_notice),
        CASE(an_unreadable_file_hides_none_of_a_later_directory),
        CASE(files_come_from_the_directory_that_has_them_first),
        CASE(too_few_descriptors_fail_the_load_with_advice),
        CASE(a_file_that_keeps_changing_fails_the_load),
        CASE(the_digest_tells_trees_apart_and_nothing_else),
        CASE(the_digest_is_made_as_documented_in_any_order_of_views),
        CASE(the_operators_label_names_the_release_together_with_its_digest),
        CASE(references_keep_a_release_until_the_last_is_dropped),
        CASE(good_siblings_are_adopted_and_stay_assets),
        CASE(siblings_on_disk_are_adopted_with_descriptors_of_their_own),
        CASE(stale_siblings_are_told_and_not_used),
        CASE(gzip_siblings_of_several_members_are_told_and_not_used),
        CASE(a_view_without_encodings_adopts_and_makes_none),
        CASE(an_index_file_has_no_sibling_by_the_name_of_its_directory),
        CASE(notices_of_stale_siblings_are_bounded),
        CASE(missing_encodings_are_made_and_decode_to_the_asset),
        CASE(what_is_not_worth_encoding_is_left_alone),
        CASE(encodings_stay_within_the_memory_of_the_view),
        CASE(a_stop_leaves_what_is_made_and_the_rest_is_made_later),
        CASE(readers_see_encodings_appear),
        CASE(references_are_counted_on_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
