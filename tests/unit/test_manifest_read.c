/*
 * The reader of manifests: what the writer writes is read to the field, and nothing else is.
 */
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
#include "guard.h"
#include "release/manifest.h"
#include "release/manifest_read.h"
#include "release/release.h"
#include "tree.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIRST "h2o-breaker manifest 1\n"
#define SHA "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define VIEW FIRST "view a/{breaker}\nmax-age 60\nencodings on\n"
#define SECOND "h2o-breaker manifest 2\n"
#define MATCHED SECOND "view a/{breaker}\nmax-age 60\nheader-match *.js X-A:%201\nencodings on\n"
#define OF_HOSTS(first, second)                                                                    \
    SECOND "view a/{breaker}\n" first "max-age 60\nencodings on\n"                                 \
           "view a/{breaker}\n" second "max-age 60\nencodings on\n"
#define FILE_OF(path) "file " path " " SHA " 5 text/css 7\n"

/* reads a copy that ends at a guard page */
static int read_text(const char *text, size_t len, breaker__manifest_t **ret_manifest,
                     breaker_error_t *error)
{
    char *copy = guarded_copy(text, len);
    int err = breaker__manifest_read(copy, len, ret_manifest, error);

    guarded_free(copy, len);
    return err;
}

static breaker__manifest_t *must_read(const char *text)
{
    breaker__manifest_t *manifest = NULL;
    breaker_error_t error = {0};

    if (read_text(text, strlen(text), &manifest, &error) != 0)
        fail_msg("%s\n%s", error.message, text);
    return manifest;
}

/* ---- what is read ---- */

static void every_field_is_read(void **state)
{
    static const char text[] =
        FIRST "view img/{breaker}\n"
              "max-age 0\n"
              "allow-origin https://example.com\n"
              "timing-allow-origin *\n"
              "resource-policy same-site\n"
              "header X-Frame-Options:%20DENY\n"
              "header X-A:%2050%25\n"
              "index index.html\n"
              "encodings off\n"
              "view static/{breaker}\n"
              "max-age 315360000\n"
              "encodings on\n"
              "file a.css " SHA " 0 text/css;%20charset=utf-8 1718539201\n"
              "file a/b~!.css " SHA " 1125899906842619 text/css;%20charset=utf-8 -5\n"
              "file %C3%A4%20%25.css " SHA " 5 x/y -9223372036854775808\n";
    breaker__manifest_t *manifest = must_read(text);
    const breaker_view_config_t *img = &manifest->views[0].config,
                                *site = &manifest->views[1].config;
    const breaker__manifest_file_t *files = manifest->views[1].files;

    (void)state;
    assert_int_equal(manifest->num_views, 2);
    assert_int_equal(manifest->num_files, 3);
    assert_int_equal(manifest->size, BREAKER__MANIFEST_SIZE_MAX);
    assert_string_equal(img->name, "img/{breaker}");
    assert_int_equal(img->cache_max_age_s, 0);
    assert_string_equal(img->allow_origin, "https://example.com");
    assert_string_equal(img->timing_allow_origin, "*");
    assert_string_equal(img->resource_policy, "same-site");
    assert_int_equal(img->num_headers, 2);
    assert_string_equal(img->headers[0], "X-Frame-Options: DENY");
    assert_string_equal(img->headers[1], "X-A: 50%");
    assert_string_equal(img->index, "index.html");
    assert_false(img->encodings);
    assert_int_equal(manifest->views[0].num_files, 0);
    assert_string_equal(site->name, "static/{breaker}");
    assert_int_equal(site->cache_max_age_s, BREAKER_CACHE_MAX_AGE_MAX_S);
    assert_null(site->allow_origin);
    assert_null(site->timing_allow_origin);
    assert_null(site->resource_policy);
    assert_null(site->index);
    assert_null(site->directory);
    assert_int_equal(site->num_headers, 0);
    assert_true(site->encodings);
    assert_int_equal(manifest->views[1].num_files, 3);
    assert_string_equal(files[0].path, "a.css");
    assert_int_equal(files[0].path_len, 5);
    assert_int_equal(files[0].size, 0);
    assert_string_equal(files[0].type, "text/css; charset=utf-8");
    assert_int_equal(files[0].last_modified_s, 1718539201);
    assert_int_equal(files[0].digest[0], 0x2c);
    assert_int_equal(files[0].digest[31], 0x24);
    assert_string_equal(files[1].path, "a/b~!.css");
    assert_int_equal(files[1].last_modified_s, -5);
    assert_ptr_equal(files[1].type, files[0].type);
    assert_string_equal(files[2].path, "\xc3\xa4 %.css");
    assert_string_equal(files[2].type, "x/y");
    assert_true(files[2].last_modified_s == INT64_MIN);
    breaker__manifest_free(manifest);
}

static void what_only_version_2_says_is_read(void **state)
{
    breaker__manifest_t *manifest =
        must_read(SECOND "view a/{breaker}\nmax-age 60\nheader X-A:%201\n"
                         "header-match *.js X-A:%202\nheader-match js/%20** X-B:%20%C3%A4\n"
                         "index i\nencodings on\n"
                         "file a " SHA " 5 text/css identity 7\n"
                         "file b.gz " SHA " 5 text/css gzip 7\n"
                         "file c.br " SHA " 5 text/css br -7\n"
                         "file d.zst " SHA " 5 text/css zstd 7\n");
    const breaker_view_config_t *config = &manifest->views[0].config;
    const breaker__manifest_file_t *files = manifest->views[0].files;

    (void)state;
    assert_int_equal(manifest->version, 2);
    assert_int_equal(config->num_headers, 1);
    assert_int_equal(config->num_matched_headers, 2);
    assert_string_equal(config->matched_headers[0].pattern, "*.js");
    assert_string_equal(config->matched_headers[0].header, "X-A: 2");
    assert_string_equal(config->matched_headers[1].pattern, "js/ **");
    assert_string_equal(config->matched_headers[1].header, "X-B: \xc3\xa4");
    assert_int_equal(files[0].coding, BREAKER_ENCODING_IDENTITY);
    assert_int_equal(files[1].coding, BREAKER_ENCODING_GZIP);
    assert_int_equal(files[2].coding, BREAKER_ENCODING_BROTLI);
    assert_int_equal(files[2].last_modified_s, -7);
    assert_int_equal(files[3].coding, BREAKER_ENCODING_ZSTD);
    breaker__manifest_free(manifest);
    /* one of both is enough for it */
    breaker__manifest_free(must_read(MATCHED));
    manifest = must_read(SECOND "view a/{breaker}\nmax-age 60\nencodings on\n"
                                "file b.gz " SHA " 5 text/css gzip 7\n");
    breaker__manifest_free(manifest);
    manifest = must_read(VIEW FILE_OF("x"));
    assert_int_equal(manifest->version, 1);
    assert_int_equal(manifest->views[0].files[0].coding, BREAKER_ENCODING_IDENTITY);
    breaker__manifest_free(manifest);
}

static void later_versions_are_told_from_damage(void **state)
{
    static const struct {
        const char *text;
        bool is_later;
    } cases[] = {
        {"h2o-breaker manifest 3\nwhatever\n", true},
        {"h2o-breaker manifest 10\n", true},
        {"h2o-breaker manifest 22\n", true},
        {"h2o-breaker manifest 1\n", false},
        {"h2o-breaker manifest 2\n", false},
        {"h2o-breaker\n", false},
        {"something else\n", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i)
        assert_int_equal(
            breaker__manifest_is_of_later_version(cases[i].text, strlen(cases[i].text)),
            cases[i].is_later);
}

typedef struct st_text_t {
    size_t len;
    char base[262144];
} text_t;

static int append(void *data, const char *base, size_t len)
{
    text_t *text = data;

    assert_true(len <= sizeof(text->base) - text->len);
    memcpy(text->base + text->len, base, len);
    text->len += len;
    return 0;
}

static breaker_release_t *load(const tree_t *tree, bool has_matched, breaker_view_t **ret_view)
{
    static const char *const headers[] = {"X-A: 50%", "Link: </a>; rel=preload"};
    static const breaker_matched_header_t matched[] = {{"1/**", "X-A: 1"}, {"*.js", "X-B: 1"}};
    breaker_view_config_t config;
    breaker__release_config_t release_config = {.num_views = 1};
    breaker_release_t *release;
    breaker_error_t error = {0};

    breaker_view_config_init(&config);
    config.name = "/static/v{breaker}/";
    config.directory = tree->path;
    config.headers = headers;
    config.num_headers = COUNT(headers);
    config.matched_headers = matched;
    config.num_matched_headers = has_matched ? COUNT(matched) : 0;
    assert_int_equal(breaker__view_create(&config, 0, ret_view), 0);
    release_config.views = (const breaker_view_t *const *)ret_view;
    if (breaker__release_load(&release_config, NULL, &release, &error) != 0)
        fail_msg("%s", error.message);
    return release;
}

static void write_and_read(bool has_matched)
{
    static text_t text;
    breaker__manifest_t *manifest = NULL;
    breaker_release_t *release;
    breaker_view_t *view;
    breaker_error_t error;
    tree_t tree;
    char path[64];

    text.len = 0;
    tree_create(&tree);
    for (int i = 0; i != 300; ++i) {
        snprintf(path, sizeof(path), "%d/\xc3\xa4 %%%d.css", i % 7, i);
        tree_write(&tree, path, path);
    }
    release = load(&tree, has_matched, &view);
    assert_int_equal(breaker__manifest_write(release, append, &text), 0);
    if (read_text(text.base, text.len, &manifest, &error) != 0)
        fail_msg("%s", error.message);
    assert_memory_equal(manifest->digest, breaker__release_digest(release), BREAKER_DIGEST_LEN);
    assert_true(breaker__manifest_is_of(manifest, breaker_release_id(release)));
    assert_int_equal(manifest->num_files, 300);
    assert_int_equal(manifest->version, has_matched ? 2 : 1);
    breaker__manifest_free(manifest);
    breaker_release_unref(release);
    breaker__view_free(view);
    tree_remove(&tree);
}

static void what_a_release_writes_is_read_and_has_its_digest(void **state)
{
    (void)state;
    write_and_read(false);
    write_and_read(true);
}

static void the_times_of_files_are_not_in_the_digest_and_the_rest_is(void **state)
{
    breaker__manifest_t *a = must_read(VIEW FILE_OF("x") FILE_OF("y")),
                        *b = must_read(VIEW "file x " SHA " 5 text/css 8\n"
                                            "file y " SHA " 5 text/css -99999\n"),
                        *c = must_read(VIEW FILE_OF("x") FILE_OF("z"));

    (void)state;
    assert_memory_equal(a->digest, b->digest, BREAKER_DIGEST_LEN);
    assert_memory_not_equal(a->digest, c->digest, BREAKER_DIGEST_LEN);
    breaker__manifest_free(a);
    breaker__manifest_free(b);
    breaker__manifest_free(c);
}

static void hosts_are_read_and_in_the_digest_where_they_part_views(void **state)
{
    breaker__manifest_t *a = must_read(OF_HOSTS("host a\nhost c%20d\n", "host b\n")),
                        *b = must_read(OF_HOSTS("host a\n", "host b\n"));

    (void)state;
    assert_int_equal(a->num_views, 2);
    assert_true(a->views[0].shares_name && a->views[1].shares_name);
    assert_int_equal(a->views[0].hosts.num, 2);
    assert_string_equal(a->views[0].hosts.names[1], "c d");
    assert_string_equal(a->views[1].hosts.names[0], "b");
    assert_memory_not_equal(a->digest, b->digest, BREAKER_DIGEST_LEN);
    breaker__manifest_free(a);
    breaker__manifest_free(b);
}

static void the_hosts_of_a_view_that_has_its_name_alone_are_not_in_the_digest(void **state)
{
    static const char *const texts[] = {
        VIEW FILE_OF("x"),
        FIRST "view a/{breaker}\nat a.example\nmax-age 60\nencodings on\n" FILE_OF("x"),
        FIRST "view a/{breaker}\nat a.example\nat b\nmax-age 60\nencodings on\n" FILE_OF("x"),
        FIRST "view a/{breaker}\nat default\nat z\nmax-age 60\nencodings on\n" FILE_OF("x"),
    };
    breaker__manifest_t *manifests[COUNT(texts)];

    (void)state;
    for (size_t i = 0; i != COUNT(texts); ++i) {
        manifests[i] = must_read(texts[i]);
        assert_memory_equal(manifests[i]->digest, manifests[0]->digest, BREAKER_DIGEST_LEN);
        assert_false(manifests[i]->views[0].shares_name);
    }
    assert_string_equal(manifests[0]->views[0].hosts.names[0], "default");
    assert_int_equal(manifests[2]->views[0].hosts.num, 2);
    for (size_t i = 0; i != COUNT(texts); ++i)
        breaker__manifest_free(manifests[i]);
}

static void a_manifest_is_only_of_the_release_with_its_digest(void **state)
{
    static const char *const ids[] = {
        "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
        "x~n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
        "any",
    };
    breaker__manifest_t *manifest = must_read(VIEW);
    breaker_release_id_t id;

    (void)state;
    for (size_t i = 0; i != COUNT(ids); ++i) {
        assert_int_equal(breaker_release_id_parse(ids[i], strlen(ids[i]), &id), 0);
        assert_false(breaker__manifest_is_of(manifest, &id));
    }
    breaker__manifest_free(manifest);
    breaker__manifest_free(NULL);
}

static void many_types_are_each_right(void **state)
{
    static char text[400000];
    breaker__manifest_t *manifest;
    size_t len = (size_t)sprintf(text, "%s", VIEW);
    char type[32];

    (void)state;
    for (int i = 0; i != 2000; ++i)
        len += (size_t)sprintf(text + len, "file %04d " SHA " 1 x/%d%%20 0\n", i, i % 500);
    manifest = must_read(text);
    assert_int_equal(manifest->num_files, 2000);
    for (int i = 0; i != 2000; ++i) {
        snprintf(type, sizeof(type), "x/%d ", i % 500);
        assert_string_equal(manifest->views[0].files[i].type, type);
    }
    breaker__manifest_free(manifest);
}

/* ---- what is not ---- */

static void expect_refused(const char *text, size_t len, int code, const char *story)
{
    breaker__manifest_t *const untouched = (breaker__manifest_t *)&len;
    breaker__manifest_t *manifest = untouched;
    breaker_error_t error = {0};
    int err = read_text(text, len, &manifest, &error);

    if (err != code || strstr(error.message, story) == NULL)
        fail_msg("%s, \"%s\" without \"%s\":\n%.*s", breaker_err_name(err), error.message, story,
                 (int)len, text);
    assert_ptr_equal(manifest, untouched);
}

static void whatever_the_writer_would_not_write_is_refused(void **state)
{
    static const struct {
        const char *text, *story;
    } cases[] = {
        {"", "line 1 "},
        {"\n", "line 1 "},
        {SECOND, "line 1 "},
        {"h2o-breaker manifest 3\n", "line 1 "},
        {SECOND "view a/{breaker}\nmax-age 60\nencodings on\n", "version 1"},
        {SECOND "view a/{breaker}\nmax-age 60\nencodings on\nfile x " SHA
                " 5 text/css identity 7\n",
         "line 1 "},
        {FIRST "view a/{breaker}\nmax-age 60\nheader-match *.js X-A:%201\nencodings on\n",
         "line 4 "},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match *.js\nencodings on\n", "line 4 "},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match *.js \nencodings on\n", "line 4 "},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match  X-A:%201\nencodings on\n", "line 4 "},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match [a X-A:%201\nencodings on\n",
         "pattern"},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match a X-A:%0A1\nencodings on\n", "header"},
        {SECOND "view a/{breaker}\nmax-age 60\nheader-match a X-A:%201\nheader X-B:%201\n"
                "encodings on\n",
         "line 5 "},
        {MATCHED FILE_OF("x"), "a coding is"},
        {MATCHED "file x " SHA " 5 text/css deflate 7\n", "a coding is"},
        {MATCHED "file x " SHA " 5 text/css gzip\n", "time"},
        {VIEW "file x " SHA " 5 text/css gzip 7\n", "time"},
        {"h2o-breaker manifest 1", "line feed"},
        {"h2o-breaker manifest 1\r\n", "line 1 "},
        {FIRST "\n", "line 2 "},
        {FIRST "file x " SHA " 5 text/css 7\n", "view <name>"},
        {FIRST "max-age 60\n", "view <name>"},
        {FIRST "view\n", "view <name>"},
        {FIRST "view \n", "line 2 "},
        {FIRST "view  a/{breaker}\nmax-age 60\nencodings on\n", "line 2 "},
        {FIRST "view a/{breaker}\n", "max-age"},
        {FIRST "view a/{breaker}\nencodings on\n", "max-age"},
        {FIRST "view a/{breaker}\nmax-age 60\n", "line 4 "},
        {FIRST "view a/{breaker}\nmax-age 060\nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age +60\nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age 60 \nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age \nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age 315360001\nencodings on\n", "315360000"},
        {FIRST "view a/{breaker}\nmax-age 99999999999999999999\nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age 60\nencodings yes\n", "line 4 "},
        {FIRST "view a/{breaker}\nmax-age 60\nencodings off \n", "line 4 "},
        {FIRST "view a/{breaker}\nmax-age 60\nencodings on\nencodings on\n", "line 5 "},
        {FIRST "view a/{breaker}\nmax-age 60\nindex x\nallow-origin *\nencodings on\n", "line 5 "},
        {FIRST "view a/{breaker}\nmax-age 60\nallow-origin *\nallow-origin *\nencodings on\n",
         "line 5 "},
        {FIRST "view a/{breaker}\nmax-age 60\nallow-origin \nencodings on\n", "line 4 "},
        {FIRST "view a/{breaker}\nmax-age 60\nretry-after 3\nencodings on\n", "line 4 "},
        {FIRST "view a\nmax-age 60\nencodings on\n", "line 2 is not accepted: a view's name must"},
        {FIRST "view /a/{breaker}\nmax-age 60\nencodings on\n", "slash"},
        {FIRST "view a/{breaker}/\nmax-age 60\nencodings on\n", "slash"},
        {FIRST "view a/../{breaker}\nmax-age 60\nencodings on\n", "line 2 "},
        {FIRST "view a%0A/{breaker}\nmax-age 60\nencodings on\n", "line 2 "},
        {FIRST "view a%00/{breaker}\nmax-age 60\nencodings on\n", "line 2 "},
        {FIRST "view a%2f{breaker}\nmax-age 60\nencodings on\n", "line 2 "},
        {VIEW "view a/{breaker}\nmax-age 60\nencodings on\n", "line 5 "},
        {VIEW "view A/{breaker}\nmax-age 60\nencodings on\n", "order"},
        {OF_HOSTS("host b\n", "host a\n"), "order"},
        {OF_HOSTS("host a\n", "host a\n"), "order"},
        {OF_HOSTS("host a\n", ""), "line 6 "},
        {OF_HOSTS("", "host a\n"), "line 5 "},
        {OF_HOSTS("at a\n", "at b\n"), "line 6 "},
        {OF_HOSTS("host b\nhost a\n", "host c\n"), "a host is"},
        {OF_HOSTS("host a\nhost a\n", "host c\n"), "a host is"},
        {OF_HOSTS("host a\nat b\n", "host c\n"), "line 4 "},
        {OF_HOSTS("host a%00\n", "host c\n"), "a host is"},
        {OF_HOSTS("host \n", "host c\n"), "line 3 "},
        {FIRST "view a/{breaker}\nat default\nmax-age 60\nencodings on\n", "\"default\" alone"},
        {SECOND "view a/{breaker}\nhost a\nmax-age 60\nencodings on\n", "others have"},
        {FIRST "view a/{breaker}\nhost a\nmax-age 60\nencodings on\n", "line 3 "},
        {FIRST "view a/{breaker}\nmax-age 60\nat a\nencodings on\n", "line 4 "},
        {FIRST "view a/{breaker}\nmax-age 60\nheader X-A:%20b%0D%0AX-C:%20d\nencodings on\n",
         "header"},
        {FIRST "view a/{breaker}\nmax-age 60\nheader Content-Length:%200\nencodings on\n",
         "header"},
        {FIRST "view a/{breaker}\nmax-age 60\nheader X\nencodings on\n", "header"},
        {FIRST "view a/{breaker}\nmax-age 60\nallow-origin a%0D%0Ab\nencodings on\n", "line 2 "},
        {FIRST "view a/{breaker}\nmax-age 60\nindex a/b\nencodings on\n", "line 2 "},
        {FIRST "view a/{breaker}\nmax-age 60\nindex ..\nencodings on\n", "line 2 "},
        {VIEW "file\n", "line 5 "},
        {VIEW "file \n", "line 5 "},
        {VIEW "file x\n", "line 5 "},
        {VIEW "file x " SHA "\n", "line 5 "},
        {VIEW "file x " SHA " 5\n", "line 5 "},
        {VIEW "file x " SHA " 5 text/css\n", "line 5 "},
        {VIEW "file x " SHA " 5 text/css \n", "line 5 "},
        {VIEW "file x " SHA " 5  7\n", "media type"},
        {VIEW "file x " SHA " 5 text/css 7 \n", "line 5 "},
        {VIEW "file x " SHA " 5 text/css 7 8\n", "line 5 "},
        {VIEW "file x  " SHA " 5 text/css 7\n", "line 5 "},
        {VIEW "file x " SHA " 5 text/css 07\n", "time"},
        {VIEW "file x " SHA " 5 text/css -0\n", "time"},
        {VIEW "file x " SHA " 5 text/css -\n", "time"},
        {VIEW "file x " SHA " 5 text/css 9223372036854775808\n", "time"},
        {VIEW "file x " SHA " 5 text/css -9223372036854775809\n", "time"},
        {VIEW "file x " SHA " 5 text/css;\tx 7\n", "media type"},
        {VIEW "file x " SHA " 5 text/css%0D%0AX-A:%20b 7\n", "media type"},
        {VIEW "file x " SHA " 5 text/css%00 7\n", "media type"},
        {VIEW "file x " SHA " 5 text/%63ss 7\n", "media type"},
        {VIEW "file x " SHA " -1 text/css 7\n", "size"},
        {VIEW "file x " SHA " 05 text/css 7\n", "size"},
        {VIEW "file x " SHA " 1125899906842625 text/css 7\n", "size"},
        {VIEW "file x " SHA " 1125899906842623 text/css 7\nfile y " SHA " 2 text/css 7\n",
         "line 6 "},
        {VIEW "file x " SHA " 99999999999999999999999 text/css 7\n", "size"},
        {VIEW "file x 2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824 5 a/b 7\n",
         "SHA-256"},
        {VIEW "file x " SHA "0 5 text/css 7\n", "SHA-256"},
        {VIEW "file x 2cf24d 5 text/css 7\n", "SHA-256"},
        {VIEW FILE_OF("/x"), "path"},
        {VIEW FILE_OF("x/"), "path"},
        {VIEW FILE_OF("x//y"), "path"},
        {VIEW FILE_OF("."), "path"},
        {VIEW FILE_OF("x/../../etc/passwd"), "path"},
        {VIEW FILE_OF("x/./y"), "path"},
        {VIEW FILE_OF("x%5Cy"), "path"},
        {VIEW FILE_OF("x\\y"), "path"},
        {VIEW FILE_OF("x%0Ay"), "path"},
        {VIEW FILE_OF("x%00"), "path"},
        {VIEW FILE_OF("x%7F"), "path"},
        {VIEW FILE_OF("x%"), "path"},
        {VIEW FILE_OF("x%2"), "path"},
        {VIEW FILE_OF("x%c3"), "path"},
        {VIEW FILE_OF("x%2Fy"), "path"},
        {VIEW FILE_OF("%61"), "path"},
        {VIEW FILE_OF("x\xc3\xa4"), "path"},
        {VIEW FILE_OF("x") FILE_OF("x"), "line 6 "},
        {VIEW FILE_OF("b") FILE_OF("a"), "order"},
        {VIEW FILE_OF("%C3%A4") FILE_OF("z"), "order"},
        {VIEW FILE_OF("x") "\n", "line 6 "},
        {VIEW FILE_OF("x") "end\n", "line 6 "},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i)
        expect_refused(cases[i].text, strlen(cases[i].text), BREAKER_ERR_DAMAGED, cases[i].story);
    expect_refused(FIRST "\0\n", sizeof(FIRST) + 1, BREAKER_ERR_DAMAGED, "line 2 ");
}

static void a_text_that_was_cut_within_a_line_is_refused(void **state)
{
    static const char text[] = VIEW FILE_OF("x") FILE_OF("y");
    breaker__manifest_t *manifest;

    (void)state;
    for (size_t len = 0; len != sizeof(text) - 1; ++len) {
        bool is_whole = len >= sizeof(VIEW) - 1 && text[len - 1] == '\n';
        if (!is_whole && len != sizeof(FIRST) - 1) {
            expect_refused(text, len, BREAKER_ERR_DAMAGED, "line ");
        } else {
            assert_int_equal(read_text(text, len, &manifest, NULL), 0);
            breaker__manifest_free(manifest);
        }
    }
}

/* ---- limits ---- */

static void limits_are_inclusive(void **state)
{
    static char text[40000];
    char path[BREAKER_ASSET_PATH_MAX + 2], type[BREAKER__MANIFEST_TYPE_MAX + 2];

    (void)state;
    memset(path, 'p', sizeof(path));
    memset(type, 't', sizeof(type));
    for (size_t extra = 0; extra != 2; ++extra) {
        size_t len = (size_t)snprintf(text, sizeof(text), VIEW "file %.*s " SHA " 0 x 0\n",
                                      (int)(BREAKER_ASSET_PATH_MAX + extra), path);
        if (extra == 0)
            breaker__manifest_free(must_read(text));
        else
            expect_refused(text, len, BREAKER_ERR_DAMAGED, "4095");
        len = (size_t)snprintf(text, sizeof(text), VIEW "file x " SHA " 0 %.*s 0\n",
                               (int)(BREAKER__MANIFEST_TYPE_MAX + extra), type);
        if (extra == 0)
            breaker__manifest_free(must_read(text));
        else
            expect_refused(text, len, BREAKER_ERR_DAMAGED, "1024");
    }
}

static void views_and_headers_have_limits(void **state)
{
    static char text[40000];

    (void)state;
    for (size_t extra = 0; extra != 2; ++extra) {
        size_t len = (size_t)sprintf(text, FIRST);
        for (size_t i = 0; i != BREAKER_VIEWS_MAX + extra; ++i)
            len += (size_t)sprintf(text + len, "view %02zu{breaker}\nmax-age 1\nencodings on\n", i);
        if (extra == 0)
            breaker__manifest_free(must_read(text));
        else
            expect_refused(text, len, BREAKER_ERR_TOO_MANY, "64 views");
        len = (size_t)sprintf(text, FIRST "view {breaker}\nmax-age 1\n");
        for (size_t i = 0; i != BREAKER_VIEW_HEADERS_MAX + extra; ++i)
            len += (size_t)sprintf(text + len, "header X-%zu:\n", i);
        len += (size_t)sprintf(text + len, "encodings on\n");
        if (extra == 0)
            breaker__manifest_free(must_read(text));
        else
            expect_refused(text, len, BREAKER_ERR_TOO_MANY, "32 headers");
        len = (size_t)sprintf(text, SECOND "view {breaker}\nmax-age 1\nheader X:\n");
        for (size_t i = 0; i != BREAKER_VIEW_HEADERS_MAX - 1 + extra; ++i)
            len += (size_t)sprintf(text + len, "header-match * X-%zu:\n", i);
        len += (size_t)sprintf(text + len, "encodings on\n");
        if (extra == 0)
            breaker__manifest_free(must_read(text));
        else
            expect_refused(text, len, BREAKER_ERR_TOO_MANY, "32 headers");
    }
}

static void a_text_beyond_the_limit_is_not_looked_at(void **state)
{
    breaker__manifest_t *manifest;
    breaker_error_t error;

    (void)state;
    assert_int_equal(breaker__manifest_read(NULL, BREAKER__MANIFEST_MAX + 1, &manifest, &error),
                     BREAKER_ERR_TOO_LONG);
    assert_non_null(strstr(error.message, "268435456"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(what_only_version_2_says_is_read),
        cmocka_unit_test(later_versions_are_told_from_damage),
        cmocka_unit_test(what_a_release_writes_is_read_and_has_its_digest),
        cmocka_unit_test(the_times_of_files_are_not_in_the_digest_and_the_rest_is),
        cmocka_unit_test(hosts_are_read_and_in_the_digest_where_they_part_views),
        cmocka_unit_test(the_hosts_of_a_view_that_has_its_name_alone_are_not_in_the_digest),
        cmocka_unit_test(a_manifest_is_only_of_the_release_with_its_digest),
        cmocka_unit_test(many_types_are_each_right),
        cmocka_unit_test(whatever_the_writer_would_not_write_is_refused),
        cmocka_unit_test(a_text_that_was_cut_within_a_line_is_refused),
        cmocka_unit_test(limits_are_inclusive),
        cmocka_unit_test(views_and_headers_have_limits),
        cmocka_unit_test(a_text_beyond_the_limit_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
