/*
 * Older or newer: what a token gets beside T, for every kind of either and whatever the ledger
 * knows of them. One file is there under T; the bytes of no other release can be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/classify.h>
#include "releases.h"
#include "serving/snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "1718539201234"
#define SUFFIXED T "-a1b2c3d4"

#define REDIRECT BREAKER_VERDICT_REDIRECT
#define REFRESH BREAKER_VERDICT_REFRESH
#define RETRY BREAKER_VERDICT_RETRY
#define NOT_FOUND BREAKER_VERDICT_NOT_FOUND

enum {
    HISTORY_MAX = 4,
};

typedef enum en_kind_t {
    /* a node by itself that keeps no history */
    FORGETFUL,
    ALONE,
    CLUSTER,
} kind_t;

/** A node: T, and what its ledger knows; an entry without a token ends the history. */
typedef struct st_node_t {
    kind_t kind;
    const char *current;
    struct {
        uint64_t order;
        const char *token;
    } history[HISTORY_MAX];
} node_t;

/** What a token gets, and in a cluster after a refresh; REFRESH means "otherwise RETRY". */
typedef struct st_row_t {
    const char *token;
    breaker_verdict_kind_t kind, refreshed;
} row_t;

static fixture_t site;

static int make_site(void **state)
{
    static const fixture_file_t files[] = {{0, "css/site.css", "now"}};
    (void)state;

    fixture_load(&site, "now", files, COUNT(files));
    return 0;
}

static int free_site(void **state)
{
    (void)state;
    fixture_free(&site);
    return 0;
}

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static void make_ledger(const node_t *node, breaker_ledger_t *ledger)
{
    breaker_ledger_entry_t entries[HISTORY_MAX];
    breaker_release_id_t gone;
    size_t num = 0;

    assert_int_equal(breaker_release_id_parse("gone", 4, &gone), 0);
    for (; num != HISTORY_MAX && node->history[num].token != NULL; ++num) {
        const char *token = node->history[num].token;
        bool is_current = strcmp(token, node->current) == 0;
        entries[num] =
            (breaker_ledger_entry_t){node->history[num].order, token_of(token),
                                     is_current ? *breaker_release_id(site.release) : gone};
    }
    assert_int_equal(breaker_ledger_init(ledger, entries, num), 0);
}

static breaker_snapshot_t *make_snapshot(const node_t *node)
{
    breaker_token_t tokens[FIXTURE_VIEWS] = {token_of(node->current), token_of(node->current)};
    breaker_ledger_t ledger;
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)site.views,
        .tokens = tokens,
        .num_views = FIXTURE_VIEWS,
        .release = site.release,
        .ledger = node->kind != FORGETFUL ? &ledger : NULL,
        .is_alone = node->kind != CLUSTER,
    };
    breaker_snapshot_t *snapshot;

    make_ledger(node, &ledger);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    return snapshot;
}

static breaker_verdict_t judge(const breaker_snapshot_t *snapshot, const char *token,
                               const char *asset, bool refreshed)
{
    breaker_verdict_t verdict;
    breaker_views_t *views;
    char path[128];
    int len = snprintf(path, sizeof(path), "/static/%s/%s", token, asset);

    assert_int_equal(
        breaker_views_create((const breaker_view_t *const *)site.views, FIXTURE_VIEWS, &views), 0);
    verdict = breaker_classify(snapshot, views, path, (size_t)len, refreshed);
    breaker_views_free(views);
    return verdict;
}

static void check_row(const breaker_snapshot_t *snapshot, const node_t *node, const row_t *row,
                      bool refreshed)
{
    breaker_verdict_kind_t kind = refreshed ? row->refreshed : row->kind;
    breaker_verdict_t verdict = judge(snapshot, row->token, "css/site.css", refreshed),
                      missing = judge(snapshot, row->token, "none.css", refreshed);

    if (verdict.kind != kind || verdict.otherwise != (kind == REFRESH ? RETRY : kind))
        fail_msg("%s beside %s%s: %d, otherwise %d", row->token, node->current,
                 refreshed ? ", refreshed" : "", (int)verdict.kind, (int)verdict.otherwise);
    /* what is not there under T is nowhere to redirect to */
    if (missing.kind != (kind == REDIRECT ? NOT_FOUND : kind))
        fail_msg("%s beside %s%s: %d for no file", row->token, node->current,
                 refreshed ? ", refreshed" : "", (int)missing.kind);
}

static void check(const node_t *node, const row_t *rows, size_t num)
{
    breaker_snapshot_t *snapshot = make_snapshot(node);

    for (size_t i = 0; i != num; ++i) {
        check_row(snapshot, node, rows + i, false);
        check_row(snapshot, node, rows + i, true);
    }
    breaker_snapshot_unref(snapshot);
}

/* ---- in a cluster ---- */

static void minted_tokens_are_ordered_by_their_value(void **state)
{
    static const node_t node = {CLUSTER, T, {{1718539201234, T}}};
    static const row_t rows[] = {
        {"1718539201233", REDIRECT, REDIRECT},
        {"1718539201235", REFRESH, RETRY},
        {"01718539201233", REDIRECT, REDIRECT},
        {"00001718539201235", REFRESH, RETRY},
        /* another spelling of T's value leads to T's own */
        {"0" T, REDIRECT, REDIRECT},
        {"0999999999999", REDIRECT, REDIRECT},
        {"000000000001", REDIRECT, REDIRECT},
        {"17185392012340", REFRESH, RETRY},
        {"9999999999999999999999999999999999999999999999999999999999999999", REFRESH, RETRY},
    };
    (void)state;

    check(&node, rows, COUNT(rows));
}

static void the_digits_before_a_suffix_order_a_token(void **state)
{
    static const node_t suffixed = {CLUSTER, SUFFIXED, {{1718539201234, SUFFIXED}}};
    static const node_t plain = {CLUSTER, T, {{1718539201234, T}}};
    static const row_t beside_both[] = {
        {"1718539201233-zzzzzzzz", REDIRECT, REDIRECT},
        {"1718539201235-00000000", REFRESH, RETRY},
        {"01718539201233-zzzzzzzz", REDIRECT, REDIRECT},
        /* from before the switch, and from after it was taken back */
        {"1718539201233", REDIRECT, REDIRECT},
        {"1718539201235", REFRESH, RETRY},
        /* not of this form */
        {"1718539201233-a1b2c3d", NOT_FOUND, NOT_FOUND},
        {"1718539201233-a1b2c3d4e", NOT_FOUND, NOT_FOUND},
        {"1718539201233.a1b2c3d4", NOT_FOUND, NOT_FOUND},
        {"17185392012-a1b2c3d4", NOT_FOUND, NOT_FOUND},
        {"171853920123a-a1b2c3d4", NOT_FOUND, NOT_FOUND},
        {"a1b2c3d4-1718539201233", NOT_FOUND, NOT_FOUND},
    };
    /* two releases at one moment: one order of the two, whichever node is asked */
    static const row_t beside_suffixed[] = {
        {T, REDIRECT, REDIRECT},
        {"0" SUFFIXED, REDIRECT, REDIRECT},
        {T "-a1b2c3d3", REDIRECT, REDIRECT},
        {T "-a1b2c3d5", REFRESH, RETRY},
    };
    static const row_t beside_plain[] = {{SUFFIXED, REFRESH, RETRY}};
    (void)state;

    check(&suffixed, beside_both, COUNT(beside_both));
    check(&plain, beside_both, COUNT(beside_both));
    check(&suffixed, beside_suffixed, COUNT(beside_suffixed));
    check(&plain, beside_plain, COUNT(beside_plain));
}

/* the ledger of a cluster that moved on from minted tokens to the numbers of its builds */
static void a_build_number_is_ordered_by_the_ledger_alone(void **state)
{
    static const node_t before = {CLUSTER, T, {{1718539201234, T}, {1718539209000, "4711"}}};
    static const node_t after = {CLUSTER, "4711", {{1718539201234, T}, {1718539209000, "4711"}}};
    static const row_t beside_minted[] = {
        {"4711", RETRY, RETRY},
        /* nobody registered it: there may be news; without any it is from before all of this */
        {"4712", REFRESH, REDIRECT},
        {"9", REFRESH, REDIRECT},
        {"0", REDIRECT, REDIRECT},
    };
    static const row_t beside_number[] = {
        {T, REDIRECT, REDIRECT},
        {"4710", REFRESH, NOT_FOUND},
        {"4712", REFRESH, NOT_FOUND},
        {"04711", REFRESH, NOT_FOUND},
        {"000", REDIRECT, REDIRECT},
        {"v1", REFRESH, NOT_FOUND},
        /* minted between the two, and after both */
        {"1718539208999", REDIRECT, REDIRECT},
        {"1718539209001", REFRESH, RETRY},
        {"1718539209001-a1b2c3d4", REFRESH, RETRY},
    };
    (void)state;

    check(&before, beside_minted, COUNT(beside_minted));
    check(&after, beside_number, COUNT(beside_number));
}

static void numbers_of_builds_follow_each_other_in_the_order_of_their_deploys(void **state)
{
    static const node_t up = {CLUSTER, "10000", {{1000, "9999"}, {2000, "10000"}}};
    static const node_t not_yet = {CLUSTER, "9999", {{1000, "9999"}, {2000, "10000"}}};
    static const node_t down = {CLUSTER, "1", {{1000, "9999"}, {2000, "1"}}};
    static const node_t behind = {CLUSTER, "9999", {{1000, "9999"}, {2000, "1"}}};
    static const row_t old[] = {{"9999", REDIRECT, REDIRECT}};
    static const row_t new_10000[] = {{"10000", RETRY, RETRY}};
    static const row_t new_1[] = {{"1", RETRY, RETRY}};
    (void)state;

    check(&up, old, COUNT(old));
    check(&down, old, COUNT(old));
    check(&not_yet, new_10000, COUNT(new_10000));
    check(&behind, new_1, COUNT(new_1));
}

static void versions_and_commits_are_ordered_by_the_ledger_alone(void **state)
{
    static const node_t node = {CLUSTER,
                                "v1.10.0",
                                {{1718539201000, "v1.9.0"},
                                 {1718539202000, "v1.10.0"},
                                 {1718539203000, "0a1b2c3"},
                                 {1718539204000, "v1.9.1"}}};
    static const row_t rows[] = {
        {"v1.9.0", REDIRECT, REDIRECT},    {"0a1b2c3", RETRY, RETRY},
        {"v1.9.1", RETRY, RETRY},          {"v1.8.0", REFRESH, NOT_FOUND},
        {"v1.11.0", REFRESH, NOT_FOUND},   {"1718539201999", REDIRECT, REDIRECT},
        {"1718539202001", REFRESH, RETRY},
    };
    (void)state;

    check(&node, rows, COUNT(rows));
}

/* an operator's date looks minted: what lies between its value and its order may be either */
static void a_date_that_looks_minted_is_a_value_and_an_order(void **state)
{
    static const node_t minutes = {CLUSTER, "202406161200", {{1718539201234, "202406161200"}}};
    static const row_t beside_minutes[] = {
        {"202406161159", REFRESH, REDIRECT},
        {"202406161201", REFRESH, NOT_FOUND},
        {"1718539201233", REFRESH, NOT_FOUND},
        {"1718539201235", REFRESH, RETRY},
    };
    static const node_t seconds = {CLUSTER, "20240616120000", {{1718539201234, "20240616120000"}}};
    static const row_t beside_seconds[] = {
        {"1718539201233", REDIRECT, REDIRECT},
        {"1718539201235", REFRESH, NOT_FOUND},
        {"20240616115959", REFRESH, NOT_FOUND},
        {"20240616120001", REFRESH, RETRY},
    };
    (void)state;

    check(&minutes, beside_minutes, COUNT(beside_minutes));
    check(&seconds, beside_seconds, COUNT(beside_seconds));
}

/* by its value it would be older than all that was minted since 2001 */
static void a_date_that_the_ledger_does_not_know_may_be_the_next_release(void **state)
{
    static const node_t minted = {CLUSTER, T, {{1718539201234, T}}};
    static const node_t version = {CLUSTER, "v1", {{1718539201234, "v1"}}};
    static const row_t rows[] = {
        {"202406161200", REFRESH, REDIRECT},
        {"202406161200-a1b2c3d4", REFRESH, REDIRECT},
        {"100000000000", REFRESH, REDIRECT},
        {"999999999999", REFRESH, REDIRECT},
        /* padded by whoever minted it */
        {"099999999999", REDIRECT, REDIRECT},
        {"0202406161200", REDIRECT, REDIRECT},
    };
    static const node_t alone = {ALONE, T, {{1718539201234, T}}};
    static const node_t alone_dated = {ALONE, "202406161200", {{1718539201234, "202406161200"}}};
    static const row_t beside_alone[] = {
        {"202406161159", RETRY, RETRY},
        {"202406161159-a1b2c3d4", RETRY, RETRY},
        {"000000001234", REDIRECT, REDIRECT},
    };
    (void)state;

    check(&minted, rows, COUNT(rows));
    check(&version, rows, COUNT(rows));
    check(&alone, beside_alone, COUNT(beside_alone));
    check(&alone_dated, beside_alone, COUNT(beside_alone));
}

static void a_ledger_without_t_leads_nobody_back(void **state)
{
    static const node_t opaque = {CLUSTER, "v2", {{1718539201000, "v1"}, {1718539203000, "v3"}}};
    static const row_t beside_opaque[] = {
        {"v1", RETRY, RETRY},
        {"v3", RETRY, RETRY},
        {"v0", REFRESH, NOT_FOUND},
        {"0", REDIRECT, REDIRECT},
        {"1718539200000", REFRESH, NOT_FOUND},
    };
    static const node_t minted = {CLUSTER, T, {{1718539201000, "v1"}, {1718539203000, "v3"}}};
    static const row_t beside_minted[] = {
        {"v1", REDIRECT, REDIRECT},
        {"v3", RETRY, RETRY},
        {"1718539201233", REDIRECT, REDIRECT},
        {"1718539201235", REFRESH, RETRY},
    };
    (void)state;

    check(&opaque, beside_opaque, COUNT(beside_opaque));
    check(&minted, beside_minted, COUNT(beside_minted));
}

/* ---- alone ---- */

static void a_node_by_itself_orders_by_what_it_remembers(void **state)
{
    static const node_t node = {ALONE,
                                "v1.10.0",
                                {{1718539200000, "f00dcafe"},
                                 {1718539201000, "v1.9.0"},
                                 {1718539202000, "v1.10.0"},
                                 {1718539203000, "v1.9.5"}}};
    static const row_t rows[] = {
        {"f00dcafe", REDIRECT, REDIRECT},
        {"v1.9.0", REDIRECT, REDIRECT},
        {"v1.9.5", RETRY, RETRY},
        /* not remembered: it may still come, whatever it looks like beside T */
        {"v1.0.5", RETRY, RETRY},
        {"v1.11.0", RETRY, RETRY},
        {"0a1b2c3", RETRY, RETRY},
        {"4711", RETRY, RETRY},
        {"0", REDIRECT, REDIRECT},
        {"1718539201999", REDIRECT, REDIRECT},
        {"1718539202001", RETRY, RETRY},
    };
    static const node_t minted = {ALONE, T, {{1718539201234, T}}};
    static const row_t beside_minted[] = {
        {"1718539201233", REDIRECT, REDIRECT},
        {"1718539201233-a1b2c3d4", REDIRECT, REDIRECT},
        {"0" T, REDIRECT, REDIRECT},
        {"1718539201235", RETRY, RETRY},
        {"4711", RETRY, RETRY},
        /* a word, where tokens are minted, is none that may still come */
        {"-a", NOT_FOUND, NOT_FOUND},
        {"v1", NOT_FOUND, NOT_FOUND},
    };
    (void)state;

    check(&node, rows, COUNT(rows));
    check(&minted, beside_minted, COUNT(beside_minted));
}

static void numbers_of_builds_follow_each_other_on_a_node_by_itself_too(void **state)
{
    static const node_t up = {ALONE, "10000", {{1000, "9999"}, {2000, "10000"}}};
    static const node_t down = {ALONE, "1", {{1000, "9999"}, {2000, "1"}}};
    static const row_t old[] = {{"9999", REDIRECT, REDIRECT}, {"9998", RETRY, RETRY}};
    (void)state;

    check(&up, old, COUNT(old));
    check(&down, old, COUNT(old));
}

static void without_a_history_the_texts_decide(void **state)
{
    static const node_t version = {FORGETFUL, "v1.9.0", {{0, NULL}}};
    static const row_t beside_version[] = {
        {"v1.10.0", REDIRECT, REDIRECT},
        {"v1.9.1", RETRY, RETRY},
        {T, REDIRECT, REDIRECT},
    };
    static const node_t number = {FORGETFUL, "1000", {{0, NULL}}};
    static const row_t beside_number[] = {
        {"999", REDIRECT, REDIRECT},
        {"01000", REDIRECT, REDIRECT},
        {"1001", RETRY, RETRY},
        {T, RETRY, RETRY},
    };
    (void)state;

    check(&version, beside_version, COUNT(beside_version));
    check(&number, beside_number, COUNT(beside_number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minted_tokens_are_ordered_by_their_value),
        cmocka_unit_test(the_digits_before_a_suffix_order_a_token),
        cmocka_unit_test(a_build_number_is_ordered_by_the_ledger_alone),
        cmocka_unit_test(numbers_of_builds_follow_each_other_in_the_order_of_their_deploys),
        cmocka_unit_test(versions_and_commits_are_ordered_by_the_ledger_alone),
        cmocka_unit_test(a_date_that_looks_minted_is_a_value_and_an_order),
        cmocka_unit_test(a_date_that_the_ledger_does_not_know_may_be_the_next_release),
        cmocka_unit_test(a_ledger_without_t_leads_nobody_back),
        cmocka_unit_test(a_node_by_itself_orders_by_what_it_remembers),
        cmocka_unit_test(numbers_of_builds_follow_each_other_on_a_node_by_itself_too),
        cmocka_unit_test(without_a_history_the_texts_decide),
    };
    return cmocka_run_group_tests(tests, make_site, free_site);
}
