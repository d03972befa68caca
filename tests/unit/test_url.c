/* URLs of assets: from logical paths, from paths of files, with and without a base URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <breaker/error.h>
#include <breaker/node.h>
#include <breaker/url.h>
#include "guard.h"
#include "serving/snapshot.h"
#include "tree.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"

typedef struct st_site_t {
    breaker_view_t *view;
    breaker_snapshot_t *snapshot;
} site_t;

/* one view at index 0, under T */
static void make_site_of(site_t *site, const breaker_view_config_t *config)
{
    breaker_token_t token;
    breaker__snapshot_config_t snapshot = {
        .views = (const breaker_view_t *const *)&site->view, .tokens = &token, .num_views = 1};

    assert_int_equal(breaker__view_create(config, 0, &site->view), 0);
    assert_int_equal(breaker_token_parse(T, strlen(T), &token), 0);
    assert_int_equal(breaker__snapshot_create(&snapshot, &site->snapshot), 0);
}

static void make_site(site_t *site, const char *name, const char *directory)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    make_site_of(site, &config);
}

static void free_site(site_t *site)
{
    breaker_snapshot_unref(site->snapshot);
    breaker__view_free(site->view);
}

/* the URL of a path in its simplest form */
static int url_of(const site_t *site, const breaker_view_t *view, const char *path, size_t path_len,
                  char *dst, size_t dst_size, size_t *ret_len)
{
    breaker_url_parts_t parts = {.path = path, .path_len = path_len};

    return breaker_static_url(site->snapshot, view, &parts, dst, dst_size, ret_len);
}

/* path and output end at guard pages, and the output is exactly as large as it must be */
static void check_url(const site_t *site, const char *base_url, const char *path,
                      const char *expected)
{
    size_t path_len = strlen(path), size = strlen(expected) + 1, len = 0;
    char *src = guarded_copy(path, path_len), *dst = guarded_alloc(size);
    breaker_url_parts_t parts = {.base_url = base_url, .path = src, .path_len = path_len};
    int err = breaker_static_url(site->snapshot, site->view, &parts, dst, size, &len);

    if (err != 0)
        fail_msg("%s: %s", path, breaker_err_name(err));
    assert_string_equal(dst, expected);
    assert_int_equal(len, size - 1);
    for (size_t less = 0; less != size; ++less) {
        len = 4711;
        err = breaker_static_url(site->snapshot, site->view, &parts, dst + size - less, less, &len);
        assert_int_equal(err, BREAKER_ERR_TOO_LONG);
        assert_int_equal(len, 4711);
    }
    guarded_free(dst, size);
    guarded_free(src, path_len);
}

static void logical_paths_become_urls(void **state)
{
    static const struct {
        const char *path, *url;
    } cases[] = {
        {"css/site.css", "/static/" T "/css/site.css"},
        {"/css/site.css", "/static/" T "/css/site.css"},
        {"a", "/static/" T "/a"},
        {"", "/static/" T "/"},
        {"/", "/static/" T "/"},
        {"docs/", "/static/" T "/docs/"},
        {"/docs/", "/static/" T "/docs/"},
        {"a b.css", "/static/" T "/a%20b.css"},
        {"100%.css", "/static/" T "/100%25.css"},
        {"a%20b", "/static/" T "/a%2520b"},
        {"a?b#c", "/static/" T "/a%3Fb%23c"},
        {"\xc3\xa4.css", "/static/" T "/%C3%A4.css"},
        {"\xff", "/static/" T "/%FF"},
        {"a\"b<c>d", "/static/" T "/a%22b%3Cc%3Ed"},
        {"v1.0_a~b-c!$&'()*+,;=:@", "/static/" T "/v1.0_a~b-c!$&'()*+,;=:@"},
        {"./css/./site.css", "/static/" T "/css/site.css"},
        {"css//site.css", "/static/" T "/css/site.css"},
        {"docs/.", "/static/" T "/docs/"},
        {"...", "/static/" T "/..."},
        {".hidden", "/static/" T "/.hidden"},
        {"a..b/..c", "/static/" T "/a..b/..c"},
    };
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    for (size_t i = 0; i != COUNT(cases); ++i)
        check_url(&site, NULL, cases[i].path, cases[i].url);
    free_site(&site);
}

static void the_placeholder_may_stand_anywhere(void **state)
{
    site_t site;

    (void)state;
    make_site(&site, "assets/v{breaker}-x/pub", "/nonexistent/site");
    check_url(&site, NULL, "a b", "/assets/v" T "-x/pub/a%20b");
    free_site(&site);
}

static void a_base_url_goes_in_front(void **state)
{
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    check_url(&site, "https://cdn.example", "a", "https://cdn.example/static/" T "/a");
    check_url(&site, "https://cdn.example/", "a", "https://cdn.example/static/" T "/a");
    check_url(&site, "https://cdn.example/x/", "/a", "https://cdn.example/x/static/" T "/a");
    check_url(&site, "//cdn.example", "a", "//cdn.example/static/" T "/a");
    check_url(&site, "/", "a", "/static/" T "/a");
    check_url(&site, "", "a", "/static/" T "/a");
    free_site(&site);
}

static void paths_below_the_directory_lose_it(void **state)
{
    static const struct {
        const char *directory, *path, *url;
    } cases[] = {
        {"/nonexistent/site", "/nonexistent/site/css/a.css", "/static/" T "/css/a.css"},
        {"/nonexistent/site/", "/nonexistent/site/css/a.css", "/static/" T "/css/a.css"},
        {"/nonexistent/site//", "/nonexistent/site//css/a.css", "/static/" T "/css/a.css"},
        {"/nonexistent/site", "/nonexistent/site/", "/static/" T "/"},
        /* not below it, so they are logical */
        {"/nonexistent/site", "/nonexistent/site", "/static/" T "/nonexistent/site"},
        {"/nonexistent/site", "/nonexistent/sites/a", "/static/" T "/nonexistent/sites/a"},
        {"/nonexistent/site", "/css/a.css", "/static/" T "/css/a.css"},
        {"/nonexistent/site", "nonexistent/site/a", "/static/" T "/nonexistent/site/a"},
        {"nonexistent/site", "nonexistent/site/a", "/static/" T "/nonexistent/site/a"},
        {"nonexistent/site", "/nonexistent/site/a", "/static/" T "/nonexistent/site/a"},
        {"/", "/css/a.css", "/static/" T "/css/a.css"},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        site_t site;
        make_site(&site, "static/{breaker}", cases[i].directory);
        check_url(&site, NULL, cases[i].path, cases[i].url);
        free_site(&site);
    }
}

static void a_path_may_lie_in_a_further_directory(void **state)
{
    const char *const directories[] = {"/nonexistent/second/"};
    breaker_view_config_t config;
    site_t site;

    (void)state;
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent/site";
    config.directories = directories;
    config.num_directories = 1;
    make_site_of(&site, &config);
    check_url(&site, NULL, "/nonexistent/site/a.css", "/static/" T "/a.css");
    check_url(&site, NULL, "/nonexistent/second/a.css", "/static/" T "/a.css");
    check_url(&site, NULL, "/nonexistent/third/a.css", "/static/" T "/nonexistent/third/a.css");
    free_site(&site);
}

static void symbolic_links_to_the_directory_are_resolved(void **state)
{
    char link[PATH_MAX], real[PATH_MAX], path[2 * PATH_MAX];
    tree_t tree;
    site_t site;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "releases/1/css/a.css", "a{}");
    snprintf(link, sizeof(link), "%s/current", tree.path);
    assert_int_equal(symlink("releases/1", link), 0);
    assert_non_null(realpath(link, real));
    make_site(&site, "static/{breaker}", link);

    snprintf(path, sizeof(path), "%s/css/a.css", link);
    check_url(&site, NULL, path, "/static/" T "/css/a.css");
    snprintf(path, sizeof(path), "%s/css/a.css", real);
    check_url(&site, NULL, path, "/static/" T "/css/a.css");
    snprintf(path, sizeof(path), "%s/css/not there.css", real);
    check_url(&site, NULL, path, "/static/" T "/css/not%20there.css");
    free_site(&site);
    tree_remove(&tree);
}

static void paths_that_no_request_could_carry_are_refused(void **state)
{
    static const char *const paths[] = {
        "..",
        "../a",
        "/../a",
        "a/..",
        "a/../b",
        "a/../../b",
        "a\\b",
        "a\nb",
        "a\x7f",
        "\x01",
        "/nonexistent/site/../etc",
        "/..",
        "css/../../etc",
        "./..",
    };
    char dst[256];
    size_t len = 4711;
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    for (size_t i = 0; i != COUNT(paths); ++i)
        if (url_of(&site, site.view, paths[i], strlen(paths[i]), dst, sizeof(dst), &len) !=
            BREAKER_ERR_OUTSIDE)
            fail_msg("%s", paths[i]);
    assert_int_equal(url_of(&site, site.view, "a\0b", 3, dst, sizeof(dst), &len),
                     BREAKER_ERR_OUTSIDE);
    assert_int_equal(len, 4711);
    free_site(&site);
}

static void queries_and_anchors_follow_the_path(void **state)
{
    static const struct {
        const char *query, *anchor, *url;
    } cases[] = {
        {"x=1", "top", "/static/" T "/a%3Fb?x=1#top"},
        {"x=1&y=%20/?:@", "", "/static/" T "/a%3Fb?x=1&y=%20/?:@"},
        {"", "glyph-1", "/static/" T "/a%3Fb#glyph-1"},
        {"", "", "/static/" T "/a%3Fb"},
        {"a b\"", "x#y\n", "/static/" T "/a%3Fb?a%20b%22#x%23y%0A"},
        {"q#r", "\xc3\xa4", "/static/" T "/a%3Fb?q%23r#%C3%A4"},
    };
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    for (size_t i = 0; i != COUNT(cases); ++i) {
        size_t query_len = strlen(cases[i].query), anchor_len = strlen(cases[i].anchor), len;
        breaker_url_parts_t parts = {.path = "a?b",
                                     .path_len = 3,
                                     .query = guarded_copy(cases[i].query, query_len),
                                     .query_len = query_len,
                                     .anchor = guarded_copy(cases[i].anchor, anchor_len),
                                     .anchor_len = anchor_len};
        size_t size = strlen(cases[i].url) + 1;
        char *dst = guarded_alloc(size);
        assert_int_equal(breaker_static_url(site.snapshot, site.view, &parts, dst, size, &len), 0);
        assert_string_equal(dst, cases[i].url);
        assert_int_equal(len, size - 1);
        assert_int_equal(breaker_static_url(site.snapshot, site.view, &parts, dst, size - 1, &len),
                         BREAKER_ERR_TOO_LONG);
        assert_true(breaker_static_url_size(&parts) >= size);
        guarded_free(dst, size);
        guarded_free((void *)(uintptr_t)parts.query, query_len);
        guarded_free((void *)(uintptr_t)parts.anchor, anchor_len);
    }
    free_site(&site);
}

static void the_size_that_is_told_always_suffices(void **state)
{
    char name[BREAKER_VIEW_NAME_MAX + 1], token_text[BREAKER_TOKEN_MAX], *dst;
    breaker_url_parts_t parts = {.base_url = "https://cdn.example",
                                 .path = "\xff\xff",
                                 .path_len = 2,
                                 .query = "  ",
                                 .query_len = 2,
                                 .anchor = "##",
                                 .anchor_len = 2};
    size_t size = breaker_static_url_size(&parts), len;
    breaker_token_t token;
    breaker_view_config_t config;
    site_t site;
    breaker__snapshot_config_t snapshot = {
        .views = (const breaker_view_t *const *)&site.view, .tokens = &token, .num_views = 1};

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    strcpy(name + sizeof(name) - 1 - strlen(BREAKER_PLACEHOLDER), BREAKER_PLACEHOLDER);
    memset(token_text, '1', sizeof(token_text));
    breaker_view_config_init(&config);
    config.name = name;
    config.directory = "/nonexistent/site";
    assert_int_equal(breaker__view_create(&config, 0, &site.view), 0);
    assert_int_equal(breaker_token_parse(token_text, sizeof(token_text), &token), 0);
    assert_int_equal(breaker__snapshot_create(&snapshot, &site.snapshot), 0);
    dst = guarded_alloc(size);
    assert_int_equal(breaker_static_url(site.snapshot, site.view, &parts, dst, size, &len), 0);
    guarded_free(dst, size);
    free_site(&site);
}

static void before_the_first_token_nothing_is_ready(void **state)
{
    char dst[64];
    size_t len = 4711;
    site_t site;
    breaker_url_parts_t parts = {.path = "a", .path_len = 1};

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    assert_int_equal(breaker_static_url(NULL, site.view, &parts, dst, sizeof(dst), &len),
                     BREAKER_ERR_NOT_READY);
    assert_int_equal(breaker_static_integrity(NULL, site.view, "a", 1, dst), BREAKER_ERR_NOT_READY);
    assert_int_equal(len, 4711);
    free_site(&site);
}

static void the_integrity_of_an_asset_is_its_sha_256(void **state)
{
    static const struct {
        const char *path;
        int err;
        /* as `openssl dgst -sha256 -binary | base64` says */
        const char *text;
    } cases[] = {
        {"css/a.css", 0, "sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk="},
        {"/./css//a.css", 0, "sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk="},
        {"empty.js", 0, "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        {"css/b.css", BREAKER_ERR_NOT_FOUND, NULL},
        /* browsers hash what it decodes to */
        {"coded.js.br", BREAKER_ERR_NOT_FOUND, NULL},
        {"css", BREAKER_ERR_NOT_FOUND, NULL},
        {"", BREAKER_ERR_NOT_FOUND, NULL},
        {"css/../css/a.css", BREAKER_ERR_OUTSIDE, NULL},
        {"css\\a.css", BREAKER_ERR_OUTSIDE, NULL},
    };
    char dst[BREAKER_INTEGRITY_LEN + 1], long_path[BREAKER_ASSET_PATH_MAX + 2];
    breaker_node_t *node;
    const breaker_view_t *view;
    breaker_view_config_t config;
    breaker_snapshot_t *current = NULL;
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "css/a.css", "a{}");
    tree_write(&tree, "empty.js", "");
    /* nothing, in brotli */
    tree_write(&tree, "coded.js.br", "\x06");
    breaker_view_config_init(&config);
    config.encoded_names = true;
    config.name = "static/{breaker}";
    config.directory = tree.path;
    assert_int_equal(breaker_node_create(NULL, &node), 0);
    assert_int_equal(breaker_node_add_view(node, &config, &view), 0);
    assert_int_equal(breaker_node_load(node, NULL), 0);
    breaker_publisher_refresh(breaker_node_publisher(node), &current);
    for (size_t i = 0; i != COUNT(cases); ++i) {
        assert_int_equal(
            breaker_static_integrity(current, view, cases[i].path, strlen(cases[i].path), dst),
            cases[i].err);
        if (cases[i].err == 0)
            assert_string_equal(dst, cases[i].text);
    }
    memset(long_path, 'a', sizeof(long_path));
    assert_int_equal(breaker_static_integrity(current, view, long_path, sizeof(long_path), dst),
                     BREAKER_ERR_NOT_FOUND);
    breaker_snapshot_unref(current);
    breaker_node_free(node);
    tree_remove(&tree);
}

static void long_paths_are_encoded_whole(void **state)
{
    char path[1001], url[3100];
    size_t at = strlen("/static/" T "/");
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    strcpy(url, "/static/" T "/");
    for (size_t i = 0; i != 1000; ++i) {
        path[i] = i % 3 == 0 ? ' ' : 'a';
        at += (size_t)sprintf(url + at, "%s", i % 3 == 0 ? "%20" : "a");
    }
    path[1000] = '\0';
    check_url(&site, NULL, path, url);
    free_site(&site);
}

static void a_view_that_the_snapshot_does_not_have_is_not_found(void **state)
{
    breaker_view_config_t config;
    breaker_view_t *second, *other;
    char dst[64];
    size_t len;
    site_t site;

    (void)state;
    make_site(&site, "static/{breaker}", "/nonexistent/site");
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent/site";
    assert_int_equal(breaker__view_create(&config, 1, &second), 0);
    assert_int_equal(breaker__view_create(&config, 0, &other), 0);
    assert_int_equal(url_of(&site, second, "a", 1, dst, sizeof(dst), &len), BREAKER_ERR_NOT_FOUND);
    assert_int_equal(url_of(&site, other, "a", 1, dst, sizeof(dst), &len), BREAKER_ERR_NOT_FOUND);
    breaker__view_free(second);
    breaker__view_free(other);
    free_site(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logical_paths_become_urls),
        cmocka_unit_test(the_placeholder_may_stand_anywhere),
        cmocka_unit_test(a_base_url_goes_in_front),
        cmocka_unit_test(paths_below_the_directory_lose_it),
        cmocka_unit_test(a_path_may_lie_in_a_further_directory),
        cmocka_unit_test(symbolic_links_to_the_directory_are_resolved),
        cmocka_unit_test(paths_that_no_request_could_carry_are_refused),
        cmocka_unit_test(queries_and_anchors_follow_the_path),
        cmocka_unit_test(the_size_that_is_told_always_suffices),
        cmocka_unit_test(before_the_first_token_nothing_is_ready),
        cmocka_unit_test(the_integrity_of_an_asset_is_its_sha_256),
        cmocka_unit_test(long_paths_are_encoded_whole),
        cmocka_unit_test(a_view_that_the_snapshot_does_not_have_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
