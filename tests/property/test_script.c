/*
 * The rules of the ledger, one by one, by the script in a real Redis: who gets which token, and
 * what is kept. Of silence and of nodes see test_script_life.c.
 */
#include "script_bench.h"

#define EMPTY_DIGEST "da39a3ee5e6b4b0d3255bfef95601890afd80709"
/** of the script's own */
enum { HISTORY = 32, KEPT = 63 };

static uint64_t newest_order(const bench_t *bench)
{
    resp_t *reply = command(bench->admin, "ZRANGE", LEDGER, "-1", "-1", "WITHSCORES", NULL);
    uint64_t order = strtoull(at(reply, 1)->text, NULL, 10);

    resp_free(reply);
    return order;
}

/* how the line of the ledger begins */
static void check_line(const resp_t *reply, size_t index, const char *expected)
{
    const char *line = at(at(reply, ANSWER_LEDGER), index)->text;

    if (strncmp(line, expected, strlen(expected)) != 0)
        fail_msg("%s, not %s", line, expected);
}

/* Above a newest order that its clock is not above a release leaves out as many orders as its
 * spread: "mine" 517, "new" 77, "next" 340, "top" 363, "c" 99 */

static void an_empty_ledger_is_minted_into_unless_the_node_settles(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.act = "settle"), "");
    check_answer(bench, ASK(.act = "settle"), "");
    check_answer(bench, ASK(.clock = "1718539201234"), "1718539201234 1718539201234 mine|");
    check_answer(bench, ASK(.clock = "1718539209999"), "1718539201234 1718539201234 mine|");
    check_answer(bench, ASK(.release = "new", .act = "settle", .clock = "5"),
                 "1718539201234 1718539201234 mine|1718539201312 1718539201312 new|");
}

static void a_minted_token_is_padded_and_has_its_suffix(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.clock = "1000", .suffix = "-a1b2c3d4"),
                 "1000 000000001000-a1b2c3d4 mine|");
}

static void a_clock_may_run_ahead_of_redis_by_a_minute_only(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    reply = poll(bench, ASK(.clock = "9007199254740991"));
    assert_int_equal(strtoll(at(at(reply, ANSWER_LEDGER), 0)->text, NULL, 10),
                     at(reply, ANSWER_NOW)->integer + 60000);
    resp_free(reply);
}

static void what_a_node_knows_is_merged_and_the_birth_wins(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.entries = {"30 v3 mine", "10 v1 old", "20 v2 old"}),
                 "10 v1 old|20 v2 old|30 v3 mine|");
    check_answer(bench, ASK(.entries = {"40 v3 mine", "15 v2 old"}),
                 "10 v1 old|15 v2 old|30 v3 mine|");
    check_answer(bench, ASK(.entries = {"25 v3 mine"}), "10 v1 old|15 v2 old|25 v3 mine|");
}

static void of_two_releases_with_one_token_the_late_one_moves_on_once(void **state)
{
    static const char expected[] = "50 000000000050 first|1000 000000001000 mine|";
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.release = "first", .entries = {"50 000000000050 first"}),
                 "50 000000000050 first|");
    check_answer(bench, ASK(.entries = {"50 000000000050 mine"}), expected);
    /* the reply was lost */
    check_answer(bench, ASK(.clock = "2000", .entries = {"50 000000000050 mine"}), expected);
    /* a peer had the same */
    check_answer(bench, ASK(.id = "n2", .clock = "3000", .entries = {"50 000000000050 mine"}),
                 expected);
    check_answer(bench, ASK(.release = "first", .entries = {"50 000000000050 first"}), expected);
}

static void a_release_moves_on_from_a_token_that_a_node_knows_as_anothers(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.clock = "1000"), "1000 000000001000 mine|");
    check_answer(bench, ASK(.entries = {"1000 000000001000 other"}),
                 "1000 000000001000 mine|1518 000000001518 mine|");
    /* nobody's business */
    check_answer(bench,
                 ASK(.release = "third", .clock = "2000", .entries = {"1000 000000001000 other"}),
                 "1000 000000001000 mine|1518 000000001518 mine|2000 000000002000 third|");
}

static void an_operators_token_is_registered_and_moves_on_with_its_order(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.fixed = "v1"), "1000 v1 mine|");
    check_answer(bench, ASK(.fixed = "v1", .clock = "2000"), "1000 v1 mine|");
    check_answer(bench, ASK(.release = "next", .fixed = "v1"), "1000 v1 mine|1341 v1.1341 next|");
    /* the operator changes his mind, for the same files */
    check_answer(bench, ASK(.fixed = "v2"), "1000 v1 mine|1341 v1.1341 next|1859 v2 mine|");
    check_answer(bench, ASK(.fixed = "v1"), "1000 v1 mine|1341 v1.1341 next|1859 v2 mine|");
}

static void a_long_operators_token_is_cut_to_make_room_for_its_order(void **state)
{
    static const char longest[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const bench_t *bench = *state;
    char expected[256];

    flush(bench);
    tell(bench, ASK(.fixed = longest));
    snprintf(expected, sizeof(expected), "1000 %s mine|1341 %.59s.1341 next|", longest, longest);
    check_answer(bench, ASK(.release = "next", .fixed = longest), expected);
}

/*
 * The newest order lies ahead of all clocks. A release mints above it, a backup without it comes
 * back, and before a node of that release does another one mints above the same order.
 */
static void two_releases_that_mint_above_one_order_do_not_meet(void **state)
{
    const bench_t *bench = *state;
    char first[32], second[32];

    for (unsigned i = 0; i != 50; ++i) {
        uint64_t before, after;
        flush(bench);
        tell(bench, ASK(.release = "ahead", .clock = "10000"));
        snprintf(first, sizeof(first), "2026.11.%u-1", i);
        tell(bench, ASK(.release = first, .id = "n2"));
        before = newest_order(bench);
        must(bench, "ZREMRANGEBYRANK", LEDGER, "-1", "-1", NULL);
        snprintf(second, sizeof(second), "2026.11.%u-2", i);
        tell(bench, ASK(.release = second, .id = "n3"));
        after = newest_order(bench);
        assert_true(before > 10000);
        assert_true(after > 10000);
        assert_int_not_equal(before, after);
    }
}

static void an_operator_promotes_a_known_release(void **state)
{
    static const char promoted[] = "1000 000000001000 mine|1364 000000001364 top|"
                                   "1882 000000001882 mine|";
    const bench_t *bench = *state;
    const ask_t *promote = ASK(.act = "promote", .id = "");

    flush(bench);
    check_answer(bench, promote, "");
    tell(bench, ASK(.id = "n1"));
    tell(bench, ASK(.release = "top", .id = "n2"));
    check_answer(bench, promote, promoted);
    check_answer(bench, ASK(.release = "typo", .act = "promote", .id = ""), promoted);
    check_answer(bench, promote, promoted);
}

static void who_only_reads_changes_nothing(void **state)
{
    const bench_t *bench = *state;
    char *before, *after;

    flush(bench);
    tell(bench, ASK(.id = "n1"));
    before = all_there_is(bench);
    check_answer(bench,
                 ASK(.act = "read", .release = "", .id = "n9", .clock = "x", .dead = "x",
                     .poll = "x", .releases = "releases", .cursor = "", .entries = {"rubbish"}),
                 "1000 000000001000 mine|");
    after = all_there_is(bench);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void an_answer_to_an_up_to_date_node_is_the_digest_alone(void **state)
{
    const bench_t *bench = *state;
    resp_t *first, *second;

    flush(bench);
    first = poll(bench, ASK(.act = "settle"));
    assert_string_equal(at(first, ANSWER_DIGEST)->text, EMPTY_DIGEST);
    resp_free(first);
    first = poll(bench, ASK(.id = "n1"));
    second = poll(bench, ASK(.digest = at(first, ANSWER_DIGEST)->text,
                             .entries = {"1000 000000001000 mine"}));
    assert_string_equal(at(second, ANSWER_DIGEST)->text, at(first, ANSWER_DIGEST)->text);
    assert_int_equal(at(second, ANSWER_LEDGER)->type, RESP_NIL);
    resp_free(second);
    flush(bench);
    /* the same again after a wipe is the same ledger; another is not */
    second = poll(bench, ASK(.digest = at(first, ANSWER_DIGEST)->text,
                             .entries = {"1000 000000001000 mine"}));
    assert_int_equal(at(second, ANSWER_LEDGER)->type, RESP_NIL);
    resp_free(second);
    check_answer(bench, ASK(.digest = at(first, ANSWER_DIGEST)->text, .entries = {"999 v0 mine"}),
                 "999 v0 mine|1000 000000001000 mine|");
    resp_free(first);
}

/* ---- what is kept ---- */

static void add_history(const bench_t *bench, unsigned num)
{
    char score[16], member[32];

    for (unsigned i = 0; i != num; ++i) {
        snprintf(score, sizeof(score), "%u", 100 + i);
        snprintf(member, sizeof(member), "v%u other", i);
        must(bench, "ZADD", LEDGER, score, member, NULL);
    }
}

static void the_newest_are_kept_and_what_has_nodes(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    tell(bench, ASK(.release = "a", .id = "na", .clock = "1"));
    tell(bench, ASK(.release = "b", .id = "nb", .clock = "2"));
    add_history(bench, HISTORY + 8);
    reply = poll(bench, ASK(.release = "a", .id = "na", .entries = {"1 000000000001 a"}));
    assert_int_equal(at(reply, ANSWER_LEDGER)->num_elements, HISTORY + 2);
    check_line(reply, 0, "1 000000000001 a ");
    check_line(reply, 1, "2 000000000002 b ");
    check_line(reply, 2, "108 v8 other ");
    resp_free(reply);
    /* whose nodes are gone for long is history as all others */
    must(bench, "HINCRBY", STATE, "served", "600001", NULL);
    reply = poll(bench, ASK(.release = "a", .id = "na"));
    check_line(reply, 0, "1 000000000001 a ");
    check_line(reply, 1, "108 v8 other ");
    resp_free(reply);
}

static void members_that_nobody_of_ours_wrote_are_not_shown(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    must(bench, "ZADD", LEDGER, "1", "hello", NULL);
    must(bench, "ZADD", LEDGER, "2", "a/b mine", NULL);
    must(bench, "ZADD", LEDGER, "2.5", "v1 mine", NULL);
    must(bench, "ZADD", LEDGER, "inf", "v2 mine", NULL);
    must(bench, "ZADD", LEDGER, "-1", "v3 mine", NULL);
    check_answer(bench, ASK(.id = "n1"), "1000 000000001000 mine|");
}

static void the_end_of_the_numbers_is_an_error(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.entries = {"9007199254740991 v1 mine"}), "9007199254740991 v1 mine|");
    check_error(bench, ASK(.release = "next"), "no order left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ledger_is_minted_into_unless_the_node_settles),
        cmocka_unit_test(a_minted_token_is_padded_and_has_its_suffix),
        cmocka_unit_test(a_clock_may_run_ahead_of_redis_by_a_minute_only),
        cmocka_unit_test(what_a_node_knows_is_merged_and_the_birth_wins),
        cmocka_unit_test(of_two_releases_with_one_token_the_late_one_moves_on_once),
        cmocka_unit_test(a_release_moves_on_from_a_token_that_a_node_knows_as_anothers),
        cmocka_unit_test(an_operators_token_is_registered_and_moves_on_with_its_order),
        cmocka_unit_test(a_long_operators_token_is_cut_to_make_room_for_its_order),
        cmocka_unit_test(two_releases_that_mint_above_one_order_do_not_meet),
        cmocka_unit_test(an_operator_promotes_a_known_release),
        cmocka_unit_test(who_only_reads_changes_nothing),
        cmocka_unit_test(an_answer_to_an_up_to_date_node_is_the_digest_alone),
        cmocka_unit_test(the_newest_are_kept_and_what_has_nodes),
        cmocka_unit_test(members_that_nobody_of_ours_wrote_are_not_shown),
        cmocka_unit_test(the_end_of_the_numbers_is_an_error),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
