/* Events: how often they are said, and what their lines look like, of text and of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "guard.h"
#include "log/log.h"

#define HEAD_TEXT "1970-01-01T00:00:00.005Z warning breaker: cluster app=shop trouble=x"
#define HEAD_JSON                                                                                  \
    "{\"time\":\"1970-01-01T00:00:00.005Z\",\"level\":\"warning\",\"component\":\"cluster\","      \
    "\"app\":\"shop\",\"event\":\"x\""

/* ---- how often ---- */

static void on_log(void *data, const breaker_log_event_t *event)
{
    assert_string_equal(event->component, "cluster");
    assert_string_equal(event->app, "shop");
    ++*(size_t *)data;
}

static breaker__log_t make_log(size_t *num)
{
    return (breaker__log_t){.component = "cluster", .app = "shop", .data = num, .on_log = on_log};
}

/* both clocks at once: 1970, and so many ms after its begin */
static breaker__moment_t at(uint64_t ms)
{
    return (breaker__moment_t){ms, ms};
}

static bool say(breaker__log_t *log, uint64_t now_ms, breaker_log_level_t level, const char *name,
                breaker_log_field_t field)
{
    return breaker__log(log, at(now_ms), level, BREAKER_LOG_TROUBLE, name, field);
}

static void the_same_trouble_is_said_once_a_minute(void **state)
{
    size_t num = 0;
    breaker__log_t log = make_log(&num);
    (void)state;

    for (uint64_t now_ms = 5; now_ms < 5 + 10 * BREAKER__LOG_EVERY_MS; now_ms += 100)
        say(&log, now_ms, BREAKER_LOG_WARNING, "x", breaker_log_number("n", 1));
    assert_int_equal(num, 10);
    for (uint64_t now_ms = 5; now_ms < 5 + BREAKER__LOG_EVERY_MS; now_ms += 100)
        say(&log, now_ms, BREAKER_LOG_ERROR, "y", breaker_log_text("reason", "z"));
    assert_int_equal(num, 11);
}

static void what_happened_earlier_may_be_said_later(void **state)
{
    const breaker_log_field_t field = breaker_log_number("n", 1);
    size_t num = 0;
    breaker__log_t log = make_log(&num);
    (void)state;

    assert_true(say(&log, 6, BREAKER_LOG_WARNING, "x", field));
    assert_true(say(&log, 5, BREAKER_LOG_WARNING, "y", field));
    assert_false(say(&log, 5, BREAKER_LOG_WARNING, "x", field));
    assert_false(say(&log, 5 + BREAKER__LOG_EVERY_MS, BREAKER_LOG_WARNING, "y", field));
    assert_true(say(&log, 6 + BREAKER__LOG_EVERY_MS, BREAKER_LOG_WARNING, "y", field));
}

static void moments_make_no_other_trouble_and_values_do(void **state)
{
    size_t num = 0;
    breaker__log_t log = make_log(&num);
    (void)state;

    for (uint64_t i = 0; i != 10; ++i)
        say(&log, 5, BREAKER_LOG_WARNING, "stale", breaker_log_time("since", i));
    assert_int_equal(num, 1);
    say(&log, 5, BREAKER_LOG_WARNING, "local", breaker_log_time("since", 0));
    say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_word("redis", NULL));
    say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_word("redis", ""));
    say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_flag("own", true));
    say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_flag("own", false));
    say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_span("own", 5));
    assert_int_equal(num, 7);
}

static void other_trouble_and_good_news_are_not_held_back(void **state)
{
    size_t num = 0;
    breaker__log_t log = make_log(&num);
    (void)state;

    for (uint64_t i = 0; i != 100; ++i) {
        assert_true(say(&log, 5, BREAKER_LOG_WARNING, "x", breaker_log_number("n", i)));
        assert_true(say(&log, 5, BREAKER_LOG_INFO, "y", breaker_log_number("n", 1)));
    }
    assert_int_equal(num, 200);
    log.on_log = NULL;
    assert_false(say(&log, 5, BREAKER_LOG_INFO, "y", breaker_log_number("n", 1)));
}

/* ---- lines ---- */

static breaker_log_event_t make_event(const breaker_log_field_t *fields, size_t num)
{
    return (breaker_log_event_t){.level = BREAKER_LOG_WARNING,
                                 .time_ms = 5,
                                 .component = "cluster",
                                 .app = "shop",
                                 .kind = BREAKER_LOG_TROUBLE,
                                 .name = "x",
                                 .fields = fields,
                                 .num_fields = num};
}

static void assert_lines(const breaker_log_field_t *field, const char *text, const char *json)
{
    const breaker_log_event_t event = make_event(field, 1);
    char line[BREAKER_LOG_LINE_SIZE];
    size_t len = breaker_log_print_text(&event, line);

    assert_int_equal(len, strlen(line));
    assert_memory_equal(line, HEAD_TEXT " k=", sizeof(HEAD_TEXT " k=") - 1);
    assert_string_equal(line + sizeof(HEAD_TEXT " k=") - 1, text);
    len = breaker_log_print_json(&event, line);
    assert_int_equal(len, strlen(line));
    assert_memory_equal(line, HEAD_JSON ",\"k\":", sizeof(HEAD_JSON ",\"k\":") - 1);
    assert_int_equal(line[len - 1], '}');
    line[len - 1] = '\0';
    assert_string_equal(line + sizeof(HEAD_JSON ",\"k\":") - 1, json);
}

static void a_value_is_written_by_what_it_is(void **state)
{
    const struct {
        breaker_log_field_t field;
        const char *text, *json;
    } cases[] = {
        {breaker_log_word("k", NULL), "-", "null"},
        {breaker_log_word("k", "-"), "\"-\"", "\"-\""},
        {breaker_log_word("k", ""), "\"\"", "\"\""},
        {breaker_log_text("k", NULL), "-", "null"},
        {breaker_log_number("k", 0), "0", "0"},
        {breaker_log_number("k", UINT64_MAX), "18446744073709551615", "18446744073709551615"},
        {breaker_log_span("k", 0), "0.0s", "0.0"},
        {breaker_log_span("k", 43200), "43.2s", "43.2"},
        {breaker_log_span("k", 12), "0.012s", "0.012"},
        {breaker_log_span("k", 10000), "10.0s", "10.0"},
        {breaker_log_span("k", UINT64_MAX), "18446744073709551.615s", "18446744073709551.615"},
        {breaker_log_flag("k", true), "yes", "true"},
        {breaker_log_flag("k", false), "no", "false"},
        {breaker_log_time("k", 1764163483123), "2025-11-26T13:24:43.123Z",
         "\"2025-11-26T13:24:43.123Z\""},
        {breaker_log_time("k", 253402300800000), "10000-01-01T00:00:00.000Z",
         "\"10000-01-01T00:00:00.000Z\""},
    };
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        assert_lines(&cases[i].field, cases[i].text, cases[i].json);
}

static void a_text_is_quoted_and_escaped_where_it_must_be(void **state)
{
    static const struct {
        const char *value, *word, *text, *json;
    } cases[] = {
        {"h:1", "h:1", "\"h:1\"", "\"h:1\""},
        {"a b", "\"a b\"", "\"a b\"", "\"a b\""},
        {"a=b", "\"a=b\"", "\"a=b\"", "\"a=b\""},
        {"say \"x\\\"", "\"say \\\"x\\\\\\\"\"", "\"say \\\"x\\\\\\\"\"", "\"say \\\"x\\\\\\\"\""},
        {"a\nb\tc\x1b[m", "a?b?c?[m", "\"a?b?c?[m\"", "\"a\\u000ab\\u0009c\\u001b[m\""},
        {"\x7f\xc2\x9b!\xc2\xa0",
         "?"
         "?!\xc2\xa0",
         "\"?"
         "?!\xc2\xa0\"",
         "\"\\u007f\\u009b!\xc2\xa0\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
         "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        /* alone, too long, half of a pair, beyond Unicode, none at all, cut short */
        {"\x80", "?", "\"?\"", "\"\\ufffd\""},
        {"\xc0\xaf", "??", "\"??\"", "\"\\ufffd\\ufffd\""},
        {"\xe0\x80\xaf", "???", "\"???\"", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", "???", "\"???\"", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xf4\x90\x80\x80", "????", "\"????\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
        {"\xff", "?", "\"?\"", "\"\\ufffd\""},
        {"\xe2\x82", "??", "\"??\"", "\"\\ufffd\\ufffd\""},
        {"\xe2(", "?(", "\"?(\"", "\"\\ufffd(\""},
    };
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        /* whoever reads beyond the end meets the guard */
        size_t size = strlen(cases[i].value) + 1;
        char *value = guarded_copy(cases[i].value, size);
        const breaker_log_field_t word = breaker_log_word("k", value);
        const breaker_log_field_t text = breaker_log_text("k", value);

        assert_lines(&word, cases[i].word, cases[i].json);
        assert_lines(&text, cases[i].text, cases[i].json);
        guarded_free(value, size);
    }
}

static void a_line_that_is_cut_is_whole(void **state)
{
    static char value[2 * BREAKER_LOG_LINE_SIZE];
    (void)state;

    /* one byte each, a character of more, and escapes */
    for (size_t len = BREAKER_LOG_LINE_SIZE - 256; len != BREAKER_LOG_LINE_SIZE + 16; ++len)
        for (const char *unit = "x\xa4\"\n"; *unit != '\0'; ++unit) {
            const breaker_log_field_t fields[] = {
                breaker_log_text("k", value), breaker_log_number("n", 1234567890),
                breaker_log_word("w", "word"), breaker_log_flag("f", true)};
            const breaker_log_event_t event = make_event(fields, 4);
            char line[BREAKER_LOG_LINE_SIZE];
            size_t text_len, json_len;

            memset(value, *unit, len);
            for (size_t i = 0; *unit == '\xa4' && i < len; i += 2)
                value[i] = '\xc3';
            value[len] = '\0';
            text_len = breaker_log_print_text(&event, line);
            assert_true(text_len < sizeof(line));
            assert_int_equal(strlen(line), text_len);
            assert_true(strstr(line, "f=yes") != NULL || strstr(line, "\" ") != NULL ||
                        line[text_len - 1] == '"');
            json_len = breaker_log_print_json(&event, line);
            assert_true(json_len < sizeof(line));
            assert_int_equal(strlen(line), json_len);
            assert_int_equal(line[json_len - 1], '}');
            assert_true(strncmp(line, HEAD_JSON, sizeof(HEAD_JSON) - 1) == 0);
        }
}

static void an_event_without_an_application_or_fields_has_neither(void **state)
{
    breaker_log_event_t event = make_event(NULL, 0);
    char line[BREAKER_LOG_LINE_SIZE];
    (void)state;

    event.app = NULL;
    event.level = BREAKER_LOG_ERROR;
    event.kind = BREAKER_LOG_STATE;
    breaker_log_print_text(&event, line);
    assert_string_equal(line, "1970-01-01T00:00:00.005Z error breaker: cluster state=x");
    event.level = BREAKER_LOG_INFO;
    event.kind = BREAKER_LOG_EVENT;
    breaker_log_print_text(&event, line);
    assert_string_equal(line, "1970-01-01T00:00:00.005Z info breaker: cluster event=x");
    breaker_log_print_json(&event, line);
    assert_string_equal(line, "{\"time\":\"1970-01-01T00:00:00.005Z\",\"level\":\"info\","
                              "\"component\":\"cluster\",\"event\":\"x\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_trouble_is_said_once_a_minute),
        cmocka_unit_test(what_happened_earlier_may_be_said_later),
        cmocka_unit_test(moments_make_no_other_trouble_and_values_do),
        cmocka_unit_test(other_trouble_and_good_news_are_not_held_back),
        cmocka_unit_test(a_value_is_written_by_what_it_is),
        cmocka_unit_test(a_text_is_quoted_and_escaped_where_it_must_be),
        cmocka_unit_test(a_line_that_is_cut_is_whole),
        cmocka_unit_test(an_event_without_an_application_or_fields_has_neither),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
