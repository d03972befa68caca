/*
 * Encodings made and encodings checked: what is made decodes to the same bytes by the codec's own
 * library and by ours, fits into the room that was given, and is the same every time; what is
 * stale, cut off, followed by something, or far too long is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include "guard.h"
#include "encoding/coding.h"
#include "release/disk.h"
#include "scratch.h"

static const breaker_encoding_t encodings[] = {BREAKER_ENCODING_BROTLI, BREAKER_ENCODING_ZSTD,
                                               BREAKER_ENCODING_GZIP};
enum { NUM_ENCODINGS = 3 };

static const atomic_bool go_on = false;
static breaker__pace_t unhurried = {.stop = &go_on, .percent = 100};

/** Bytes in memory that a variant borrows. */
typedef struct st_bytes_t {
    char *base;
    size_t len;
} bytes_t;

static bytes_t make_text(size_t len)
{
    bytes_t text = {malloc(len + 1), len};
    uint32_t random = 12345;

    assert_non_null(text.base);
    for (size_t i = 0; i != len; ++i) {
        random = random * 1664525 + 1013904223;
        text.base[i] = "aaaaaeeeeeetttttoooonnnniiisssrrhhlldd  \n,.{}:;"[random >> 24 & 31];
    }
    return text;
}

static bytes_t make_noise(size_t len)
{
    bytes_t noise = {malloc(len + 1), len};
    uint64_t random = 88172645463325252;

    assert_non_null(noise.base);
    for (size_t i = 0; i != len; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        noise.base[i] = (char)(random >> 32);
    }
    return noise;
}

static breaker_variant_t variant_of(const char *base, size_t len)
{
    return (breaker_variant_t){.base = base, .len = len, .fd = -1};
}

/** Whether encoded bytes stand for the expected ones; both end at guard pages. */
static int check(breaker_encoding_t encoding, const char *encoded, size_t encoded_len,
                 const char *expected, size_t expected_len)
{
    char *a = guarded_copy(encoded, encoded_len), *b = guarded_copy(expected, expected_len);
    breaker_variant_t x = variant_of(a, encoded_len), y = variant_of(b, expected_len);
    int err = breaker__decodes_to(encoding, &x, &y);

    guarded_free(a, encoded_len);
    guarded_free(b, expected_len);
    return err;
}

static bytes_t encode(breaker_encoding_t encoding, const char *src, size_t len)
{
    size_t room = len + len / 8 + 1024;
    bytes_t encoded = {malloc(room), 0};

    assert_non_null(encoded.base);
    assert_int_equal(
        breaker__encode(encoding, src, len, encoded.base, room, &unhurried, &encoded.len), 0);
    return encoded;
}

/** Decodes in one call of the codec's library. */
static bytes_t decode_plainly(breaker_encoding_t encoding, bytes_t encoded, size_t room)
{
    bytes_t decoded = {malloc(room + 1), room};
    z_stream stream;

    assert_non_null(decoded.base);
    switch (encoding) {
    case BREAKER_ENCODING_BROTLI:
        assert_int_equal(BrotliDecoderDecompress(encoded.len, (const uint8_t *)encoded.base,
                                                 &decoded.len, (uint8_t *)decoded.base),
                         BROTLI_DECODER_RESULT_SUCCESS);
        break;
    case BREAKER_ENCODING_ZSTD:
        decoded.len = ZSTD_decompress(decoded.base, room, encoded.base, encoded.len);
        assert_false(ZSTD_isError(decoded.len));
        break;
    case BREAKER_ENCODING_GZIP:
        memset(&stream, 0, sizeof(stream));
        assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
        stream.next_in = (Bytef *)encoded.base;
        stream.avail_in = (uInt)encoded.len;
        stream.next_out = (Bytef *)decoded.base;
        stream.avail_out = (uInt)room + 1;
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.avail_in, 0);
        decoded.len = stream.total_out;
        inflateEnd(&stream);
        break;
    case BREAKER_ENCODING_IDENTITY:
        fail();
    }
    return decoded;
}

static void assert_round_trip(breaker_encoding_t encoding, bytes_t text)
{
    bytes_t encoded = encode(encoding, text.base, text.len);
    bytes_t again = encode(encoding, text.base, text.len);
    bytes_t decoded = decode_plainly(encoding, encoded, text.len);

    assert_int_equal(decoded.len, text.len);
    assert_memory_equal(decoded.base, text.base, text.len);
    assert_int_equal(check(encoding, encoded.base, encoded.len, text.base, text.len), 0);
    assert_int_equal(again.len, encoded.len);
    assert_memory_equal(again.base, encoded.base, encoded.len);
    free(decoded.base);
    free(again.base);
    free(encoded.base);
}

static void what_is_encoded_decodes_to_the_same_bytes(void **state)
{
    static const size_t lens[] = {0, 1, 255, 32767, 32768, 32769, 131072, 131073, 400000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        bytes_t text = make_text(lens[i]);

        for (size_t e = 0; e != NUM_ENCODINGS; ++e)
            assert_round_trip(encodings[e], text);
        free(text.base);
    }
}

static void noise_survives_encoding_too(void **state)
{
    static const size_t lens[] = {1000, 200000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        bytes_t noise = make_noise(lens[i]);

        for (size_t e = 0; e != NUM_ENCODINGS; ++e)
            assert_round_trip(encodings[e], noise);
        free(noise.base);
    }
}

/** A body above 8 MiB must not get a window as large as itself, which browsers refuse. */
static void windows_stay_within_what_browsers_decode(void **state)
{
    bytes_t body = make_noise(9 << 20);
    bytes_t encoded;

    (void)state;
    for (size_t at = 65536; at != body.len; at += 65536)
        memcpy(body.base + at, body.base, 65536);
    encoded = encode(BREAKER_ENCODING_ZSTD, body.base, body.len);
    assert_true(encoded.len < 200000);
    assert_int_equal(check(BREAKER_ENCODING_ZSTD, encoded.base, encoded.len, body.base, body.len),
                     0);
    free(encoded.base);
    free(body.base);
}

static void what_does_not_fit_is_given_up(void **state)
{
    static const size_t lens[] = {300, 40000, 140000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        bytes_t text = make_text(lens[i]);

        for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
            bytes_t whole = encode(encodings[e], text.base, text.len);
            const size_t rooms[] = {0, 1, 10, whole.len / 2, whole.len - 1};
            size_t len = 4711;

            for (size_t r = 0; r != sizeof(rooms) / sizeof(rooms[0]); ++r) {
                char *dst = guarded_alloc(rooms[r]);

                assert_int_equal(breaker__encode(encodings[e], text.base, text.len, dst, rooms[r],
                                                 &unhurried, &len),
                                 BREAKER_ERR_TOO_LONG);
                assert_int_equal(len, 4711);
                guarded_free(dst, rooms[r]);
            }
            free(whole.base);
        }
        free(text.base);
    }
}

static void noise_does_not_become_smaller(void **state)
{
    bytes_t noise = make_noise(50000);
    size_t len;

    (void)state;
    for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
        char *dst = guarded_alloc(noise.len - 1);

        assert_int_equal(breaker__encode(encodings[e], noise.base, noise.len, dst, noise.len - 1,
                                         &unhurried, &len),
                         BREAKER_ERR_TOO_LONG);
        guarded_free(dst, noise.len - 1);
    }
    free(noise.base);
}

static void a_stop_is_noticed(void **state)
{
    bytes_t text = make_text(1000000);
    atomic_bool stop = true;
    breaker__pace_t pace = {.stop = &stop, .percent = 100};
    char *dst = malloc(text.len);
    size_t len;

    (void)state;
    for (size_t e = 0; e != NUM_ENCODINGS; ++e)
        assert_int_equal(
            breaker__encode(encodings[e], text.base, text.len, dst, text.len, &pace, &len),
            BREAKER_ERR_STATE);
    free(dst);
    free(text.base);
}

static void gzip_has_no_time_and_no_name_in_it(void **state)
{
    static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0};
    bytes_t text = make_text(1000);
    bytes_t encoded = encode(BREAKER_ENCODING_GZIP, text.base, text.len);

    (void)state;
    assert_memory_equal(encoded.base, header, sizeof(header));
    free(encoded.base);
    free(text.base);
}

static void other_bytes_are_stale(void **state)
{
    static const size_t lens[] = {1, 300, 70000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        bytes_t text = make_text(lens[i]);
        const size_t places[] = {0, text.len / 2, text.len - 1};

        for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
            bytes_t encoded = encode(encodings[e], text.base, text.len);

            for (size_t p = 0; p != 3; ++p) {
                text.base[places[p]] ^= 1;
                assert_int_equal(
                    check(encodings[e], encoded.base, encoded.len, text.base, text.len),
                    BREAKER_ERR_NOT_ENCODED);
                text.base[places[p]] ^= 1;
            }
            /* a byte too many on either side */
            assert_int_equal(
                check(encodings[e], encoded.base, encoded.len, text.base, text.len - 1),
                BREAKER_ERR_NOT_ENCODED);
            text.base[text.len] = 'a';
            assert_int_equal(
                check(encodings[e], encoded.base, encoded.len, text.base, text.len + 1),
                BREAKER_ERR_NOT_ENCODED);
            free(encoded.base);
        }
        free(text.base);
    }
}

static void a_stream_cut_off_anywhere_is_refused(void **state)
{
    bytes_t text = make_text(2000);

    (void)state;
    for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
        bytes_t encoded = encode(encodings[e], text.base, text.len);

        for (size_t len = 0; len != encoded.len; ++len)
            assert_int_equal(check(encodings[e], encoded.base, len, text.base, text.len),
                             BREAKER_ERR_NOT_ENCODED);
        free(encoded.base);
    }
    free(text.base);
}

static void bytes_after_the_stream_are_refused(void **state)
{
    static const char *const tails[] = {"x", "\n", "trailing garbage of some length"};
    bytes_t text = make_text(2000);

    (void)state;
    for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
        bytes_t encoded = encode(encodings[e], text.base, text.len);

        for (size_t t = 0; t != 3; ++t) {
            memcpy(encoded.base + encoded.len, tails[t], strlen(tails[t]));
            assert_int_equal(check(encodings[e], encoded.base, encoded.len + strlen(tails[t]),
                                   text.base, text.len),
                             BREAKER_ERR_NOT_ENCODED);
        }
        encoded.base[encoded.len] = '\0';
        assert_int_equal(check(encodings[e], encoded.base, encoded.len + 1, text.base, text.len),
                         BREAKER_ERR_NOT_ENCODED);
        free(encoded.base);
    }
    free(text.base);
}

static void what_is_no_encoding_is_refused(void **state)
{
    bytes_t noise = make_noise(5000), text = make_text(5000);

    (void)state;
    for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
        bytes_t other = encode(encodings[(e + 1) % NUM_ENCODINGS], text.base, text.len);

        for (size_t len = 0; len != 64; ++len)
            assert_int_equal(check(encodings[e], noise.base, len, text.base, text.len),
                             BREAKER_ERR_NOT_ENCODED);
        assert_int_equal(check(encodings[e], noise.base, noise.len, text.base, text.len),
                         BREAKER_ERR_NOT_ENCODED);
        assert_int_equal(check(encodings[e], text.base, text.len, text.base, text.len),
                         BREAKER_ERR_NOT_ENCODED);
        assert_int_equal(check(encodings[e], other.base, other.len, text.base, text.len),
                         BREAKER_ERR_NOT_ENCODED);
        /* not even for an empty file does nothing at all stand */
        assert_int_equal(check(encodings[e], text.base, 0, text.base, 0), BREAKER_ERR_NOT_ENCODED);
        free(other.base);
    }
    free(noise.base);
    free(text.base);
}

/** Two parts encoded apart, one after the other. */
static int check_two_parts(breaker_encoding_t encoding, bytes_t text, size_t first_len)
{
    bytes_t first = encode(encoding, text.base, first_len);
    bytes_t second = encode(encoding, text.base + first_len, text.len - first_len);
    char *both = malloc(first.len + second.len);
    int ret;

    assert_non_null(both);
    memcpy(both, first.base, first.len);
    memcpy(both + first.len, second.base, second.len);
    ret = check(encoding, both, first.len + second.len, text.base, text.len);
    if (ret == 0)
        assert_int_equal(check(encoding, both, first.len + second.len - 1, text.base, text.len),
                         BREAKER_ERR_NOT_ENCODED);
    free(both);
    free(second.base);
    free(first.base);
    return ret;
}

/* RFC 8878 §3: frames one after the other are one content; and clients read them so */
static void several_frames_of_zstd_are_one_stream(void **state)
{
    bytes_t text = make_text(70000);
    const size_t lens[] = {0, 1, 65536, 69999, 70000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
        assert_int_equal(check_two_parts(BREAKER_ENCODING_ZSTD, text, lens[i]), 0);
        assert_int_equal(check_two_parts(BREAKER_ENCODING_BROTLI, text, lens[i]),
                         BREAKER_ERR_NOT_ENCODED);
    }
    free(text.base);
}

/* RFC 1952 §2.2 allows them, but browsers end the content at the end of the first */
static void several_members_of_gzip_are_refused_by_name(void **state)
{
    bytes_t text = make_text(70000);
    const size_t lens[] = {0, 1, 65536, 69999, 70000};

    (void)state;
    for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i)
        assert_int_equal(check_two_parts(BREAKER_ENCODING_GZIP, text, lens[i]),
                         BREAKER_ERR_TOO_MANY);
    free(text.base);
}

/**
 * Only the beginning of the bomb is there: a decoder that went on after the first byte too many
 * would run into the guard page.
 */
static void a_bomb_is_refused_at_its_first_byte_too_many(void **state)
{
    enum { BOMB_LEN = 32 << 20, THERE = 512 };
    static const breaker_encoding_t bombs[] = {BREAKER_ENCODING_ZSTD, BREAKER_ENCODING_GZIP};
    static const size_t lens[] = {0, 1, 100, 60000};
    char *zeros = calloc(1, BOMB_LEN);

    (void)state;
    assert_non_null(zeros);
    for (size_t b = 0; b != 2; ++b) {
        bytes_t bomb = encode(bombs[b], zeros, BOMB_LEN);
        char *beginning = guarded_copy(bomb.base, THERE);
        breaker_variant_t encoded = variant_of(beginning, bomb.len);

        assert_true(bomb.len > 2 * THERE);
        for (size_t i = 0; i != sizeof(lens) / sizeof(lens[0]); ++i) {
            breaker_variant_t expected = variant_of(zeros, lens[i]);

            assert_int_equal(breaker__decodes_to(bombs[b], &encoded, &expected),
                             BREAKER_ERR_NOT_ENCODED);
        }
        guarded_free(beginning, THERE);
        free(bomb.base);
    }
    free(zeros);
}

static void a_zstd_window_that_browsers_refuse_is_refused(void **state)
{
    bytes_t text = make_text(1000);
    char encoded[4096];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    static const struct {
        int window_log;
        int expected;
    } cases[] = {{20, 0}, {23, 0}, {24, BREAKER_ERR_NOT_ENCODED}, {27, BREAKER_ERR_NOT_ENCODED}};

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        ZSTD_inBuffer in = {text.base, text.len, 0};
        ZSTD_outBuffer out = {encoded, sizeof(encoded), 0};

        ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, cases[i].window_log);
        /* the size is not known at first, so the window is written into the frame as it is */
        in.size = 1;
        assert_false(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush)));
        in.size = text.len;
        assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
        assert_int_equal(check(BREAKER_ENCODING_ZSTD, encoded, out.pos, text.base, text.len),
                         cases[i].expected);
    }
    ZSTD_freeCCtx(context);
    free(text.base);
}

static breaker_variant_t on_disk(const scratch_t *scratch, const char *path, bytes_t bytes)
{
    breaker_variant_t variant = {.len = bytes.len};
    breaker__stamp_t stamp;
    struct stat status;

    scratch_write(scratch, path, bytes.base, bytes.len);
    variant.fd = openat(scratch->fd, path, O_RDONLY | O_CLOEXEC);
    assert_true(variant.fd >= 0);
    assert_int_equal(fstat(variant.fd, &status), 0);
    breaker__stamp_from(&status, &stamp);
    assert_non_null(variant._disk = breaker__disk_create(&stamp));
    return variant;
}

static void bodies_on_disk_are_compared_in_pieces(void **state)
{
    bytes_t text = make_text(300000);
    scratch_t scratch;

    (void)state;
    scratch_create(&scratch);
    for (size_t e = 0; e != NUM_ENCODINGS; ++e) {
        bytes_t encoded = encode(encodings[e], text.base, text.len);
        breaker_variant_t x[2] = {variant_of(encoded.base, encoded.len),
                                  on_disk(&scratch, "encoded", encoded)};
        breaker_variant_t y[2] = {variant_of(text.base, text.len), on_disk(&scratch, "text", text)};

        for (size_t i = 0; i != 4; ++i)
            assert_int_equal(breaker__decodes_to(encodings[e], &x[i / 2], &y[i % 2]), 0);
        text.base[299999] ^= 1;
        assert_int_equal(breaker__decodes_to(encodings[e], &x[1], &y[0]), BREAKER_ERR_NOT_ENCODED);
        text.base[299999] ^= 1;
        scratch_text(&scratch, "encoded", "other");
        assert_int_equal(breaker__decodes_to(encodings[e], &x[1], &y[1]), BREAKER_ERR_CHANGED);
        close(x[1].fd);
        close(y[1].fd);
        breaker__disk_free(x[1]._disk);
        breaker__disk_free(y[1]._disk);
        free(encoded.base);
    }
    scratch_remove(&scratch);
    free(text.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_decodes_to_the_same_bytes),
        cmocka_unit_test(noise_survives_encoding_too),
        cmocka_unit_test(windows_stay_within_what_browsers_decode),
        cmocka_unit_test(what_does_not_fit_is_given_up),
        cmocka_unit_test(noise_does_not_become_smaller),
        cmocka_unit_test(a_stop_is_noticed),
        cmocka_unit_test(gzip_has_no_time_and_no_name_in_it),
        cmocka_unit_test(other_bytes_are_stale),
        cmocka_unit_test(a_stream_cut_off_anywhere_is_refused),
        cmocka_unit_test(bytes_after_the_stream_are_refused),
        cmocka_unit_test(what_is_no_encoding_is_refused),
        cmocka_unit_test(several_frames_of_zstd_are_one_stream),
        cmocka_unit_test(several_members_of_gzip_are_refused_by_name),
        cmocka_unit_test(a_bomb_is_refused_at_its_first_byte_too_many),
        cmocka_unit_test(a_zstd_window_that_browsers_refuse_is_refused),
        cmocka_unit_test(bodies_on_disk_are_compared_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
