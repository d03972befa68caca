/* The bodies of pages: every cut, every coding, every way to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>
#include "pages.h"

#define PAGE                                                                                       \
    "<link href=\"" LITERAL "css/site.css\">" LITERAL LITERAL "/static/{breaker" LITERAL           \
    "/static/{breaker}?" LITERAL
#define REWRITTEN                                                                                  \
    "<link href=\"" PREFIX "css/site.css\">" PREFIX PREFIX "/static/{breaker" PREFIX               \
    "/static/{breaker}?" PREFIX

static const char *const html[] = {"Content-Type: text/html", NULL};

static loopback_t *get(pages_t *pages)
{
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");

    /* without libh2o's chunked coding */
    exchange->req.version = 0x200;
    loopback_run(exchange);
    return exchange;
}

/* ---- codings ---- */

typedef struct st_bytes_t {
    char *base;
    size_t len;
} bytes_t;

static bytes_t deflate_as(const char *src, size_t len, int window_bits)
{
    z_stream zlib = {0};
    bytes_t out = {malloc(len + len / 8 + 256), 0};

    assert_non_null(out.base);
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (Bytef *)(uintptr_t)src;
    zlib.avail_in = (uInt)len;
    zlib.next_out = (Bytef *)out.base;
    zlib.avail_out = (uInt)(len + len / 8 + 256);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out.len = zlib.total_out;
    deflateEnd(&zlib);
    return out;
}

static bytes_t encode_gzip(const char *src, size_t len)
{
    return deflate_as(src, len, 15 + 16);
}

static bytes_t encode_two_members(const char *src, size_t len)
{
    bytes_t first = encode_gzip(src, len / 2), second = encode_gzip(src + len / 2, len - len / 2);

    first.base = realloc(first.base, first.len + second.len);
    assert_non_null(first.base);
    memcpy(first.base + first.len, second.base, second.len);
    first.len += second.len;
    free(second.base);
    return first;
}

static bytes_t encode_zlib(const char *src, size_t len)
{
    return deflate_as(src, len, 15);
}

static bytes_t encode_raw(const char *src, size_t len)
{
    return deflate_as(src, len, -15);
}

static bytes_t encode_brotli(const char *src, size_t len)
{
    bytes_t out = {malloc(len + len / 8 + 256), len + len / 8 + 256};

    assert_non_null(out.base);
    assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, len, (const uint8_t *)src, &out.len,
                                      (uint8_t *)out.base));
    return out;
}

static bytes_t encode_zstd(const char *src, size_t len)
{
    bytes_t out = {malloc(ZSTD_compressBound(len)), 0};
    ZSTD_CCtx *ctx = ZSTD_createCCtx();

    assert_non_null(out.base);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
    out.len = ZSTD_compress2(ctx, out.base, ZSTD_compressBound(len), src, len);
    assert_false(ZSTD_isError(out.len));
    ZSTD_freeCCtx(ctx);
    return out;
}

static bytes_t encode_not(const char *src, size_t len)
{
    bytes_t out = {malloc(len), len};

    assert_non_null(out.base);
    memcpy(out.base, src, len);
    return out;
}

typedef struct st_coding_t {
    const char *headers[3];
    bytes_t (*encode)(const char *src, size_t len);
    bool is_identity;
} coding_t;

static const coding_t codings[] = {
    {{"Content-Type: text/html", NULL}, encode_not, true},
    {{"Content-Type: text/html", "Content-Encoding: identity", NULL}, encode_not, true},
    {{"Content-Type: text/html", "Content-Encoding: gzip", NULL}, encode_gzip, false},
    {{"Content-Type: text/html", "Content-Encoding: X-GZIP", NULL}, encode_gzip, false},
    {{"Content-Type: text/html", "Content-Encoding: gzip", NULL}, encode_two_members, false},
    {{"Content-Type: text/html", "Content-Encoding: deflate", NULL}, encode_zlib, false},
    {{"Content-Type: text/html", "Content-Encoding: deflate", NULL}, encode_raw, false},
    {{"Content-Type: text/html", "Content-Encoding: identity, br ,", NULL}, encode_brotli, false},
    {{"Content-Type: text/html", "Content-Encoding: zstd", NULL}, encode_zstd, false},
};
enum { NUM_CODINGS = sizeof(codings) / sizeof(codings[0]) };

/* ---- what comes out ---- */

static void a_literal_is_replaced_wherever_a_chunk_ends(void **state)
{
    pages_t *pages = *state;

    for (size_t chunk_len = 0; chunk_len <= strlen(PAGE); ++chunk_len)
        for (int late_end = 0; late_end <= 1; ++late_end) {
            pages_answer(pages, html, PAGE, strlen(PAGE));
            pages->app->chunk_len = chunk_len;
            pages->app->late_end = late_end;
            loopback_t *exchange = get(pages);
            assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
            assert_false(exchange->error);
            loopback_close(exchange);
            assert_int_equal(pages->app->num_ends, 1);
            assert_int_equal(pages->app->num_stops, 0);
        }
}

static void a_page_that_ends_inside_a_literal_keeps_its_end(void **state)
{
    pages_t *pages = *state;

    for (size_t len = 0; len != strlen(LITERAL); ++len) {
        pages_answer(pages, html, LITERAL, len);
        pages->app->chunk_len = 3;
        loopback_t *exchange = get(pages);
        assert_body(exchange, LITERAL, len);
        loopback_close(exchange);
    }
}

static void every_coding_is_undone_wherever_a_chunk_ends(void **state)
{
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM_CODINGS; ++i) {
        bytes_t encoded = codings[i].encode(PAGE, strlen(PAGE));
        for (size_t chunk_len = 0; chunk_len <= encoded.len; ++chunk_len) {
            pages_answer(pages, codings[i].headers, encoded.base, encoded.len);
            pages->app->chunk_len = chunk_len;
            pages->app->announces_length = true;
            loopback_t *exchange = get(pages);
            assert_false(exchange->error);
            assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
            assert_header(exchange, "Content-Encoding", NULL);
            assert_header(exchange, "Vary", codings[i].is_identity ? NULL : "accept-encoding");
            assert_int_equal(exchange->content_length, SIZE_MAX);
            loopback_close(exchange);
        }
        free(encoded.base);
    }
}

static void an_encoded_page_without_a_byte_is_an_empty_page(void **state)
{
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM_CODINGS; ++i) {
        pages_answer(pages, codings[i].headers, "", 0);
        loopback_t *exchange = get(pages);
        assert_false(exchange->error);
        assert_body(exchange, "", 0);
        loopback_close(exchange);
    }
}

/* ---- broken encodings ---- */

static void assert_broken(pages_t *pages, const coding_t *coding, const bytes_t *encoded)
{
    static const size_t chunk_lens[] = {0, 1, 7, 100000};

    for (size_t i = 0; i != sizeof(chunk_lens) / sizeof(chunk_lens[0]); ++i)
        for (int late_end = 0; late_end <= 1; ++late_end) {
            pages_answer(pages, coding->headers, encoded->base, encoded->len);
            pages->app->chunk_len = chunk_lens[i];
            pages->app->late_end = late_end;
            loopback_t *exchange = get(pages);
            assert_true(exchange->error);
            assert_int_equal(exchange->status, 200);
            loopback_close(exchange);
            /* a handler that has sent its last is over, any other one is stopped once */
            assert_int_equal(pages->app->num_ends + pages->app->num_stops, 1);
        }
}

static void a_page_that_is_cut_ends_as_an_error(void **state)
{
    bytes_t first = encode_gzip(PAGE, strlen(PAGE) / 2);

    for (size_t i = 0; i != NUM_CODINGS; ++i) {
        if (codings[i].is_identity)
            continue;
        bytes_t encoded = codings[i].encode(PAGE, strlen(PAGE));
        size_t len = encoded.len;
        for (encoded.len = 1; encoded.len != len; ++encoded.len) {
            /* between two members nobody can tell */
            if (codings[i].encode != encode_two_members || encoded.len != first.len)
                assert_broken(*state, codings + i, &encoded);
        }
        free(encoded.base);
    }
    free(first.base);
}

static void a_page_with_bytes_behind_its_end_ends_as_an_error(void **state)
{
    for (size_t i = 0; i != NUM_CODINGS; ++i) {
        if (codings[i].is_identity)
            continue;
        bytes_t encoded = codings[i].encode(PAGE, strlen(PAGE));
        encoded.base = realloc(encoded.base, encoded.len + 9);
        assert_non_null(encoded.base);
        memcpy(encoded.base + encoded.len, "trailing!", 9);
        encoded.len += 9;
        assert_broken(*state, codings + i, &encoded);
        free(encoded.base);
    }
}

static void a_page_that_is_not_what_it_says_ends_as_an_error(void **state)
{
    static char garbage[5000];
    bytes_t bytes = {garbage, sizeof(garbage)};

    /* a first byte that is a block of reserved type to raw deflate, a frame to nobody */
    memset(garbage, 0xff, sizeof(garbage));
    for (size_t i = 0; i != NUM_CODINGS; ++i)
        if (!codings[i].is_identity)
            assert_broken(*state, codings + i, &bytes);
}

static void a_wrong_checksum_ends_as_an_error(void **state)
{
    for (size_t i = 0; i != NUM_CODINGS; ++i) {
        if (codings[i].is_identity || codings[i].encode == encode_raw ||
            codings[i].encode == encode_brotli)
            continue;
        bytes_t encoded = codings[i].encode(PAGE, strlen(PAGE));
        /* gzip ends with the length, after the checksum */
        encoded.base[encoded.len - (codings[i].encode == encode_zlib ? 1 : 4)] ^= 1;
        assert_broken(*state, codings + i, &encoded);
        free(encoded.base);
    }
}

static void a_window_larger_than_the_coding_allows_is_refused(void **state)
{
    const size_t len = 20u << 20;
    char *text = malloc(len), *encoded = malloc(ZSTD_compressBound(len));
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    coding_t coding = codings[NUM_CODINGS - 1];
    bytes_t bytes = {encoded, 0};

    assert_non_null(text);
    assert_non_null(encoded);
    memset(text, 'x', len);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 24);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
    bytes.len = ZSTD_compress2(ctx, encoded, ZSTD_compressBound(len), text, len);
    assert_false(ZSTD_isError(bytes.len));
    assert_broken(*state, &coding, &bytes);
    ZSTD_freeCCtx(ctx);
    free(encoded);
    free(text);
}

/* ---- much of it ---- */

static char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *repeated = malloc(len * times + 1);

    assert_non_null(repeated);
    for (size_t i = 0; i != times; ++i)
        memcpy(repeated + i * len, text, len + 1);
    return repeated;
}

static void much_of_a_little_goes_out_in_pieces(void **state)
{
    enum { TIMES = 200000 };
    pages_t *pages = *state;
    char *page = repeat("<a href=" LITERAL ">", TIMES),
         *expected = repeat("<a href=" PREFIX ">", TIMES);

    for (size_t i = 0; i != NUM_CODINGS; ++i)
        for (int late_end = 0; late_end <= 1; ++late_end) {
            bytes_t encoded = codings[i].encode(page, strlen(page));
            pages_answer(pages, codings[i].headers, encoded.base, encoded.len);
            pages->app->late_end = late_end;
            loopback_t *exchange = get(pages);
            assert_body(exchange, expected, strlen(expected));
            assert_true(exchange->largest_send < 3 * 65536);
            assert_true(exchange->num_sends > 20);
            loopback_close(exchange);
            assert_int_equal(pages->app->num_stops, 0);
            free(encoded.base);
        }
    free(page);
    free(expected);
}

/* around the ends of slices and pieces, where a decoder may or may not have more */
static void every_length_comes_out_whole(void **state)
{
    static const size_t lens[] = {1,     16383, 16384, 16385, 32768,
                                  49152, 65535, 65536, 65537, 131072};
    pages_t *pages = *state;
    char *page = malloc(131072);

    assert_non_null(page);
    for (size_t i = 0; i != 131072; ++i)
        page[i] = (char)('a' + (i * i / 7) % 26);
    for (size_t i = 0; i != NUM_CODINGS; ++i)
        for (size_t j = 0; j != sizeof(lens) / sizeof(lens[0]); ++j)
            for (int late_end = 0; late_end <= 1; ++late_end) {
                bytes_t encoded = codings[i].encode(page, lens[j]);
                pages_answer(pages, codings[i].headers, encoded.base, encoded.len);
                pages->app->late_end = late_end;
                loopback_t *exchange = get(pages);
                assert_false(exchange->error);
                assert_body(exchange, page, lens[j]);
                loopback_close(exchange);
                free(encoded.base);
            }
    free(page);
}

static void chunks_larger_than_a_piece_follow_one_another(void **state)
{
    enum { TIMES = 60000 };
    pages_t *pages = *state;
    char *page = repeat("<a href=" LITERAL ">", TIMES),
         *expected = repeat("<a href=" PREFIX ">", TIMES);

    pages_answer(pages, html, page, strlen(page));
    pages->app->chunk_len = 300001;
    loopback_t *exchange = get(pages);
    assert_body(exchange, expected, strlen(expected));
    assert_true(exchange->largest_send < 3 * 65536);
    loopback_close(exchange);
    free(page);
    free(expected);
}

/* ---- clients that go away, handlers that fail ---- */

static void a_client_may_go_away_at_any_step(void **state)
{
    enum { TIMES = 20000 };
    pages_t *pages = *state;
    char *page = repeat("<a href=" LITERAL ">", TIMES);

    for (size_t i = 0; i != NUM_CODINGS; ++i)
        for (unsigned steps = 0; steps != 7; ++steps) {
            bytes_t encoded = codings[i].encode(page, strlen(page));
            pages_answer(pages, codings[i].headers, encoded.base, encoded.len);
            pages->app->chunk_len = encoded.len / 2;
            loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");
            exchange->stepwise = true;
            for (unsigned step = 0; step != steps; ++step)
                assert_true(loopback_step(exchange));
            loopback_close(exchange);
            assert_int_equal(pages->app->num_requests, steps != 0);
            if (steps != 0)
                assert_int_equal(pages->app->num_ends + pages->app->num_stops, 1);
            free(encoded.base);
        }
    free(page);
}

static void a_handler_s_error_stays_one(void **state)
{
    static const size_t chunk_lens[] = {0, 5};
    pages_t *pages = *state;

    for (size_t i = 0; i != NUM_CODINGS; ++i)
        for (size_t j = 0; j != 2; ++j) {
            bytes_t encoded = codings[i].encode(PAGE, strlen(PAGE));
            pages_answer(pages, codings[i].headers, encoded.base, encoded.len);
            pages->app->chunk_len = chunk_lens[j];
            pages->app->fails = true;
            loopback_t *exchange = get(pages);
            assert_true(exchange->error);
            loopback_close(exchange);
            assert_int_equal(pages->app->num_ends, 1);
            assert_int_equal(pages->app->num_stops, 0);
            free(encoded.base);
        }
}

static void a_page_keeps_the_token_that_it_began_with(void **state)
{
    pages_t *pages = *state;

    pages_answer(pages, html, PAGE, strlen(PAGE));
    pages->app->chunk_len = 10;
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");
    exchange->req.version = 0x200;
    exchange->stepwise = true;
    assert_true(loopback_step(exchange));
    pages_set_token(pages, "1800000000000");
    while (loopback_step(exchange))
        ;
    assert_body(exchange, REWRITTEN, strlen(REWRITTEN));
    loopback_close(exchange);

    exchange = get(pages);
    const char prefix[] = "<link href=\"/static/1800000000000/css";
    assert_memory_equal(exchange->body->bytes, prefix, strlen(prefix));
    loopback_close(exchange);
}

/* ---- lengths ---- */

static void a_small_page_keeps_a_length_where_chunks_are_not_to_be_had(void **state)
{
    static const struct {
        int version, status;
        bool expected;
    } cases[] = {{0x101, 404, true},  {0x101, 500, true},  {0x100, 200, true},
                 {0x101, 200, false}, {0x200, 404, false}, {0x200, 200, false}};
    pages_t *pages = *state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        for (size_t chunk_len = 0; chunk_len <= 20; chunk_len += 20) {
            pages_answer(pages, html, PAGE, strlen(PAGE));
            pages->app->status = cases[i].status;
            pages->app->announces_length = true;
            pages->app->chunk_len = chunk_len;
            loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");
            exchange->req.version = cases[i].version;
            loopback_run(exchange);
            assert_int_equal(exchange->content_length,
                             cases[i].expected ? strlen(REWRITTEN) : SIZE_MAX);
            assert_true(exchange->persistent);
            loopback_close(exchange);
        }
}

static void a_small_page_that_breaks_off_is_shorter_than_it_says(void **state)
{
    pages_t *pages = *state;

    pages_answer(pages, html, PAGE, strlen(PAGE));
    pages->app->status = 404;
    pages->app->announces_length = pages->app->fails = true;
    pages->app->chunk_len = 30;
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");
    loopback_run(exchange);
    assert_true(exchange->error);
    assert_true(exchange->content_length > exchange->body->size);
    loopback_close(exchange);
}

static void a_large_page_is_not_held_for_its_length(void **state)
{
    enum { TIMES = 60000 };
    pages_t *pages = *state;
    char *page = repeat("<a href=" LITERAL ">", TIMES),
         *expected = repeat("<a href=" PREFIX ">", TIMES);

    pages_answer(pages, html, page, strlen(page));
    pages->app->status = 404;
    pages->app->announces_length = true;
    loopback_t *exchange = loopback_open(&pages->server, "GET", "/page");
    loopback_run(exchange);
    assert_int_equal(exchange->content_length, SIZE_MAX);
    assert_false(exchange->persistent);
    assert_body(exchange, expected, strlen(expected));
    loopback_close(exchange);
    free(page);
    free(expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pages_setup, pages_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_literal_is_replaced_wherever_a_chunk_ends),
        TEST(a_page_that_ends_inside_a_literal_keeps_its_end),
        TEST(every_coding_is_undone_wherever_a_chunk_ends),
        TEST(an_encoded_page_without_a_byte_is_an_empty_page),
        TEST(a_page_that_is_cut_ends_as_an_error),
        TEST(a_page_with_bytes_behind_its_end_ends_as_an_error),
        TEST(a_page_that_is_not_what_it_says_ends_as_an_error),
        TEST(a_wrong_checksum_ends_as_an_error),
        TEST(a_window_larger_than_the_coding_allows_is_refused),
        TEST(much_of_a_little_goes_out_in_pieces),
        TEST(every_length_comes_out_whole),
        TEST(chunks_larger_than_a_piece_follow_one_another),
        TEST(a_client_may_go_away_at_any_step),
        TEST(a_handler_s_error_stays_one),
        TEST(a_page_keeps_the_token_that_it_began_with),
        TEST(a_small_page_keeps_a_length_where_chunks_are_not_to_be_had),
        TEST(a_small_page_that_breaks_off_is_shorter_than_it_says),
        TEST(a_large_page_is_not_held_for_its_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
