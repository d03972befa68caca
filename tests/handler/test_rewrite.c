/* Heads of pages, what the application sees, and the company that the rewriting keeps in h2o. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>
#include "guard.h"
#include "pages.h"
#include "pages/coding.h"
#include "pages/page.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define PAGE "<p>" LITERAL "</p>"
#define REWRITTEN "<p>" PREFIX "</p>"
#define BROWSER "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

enum { MARK_LEN = 16 };

static const char *const html[] = {"Content-Type: text/html", NULL};

static loopback_t *open_page(pages_t *pages, const char *path)
{
    loopback_t *exchange = loopback_open(&pages->server, "GET", path);

    /* without libh2o's chunked coding */
    exchange->req.version = 0x200;
    return exchange;
}

static loopback_t *get(pages_t *pages, const char *path)
{
    loopback_t *exchange = open_page(pages, path);

    loopback_run(exchange);
    return exchange;
}

/* the tag of what is no page, though one might have come: as strong as it was, with a mark */
static void assert_is_marked_as_passed(const char *etag, const char *before_mark)
{
    static const char marker[] = ";breaker=p";
    size_t len = strlen(before_mark);

    assert_non_null(etag);
    assert_int_equal(strlen(etag), len + strlen(marker) + MARK_LEN + 1);
    assert_memory_equal(etag, before_mark, len);
    assert_memory_equal(etag + len, marker, strlen(marker));
}

/* ---- heads ---- */

static void any_text_html_is_a_page_and_nothing_else(void **state)
{
    static const struct {
        const char *type;
        bool is_page;
    } cases[] = {
        {"Content-Type: text/html", true},
        {"Content-Type: Text/HTML", true},
        {"Content-Type: text/html; charset=utf-8", true},
        {"Content-Type: text/html;charset=utf-8", true},
        {"Content-Type: text/html , text/html", true},
        {"Content-Type: text/html-sandboxed", false},
        {"Content-Type: text/htm", false},
        {"Content-Type: text/plain", false},
        {"Content-Type: application/json", false},
        {"Content-Type: ", false},
        {"X-Content-Type: text/html", false},
    };
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        const char *const headers[] = {cases[i].type, "ETag: \"abc\"", "Last-Modified: " DATE,
                                       NULL};
        pages_answer(pages, headers, PAGE, strlen(PAGE));
        pages->app->announces_length = true;
        loopback_t *exchange = get(pages, "/");
        if (cases[i].is_page) {
            assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
            assert_int_equal(exchange->content_length, SIZE_MAX);
            assert_header(exchange, "Last-Modified", NULL);
        } else {
            assert_body(exchange, PAGE, strlen(PAGE));
            assert_int_equal(exchange->content_length, strlen(PAGE));
            assert_is_marked_as_passed(loopback_response_header(exchange, "ETag"), "\"abc");
            assert_header(exchange, "Last-Modified", DATE);
        }
        loopback_close(exchange);
    }
}

static void a_page_s_head_loses_what_no_longer_holds(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html",
                                          "Last-Modified: " DATE,
                                          "Accept-Ranges: bytes",
                                          "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
                                          "Digest: sha-256=X48E9q",
                                          "Repr-Digest: sha-256=:X48E9q:",
                                          "Content-Digest: sha-256=:X48E9q:",
                                          "Cache-Control: no-cache",
                                          "Vary: Cookie",
                                          "Set-Cookie: a=1",
                                          NULL};
    static const char *const gone[] = {"Last-Modified", "Accept-Ranges",  "Content-MD5", "Digest",
                                       "Repr-Digest",   "Content-Digest", "ETag"};
    pages_t *pages = *state;

    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = get(pages, "/");
    for (size_t i = 0; i != sizeof(gone) / sizeof(gone[0]); ++i)
        assert_header(exchange, gone[i], NULL);
    assert_header(exchange, "Cache-Control", "no-cache");
    assert_header(exchange, "Vary", "Cookie");
    assert_header(exchange, "Set-Cookie", "a=1");
    loopback_close(exchange);
}

static void a_decoded_page_varies_by_accept_encoding(void **state)
{
    static const struct {
        const char *vary, *expected;
    } cases[] = {{"Vary: Cookie", "Cookie, accept-encoding"},
                 {"Vary: Accept-Encoding", "Accept-Encoding"},
                 {"X: y", "accept-encoding"}};
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        const char *const headers[] = {"Content-Type: text/html", "Content-Encoding: gzip",
                                       cases[i].vary, NULL};
        pages_answer(pages, headers, "", 0);
        loopback_t *exchange = get(pages, "/");
        assert_header(exchange, "Content-Encoding", NULL);
        assert_header(exchange, "Vary", cases[i].expected);
        loopback_close(exchange);
    }
}

static void a_head_is_the_head_of_the_page(void **state)
{
    static const char *const codings[] = {"Content-Encoding: identity", "Content-Encoding: br",
                                          "Content-Encoding: dcb", "X: y"};
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(codings) / sizeof(codings[0]); ++i) {
        const char *const headers[] = {"Content-Type: text/html", codings[i], "ETag: W/\"abc\"",
                                       "Last-Modified: " DATE, NULL};
        pages_answer(pages, headers, "", 0);
        pages->app->announces_length = true;
        loopback_t *page = get(pages, "/"), *head = loopback_open(&pages->server, "HEAD", "/");
        loopback_run(head);
        assert_int_equal(head->headers.size, page->headers.size);
        for (size_t j = 0; j != page->headers.size; ++j) {
            h2o_iovec_t *name = page->headers.entries[j].name;
            h2o_iovec_t name_copy = h2o_strdup(&page->req.pool, name->base, name->len);
            assert_header(head, name_copy.base, loopback_response_header(page, name_copy.base));
        }
        assert_int_equal(head->content_length, page->content_length);
        assert_int_equal(head->body->size, 0);
        assert_true(head->persistent);
        loopback_close(page);
        loopback_close(head);
    }
}

static void a_part_of_a_page_and_an_unknown_coding_pass_unread_and_unstored(void **state)
{
    static const struct {
        int status;
        const char *header;
    } cases[] = {
        {206, "Content-Range: bytes 0-17/100"},
        {200, "Content-Encoding: compress"},
        {200, "Content-Encoding: dcb"},
        {200, "Content-Encoding: gzip, gzip"},
        {200, "Content-Encoding: br, identity, zstd"},
        {404, "Content-Encoding: gzip;q=1"},
    };
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        const char *const headers[] = {"Content-Type: text/html",
                                       cases[i].header,
                                       "ETag: \"abc\"",
                                       "Last-Modified: " DATE,
                                       "Cache-Control: max-age=600",
                                       "Expires: " DATE,
                                       NULL};
        pages_answer(pages, headers, PAGE, strlen(PAGE));
        pages->app->status = cases[i].status;
        pages->app->announces_length = true;
        loopback_t *exchange = get(pages, "/");
        assert_body(exchange, PAGE, strlen(PAGE));
        assert_int_equal(exchange->content_length, strlen(PAGE));
        assert_header(exchange, "Cache-Control", "no-store");
        assert_header(exchange, "Expires", NULL);
        assert_header(exchange, "ETag", NULL);
        assert_header(exchange, "Last-Modified", NULL);
        loopback_close(exchange);
    }
}

static void a_header_array_of_the_handler_s_is_never_written_to(void **state)
{
    const h2o_header_t headers[] = {
        {&H2O_TOKEN_CONTENT_TYPE->buf, NULL, {H2O_STRLIT("text/html")}},
        {&H2O_TOKEN_ETAG->buf, NULL, {H2O_STRLIT("\"abc\"")}},
        {&H2O_TOKEN_LAST_MODIFIED->buf, NULL, {H2O_STRLIT(DATE)}},
        {&H2O_TOKEN_CONTENT_ENCODING->buf, NULL, {H2O_STRLIT("identity")}},
    };
    static const int statuses[] = {200, 206, 304, 404};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pages_t *pages = *state;
    h2o_header_t *map =
        mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(map, MAP_FAILED);
    memcpy(map, headers, sizeof(headers));
    assert_int_equal(mprotect(map, page, PROT_READ), 0);
    for (size_t i = 0; i != sizeof(statuses) / sizeof(statuses[0]); ++i) {
        pages_answer(pages, NULL, "", 0);
        pages->app->status = statuses[i];
        pages->app->shared_headers = map;
        pages->app->num_shared_headers = sizeof(headers) / sizeof(headers[0]);
        loopback_t *exchange = get(pages, "/");
        assert_int_equal(exchange->status, statuses[i]);
        loopback_close(exchange);
    }
    munmap(map, page);
}

/* ---- tags ---- */

/* the tag that a page gets for one of the application's, in memory of the caller's */
static void marked_tag(pages_t *pages, const char *etag, char dst[128])
{
    char header[128];
    const char *const headers[] = {"Content-Type: text/html", header, NULL};

    snprintf(header, sizeof(header), "ETag: %s", etag);
    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = get(pages, "/");
    const char *marked = loopback_response_header(exchange, "ETag");
    strcpy(dst, marked != NULL ? marked : "");
    loopback_close(exchange);
}

static void a_tag_becomes_weak_and_names_the_prefixes(void **state)
{
    static const struct {
        const char *etag, *before_mark;
    } cases[] = {
        {"\"abc\"", "W/\"abc;breaker=s"},
        {"W/\"abc\"", "W/\"abc;breaker=w"},
        {"\"\"", "W/\";breaker=s"},
        {"\"a\xc3\xbc\"", "W/\"a\xc3\xbc;breaker=s"},
        /* somebody else's mark is part of the tag like anything */
        {"W/\"a;breaker=s0000000000000000\"", "W/\"a;breaker=s0000000000000000;breaker=w"},
    };
    pages_t *pages = *state;
    char marked[128];

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        marked_tag(pages, cases[i].etag, marked);
        size_t len = strlen(cases[i].before_mark);
        assert_int_equal(strlen(marked), len + MARK_LEN + 1);
        assert_memory_equal(marked, cases[i].before_mark, len);
        assert_int_equal(strspn(marked + len, "0123456789abcdef"), MARK_LEN);
        assert_string_equal(marked + len + MARK_LEN, "\"");
    }
}

static void a_tag_that_is_none_is_dropped(void **state)
{
    static const char *const etags[] = {"abc",   "\"abc", "abc\"",    "\"a b\"", "w/\"abc\"",
                                        "W/abc", "W/",    "\"a\"b\"", "\"a\" ",  "\"a\x7f\""};
    char marked[128];

    for (size_t i = 0; i != sizeof(etags) / sizeof(etags[0]); ++i) {
        marked_tag(*state, etags[i], marked);
        assert_string_equal(marked, "");
    }
}

static void the_mark_follows_the_prefixes_and_nothing_else(void **state)
{
    static const char *const other_names[] = {"assets/{breaker}", NULL};
    static const char *const same_names[] = {"static/{breaker}", NULL};
    static const char *const mirrored_names[] = {"{breaker}/x", NULL};
    pages_t *pages = *state, other;
    char first[128], again[128];

    marked_tag(pages, "\"abc\"", first);
    marked_tag(pages, "\"abc\"", again);
    assert_string_equal(first, again);

    pages_set_token(pages, "1800000000000");
    marked_tag(pages, "\"abc\"", again);
    assert_string_not_equal(first, again);
    pages_set_token(pages, TOKEN);
    marked_tag(pages, "\"abc\"", again);
    assert_string_equal(first, again);

    pages_prepare(&other, same_names);
    pages_start(&other);
    marked_tag(&other, "\"abc\"", again);
    assert_string_equal(first, again);
    pages_dispose(&other);

    pages_prepare(&other, other_names);
    pages_start(&other);
    marked_tag(&other, "\"abc\"", again);
    assert_string_not_equal(first, again);
    pages_dispose(&other);

    /* one prefix, but in place of another literal */
    pages_set_token(pages, "x");
    marked_tag(pages, "\"abc\"", first);
    pages_prepare(&other, mirrored_names);
    pages_start(&other);
    pages_set_token(&other, "static");
    marked_tag(&other, "\"abc\"", again);
    assert_string_not_equal(first, again);
    pages_dispose(&other);
}

static loopback_t *revalidate(pages_t *pages, const char *method, const char *tags,
                              const char *accept)
{
    loopback_t *exchange = loopback_open(&pages->server, method, "/");

    exchange->req.version = 0x200;
    loopback_header(exchange, "If-None-Match", tags);
    if (accept != NULL)
        loopback_header(exchange, "Accept", accept);
    loopback_run(exchange);
    return exchange;
}

static void a_page_is_confirmed_under_its_token_and_sent_anew_under_another(void **state)
{
    static const char *const etags[] = {"\"abc\"", "W/\"abc\""};
    static const char *const methods[] = {"GET", "HEAD"};
    pages_t *pages = *state;
    char marked[128], header[128];
    const char *const headers[] = {"Content-Type: text/html", header, NULL};

    for (size_t i = 0; i != 2; ++i)
        for (size_t j = 0; j != 2; ++j) {
            pages_set_token(pages, TOKEN);
            marked_tag(pages, etags[i], marked);
            snprintf(header, sizeof(header), "ETag: %s", etags[i]);
            pages_answer(pages, headers, PAGE, strlen(PAGE));
            pages->app->etag = etags[i];

            loopback_t *exchange = revalidate(pages, methods[j], marked, BROWSER);
            assert_int_equal(exchange->status, 304);
            assert_header(exchange, "ETag", marked);
            assert_header(exchange, "Last-Modified", NULL);
            assert_body(exchange, "", 0);
            loopback_close(exchange);

            pages_set_token(pages, "1800000000000");
            exchange = revalidate(pages, methods[j], marked, BROWSER);
            assert_int_equal(exchange->status, 200);
            assert_seen(exchange, "If-None-Match", NULL);
            assert_string_not_equal(loopback_response_header(exchange, "ETag"), marked);
            loopback_close(exchange);
        }
}

static void what_is_no_page_is_confirmed_by_a_tag_of_today(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json", "ETag: \"json\"",
                                          "Last-Modified: " DATE, NULL};
    pages_t *pages = *state;
    char etag[128];

    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = get(pages, "/");
    snprintf(etag, sizeof(etag), "%s", loopback_response_header(exchange, "ETag"));
    assert_is_marked_as_passed(etag, "\"json");
    loopback_close(exchange);

    pages->app->etag = "\"json\"";
    /* another token changes nothing about it */
    pages_set_token(pages, "1800000000000");
    exchange = revalidate(pages, "GET", etag, "application/json");
    assert_int_equal(exchange->status, 304);
    assert_header(exchange, "ETag", etag);
    assert_header(exchange, "Last-Modified", DATE);
    loopback_close(exchange);
}

/* whoever asks, and however: a tag without a mark may be that of a page with the placeholder */
static void what_was_cached_before_the_rewriting_is_not_confirmed(void **state)
{
    static const char *const accepts[] = {NULL, "*/*", "application/json", BROWSER};
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(accepts) / sizeof(accepts[0]); ++i) {
        pages_answer(pages, html, PAGE, strlen(PAGE));
        pages->app->etag = "\"abc\"";
        loopback_t *exchange = revalidate(pages, "GET", "\"abc\"", accepts[i]);
        assert_int_equal(exchange->status, 200);
        assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
        loopback_close(exchange);
    }
}

/* A case's "@" stands for the current mark with its strength, "#" for one of other prefixes. */
static void expand(const char *pattern, const char *mark, char *dst)
{
    for (; *pattern != '\0'; ++pattern) {
        if (*pattern == '@')
            dst += sprintf(dst, ";breaker=s%s", mark);
        else if (*pattern == '#')
            dst += sprintf(dst, ";breaker=s0123456789abcdef");
        else
            *dst++ = *pattern;
    }
    *dst = '\0';
}

static void the_application_sees_the_tags_that_it_made(void **state)
{
    static const struct {
        const char *method, *accept, *field, *sent, *seen;
    } cases[] = {
        /* whoever takes anything */
        {"GET", NULL, "If-None-Match", "W/\"a@\"", "\"a\""},
        {"HEAD", NULL, "If-None-Match", "W/\"a@\"", "\"a\""},
        {"GET", NULL, "If-None-Match", "\"a@\"", NULL},
        {"GET", NULL, "If-None-Match", "W/\"a#\"", NULL},
        {"GET", NULL, "If-None-Match", "\"a\"", NULL},
        {"GET", NULL, "If-None-Match", "\"x\" ,W/\"a#\",, W/\"b@\",W/\"y\"", "\"b\""},
        {"GET", NULL, "If-None-Match", "*", NULL},
        {"GET", NULL, "If-None-Match", "W/\"x@\", *", "\"x\""},
        {"GET", NULL, "If-None-Match", "W/\"x@\", bad, W/\"y@\"", "\"x\""},
        {"GET", NULL, "If-None-Match", "", NULL},
        {"GET", NULL, "If-None-Match", " , ", NULL},
        {"GET", NULL, "If-None-Match", "W/\"a@\"W/\"b@\"", "\"a\", \"b\""},
        {"GET", NULL, "If-None-Match", "\"open", NULL},
        {"GET", NULL, "If-None-Match", "W/\"a;breaker=x0123456789abcdef\"", NULL},
        {"GET", NULL, "If-None-Match", "W/\";breaker=s0123456789abcde\"", NULL},
        {"GET", "application/json", "If-None-Match", "\"a\"", NULL},
        {"GET", NULL, "If-None-Match", "\"a;breaker=p0123456789abcdef\"", NULL},
        /* a navigation */
        {"GET", BROWSER, "If-None-Match", "W/\"a@\"", "\"a\""},
        {"GET", BROWSER, "If-None-Match", "\"a\"", NULL},
        {"GET", BROWSER, "If-None-Match", "\"x\", W/\"a@\"", "\"a\""},
        {"GET", BROWSER, "If-None-Match", "W/\"a#\"", NULL},
        {"GET", "TEXT/HTML", "If-None-Match", "\"a\"", NULL},
        /* edits */
        {"PUT", NULL, "If-None-Match", "*", "*"},
        {"PUT", BROWSER, "If-None-Match", "W/\"a#\", \"b\"", "\"a\", \"b\""},
        {"PUT", BROWSER, "If-Match", "W/\"a@\"", "\"a\""},
        {"PUT", BROWSER, "If-Match", "W/\"a#\"", "\"a\""},
        {"PUT", NULL, "If-Match", "\"a;breaker=p0123456789abcdef\"", "\"a\""},
        {"PUT", NULL, "If-Match", "W/\"a;breaker=p0123456789abcdef\"", "W/\"a\""},
        {"PUT", NULL, "If-Match", "\"a\", bad, \"b\"", "\"a\", bad, \"b\""},
        {"PUT", NULL, "If-Match", "*", "*"},
        {"GET", BROWSER, "If-Match", "W/\"a#\"", "\"a\""},
        {"GET", BROWSER, "If-Unmodified-Since", DATE, DATE},
        {"PUT", BROWSER, "If-Unmodified-Since", DATE, DATE},
        /* dates */
        {"GET", NULL, "If-Modified-Since", DATE, NULL},
        {"HEAD", BROWSER, "If-Modified-Since", DATE, NULL},
        {"PUT", NULL, "If-Modified-Since", DATE, DATE},
    };
    pages_t *pages = *state;
    char marked[128], mark[MARK_LEN + 1], sent[512], seen[512];

    marked_tag(pages, "\"abc\"", marked);
    snprintf(mark, sizeof(mark), "%.16s", marked + strlen("W/\"abc;breaker=s"));
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        pages_answer(pages, html, PAGE, strlen(PAGE));
        expand(cases[i].sent, mark, sent);
        loopback_t *exchange = loopback_open(&pages->server, cases[i].method, "/");
        loopback_header(exchange, cases[i].field, sent);
        if (cases[i].accept != NULL)
            loopback_header(exchange, "Accept", cases[i].accept);
        loopback_run(exchange);
        if (cases[i].seen != NULL)
            expand(cases[i].seen, mark, seen);
        assert_seen(exchange, cases[i].field, cases[i].seen != NULL ? seen : NULL);
        loopback_close(exchange);
    }
}

static void a_tag_list_may_be_cut_anywhere(void **state)
{
    static const char list[] =
        "W/\"a;breaker=s0123456789abcdef\" , \"b\",W/\";breaker=w"
        "0123456789abcdef\"\"c\", \";breaker=p0123456789abcdef\", *, W/, W/\"d";
    static const breaker__marks_t marks[] = {{"0123456789abcdef", "fedcba9876543210"},
                                             {"fedcba9876543210", "0123456789abcdef"}};
    h2o_mem_pool_t pool;

    (void)state;
    h2o_mem_init_pool(&pool);
    for (size_t len = 0; len <= strlen(list); ++len)
        for (size_t i = 0; i != 2; ++i)
            for (int drop = BREAKER__ETAG_DROP_NONE; drop <= BREAKER__ETAG_DROP_UNMARKED; ++drop) {
                breaker__etag_pairs_t restored = {NULL};
                char *value = guarded_copy(list, len);
                h2o_iovec_t seen =
                    breaker__etag_restore(&pool, h2o_iovec_init(value, len), marks + i,
                                          (breaker__etag_drop_t)drop, &restored);
                /* what an edit is conditional on never goes */
                if (drop == BREAKER__ETAG_DROP_NONE)
                    assert_int_equal(seen.len != 0, len != 0);
                assert_true(restored.size <= 3);
                breaker__etag_mark(&pool, h2o_iovec_init(value, len), marks[i].page);
                breaker__etag_mark_passed(&pool, h2o_iovec_init(value, len), marks[i].passed);
                breaker__etag_find(&restored, h2o_iovec_init(value, len));
                guarded_free(value, len);
            }
    h2o_mem_clear_pool(&pool);
}

static void codings_add_up(void **state)
{
    static const struct {
        const char *value;
        breaker_coding_t coding;
    } cases[] = {
        {"", BREAKER_CODING_IDENTITY},         {" , ,", BREAKER_CODING_IDENTITY},
        {"identity", BREAKER_CODING_IDENTITY}, {"GZip", BREAKER_CODING_GZIP},
        {"x-gzip", BREAKER_CODING_GZIP},       {"\tdeflate ", BREAKER_CODING_DEFLATE},
        {"br", BREAKER_CODING_BROTLI},         {"zstd,identity", BREAKER_CODING_ZSTD},
        {"br,gzip", BREAKER_CODING_OTHER},     {"gzip gzip", BREAKER_CODING_OTHER},
        {"g", BREAKER_CODING_OTHER},           {"gzipp", BREAKER_CODING_OTHER},
        {"gzip;q=1", BREAKER_CODING_OTHER},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        size_t len = strlen(cases[i].value);
        char *value = guarded_copy(cases[i].value, len);
        assert_int_equal(breaker__coding_add(BREAKER_CODING_IDENTITY, value, len), cases[i].coding);
        /* a field of its own is as good as a member */
        if (cases[i].coding != BREAKER_CODING_IDENTITY)
            assert_int_equal(breaker__coding_add(BREAKER_CODING_GZIP, value, len),
                             BREAKER_CODING_OTHER);
        guarded_free(value, len);
    }
}

/* ---- ranges ---- */

static void no_range_is_asked_of_what_may_be_a_page(void **state)
{
    static const struct {
        const char *path, *accept;
        bool kept;
    } cases[] = {
        {"/", NULL, false},
        {"/page", "*/*", false},
        {"/page.html", NULL, false},
        {"/v1.2/page", NULL, false},
        {"/page.HTM", NULL, false},
        {"/video.mp4", NULL, true},
        {"/video.mp4?x=.html", NULL, true},
        {"/video.mp4", BROWSER, false},
        {"/report.pdf", "application/pdf", true},
        {"/unknown.ext", NULL, true},
    };
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        pages_answer(pages, html, PAGE, strlen(PAGE));
        loopback_t *exchange = loopback_open(&pages->server, "GET", cases[i].path);
        loopback_header(exchange, "Range", "bytes=0-3");
        loopback_header(exchange, "If-Range", "\"a\"");
        if (cases[i].accept != NULL)
            loopback_header(exchange, "Accept", cases[i].accept);
        loopback_run(exchange);
        assert_seen(exchange, "Range", cases[i].kept ? "bytes=0-3" : NULL);
        assert_seen(exchange, "If-Range", cases[i].kept ? "\"a\"" : NULL);
        loopback_close(exchange);
    }
}

/* ---- headers for templates ---- */

static void nobody_but_the_server_sets_its_headers(void **state)
{
    static const char *const spoofed[] = {"X-Breaker-Token",    "x-breaker-prefix",
                                          "X_Breaker_Token",    "X-Breaker_Prefix",
                                          "X-Breaker-Whatever", "X-BREAKER-"};
    pages_t *pages = *state;

    pages_answer(pages, html, PAGE, strlen(PAGE));
    loopback_t *exchange = open_page(pages, "/");
    for (size_t i = 0; i != sizeof(spoofed) / sizeof(spoofed[0]); ++i) {
        loopback_header(exchange, spoofed[i], "evil");
        loopback_header(exchange, spoofed[i], "evil");
    }
    loopback_header(exchange, "X-Breake", "kept");
    loopback_header(exchange, "X-Breakers", "kept");
    loopback_run(exchange);
    for (size_t i = 0; i != exchange->req.headers.size; ++i)
        assert_false(h2o_memis(exchange->req.headers.entries[i].value.base,
                               exchange->req.headers.entries[i].value.len, H2O_STRLIT("evil")));
    assert_seen(exchange, "X-Breaker-Token", TOKEN);
    assert_seen(exchange, "X-Breaker-Prefix", PREFIX);
    assert_seen(exchange, "X-Breaker-Prefix-Static", PREFIX);
    assert_seen(exchange, "X-Breake", "kept");
    assert_seen(exchange, "X-Breakers", "kept");
    assert_int_equal(exchange->req.headers.size, 5);
    loopback_close(exchange);
}

static const h2o_header_t *seen_header(const loopback_t *exchange, size_t at)
{
    assert_true(at < exchange->req.headers.size);
    return exchange->req.headers.entries + at;
}

static void every_view_has_a_header_of_its_own(void **state)
{
    static const char *const names[] = {
        "assets/v{breaker}/pub", "static/{breaker}", "{breaker}/static", "STATIC-{breaker}-2",
        "a.b_c/{breaker}",       "{breaker}",        "_/{breaker}",      NULL};
    static const struct {
        const char *name, *value;
    } expected[] = {
        {"X-Breaker-Token", TOKEN},
        {"X-Breaker-Prefix", "/assets/v" TOKEN "/pub/"},
        {"X-Breaker-Prefix-Assets-V-Pub", "/assets/v" TOKEN "/pub/"},
        {"X-Breaker-Prefix-Static", PREFIX},
        {"X-Breaker-Prefix-Static-2", "/" TOKEN "/static/"},
        {"X-Breaker-Prefix-STATIC-2-2", "/STATIC-" TOKEN "-2/"},
        {"X-Breaker-Prefix-A-B-C", "/a.b_c/" TOKEN "/"},
        {"X-Breaker-Prefix-2", "/" TOKEN "/"},
        {"X-Breaker-Prefix-3", "/_/" TOKEN "/"},
    };
    enum { NUM_EXPECTED = sizeof(expected) / sizeof(expected[0]) };
    pages_t pages;

    (void)state;
    pages_prepare(&pages, names);
    pages_start(&pages);
    pages_answer(&pages, html, "", 0);
    loopback_t *exchange = get(&pages, "/");
    assert_int_equal(exchange->req.headers.size, NUM_EXPECTED);
    for (size_t i = 0; i != NUM_EXPECTED; ++i) {
        const h2o_header_t *header = seen_header(exchange, i);
        char lower[64];
        snprintf(lower, sizeof(lower), "%s", expected[i].name);
        h2o_strtolower(lower, strlen(lower));
        assert_int_equal(header->name->len, strlen(lower));
        assert_memory_equal(header->name->base, lower, strlen(lower));
        assert_memory_equal(header->orig_name, expected[i].name, strlen(lower));
        assert_int_equal(header->value.len, strlen(expected[i].value));
        assert_memory_equal(header->value.base, expected[i].value, header->value.len);
    }
    loopback_close(exchange);
    pages_dispose(&pages);
}

static void several_views_are_rewritten_side_by_side(void **state)
{
    static const char *const names[] = {"static/{breaker}", "assets/v{breaker}/pub", "{breaker}",
                                        NULL};
    static const char page[] = "<a /static/{breaker}/x /assets/v{breaker}/pub/y /{breaker}/z "
                               "/assets/v{breaker}/other /v{breaker}/>";
    static const char expected[] = "<a /static/" TOKEN "/x /assets/v" TOKEN "/pub/y /" TOKEN "/z "
                                   "/assets/v{breaker}/other /v{breaker}/>";
    pages_t pages;

    (void)state;
    pages_prepare(&pages, names);
    pages_start(&pages);
    pages_answer(&pages, html, page, strlen(page));
    pages.app->chunk_len = 3;
    loopback_t *exchange = get(&pages, "/");
    assert_body(exchange, expected, strlen(expected));
    loopback_close(exchange);
    pages_dispose(&pages);
}

/* the placeholder itself must reach nobody: a browser might keep the page */
static void without_a_token_a_page_asks_to_come_back(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html", NULL};
    pages_t *pages = *state;

    loopback_server_start(&pages->server);
    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = open_page(pages, "/");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 503);
    assert_header(exchange, "Retry-After", "3");
    assert_header(exchange, "Cache-Control", "no-store");
    loopback_close(exchange);
}

/* ---- company ---- */

static void h2o_s_own_files_are_rewritten_and_confirmed(void **state)
{
    static const char expected[] = "<script src=\"" PREFIX "app.js\"></script>";
    pages_t *pages = *state;
    h2o_pathconf_t *files = loopback_register_path(&pages->server, "/files");

    h2o_file_register(files, pages->dir, NULL, NULL, 0);
    assert_int_equal(breaker_h2o_rewrite_register(files, pages->node), 0);
    pages_start(pages);

    loopback_t *exchange = open_page(pages, "/files/page.html");
    loopback_header(exchange, "Range", "bytes=0-3");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 200);
    assert_null(exchange->pull);
    assert_body(exchange, expected, strlen(expected));
    assert_header(exchange, "Accept-Ranges", NULL);
    char etag[128];
    snprintf(etag, sizeof(etag), "%s", loopback_response_header(exchange, "ETag"));
    assert_non_null(strstr(etag, ";breaker=s"));
    loopback_close(exchange);

    for (int changed = 0; changed <= 1; ++changed) {
        exchange = open_page(pages, "/files/page.html");
        loopback_header(exchange, "If-None-Match", etag);
        loopback_header(exchange, "Accept", BROWSER);
        loopback_run(exchange);
        assert_int_equal(exchange->status, changed ? 200 : 304);
        if (!changed)
            assert_header(exchange, "ETag", etag);
        loopback_close(exchange);
        pages_set_token(pages, "1800000000000");
    }
}

static void registering_twice_is_registering_once(void **state)
{
    pages_t *pages = *state;

    assert_int_equal(breaker_h2o_rewrite_register(pages->server.path, pages->node), 0);
    assert_int_equal(pages->server.path->handlers.size, 2);
}

static void register_assets(pages_t *pages)
{
    const breaker_view_t *view = breaker_node_view(pages->node, 0);

    assert_int_equal(breaker_h2o_static_register(pages->server.path, pages->node, &view, 1), 0);
}

/* an asset of the view, byte for byte */
static void assert_asset(loopback_t *exchange, const pages_t *pages)
{
    char path[128], bytes[256];
    size_t len;

    snprintf(path, sizeof(path), "%s/page.html", pages->dir);
    FILE *fp = fopen(path, "r");
    assert_non_null(fp);
    len = fread(bytes, 1, sizeof(bytes), fp);
    fclose(fp);
    assert_int_equal(exchange->status, 200);
    assert_body(exchange, bytes, len);
    assert_null(strstr(loopback_response_header(exchange, "ETag"), ";breaker="));
}

static void a_page_among_the_assets_is_an_asset(void **state)
{
    pages_t *pages = *state;

    register_assets(pages);
    pages_start(pages);
    loopback_t *exchange = get(pages, PREFIX "page.html");
    assert_asset(exchange, pages);
    assert_header(exchange, "Content-Type", "text/html; charset=utf-8");
    loopback_close(exchange);
    assert_int_equal(pages->app->num_requests, 0);
}

static void an_answer_that_points_at_an_asset_gives_its_bytes(void **state)
{
    static const char *const headers[] = {"Content-Type: text/html",
                                          "X-Reproxy-URL: http://default" PREFIX "page.html", NULL};
    pages_t *pages = *state;

    register_assets(pages);
    h2o_reproxy_register(pages->server.path);
    pages_start(pages);
    pages_answer(pages, headers, PAGE, strlen(PAGE));
    for (size_t chunk_len = 0; chunk_len <= 3; chunk_len += 3) {
        pages->app->chunk_len = chunk_len;
        loopback_t *exchange = get(pages, "/");
        assert_asset(exchange, pages);
        loopback_close(exchange);
    }
    assert_int_equal(pages->app->num_requests, 2);
    assert_int_equal(pages->app->num_ends + pages->app->num_stops, 2);
}

/* What a client gets when the application points at a page that lies at `path`. */
static void assert_pointed_at(const char *path, bool rewriting, const char *expected)
{
    char header[128];
    const char *const headers[] = {"Content-Type: text/html", header, NULL};
    void *state = NULL;

    pages_setup_unstarted(&state);
    pages_t *pages = state;
    h2o_pathconf_t *files = loopback_register_path(&pages->server, path);
    h2o_file_register(files, pages->dir, NULL, NULL, 0);
    if (rewriting)
        assert_int_equal(breaker_h2o_rewrite_register(files, pages->node), 0);
    h2o_reproxy_register(pages->server.path);
    pages_start(pages);
    snprintf(header, sizeof(header), "X-Reproxy-URL: http://default%s/page.html", path);
    pages_answer(pages, headers, PAGE, strlen(PAGE));
    loopback_t *exchange = get(pages, "/");
    assert_body(exchange, expected, strlen(expected));
    loopback_close(exchange);
    pages_teardown(&state);
}

static void an_answer_that_points_at_a_page_gives_what_its_path_gives(void **state)
{
    static const char rewritten[] = "<script src=\"" PREFIX "app.js\"></script>";
    static const char literal[] = "<script src=\"" LITERAL "app.js\"></script>";

    (void)state;
    assert_pointed_at("/files", true, rewritten);
    assert_pointed_at("/files", false, literal);
    /* like an asset, but no view is served there */
    assert_pointed_at("/static/1", true, rewritten);
}

/* libh2o forgets to free what its filter keeps, which is laid out like this */
static void free_documents(h2o_filter_t *filter)
{
    struct {
        h2o_filter_t super;
        H2O_VECTOR(h2o_errordoc_t) documents;
    } *self = (void *)filter;

    for (size_t i = 0; i != self->documents.size; ++i)
        free(self->documents.entries[i].url.base);
    free(self->documents.entries);
}

/* libh2o's file handler at "/", asked before the application */
static void register_files_at_root(pages_t *pages)
{
    h2o_handler_t **handlers = pages->server.path->handlers.entries, *app = handlers[1];

    assert_ptr_equal(app, &pages->app->super);
    h2o_file_register(pages->server.path, pages->dir, NULL, NULL, 0);
    handlers = pages->server.path->handlers.entries;
    handlers[1] = handlers[2];
    handlers[2] = app;
}

static void assert_error_document(pages_t *pages, size_t chunk_len, bool announces_length)
{
    static const char *const headers[] = {"Content-Type: text/html", "ETag: \"abc\"",
                                          "Last-Modified: " DATE, "X-Kept: yes", NULL};
    static const char expected[] = "<script src=\"" PREFIX "app.js\"></script>";

    pages_answer(pages, headers, PAGE, strlen(PAGE));
    pages->app->status = 404;
    pages->app->chunk_len = chunk_len;
    pages->app->announces_length = announces_length;
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/missing");
    loopback_run(exchange);
    assert_int_equal(exchange->status, 404);
    assert_body(exchange, expected, strlen(expected));
    assert_header(exchange, "X-Kept", "yes");
    /* the application's tag may go through the rewriting twice, and is marked once */
    const char *etag = loopback_response_header(exchange, "ETag");
    assert_non_null(etag);
    assert_int_equal(strlen(etag), strlen("W/\"abc;breaker=s\"") + MARK_LEN);
    loopback_close(exchange);
    assert_int_equal(pages->app->num_ends + pages->app->num_stops, 1);
}

static void an_error_document_is_rewritten_once(void **state)
{
    h2o_errordoc_t documents[] = {{404, {H2O_STRLIT("/page.html")}},
                                  {404, {H2O_STRLIT("/files/page.html")}}};

    (void)state;
    for (size_t i = 0; i != 2; ++i) {
        void *inner = NULL;
        pages_setup_unstarted(&inner);
        pages_t *pages = inner;
        h2o_pathconf_t *files = loopback_register_path(&pages->server, "/files");
        h2o_file_register(files, pages->dir, NULL, NULL, 0);
        assert_int_equal(breaker_h2o_rewrite_register(files, pages->node), 0);
        register_files_at_root(pages);
        h2o_errordoc_register(pages->server.path, documents + i, 1);
        pages->server.path->filters.entries[0]->dispose = free_documents;
        pages_start(pages);
        for (size_t chunk_len = 0; chunk_len <= 3; ++chunk_len) {
            assert_error_document(pages, chunk_len, false);
            assert_error_document(pages, chunk_len, true);
        }
        pages_teardown(&inner);
    }
}

static void compression_comes_after_the_rewriting(void **state)
{
    h2o_compress_args_t args = {.min_size = 1, .gzip = {1}, .brotli = {-1}};
    pages_t *pages = *state;
    char decoded[256];
    z_stream zlib = {0};

    h2o_compress_register(pages->server.path, &args);
    pages_start(pages);
    pages_answer(pages, html, PAGE, strlen(PAGE));
    pages->app->chunk_len = 5;
    loopback_t *exchange = open_page(pages, "/");
    loopback_header(exchange, "Accept-Encoding", "gzip");
    loopback_run(exchange);
    assert_seen(exchange, "Accept-Encoding", "gzip");
    assert_header(exchange, "Content-Encoding", "gzip");
    assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
    zlib.next_in = (Bytef *)exchange->body->bytes;
    zlib.avail_in = (uInt)exchange->body->size;
    zlib.next_out = (Bytef *)decoded;
    zlib.avail_out = sizeof(decoded);
    assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
    assert_int_equal(zlib.total_out, strlen(REWRITTEN));
    assert_memory_equal(decoded, REWRITTEN, strlen(REWRITTEN));
    inflateEnd(&zlib);
    loopback_close(exchange);
}

static void two_nodes_at_one_path_rewrite_each_their_own(void **state)
{
    static const char *const other_names[] = {"assets/{breaker}", NULL};
    static const char *const headers[] = {"Content-Type: text/html", "ETag: \"abc\"", NULL};
    static const char unit[] = "<" LITERAL "/assets/{breaker}/>";
    static const char expected[] = "<" PREFIX "/assets/" TOKEN "/>";
    enum { TIMES = 20000 };
    pages_t *pages = *state, other;
    breaker_error_t error;
    char *page = malloc(TIMES * sizeof(unit)), etag[128];

    pages_prepare(&other, other_names);
    assert_int_equal(breaker_node_load(other.node, &error), 0);
    assert_int_equal(breaker_h2o_rewrite_register(pages->server.path, other.node), 0);
    pages_start(pages);
    assert_non_null(page);
    for (size_t i = 0; i != TIMES; ++i)
        memcpy(page + i * (sizeof(unit) - 1), unit, sizeof(unit) - 1);
    pages_answer(pages, headers, page, TIMES * (sizeof(unit) - 1));
    loopback_t *exchange = get(pages, "/");
    assert_int_equal(exchange->body->size, TIMES * (sizeof(expected) - 1));
    for (size_t i = 0; i != TIMES; ++i)
        assert_memory_equal(exchange->body->bytes + i * (sizeof(expected) - 1), expected,
                            sizeof(expected) - 1);
    snprintf(etag, sizeof(etag), "%s", loopback_response_header(exchange, "ETag"));
    loopback_close(exchange);

    pages->app->etag = "\"abc\"";
    exchange = open_page(pages, "/");
    loopback_header(exchange, "If-None-Match", etag);
    loopback_run(exchange);
    assert_int_equal(exchange->status, 304);
    assert_header(exchange, "ETag", etag);
    loopback_close(exchange);
    free(page);

    /* the other node outlives the server that it is part of */
    loopback_server_dispose(&pages->server);
    loopback_server_init(&pages->server);
    pages_dispose(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pages_setup, pages_teardown)
#define UNSTARTED(name) cmocka_unit_test_setup_teardown(name, pages_setup_unstarted, pages_teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_text_html_is_a_page_and_nothing_else),
        TEST(a_page_s_head_loses_what_no_longer_holds),
        TEST(a_decoded_page_varies_by_accept_encoding),
        TEST(a_head_is_the_head_of_the_page),
        TEST(a_part_of_a_page_and_an_unknown_coding_pass_unread_and_unstored),
        TEST(a_header_array_of_the_handler_s_is_never_written_to),
        TEST(a_tag_becomes_weak_and_names_the_prefixes),
        TEST(a_tag_that_is_none_is_dropped),
        TEST(the_mark_follows_the_prefixes_and_nothing_else),
        TEST(a_page_is_confirmed_under_its_token_and_sent_anew_under_another),
        TEST(what_is_no_page_is_confirmed_by_a_tag_of_today),
        TEST(what_was_cached_before_the_rewriting_is_not_confirmed),
        TEST(the_application_sees_the_tags_that_it_made),
        cmocka_unit_test(a_tag_list_may_be_cut_anywhere),
        cmocka_unit_test(codings_add_up),
        TEST(no_range_is_asked_of_what_may_be_a_page),
        TEST(nobody_but_the_server_sets_its_headers),
        cmocka_unit_test(every_view_has_a_header_of_its_own),
        cmocka_unit_test(several_views_are_rewritten_side_by_side),
        UNSTARTED(without_a_token_a_page_asks_to_come_back),
        UNSTARTED(h2o_s_own_files_are_rewritten_and_confirmed),
        UNSTARTED(registering_twice_is_registering_once),
        UNSTARTED(a_page_among_the_assets_is_an_asset),
        UNSTARTED(an_answer_that_points_at_an_asset_gives_its_bytes),
        cmocka_unit_test(an_answer_that_points_at_a_page_gives_what_its_path_gives),
        cmocka_unit_test(an_error_document_is_rewritten_once),
        UNSTARTED(compression_comes_after_the_rewriting),
        UNSTARTED(two_nodes_at_one_path_rewrite_each_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
