/*
 * Who lives and who stands where because of that, by the script in a real Redis: service time,
 * silence, the way back, and the nodes that are told of. Time is made by changing what the script
 * remembers; intervals are so long that the time that the test itself takes is nothing beside them.
 */
#include <unistd.h>
#include "script_bench.h"

/* with a poll a minute, and a fleet of a few: living nodes are back within 1500 + 2 * 60000 + 2000
 * ms, and no dead-after below that and three intervals counts */
#define POLL .poll = "60000"
#define DEAD_AFTER_MS 400000
#define DEAD_AFTER .dead = "400000", POLL
enum { RETURN_MS = 123500, MARGIN_MS = 100000, PAGE = 100 };

/* "mine", then "top" above it */
#define MINE "1000 000000001000 mine|"
#define TOP "1364 000000001364 top|"
#define MINE_AGAIN "1882 000000001882 mine|"
#define TOP_AGAIN "2246 000000002246 top|"

static const ask_t *const mine = ASK(.dead = "400000", .poll = "60000");
static const ask_t *const top =
    ASK(.release = "top", .id = "n2", .dead = "400000", .poll = "60000");

static void add_to(const bench_t *bench, const char *field, long ms)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld", ms);
    must(bench, "HINCRBY", STATE, field, text, NULL);
}

/* Redis is there, and somebody polls, for so long: all were seen that much longer ago */
static void serve(const bench_t *bench, long ms)
{
    static const char age[] = "for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do "
                              "redis.call('ZINCRBY', KEYS[1], '-' .. ARGV[1], member) end";
    char text[32];

    add_to(bench, "served", ms);
    snprintf(text, sizeof(text), "%ld", ms);
    must(bench, "EVAL", age, "1", NODES, text, NULL);
}

/* nobody polls for so long; less than nothing: the clock is set back */
static void be_away(const bench_t *bench, long ms)
{
    add_to(bench, "heard", -ms);
}

static long long served_ms(const bench_t *bench)
{
    resp_t *reply = command(bench->admin, "HGET", STATE, "served", NULL);
    long long ms = strtoll(reply->text, NULL, 10);

    resp_free(reply);
    return ms;
}

static void begin(const bench_t *bench)
{
    flush(bench);
    check_answer(bench, mine, MINE);
    check_answer(bench, top, MINE TOP);
}

/* ---- silence ---- */

static void a_release_is_passed_when_it_is_silent_for_longer_than_dead_after(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    serve(bench, RETURN_MS + DEAD_AFTER_MS - MARGIN_MS);
    check_answer(bench, mine, MINE TOP);
    serve(bench, 2 * MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
    check_reason(bench, "silence top");
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
}

static void a_node_that_polls_keeps_its_release_alive(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    for (int i = 0; i != 5; ++i) {
        serve(bench, DEAD_AFTER_MS - MARGIN_MS);
        check_answer(bench, mine, MINE TOP);
        check_answer(bench, top, MINE TOP);
    }
}

static void an_outage_is_nobodys_silence(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    serve(bench, 2 * DEAD_AFTER_MS);
    be_away(bench, 3600000);
    check_answer(bench, mine, MINE TOP);
    /* silence counts anew, from when all who live are back */
    serve(bench, RETURN_MS + DEAD_AFTER_MS - MARGIN_MS);
    check_answer(bench, mine, MINE TOP);
    serve(bench, 2 * MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
}

static void a_clock_that_is_set_adds_nothing_to_service_time(void **state)
{
    static const long steps_ms[] = {3600000, -3600000, 86400000, -60000};
    const bench_t *bench = *state;

    begin(bench);
    for (size_t i = 0; i != COUNT(steps_ms); ++i) {
        long long before = served_ms(bench);
        be_away(bench, steps_ms[i]);
        check_answer(bench, mine, MINE TOP);
        assert_int_equal(served_ms(bench), before);
    }
}

static void a_gap_of_up_to_two_intervals_is_service_time(void **state)
{
    const bench_t *bench = *state;
    long long before;

    begin(bench);
    before = served_ms(bench);
    be_away(bench, 60000);
    check_answer(bench, mine, MINE TOP);
    assert_true(served_ms(bench) >= before + 60000);
    assert_true(served_ms(bench) < before + 120000);
}

static void what_is_remembered_may_be_lost(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    serve(bench, 2 * DEAD_AFTER_MS);
    must(bench, "DEL", STATE, NULL);
    check_answer(bench, mine, MINE TOP);
    serve(bench, RETURN_MS + DEAD_AFTER_MS - MARGIN_MS);
    check_answer(bench, mine, MINE TOP);
    serve(bench, 2 * MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
}

static void dead_after_is_the_longer_one_and_0_is_never(void **state)
{
    static const struct {
        const char *own, *others;
        bool is_passed;
    } cases[] = {
        {"400000", "400000", true},  {"400000", "1000", true}, {"1000", "1000", true},
        {"0", "400000", false},      {"400000", "0", false},   {"900000", "400000", false},
        {"400000", "900000", false},
    };
    const bench_t *bench = *state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        const ask_t *own = ASK(POLL, .dead = cases[i].own);
        flush(bench);
        check_answer(bench, own, MINE);
        check_answer(bench, ASK(.release = "top", .id = "n2", POLL, .dead = cases[i].others),
                     MINE TOP);
        serve(bench, RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
        check_answer(bench, own, cases[i].is_passed ? MINE TOP MINE_AGAIN : MINE TOP);
    }
}

static void of_several_that_live_the_newest_takes_the_place_of_a_dead_one(void **state)
{
    static const char before[] = "1000 000000001000 a|2000 000000002000 b|3000 000000003000 c|";
    static const char after[] = "1000 000000001000 a|2000 000000002000 b|3000 000000003000 c|"
                                "4000 000000004000 b|";
    const bench_t *bench = *state;
    const ask_t *a = ASK(.release = "a", .id = "na", .clock = "1000", DEAD_AFTER);
    const ask_t *b = ASK(.release = "b", .id = "nb", .clock = "2000", DEAD_AFTER);

    flush(bench);
    tell(bench, a);
    tell(bench, b);
    tell(bench, ASK(.release = "c", .id = "nc", .clock = "3000", DEAD_AFTER));
    for (int i = 0; i != 2; ++i) {
        serve(bench, DEAD_AFTER_MS - MARGIN_MS);
        check_answer(bench, a, before);
        if (i == 0)
            check_answer(bench, b, before);
    }
    check_answer(bench, ASK(.release = "b", .id = "nb", .clock = "4000", DEAD_AFTER), after);
    check_answer(bench, a, after);
    check_reason(bench, "silence c");
}

static void who_was_only_cut_off_takes_its_place_again(void **state)
{
    static const char expected[] = MINE TOP MINE_AGAIN TOP_AGAIN;
    const bench_t *bench = *state;

    begin(bench);
    serve(bench, RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
    check_answer(bench, top, expected);
    check_reason(bench, "return mine");
    check_answer(bench, mine, expected);
    check_answer(bench, top, expected);
}

static void a_release_that_was_promoted_stays_above_who_comes_back(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    serve(bench, RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
    check_answer(bench, ASK(.act = "promote", .id = ""), MINE TOP MINE_AGAIN);
    check_reason(bench, "promote -");
    check_answer(bench, top, MINE TOP MINE_AGAIN);
}

/* without it the way back would be lost with what Redis remembered */
static void a_reason_is_put_back_by_who_knows_it(void **state)
{
    static const char *const keys[] = {STATE, LEDGER};
    static const char *const known = "1882 000000001882 mine silence top 5";
    const bench_t *bench = *state;

    for (size_t i = 0; i != COUNT(keys); ++i) {
        begin(bench);
        serve(bench, RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
        check_answer(bench, mine, MINE TOP MINE_AGAIN);
        must(bench, "DEL", STATE, keys[i], NULL);
        check_answer(bench,
                     ASK(DEAD_AFTER, .entries = {known, "1364 000000001364 top join - 5",
                                                 "1000 000000001000 mine join - 5"}),
                     MINE TOP MINE_AGAIN);
        check_reason(bench, "silence top");
        check_answer(bench, top, MINE TOP MINE_AGAIN TOP_AGAIN);
    }
}

/* it had no state file and could not ask when it started, so it made itself a token above all */
static void a_node_that_had_forgotten_takes_no_place_for_its_release(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    check_answer(bench, ASK(DEAD_AFTER, .entries = {"1900 000000001900 mine local"}),
                 MINE TOP "1900 000000001900 mine|");
    check_reason(bench, "return -");
    check_answer(bench, top, MINE TOP "1900 000000001900 mine|2264 000000002264 top|");
    check_reason(bench, "return mine");
    /* of a release that nobody knows it is how it comes */
    flush(bench);
    check_answer(bench, top, "1000 000000001000 top|");
    check_answer(bench, ASK(DEAD_AFTER, .entries = {"1900 000000001900 mine local"}),
                 "1000 000000001000 top|1900 000000001900 mine|");
    check_reason(bench, "join -");
}

static void a_backup_that_comes_back_is_filled_up_and_passes_nobody(void **state)
{
    static const char *const keys[] = {LEDGER, NODES, STATE, INFO};
    const bench_t *bench = *state;
    char copy[64];

    flush(bench);
    check_answer(bench, mine, MINE);
    serve(bench, 10 * DEAD_AFTER_MS);
    for (size_t i = 0; i != COUNT(keys); ++i) {
        snprintf(copy, sizeof(copy), "%s.copy", keys[i]);
        must(bench, "COPY", keys[i], copy, NULL);
    }
    check_answer(bench, top, MINE TOP);
    for (size_t i = 0; i != COUNT(keys); ++i) {
        snprintf(copy, sizeof(copy), "%s.copy", keys[i]);
        must(bench, "COPY", copy, keys[i], "REPLACE", NULL);
    }
    be_away(bench, 3600000);
    check_answer(
        bench,
        ASK(DEAD_AFTER, .entries = {"1000 000000001000 mine", "1364 000000001364 top join - 5"}),
        MINE TOP);
    check_answer(bench, top, MINE TOP);
}

/* they share the ledger and the nodes with us, and have nothing to do with the rest */
static void nodes_of_older_versions_live_as_well(void **state)
{
    const bench_t *bench = *state;
    char score[32];
    resp_t *reply;

    flush(bench);
    must(bench, "ZADD", LEDGER, "2000", "000000002000 old", NULL);
    reply = poll(bench, mine);
    snprintf(score, sizeof(score), "%lld", (long long)at(reply, ANSWER_NOW)->integer);
    resp_free(reply);
    must(bench, "ZADD", LEDGER, "9000", "000000009000 old", NULL);
    serve(bench, RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
    must(bench, "ZADD", NODES, "1000", "@birth", score, "old - n9", NULL);
    check_answer(bench, mine,
                 "2000 000000002000 old|2518 000000002518 mine|9000 000000009000 old|");
    must(bench, "ZREM", NODES, "old - n9", NULL);
    serve(bench, DEAD_AFTER_MS + MARGIN_MS);
    check_answer(bench, mine,
                 "2000 000000002000 old|2518 000000002518 mine|9000 000000009000 old|"
                 "9518 000000009518 mine|");
    assert_int_equal(must_tell(bench, "ZCARD", NODES, NULL), 2);
}

/* what Redis's clock says of nodes of ours is nothing once it was set back */
static void a_clock_that_was_set_back_lets_nobody_live_longer(void **state)
{
    const bench_t *bench = *state;

    begin(bench);
    add_to(bench, "served", RETURN_MS + DEAD_AFTER_MS + MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
    check_reason(bench, "silence top");
}

/* whoever asks by hand is no witness of anything */
static void who_is_no_node_changes_neither_time_nor_fleet(void **state)
{
    const bench_t *bench = *state;
    resp_t *before, *after;

    begin(bench);
    be_away(bench, 3600000);
    must(bench, "HSET", STATE, "fleet", "500", "counted", "0", NULL);
    before = command(bench->admin, "HMGET", STATE, "heard", "served", "cut", "fleet", NULL);
    tell(bench, ASK(.act = "promote", .release = "mine", .id = "", .poll = "0"));
    tell(bench, ASK(.act = "mint", .release = "third", .id = "", .poll = "0"));
    after = command(bench->admin, "HMGET", STATE, "heard", "served", "cut", "fleet", NULL);
    for (size_t i = 0; i != before->num_elements; ++i)
        assert_string_equal(at(before, i)->text, at(after, i)->text);
    assert_int_equal(must_tell(bench, "ZCARD", NODES, NULL), 2);
    resp_free(before);
    resp_free(after);
}

/* ---- nodes ---- */

static void a_node_that_goes_is_forgotten_at_once_and_its_release_is_not(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    begin(bench);
    reply = poll(bench, ASK(.act = "leave", .release = "top", .id = "n2", DEAD_AFTER));
    assert_int_equal(reply->type, RESP_STATUS);
    resp_free(reply);
    assert_int_equal(must_tell(bench, "ZCARD", NODES, NULL), 1);
    assert_int_equal(must_tell(bench, "ZCARD", INFO, NULL), 1);
    serve(bench, RETURN_MS + DEAD_AFTER_MS - MARGIN_MS);
    check_answer(bench, mine, MINE TOP);
    serve(bench, 2 * MARGIN_MS);
    check_answer(bench, mine, MINE TOP MINE_AGAIN);
}

static void one_id_is_one_node_wherever_it_is_and_whatever_it_serves(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    tell(bench, ASK(.address = "10.0.0.7:80"));
    tell(bench, ASK(.address = "10.0.0.8:80"));
    tell(bench, ASK(.release = "next", .address = "10.0.0.8:80"));
    assert_int_equal(must_tell(bench, "ZCARD", NODES, NULL), 1);
    reply = poll(bench, ASK(.act = "read", .cursor = ""));
    assert_int_equal(at(reply, ANSWER_PAGE)->num_elements, 1);
    assert_non_null(
        strstr(at(at(reply, ANSWER_PAGE), 0)->text, " n1 next 10.0.0.8:80 000000001341 "));
    resp_free(reply);
}

/* "n0000" and so on; they come and go in between */
static void a_node_that_stays_is_on_exactly_one_page(void **state)
{
    enum { NUM = 300, GOING = 3 };
    const bench_t *bench = *state;
    char cursor[32] = "", id[32];
    unsigned num_pages = 0, seen[NUM] = {0};

    flush(bench);
    for (unsigned i = 0; i != NUM; ++i) {
        snprintf(id, sizeof(id), "n%04u", i);
        tell(bench, ASK(.id = id));
    }
    do {
        resp_t *reply = poll(bench, ASK(.act = "read", .cursor = cursor));
        const resp_t *page = at(reply, ANSWER_PAGE);
        assert_true(page->num_elements <= PAGE);
        for (size_t i = 0; i != page->num_elements; ++i) {
            unsigned number;
            if (sscanf(at(page, i)->text, "%*u n%u mine - 000000001000 %*u", &number) == 1)
                ++seen[number];
        }
        snprintf(cursor, sizeof(cursor), "%s", at(reply, ANSWER_NEXT)->text);
        resp_free(reply);
        /* one of each page so far and of each to come goes, and others come before and after */
        for (unsigned at_page = 0; at_page != GOING; ++at_page) {
            snprintf(id, sizeof(id), "n%04u", at_page * PAGE + num_pages);
            resp_free(poll(bench, ASK(.act = "leave", .id = id)));
        }
        snprintf(id, sizeof(id), "a%u", num_pages);
        tell(bench, ASK(.id = id));
        snprintf(id, sizeof(id), "z%u", num_pages);
        tell(bench, ASK(.id = id));
        assert_true(++num_pages <= 2 * GOING);
    } while (cursor[0] != '\0');
    for (unsigned i = 0; i != NUM; ++i)
        if (i % PAGE > num_pages)
            assert_int_equal(seen[i], 1);
}

static void long_unseen_nodes_are_dropped_and_the_birth_of_older_versions_stays(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    must(bench, "ZADD", NODES, "1000", "@birth", "500", "mine - older-than-the-birth", "2000",
         "mine - long-gone", "9000000000000", "mine - of-the-future", NULL);
    must(bench, "ZADD", INFO, "0", "long-gone mine - 000000001000 5", NULL);
    tell(bench, ASK(.id = "n1"));
    reply = command(bench->admin, "ZRANGE", NODES, "0", "-1", NULL);
    assert_int_equal(reply->num_elements, 2);
    assert_string_equal(at(reply, 0)->text, "@birth");
    assert_string_equal(at(reply, 1)->text, "mine - n1");
    resp_free(reply);
    assert_int_equal(must_tell(bench, "ZCARD", INFO, NULL), 1);
}

static void the_pace_is_the_fleets(void **state)
{
    static const struct {
        const char *remembered, *told;
        long long fleet, interval_ms;
    } cases[] = {
        {"5000", "0", 5000, 2500}, {NULL, "4000", 4000, 2000},
        {NULL, "0", 1, 1000},      {"1e300", "3000", 3000, 1500},
        {"nan", "nan", 1, 1000},   {"-5", "1e300", 1, 1000},
        {"x", "", 1, 1000},        {"100000", "0", 100000, 50000},
        {"100001", "0", 1, 1000},
    };
    const bench_t *bench = *state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        resp_t *reply;
        flush(bench);
        if (cases[i].remembered != NULL)
            must(bench, "HSET", STATE, "fleet", cases[i].remembered, NULL);
        /* who only looks does not count them */
        reply = poll(bench, ASK(.act = "read", .fleet = cases[i].told));
        assert_int_equal(at(reply, ANSWER_FLEET)->integer, cases[i].fleet);
        assert_int_equal(at(reply, ANSWER_INTERVAL)->integer, cases[i].interval_ms);
        resp_free(reply);
    }
}

static void a_fleet_shrinks_by_an_eighth_at_once_at_most(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    must(bench, "HSET", STATE, "fleet", "800", NULL);
    reply = poll(bench, ASK(.id = "n1"));
    assert_int_equal(at(reply, ANSWER_FLEET)->integer, 700);
    resp_free(reply);
}

static void releases_are_told_with_their_silence(void **state)
{
    const bench_t *bench = *state;
    const resp_t *releases;
    char digest[64];
    resp_t *reply;

    begin(bench);
    serve(bench, MARGIN_MS);
    tell(bench, mine);
    reply = poll(bench, ASK(.act = "read", .releases = "releases"));
    releases = at(reply, ANSWER_RELEASES);
    assert_int_equal(releases->num_elements, 2);
    assert_non_null(strstr(at(releases, 0)->text, "mine "));
    assert_non_null(strstr(at(releases, 1)->text, " 400000"));
    assert_true(strtoll(at(releases, 1)->text + strlen("top "), NULL, 10) >= MARGIN_MS);
    strcpy(digest, at(reply, ANSWER_DIGEST)->text);
    resp_free(reply);
    reply = poll(bench, ASK(.act = "read", .digest = digest));
    assert_int_equal(at(reply, ANSWER_RELEASES)->type, RESP_NIL);
    resp_free(reply);
}

/* who hears of a release hears where it can be had */
static void a_new_ledger_comes_with_the_addresses_of_its_releases(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    resp_free(poll(bench, ASK(.release = "mine", .address = "10.0.0.7:8080", .id = "n1")));
    reply = poll(bench, ASK(.release = "next", .id = "n2"));
    assert_non_null(strstr(at(at(reply, ANSWER_RELEASES), 0)->text, " 10.0.0.7:8080"));
    assert_string_equal(strrchr(at(at(reply, ANSWER_RELEASES), 1)->text, ' '), " -");
    resp_free(reply);
}

static void forty_living_releases_keep_their_entries_through_a_hundred_deploys(void **state)
{
    enum { LIVING = 40, DEPLOYS = 100, KEPT = 63 };
    const bench_t *bench = *state;
    char release[32], clock[32], lines[KEPT + 1][128];
    resp_t *reply = NULL;

    flush(bench);
    for (unsigned i = 0; i != LIVING + DEPLOYS; ++i) {
        snprintf(release, sizeof(release), "r%u.", i);
        snprintf(clock, sizeof(clock), "%u", 1000 + i);
        /* who deploys a hundred times is forgotten in between */
        if (i >= LIVING)
            must(bench, "HDEL", STATE, "r:r40.", release, NULL);
        tell(bench, ASK(.release = release, .id = i < LIVING ? release : "", .clock = clock));
    }
    reply = poll(bench, ASK(.act = "read"));
    assert_int_equal(at(reply, ANSWER_LEDGER)->num_elements, LIVING + 23);
    for (unsigned i = 0; i != LIVING; ++i) {
        snprintf(lines[i], sizeof(lines[i]), " r%u. ", i);
        assert_non_null(strstr(at(at(reply, ANSWER_LEDGER), i)->text, lines[i]));
    }
    resp_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_passed_when_it_is_silent_for_longer_than_dead_after),
        cmocka_unit_test(a_node_that_polls_keeps_its_release_alive),
        cmocka_unit_test(an_outage_is_nobodys_silence),
        cmocka_unit_test(a_clock_that_is_set_adds_nothing_to_service_time),
        cmocka_unit_test(a_gap_of_up_to_two_intervals_is_service_time),
        cmocka_unit_test(what_is_remembered_may_be_lost),
        cmocka_unit_test(dead_after_is_the_longer_one_and_0_is_never),
        cmocka_unit_test(of_several_that_live_the_newest_takes_the_place_of_a_dead_one),
        cmocka_unit_test(who_was_only_cut_off_takes_its_place_again),
        cmocka_unit_test(a_release_that_was_promoted_stays_above_who_comes_back),
        cmocka_unit_test(a_reason_is_put_back_by_who_knows_it),
        cmocka_unit_test(a_node_that_had_forgotten_takes_no_place_for_its_release),
        cmocka_unit_test(a_backup_that_comes_back_is_filled_up_and_passes_nobody),
        cmocka_unit_test(nodes_of_older_versions_live_as_well),
        cmocka_unit_test(a_clock_that_was_set_back_lets_nobody_live_longer),
        cmocka_unit_test(who_is_no_node_changes_neither_time_nor_fleet),
        cmocka_unit_test(a_node_that_goes_is_forgotten_at_once_and_its_release_is_not),
        cmocka_unit_test(one_id_is_one_node_wherever_it_is_and_whatever_it_serves),
        cmocka_unit_test(a_node_that_stays_is_on_exactly_one_page),
        cmocka_unit_test(long_unseen_nodes_are_dropped_and_the_birth_of_older_versions_stays),
        cmocka_unit_test(the_pace_is_the_fleets),
        cmocka_unit_test(a_fleet_shrinks_by_an_eighth_at_once_at_most),
        cmocka_unit_test(releases_are_told_with_their_silence),
        cmocka_unit_test(a_new_ledger_comes_with_the_addresses_of_its_releases),
        cmocka_unit_test(forty_living_releases_keep_their_entries_through_a_hundred_deploys),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
