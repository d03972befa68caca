/*
 * The script in a real Redis, as a user who may do no more than the protocol asks for. First rule
 * by rule, then against the second telling of the rules (meeting.c) with polls made of a seed.
 * BREAKER_SEED=N tells one story again, BREAKER_SEEDS=N tries so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "meeting.h"
#include "resp.h"

#define LEDGER "{app}:breaker"
#define NODES "{app}:breaker:nodes"
#define EMPTY_DIGEST "da39a3ee5e6b4b0d3255bfef95601890afd80709"

enum { FIXED_ARGS = 15, ARGS_MAX = FIXED_ARGS + BREAKER_LEDGER_MAX + 1, SEEDS = 100, POLLS = 40 };

typedef struct st_bench_t {
    resp_server_t server;
    /** the test's own, and the node's */
    int admin, node;
} bench_t;

/* what a poll says; NULL: as the node n1 of release "mine" says it at 1000 ms */
typedef struct st_ask_t {
    bool is_asked;
    const char *release, *address, *id, *mint, *fixed, *suffix, *clock, *dead, *digest, *nodes;
    const char *entries[BREAKER_LEDGER_MAX + 2];
} ask_t;

#define ASK(...) (&(ask_t){.is_asked = true, __VA_ARGS__})

static resp_t *command(int fd, const char *first, ...)
{
    const char *argv[32] = {first};
    size_t argc = 1;
    va_list more;

    va_start(more, first);
    while ((argv[argc] = va_arg(more, const char *)) != NULL)
        ++argc;
    va_end(more);
    return resp_command(fd, argc, argv);
}

static void must(int fd, const char *first, const char *a, const char *b, const char *c)
{
    resp_t *reply = command(fd, first, a, b, c, NULL);

    if (reply->type == RESP_ERROR)
        fail_msg("%s: %s", first, reply->text);
    resp_free(reply);
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static resp_t *eval(const bench_t *bench, const ask_t *ask)
{
    const char *argv[ARGS_MAX + 1] = {
        "EVAL",
        breaker__agree_lua,
        "2",
        LEDGER,
        NODES,
        or_else(ask->release, "mine"),
        or_else(ask->address, "-"),
        or_else(ask->id, "n1"),
        or_else(ask->mint, "mint"),
        or_else(ask->fixed, ""),
        or_else(ask->suffix, ""),
        or_else(ask->clock, "1000"),
        or_else(ask->dead, "0"),
        or_else(ask->digest, ""),
        or_else(ask->nodes, ""),
    };
    size_t argc = FIXED_ARGS;

    assert_true(ask->is_asked);
    for (size_t i = 0; ask->entries[i] != NULL; ++i)
        argv[argc++] = ask->entries[i];
    return resp_command(bench->node, argc, argv);
}

/* ---- looking at replies ---- */

static const resp_t *at(const resp_t *reply, size_t index)
{
    if (reply->type == RESP_ERROR)
        fail_msg("%s", reply->text);
    assert_int_equal(reply->type, RESP_ARRAY);
    assert_true(index < reply->num_elements);
    return reply->elements + index;
}

/* the ledger that the reply shows, one line after the other with a '|' after each */
static void check_ledger(const resp_t *reply, const char *expected)
{
    const resp_t *ledger = at(reply, 2);
    char lines[8192] = "";

    assert_int_equal(ledger->type, RESP_ARRAY);
    for (size_t i = 0; i != ledger->num_elements; ++i) {
        strcat(lines, at(ledger, i)->text);
        strcat(lines, "|");
    }
    assert_string_equal(lines, expected);
}

static void check_answer(const bench_t *bench, const ask_t *ask, const char *expected)
{
    resp_t *reply = eval(bench, ask);

    check_ledger(reply, expected);
    resp_free(reply);
}

static void check_error(const bench_t *bench, const ask_t *ask, const char *expected)
{
    resp_t *reply = eval(bench, ask);

    assert_int_equal(reply->type, RESP_ERROR);
    assert_non_null(strstr(reply->text, expected));
    resp_free(reply);
}

static void flush(const bench_t *bench)
{
    resp_t *reply = command(bench->admin, "FLUSHALL", NULL);

    resp_free(reply);
}

/* ---- rule by rule: above a newest order that its clock is not above a release leaves out as many
 * orders as its spread: "mine" 517, "new" 77, "next" 340, "top" 363, "c" 99 ---- */

static void an_empty_ledger_is_minted_into_unless_the_node_settles(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.mint = "settle"), "");
    check_answer(bench, ASK(.mint = "settle"), "");
    check_answer(bench, ASK(.clock = "1718539201234"), "1718539201234 1718539201234 mine|");
    check_answer(bench, ASK(.clock = "1718539209999"), "1718539201234 1718539201234 mine|");
    check_answer(bench, ASK(.release = "new", .mint = "settle", .clock = "5"),
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
    reply = eval(bench, ASK(.clock = "9007199254740991"));
    assert_int_equal(strtoll(at(at(reply, 2), 0)->text, NULL, 10), at(reply, 1)->integer + 60000);
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
    resp_t *reply;
    char expected[160];

    flush(bench);
    resp_free(eval(bench, ASK(.fixed = longest)));
    reply = eval(bench, ASK(.release = "next", .fixed = longest));
    snprintf(expected, sizeof(expected), "1341 %.59s.1341 next", longest);
    assert_string_equal(at(at(reply, 2), 1)->text, expected);
    resp_free(reply);
}

/* the top release falls silent: at first it is believed, then the live one goes above it */
static void a_silent_release_is_overtaken_after_dead_after(void **state)
{
    const bench_t *bench = *state;
    const ask_t *live = ASK(.dead = "150"), *top = ASK(.release = "top", .dead = "150");
    int64_t silent_ms, minted_ms = 0;
    resp_t *reply;

    flush(bench);
    resp_free(eval(bench, live));
    reply = eval(bench, top);
    check_ledger(reply, "1000 000000001000 mine|1364 000000001364 top|");
    silent_ms = at(reply, 1)->integer;
    resp_free(reply);
    while (minted_ms == 0) {
        usleep(5000);
        reply = eval(bench, live);
        if (at(reply, 2)->num_elements == 3)
            minted_ms = at(reply, 1)->integer;
        assert_true(at(reply, 1)->integer < silent_ms + 20000);
        resp_free(reply);
    }
    assert_true(minted_ms > silent_ms + 150);
    check_answer(bench, live,
                 "1000 000000001000 mine|1364 000000001364 top|1882 000000001882 mine|");
}

/* a release whose nodes live, or that nobody could have seen yet, is not overtaken */
/*
 * The newest order lies ahead of all clocks. A release mints above it, a backup without it comes
 * back, and before a node of that release does another one mints above the same order.
 */
static void two_releases_that_mint_above_one_order_do_not_meet(void **state)
{
    const bench_t *bench = *state;
    char before[64], after[64], name[32];
    resp_t *reply;

    for (unsigned i = 0; i != 50; ++i) {
        flush(bench);
        resp_free(eval(bench, ASK(.release = "ahead", .clock = "10000")));
        snprintf(name, sizeof(name), "2026.11.%u-1", i);
        reply = eval(bench, ASK(.release = name, .id = "n2"));
        snprintf(before, sizeof(before), "%s", at(at(reply, 2), 1)->text);
        resp_free(reply);
        must(bench->admin, "ZREM", LEDGER, strchr(before, ' ') + 1, NULL);
        snprintf(name, sizeof(name), "2026.11.%u-2", i);
        reply = eval(bench, ASK(.release = name, .id = "n3"));
        snprintf(after, sizeof(after), "%s", at(at(reply, 2), 1)->text);
        resp_free(reply);
        assert_true(strtoull(before, NULL, 10) > 10000 && strtoull(after, NULL, 10) > 10000);
        assert_int_not_equal(strtoull(before, NULL, 10), strtoull(after, NULL, 10));
    }
}

static void a_young_nodes_key_overtakes_nobody(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    must(bench->admin, "ZADD", LEDGER, "1001", "000000001001 top");
    must(bench->admin, "ZADD", LEDGER, "1000", "000000001000 mine");
    check_answer(bench, ASK(.dead = "20000"), "1000 000000001000 mine|1001 000000001001 top|");
    check_answer(bench, ASK(.dead = "0"), "1000 000000001000 mine|1001 000000001001 top|");
}

static void an_operator_promotes_a_known_release(void **state)
{
    static const char promoted[] = "1000 000000001000 mine|1364 000000001364 top|"
                                   "1882 000000001882 mine|";
    const bench_t *bench = *state;
    const ask_t *promote = ASK(.mint = "promote", .id = "", .nodes = "nodes");
    resp_t *reply;

    flush(bench);
    check_answer(bench, promote, "");
    resp_free(eval(bench, ASK(.id = "n1")));
    resp_free(eval(bench, ASK(.release = "top", .id = "n2")));
    check_answer(bench, promote, promoted);
    check_answer(bench, ASK(.release = "typo", .mint = "promote", .id = ""), promoted);
    reply = eval(bench, promote);
    check_ledger(reply, promoted);
    assert_int_equal(at(reply, 3)->num_elements, 2);
    resp_free(reply);
}

static void nodes_are_told_on_request(void **state)
{
    const bench_t *bench = *state;
    char expected[128];
    resp_t *reply;

    flush(bench);
    resp_free(eval(bench, ASK(.address = "10.0.0.7:8080", .id = "n7")));
    reply = eval(bench, ASK(.id = "n1"));
    assert_int_equal(at(reply, 3)->type, RESP_NIL);
    resp_free(reply);
    reply = eval(bench, ASK(.address = "10.0.0.7:8080", .id = "n7", .nodes = "nodes"));
    assert_int_equal(at(reply, 3)->num_elements, 2);
    snprintf(expected, sizeof(expected), "%lld mine 10.0.0.7:8080 n7",
             (long long)at(reply, 1)->integer);
    assert_string_equal(at(at(reply, 3), 1)->text, expected);
    resp_free(reply);
    /* who only reads changes nothing */
    reply = eval(bench, ASK(.release = "", .id = "n9", .nodes = "nodes", .entries = {"rubbish"}));
    assert_int_equal(at(reply, 3)->num_elements, 2);
    check_ledger(reply, "1000 000000001000 mine|");
    resp_free(reply);
}

/* with the birth of the key below them or without */
static void of_too_many_nodes_those_seen_last_are_told(void **state)
{
    const bench_t *bench = *state;
    char score[16], member[32];
    resp_t *reply;

    flush(bench);
    for (unsigned i = 1; i <= BREAKER_SCRIPT_NODES_MAX + 1; ++i) {
        snprintf(score, sizeof(score), "%u", 1000 + i);
        snprintf(member, sizeof(member), "mine - n%u", i);
        must(bench->admin, "ZADD", NODES, score, member);
        if (i < BREAKER_SCRIPT_NODES_MAX)
            continue;
        for (int has_birth = 0; has_birth != 2; ++has_birth) {
            if (has_birth)
                must(bench->admin, "ZADD", NODES, "1000", "@birth");
            else
                must(bench->admin, "ZREM", NODES, "@birth", NULL);
            reply = eval(bench, ASK(.release = "", .nodes = "nodes"));
            assert_int_equal(at(reply, 3)->num_elements, BREAKER_SCRIPT_NODES_MAX);
            assert_non_null(strstr(at(at(reply, 3), BREAKER_SCRIPT_NODES_MAX - 1)->text, member));
            resp_free(reply);
        }
    }
}

/* last seen long ago, and in the future of a clock that went back */
static void long_unseen_nodes_are_dropped_and_the_birth_stays(void **state)
{
    const bench_t *bench = *state;
    resp_t *reply;

    flush(bench);
    must(bench->admin, "ZADD", NODES, "1000", "@birth");
    must(bench->admin, "ZADD", NODES, "500", "mine - older-than-the-birth");
    must(bench->admin, "ZADD", NODES, "2000", "mine - long-gone");
    must(bench->admin, "ZADD", NODES, "9000000000000", "mine - of-the-future");
    reply = eval(bench, ASK(.nodes = "nodes"));
    assert_int_equal(at(reply, 3)->num_elements, 1);
    assert_non_null(strstr(at(at(reply, 3), 0)->text, " mine - n1"));
    resp_free(reply);
    reply = command(bench->admin, "ZSCORE", NODES, "@birth", NULL);
    assert_string_equal(reply->text, "1000");
    resp_free(reply);
}

static void an_answer_to_an_up_to_date_node_is_the_digest_alone(void **state)
{
    const bench_t *bench = *state;
    resp_t *first, *second;

    flush(bench);
    first = eval(bench, ASK(.mint = "settle"));
    assert_string_equal(at(first, 0)->text, EMPTY_DIGEST);
    resp_free(first);
    first = eval(bench, ASK(.id = "n1"));
    second = eval(bench, ASK(.digest = at(first, 0)->text, .entries = {"1000 000000001000 mine"}));
    assert_string_equal(at(second, 0)->text, at(first, 0)->text);
    assert_int_equal(at(second, 2)->type, RESP_NIL);
    resp_free(second);
    flush(bench);
    /* the same again after a wipe is the same ledger; another is not */
    second = eval(bench, ASK(.digest = at(first, 0)->text, .entries = {"1000 000000001000 mine"}));
    assert_int_equal(at(second, 2)->type, RESP_NIL);
    resp_free(second);
    check_answer(bench, ASK(.digest = at(first, 0)->text, .entries = {"999 v0 mine"}),
                 "999 v0 mine|1000 000000001000 mine|");
    resp_free(first);
}

static void the_newest_32_are_kept_and_what_has_nodes(void **state)
{
    const bench_t *bench = *state;
    char score[16], member[32];
    resp_t *reply;

    flush(bench);
    resp_free(eval(bench, ASK(.release = "a", .id = "na", .clock = "1")));
    resp_free(eval(bench, ASK(.release = "b", .id = "nb", .clock = "2")));
    for (unsigned i = 0; i != BREAKER_LEDGER_HISTORY; ++i) {
        snprintf(score, sizeof(score), "%u", 100 + i);
        snprintf(member, sizeof(member), "v%u other", i);
        must(bench->admin, "ZADD", LEDGER, score, member);
    }
    reply = eval(bench, ASK(.release = "a", .id = "na", .entries = {"1 000000000001 a"}));
    assert_int_equal(at(reply, 2)->num_elements, BREAKER_LEDGER_HISTORY);
    assert_string_equal(at(at(reply, 2), 0)->text, "1 000000000001 a");
    assert_string_equal(at(at(reply, 2), 1)->text, "2 000000000002 b");
    assert_string_equal(at(at(reply, 2), 2)->text, "102 v2 other");
    resp_free(reply);
    reply = eval(bench, ASK(.release = "c", .id = "nc", .clock = "1"));
    assert_int_equal(at(reply, 2)->num_elements, BREAKER_LEDGER_HISTORY);
    assert_string_equal(at(at(reply, 2), 2)->text, "103 v3 other");
    assert_string_equal(at(at(reply, 2), 31)->text, "231 000000000231 c");
    resp_free(reply);
}

static void keys_of_the_wrong_type_are_an_error_and_stay(void **state)
{
    static const char *const keys[] = {LEDGER, NODES};
    const bench_t *bench = *state;
    resp_t *reply;

    for (size_t i = 0; i != 2; ++i) {
        flush(bench);
        resp_free(command(bench->admin, "SET", keys[i], "someone's", NULL));
        check_error(bench, ASK(.entries = {"5 v5 mine"}), "WRONGTYPE");
        reply = command(bench->admin, "GET", keys[i], NULL);
        assert_string_equal(reply->text, "someone's");
        resp_free(reply);
        /* nothing was begun either */
        reply = command(bench->admin, "DBSIZE", NULL);
        assert_int_equal(reply->integer, 1);
        resp_free(reply);
    }
}

static void malformed_arguments_are_errors(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_error(bench, ASK(.release = "a b"), "malformed arguments");
    check_error(bench, ASK(.address = ""), "malformed arguments");
    check_error(bench, ASK(.id = "a b"), "malformed arguments");
    check_error(bench, ASK(.clock = "x"), "malformed arguments");
    check_error(bench, ASK(.clock = "-1"), "malformed arguments");
    check_error(bench, ASK(.dead = "1.5"), "malformed arguments");
    check_error(bench, ASK(.entries = {"x v1 mine"}), "malformed entry");
    check_error(bench, ASK(.entries = {"1 v1"}), "malformed entry");
    check_error(bench, ASK(.entries = {"1 v/1 mine"}), "malformed entry");
    check_error(bench, ASK(.entries = {"1 .. mine"}), "malformed entry");
    check_error(bench, ASK(.entries = {"9007199254740992 v1 mine"}), "malformed entry");
    check_error(bench, ASK(.suffix = "/"), "no order left");
}

static void members_that_nobody_of_ours_wrote_are_not_shown(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    must(bench->admin, "ZADD", LEDGER, "1", "hello");
    must(bench->admin, "ZADD", LEDGER, "2", "a/b mine");
    must(bench->admin, "ZADD", LEDGER, "2.5", "v1 mine");
    must(bench->admin, "ZADD", LEDGER, "inf", "v2 mine");
    must(bench->admin, "ZADD", LEDGER, "-1", "v3 mine");
    check_answer(bench, ASK(.id = "n1"), "1000 000000001000 mine|");
}

static void the_end_of_the_numbers_is_an_error(void **state)
{
    const bench_t *bench = *state;

    flush(bench);
    check_answer(bench, ASK(.entries = {"9007199254740991 v1 mine"}), "9007199254740991 v1 mine|");
    check_error(bench, ASK(.release = "next"), "no order left");
}

/* ---- against the second telling ---- */

static uint64_t next_random(uint64_t *random, uint64_t end)
{
    uint64_t word = *random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (word ^ word >> 31) % end;
}

static void parse(const char *text, breaker_token_t *ret_token)
{
    assert_int_equal(breaker_token_parse(text, strlen(text), ret_token), 0);
}

static void parse_release(const char *text, breaker_release_id_t *ret_id)
{
    assert_int_equal(breaker_release_id_parse(text, strlen(text), ret_id), 0);
}

/* few tokens and few orders, so that they meet */
static void make_poll(uint64_t *random, breaker__poll_t *poll)
{
    size_t num = next_random(random, 8) == 0 ? BREAKER_LEDGER_HISTORY : next_random(random, 4);
    char text[32];

    memset(poll, 0, sizeof(*poll));
    poll->act = next_random(random, 3) != 0 ? BREAKER__ACT_MINT : BREAKER__ACT_SETTLE;
    poll->wall_ms = next_random(random, 200);
    poll->num_entries = num;
    for (size_t i = 0; i != num; ++i) {
        breaker_ledger_entry_t *entry = poll->entries + i;
        entry->order = next_random(random, 200);
        snprintf(text, sizeof(text), next_random(random, 2) == 0 ? "v%u" : "%012u",
                 (unsigned)next_random(random, num > 4 ? 200 : 10));
        parse(text, &entry->token);
        snprintf(text, sizeof(text), "r%u", (unsigned)next_random(random, 4));
        parse_release(text, &entry->release);
    }
}

static void make_config(uint64_t *random, unsigned release, breaker_agreement_config_t *config)
{
    char text[32];

    breaker__agreement_config_init(config);
    config->dead_after_ms = next_random(random, 2) == 0 ? 0 : 1;
    snprintf(text, sizeof(text), "r%u", release);
    parse_release(text, &config->release);
    if (next_random(random, 3) == 0)
        strcpy(config->suffix, "-x");
    if (next_random(random, 4) == 0) {
        snprintf(text, sizeof(text), "v%u", (unsigned)next_random(random, 3));
        parse(text, &config->fixed);
    }
}

static void check_same(const resp_t *reply, const breaker_answer_t *expected, uint64_t seed)
{
    const resp_t *ledger = at(reply, 2);
    char line[220];

    if (ledger->num_elements != expected->num_entries)
        fail_msg("BREAKER_SEED=%llu: %zu entries, not %zu", (unsigned long long)seed,
                 ledger->num_elements, expected->num_entries);
    for (size_t i = 0; i != ledger->num_elements; ++i) {
        const breaker_ledger_entry_t *entry = expected->entries + i;
        snprintf(line, sizeof(line), "%llu %s %s", (unsigned long long)entry->order,
                 entry->token.text, entry->release.text);
        if (strcmp(line, at(ledger, i)->text) != 0)
            fail_msg("BREAKER_SEED=%llu: %s, not %s", (unsigned long long)seed, at(ledger, i)->text,
                     line);
    }
}

static void ask_both(const bench_t *bench, meeting_t *meeting, uint64_t *random, uint64_t seed)
{
    unsigned release = (unsigned)next_random(random, 4);
    char lines[BREAKER_LEDGER_MAX + 1][200], clock[24], dead[24], id[8];
    breaker_agreement_config_t config;
    breaker_answer_t expected;
    breaker__poll_t poll;
    caller_t caller = {.config = &config, .release = release, .id = release + 1};
    resp_t *reply;

    make_config(random, release, &config);
    make_poll(random, &poll);
    snprintf(clock, sizeof(clock), "%llu", (unsigned long long)poll.wall_ms);
    snprintf(dead, sizeof(dead), "%u", config.dead_after_ms);
    snprintf(id, sizeof(id), "n%u", caller.id);
    ask_t ask = {.is_asked = true,
                 .release = config.release.text,
                 .id = id,
                 .mint = poll.act == BREAKER__ACT_MINT ? "mint" : "settle",
                 .fixed = config.fixed.text,
                 .suffix = config.suffix,
                 .clock = clock,
                 .dead = dead};
    for (size_t i = 0; i != poll.num_entries; ++i) {
        snprintf(lines[i], sizeof(lines[i]), "%llu %s %s",
                 (unsigned long long)poll.entries[i].order, poll.entries[i].token.text,
                 poll.entries[i].release.text);
        ask.entries[i] = lines[i];
    }
    reply = eval(bench, &ask);
    meeting_poll(meeting, (uint64_t)at(reply, 1)->integer, &caller, &poll, &expected);
    check_same(reply, &expected, seed);
    resp_free(reply);
}

static void both_tellings_of_the_rules_come_to_the_same(void **state)
{
    const char *one = getenv("BREAKER_SEED"), *many = getenv("BREAKER_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t num = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    const bench_t *bench = *state;

    for (uint64_t seed = first; seed != first + num; ++seed) {
        meeting_t meeting = {.num_facts = 0};
        uint64_t random = seed;
        flush(bench);
        for (int i = 0; i != POLLS; ++i)
            ask_both(bench, &meeting, &random, seed);
    }
}

/* ---- the bench ---- */

/* what the protocol says that a node needs, and what its connection needs */
static void make_user(int admin)
{
    resp_t *reply = command(admin, "ACL", "SETUSER", "breaker", "on", ">secret", "resetkeys",
                            "~{app}:breaker*", "resetchannels", "-@all", "+eval", "+time", "+zadd",
                            "+zrange", "+zscore", "+zremrangebyrank", "+zremrangebyscore", NULL);

    if (reply->type == RESP_ERROR)
        fail_msg("%s", reply->text);
    resp_free(reply);
}

static int set_up(void **state)
{
    bench_t *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    assert_true(resp_server_start(&bench->server));
    bench->admin = resp_connect(&bench->server);
    make_user(bench->admin);
    bench->node = resp_connect(&bench->server);
    resp_free(command(bench->node, "AUTH", "breaker", "secret", NULL));
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    bench_t *bench = *state;

    close(bench->node);
    close(bench->admin);
    resp_server_stop(&bench->server);
    free(bench);
    return 0;
}

static void a_node_may_do_nothing_else(void **state)
{
    static const char *const refused[][3] = {
        {"GET", LEDGER, NULL},
        {"DEL", LEDGER, NULL},
        {"FLUSHALL", NULL, NULL},
        {"ZRANGE", "other", "0"},
    };
    const bench_t *bench = *state;

    for (size_t i = 0; i != sizeof(refused) / sizeof(refused[0]); ++i) {
        resp_t *reply =
            i == 3 ? command(bench->node, "ZRANGE", "other", "0", "-1", NULL)
                   : command(bench->node, refused[i][0], refused[i][1], refused[i][2], NULL);
        assert_int_equal(reply->type, RESP_ERROR);
        assert_non_null(strstr(reply->text, "NOPERM"));
        resp_free(reply);
    }
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
        cmocka_unit_test(a_silent_release_is_overtaken_after_dead_after),
        cmocka_unit_test(two_releases_that_mint_above_one_order_do_not_meet),
        cmocka_unit_test(a_young_nodes_key_overtakes_nobody),
        cmocka_unit_test(an_operator_promotes_a_known_release),
        cmocka_unit_test(nodes_are_told_on_request),
        cmocka_unit_test(of_too_many_nodes_those_seen_last_are_told),
        cmocka_unit_test(long_unseen_nodes_are_dropped_and_the_birth_stays),
        cmocka_unit_test(an_answer_to_an_up_to_date_node_is_the_digest_alone),
        cmocka_unit_test(the_newest_32_are_kept_and_what_has_nodes),
        cmocka_unit_test(keys_of_the_wrong_type_are_an_error_and_stay),
        cmocka_unit_test(malformed_arguments_are_errors),
        cmocka_unit_test(members_that_nobody_of_ours_wrote_are_not_shown),
        cmocka_unit_test(the_end_of_the_numbers_is_an_error),
        cmocka_unit_test(both_tellings_of_the_rules_come_to_the_same),
        cmocka_unit_test(a_node_may_do_nothing_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
