/*
 * The agreement of one node: what it does in each state, by events with times that the tests
 * choose. How several of them agree stands in tests/property.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/error.h>
#include "agreement_bench.h"
#include "cluster/agreement.h"
#include "cluster/ledger.h"

static void a_new_node_dials_polls_and_adopts_its_releases_token(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine")};
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    check_state(&bench, BREAKER__AGREEMENT_START);
    check_own(&bench, NULL);
    assert_true(bench.last.dial);
    assert_false(bench.last.publish);
    up(&bench);
    assert_true(bench.last.poll);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_SETTLE);
    assert_int_equal(poll_of(&bench).num_entries, 0);
    pass(&bench, 3);
    answer(&bench, 'a', there, 2);
    check_state(&bench, BREAKER__AGREEMENT_SYNCED);
    check_own(&bench, "t20");
    assert_true(bench.last.save && bench.last.publish);
    assert_int_equal(breaker__agreement_answered_ms(bench.node), START_MS);
    assert_int_equal(breaker_ledger_size(breaker__agreement_ledger(bench.node)), 2);
    end(&bench);
}

static void without_redis_the_grace_ends_in_a_proposal(void **state)
{
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    while (breaker__agreement_state(bench.node) == BREAKER__AGREEMENT_START) {
        assert_true(bench.now.mono_ms < START_MS + 1500);
        if (bench.last.dial)
            down(&bench);
        else
            wake(&bench);
    }
    assert_int_equal(bench.now.mono_ms, START_MS + 1500);
    check_state(&bench, BREAKER__AGREEMENT_LOCAL);
    check_own(&bench, "1718539202734");
    assert_int_equal(breaker__agreement_own(bench.node)->order, WALL + 1500);
    assert_true(bench.last.save && bench.last.publish);
    end(&bench);
}

static void a_wanted_poll_goes_out_at_most_once_a_second(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;
    uint64_t first;

    (void)state;
    bench_init(&bench);
    bench.config.poll_ms = 60000;
    bench.config.dead_after_ms = 0;
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    let_hurry_pass(&bench, 'a');
    assert_false(bench.last.poll);
    pass(&bench, 10);
    wanted(&bench);
    assert_true(bench.last.poll);
    first = bench.now.mono_ms;
    wanted(&bench);
    assert_false(bench.last.poll);
    pass(&bench, 10);
    answer_unchanged(&bench, 'a');
    assert_false(bench.last.poll);
    assert_int_equal(bench.last.wake_ms, first + 1000);
    wake(&bench);
    assert_true(bench.last.poll);
    answer_unchanged(&bench, 'a');
    assert_true(bench.last.wake_ms > first + 10000);
    end(&bench);
}

static void what_is_wanted_dials_out_of_turn_as_often_as_it_polls(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;
    uint64_t first;

    (void)state;
    bench_init(&bench);
    bench.config.backoff_min_ms = bench.config.backoff_max_ms = 30000;
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    down(&bench);
    assert_false(bench.last.dial);
    pass(&bench, 1);
    wanted(&bench);
    assert_true(bench.last.dial);
    first = bench.now.mono_ms;
    down(&bench);
    wanted(&bench);
    assert_false(bench.last.dial);
    assert_int_equal(bench.last.wake_ms, first + 1000);
    wake(&bench);
    assert_true(bench.last.dial);
    /* one wish is one dial */
    down(&bench);
    assert_false(bench.last.dial);
    assert_true(bench.last.wake_ms > bench.now.mono_ms + 1000);
    pass(&bench, 1000);
    wanted(&bench);
    assert_true(bench.last.dial);
    up(&bench);
    assert_true(bench.last.poll);
    end(&bench);
}

static void what_is_wanted_of_who_refuses_is_dialed_for_in_another_event(void **state)
{
    bench_t bench;

    (void)state;
    bench_init(&bench);
    bench.config.backoff_min_ms = bench.config.backoff_max_ms = 30000;
    begin(&bench, NULL, 0);
    up(&bench);
    wanted(&bench);
    bench.last = breaker__agreement_on_refused(bench.node, bench.now);
    assert_true(bench.last.hang_up);
    assert_false(bench.last.dial);
    assert_int_equal(bench.last.wake_ms, bench.now.mono_ms + 1);
    wake(&bench);
    assert_true(bench.last.dial);
    end(&bench);
}

static void an_empty_ledger_is_believed_after_settling(void **state)
{
    bench_t bench;
    uint64_t settled;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    pass(&bench, 5);
    settled = bench.now.mono_ms + 2000;
    answer(&bench, 'a', NULL, 0);
    while (bench.now.mono_ms < settled) {
        wake(&bench);
        assert_true(bench.last.poll);
        assert_int_equal(poll_of(&bench).act,
                         bench.now.mono_ms >= settled ? BREAKER__ACT_MINT : BREAKER__ACT_SETTLE);
        if (bench.now.mono_ms < settled)
            answer_unchanged(&bench, 'a');
    }
    assert_int_equal(bench.now.mono_ms, settled);
    check_state(&bench, BREAKER__AGREEMENT_START);
    end(&bench);
}

static void a_ledger_of_others_needs_no_settling(void **state)
{
    breaker_ledger_entry_t there = entry(10, "t10", "other");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    check_state(&bench, BREAKER__AGREEMENT_START);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    end(&bench);
}

/* Redis answers, but never with a token: a node serves all the same */
static void a_redis_that_never_gives_a_token_is_not_waited_for_for_ever(void **state)
{
    breaker_ledger_entry_t there = entry(10, "t10", "other");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    while (breaker__agreement_state(bench.node) == BREAKER__AGREEMENT_START) {
        wake(&bench);
        if (bench.last.poll)
            answer_unchanged(&bench, 'a');
    }
    assert_int_equal(bench.now.mono_ms, START_MS + 2000 + 1500);
    check_own(&bench, "1718539204734");
    end(&bench);
}

static void the_policy_decides_how_long_a_start_waits(void **state)
{
    bench_t bench;

    (void)state;
    bench_init(&bench);
    bench.config.start = BREAKER_START_WAIT;
    begin(&bench, NULL, 0);
    stay_down_until(&bench, START_MS + 29000);
    check_state(&bench, BREAKER__AGREEMENT_START);
    stay_down_until(&bench, START_MS + 30000);
    check_state(&bench, BREAKER__AGREEMENT_LOCAL);
    end(&bench);

    bench_init(&bench);
    bench.config.start = BREAKER_START_STRICT;
    begin(&bench, NULL, 0);
    stay_down_until(&bench, START_MS + 3600000);
    check_state(&bench, BREAKER__AGREEMENT_START);
    check_own(&bench, NULL);
    end(&bench);
}

static void a_saved_token_is_used_at_once_and_asserted_with_its_history(void **state)
{
    breaker_ledger_entry_t saved[] = {entry(10, "t10", "mine"), entry(30, "t30", "mine"),
                                      entry(40, "t40", "other")};
    bench_t bench;
    breaker__poll_t poll;

    (void)state;
    bench_init(&bench);
    begin(&bench, saved, 3);
    check_state(&bench, BREAKER__AGREEMENT_STALE);
    check_own(&bench, "t30");
    assert_true(bench.last.publish && bench.last.dial);
    assert_false(bench.last.save);
    up(&bench);
    poll = poll_of(&bench);
    assert_int_equal(poll.act, BREAKER__ACT_MINT);
    assert_string_equal(poll.digest, "");
    assert_int_equal(poll.num_entries, 3);
    assert_string_equal(poll.entries[0].token.text, "t30");
    answer(&bench, 'a', saved, 3);
    check_state(&bench, BREAKER__AGREEMENT_SYNCED);
    assert_false(bench.last.save || bench.last.publish);
    /* Redis has it all; the own entry goes along for the day that it has not */
    poll = poll_of(&bench);
    assert_int_equal(poll.digest[0], 'a');
    assert_int_equal(poll.num_entries, 1);
    assert_string_equal(poll.entries[0].token.text, "t30");
    end(&bench);
}

/* it may be another server, or one that lost everything: nothing is taken for known there */
static void a_new_connection_begins_with_everything(void **state)
{
    breaker_ledger_entry_t all[] = {entry(10, "t10", "other"), entry(30, "t30", "mine")};
    bench_t bench;
    breaker__poll_t poll;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', all, 2);
    down(&bench);
    wake(&bench);
    up(&bench);
    poll = poll_of(&bench);
    assert_string_equal(poll.digest, "");
    assert_int_equal(poll.num_entries, 2);
    /* and an answer that refers to what is forgotten is none */
    answer_unchanged(&bench, 'a');
    assert_true(bench.last.hang_up);
    end(&bench);
}

static void what_redis_lost_goes_out_with_the_next_poll(void **state)
{
    breaker_ledger_entry_t all[] = {entry(10, "t10", "other"), entry(30, "t30", "mine")};
    bench_t bench;
    breaker__poll_t poll;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', all, 2);
    wake(&bench);
    answer(&bench, 'b', all + 1, 1);
    assert_false(bench.last.publish);
    check_own(&bench, "t30");
    wake(&bench);
    poll = poll_of(&bench);
    assert_int_equal(poll.num_entries, 2);
    assert_string_equal(poll.entries[0].token.text, "t30");
    assert_string_equal(poll.entries[1].token.text, "t10");
    end(&bench);
}

static void a_larger_token_of_my_release_is_adopted_and_a_smaller_one_ignored(void **state)
{
    breaker_ledger_entry_t saved = entry(30, "t30", "mine"), smaller = entry(20, "t20", "mine"),
                           larger = entry(50, "t50", "mine");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &saved, 1);
    up(&bench);
    answer(&bench, 'a', &smaller, 1);
    check_own(&bench, "t30");
    assert_string_equal(poll_of(&bench).entries[0].token.text, "t30");
    assert_true(bench.last.publish);
    wake(&bench);
    answer(&bench, 'b', &larger, 1);
    check_own(&bench, "t50");
    assert_true(bench.last.save && bench.last.publish);
    assert_int_equal(breaker_ledger_size(breaker__agreement_ledger(bench.node)), 3);
    end(&bench);
}

static void a_token_that_went_to_another_release_is_left_for_the_fresh_one(void **state)
{
    breaker_ledger_entry_t saved = entry(30, "t30", "mine");
    breaker_ledger_entry_t there[] = {entry(30, "t30", "other"), entry(31, "t31", "mine")};
    const breaker_ledger_t *ledger;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &saved, 1);
    up(&bench);
    answer(&bench, 'a', there, 2);
    check_own(&bench, "t31");
    ledger = breaker__agreement_ledger(bench.node);
    assert_string_equal(breaker__ledger_find(ledger, "t30", 3)->release.text, "other");
    assert_int_equal(poll_of(&bench).num_entries, 1);
    end(&bench);
}

static void a_token_known_as_anothers_is_not_adopted_but_told(void **state)
{
    breaker_ledger_entry_t saved = entry(30, "t30", "other"), there = entry(30, "t30", "mine");
    breaker_ledger_entry_t moved[] = {entry(30, "t30", "mine"), entry(31, "t31", "mine")};
    bench_t bench;
    breaker__poll_t poll;

    (void)state;
    bench_init(&bench);
    begin(&bench, &saved, 1);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    check_own(&bench, NULL);
    wake(&bench);
    poll = poll_of(&bench);
    assert_int_equal(poll.num_entries, 1);
    assert_string_equal(poll.entries[0].release.text, "other");
    answer(&bench, 'b', moved, 2);
    check_own(&bench, "t31");
    end(&bench);
}

static void an_operators_token_takes_the_place_of_its_first_registration(void **state)
{
    breaker_ledger_entry_t there = entry(90, "v1", "mine");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    bench.config.fixed = token("v1");
    begin(&bench, NULL, 0);
    stay_down_until(&bench, START_MS + 1500);
    check_own(&bench, "v1");
    assert_int_equal(breaker__agreement_own(bench.node)->order, WALL + 1500);
    while (!bench.last.dial)
        wake(&bench);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    check_own(&bench, "v1");
    assert_int_equal(breaker__agreement_own(bench.node)->order, 90);
    end(&bench);
}

/* a clock years ahead has placed it, and others were redirected to it: it does not fall below them
 */
static void
an_operators_token_that_was_proposed_alone_takes_the_place_that_redis_knows(void **state)
{
    breaker_ledger_entry_t there[] = {entry(WALL + 90000, "t90", "other"),
                                      entry(WALL + 99000, "v1", "mine")};
    bench_t bench;
    breaker__poll_t poll;

    (void)state;
    bench_init(&bench);
    bench.config.fixed = token("v1");
    begin(&bench, NULL, 0);
    stay_down_until(&bench, START_MS + 1500);
    check_own(&bench, "v1");
    while (!bench.last.dial)
        wake(&bench);
    up(&bench);
    poll = poll_of(&bench);
    assert_int_equal(poll.act, BREAKER__ACT_MINT);
    assert_int_equal(poll.num_entries, 0);
    assert_true(poll.is_local);
    answer(&bench, 'a', there, 2);
    check_own(&bench, "v1");
    assert_int_equal(breaker__agreement_own(bench.node)->order, WALL + 99000);
    wake(&bench);
    poll = poll_of(&bench);
    assert_int_equal(poll.num_entries, 1);
    assert_int_equal(poll.entries[0].order, WALL + 99000);
    assert_false(poll.is_local);
    end(&bench);
}

static void a_proposal_lies_above_all_that_is_known(void **state)
{
    static const struct {
        const char *fixed, *suffix, *token;
        uint64_t wall_ms, known_order, order;
        const char *known;
    } cases[] = {
        {"", "", "1718539202734", WALL, 10, WALL + 1500, "t"},
        {"", "-a1b2c3d4", "1718539202734-a1b2c3d4", WALL, 10, WALL + 1500, "t"},
        /* the clock is behind the state file (517 is the spread of "mine"), and at the beginning
         * of time */
        {"", "", "1718539300516", WALL, 1718539299998, 1718539299998 + 1 + 517, "t"},
        {"", "", "000000001500", 0, 10, 1500, "t"},
        /* an operator chose the token that would be mine */
        {"", "", "1718539202735", WALL, 10, WALL + 1501, "1718539202734"},
        {"v1", "", "v1", WALL, 10, WALL + 1500, "t"},
        {"v1", "-x", "v1.1718539202734", WALL, 10, WALL + 1500, "v1"},
        {"v1", "", "v1.1500", 0, 10, 1500, "v1"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker_ledger_entry_t saved = entry(cases[i].known_order, cases[i].known, "other");
        bench_t bench;
        bench_init(&bench);
        bench.now.wall_ms = cases[i].wall_ms;
        if (cases[i].fixed[0] != '\0')
            bench.config.fixed = token(cases[i].fixed);
        strcpy(bench.config.suffix, cases[i].suffix);
        begin(&bench, &saved, 1);
        stay_down_until(&bench, START_MS + 1500);
        check_state(&bench, BREAKER__AGREEMENT_LOCAL);
        check_own(&bench, cases[i].token);
        assert_int_equal(breaker__agreement_own(bench.node)->order, cases[i].order);
        end(&bench);
    }
}

static void without_an_order_left_a_start_waits_on(void **state)
{
    breaker_ledger_entry_t saved = entry((UINT64_C(1) << 53) - 1, "t", "other");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &saved, 1);
    stay_down_until(&bench, START_MS + 20000);
    check_state(&bench, BREAKER__AGREEMENT_START);
    end(&bench);
}

static void a_broken_connection_keeps_the_token_and_backs_off_with_jitter(void **state)
{
    static const uint64_t ceilings[] = {100, 200, 400, 800, 1500, 1500, 1500};
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;

    (void)state;
    for (uint64_t seed = 0; seed != 50; ++seed) {
        bench_init(&bench);
        bench.config.seed = seed;
        begin(&bench, NULL, 0);
        up(&bench);
        answer(&bench, 'a', &there, 1);
        for (size_t i = 0; i != sizeof(ceilings) / sizeof(ceilings[0]); ++i) {
            if (!bench.last.dial && i == 0)
                wake(&bench);
            down(&bench);
            check_state(&bench, BREAKER__AGREEMENT_STALE);
            check_own(&bench, "t20");
            assert_false(bench.last.publish || bench.last.dial);
            assert_true(bench.last.wake_ms > bench.now.mono_ms);
            assert_true(bench.last.wake_ms <= bench.now.mono_ms + ceilings[i]);
            wake(&bench);
            assert_true(bench.last.dial);
        }
        end(&bench);
    }
}

/* a server that hung is busy: nobody comes back to it at once, however long the try has taken */
static void the_wait_is_counted_from_the_end_of_what_failed(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    uint64_t longest = 0, shortest = UINT64_MAX, wait_ms;
    bench_t bench;

    (void)state;
    for (uint64_t seed = 0; seed != 200; ++seed) {
        bench_init(&bench);
        bench.config.seed = seed;
        begin(&bench, &there, 1);
        stay_down_until(&bench, START_MS + 20000);
        while (!bench.last.dial)
            wake(&bench);
        pass(&bench, 1000);
        down(&bench);
        assert_in_range(bench.last.wake_ms, bench.now.mono_ms + 1, bench.now.mono_ms + 1500);
        while (!bench.last.dial)
            wake(&bench);
        up(&bench);
        assert_true(bench.last.poll);
        pass(&bench, 1600);
        down(&bench);
        wait_ms = bench.last.wake_ms - bench.now.mono_ms;
        longest = wait_ms > longest ? wait_ms : longest;
        shortest = wait_ms < shortest ? wait_ms : shortest;
        end(&bench);
    }
    /* full jitter */
    assert_in_range(longest, 1400, 1500);
    assert_in_range(shortest, 1, 100);
    longest = 0;
    for (uint64_t seed = 0; seed != 200; ++seed) {
        bench_init(&bench);
        bench.config.seed = seed;
        begin(&bench, &there, 1);
        up(&bench);
        answer(&bench, 'a', &there, 1);
        pass(&bench, 150);
        down(&bench);
        wait_ms = bench.last.wake_ms - bench.now.mono_ms;
        longest = wait_ms > longest ? wait_ms : longest;
        end(&bench);
    }
    assert_in_range(longest, 90, 100);
}

static void check_polls_after_a_connection(uint32_t poll_ms, uint64_t hurried_ms)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    uint64_t since, last, gap;
    bench_t bench;

    bench_init(&bench);
    bench.config.poll_ms = poll_ms;
    bench.config.dead_after_ms = 0;
    begin(&bench, &there, 1);
    for (int connection = 0; connection != 2; ++connection) {
        up(&bench);
        since = last = bench.now.mono_ms;
        answer(&bench, connection == 0 ? 'a' : 'b', &there, 1);
        while (last < since + 6000 || last == since) {
            while (!bench.last.poll)
                wake(&bench);
            gap = bench.now.mono_ms - last;
            if (last < since + 1500 + 1000)
                assert_in_range(gap, hurried_ms * 8 / 10, hurried_ms * 12 / 10);
            else
                assert_in_range(gap, poll_ms * UINT64_C(8) / 10, poll_ms * UINT64_C(12) / 10);
            last = bench.now.mono_ms;
            answer_unchanged(&bench, connection == 0 ? 'a' : 'b');
        }
        down(&bench);
        while (!bench.last.dial)
            wake(&bench);
    }
    end(&bench);
}

/* a peer that is slower to come back is seen a quarter of a poll later */
static void after_a_connection_polls_follow_each_other_faster_for_a_while(void **state)
{
    (void)state;
    check_polls_after_a_connection(1000, 250);
    check_polls_after_a_connection(100, 25);
    check_polls_after_a_connection(400, 100);
    check_polls_after_a_connection(60000, 250);
}

/* the longest of many waits shows which ceiling they had */
static void the_backoff_is_forgotten_after_five_good_seconds(void **state)
{
    static const struct {
        uint64_t good_ms;
        uint64_t at_least_ms, at_most_ms;
    } cases[] = {{3000, 750, 1500}, {8000, 50, 100}};

    (void)state;
    for (size_t i = 0; i != 2; ++i) {
        breaker_ledger_entry_t there = entry(20, "t20", "mine");
        uint64_t longest = 0;
        for (uint64_t seed = 0; seed != 60; ++seed) {
            bench_t bench;
            uint64_t good_until;
            bench_init(&bench);
            bench.config.seed = seed;
            begin(&bench, &there, 1);
            stay_down_until(&bench, START_MS + 20000);
            while (!bench.last.dial)
                wake(&bench);
            up(&bench);
            good_until = bench.now.mono_ms + cases[i].good_ms;
            answer(&bench, 'a', &there, 1);
            while (bench.now.mono_ms < good_until) {
                wake(&bench);
                if (bench.last.poll)
                    answer_unchanged(&bench, 'a');
            }
            down(&bench);
            if (bench.last.wake_ms - bench.now.mono_ms > longest)
                longest = bench.last.wake_ms - bench.now.mono_ms;
            end(&bench);
        }
        assert_in_range(longest, cases[i].at_least_ms, cases[i].at_most_ms);
    }
}

static void a_silence_of_three_polls_is_stale(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    wake(&bench);
    assert_true(bench.last.poll);
    assert_int_equal(bench.last.wake_ms, START_MS + 3000);
    wake(&bench);
    check_state(&bench, BREAKER__AGREEMENT_STALE);
    check_own(&bench, "t20");
    answer_unchanged(&bench, 'a');
    check_state(&bench, BREAKER__AGREEMENT_SYNCED);
    end(&bench);
}

static void a_refusal_hangs_up(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &there, 1);
    up(&bench);
    bench.last = breaker__agreement_on_refused(bench.node, bench.now);
    assert_true(bench.last.hang_up);
    check_state(&bench, BREAKER__AGREEMENT_STALE);
    wake(&bench);
    assert_true(bench.last.dial);
    end(&bench);
}

static void a_malformed_answer_is_a_refusal_that_changes_nothing(void **state)
{
    breaker_answer_t cases[9];

    (void)state;
    for (size_t i = 0; i != 9; ++i) {
        cases[i] = (breaker_answer_t){.num_entries = 1, .entries = {entry(50, "t50", "mine")}};
        memset(cases[i].digest, 'a', 40);
    }
    cases[0].digest[39] = '\0';
    memset(cases[1].digest, 'a', sizeof(cases[1].digest));
    cases[2].digest[7] = 'A';
    cases[3].unchanged = true; /* nothing was ever answered that could be */
    cases[4].num_entries = BREAKER_LEDGER_SHARED_MAX + 1;
    cases[5].entries[0].order = UINT64_C(1) << 53;
    cases[6].entries[0].token.text[0] = '/';
    cases[7].entries[0].release.len = 0;
    cases[8].now_ms = UINT64_C(1) << 53;
    for (size_t i = 0; i != 9; ++i) {
        breaker_ledger_entry_t saved = entry(20, "t20", "mine");
        bench_t bench;
        bench_init(&bench);
        begin(&bench, &saved, 1);
        up(&bench);
        bench.last = breaker__agreement_on_answer(bench.node, bench.now, cases + i);
        if (!bench.last.hang_up || bench.last.publish)
            fail_msg("case %zu", i);
        check_own(&bench, "t20");
        check_state(&bench, BREAKER__AGREEMENT_STALE);
        end(&bench);
    }
}

static void polls_come_up_to_a_fifth_after_their_time(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    uint64_t least = UINT64_MAX, most = 0;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    let_hurry_pass(&bench, 'a');
    for (int i = 0; i != 1000; ++i) {
        uint64_t sent = bench.now.mono_ms, gap;
        wake(&bench);
        assert_true(bench.last.poll);
        gap = bench.now.mono_ms - sent;
        least = gap < least ? gap : least;
        most = gap > most ? gap : most;
        answer_unchanged(&bench, 'a');
    }
    assert_in_range(least, 1000, 1010);
    assert_in_range(most, 1190, 1200);
    end(&bench);
}

/* ---- what is to be said ---- */

static void an_answer_tells_what_is_new_and_where_it_comes_from(void **state)
{
    breaker_ledger_entry_t saved = entry(20, "t20", "mine");
    breaker_answer_t made = {.num_entries = 2};
    const breaker__news_t *news;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &saved, 1);
    assert_int_equal(breaker__agreement_news(bench.node)->num_entries, 0);
    up(&bench);
    memset(made.digest, 'a', 40);
    made.entries[0] = entry(10, "t10", "other");
    made.entries[1] = saved;
    bench.last = breaker__agreement_on_answer(bench.node, bench.now, &made);
    news = breaker__agreement_news(bench.node);
    assert_true(news->is_first);
    assert_int_equal(news->num_entries, 1);
    assert_string_equal(news->entries[0].token.text, "t10");
    assert_int_equal(news->origins[0].why, BREAKER_WHY_UNKNOWN);
    wake(&bench);
    memset(made.digest, 'b', 40);
    made.num_entries = 3;
    made.entries[2] = entry(30, "t30", "other");
    made.origins[2] = (breaker_origin_t){.why = BREAKER_WHY_SILENCE, .what = release_of("mine")};
    bench.last = breaker__agreement_on_answer(bench.node, bench.now, &made);
    assert_false(news->is_first);
    assert_int_equal(news->num_entries, 1);
    assert_string_equal(news->entries[0].token.text, "t30");
    assert_int_equal(news->origins[0].why, BREAKER_WHY_SILENCE);
    assert_string_equal(news->origins[0].what.text, "mine");
    wake(&bench);
    answer_unchanged(&bench, 'b');
    assert_int_equal(breaker__agreement_news(bench.node)->num_entries, 0);
    end(&bench);
}

static void it_is_known_since_when_it_stands_where_it_stands(void **state)
{
    breaker_ledger_entry_t there = entry(20, "t20", "mine");
    uint64_t synced, lost;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &there, 1);
    assert_int_equal(breaker__agreement_since_ms(bench.node), START_MS);
    up(&bench);
    pass(&bench, 40);
    answer(&bench, 'a', &there, 1);
    synced = bench.now.mono_ms;
    assert_int_equal(breaker__agreement_since_ms(bench.node), synced);
    assert_int_equal(breaker__agreement_away_ms(bench.node), 40);
    let_hurry_pass(&bench, 'a');
    assert_int_equal(breaker__agreement_since_ms(bench.node), synced);
    down(&bench);
    lost = bench.now.mono_ms;
    check_state(&bench, BREAKER__AGREEMENT_STALE);
    stay_down_until(&bench, lost + 7000);
    assert_int_equal(breaker__agreement_since_ms(bench.node), lost);
    while (!bench.last.dial)
        wake(&bench);
    up(&bench);
    answer(&bench, 'a', &there, 1);
    assert_int_equal(breaker__agreement_since_ms(bench.node), bench.now.mono_ms);
    assert_int_equal(breaker__agreement_away_ms(bench.node), bench.now.mono_ms - lost);
    end(&bench);
}

static void timers_and_names_out_of_bounds_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } timers[] = {
#define CASE(field, value) {offsetof(breaker_agreement_config_t, field), value}
        CASE(poll_ms, BREAKER_POLL_MIN_MS - 1),
        CASE(poll_ms, BREAKER_POLL_MAX_MS + 1),
        CASE(backoff_min_ms, 0),
        CASE(backoff_min_ms, 1501),
        CASE(backoff_max_ms, 86400001),
        CASE(forgive_after_ms, UINT32_MAX),
        CASE(grace_ms, UINT32_MAX),
        CASE(start_timeout_ms, UINT32_MAX),
        CASE(settle_ms, UINT32_MAX),
        CASE(dead_after_ms, 2999),
        CASE(dead_after_ms, BREAKER_DEAD_AFTER_MAX_MS + 1),
#undef CASE
    };
    breaker__agreement_t *made = NULL;
    bench_t bench;

    (void)state;
    for (size_t i = 0; i != sizeof(timers) / sizeof(timers[0]); ++i) {
        bench_init(&bench);
        memcpy((char *)&bench.config + timers[i].at, &timers[i].value, sizeof(uint32_t));
        if (breaker__agreement_create(&bench.config, &made) != BREAKER_ERR_RANGE)
            fail_msg("case %zu", i);
    }
    bench_init(&bench);
    bench.config.release.len = 0;
    assert_int_equal(breaker__agreement_create(&bench.config, &made), BREAKER_ERR_RELEASE_SYNTAX);
    bench_init(&bench);
    strcpy(bench.config.suffix, "-a/b");
    assert_int_equal(breaker__agreement_create(&bench.config, &made), BREAKER_ERR_TOKEN_SYNTAX);
    memset(bench.config.suffix, 'a', sizeof(bench.config.suffix));
    assert_int_equal(breaker__agreement_create(&bench.config, &made), BREAKER_ERR_RANGE);
    assert_null(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_node_dials_polls_and_adopts_its_releases_token),
        cmocka_unit_test(without_redis_the_grace_ends_in_a_proposal),
        cmocka_unit_test(a_wanted_poll_goes_out_at_most_once_a_second),
        cmocka_unit_test(what_is_wanted_dials_out_of_turn_as_often_as_it_polls),
        cmocka_unit_test(what_is_wanted_of_who_refuses_is_dialed_for_in_another_event),
        cmocka_unit_test(an_empty_ledger_is_believed_after_settling),
        cmocka_unit_test(a_ledger_of_others_needs_no_settling),
        cmocka_unit_test(a_redis_that_never_gives_a_token_is_not_waited_for_for_ever),
        cmocka_unit_test(the_policy_decides_how_long_a_start_waits),
        cmocka_unit_test(a_saved_token_is_used_at_once_and_asserted_with_its_history),
        cmocka_unit_test(a_new_connection_begins_with_everything),
        cmocka_unit_test(what_redis_lost_goes_out_with_the_next_poll),
        cmocka_unit_test(a_larger_token_of_my_release_is_adopted_and_a_smaller_one_ignored),
        cmocka_unit_test(a_token_that_went_to_another_release_is_left_for_the_fresh_one),
        cmocka_unit_test(a_token_known_as_anothers_is_not_adopted_but_told),
        cmocka_unit_test(an_operators_token_takes_the_place_of_its_first_registration),
        cmocka_unit_test(
            an_operators_token_that_was_proposed_alone_takes_the_place_that_redis_knows),
        cmocka_unit_test(a_proposal_lies_above_all_that_is_known),
        cmocka_unit_test(without_an_order_left_a_start_waits_on),
        cmocka_unit_test(a_broken_connection_keeps_the_token_and_backs_off_with_jitter),
        cmocka_unit_test(the_wait_is_counted_from_the_end_of_what_failed),
        cmocka_unit_test(after_a_connection_polls_follow_each_other_faster_for_a_while),
        cmocka_unit_test(the_backoff_is_forgotten_after_five_good_seconds),
        cmocka_unit_test(a_silence_of_three_polls_is_stale),
        cmocka_unit_test(a_refusal_hangs_up),
        cmocka_unit_test(a_malformed_answer_is_a_refusal_that_changes_nothing),
        cmocka_unit_test(polls_come_up_to_a_fifth_after_their_time),
        cmocka_unit_test(an_answer_tells_what_is_new_and_where_it_comes_from),
        cmocka_unit_test(it_is_known_since_when_it_stands_where_it_stands),
        cmocka_unit_test(timers_and_names_out_of_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
