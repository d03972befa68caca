/*
 * What a poll brings along and asks for: the own entry always, what Redis lost, nothing that Redis
 * dropped; and nothing at all to do where there is nothing new.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "agreement_bench.h"
#include "cluster/agreement.h"
#include "cluster/ledger.h"

enum { DEPLOYS = 100, LIVING = 40 };

/* the entries of so many deploys, each of a release of its own; tokens that nobody minted */
static size_t deploy(breaker_ledger_entry_t *dst, unsigned first, size_t num)
{
    char name[16], release[16];

    for (size_t i = 0; i != num; ++i) {
        snprintf(name, sizeof(name), "9f3c%x", first + (unsigned)i);
        snprintf(release, sizeof(release), "r%u", first + (unsigned)i);
        dst[i] = entry(1000 + first + i, name, release);
    }
    return num;
}

static bool knows(const bench_t *bench, const char *text)
{
    return breaker__ledger_find(breaker__agreement_ledger(bench->node), text, strlen(text)) != NULL;
}

static bool brings(const breaker__poll_t *poll, const char *text)
{
    for (size_t i = 0; i != poll->num_entries; ++i)
        if (strcmp(poll->entries[i].token.text, text) == 0)
            return true;
    return false;
}

/* ---- the ledger ---- */

/* Redis keeps it because the node lives; a node that Redis does not tell of it keeps it itself */
static void the_own_entry_stays_in_the_ledger_however_many_deploys_follow(void **state)
{
    breaker_ledger_entry_t own = entry(5, "v1.9.0", "mine"), there[BREAKER_LEDGER_SHARED_MAX];
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &own, 1);
    up(&bench);
    for (unsigned first = 0; first < DEPLOYS; first += 10) {
        answer(&bench, (char)('0' + first / 10), there,
               deploy(there, first, BREAKER_LEDGER_HISTORY));
        check_own(&bench, "v1.9.0");
        assert_true(knows(&bench, "v1.9.0"));
        assert_true(brings(&(breaker__poll_t[]){poll_of(&bench)}[0], "v1.9.0"));
        wake(&bench);
    }
    assert_int_equal(breaker_ledger_size(breaker__agreement_ledger(bench.node)),
                     BREAKER_LEDGER_MAX);
    end(&bench);
}

/* forty releases live, some of them from long before the newest deploys */
static void what_redis_shows_stays_whatever_a_node_remembers_beside_it(void **state)
{
    breaker_ledger_entry_t there[BREAKER_LEDGER_SHARED_MAX], history[BREAKER_LEDGER_MAX];
    char name[16];
    bench_t bench;
    size_t num;

    (void)state;
    bench_init(&bench);
    /* the state file is full of deploys that are between the old ones and the new ones */
    deploy(history, 100, BREAKER_LEDGER_MAX - 1);
    history[BREAKER_LEDGER_MAX - 1] = entry(5, "v1.9.0", "mine");
    begin(&bench, history, BREAKER_LEDGER_MAX);
    up(&bench);
    num = deploy(there, 0, LIVING);
    num += deploy(there + num, 500, BREAKER_LEDGER_SHARED_MAX - LIVING - 1);
    there[num++] = history[BREAKER_LEDGER_MAX - 1];
    answer(&bench, 'a', there, num);
    for (unsigned i = 0; i != LIVING; ++i) {
        snprintf(name, sizeof(name), "9f3c%x", i);
        assert_true(knows(&bench, name));
    }
    assert_true(knows(&bench, "v1.9.0"));
    /* of the rest the newest */
    assert_true(knows(&bench, "9f3ca2"));
    assert_false(knows(&bench, "9f3ca1"));
    end(&bench);
}

static void a_release_of_its_own_finds_room_in_a_full_ledger_without_redis(void **state)
{
    breaker_ledger_entry_t history[BREAKER_LEDGER_MAX];
    bench_t bench;

    (void)state;
    bench_init(&bench);
    bench.config.fixed = token("v1.10.0");
    begin(&bench, history, deploy(history, 0, BREAKER_LEDGER_MAX));
    stay_down_until(&bench, START_MS + 1500);
    check_own(&bench, "v1.10.0");
    assert_true(knows(&bench, "v1.10.0"));
    assert_false(knows(&bench, "9f3c0"));
    end(&bench);
}

/* ---- what is sent again ---- */

static void a_wipe_is_refilled_whole(void **state)
{
    breaker_ledger_entry_t there[BREAKER_LEDGER_SHARED_MAX], own = entry(5, "v1.9.0", "mine");
    size_t num = BREAKER_LEDGER_SHARED_MAX - 1;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    deploy(there, 0, num);
    there[num++] = own;
    answer(&bench, 'a', there, num);
    assert_int_equal(poll_of(&bench).num_entries, 1);
    wake(&bench);
    /* flushed under a standing connection, and one node has put its own entry back already */
    answer(&bench, 'b', there, 1);
    assert_int_equal(poll_of(&bench).num_entries, num - 1);
    assert_string_equal(poll_of(&bench).entries[0].token.text, "v1.9.0");
    /* and a new connection may be to a server without anything */
    down(&bench);
    wake(&bench);
    up(&bench);
    assert_int_equal(poll_of(&bench).num_entries, num);
    end(&bench);
}

static void what_is_older_than_all_that_redis_keeps_for_their_age_is_not_sent_again(void **state)
{
    breaker_ledger_entry_t there[BREAKER_LEDGER_SHARED_MAX + 1], own = entry(5, "v1.9.0", "mine");
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, &own, 1);
    up(&bench);
    answer(&bench, 'a', there, deploy(there, 0, 40));
    assert_int_equal(poll_of(&bench).num_entries, 1);
    wake(&bench);
    /* eight are dead by now, and the own one stays for the node that lives */
    deploy(there, 8, BREAKER_LEDGER_HISTORY);
    there[BREAKER_LEDGER_HISTORY] = own;
    answer(&bench, 'b', there, BREAKER_LEDGER_HISTORY + 1);
    assert_true(knows(&bench, "9f3c0"));
    assert_int_equal(poll_of(&bench).num_entries, 1);
    wake(&bench);
    /* an old backup: what is newer than that is */
    deploy(there, 0, BREAKER_LEDGER_HISTORY);
    there[BREAKER_LEDGER_HISTORY] = own;
    answer(&bench, 'c', there, BREAKER_LEDGER_HISTORY + 1);
    assert_int_equal(poll_of(&bench).num_entries, 1 + 8);
    end(&bench);
}

/* living releases fill Redis, so that there is less room for history than for what lives */
static void what_redis_did_not_keep_is_not_sent_again(void **state)
{
    breaker_ledger_entry_t there[BREAKER_LEDGER_SHARED_MAX], saved[12];
    bench_t bench;
    size_t num;

    (void)state;
    bench_init(&bench);
    /* ten deploys that would be among the newest 32 */
    num = deploy(saved, 100, 10);
    saved[num++] = entry(5, "v1.9.0", "mine");
    begin(&bench, saved, num);
    up(&bench);
    assert_int_equal(poll_of(&bench).num_entries, num);
    num = deploy(there, 0, 50);
    num += deploy(there + num, 200, BREAKER_LEDGER_SHARED_MAX - 51);
    there[num++] = entry(5, "v1.9.0", "mine");
    answer(&bench, 'a', there, num);
    assert_int_equal(poll_of(&bench).num_entries, 1);
    wake(&bench);
    answer_unchanged(&bench, 'a');
    assert_int_equal(poll_of(&bench).num_entries, 1);
    /* but where it was wiped since */
    wake(&bench);
    answer(&bench, 'b', there + num - 1, 1);
    assert_true(brings(&(breaker__poll_t[]){poll_of(&bench)}[0], "9f3c6d"));
    end(&bench);
}

/* a clock that was years ahead made "v1" anew, and Redis has forgotten that it is an old token */
static void an_operators_token_stands_below_what_became_of_it(void **state)
{
    breaker_ledger_entry_t ahead = entry(WALL + 9000, "v1", "mine");
    breaker_ledger_entry_t there[] = {entry(WALL, "t", "other"),
                                      entry(1718539201300, "v1.1718539201300", "mine")};
    const breaker_ledger_t *ledger;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    bench.config.fixed = token("v1");
    begin(&bench, &ahead, 1);
    check_own(&bench, "v1");
    up(&bench);
    answer(&bench, 'a', there, 2);
    check_own(&bench, "v1.1718539201300");
    ledger = breaker__agreement_ledger(bench.node);
    assert_string_equal(breaker_ledger_newest(ledger, NULL)->token.text, "v1.1718539201300");
    end(&bench);
}

/* ---- what is asked for ---- */

/* a node whose own entry is in Redis, answered once on this connection */
static void begin_held(bench_t *bench)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine")};

    bench_init(bench);
    begin(bench, there, 2);
    up(bench);
    assert_int_equal(poll_of(bench).act, BREAKER__ACT_MINT);
    answer(bench, 'a', there, 2);
    wake(bench);
    assert_true(bench->last.poll);
}

static void a_node_that_was_answered_and_lacks_nothing_holds(void **state)
{
    breaker__poll_t poll;
    bench_t bench;

    (void)state;
    begin_held(&bench);
    for (int i = 0; i != 10; ++i) {
        poll = poll_of(&bench);
        assert_int_equal(poll.act, BREAKER__ACT_HOLD);
        assert_int_equal(poll.digest[0], 'a');
        assert_int_equal(poll.num_entries, 1);
        assert_string_equal(poll.entries[0].token.text, "t20");
        answer_unchanged(&bench, 'a');
        wake(&bench);
    }
    end(&bench);
}

/* every five minutes: 600 polls take 600 to 720 s */
static void now_and_then_a_node_says_all_although_it_could_hold(void **state)
{
    bench_t bench;
    unsigned num_whole = 0;

    (void)state;
    begin_held(&bench);
    for (int i = 0; i != 600; ++i) {
        num_whole += poll_of(&bench).act == BREAKER__ACT_MINT;
        answer_unchanged(&bench, 'a');
        wake(&bench);
    }
    assert_int_equal(num_whole, 2);
    end(&bench);
}

static void a_new_connection_is_asked_before_anything_is_held(void **state)
{
    bench_t bench;

    (void)state;
    begin_held(&bench);
    down(&bench);
    while (!bench.last.dial)
        wake(&bench);
    up(&bench);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    end(&bench);
}

static void what_redis_lacks_is_more_than_held(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine"),
                                      entry(30, "t30", "other")};
    bench_t bench;

    (void)state;
    begin_held(&bench);
    /* newer ones of others are nothing to do */
    answer(&bench, 'b', there, 3);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_HOLD);
    wake(&bench);
    answer(&bench, 'c', there + 1, 2);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    assert_int_equal(poll_of(&bench).num_entries, 2);
    wake(&bench);
    answer(&bench, 'd', there, 3);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_HOLD);
    wake(&bench);
    /* the own entry is missing, or a newer one of the release is */
    answer(&bench, 'e', (breaker_ledger_entry_t[]){there[0], there[2]}, 2);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    end(&bench);
}

static void an_own_entry_below_the_newest_of_its_release_is_not_held(void **state)
{
    /* t30 was another release's before: it is not adopted */
    breaker_ledger_entry_t saved[] = {entry(20, "t20", "mine"), entry(30, "t30", "other")};
    breaker_ledger_entry_t there[] = {entry(20, "t20", "mine"), entry(30, "t30", "mine")};
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, saved, 2);
    up(&bench);
    answer(&bench, 'a', there, 2);
    check_own(&bench, "t20");
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    end(&bench);
}

static void another_release_is_asked_for_before_it_is_held(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine"),
                                      entry(40, "t40", "next")};
    breaker_release_id_t next = release_of("next");
    bench_t bench;

    (void)state;
    begin_held(&bench);
    /* the poll under way is the old release's, so its answer is none to the new one */
    bench.last = breaker__agreement_on_release(bench.node, bench.now, &next, NULL, NULL);
    answer(&bench, 'b', there, 3);
    assert_string_equal(breaker__agreement_own(bench.node)->token.text, "t40");
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    while (!bench.last.poll)
        wake(&bench);
    answer_unchanged(&bench, 'b');
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_HOLD);
    end(&bench);
}

static void another_token_of_the_operators_is_asked_for_before_it_is_held(void **state)
{
    breaker_release_id_t mine = release_of("mine");
    breaker_token_t fixed = token("v2");
    bench_t bench;

    (void)state;
    begin_held(&bench);
    answer_unchanged(&bench, 'a');
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_HOLD);
    bench.last = breaker__agreement_on_release(bench.node, bench.now, &mine, &fixed, NULL);
    assert_true(bench.last.poll);
    assert_int_equal(poll_of(&bench).act, BREAKER__ACT_MINT);
    end(&bench);
}

/* ---- reasons ---- */

/* an answer in which each entry has this reason ("j"oin, "s"ilence, or " " for none) */
static void answer_with_reasons(bench_t *bench, char mark, const breaker_ledger_entry_t *entries,
                                const char *whys)
{
    breaker_answer_t made = {.num_entries = strlen(whys)};

    memset(made.digest, mark, 40);
    for (size_t i = 0; i != made.num_entries; ++i) {
        made.entries[i] = entries[i];
        made.origins[i].when_ms = 1000 + i;
        made.origins[i].why = whys[i] == 'j'   ? BREAKER_WHY_JOIN
                              : whys[i] == 's' ? BREAKER_WHY_SILENCE
                                               : BREAKER_WHY_UNKNOWN;
    }
    bench->last = breaker__agreement_on_answer(bench->node, bench->now, &made);
}

static void reasons_are_put_back_with_their_entries(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine"),
                                      entry(30, "t30", "other")};
    breaker__poll_t poll;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer_with_reasons(&bench, 'a', there, "jsj");
    /* somebody has forgotten; we have not */
    wake(&bench);
    answer_with_reasons(&bench, 'b', there, "j  ");
    wake(&bench);
    answer(&bench, 'c', NULL, 0);
    poll = poll_of(&bench);
    assert_int_equal(poll.num_entries, 3);
    assert_string_equal(poll.entries[0].token.text, "t20");
    assert_int_equal(poll.origins[0].why, BREAKER_WHY_SILENCE);
    assert_int_equal(poll.origins[0].when_ms, 1001);
    assert_string_equal(poll.entries[1].token.text, "t30");
    assert_int_equal(poll.origins[1].why, BREAKER_WHY_JOIN);
    end(&bench);
}

/* the own entry is ours whoever else has its token, and was not made for the other's reason */
static void a_reason_is_that_of_one_release(void **state)
{
    breaker_ledger_entry_t there[] = {entry(10, "t10", "other"), entry(20, "t20", "mine"),
                                      entry(30, "t30", "other")};
    breaker__poll_t poll;
    bench_t bench;

    (void)state;
    bench_init(&bench);
    begin(&bench, NULL, 0);
    up(&bench);
    answer_with_reasons(&bench, 'a', there, "jjj");
    wake(&bench);
    there[1].release = release_of("other");
    answer_with_reasons(&bench, 'b', there, "jsj");
    poll = poll_of(&bench);
    assert_string_equal(poll.entries[0].token.text, "t20");
    assert_string_equal(poll.entries[0].release.text, "mine");
    assert_int_equal(poll.origins[0].why, BREAKER_WHY_UNKNOWN);
    end(&bench);
}

/* ---- clocks ---- */

/* what it would mint sorts below everything that was ever minted */
static void a_clock_that_was_never_set_is_not_minted_with(void **state)
{
    static const struct {
        uint64_t wall_ms, redis_ms, said_ms;
    } cases[] = {
        {7000, WALL, WALL},
        {WALL - 60001, WALL, WALL},
        {WALL - 60000, WALL, WALL - 60000},
        {WALL + 60001, WALL, WALL + 60001},
        {7000, 0, 7000},
        /* nor is one that no clock of a healthy server shows */
        {WALL, (UINT64_C(1) << 53) - 1, WALL},
        {7000, UINT64_C(10000000000000), 7000},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        bench_t bench;
        bench_init(&bench);
        bench.now.wall_ms = cases[i].wall_ms;
        begin(&bench, NULL, 0);
        up(&bench);
        assert_int_equal(poll_of(&bench).wall_ms, cases[i].wall_ms);
        bench.fleet.now_ms = cases[i].redis_ms;
        answer(&bench, 'a', NULL, 0);
        pass(&bench, 500);
        assert_int_equal(poll_of(&bench).wall_ms, cases[i].said_ms + 500);
        /* its own proposal is no worse */
        down(&bench);
        stay_down_until(&bench, START_MS + 1500);
        assert_int_equal(breaker__agreement_own(bench.node)->order, cases[i].said_ms + 1500);
        end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_entry_stays_in_the_ledger_however_many_deploys_follow),
        cmocka_unit_test(what_redis_shows_stays_whatever_a_node_remembers_beside_it),
        cmocka_unit_test(a_release_of_its_own_finds_room_in_a_full_ledger_without_redis),
        cmocka_unit_test(a_wipe_is_refilled_whole),
        cmocka_unit_test(what_is_older_than_all_that_redis_keeps_for_their_age_is_not_sent_again),
        cmocka_unit_test(what_redis_did_not_keep_is_not_sent_again),
        cmocka_unit_test(an_operators_token_stands_below_what_became_of_it),
        cmocka_unit_test(a_node_that_was_answered_and_lacks_nothing_holds),
        cmocka_unit_test(now_and_then_a_node_says_all_although_it_could_hold),
        cmocka_unit_test(a_new_connection_is_asked_before_anything_is_held),
        cmocka_unit_test(what_redis_lacks_is_more_than_held),
        cmocka_unit_test(an_own_entry_below_the_newest_of_its_release_is_not_held),
        cmocka_unit_test(another_release_is_asked_for_before_it_is_held),
        cmocka_unit_test(another_token_of_the_operators_is_asked_for_before_it_is_held),
        cmocka_unit_test(reasons_are_put_back_with_their_entries),
        cmocka_unit_test(a_reason_is_that_of_one_release),
        cmocka_unit_test(a_clock_that_was_never_set_is_not_minted_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
