/*
 * The pace of one node among many: how often it polls, how long it waits before it comes back, and
 * when it may hurry, by what the answers tell of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "agreement_bench.h"
#include "cluster/agreement.h"
#include "cluster/fleet.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void the_formulas_are_those_of_the_script(void **state)
{
    static const struct {
        uint32_t num;
        uint64_t interval_ms, wanted_ms, first_ms, cap_ms;
        bool is_small;
    } cases[] = {
        {0, 1000, 1000, 100, 1500, true},
        {1, 1000, 1000, 100, 1500, true},
        {100, 1000, 1000, 200, 1500, true},
        {101, 1000, 1000, 202, 1500, false},
        {1000, 1000, 1000, 2000, 5000, false},
        {2000, 1000, 1000, 4000, 10000, false},
        {3000, 1500, 1500, 6000, 15000, false},
        {10000, 5000, 5000, 20000, 30000, false},
        {100000, 50000, 50000, 30000, 30000, false},
        {UINT32_MAX, 50000, 50000, 30000, 30000, false},
    };
    breaker_agreement_config_t config;

    (void)state;
    breaker__agreement_config_init(&config);
    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker__fleet_t fleet = {.num = 0};
        breaker__fleet_take(&fleet, cases[i].num, 0);
        assert_int_equal(breaker__fleet_interval_ms(&fleet, 1000), cases[i].interval_ms);
        assert_int_equal(breaker__fleet_wanted_ms(&fleet), cases[i].wanted_ms);
        assert_int_equal(breaker__fleet_first_ms(&fleet, &config), cases[i].first_ms);
        assert_int_equal(breaker__fleet_cap_ms(&fleet, &config), cases[i].cap_ms);
        assert_int_equal(breaker__fleet_is_small(&fleet), cases[i].is_small);
    }
    /* what the operator says is never less than that */
    config.backoff_max_ms = 40000;
    config.backoff_min_ms = 35000;
    assert_int_equal(breaker__fleet_cap_ms(&(breaker__fleet_t){.num = 10000}, &config), 40000);
    assert_int_equal(breaker__fleet_first_ms(&(breaker__fleet_t){.num = 10000}, &config), 35000);
    assert_int_equal(breaker__fleet_interval_ms(&(breaker__fleet_t){.num = 3000}, 60000), 60000);
}

static void a_larger_fleet_is_believed_at_once_and_a_smaller_one_by_and_by(void **state)
{
    breaker__fleet_t fleet = {.num = 0};

    (void)state;
    breaker__fleet_take(&fleet, 10000, 5000);
    assert_int_equal(fleet.num, 10000);
    breaker__fleet_take(&fleet, 3, 1000);
    assert_int_equal(fleet.num, 8750);
    assert_int_equal(breaker__fleet_interval_ms(&fleet, 1000), 4375);
    breaker__fleet_take(&fleet, 8700, 4350);
    assert_int_equal(fleet.num, 8700);
    breaker__fleet_take(&fleet, 9000, 4500);
    assert_int_equal(fleet.num, 9000);
    for (int i = 0; i != 80; ++i)
        breaker__fleet_take(&fleet, 3, 1000);
    assert_int_equal(fleet.num, 3);
    breaker__fleet_take(&fleet, 0, 0);
    breaker__fleet_take(&fleet, 0, 0);
    breaker__fleet_take(&fleet, 0, 0);
    assert_int_equal(fleet.num, 0);
}

/* synced, with what the answers tell of the fleet; hurry is over */
static void begin_in_fleet(bench_t *bench, uint32_t num, uint32_t interval_ms)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");

    bench->fleet.fleet = num;
    bench->fleet.interval_ms = interval_ms;
    begin(bench, &there, 1);
    up(bench);
    answer(bench, 'a', &there, 1);
    let_hurry_pass(bench, 'a');
}

static void polls_are_as_far_apart_as_the_script_says(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin_in_fleet(&bench, 10000, 5000);
    wake(&bench);
    answer_unchanged(&bench, 'a');
    for (int i = 0; i != 1000; ++i) {
        uint64_t sent = bench.now.mono_ms, gap;
        wake(&bench);
        assert_true(bench.last.poll);
        gap = bench.now.mono_ms - sent;
        least = gap < least ? gap : least;
        most = gap > most ? gap : most;
        answer_unchanged(&bench, 'a');
        check_state(&bench, BREAKER__AGREEMENT_SYNCED);
    }
    assert_in_range(least, 5000, 5050);
    assert_in_range(most, 5950, 6000);
    end(&bench);
}

/* Redis may be anybody's by now, or damaged: what it tells is a number and no more */
static void no_answer_keeps_a_node_from_polling_for_longer_than_a_minute(void **state)
{
    static const struct {
        uint32_t fleet, interval_ms;
    } cases[] = {{0, 0}, {0, UINT32_MAX}, {UINT32_MAX, 0}, {UINT32_MAX, UINT32_MAX}};

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        for (uint64_t seed = 0; seed != 100; ++seed) {
            uint64_t sent;
            bench_t bench;
            bench_init(&bench);
            bench.config.seed = seed;
            bench.config.poll_ms = BREAKER_POLL_MIN_MS;
            begin_in_fleet(&bench, cases[i].fleet, cases[i].interval_ms);
            while (!bench.last.poll)
                wake(&bench);
            answer_unchanged(&bench, 'a');
            for (sent = bench.now.mono_ms; !bench.last.poll;)
                wake(&bench);
            assert_in_range(bench.now.mono_ms - sent, BREAKER_POLL_MIN_MS, 60000);
            for (sent = bench.now.mono_ms, down(&bench); !bench.last.dial;)
                wake(&bench);
            assert_in_range(bench.now.mono_ms - sent, 1, 30000);
            end(&bench);
        }
    }
}

static void a_shorter_interval_counts_at_once(void **state)
{
    uint64_t sent;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin_in_fleet(&bench, 0, 50000);
    while (!bench.last.poll)
        wake(&bench);
    sent = bench.now.mono_ms;
    bench.fleet.interval_ms = 1000;
    answer_unchanged(&bench, 'a');
    while (!bench.last.poll) {
        wake(&bench);
        check_state(&bench, BREAKER__AGREEMENT_SYNCED);
    }
    assert_in_range(bench.now.mono_ms - sent, 1000, 1200);
    end(&bench);
}

static void stale_is_a_silence_of_three_polls_as_they_are_now(void **state)
{
    uint64_t heard;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin_in_fleet(&bench, 10000, 5000);
    wake(&bench);
    assert_true(bench.last.poll);
    answer_unchanged(&bench, 'a');
    heard = bench.now.mono_ms;
    wake(&bench);
    assert_true(bench.last.poll);
    wake(&bench);
    assert_int_equal(bench.now.mono_ms, heard + 15000);
    check_state(&bench, BREAKER__AGREEMENT_STALE);
    end(&bench);
}

/* the longest and the shortest first wait of many nodes, after a connection was lost at rest */
static void measure_first_wait(uint32_t fleet, uint64_t *ret_least, uint64_t *ret_most)
{
    bench_t bench;

    *ret_least = UINT64_MAX, *ret_most = 0;
    for (uint64_t seed = 0; seed != 300; ++seed) {
        uint64_t wait_ms;
        bench_init(&bench);
        bench.config.seed = seed;
        begin_in_fleet(&bench, fleet, 0);
        pass(&bench, 10);
        down(&bench);
        wait_ms = bench.last.wake_ms - bench.now.mono_ms;
        *ret_least = wait_ms < *ret_least ? wait_ms : *ret_least;
        *ret_most = wait_ms > *ret_most ? wait_ms : *ret_most;
        end(&bench);
    }
}

static void a_fleet_that_lost_its_server_comes_back_spread_over_its_size(void **state)
{
    uint64_t least, most;

    (void)state;
    measure_first_wait(3, &least, &most);
    assert_in_range(most, 90, 100);
    measure_first_wait(1000, &least, &most);
    assert_in_range(least, 1, 50);
    assert_in_range(most, 1900, 2000);
    measure_first_wait(10000, &least, &most);
    assert_in_range(least, 1, 500);
    assert_in_range(most, 19000, 20000);
}

static void the_wait_of_a_fleet_grows_to_half_a_minute(void **state)
{
    static const uint64_t ceilings[] = {2000, 4000, 5000, 5000, 5000};
    uint64_t most[COUNT(ceilings)] = {0};
    bench_t bench;

    (void)state;
    for (uint64_t seed = 0; seed != 200; ++seed) {
        bench_init(&bench);
        bench.config.seed = seed;
        begin_in_fleet(&bench, 1000, 1000);
        for (size_t i = 0; i != COUNT(ceilings); ++i) {
            uint64_t wait_ms;
            down(&bench);
            wait_ms = bench.last.wake_ms - bench.now.mono_ms;
            most[i] = wait_ms > most[i] ? wait_ms : most[i];
            while (!bench.last.dial)
                wake(&bench);
        }
        end(&bench);
    }
    for (size_t i = 0; i != COUNT(ceilings); ++i)
        assert_in_range(most[i], ceilings[i] * 9 / 10, ceilings[i]);
}

/* from one poll to the next after a connection was made */
static uint64_t gap_after_connection(uint32_t fleet, uint64_t answered_after_ms)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;
    uint64_t sent;

    bench_init(&bench);
    bench.fleet.fleet = fleet;
    begin(&bench, &there, 1);
    up(&bench);
    sent = bench.now.mono_ms;
    pass(&bench, answered_after_ms);
    answer(&bench, 'a', &there, 1);
    while (!bench.last.poll)
        wake(&bench);
    end(&bench);
    return bench.now.mono_ms - sent;
}

static void only_few_nodes_of_a_quick_server_hurry(void **state)
{
    (void)state;
    assert_in_range(gap_after_connection(0, 0), 250, 300);
    assert_in_range(gap_after_connection(100, 49), 250, 300);
    assert_in_range(gap_after_connection(100, 50), 1000, 1200);
    assert_in_range(gap_after_connection(101, 0), 1000, 1200);
}

/* in case that Redis has forgotten it */
static void a_poll_tells_the_fleet_as_the_node_remembers_it(void **state)
{
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin_in_fleet(&bench, 10000, 5000);
    bench.fleet.fleet = 1;
    down(&bench);
    while (!bench.last.dial)
        wake(&bench);
    up(&bench);
    assert_int_equal(poll_of(&bench).fleet, 10000);
    answer_unchanged(&bench, 'a');
    end(&bench);
}

static void what_requests_want_is_asked_for_within_a_bound_for_the_fleet(void **state)
{
    static const struct {
        uint32_t fleet;
        uint64_t wanted_ms;
    } cases[] = {{3, 1000}, {2000, 1000}, {10000, 5000}};

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i) {
        uint64_t first;
        bench_t bench;
        bench_init(&bench);
        bench.config.poll_ms = 60000;
        bench.config.dead_after_ms = 0;
        begin_in_fleet(&bench, cases[i].fleet, 60000);
        pass(&bench, 10);
        wanted(&bench);
        assert_true(bench.last.poll);
        first = bench.now.mono_ms;
        pass(&bench, 10);
        answer_unchanged(&bench, 'a');
        wanted(&bench);
        assert_false(bench.last.poll);
        assert_int_equal(bench.last.wake_ms, first + cases[i].wanted_ms);
        end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formulas_are_those_of_the_script),
        cmocka_unit_test(a_larger_fleet_is_believed_at_once_and_a_smaller_one_by_and_by),
        cmocka_unit_test(polls_are_as_far_apart_as_the_script_says),
        cmocka_unit_test(no_answer_keeps_a_node_from_polling_for_longer_than_a_minute),
        cmocka_unit_test(a_shorter_interval_counts_at_once),
        cmocka_unit_test(stale_is_a_silence_of_three_polls_as_they_are_now),
        cmocka_unit_test(a_fleet_that_lost_its_server_comes_back_spread_over_its_size),
        cmocka_unit_test(the_wait_of_a_fleet_grows_to_half_a_minute),
        cmocka_unit_test(only_few_nodes_of_a_quick_server_hurry),
        cmocka_unit_test(a_poll_tells_the_fleet_as_the_node_remembers_it),
        cmocka_unit_test(what_requests_want_is_asked_for_within_a_bound_for_the_fleet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
