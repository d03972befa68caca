/* Views: which configurations are accepted, what a prefix looks like, and where a path falls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/token.h>
#include <breaker/view.h>
#include "allocations.h"
#include "guard.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static breaker_view_config_t config_of(const char *name)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = "/nonexistent/site";
    return config;
}

/* the outcome of making a view that is thrown away */
static int try_create(const breaker_view_config_t *config, size_t index)
{
    breaker_view_t *untouched = (breaker_view_t *)(void *)&untouched, *view = untouched;
    int err = breaker__view_create(config, index, &view);

    if (err != 0)
        assert_ptr_equal(view, untouched);
    else
        breaker__view_free(view);
    return err;
}

static breaker_view_t *make_view(const char *name, size_t index)
{
    breaker_view_config_t config = config_of(name);
    breaker_view_t *view = NULL;

    if (breaker__view_create(&config, index, &view) != 0)
        fail_msg("view %s", name);
    return view;
}

/* ---- configurations ---- */

static void defaults_are_those_of_the_header(void **state)
{
    breaker_view_config_t config;

    (void)state;
    memset(&config, 0xff, sizeof(config));
    breaker_view_config_init(&config);
    assert_null(config.name);
    assert_null(config.directory);
    assert_int_equal(config.cache_max_age_s, 31536000);
    assert_int_equal(config.redirect_max_age_s, 60);
    assert_int_equal(config.retry_after_s, 3);
    assert_string_equal(config.allow_origin, "*");
    assert_null(config.timing_allow_origin);
    assert_null(config.resource_policy);
    assert_int_equal(config.num_headers, 0);
    assert_int_equal(config.num_directories, 0);
    assert_int_equal(config.num_follow, 0);
    assert_false(config.strict);
    assert_null(config.index);
    assert_false(config.dotfiles);
    assert_true(config.encodings);
    assert_int_equal(config.memory_file_limit, 8 * 1024 * 1024);
    assert_int_equal(config.memory_limit, 1024 * 1024 * 1024);
    assert_null(config.data);
}

static void names_are_accepted_or_refused_with_their_reason(void **state)
{
    static const struct {
        const char *name;
        int err;
    } cases[] = {
        {"static/{breaker}", 0},
        {"/static/{breaker}", 0},
        {"static/{breaker}/", 0},
        {"/static/{breaker}/", 0},
        {"{breaker}", 0},
        {"/{breaker}/", 0},
        {"assets/v{breaker}/pub", 0},
        {"assets/v{breaker}-x/pub", 0},
        {"a/.{breaker}", 0},
        {"a/..{breaker}..", 0},
        {"a/.../{breaker}", 0},
        {"A-z.0_9~!$&'()*+,;=:@/{breaker}", 0},
        {"static", BREAKER_ERR_NO_PLACEHOLDER},
        {"/static/", BREAKER_ERR_NO_PLACEHOLDER},
        {"static/breaker", BREAKER_ERR_NO_PLACEHOLDER},
        {"static/{breaker", BREAKER_ERR_NO_PLACEHOLDER},
        {"static/{ breaker }", BREAKER_ERR_NO_PLACEHOLDER},
        {"static/{BREAKER}", BREAKER_ERR_NO_PLACEHOLDER},
        {"static/%7Bbreaker%7D", BREAKER_ERR_NO_PLACEHOLDER},
        {"{breaker}/{breaker}", BREAKER_ERR_TWO_PLACEHOLDERS},
        {"{breaker}{breaker}", BREAKER_ERR_TWO_PLACEHOLDERS},
        {"a/{breaker}/b/{breaker}/c", BREAKER_ERR_TWO_PLACEHOLDERS},
        {NULL, BREAKER_ERR_VIEW_NAME},
        {"", BREAKER_ERR_VIEW_NAME},
        {"/", BREAKER_ERR_VIEW_NAME},
        {"//", BREAKER_ERR_VIEW_NAME},
        {"//static/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"static//{breaker}", BREAKER_ERR_VIEW_NAME},
        {"static/{breaker}//", BREAKER_ERR_VIEW_NAME},
        {"./{breaker}", BREAKER_ERR_VIEW_NAME},
        {"../{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a/../{breaker}", BREAKER_ERR_VIEW_NAME},
        {"{breaker}/.", BREAKER_ERR_VIEW_NAME},
        {"{breaker}/..", BREAKER_ERR_VIEW_NAME},
        {"a b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a%20b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a?b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a#b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a\\b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a\"b/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a<b>/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a/{{breaker}}", BREAKER_ERR_VIEW_NAME},
        {"a\n/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"a\x7f/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"\xc3\xa4/{breaker}", BREAKER_ERR_VIEW_NAME},
        {"{breaker}/\xc3\xa4", BREAKER_ERR_VIEW_NAME},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_view_config_t config = config_of(cases[i].name);
        int err = try_create(&config, 0);
        if (err != cases[i].err)
            fail_msg("%s: %s", cases[i].name, breaker_err_name(err));
    }
}

static void a_name_has_at_most_255_bytes(void **state)
{
    char name[300];
    breaker_view_config_t config = config_of(name);

    (void)state;
    memset(name, 'a', sizeof(name));
    memcpy(name + 255 - strlen(BREAKER_PLACEHOLDER), BREAKER_PLACEHOLDER, 10);
    assert_int_equal(strlen(name), BREAKER_VIEW_NAME_MAX);
    assert_int_equal(try_create(&config, 0), 0);
    strcat(name, "/"); /* dropped, so not counted */
    assert_int_equal(try_create(&config, 0), 0);
    strcat(name, "a");
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_VIEW_NAME);
}

static void numbers_have_bounds(void **state)
{
    static const uint64_t year = 31536000;
    breaker_view_config_t config = config_of("{breaker}");

    (void)state;
    assert_int_equal(try_create(&config, BREAKER_VIEWS_MAX - 1), 0);
    assert_int_equal(try_create(&config, BREAKER_VIEWS_MAX), BREAKER_ERR_RANGE);
    config.cache_max_age_s = 10 * year;
    assert_int_equal(try_create(&config, 0), 0);
    config.cache_max_age_s = 10 * year + 1;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    config = config_of("{breaker}");
    config.redirect_max_age_s = year;
    assert_int_equal(try_create(&config, 0), 0);
    config.redirect_max_age_s = year + 1;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    config.redirect_max_age_s = config.cache_max_age_s = 0;
    assert_int_equal(try_create(&config, 0), 0);
    config.retry_after_s = 3600;
    assert_int_equal(try_create(&config, 0), 0);
    config.retry_after_s = 3601;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    config.retry_after_s = 0;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
}

static void a_directory_is_named_but_need_not_exist(void **state)
{
    static char long_name[5000];
    breaker_view_config_t config = config_of("{breaker}");

    (void)state;
    assert_int_equal(try_create(&config, 0), 0);
    config.directory = "";
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    config.directory = NULL;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    memset(long_name, 'x', 4095);
    config.directory = long_name;
    assert_int_equal(try_create(&config, 0), 0);
    long_name[4095] = 'x';
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
}

static void further_directories_are_few_and_named(void **state)
{
    const char *many[] = {"/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9",
                          "/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"};
    breaker_view_config_t config = config_of("{breaker}");

    (void)state;
    config.directories = config.follow = many;
    config.num_directories = BREAKER_VIEW_DIRECTORIES_MAX;
    config.num_follow = BREAKER_VIEW_FOLLOW_MAX;
    assert_int_equal(try_create(&config, 0), 0);
    ++config.num_directories;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    --config.num_directories;
    ++config.num_follow;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    --config.num_follow;
    many[3] = "";
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
}

static void an_index_is_the_name_of_one_file(void **state)
{
    static const struct {
        const char *index;
        int err;
    } cases[] = {
        {"index.html", 0},
        {"a b", 0},
        {"", BREAKER_ERR_RANGE},
        {".", BREAKER_ERR_RANGE},
        {"..", BREAKER_ERR_RANGE},
        {"a/b", BREAKER_ERR_RANGE},
        {"/index.html", BREAKER_ERR_RANGE},
        {"a\nb", BREAKER_ERR_RANGE},
        {"a\\b", BREAKER_ERR_RANGE},
    };
    breaker_view_config_t config = config_of("{breaker}");

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        config.index = cases[i].index;
        if (try_create(&config, 0) != cases[i].err)
            fail_msg("%s", cases[i].index);
    }
}

static void headers_are_fields_that_the_server_does_not_set(void **state)
{
    static const struct {
        const char *line;
        int err;
    } cases[] = {
        {"X-Frame-Options: DENY", 0},
        {"x:y", 0},
        {"X-Empty:", 0},
        {"!#$%&'*+-.^_`|~09azAZ: tchar", 0},
        {"Content-Security-Policy: default-src 'self'; img-src *", 0},
        {"X-Latin: \xe4", 0},
        {"Content-Type-Options: close to a reserved one", 0},
        {"", BREAKER_ERR_HEADER_SYNTAX},
        {":", BREAKER_ERR_HEADER_SYNTAX},
        {": value", BREAKER_ERR_HEADER_SYNTAX},
        {"no colon", BREAKER_ERR_HEADER_SYNTAX},
        {"Name", BREAKER_ERR_HEADER_SYNTAX},
        {"Na me: value", BREAKER_ERR_HEADER_SYNTAX},
        {"Name : value", BREAKER_ERR_HEADER_SYNTAX},
        {" Name: value", BREAKER_ERR_HEADER_SYNTAX},
        {"N\xc3\xa4me: value", BREAKER_ERR_HEADER_SYNTAX},
        {"Name: a\r\nSet-Cookie: b", BREAKER_ERR_HEADER_SYNTAX},
        {"Name: a\nb", BREAKER_ERR_HEADER_SYNTAX},
        {"Name: a\tb", BREAKER_ERR_HEADER_SYNTAX},
        {"Name: a\x7f", BREAKER_ERR_HEADER_SYNTAX},
        {"Content-Type: text/css", BREAKER_ERR_HEADER_SYNTAX},
        {"content-length: 1", BREAKER_ERR_HEADER_SYNTAX},
        {"CONTENT-ENCODING: br", BREAKER_ERR_HEADER_SYNTAX},
        {"Content-Range: bytes 0-1/2", BREAKER_ERR_HEADER_SYNTAX},
        {"ETag: \"x\"", BREAKER_ERR_HEADER_SYNTAX},
        {"Last-Modified: never", BREAKER_ERR_HEADER_SYNTAX},
        {"Date: today", BREAKER_ERR_HEADER_SYNTAX},
        {"Vary: *", BREAKER_ERR_HEADER_SYNTAX},
        {"Accept-Ranges: none", BREAKER_ERR_HEADER_SYNTAX},
        {"Cache-Control: no-store", BREAKER_ERR_HEADER_SYNTAX},
        {"Connection: close", BREAKER_ERR_HEADER_SYNTAX},
        {"Transfer-Encoding: chunked", BREAKER_ERR_HEADER_SYNTAX},
        {"Location: /", BREAKER_ERR_HEADER_SYNTAX},
        {"Access-Control-Allow-Origin: *", BREAKER_ERR_HEADER_SYNTAX},
        {"Timing-Allow-Origin: *", BREAKER_ERR_HEADER_SYNTAX},
        {"Cross-Origin-Resource-Policy: same-site", BREAKER_ERR_HEADER_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_view_config_t config = config_of("{breaker}");
        const char *headers[] = {"X-Good: 1", cases[i].line};
        config.headers = headers;
        config.num_headers = 2;
        if (try_create(&config, 0) != cases[i].err)
            fail_msg("%s", cases[i].line);
    }
}

static void headers_have_bounds(void **state)
{
    static char line[BREAKER_VIEW_HEADER_MAX + 2];
    const char *headers[BREAKER_VIEW_HEADERS_MAX + 1];
    breaker_view_config_t config = config_of("{breaker}");

    (void)state;
    memset(line, 'x', BREAKER_VIEW_HEADER_MAX);
    line[1] = ':';
    for (size_t i = 0; i != COUNT(headers); ++i)
        headers[i] = line;
    config.headers = headers;
    config.num_headers = BREAKER_VIEW_HEADERS_MAX;
    assert_int_equal(try_create(&config, 0), 0);
    config.num_headers = BREAKER_VIEW_HEADERS_MAX + 1;
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
    config.num_headers = 1;
    line[BREAKER_VIEW_HEADER_MAX] = 'x';
    assert_int_equal(try_create(&config, 0), BREAKER_ERR_RANGE);
}

static void values_of_options_are_header_values(void **state)
{
    static const struct {
        const char *value;
        int err;
    } cases[] = {
        {NULL, 0},
        {"*", 0},
        {"https://shop.example", 0},
        {"", BREAKER_ERR_HEADER_SYNTAX},
        {"a\r\nb: c", BREAKER_ERR_HEADER_SYNTAX},
        {"a\x7f", BREAKER_ERR_HEADER_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i)
        for (size_t option = 0; option != 3; ++option) {
            breaker_view_config_t config = config_of("{breaker}");
            const char **fields[] = {&config.allow_origin, &config.timing_allow_origin,
                                     &config.resource_policy};
            *fields[option] = cases[i].value;
            assert_int_equal(try_create(&config, 0), cases[i].err);
        }
}

static void a_list_of_origins_has_nothing_else(void **state)
{
    static const struct {
        const char *value;
        int err;
    } cases[] = {
        {"https://shop.example http://localhost:3000", 0},
        {"null https://a capacitor://localhost", 0},
        {"https://a https://[::1]:8080", 0},
        {"https://a *", BREAKER_ERR_HEADER_SYNTAX},
        {"https://a  https://b", BREAKER_ERR_HEADER_SYNTAX},
        {" https://a", BREAKER_ERR_HEADER_SYNTAX},
        {"https://a ", BREAKER_ERR_HEADER_SYNTAX},
        {"https://a/ https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"https://A https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"https://a, https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"https:// https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"://a https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"shop.example https://b", BREAKER_ERR_HEADER_SYNTAX},
        {"https://u@a https://b", BREAKER_ERR_HEADER_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_view_config_t config = config_of("{breaker}");
        config.allow_origin = cases[i].value;
        assert_int_equal(try_create(&config, 0), cases[i].err);
    }
}

static void a_view_keeps_copies_of_everything(void **state)
{
    char name[] = "/assets/v{breaker}-x/pub/", directory[] = "/srv/site/", origin[] = "https://a",
         timing[] = "https://b", policy[] = "same-site", index[] = "index.html", header[] = "X: y",
         second[] = "/srv/second", shared[] = "/srv/shared";
    const char *headers[] = {header}, *directories[] = {second}, *follow[] = {shared};
    breaker_view_config_t config = config_of(name);
    const breaker_view_config_t *kept;
    breaker_view_t *view;
    int mine;

    (void)state;
    config.directory = directory;
    config.allow_origin = origin;
    config.timing_allow_origin = timing;
    config.resource_policy = policy;
    config.index = index;
    config.headers = headers;
    config.num_headers = 1;
    config.directories = directories;
    config.num_directories = 1;
    config.follow = follow;
    config.num_follow = 1;
    config.strict = true;
    config.dotfiles = true;
    config.memory_limit = 4711;
    config.data = &mine;
    assert_int_equal(breaker__view_create(&config, 7, &view), 0);
    name[0] = directory[0] = origin[0] = timing[0] = policy[0] = index[0] = header[0] = second[0] =
        shared[0] = '?';
    headers[0] = directories[0] = follow[0] = NULL;

    kept = breaker_view_config(view);
    assert_string_equal(breaker_view_name(view), "assets/v{breaker}-x/pub");
    assert_string_equal(kept->name, "assets/v{breaker}-x/pub");
    assert_string_equal(kept->directory, "/srv/site/");
    assert_string_equal(kept->allow_origin, "https://a");
    assert_string_equal(kept->timing_allow_origin, "https://b");
    assert_string_equal(kept->resource_policy, "same-site");
    assert_string_equal(kept->index, "index.html");
    assert_int_equal(kept->num_headers, 1);
    assert_string_equal(kept->headers[0], "X: y");
    assert_int_equal(kept->num_directories, 1);
    assert_string_equal(kept->directories[0], "/srv/second");
    assert_int_equal(kept->num_follow, 1);
    assert_string_equal(kept->follow[0], "/srv/shared");
    assert_true(kept->strict);
    assert_true(kept->dotfiles);
    assert_int_equal(kept->memory_limit, 4711);
    assert_int_equal(breaker_view_index(view), 7);
    assert_ptr_equal(breaker_view_data(view), &mine);
    breaker__view_free(view);
    breaker__view_free(NULL);
}

/* ---- prefixes ---- */

static void a_prefix_is_the_name_with_the_token_between_slashes(void **state)
{
    static const struct {
        const char *name, *token, *prefix;
    } cases[] = {
        {"static/{breaker}", "1718539201234", "/static/1718539201234/"},
        {"/static/{breaker}/", "v1", "/static/v1/"},
        {"{breaker}", "v1", "/v1/"},
        {"assets/v{breaker}-x/pub", "7", "/assets/v7-x/pub/"},
        {"static/{breaker}", BREAKER_PLACEHOLDER, "/static/{breaker}/"},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_view_t *view = make_view(cases[i].name, 0);
        size_t token_len = strlen(cases[i].token), len = strlen(cases[i].prefix);
        char *token = guarded_copy(cases[i].token, token_len), *dst = guarded_alloc(len);
        assert_int_equal(breaker_view_prefix(view, token, token_len, dst), len);
        assert_memory_equal(dst, cases[i].prefix, len);
        guarded_free(dst, len);
        guarded_free(token, token_len);
        breaker__view_free(view);
    }
}

static void the_longest_prefix_fits_its_bound(void **state)
{
    char name[BREAKER_VIEW_NAME_MAX + 1], token[BREAKER_TOKEN_MAX], dst[BREAKER_VIEW_PREFIX_MAX];
    breaker_view_t *view;

    (void)state;
    memset(name, 'a', sizeof(name));
    memcpy(name + 100, BREAKER_PLACEHOLDER, strlen(BREAKER_PLACEHOLDER));
    name[BREAKER_VIEW_NAME_MAX] = '\0';
    memset(token, '9', sizeof(token));
    view = make_view(name, 0);
    assert_int_equal(breaker_view_prefix(view, token, sizeof(token), dst),
                     BREAKER_VIEW_NAME_MAX - strlen(BREAKER_PLACEHOLDER) + sizeof(token) + 2);
    breaker__view_free(view);
}

/* ---- matching ---- */

typedef struct st_set_t {
    breaker_view_t *views[BREAKER_VIEWS_MAX];
    size_t num;
    breaker_views_t *compiled;
} set_t;

static void make_set(set_t *set, const char *const *names, size_t num)
{
    set->num = num;
    for (size_t i = 0; i != num; ++i)
        set->views[i] = make_view(names[i], i);
    assert_int_equal(
        breaker_views_create((const breaker_view_t *const *)set->views, num, &set->compiled), 0);
}

static void free_set(set_t *set)
{
    breaker_views_free(set->compiled);
    for (size_t i = 0; i != set->num; ++i)
        breaker__view_free(set->views[i]);
}

static bool match(const set_t *set, const char *path, size_t len, breaker_view_match_t *ret_match)
{
    char *base = guarded_copy(path, len);
    bool matched = breaker_views_match(set->compiled, base, len, ret_match);

    guarded_free(base, len);
    return matched;
}

static void paths_fall_into_views(void **state)
{
    static const char *const names[] = {"static/{breaker}", "assets/v{breaker}-x/pub",
                                        "s/{breaker}", "static/fonts/{breaker}", "{breaker}/root"};
    static const struct {
        const char *path;
        int view; /* -1: none */
        const char *token, *asset;
    } cases[] = {
        {"/static/1718539201234/css/site.css", 0, "1718539201234", "css/site.css"},
        {"/static/v1/", 0, "v1", ""},
        {"/static/v1/a", 0, "v1", "a"},
        {"/static/v1//a", 0, "v1", "/a"},
        {"/static//a", 0, "", "a"},
        {"/static//", 0, "", ""},
        {"/static/\x01 \xff/a", 0, "\x01 \xff", "a"},
        {"/static/v1", -1, "", ""},
        {"/static/", -1, "", ""},
        {"/static", -1, "", ""},
        {"/stati", -1, "", ""},
        {"/staticx/v1/a", -1, "", ""},
        {"/Static/v1/a", -1, "", ""},
        {"static/v1/a", -1, "", ""},
        {"//static/v1/a", -1, "", ""},
        {"", -1, "", ""},
        {"/", -1, "", ""},
        {"/s/v1/a", 2, "v1", "a"},
        {"/s/v1", -1, "", ""},
        {"/assets/v7-x/pub/app.js", 1, "7", "app.js"},
        {"/assets/v-x/pub/app.js", 1, "", "app.js"},
        {"/assets/v-x-x/pub/app.js", 1, "-x", "app.js"},
        {"/assets/v7-x/pub/", 1, "7", ""},
        {"/assets/v7-x/pub", -1, "", ""},
        {"/assets/v7-x/public/app.js", -1, "", ""},
        {"/assets/v7-y/pub/app.js", -1, "", ""},
        {"/assets/v7/pub/app.js", -1, "", ""},
        {"/assets/vx/pub/app.js", -1, "", ""},
        {"/assets/v/a-x/pub/app.js", -1, "", ""},
        {"/assets/x7-x/pub/app.js", -1, "", ""},
        /* the longer head is asked first, the shorter one when it says no */
        {"/static/fonts/v1/a.woff2", 3, "v1", "a.woff2"},
        {"/static/fonts/a.woff2", 0, "fonts", "a.woff2"},
        {"/static/font/v1/a", 0, "font", "v1/a"},
        {"/static/root/x", 0, "root", "x"},
        {"/v1/root/x", 4, "v1", "x"},
        {"/static/root", -1, "", ""},
        {"/s/root/", 2, "root", ""},
        {"/stat/root/x", 4, "stat", "x"},
    };
    set_t set;

    (void)state;
    make_set(&set, names, COUNT(names));
    for (size_t i = 0; i != COUNT(cases); ++i) {
        size_t len = strlen(cases[i].path), token_len = strlen(cases[i].token);
        breaker_view_match_t at = {.asset_at = 4711};
        bool matched = match(&set, cases[i].path, len, &at);
        if (matched != (cases[i].view >= 0))
            fail_msg("%s", cases[i].path);
        if (!matched) {
            assert_int_equal(at.asset_at, 4711);
            continue;
        }
        if (at.view != set.views[cases[i].view] || at.token_len != token_len ||
            memcmp(cases[i].path + at.token_at, cases[i].token, token_len) != 0 ||
            strcmp(cases[i].path + at.asset_at, cases[i].asset) != 0)
            fail_msg("%s", cases[i].path);
    }
    free_set(&set);
}

static void every_beginning_of_a_path_is_survived(void **state)
{
    static const char *const names[] = {"assets/v{breaker}-x/pub", "assets/{breaker}",
                                        "a{breaker}"};
    static const char path[] = "/assets/v1718539201234-x/pub/css/site.css";
    set_t set;

    (void)state;
    make_set(&set, names, COUNT(names));
    for (size_t len = 0; len != sizeof(path); ++len) {
        breaker_view_match_t at;
        if (match(&set, path, len, &at))
            assert_true(at.token_at + at.token_len < at.asset_at && at.asset_at <= len);
        else
            assert_true(len < sizeof("/assets/v1718539201234-x/") - 1);
    }
    free_set(&set);
}

static void of_views_with_one_head_the_earlier_is_asked_first(void **state)
{
    static const char *const names[] = {"a/{breaker}/x", "a/{breaker}", "a/{breaker}/y"};
    breaker_view_match_t at;
    set_t set;

    (void)state;
    make_set(&set, names, COUNT(names));
    assert_true(match(&set, "/a/1/x/f", 8, &at));
    assert_ptr_equal(at.view, set.views[0]);
    assert_true(match(&set, "/a/1/y/f", 8, &at));
    assert_ptr_equal(at.view, set.views[1]);
    assert_true(match(&set, "/a/1/z/f", 8, &at));
    assert_ptr_equal(at.view, set.views[1]);
    free_set(&set);
}

static void a_set_holds_1_to_64_views(void **state)
{
    char texts[BREAKER_VIEWS_MAX][16];
    const char *names[BREAKER_VIEWS_MAX];
    const breaker_view_t *too_many[BREAKER_VIEWS_MAX + 1];
    breaker_views_t *none;
    set_t set;

    (void)state;
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        snprintf(texts[i], sizeof(texts[i]), "%02x/{breaker}", (unsigned)(i * 5 % 64));
        names[i] = texts[i];
    }
    make_set(&set, names, BREAKER_VIEWS_MAX);
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        breaker_view_match_t at;
        char path[16];
        snprintf(path, sizeof(path), "/%02x/t/a", (unsigned)(i * 5 % 64));
        assert_true(match(&set, path, 7, &at));
        assert_ptr_equal(at.view, set.views[i]);
    }
    for (size_t i = 0; i != COUNT(too_many); ++i)
        too_many[i] = set.views[0];
    assert_int_equal(breaker_views_create(too_many, 0, &none), BREAKER_ERR_RANGE);
    assert_int_equal(breaker_views_create(too_many, COUNT(too_many), &none), BREAKER_ERR_TOO_MANY);
    free_set(&set);
    breaker_views_free(NULL);
}

/* ---- matching against the definition ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static size_t random_text(uint32_t *seed, const char *alphabet, size_t max_len, char *dst)
{
    size_t len = next_random(seed) % (max_len + 1);

    for (size_t i = 0; i != len; ++i)
        dst[i] = alphabet[next_random(seed) % strlen(alphabet)];
    dst[len] = '\0';
    return len;
}

/* where a path falls; `name` is NULL when it falls nowhere */
typedef struct st_expected_t {
    const char *name;
    size_t token_at, token_len;
} expected_t;

/* the header's sentence, word by word: "/" + the name with a token in it + "/" */
static bool is_in_view(const char *name, const char *path, expected_t *expected)
{
    const char *placeholder = strstr(name, BREAKER_PLACEHOLDER), *rest;
    size_t head_len = (size_t)(placeholder - name), segment_len, in_segment;
    char tail[64];

    snprintf(tail, sizeof(tail), "%s/", placeholder + strlen(BREAKER_PLACEHOLDER));
    if (path[0] != '/' || strncmp(path + 1, name, head_len) != 0)
        return false;
    segment_len = strcspn(path + 1 + head_len, "/");
    in_segment = strcspn(tail, "/");
    if (segment_len < in_segment)
        return false;
    rest = path + 1 + head_len + segment_len - in_segment;
    if (strncmp(rest, tail, strlen(tail)) != 0)
        return false;
    *expected = (expected_t){name, 1 + head_len, segment_len - in_segment};
    return true;
}

static size_t head_len_of(const char *name)
{
    return (size_t)(strstr(name, BREAKER_PLACEHOLDER) - name);
}

/* asks every view, and keeps the one that is to be asked first */
static expected_t expect(const set_t *set, const char *path)
{
    expected_t best = {NULL, 0, 0}, one;

    for (size_t i = 0; i != set->num; ++i)
        if (is_in_view(breaker_view_name(set->views[i]), path, &one) &&
            (best.name == NULL || head_len_of(one.name) > head_len_of(best.name)))
            best = one;
    return best;
}

static void make_random_set(uint32_t *seed, size_t num, set_t *set)
{
    char texts[16][64], head[8], tail[8];
    const char *names[16];

    for (size_t i = 0; i != num;) {
        breaker_view_config_t config = config_of(texts[i]);
        random_text(seed, "ab/", 6, head);
        random_text(seed, "ab/", 3, tail);
        snprintf(texts[i], sizeof(texts[i]), "%s{breaker}%s", head, tail);
        names[i] = texts[i];
        if (try_create(&config, 0) == 0)
            ++i;
    }
    make_set(set, names, num);
}

static bool check_match(const set_t *set, const char *path, size_t len)
{
    expected_t expected = expect(set, path);
    breaker_view_match_t at;

    if (match(set, path, len, &at) != (expected.name != NULL))
        fail_msg("%s is %sin a view", path, expected.name != NULL ? "" : "not ");
    if (expected.name == NULL)
        return false;
    if (breaker_view_name(at.view) != expected.name || at.token_at != expected.token_at ||
        at.token_len != expected.token_len)
        fail_msg("%s is in %s, not in %s", path, expected.name, breaker_view_name(at.view));
    return true;
}

static void matching_agrees_with_the_definition(void **state)
{
    uint32_t seed = 2;
    size_t num_matched = 0;
    char path[16];

    (void)state;
    for (size_t round = 0; round != 300; ++round) {
        set_t set;
        make_random_set(&seed, 1 + round % 16, &set);
        for (size_t i = 0; i != 300; ++i) {
            size_t len = random_text(&seed, "ab//", sizeof(path) - 1, path);
            if (len != 0)
                path[0] = '/';
            num_matched += check_match(&set, path, len);
        }
        free_set(&set);
    }
    /* both answers must have been common, or nothing was compared */
    assert_in_range(num_matched, 10000, 80000);
}

static void matching_allocates_nothing(void **state)
{
    static const char *const names[] = {"static/{breaker}", "assets/v{breaker}-x/pub"};
    static const char path[] = "/assets/v1718539201234-x/pub/css/site.css";
    breaker_view_match_t at;
    size_t before = num_allocations;
    set_t set;

    (void)state;
    make_set(&set, names, COUNT(names));
    assert_true(num_allocations > before);
    before = num_allocations;
    assert_true(match(&set, path, sizeof(path) - 1, &at));
    assert_int_equal(num_allocations, before);
    free_set(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_header),
        cmocka_unit_test(names_are_accepted_or_refused_with_their_reason),
        cmocka_unit_test(a_name_has_at_most_255_bytes),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(a_directory_is_named_but_need_not_exist),
        cmocka_unit_test(further_directories_are_few_and_named),
        cmocka_unit_test(an_index_is_the_name_of_one_file),
        cmocka_unit_test(headers_are_fields_that_the_server_does_not_set),
        cmocka_unit_test(headers_have_bounds),
        cmocka_unit_test(values_of_options_are_header_values),
        cmocka_unit_test(a_list_of_origins_has_nothing_else),
        cmocka_unit_test(a_view_keeps_copies_of_everything),
        cmocka_unit_test(a_prefix_is_the_name_with_the_token_between_slashes),
        cmocka_unit_test(the_longest_prefix_fits_its_bound),
        cmocka_unit_test(paths_fall_into_views),
        cmocka_unit_test(every_beginning_of_a_path_is_survived),
        cmocka_unit_test(of_views_with_one_head_the_earlier_is_asked_first),
        cmocka_unit_test(a_set_holds_1_to_64_views),
        cmocka_unit_test(matching_agrees_with_the_definition),
        cmocka_unit_test(matching_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
