/*
 * What is too much of a client of HTTP/2: by the second, by what use explains, by header block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "guard.h"
#include "http2/calm.h"

static const breaker__calm_limits_t few = {
    .per_second = {3, 3, 3, 3}, .continuations = 3, .header_list_size = 320};

enum { BEGIN_MS = 5000, UNKNOWN = 0x42 };

static const char *count(breaker__calm_t *calm, uint64_t now_ms, uint8_t type, uint8_t flags,
                         uint32_t len)
{
    static const uint8_t payload[16384];
    const h2o_http2_frame_t frame = {
        .length = len, .type = type, .flags = flags, .stream_id = 1, .payload = payload};

    return breaker__calm_frame(calm, &few, now_ms, 0, &frame);
}

/* frames of what is counted, with a payload that says nothing */
static const struct {
    uint8_t type, flags;
    uint32_t len;
    const char *too_many;
} kinds[] = {
    {H2O_HTTP2_FRAME_TYPE_RST_STREAM, 0, 4, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_SETTINGS, 0, 0, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_PING, 0, 8, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_PRIORITY, 0, 5, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_GOAWAY, 0, 8, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE, 0, 4, "too many control frames"},
    {H2O_HTTP2_FRAME_TYPE_PING, H2O_HTTP2_FRAME_FLAG_ACK, 8, "too many frames without a meaning"},
    {H2O_HTTP2_FRAME_TYPE_DATA, 0, 0, "too many frames without a meaning"},
    {H2O_HTTP2_FRAME_TYPE_DATA, H2O_HTTP2_FRAME_FLAG_PADDED, 1,
     "too many frames without a meaning"},
    {UNKNOWN, 0, 100, "too many frames without a meaning"},
};

static void each_kind_has_its_number_a_second(void **state)
{
    (void)state;
    for (size_t i = 0; i != sizeof(kinds) / sizeof(kinds[0]); ++i) {
        breaker__calm_t calm = {0};
        for (size_t num = 0; num != 3; ++num)
            assert_null(count(&calm, BEGIN_MS + num, kinds[i].type, kinds[i].flags, kinds[i].len));
        assert_string_equal(
            count(&calm, BEGIN_MS + 999, kinds[i].type, kinds[i].flags, kinds[i].len),
            kinds[i].too_many);
    }
}

static void the_next_second_begins_anew(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (uint64_t second = 0; second != 5; ++second)
        for (size_t num = 0; num != 3; ++num)
            assert_null(
                count(&calm, BEGIN_MS + second * 1000, H2O_HTTP2_FRAME_TYPE_RST_STREAM, 0, 4));
    assert_non_null(count(&calm, BEGIN_MS + 4999, H2O_HTTP2_FRAME_TYPE_RST_STREAM, 0, 4));
}

static void no_limit_is_none(void **state)
{
    const breaker__calm_limits_t none = {{0}, 0, 0};
    const h2o_http2_frame_t reset = {.length = 4, .type = H2O_HTTP2_FRAME_TYPE_RST_STREAM};
    const h2o_http2_frame_t more = {.length = 9000, .type = H2O_HTTP2_FRAME_TYPE_CONTINUATION};
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 100000; ++num) {
        assert_null(breaker__calm_frame(&calm, &none, BEGIN_MS, 0, &reset));
        assert_null(breaker__calm_frame(&calm, &none, BEGIN_MS, 0, &more));
    }
}

static void bodies_and_requests_are_not_counted(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 10000; ++num) {
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS,
                          H2O_HTTP2_FRAME_FLAG_END_STREAM | H2O_HTTP2_FRAME_FLAG_END_HEADERS, 9));
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_DATA, 0, 1));
        /* the end of a body is often a frame of its own */
        assert_null(
            count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_DATA, H2O_HTTP2_FRAME_FLAG_END_STREAM, 0));
    }
}

static void settings_are_acknowledged_twice_after_an_upgrade(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 5; ++num)
        assert_null(
            count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_SETTINGS, H2O_HTTP2_FRAME_FLAG_ACK, 0));
    assert_non_null(
        count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_SETTINGS, H2O_HTTP2_FRAME_FLAG_ACK, 0));
}

static void updates_of_windows_are_explained_by_what_was_written(void **state)
{
    const h2o_http2_frame_t update = {.length = 4, .type = H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE};
    breaker__calm_t calm = {0};
    size_t written = 1 << 20;

    (void)state;
    /* the first second begins with what had been written before, which explains nothing */
    assert_null(breaker__calm_frame(&calm, &few, BEGIN_MS, written, &update));
    for (size_t num = 0; num != 10000; ++num)
        assert_null(breaker__calm_frame(&calm, &few, BEGIN_MS, written += 256, &update));
    for (size_t num = 0; num != 2; ++num)
        assert_null(breaker__calm_frame(&calm, &few, BEGIN_MS, written, &update));
    assert_non_null(breaker__calm_frame(&calm, &few, BEGIN_MS, written, &update));
}

static void updates_and_unknown_frames_are_explained_by_requests(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 1000; ++num) {
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS, 5, 9));
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE, 0, 4));
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE, 0, 4));
        assert_null(count(&calm, BEGIN_MS, UNKNOWN, 0, 4));
    }
}

static void resets_of_open_streams_are_counted(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 3; ++num)
        assert_null(breaker__calm_reset(&calm, &few));
    assert_string_equal(breaker__calm_reset(&calm, &few), "too many resets");
}

static void resets_after_the_answer_are_explained_by_requests(void **state)
{
    const h2o_http2_frame_t reset = {.length = 4, .type = H2O_HTTP2_FRAME_TYPE_RST_STREAM};
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 1000; ++num)
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS, 5, 9));
    for (size_t num = 0; num != 1003; ++num)
        assert_null(breaker__calm_frame(&calm, &few, BEGIN_MS, 0, &reset));
    assert_string_equal(breaker__calm_frame(&calm, &few, BEGIN_MS, 0, &reset),
                        "too many control frames");
}

static void errors_are_counted_but_for_bodies_under_way(void **state)
{
    const h2o_http2_frame_t piece = {.length = 1024, .type = H2O_HTTP2_FRAME_TYPE_DATA};
    const h2o_http2_frame_t crumb = {.length = 1, .type = H2O_HTTP2_FRAME_TYPE_DATA};
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t num = 0; num != 1000; ++num)
        assert_null(breaker__calm_error(&calm, &few, &piece));
    for (size_t num = 0; num != 3; ++num)
        assert_null(breaker__calm_error(&calm, &few, &crumb));
    assert_string_equal(breaker__calm_error(&calm, &few, &crumb), "too many errors of streams");
}

static void a_header_block_has_its_frames_and_its_bytes(void **state)
{
    breaker__calm_t calm = {0};

    (void)state;
    for (size_t block = 0; block != 2; ++block) {
        assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS, 0, 1));
        for (size_t num = 0; num != 3; ++num)
            assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_CONTINUATION, 0, 0));
    }
    assert_string_equal(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_CONTINUATION, 0, 0),
                        "too many CONTINUATION frames");
    assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS, 0, 160));
    assert_null(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_CONTINUATION, 0, 160));
    assert_string_equal(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_CONTINUATION, 0, 1),
                        "too long a header block");
    assert_string_equal(count(&calm, BEGIN_MS, H2O_HTTP2_FRAME_TYPE_HEADERS, 0, 321),
                        "too long a header block");
}

/* at a guard page, with limits of ten fields */
static bool is_too_much(const char *bytes, size_t len)
{
    char *block = guarded_copy(bytes, len);
    const char *too_much = breaker__calm_block(&few, (const uint8_t *)block, len);

    guarded_free(block, len);
    return too_much != NULL;
}

static void fields_are_counted_before_they_are_made(void **state)
{
    /* an index; a literal with each kind of name, indexed or not; a change of the table's size */
    static const struct {
        const char *bytes;
        size_t len;
    } fields[] = {{"\x82", 1},      {"\xff\x80\x01", 3},   {"\x44\x01/", 3},
                  {"\x04\x01/", 3}, {"\x10\x01n\x01v", 5}, {"\x40\x00\x00", 3},
                  {"\x20", 1},      {"\x3f\xe1\x1f", 3}};
    char block[64];

    (void)state;
    for (size_t i = 0; i != sizeof(fields) / sizeof(fields[0]); ++i) {
        size_t len = fields[i].len;
        for (size_t num = 0; num != 11; ++num)
            memcpy(block + num * len, fields[i].bytes, len);
        assert_false(is_too_much(block, 10 * len));
        assert_true(is_too_much(block, 11 * len));
    }
}

static void what_is_malformed_is_left_to_the_decoder(void **state)
{
    static const char *const blocks[] = {"\x40\x7f", "\xff\xff\xff\xff\xff\xff\xff",
                                         "\x40\x7f\xff\xff\xff\xff\x7f", "\x00", "\x44"};
    char block[64];

    (void)state;
    memset(block, 0x82, 10);
    for (size_t i = 0; i != sizeof(blocks) / sizeof(blocks[0]); ++i) {
        size_t len = strlen(blocks[i]) + (blocks[i][0] == '\0');
        memcpy(block + 10, blocks[i], len);
        for (size_t cut = 0; cut <= len; ++cut)
            assert_false(is_too_much(block, 10 + cut));
    }
}

static void fields_are_weighed_when_they_are_made(void **state)
{
    h2o_iovec_t name = {(char[]){"name"}, 4};
    h2o_header_t entries[10] = {{NULL}};
    h2o_headers_t headers = {entries, 0, 10};

    (void)state;
    for (size_t i = 0; i != 10; ++i)
        entries[i].name = &name;
    assert_null(breaker__calm_fields(&few, &headers));
    headers.size = 8;
    assert_null(breaker__calm_fields(&few, &headers));
    entries[7].value.len = 32;
    assert_null(breaker__calm_fields(&few, &headers));
    entries[7].value.len = 33;
    assert_string_equal(breaker__calm_fields(&few, &headers), "too large a list of fields");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_number_a_second),
        cmocka_unit_test(the_next_second_begins_anew),
        cmocka_unit_test(no_limit_is_none),
        cmocka_unit_test(bodies_and_requests_are_not_counted),
        cmocka_unit_test(settings_are_acknowledged_twice_after_an_upgrade),
        cmocka_unit_test(updates_of_windows_are_explained_by_what_was_written),
        cmocka_unit_test(updates_and_unknown_frames_are_explained_by_requests),
        cmocka_unit_test(resets_of_open_streams_are_counted),
        cmocka_unit_test(resets_after_the_answer_are_explained_by_requests),
        cmocka_unit_test(errors_are_counted_but_for_bodies_under_way),
        cmocka_unit_test(a_header_block_has_its_frames_and_its_bytes),
        cmocka_unit_test(fields_are_counted_before_they_are_made),
        cmocka_unit_test(what_is_malformed_is_left_to_the_decoder),
        cmocka_unit_test(fields_are_weighed_when_they_are_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
