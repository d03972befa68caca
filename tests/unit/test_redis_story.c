/* The story of what failed: it fits, and its end is never what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "redis/story.h"

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static unsigned count(const char *text, const char *part)
{
    unsigned num = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        ++num;
    return num;
}

static void a_short_story_is_told_whole(void **state)
{
    breaker__story_t story;

    (void)state;
    breaker__story_begin(&story);
    assert_string_equal(story.text, "");
    breaker__story_add(&story, "10.0.0.5:6379", "connection refused");
    assert_string_equal(story.text, "10.0.0.5:6379: connection refused");
    breaker__story_add(&story, "/run/s", "no such file");
    assert_string_equal(story.text, "10.0.0.5:6379: connection refused; /run/s: no such file");
    breaker__story_begin(&story);
    breaker__story_add(&story, "a:1", "b");
    assert_string_equal(story.text, "a:1: b");
}

static void of_a_long_story_the_oldest_parts_are_left_out(void **state)
{
    breaker__story_t story;
    char who[32], last[64];

    (void)state;
    breaker__story_begin(&story);
    for (unsigned i = 0; i != 500; ++i) {
        snprintf(who, sizeof(who), "10.0.%u.%u:6379", i / 250, i % 250);
        snprintf(last, sizeof(last), "%s: it did not answer in time", who);
        breaker__story_add(&story, who, "it did not answer in time");
        assert_true(strlen(story.text) < sizeof(story.text));
        assert_true(ends_with(story.text, last));
        assert_true(count(story.text, "...") <= 1);
        if (i < 20)
            assert_true(begins_with(story.text, "10.0.0.0:6379: it did not"));
    }
    /* what is left is whole parts, and as many as fit */
    assert_true(begins_with(story.text, "...; 10.0.1."));
    assert_int_equal(count(story.text, ": it did not answer in time"), count(story.text, "; "));
    assert_true(strlen(story.text) + strlen("; ") + strlen(last) >= sizeof(story.text));
}

static void every_length_of_the_newest_part_is_told_whole(void **state)
{
    (void)state;
    for (size_t len = 1; len != BREAKER__REASON_MAX; ++len) {
        char why[BREAKER__REASON_MAX], last[sizeof(why) + 16];
        breaker__story_t story;
        memset(why, 'y', len);
        why[len] = '\0';
        snprintf(last, sizeof(last), "h:1: %s", why);
        breaker__story_begin(&story);
        for (unsigned i = 0; i != 12; ++i) {
            breaker__story_add(&story, "h:1", why);
            assert_true(ends_with(story.text, last));
        }
    }
}

static void what_no_server_is_called_and_no_reason_says_is_cut(void **state)
{
    char who[2 * BREAKER__ENDPOINT_TEXT_MAX], why[2 * BREAKER__REASON_MAX];
    breaker__story_t story;

    (void)state;
    memset(who, 'o', sizeof(who) - 1);
    who[sizeof(who) - 1] = '\0';
    memset(why, 'y', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    breaker__story_begin(&story);
    breaker__story_add(&story, "h:1", "first");
    breaker__story_add(&story, who, why);
    breaker__story_add(&story, who, why);
    assert_true(begins_with(story.text, "...; ooo"));
    assert_int_equal(strlen(story.text), strlen("...; ") + BREAKER__ENDPOINT_TEXT_MAX - 1 +
                                             strlen(": ") + BREAKER__REASON_MAX - 1);
}

static void an_end_inside_a_part_only_shortens_what_is_left(void **state)
{
    char why[301];
    breaker__story_t story;

    (void)state;
    memset(why, ';', 300);
    why[300] = '\0';
    for (size_t i = 1; i < 300; i += 2)
        why[i] = ' ';
    breaker__story_begin(&story);
    for (unsigned i = 0; i != 8; ++i)
        breaker__story_add(&story, "h:1", why);
    breaker__story_add(&story, "last:1", "it decided");
    assert_true(ends_with(story.text, "; last:1: it decided"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_story_is_told_whole),
        cmocka_unit_test(of_a_long_story_the_oldest_parts_are_left_out),
        cmocka_unit_test(every_length_of_the_newest_part_is_told_whole),
        cmocka_unit_test(what_no_server_is_called_and_no_reason_says_is_cut),
        cmocka_unit_test(an_end_inside_a_part_only_shortens_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
