#ifndef BREAKER_TESTS_AGREEMENT_BENCH_H
#define BREAKER_TESTS_AGREEMENT_BENCH_H

/* One agreement on a bench: events at times that a test chooses, and what it says to them. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <breaker/error.h>
#include "cluster/agreement.h"

#define WALL UINT64_C(1718539201234)
#define START_MS UINT64_C(5000)

/* one node and the clocks it goes by */
typedef struct st_bench_t {
    breaker_agreement_config_t config;
    breaker__agreement_t *node;
    breaker__moment_t now;
    breaker__actions_t last;
    /* what every answer tells beside the ledger: clock, fleet, interval */
    breaker_answer_t fleet;
} bench_t;

static inline breaker_token_t token(const char *text)
{
    breaker_token_t made;

    assert_int_equal(breaker_token_parse(text, strlen(text), &made), 0);
    return made;
}

static inline breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static inline breaker_ledger_entry_t entry(uint64_t order, const char *text, const char *release)
{
    return (breaker_ledger_entry_t){
        .order = order, .token = token(text), .release = release_of(release)};
}

static inline void bench_init(bench_t *bench)
{
    breaker__agreement_config_init(&bench->config);
    bench->config.release = release_of("mine");
    bench->config.seed = 7;
    bench->now = (breaker__moment_t){.wall_ms = WALL, .mono_ms = START_MS};
    bench->node = NULL;
    bench->fleet = (breaker_answer_t){.fleet = 0};
}

static inline void begin(bench_t *bench, const breaker_ledger_entry_t *saved, size_t num)
{
    breaker_ledger_t ledger;

    assert_int_equal(breaker_ledger_init(&ledger, saved, num), 0);
    assert_int_equal(breaker__agreement_create(&bench->config, &bench->node), 0);
    bench->last = breaker__agreement_start(bench->node, bench->now, num != 0 ? &ledger : NULL);
}

static inline void end(bench_t *bench)
{
    breaker__agreement_free(bench->node);
    bench->node = NULL;
}

static inline void pass(bench_t *bench, uint64_t ms)
{
    bench->now.wall_ms += ms;
    bench->now.mono_ms += ms;
}

/* lets time go to the next timer, and runs it */
static inline void wake(bench_t *bench)
{
    assert_true(bench->last.wake_ms != UINT64_MAX);
    assert_true(bench->last.wake_ms > bench->now.mono_ms);
    pass(bench, bench->last.wake_ms - bench->now.mono_ms);
    bench->last = breaker__agreement_on_time(bench->node, bench->now);
}

static inline void up(bench_t *bench)
{
    bench->last = breaker__agreement_on_up(bench->node, bench->now);
}

static inline void down(bench_t *bench)
{
    bench->last = breaker__agreement_on_down(bench->node, bench->now);
}

static inline void wanted(bench_t *bench)
{
    bench->last = breaker__agreement_on_wanted(bench->node, bench->now);
}

/* an answer whose digest is `mark`, forty times */
static inline void answer(bench_t *bench, char mark, const breaker_ledger_entry_t *entries,
                          size_t num)
{
    breaker_answer_t made = bench->fleet;

    made.num_entries = num;
    memset(made.digest, mark, 40);
    for (size_t i = 0; i != num; ++i)
        made.entries[i] = entries[i];
    bench->last = breaker__agreement_on_answer(bench->node, bench->now, &made);
}

static inline void answer_unchanged(bench_t *bench, char mark)
{
    breaker_answer_t made = bench->fleet;

    made.unchanged = true;
    memset(made.digest, mark, 40);
    bench->last = breaker__agreement_on_answer(bench->node, bench->now, &made);
}

static inline breaker__poll_t poll_of(const bench_t *bench)
{
    breaker__poll_t poll;

    memset(&poll, 0xff, sizeof(poll));
    breaker__agreement_poll(bench->node, bench->now, &poll);
    return poll;
}

static inline void check_state(const bench_t *bench, breaker__agreement_state_t state)
{
    assert_int_equal(breaker__agreement_state(bench->node), state);
}

static inline void check_own(const bench_t *bench, const char *text)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(bench->node);

    if (text == NULL) {
        assert_null(own);
        return;
    }
    assert_non_null(own);
    assert_string_equal(own->token.text, text);
    assert_string_equal(own->release.text, "mine");
}

/* answers, as the last time, until polls do not follow each other faster any more */
static inline void let_hurry_pass(bench_t *bench, char mark)
{
    uint64_t until = bench->now.mono_ms + 2500;

    while (bench->now.mono_ms < until || !bench->last.poll)
        if (bench->last.poll)
            answer_unchanged(bench, mark);
        else
            wake(bench);
    answer_unchanged(bench, mark);
}

/* lets the connection be refused until something else than the redial is due */
static inline void stay_down_until(bench_t *bench, uint64_t mono_ms)
{
    while (bench->now.mono_ms < mono_ms) {
        if (bench->last.dial)
            down(bench);
        else
            wake(bench);
    }
}

#endif
