/*
 * The manifest of a release: its text to the byte, and the digest, made a second time from the text
 * as the text's description says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <breaker/error.h>
#include "release/manifest.h"
#include "release/release.h"
#include "guard.h"
#include "tree.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SHA_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define SHA_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { MANIFEST_MAX = 262144, WRITTEN_S = 1718539201 };

typedef struct st_world_t {
    tree_t tree;
    const char *type;
    breaker_view_t *views[3];
    size_t num_views;
    breaker_release_t *release;
    char text[MANIFEST_MAX];
    size_t len;
} world_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)view, (void)path;
    *ret_compressible = false;
    return ((world_t *)data)->type;
}

static void touch(const world_t *world, const char *path, int64_t at_s)
{
    char whole[300];

    snprintf(whole, sizeof(whole), "%s/%s", world->tree.path, path);
    struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
}

static int setup(void **state)
{
    static world_t world;

    memset(&world, 0, sizeof(world));
    tree_create(&world.tree);
    world.type = "text/css; charset=utf-8";
    *state = &world;
    return 0;
}

static void forget(world_t *world)
{
    breaker_release_unref(world->release);
    world->release = NULL;
    for (size_t i = 0; i != world->num_views; ++i)
        breaker__view_free(world->views[i]);
    world->num_views = 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    forget(world);
    tree_remove(&world->tree);
    return 0;
}

static void add_view(world_t *world, breaker_view_config_t config, const char *directory)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", world->tree.path, directory);
    config.directory = path;
    assert_int_equal(
        breaker__view_create(&config, world->num_views, world->views + world->num_views), 0);
    ++world->num_views;
}

static breaker_view_config_t config_of(const char *name)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.name = name;
    return config;
}

static int append(void *data, const char *base, size_t len)
{
    world_t *world = data;

    assert_true(len != 0 && len < MANIFEST_MAX - world->len);
    memcpy(world->text + world->len, base, len);
    world->len += len;
    world->text[world->len] = '\0';
    return 0;
}

static void load(world_t *world)
{
    breaker__release_config_t config = {.views = (const breaker_view_t *const *)world->views,
                                        .num_views = world->num_views,
                                        .hooks = {.data = world, .type_of = type_of}};
    breaker_error_t error = {0};

    if (breaker__release_load(&config, NULL, &world->release, &error) != 0)
        fail_msg("%s", error.message);
    world->len = 0;
    assert_int_equal(breaker__manifest_write(world->release, append, world), 0);
}

/* ---- the text ---- */

static void the_text_is_the_one_that_is_documented(void **state)
{
    static const char *const headers[] = {"X-Frame-Options: DENY", "X-A: 50%"};
    static const char expected[] =
        "h2o-breaker manifest 1\n"
        "view img/{breaker}\n"
        "max-age 60\n"
        "timing-allow-origin *\n"
        "resource-policy cross-origin\n"
        "header X-Frame-Options:%20DENY\n"
        "header X-A:%2050%25\n"
        "index index.html\n"
        "encodings off\n"
        "view static/{breaker}\n"
        "max-age 31536000\n"
        "allow-origin *\n"
        "encodings on\n"
        "file a.css " SHA_NOTHING " 0 text/css;%20charset=utf-8 1718539201\n"
        "file a/b~!.css " SHA_HELLO " 5 text/css;%20charset=utf-8 -5\n"
        /* the same content and type: the same asset, with the time of the file that came first */
        "file %C3%A4%20%25.css " SHA_HELLO " 5 text/css;%20charset=utf-8 -5\n";
    breaker_view_config_t config = config_of("img/{breaker}");
    world_t *world = *state;

    tree_write(&world->tree, "site/a/b~!.css", "hello");
    tree_write(&world->tree, "site/a.css", "");
    tree_write(&world->tree, "site/\xc3\xa4 %.css", "hello");
    tree_write(&world->tree, "img/.hidden", "not served");
    touch(world, "site/a.css", WRITTEN_S);
    touch(world, "site/\xc3\xa4 %.css", WRITTEN_S);
    touch(world, "site/a/b~!.css", -5);
    config.cache_max_age_s = 60;
    config.allow_origin = NULL;
    config.timing_allow_origin = "*";
    config.resource_policy = "cross-origin";
    config.headers = headers;
    config.num_headers = COUNT(headers);
    config.index = "index.html";
    config.encodings = false;
    add_view(world, config_of("/static/{breaker}/"), "site");
    add_view(world, config, "img");
    load(world);
    assert_string_equal(world->text, expected);
}

static void headers_by_pattern_make_a_text_of_version_2(void **state)
{
    static const char *const headers[] = {"X-A: 1"};
    static const breaker_matched_header_t matched[] = {{"*.css", "X-B: 50%"},
                                                       {"js/ **", "X-C: \xc3\xa4"}};
    static const char expected[] =
        "h2o-breaker manifest 2\n"
        "view a/{breaker}\n"
        "max-age 31536000\n"
        "allow-origin *\n"
        "encodings on\n"
        "file a.css " SHA_NOTHING " 0 text/css;%20charset=utf-8 identity 1718539201\n"
        "view static/{breaker}\n"
        "max-age 31536000\n"
        "allow-origin *\n"
        "header X-A:%201\n"
        "header-match *.css X-B:%2050%25\n"
        "header-match js/%20** X-C:%20%C3%A4\n"
        "index index.html\n"
        "encodings on\n"
        "file a.css " SHA_NOTHING " 0 text/css;%20charset=utf-8 identity 1718539201\n";
    breaker_view_config_t config = config_of("static/{breaker}");
    world_t *world = *state;

    tree_write(&world->tree, "site/a.css", "");
    touch(world, "site/a.css", WRITTEN_S);
    config.headers = headers;
    config.num_headers = COUNT(headers);
    config.matched_headers = matched;
    config.num_matched_headers = COUNT(matched);
    config.index = "index.html";
    add_view(world, config_of("a/{breaker}"), "site");
    add_view(world, config, "site");
    load(world);
    assert_string_equal(world->text, expected);
}

static void views_of_one_name_say_their_hosts(void **state)
{
    static const char expected[] =
        "h2o-breaker manifest 2\n"
        "view static/{breaker}\n"
        "host a.example\n"
        "host z.example:8443\n"
        "max-age 31536000\n"
        "allow-origin *\n"
        "encodings on\n"
        "file a.css " SHA_NOTHING " 0 text/css;%20charset=utf-8 identity 7\n"
        "view static/{breaker}\n"
        "host b.example\n"
        "max-age 31536000\n"
        "allow-origin *\n"
        "encodings on\n";
    breaker_view_config_t config = config_of("static/{breaker}");
    world_t *world = *state;

    tree_write(&world->tree, "a/a.css", "");
    tree_write(&world->tree, "b/.hidden", "");
    touch(world, "a/a.css", 7);
    config.host = "b.example";
    add_view(world, config, "b");
    config.host = "z.example:8443";
    add_view(world, config, "a");
    assert_int_equal(breaker__hosts_add(&world->views[1]->hosts, "a.example"), 0);
    load(world);
    assert_string_equal(world->text, expected);
}

static void pieces_of_any_length_are_the_text(void **state)
{
    static const size_t caps[] = {1, 7, 23, 100, 4096, 65536, MANIFEST_MAX};
    static const char *const headers[] = {"X-A: 50%", "X-B: b"};
    static const breaker_matched_header_t matched[] = {{"*.css", "X-B: 50%"}, {"a", "X-C: 1"}};
    breaker_view_config_t config = config_of("img/{breaker}");
    world_t *world = *state;
    char path[64];

    for (int i = 0; i != 100; ++i) {
        snprintf(path, sizeof(path), "site/\xc3\xa4 %d.css", i);
        tree_write(&world->tree, path, "hello");
    }
    tree_write(&world->tree, "empty/.hidden", "");
    config.headers = headers;
    config.num_headers = COUNT(headers);
    config.matched_headers = matched;
    config.num_matched_headers = COUNT(matched);
    add_view(world, config_of("static/{breaker}"), "site");
    config.host = "one.example";
    add_view(world, config, "empty");
    config.host = "two.example";
    add_view(world, config, "empty");
    load(world);
    for (size_t i = 0; i != COUNT(caps); ++i) {
        breaker__manifest_cursor_t cursor = {0};
        char *piece = guarded_alloc(caps[i]);
        size_t at = 0, got;
        while ((got = breaker__manifest_piece(world->release, &cursor, piece, caps[i])) != 0) {
            assert_true(got == caps[i] || at + got == world->len);
            assert_true(got <= world->len - at);
            assert_memory_equal(piece, world->text + at, got);
            at += got;
        }
        assert_int_equal(at, world->len);
        assert_int_equal(breaker__manifest_piece(world->release, &cursor, piece, caps[i]), 0);
        guarded_free(piece, caps[i]);
    }
}

static int refuse(void *data, const char *base, size_t len)
{
    (void)base, (void)len;
    ++*(size_t *)data;
    return BREAKER_ERR_IO;
}

static void a_sink_that_fails_is_asked_once(void **state)
{
    world_t *world = *state;
    size_t num = 0;
    char path[64];

    for (int i = 0; i != 100; ++i) {
        snprintf(path, sizeof(path), "site/%d.css", i);
        tree_write(&world->tree, path, "hello");
    }
    add_view(world, config_of("static/{breaker}"), "site");
    load(world);
    assert_true(world->len > 8192);
    assert_int_equal(breaker__manifest_write(world->release, refuse, &num), BREAKER_ERR_IO);
    assert_int_equal(num, 1);
}

/* ---- the digest ---- */

/* of every file line without its last word, and of no line of a host that is carried only */
static void digest_text(const char *text, uint8_t *dst)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestInit_ex(context, EVP_sha256(), NULL), 1);
    for (const char *line = text, *end; *line != '\0'; line = end + 1) {
        size_t len = (size_t)((end = strchr(line, '\n')) - line);
        if (strncmp(line, "at ", 3) == 0)
            continue;
        if (strncmp(line, "file ", 5) == 0)
            while (line[--len] != ' ')
                ;
        EVP_DigestUpdate(context, line, len);
        EVP_DigestUpdate(context, "\n", 1);
    }
    EVP_DigestFinal_ex(context, dst, NULL);
    EVP_MD_CTX_free(context);
}

static void the_digest_can_be_made_from_the_text(void **state)
{
    world_t *world = *state;
    uint8_t digest[BREAKER_DIGEST_LEN];
    char path[3700];

    /* enough for many pieces, and a path that is longer than one of them */
    for (int i = 0; i != 300; ++i) {
        snprintf(path, sizeof(path), "site/%d/\xc3\xa4 %d.css", i % 7, i);
        tree_write(&world->tree, path, path);
    }
    memset(path, '\xff', sizeof(path));
    memcpy(path, "site/", 5);
    for (size_t at = 200; at < 3600; at += 200)
        path[at] = '/';
    path[3610] = '\0';
    tree_write(&world->tree, path, "deep");
    add_view(world, config_of("static/{breaker}"), "site");
    breaker_view_config_t config = config_of("a/{breaker}");
    config.host = "shop.example";
    add_view(world, config, "site");
    load(world);
    assert_non_null(strstr(world->text, "view a/{breaker}\nat shop.example\nmax-age"));
    digest_text(world->text, digest);
    assert_memory_equal(breaker__release_digest(world->release), digest, sizeof(digest));
}

static breaker_release_id_t id_with(world_t *world, breaker_view_config_t config)
{
    breaker_release_id_t id;

    add_view(world, config, "site");
    load(world);
    id = *breaker_release_id(world->release);
    forget(world);
    return id;
}

static void a_view_that_answers_otherwise_makes_another_release(void **state)
{
    static const char *const one[] = {"X-A: 1", "X-B: 2"}, *const other[] = {"X-B: 2", "X-A: 1"};
    static const breaker_matched_header_t matched[] = {
        {"*.css", "X-A: 1"}, {"*", "X-A: 1"}, {"*", "X-A: 2"}};
    breaker_view_config_t configs[15];
    breaker_release_id_t ids[COUNT(configs) + 1];
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(configs); ++i)
        configs[i] = config_of("static/{breaker}");
    configs[1].cache_max_age_s = 60;
    configs[2].allow_origin = NULL;
    configs[3].allow_origin = "https://example.com";
    configs[4].timing_allow_origin = "*";
    configs[5].resource_policy = "same-site";
    configs[6].headers = one;
    configs[7].headers = other;
    configs[6].num_headers = configs[7].num_headers = 2;
    configs[8].index = "a.css";
    configs[9].encodings = false;
    configs[11].fallback = "a.css";
    configs[10].allow_origin = "https://example.com https://example.org";
    for (size_t i = 0; i != COUNT(matched); ++i) {
        configs[12 + i].matched_headers = matched + i;
        configs[12 + i].num_matched_headers = 1;
    }
    tree_write(&world->tree, "site/a.css", "a{}");
    for (size_t i = 0; i != COUNT(configs); ++i)
        ids[i] = id_with(world, configs[i]);
    world->type = "text/x-css";
    ids[COUNT(configs)] = id_with(world, configs[0]);
    for (size_t i = 0; i != COUNT(ids); ++i)
        for (size_t j = 0; j != i; ++j)
            assert_string_not_equal(ids[i].text, ids[j].text);
}

static void what_no_client_sees_of_a_view_makes_none(void **state)
{
    breaker_view_config_t config = config_of("static/{breaker}");
    breaker_release_id_t before, after;
    world_t *world = *state;

    tree_write(&world->tree, "site/a.css", "a{}");
    before = id_with(world, config);
    config.memory_limit = config.memory_file_limit = 1;
    config.redirect_max_age_s = 5;
    config.retry_after_s = 5;
    config.dotfiles = true;
    touch(world, "site/a.css", WRITTEN_S);
    after = id_with(world, config);
    assert_string_equal(after.text, before.text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_text_is_the_one_that_is_documented),
        TEST(headers_by_pattern_make_a_text_of_version_2),
        TEST(views_of_one_name_say_their_hosts),
        TEST(pieces_of_any_length_are_the_text),
        TEST(a_sink_that_fails_is_asked_once),
        TEST(the_digest_can_be_made_from_the_text),
        TEST(a_view_that_answers_otherwise_makes_another_release),
        TEST(what_no_client_sees_of_a_view_makes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
