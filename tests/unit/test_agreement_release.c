/*
 * A running node that is to serve another release: the own entry stays the old release's until
 * there is one of the new release above it, whatever Redis does meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "cluster/agreement.h"

#define WALL UINT64_C(1718539201234)

typedef struct st_bench_t {
    breaker_agreement_config_t config;
    breaker__agreement_t *node;
    breaker__moment_t now;
    breaker__actions_t last;
} bench_t;

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static breaker_ledger_entry_t entry(uint64_t order, const char *text, const char *release)
{
    breaker_ledger_entry_t made = {.order = order, .release = release_of(release)};

    assert_int_equal(breaker_token_parse(text, strlen(text), &made.token), 0);
    return made;
}

/* a node of release r1 that remembers its token t1 of order 100, and what came before it */
static void begin(bench_t *bench, breaker_start_policy_t start)
{
    const breaker_ledger_entry_t saved[] = {entry(50, "t0", "r0"), entry(100, "t1", "r1")};
    breaker_ledger_t ledger;

    breaker__agreement_config_init(&bench->config);
    bench->config.release = release_of("r1");
    bench->config.start = start;
    bench->config.seed = 7;
    bench->now = (breaker__moment_t){.wall_ms = WALL, .mono_ms = 5000};
    assert_int_equal(breaker_ledger_init(&ledger, saved, 2), 0);
    assert_int_equal(breaker__agreement_create(&bench->config, &bench->node), 0);
    bench->last = breaker__agreement_start(bench->node, bench->now, &ledger);
}

static void answer(bench_t *bench, char mark, const breaker_ledger_entry_t *entries, size_t num)
{
    breaker_answer_t made = {.num_entries = num};

    memset(made.digest, mark, 40);
    for (size_t i = 0; i != num; ++i)
        made.entries[i] = entries[i];
    bench->last = breaker__agreement_on_answer(bench->node, bench->now, &made);
}

/* connected, and answered once with what the node knows already */
static void begin_synced(bench_t *bench)
{
    const breaker_ledger_entry_t there[] = {entry(50, "t0", "r0"), entry(100, "t1", "r1")};

    begin(bench, BREAKER_START_OPEN);
    bench->last = breaker__agreement_on_up(bench->node, bench->now);
    assert_true(bench->last.poll);
    answer(bench, 'a', there, 2);
    assert_int_equal(breaker__agreement_state(bench->node), BREAKER__AGREEMENT_SYNCED);
}

static void take_release(bench_t *bench, const char *release, const char *fixed)
{
    breaker_release_id_t id = release_of(release);
    breaker_token_t token;

    if (fixed != NULL)
        assert_int_equal(breaker_token_parse(fixed, strlen(fixed), &token), 0);
    bench->last = breaker__agreement_on_release(bench->node, bench->now, &id,
                                                fixed != NULL ? &token : NULL, NULL);
}

static void wake(bench_t *bench)
{
    uint64_t ms = bench->last.wake_ms - bench->now.mono_ms;

    assert_true(bench->last.wake_ms != UINT64_MAX);
    bench->now.wall_ms += ms;
    bench->now.mono_ms += ms;
    bench->last = breaker__agreement_on_time(bench->node, bench->now);
}

static void check_own(const bench_t *bench, const char *token, const char *release)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(bench->node);

    assert_non_null(own);
    assert_string_equal(own->token.text, token);
    assert_string_equal(own->release.text, release);
}

static breaker__poll_t poll_of(const bench_t *bench)
{
    breaker__poll_t poll;

    breaker__agreement_poll(bench->node, bench->now, &poll);
    return poll;
}

static void a_new_release_is_asked_for_at_once_and_handed_out_when_it_is_answered(void **state)
{
    const breaker_ledger_entry_t there[] = {entry(100, "t1", "r1"), entry(200, "t2", "r2")};
    breaker__poll_t poll;
    bench_t bench;

    (void)state;
    begin_synced(&bench);
    take_release(&bench, "r2", NULL);
    assert_true(bench.last.poll);
    assert_false(bench.last.publish);
    check_own(&bench, "t1", "r1");
    poll = poll_of(&bench);
    assert_int_equal(poll.act, BREAKER__ACT_MINT);
    /* what was handed out is in it, whatever comes */
    assert_string_equal(poll.entries[0].token.text, "t1");
    assert_string_equal(breaker__agreement_config(bench.node)->release.text, "r2");
    answer(&bench, 'b', there, 2);
    assert_true(bench.last.publish && bench.last.save);
    check_own(&bench, "t2", "r2");
    breaker__agreement_free(bench.node);
}

static void a_release_that_comes_in_the_middle_of_a_poll_is_asked_for_after_it(void **state)
{
    const breaker_ledger_entry_t there[] = {entry(50, "t0", "r0"), entry(100, "t1", "r1")};
    bench_t bench;

    (void)state;
    begin_synced(&bench);
    while (!bench.last.poll)
        wake(&bench);
    take_release(&bench, "r2", NULL);
    assert_false(bench.last.poll);
    answer(&bench, 'a', there, 2);
    check_own(&bench, "t1", "r1");
    assert_true(bench.last.poll);
    breaker__agreement_free(bench.node);
}

static void a_release_that_stands_above_in_the_ledger_needs_nobody(void **state)
{
    const breaker_ledger_entry_t there[] = {entry(100, "t1", "r1"), entry(200, "t2", "r2")};
    bench_t bench;

    (void)state;
    begin_synced(&bench);
    while (!bench.last.poll)
        wake(&bench);
    answer(&bench, 'b', there, 2);
    check_own(&bench, "t1", "r1");
    take_release(&bench, "r2", NULL);
    assert_true(bench.last.publish && bench.last.save);
    check_own(&bench, "t2", "r2");
    breaker__agreement_free(bench.node);
}

static void a_release_that_comes_back_is_promoted_and_its_old_token_never_used(void **state)
{
    const breaker_ledger_entry_t before[] = {entry(50, "t0", "r0"), entry(100, "t1", "r1")};
    const breaker_ledger_entry_t after[] = {entry(50, "t0", "r0"), entry(100, "t1", "r1"),
                                            entry(300, "t3", "r0")};
    bench_t bench;

    (void)state;
    begin_synced(&bench);
    take_release(&bench, "r0", NULL);
    assert_true(bench.last.poll);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_PROMOTE);
    answer(&bench, 'a', before, 2);
    check_own(&bench, "t1", "r1");
    while (!bench.last.poll)
        wake(&bench);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_PROMOTE);
    answer(&bench, 'b', after, 3);
    check_own(&bench, "t3", "r0");
    assert_int_not_equal(poll_of(&bench).act, BREAKER__ACT_PROMOTE);
    breaker__agreement_free(bench.node);
}

static void without_redis_the_release_gets_a_proposal_above_all_after_the_grace(void **state)
{
    static const char *const releases[] = {"r2", "r0", "r1"};
    uint64_t order = 100;
    bench_t bench;

    (void)state;
    begin(&bench, BREAKER_START_OPEN);
    /* a clock that stands still does not matter */
    bench.now.wall_ms = 10;
    for (size_t i = 0; i != 3; ++i) {
        uint64_t since_ms = bench.now.mono_ms;
        const breaker_ledger_entry_t *own;

        take_release(&bench, releases[i], NULL);
        while (!bench.last.publish) {
            own = breaker__agreement_own(bench.node);
            assert_string_not_equal(own->release.text, releases[i]);
            if (bench.last.dial)
                bench.last = breaker__agreement_on_down(bench.node, bench.now);
            else
                wake(&bench);
        }
        assert_true(bench.now.mono_ms - since_ms >= bench.config.grace_ms);
        own = breaker__agreement_own(bench.node);
        assert_string_equal(own->release.text, releases[i]);
        assert_true(own->order > order);
        order = own->order;
        assert_int_equal(breaker__agreement_state(bench.node), BREAKER__AGREEMENT_LOCAL);
        bench.last.publish = false;
    }
    breaker__agreement_free(bench.node);
}

static void a_strict_node_serves_the_old_release_for_as_long_as_redis_is_away(void **state)
{
    bench_t bench;

    (void)state;
    begin(&bench, BREAKER_START_STRICT);
    assert_true(bench.last.dial);
    bench.last = breaker__agreement_on_down(bench.node, bench.now);
    take_release(&bench, "r2", NULL);
    for (int i = 0; i != 100; ++i) {
        if (bench.last.dial)
            bench.last = breaker__agreement_on_down(bench.node, bench.now);
        else
            wake(&bench);
        check_own(&bench, "t1", "r1");
    }
    breaker__agreement_free(bench.node);
}

static void an_operators_token_for_the_release_is_proposed_as_it_is(void **state)
{
    bench_t bench;

    (void)state;
    begin(&bench, BREAKER_START_OPEN);
    take_release(&bench, "r0", "v7");
    while (!bench.last.publish)
        if (bench.last.dial)
            bench.last = breaker__agreement_on_down(bench.node, bench.now);
        else
            wake(&bench);
    check_own(&bench, "v7", "r0");
    breaker__agreement_free(bench.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_release_is_asked_for_at_once_and_handed_out_when_it_is_answered),
        cmocka_unit_test(a_release_that_comes_in_the_middle_of_a_poll_is_asked_for_after_it),
        cmocka_unit_test(a_release_that_stands_above_in_the_ledger_needs_nobody),
        cmocka_unit_test(a_release_that_comes_back_is_promoted_and_its_old_token_never_used),
        cmocka_unit_test(without_redis_the_release_gets_a_proposal_above_all_after_the_grace),
        cmocka_unit_test(a_strict_node_serves_the_old_release_for_as_long_as_redis_is_away),
        cmocka_unit_test(an_operators_token_for_the_release_is_proposed_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
