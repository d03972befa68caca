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
#include <breaker/agreement.h>
#include <breaker/error.h>

#define WALL UINT64_C(1718539201234)
#define START_MS UINT64_C(5000)

/* one node and the clocks it goes by */
typedef struct st_bench_t {
    breaker_agreement_config_t config;
    breaker_agreement_t *node;
    breaker_moment_t now;
    breaker_actions_t last;
} bench_t;

static breaker_token_t token(const char *text)
{
    breaker_token_t made;

    assert_int_equal(breaker_token_parse(text, strlen(text), &made), 0);
    return made;
}

static breaker_ledger_entry_t entry(uint64_t order, const char *text, const char *release)
{
    return (breaker_ledger_entry_t){
        .order = order, .token = token(text), .release = token(release)};
}

static void bench_init(bench_t *bench)
{
    breaker_agreement_config_init(&bench->config);
    bench->config.release = token("mine");
    bench->config.seed = 7;
    bench->now = (breaker_moment_t){.wall_ms = WALL, .mono_ms = START_MS};
    bench->node = NULL;
}

static void begin(bench_t *bench, const breaker_ledger_entry_t *saved, size_t num)
{
    breaker_ledger_t ledger;

    assert_int_equal(breaker_ledger_init(&ledger, saved, num), 0);
    assert_int_equal(breaker_agreement_create(&bench->config, &bench->node), 0);
    bench->last = breaker_agreement_start(bench->node, bench->now, num != 0 ? &ledger : NULL);
}

static void end(bench_t *bench)
{
    breaker_agreement_free(bench->node);
    bench->node = NULL;
}

static void pass(bench_t *bench, uint64_t ms)
{
    bench->now.wall_ms += ms;
    bench->now.mono_ms += ms;
}

/* lets time go to the next timer, and runs it */
static void wake(bench_t *bench)
{
    assert_true(bench->last.wake_ms != UINT64_MAX);
    assert_true(bench->last.wake_ms > bench->now.mono_ms);
    pass(bench, bench->last.wake_ms - bench->now.mono_ms);
    bench->last = breaker_agreement_on_time(bench->node, bench->now);
}

static void up(bench_t *bench)
{
    bench->last = breaker_agreement_on_up(bench->node, bench->now);
}

static void down(bench_t *bench)
{
    bench->last = breaker_agreement_on_down(bench->node, bench->now);
}

static void wanted(bench_t *bench)
{
    bench->last = breaker_agreement_on_wanted(bench->node, bench->now);
}

/* an answer whose digest is `mark`, forty times */
static void answer(bench_t *bench, char mark, const breaker_ledger_entry_t *entries, size_t num)
{
    breaker_answer_t made = {.num_entries = num};

    memset(made.digest, mark, 40);
    for (size_t i = 0; i != num; ++i)
        made.entries[i] = entries[i];
    bench->last = breaker_agreement_on_answer(bench->node, bench->now, &made);
}

static void answer_unchanged(bench_t *bench, char mark)
{
    breaker_answer_t made = {.unchanged = true};

    memset(made.digest, mark, 40);
    bench->last = breaker_agreement_on_answer(bench->node, bench->now, &made);
}

static breaker_poll_t poll_of(const bench_t *bench)
{
    breaker_poll_t poll;

    memset(&poll, 0xff, sizeof(poll));
    breaker_agreement_poll(bench->node, bench->now, &poll);
    return poll;
}

static void check_state(const bench_t *bench, breaker_agreement_state_t state)
{
    assert_int_equal(breaker_agreement_state(bench->node), state);
}

static void check_own(const bench_t *bench, const char *text)
{
    const breaker_ledger_entry_t *own = breaker_agreement_own(bench->node);

    if (text == NULL) {
        assert_null(own);
        return;
    }
    assert_non_null(own);
    assert_string_equal(own->token.text, text);
    assert_string_equal(own->release.text, "mine");
}

static void a_new_node_dials_polls_and_adopts_its_releases_token(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine")};
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    check_state(&bench, BREAKER_AGREEMENT_START);
    check_own(&bench, NULL);
    assert_true(bench.last.dial);
    assert_false(bench.last.publish);
    up(&bench);
    assert_true(bench.last.poll);
    assert_false(poll_of(&bench).may_mint);
    assert_int_equal(poll_of(&bench).num_entries, 0);
    pass(&bench, 3);
    answer(&bench, 'a', there, 2);
    check_state(&bench, BREAKER_AGREEMENT_SYNCED);
    check_own(&bench, "t20");
    assert_true(bench.last.save && bench.last.publish);
    assert_int_equal(breaker_agreement_answered_ms(bench.node), START_MS);
    assert_int_equal(breaker_ledger_size(breaker_agreement_ledger(bench.node)), 2);
    end(&bench);
}

static void without_redis_the_grace_ends_in_a_proposal(void **state)
{
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    while (breaker_agreement_state(bench.node) == BREAKER_AGREEMENT_START) {
        assert_true(bench.now.mono_ms < START_MS + 1500);
        if (bench.last.dial)
            down(&bench);
        else
            wake(&bench);
    }
    assert_int_equal(bench.now.mono_ms, START_MS + 1500);
    check_state(&bench, BREAKER_AGREEMENT_LOCAL);
    check_own(&bench, "1718539202734");
    assert_int_equal(breaker_agreement_own(bench.node)->order, WALL + 1500);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_node_dials_polls_and_adopts_its_releases_token),
        cmocka_unit_test(without_redis_the_grace_ends_in_a_proposal),
        cmocka_unit_test(a_wanted_poll_goes_out_at_most_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
