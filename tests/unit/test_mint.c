/*
 * Minting: what orders and tokens a release gets, and what a node by itself goes by, told as
 * stories of restarts.
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
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
#define OTHER "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

/* ---- orders ---- */

static uint64_t next_order(uint64_t clock_ms, const breaker_ledger_entry_t *newest,
                           const char *release)
{
    breaker_release_id_t id = release_of(release);

    return breaker__mint_order(clock_ms, newest, &id);
}

static void a_release_mints_its_clock_or_above_the_newest_by_its_spread(void **state)
{
    breaker_ledger_entry_t newest = {1000, token_of("t"), release_of("other")};

    (void)state;
    assert_int_equal(next_order(5, NULL, "mine"), 5);
    assert_int_equal(next_order(1001, &newest, "mine"), 1001);
    assert_int_equal(next_order(1000, &newest, "mine"), 1000 + 1 + 517);
    assert_int_equal(next_order(0, &newest, "mine"), 1000 + 1 + 517);
}

/* what the script computes in Lua's numbers, for the longest id as well */
static void spreads_are_small_and_hardly_ever_the_same(void **state)
{
    breaker_ledger_entry_t newest = {1000, token_of("t"), release_of("other")};
    char names[2][BREAKER_RELEASE_ID_MAX + 1];
    uint64_t random = 1, orders[2];
    unsigned same = 0;

    (void)state;
    for (unsigned i = 0; i != 4000; ++i) {
        for (size_t j = 0; j != 2; ++j) {
            for (size_t at = 0; at != BREAKER_RELEASE_ID_MAX; ++at) {
                random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                names[j][at] = "0123456789abcdef"[random >> 60];
            }
            names[j][BREAKER_RELEASE_ID_MAX] = '\0';
            orders[j] = next_order(0, &newest, names[j]);
            assert_in_range(orders[j], 1001, 1001 + BREAKER__MINT_SPREAD_END - 1);
        }
        same += orders[0] == orders[1];
    }
    assert_in_range(same, 1, 8);
    /* names that a counter tells apart never meet */
    for (unsigned i = 0; i != 9; ++i) {
        snprintf(names[0], sizeof(names[0]), "2026.11.23-%u", i);
        snprintf(names[1], sizeof(names[1]), "2026.11.23-%u", i + 1);
        assert_int_not_equal(next_order(0, &newest, names[0]), next_order(0, &newest, names[1]));
    }
}

/* ---- names ---- */

static void what_became_of_an_operators_token_is_told_from_other_tokens(void **state)
{
    static const struct {
        const char *token;
        uint64_t order;
        size_t base_len;
    } cases[] = {
        {"v1.1718539201234", 1718539201234, 2},
        {"v1.2.1718539201234", 1718539201234, 4},
        {"v1.0", 0, 2},
        /* the operator's own: the digits are no order of theirs */
        {"v1.2", 1718539201234, 0},
        {"v1.1718539201234", 1718539201235, 0},
        {".1718539201234", 1718539201234, 0},
        {"1718539201234", 1718539201234, 0},
        {"v1", 0, 0},
    };
    (void)state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_ledger_entry_t made = {cases[i].order, token_of(cases[i].token), release_of("r")};
        assert_int_equal(breaker__mint_base_len(&made), cases[i].base_len);
    }
}

/* ---- a node by itself ---- */

static breaker_agreement_config_t config_of(const char *release, const char *fixed)
{
    breaker_agreement_config_t config;

    breaker__agreement_config_init(&config);
    config.release = release_of(release);
    if (fixed != NULL)
        config.fixed = token_of(fixed);
    return config;
}

/* a start of a node with this memory, which is good until the next one; NULL: minted tokens */
static const char *start(breaker_ledger_t *memory, const char *release, const char *fixed,
                         uint64_t wall_ms)
{
    breaker_agreement_config_t config = config_of(release, fixed);
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(memory, NULL);
    uint64_t top = newest != NULL ? newest->order : 0;
    static breaker_ledger_entry_t own;
    bool is_new;

    assert_int_equal(breaker__agreement_alone(&config, memory, wall_ms, &own, &is_new), 0);
    assert_true(breaker_release_id_equal(&own.release, &config.release));
    if (is_new)
        assert_true(newest == NULL || own.order > top);
    assert_int_equal(breaker__ledger_add(memory, &own), is_new);
    return own.token.text;
}

static void forget(breaker_ledger_t *memory)
{
    assert_int_equal(breaker_ledger_init(memory, NULL, 0), 0);
}

static void a_restart_keeps_the_token_and_another_release_has_a_newer_one(void **state)
{
    breaker_ledger_t memory;
    (void)state;

    forget(&memory);
    assert_string_equal(start(&memory, "r1", NULL, 1718539201234), "1718539201234");
    assert_string_equal(start(&memory, "r1", NULL, 1718539209999), "1718539201234");
    assert_string_equal(start(&memory, "r2", NULL, 1718539300000), "1718539300000");
    assert_string_equal(start(&memory, "r2", NULL, 1718539300001), "1718539300000");
    /* the clock went back: the next order, and r3's spread of 985 */
    assert_string_equal(start(&memory, "r3", NULL, 1600000000000), "1718539300986");
    assert_string_equal(start(&memory, "r3", NULL, 1600000000000), "1718539300986");
}

/* its first one is below r2's: whoever has a page of r2 would be told to try again, for ever */
static void a_release_that_comes_back_has_a_token_above_its_followers(void **state)
{
    breaker_ledger_t memory;
    (void)state;

    forget(&memory);
    assert_string_equal(start(&memory, "r1", NULL, 1000), "000000001000");
    assert_string_equal(start(&memory, "r2", NULL, 2000), "000000002000");
    assert_string_equal(start(&memory, "r1", NULL, 3000), "000000003000");
    assert_string_equal(start(&memory, "r1", NULL, 4000), "000000003000");
    assert_string_equal(start(&memory, "r2", NULL, 5000), "000000005000");
}

static void one_label_on_other_files_has_another_token(void **state)
{
    breaker_ledger_t memory;
    (void)state;

    forget(&memory);
    assert_string_equal(start(&memory, "r1~" DIGEST, NULL, 1000), "000000001000");
    assert_string_equal(start(&memory, "r1~" OTHER, NULL, 2000), "000000002000");
    assert_string_equal(start(&memory, "r1~" OTHER, NULL, 3000), "000000002000");
}

static void an_operators_token_is_as_given_until_it_names_other_files(void **state)
{
    breaker_ledger_t memory;
    (void)state;

    forget(&memory);
    assert_string_equal(start(&memory, "r1", "v1", 1000), "v1");
    assert_string_equal(start(&memory, "r1", "v1", 2000), "v1");
    assert_string_equal(start(&memory, "r2", "v1", 3000), "v1.3000");
    assert_string_equal(start(&memory, "r2", "v1", 4000), "v1.3000");
    /* r1 again: v1 is its own, but r2 stands above it */
    assert_string_equal(start(&memory, "r1", "v1", 5000), "v1.5000");
    assert_string_equal(start(&memory, "r1", "v1", 6000), "v1.5000");
    /* another token for the same files, and none */
    assert_string_equal(start(&memory, "r1", "v2", 7000), "v2");
    assert_string_equal(start(&memory, "r1", NULL, 8000), "000000008000");
    assert_string_equal(start(&memory, "r1", NULL, 9000), "000000008000");
}

/* two views may have two of them, or one of them none */
static void tokens_of_one_release_do_not_overtake_each_other(void **state)
{
    breaker_ledger_t memory;
    (void)state;

    forget(&memory);
    for (int i = 0; i != 3; ++i) {
        assert_string_equal(start(&memory, "r1", NULL, 1000), "000000001000");
        assert_string_equal(start(&memory, "r1", "v1", 2000), "v1");
        assert_string_equal(start(&memory, "r1", "v2", 3000), "v2");
    }
}

static void an_operators_token_that_was_trimmed_does_not_come_back(void **state)
{
    breaker_ledger_t memory;
    char text[16];
    (void)state;

    forget(&memory);
    start(&memory, "r1", "v1", 1000);
    assert_string_equal(start(&memory, "r2", "v1", 2000), "v1.2000");
    for (unsigned i = 0; i != BREAKER_LEDGER_MAX - 1; ++i) {
        snprintf(text, sizeof(text), "w%u", i);
        start(&memory, text, NULL, 3000 + i);
    }
    assert_null(breaker__ledger_find(&memory, "v1", 2));
    assert_string_equal(start(&memory, "r2", "v1", 4000), "v1.4000");
}

static void a_long_operators_token_is_cut_to_make_room_for_its_order(void **state)
{
    static const char longest[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    breaker_ledger_t memory;
    char expected[BREAKER_TOKEN_MAX + 1];
    (void)state;

    forget(&memory);
    assert_string_equal(start(&memory, "r1", longest, 1000), longest);
    snprintf(expected, sizeof(expected), "%.59s.2000", longest);
    assert_string_equal(start(&memory, "r2", longest, 2000), expected);
    assert_string_equal(start(&memory, "r2", longest, 3000), expected);
}

/* a node that was one of a cluster: what the suffix made is not what it makes now */
static void tokens_of_another_making_are_not_taken(void **state)
{
    breaker_ledger_entry_t entries[] = {{1000, token_of("000000001000-n4bQgYhM"), release_of("r1")},
                                        {1001, token_of("000000009999"), release_of("r1")}};
    breaker_ledger_t memory;
    (void)state;

    assert_int_equal(breaker_ledger_init(&memory, entries, COUNT(entries)), 0);
    assert_string_equal(start(&memory, "r1", NULL, 2000), "000000002000");
}

static void where_no_order_is_left_nothing_is_minted(void **state)
{
    breaker_ledger_entry_t last = {BREAKER__ORDER_END - 1, token_of("t"), release_of("other")};
    breaker_agreement_config_t config = config_of("r1", NULL);
    breaker_ledger_entry_t own;
    breaker_ledger_t memory;
    bool is_new;
    (void)state;

    assert_int_equal(breaker_ledger_init(&memory, &last, 1), 0);
    assert_int_equal(breaker__agreement_alone(&config, &memory, 1000, &own, &is_new),
                     BREAKER_ERR_RANGE);
    config.release.len = 0;
    assert_int_equal(breaker__agreement_alone(&config, &memory, 1000, &own, &is_new),
                     BREAKER_ERR_RELEASE_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_mints_its_clock_or_above_the_newest_by_its_spread),
        cmocka_unit_test(spreads_are_small_and_hardly_ever_the_same),
        cmocka_unit_test(what_became_of_an_operators_token_is_told_from_other_tokens),
        cmocka_unit_test(a_restart_keeps_the_token_and_another_release_has_a_newer_one),
        cmocka_unit_test(a_release_that_comes_back_has_a_token_above_its_followers),
        cmocka_unit_test(one_label_on_other_files_has_another_token),
        cmocka_unit_test(an_operators_token_is_as_given_until_it_names_other_files),
        cmocka_unit_test(tokens_of_one_release_do_not_overtake_each_other),
        cmocka_unit_test(an_operators_token_that_was_trimmed_does_not_come_back),
        cmocka_unit_test(a_long_operators_token_is_cut_to_make_room_for_its_order),
        cmocka_unit_test(tokens_of_another_making_are_not_taken),
        cmocka_unit_test(where_no_order_is_left_nothing_is_minted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
