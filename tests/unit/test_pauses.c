/*
 * When files that came to nothing may be fetched again: each pauses by itself, ever longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "holding/pauses.h"

enum { NOW_MS = 1000 };

static breaker__pauses_t pauses;

static int setup(void **state)
{
    (void)state;
    memset(&pauses, 0, sizeof(pauses));
    return 0;
}

/* of a file; valid until the next one */
static const uint8_t *digest_of(unsigned number)
{
    static uint8_t digest[BREAKER_DIGEST_LEN];

    memcpy(digest, &number, sizeof(number));
    return digest;
}

static bool is_over(unsigned number, uint64_t now_ms)
{
    return breaker__pauses_is_over(&pauses, digest_of(number), now_ms);
}

static void give_up(unsigned number, uint64_t now_ms)
{
    breaker__pauses_begin(&pauses, digest_of(number), now_ms);
}

static void each_pause_is_twice_as_long_up_to_a_limit(void **state)
{
    uint64_t now_ms = NOW_MS, pause_ms = BREAKER__PAUSE_MIN_MS;
    (void)state;

    assert_true(is_over(1, 0));
    for (int i = 0; i != BREAKER__PAUSE_DOUBLINGS + 3; ++i) {
        give_up(1, now_ms);
        assert_false(is_over(1, now_ms + pause_ms - 1));
        assert_true(is_over(1, now_ms += pause_ms));
        if (i < BREAKER__PAUSE_DOUBLINGS)
            pause_ms *= 2;
    }
    assert_int_equal(pause_ms, 51200);
    assert_int_equal(pauses.num, 1);
}

static void one_that_came_to_nothing_holds_up_no_other(void **state)
{
    (void)state;
    give_up(1, NOW_MS);
    assert_false(is_over(1, NOW_MS));
    assert_true(is_over(2, NOW_MS));
}

static void what_was_fetched_pauses_for_a_short_time_again(void **state)
{
    (void)state;
    give_up(1, NOW_MS);
    give_up(1, NOW_MS);
    breaker__pauses_forget(&pauses, digest_of(1));
    breaker__pauses_forget(&pauses, digest_of(2));
    assert_true(is_over(1, NOW_MS));
    give_up(1, NOW_MS);
    assert_true(is_over(1, NOW_MS + BREAKER__PAUSE_MIN_MS));
}

static void other_peers_are_asked_at_once_and_no_oftener_for_it(void **state)
{
    (void)state;
    give_up(1, NOW_MS);
    breaker__pauses_end(&pauses);
    assert_true(is_over(1, NOW_MS));
    give_up(1, NOW_MS);
    assert_false(is_over(1, NOW_MS + BREAKER__PAUSE_MIN_MS));
}

static void of_too_many_the_one_that_waits_the_least_is_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 0; i != BREAKER__PAUSES_MAX; ++i)
        give_up(i, i == 5 ? NOW_MS : NOW_MS + 50);
    give_up(BREAKER__PAUSES_MAX, NOW_MS);
    assert_int_equal(pauses.num, BREAKER__PAUSES_MAX);
    for (unsigned i = 0; i != BREAKER__PAUSES_MAX + 1; ++i)
        assert_int_equal(is_over(i, NOW_MS), i == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_pause_is_twice_as_long_up_to_a_limit, setup),
        cmocka_unit_test_setup(one_that_came_to_nothing_holds_up_no_other, setup),
        cmocka_unit_test_setup(what_was_fetched_pauses_for_a_short_time_again, setup),
        cmocka_unit_test_setup(other_peers_are_asked_at_once_and_no_oftener_for_it, setup),
        cmocka_unit_test_setup(of_too_many_the_one_that_waits_the_least_is_forgotten, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
