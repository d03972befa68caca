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
#include <breaker/url.h>
#include "guard.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"

typedef struct st_site_t {
    breaker_view_t *view;
    breaker_snapshot_t *snapshot;
} site_t;

/* one view at index 0, under T */
static void make_site(site_t *site, const char *name, const char *directory)
{
    breaker_token_t token;
    breaker_view_config_t config;
    breaker_snapshot_config_t snapshot = {
        .views = (const breaker_view_t *const *)&site->view, .tokens = &token, .num_views = 1};

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    assert_int_equal(breaker_view_create(&config, 0, &site->view), 0);
    assert_int_equal(breaker_token_parse(T, strlen(T), &token), 0);
    assert_int_equal(breaker_snapshot_create(&snapshot, &site->snapshot), 0);
}

static void free_site(site_t *site)
{
    breaker_snapshot_unref(site->snapshot);
    breaker_view_free(site->view);
}

/* path and output end at guard pages, and the output is exactly as large as it must be */
static void check_url(const site_t *site, const char *base_url, const char *path,
                      const char *expected)
{
    size_t path_len = strlen(path), size = strlen(expected) + 1, len = 0;
    char *src = guarded_copy(path, path_len), *dst = guarded_alloc(size);
    int err =
        breaker_static_url(site->snapshot, site->view, base_url, src, path_len, dst, size, &len);

    if (err != 0)
        fail_msg("%s: %s", path, breaker_err_name(err));
    assert_string_equal(dst, expected);
    assert_int_equal(len, size - 1);
    for (size_t less = 0; less != size; ++less) {
        len = 4711;
        err = breaker_static_url(site->snapshot, site->view, base_url, src, path_len,
                                 dst + size - less, less, &len);
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
        if (breaker_static_url(site.snapshot, site.view, NULL, paths[i], strlen(paths[i]), dst,
                               sizeof(dst), &len) != BREAKER_ERR_OUTSIDE)
            fail_msg("%s", paths[i]);
    assert_int_equal(
        breaker_static_url(site.snapshot, site.view, NULL, "a\0b", 3, dst, sizeof(dst), &len),
        BREAKER_ERR_OUTSIDE);
    assert_int_equal(len, 4711);
    free_site(&site);
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
    assert_int_equal(breaker_view_create(&config, 1, &second), 0);
    assert_int_equal(breaker_view_create(&config, 0, &other), 0);
    assert_int_equal(
        breaker_static_url(site.snapshot, second, NULL, "a", 1, dst, sizeof(dst), &len),
        BREAKER_ERR_NOT_FOUND);
    assert_int_equal(breaker_static_url(site.snapshot, other, NULL, "a", 1, dst, sizeof(dst), &len),
                     BREAKER_ERR_NOT_FOUND);
    breaker_view_free(second);
    breaker_view_free(other);
    free_site(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logical_paths_become_urls),
        cmocka_unit_test(the_placeholder_may_stand_anywhere),
        cmocka_unit_test(a_base_url_goes_in_front),
        cmocka_unit_test(paths_below_the_directory_lose_it),
        cmocka_unit_test(symbolic_links_to_the_directory_are_resolved),
        cmocka_unit_test(paths_that_no_request_could_carry_are_refused),
        cmocka_unit_test(long_paths_are_encoded_whole),
        cmocka_unit_test(a_view_that_the_snapshot_does_not_have_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
