/* What a cluster says: not too often, and in one line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "cluster/log.h"

typedef struct st_heard_t {
    size_t num;
    char last[2048];
} heard_t;

static void on_log(void *data, breaker_log_level_t level, const char *line)
{
    heard_t *heard = data;
    (void)level;

    ++heard->num;
    strcpy(heard->last, line);
}

static void the_same_trouble_is_said_once_a_minute(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (uint64_t now_ms = 5; now_ms < 5 + 10 * BREAKER__LOG_EVERY_MS; now_ms += 100)
        breaker__log(&log, now_ms, BREAKER_LOG_WARNING, "trouble %d", 1);
    assert_int_equal(heard.num, 10);
}

static void other_trouble_and_good_news_are_not_held_back(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, 5, BREAKER_LOG_WARNING, "trouble %d", i));
    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, 5, BREAKER_LOG_INFO, "well again"));
    assert_int_equal(heard.num, 200);
    log.on_log = NULL;
    assert_false(breaker__log(&log, 5, BREAKER_LOG_INFO, "nobody listens"));
}

static void a_line_is_one_line_however_long_its_cause(void **state)
{
    char cause[4096];
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    memset(cause, 'x', sizeof(cause));
    cause[sizeof(cause) - 1] = '\0';
    cause[3] = '\n';
    cause[4] = '\x1b';
    breaker__log(&log, 5, BREAKER_LOG_WARNING, "%s", cause);
    assert_memory_equal(heard.last, "xxx??xxx", 8);
    assert_int_equal(strlen(heard.last), BREAKER__LOG_LINE_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_trouble_is_said_once_a_minute),
        cmocka_unit_test(other_trouble_and_good_news_are_not_held_back),
        cmocka_unit_test(a_line_is_one_line_however_long_its_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
