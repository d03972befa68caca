/*
 * Which releases are held: tables of when each was seen, and who stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <breaker/snapshot.h>
#include "holding/keep.h"

#define HOUR UINT64_C(3600000)
#define NOW (1000000 * HOUR)

/* hours since each was seen, and for each whether it stays: '+', or '-' */
typedef struct st_case_t {
    breaker__keep_t keep;
    size_t num;
    uint64_t hours[8];
    /* 'a' for each that lives */
    const char *alive, *expected;
} case_t;

static void check(const case_t *c)
{
    breaker__candidate_t candidates[BREAKER__CANDIDATES_MAX];

    for (size_t i = 0; i != c->num; ++i)
        candidates[i] = (breaker__candidate_t){.last_seen_ms = NOW - c->hours[i] * HOUR,
                                               .is_alive = c->alive[i] == 'a'};
    breaker__keep_choose(&c->keep, NOW, candidates, c->num);
    for (size_t i = 0; i != c->num; ++i)
        assert_int_equal(candidates[i].stays, c->expected[i] == '+');
}

static void the_newest_stay_and_what_is_young_and_all_that_live(void **state)
{
    static const case_t cases[] = {
        {{2, 0, 16}, 4, {3, 1, 2, 4}, "    ", "-++-"},
        {{0, 3 * HOUR, 16}, 4, {3, 1, 2, 4}, "    ", "+++-"},
        {{1, 2 * HOUR, 16}, 4, {30, 10, 20, 40}, "    ", "-+--"},
        {{0, 0, 16}, 3, {30, 10, 20}, "a a", "+-+"},
        /* who lives was seen last of all, and counts as one of the newest */
        {{2, 0, 16}, 3, {30, 10, 20}, "a  ", "++-"},
        {{5, 7 * 24 * HOUR, 16}, 0, {0}, "", ""},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        check(cases + i);
}

static void beyond_the_most_the_ones_that_were_seen_longest_ago_go(void **state)
{
    static const case_t cases[] = {
        {{5, 100 * HOUR, 2}, 4, {3, 1, 2, 4}, "    ", "-++-"},
        {{0, 100 * HOUR, 3}, 4, {3, 1, 2, 4}, "   a", "-+++"},
        /* of those that live as well, when there are too many of them */
        {{0, 0, 2}, 3, {3, 1, 2}, "aaa", "-++"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        check(cases + i);
}

static void a_moment_to_come_is_now(void **state)
{
    breaker__candidate_t candidate = {.last_seen_ms = UINT64_MAX};
    const breaker__keep_t keep = {.num_newest = 0, .age_ms = 0, .num_max = 1};

    (void)state;
    breaker__keep_choose(&keep, NOW, &candidate, 1);
    assert_true(candidate.stays);
}

static void a_moment_to_come_is_not_newer_than_now(void **state)
{
    breaker__candidate_t candidates[] = {{.last_seen_ms = NOW}, {.last_seen_ms = NOW + 1000}};
    const breaker__keep_t keep = {.num_newest = 1, .age_ms = 0, .num_max = 1};

    (void)state;
    breaker__keep_choose(&keep, NOW, candidates, 2);
    assert_true(candidates[0].stays);
    assert_false(candidates[1].stays);
}

static void as_many_as_there_may_be_are_decided_on(void **state)
{
    breaker__candidate_t candidates[BREAKER__CANDIDATES_MAX];
    const breaker__keep_t keep = {
        .num_newest = 5, .age_ms = UINT64_MAX, .num_max = BREAKER_HELD_MAX};
    size_t num = 0;

    (void)state;
    memset(candidates, 0, sizeof(candidates));
    for (size_t i = 0; i != BREAKER__CANDIDATES_MAX; ++i)
        candidates[i].last_seen_ms = i;
    breaker__keep_choose(&keep, NOW, candidates, BREAKER__CANDIDATES_MAX);
    for (size_t i = 0; i != BREAKER__CANDIDATES_MAX; ++i) {
        num += candidates[i].stays;
        assert_int_equal(candidates[i].stays, i >= BREAKER__CANDIDATES_MAX - BREAKER_HELD_MAX);
    }
    assert_int_equal(num, BREAKER_HELD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stay_and_what_is_young_and_all_that_live),
        cmocka_unit_test(beyond_the_most_the_ones_that_were_seen_longest_ago_go),
        cmocka_unit_test(a_moment_to_come_is_now),
        cmocka_unit_test(a_moment_to_come_is_not_newer_than_now),
        cmocka_unit_test(as_many_as_there_may_be_are_decided_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
