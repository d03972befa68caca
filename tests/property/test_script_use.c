/*
 * What a poll costs Redis, what a user needs for it, and what is an error, by the script in a real
 * Redis. Cost is counted in commands that Redis carries out, which no other process disturbs.
 */
#include <unistd.h>
#include "script_bench.h"

/* ---- cost ---- */

/* how often each command was carried out since the last reset; 0: never */
static unsigned calls_of(const char *stats, const char *name)
{
    char line[64];
    const char *found;

    snprintf(line, sizeof(line), "cmdstat_%s:calls=", name);
    found = strstr(stats, line);
    return found != NULL ? (unsigned)strtoul(found + strlen(line), NULL, 10) : 0;
}

static unsigned all_calls(const char *stats)
{
    unsigned num = 0;

    for (const char *at = stats; (at = strstr(at, ":calls=")) != NULL; at += 7)
        num += (unsigned)strtoul(at + 7, NULL, 10);
    return num - calls_of(stats, "config|resetstat") - calls_of(stats, "config") -
           calls_of(stats, "info");
}

static void add_entries(const bench_t *bench, unsigned num)
{
    char score[16], member[32];

    for (unsigned i = 0; i != num; ++i) {
        snprintf(score, sizeof(score), "%u", 1 + i);
        snprintf(member, sizeof(member), "v%u r%u", i, i);
        must(bench, "ZADD", LEDGER, score, member, NULL);
    }
}

static void add_nodes(const bench_t *bench, const char *num)
{
    static const char script[] = "local time = redis.call('TIME')[1] * 1000 "
                                 "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], "
                                 "string.format('%.0f', time), 'mine - x' .. i) end";

    must(bench, "EVAL", script, "1", NODES, num, NULL);
}

/* all that `ask` says, but nothing is needed: what the answer before had is known */
static resp_t *hold(const bench_t *bench, const ask_t *ask)
{
    ask_t held = *ask;
    resp_t *before = poll(bench, ask), *after;

    held.act = "hold";
    held.digest = at(before, ANSWER_DIGEST)->text;
    after = poll(bench, &held);
    assert_string_equal(at(after, ANSWER_DIGEST)->text, at(before, ANSWER_DIGEST)->text);
    resp_free(before);
    return after;
}

static resp_t *count_commands_of_a_hold(const bench_t *bench, const ask_t *ask)
{
    ask_t held = *ask;
    resp_t *before = poll(bench, ask), *after;

    held.act = "hold";
    held.digest = at(before, ANSWER_DIGEST)->text;
    /* the first one of a release below another looks whether that one lives */
    tell(bench, &held);
    must(bench, "CONFIG", "RESETSTAT", NULL);
    after = poll(bench, &held);
    assert_int_equal(at(after, ANSWER_LEDGER)->type, RESP_NIL);
    resp_free(after);
    resp_free(before);
    return command(bench->admin, "INFO", "commandstats", NULL);
}

static void a_poll_to_which_nothing_is_new_costs_the_same_at_any_size(void **state)
{
    static const struct {
        unsigned num_entries;
        const char *num_nodes, *release;
        /* the script and what it calls; once in a while it is noted that time has passed and how
         * large the fleet is, and below the top whether the one above lives */
        unsigned calls_min, calls_max;
    } cases[] = {
        {1, "1", "mine", 5, 7},     {1, "2000", "mine", 5, 7}, {30, "1", "mine", 5, 7},
        {30, "2000", "mine", 5, 7}, {30, "2000", "r5", 5, 9},
    };
    const bench_t *bench = *state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        resp_t *stats;
        flush(bench);
        add_entries(bench, cases[i].num_entries);
        add_nodes(bench, cases[i].num_nodes);
        tell(bench, ASK(.id = "n1", .dead = "400000", .poll = "60000"));
        stats = count_commands_of_a_hold(
            bench, ASK(.release = cases[i].release, .id = "n2", .dead = "400000", .poll = "60000"));
        /* neither entries nor nodes */
        assert_int_equal(calls_of(stats->text, "zrange"), 0);
        assert_int_equal(calls_of(stats->text, "hgetall"), 0);
        assert_int_equal(calls_of(stats->text, "evalsha"), 1);
        assert_true(all_calls(stats->text) >= cases[i].calls_min);
        assert_true(all_calls(stats->text) <= cases[i].calls_max);
        resp_free(stats);
    }
}

static void a_hold_only_notes_that_the_node_lives(void **state)
{
    const bench_t *bench = *state;
    resp_t *answer, *before, *after;

    flush(bench);
    tell(bench, ASK(.id = "n1"));
    before = command(bench->admin, "ZRANGE", LEDGER, "0", "-1", "WITHSCORES", NULL);
    must(bench, "ZADD", NODES, "1", "mine - n1", NULL);
    answer = hold(bench, ASK(.id = "n1"));
    assert_int_equal(at(answer, ANSWER_LEDGER)->type, RESP_NIL);
    assert_int_equal(at(answer, ANSWER_PAGE)->type, RESP_NIL);
    resp_free(answer);
    after = command(bench->admin, "ZSCORE", NODES, "mine - n1", NULL);
    assert_true(strlen(after->text) > 10);
    resp_free(after);
    after = command(bench->admin, "ZRANGE", LEDGER, "0", "-1", "WITHSCORES", NULL);
    assert_int_equal(after->num_elements, before->num_elements);
    resp_free(before);
    resp_free(after);
}

/* at once where the number of entries is another one, else with the next look */
static void what_somebody_else_writes_to_the_ledger_is_noticed(void **state)
{
    static const struct {
        const char *write[5];
        bool is_counted;
        const char *expected;
    } cases[] = {
        {{"ZADD", LEDGER, "500", "v1 other"},
         true,
         "500 v1 other|1000 000000001000 mine|2000 v9 other|"},
        {{"ZREM", LEDGER, "v9 other"}, true, "1000 000000001000 mine|"},
        {{"DEL", LEDGER}, true, "1000 000000001000 mine|"},
        {{"ZADD", LEDGER, "1500", "v9 other"}, false, "1000 000000001000 mine|1500 v9 other|"},
    };
    const bench_t *bench = *state;
    ask_t ask = *ASK(.dead = "400000", .entries = {"1000 000000001000 mine"});

    for (size_t i = 0; i != COUNT(cases); ++i) {
        const char *const *write = cases[i].write;
        resp_t *before;
        flush(bench);
        must(bench, "ZADD", LEDGER, "2000", "v9 other", NULL);
        ask.act = "mint";
        ask.digest = "";
        before = poll(bench, &ask);
        ask.act = "hold";
        ask.digest = at(before, ANSWER_DIGEST)->text;
        must(bench, write[0], write[1], write[2], write[3], NULL);
        if (!cases[i].is_counted)
            must(bench, "HINCRBY", STATE, "hashed", "-10000", NULL);
        check_answer(bench, &ask, cases[i].expected);
        resp_free(before);
    }
}

static void a_hold_of_another_ledger_is_a_poll_as_any_other(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.act = "hold"), "1000 000000001000 mine|");
    check_answer(bench, ASK(.act = "hold", .release = "next", .digest = "x"),
                 "1000 000000001000 mine|1341 000000001341 next|");
}

/* ---- who may what ---- */

static void a_node_may_do_nothing_else(void **state)
{
    static const char *const refused[][4] = {
        {"GET", LEDGER},
        {"DEL", LEDGER},
        {"FLUSHALL"},
        {"ZRANGE", "other", "0", "-1"},
    };
    const bench_t *bench = *state;

    for (size_t i = 0; i != COUNT(refused); ++i) {
        resp_t *reply =
            command(bench->node, refused[i][0], refused[i][1], refused[i][2], refused[i][3], NULL);
        assert_int_equal(reply->type, RESP_ERROR);
        assert_non_null(strstr(reply->text, "NOPERM"));
        resp_free(reply);
    }
}

static void a_viewer_sees_all_and_changes_nothing(void **state)
{
    const bench_t *bench = *state;
    int viewer = bench_connect(bench, "viewer");
    resp_t *reply;

    flush(bench);
    tell(bench, ASK(.id = "n1"));
    reply = poll_through(
        viewer, ASK(.act = "read", .release = "", .id = "", .cursor = "", .releases = "releases"));
    check_ledger(reply, "1000 000000001000 mine|");
    assert_int_equal(at(reply, ANSWER_RELEASES)->num_elements, 1);
    assert_int_equal(at(reply, ANSWER_PAGE)->num_elements, 1);
    resp_free(reply);
    reply = poll_through(viewer, ASK(.release = "next"));
    assert_int_equal(reply->type, RESP_ERROR);
    resp_free(reply);
    close(viewer);
    check_answer(bench, ASK(.act = "read"), "1000 000000001000 mine|");
}

static void a_script_that_is_lost_is_said_to_be_missing(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    must(bench, "SCRIPT", "FLUSH", NULL);
    check_error(bench, ASK(.id = "n1"), "NOSCRIPT");
    bench_load(bench);
    check_answer(bench, ASK(.id = "n1"), "1000 000000001000 mine|");
}

static void a_user_without_evalsha_is_told_so(void **state)
{
    const bench_t *bench = *state;

    must(bench, "ACL", "SETUSER", "breaker", "-evalsha", NULL);
    check_error(bench, ASK(.id = "n1"), "NOPERM");
    check_error(bench, ASK(.id = "n1"), "evalsha");
    must(bench, "ACL", "SETUSER", "breaker", "+evalsha", NULL);
    flush(bench);
    check_answer(bench, ASK(.id = "n1"), "1000 000000001000 mine|");
}

/* ---- errors ---- */

static void keys_of_the_wrong_type_are_an_error_and_nothing_was_begun(void **state)
{
    static const char *const keys[] = {LEDGER, NODES, STATE, INFO};
    const bench_t *bench = *state;
    resp_t *reply;

    for (size_t i = 0; i != COUNT(keys); ++i) {
        flush(bench);
        must(bench, "SET", keys[i], "someone's", NULL);
        check_error(bench, ASK(.entries = {"5 v5 mine"}), "WRONGTYPE");
        reply = command(bench->admin, "GET", keys[i], NULL);
        assert_string_equal(reply->text, "someone's");
        resp_free(reply);
        assert_int_equal(must_tell(bench, "DBSIZE", NULL), 1);
    }
}

static void malformed_arguments_are_errors_and_nothing_was_begun(void **state)
{
    const bench_t *bench = *state;
    const ask_t *const asks[] = {
        ASK(.act = ""),
        ASK(.act = "hodl"),
        ASK(.release = "a b"),
        ASK(.release = ""),
        ASK(.release = ".."),
        ASK(.address = ""),
        ASK(.address = "a b"),
        ASK(.id = "a b"),
        ASK(.id = "a\nb"),
        ASK(.clock = "x"),
        ASK(.clock = "-1"),
        ASK(.clock = "9007199254740992"),
        ASK(.clock = "nan"),
        ASK(.dead = ""),
        ASK(.dead = "1.5"),
        ASK(.dead = "inf"),
        ASK(.poll = "x"),
        ASK(.poll = "-1"),
        ASK(.act = "hold", .clock = "x"),
        ASK(.act = "leave", .release = ""),
    };

    flush(bench);
    for (size_t i = 0; i != COUNT(asks); ++i)
        check_error(bench, asks[i], "malformed arguments");
    assert_int_equal(must_tell(bench, "DBSIZE", NULL), 0);
}

static void malformed_entries_are_errors(void **state)
{
    static const char *const entries[] = {
        "",
        "x v1 mine",
        "1 v1",
        "1 v1 ",
        "1  mine",
        "-1 v1 mine",
        "1.5 v1 mine",
        "1 v/1 mine",
        "1 .. mine",
        "1 v1 ..",
        "9007199254740992 v1 mine",
    };
    const bench_t *bench = *state;

    flush(bench);
    for (size_t i = 0; i != COUNT(entries); ++i)
        check_error(bench, ASK(.entries = {entries[i]}), "malformed entry");
    check_error(bench, ASK(.suffix = "/"), "no order left");
}

static void a_reason_that_is_none_is_passed_by(void **state)
{
    static const char *const reasons[] = {
        "",
        " ",
        " silence",
        " silence top",
        " silence top ",
        " silence top x",
        " because top 5",
        " silence a/b 5",
        " silence top 5 6",
        " silence top 9007199254740992",
    };
    const bench_t *bench = *state;
    char entry[64];

    for (size_t i = 0; i != COUNT(reasons); ++i) {
        flush(bench);
        tell(bench, ASK(.release = "other", .entries = {"1 v1 other"}));
        snprintf(entry, sizeof(entry), "5000 v2 mine%s", reasons[i]);
        tell(bench, ASK(.release = "other", .entries = {"1 v1 other", entry}));
        check_reason(bench, "- -");
    }
    tell(bench, ASK(.release = "other", .entries = {"1 v1 other", "6000 v3 mine silence top 5"}));
    check_reason(bench, "silence top");
}

static void an_entry_that_nobody_of_ours_wrote_drives_none_of_ours_out(void **state)
{
    const bench_t *bench = *state;
    char member[32];

    flush(bench);
    tell(bench, ASK(.release = "old", .id = "", .clock = "10"));
    for (int i = 0; i != 100; ++i) {
        snprintf(member, sizeof(member), "junk%d", i);
        must(bench, "ZADD", LEDGER, "5000", member, NULL);
    }
    check_answer(bench, ASK(.id = "n1"), "10 000000000010 old|1000 000000001000 mine|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_to_which_nothing_is_new_costs_the_same_at_any_size),
        cmocka_unit_test(a_hold_only_notes_that_the_node_lives),
        cmocka_unit_test(what_somebody_else_writes_to_the_ledger_is_noticed),
        cmocka_unit_test(a_hold_of_another_ledger_is_a_poll_as_any_other),
        cmocka_unit_test(a_node_may_do_nothing_else),
        cmocka_unit_test(a_viewer_sees_all_and_changes_nothing),
        cmocka_unit_test(a_script_that_is_lost_is_said_to_be_missing),
        cmocka_unit_test(a_user_without_evalsha_is_told_so),
        cmocka_unit_test(keys_of_the_wrong_type_are_an_error_and_nothing_was_begun),
        cmocka_unit_test(malformed_arguments_are_errors_and_nothing_was_begun),
        cmocka_unit_test(malformed_entries_are_errors),
        cmocka_unit_test(a_reason_that_is_none_is_passed_by),
        cmocka_unit_test(an_entry_that_nobody_of_ours_wrote_drives_none_of_ours_out),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
