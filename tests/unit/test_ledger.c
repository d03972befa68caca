/* The ledger: what it keeps, in which order, and how tokens are found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/ledger.h>
#include "guard.h"
#include "cluster/ledger.h"

static breaker_ledger_entry_t entry(uint64_t order, const char *token, const char *release)
{
    breaker_ledger_entry_t made = {.order = order};

    assert_int_equal(breaker_token_parse(token, strlen(token), &made.token), 0);
    assert_int_equal(breaker_release_id_parse(release, strlen(release), &made.release), 0);
    return made;
}

static const breaker_ledger_entry_t *find(const breaker_ledger_t *ledger, const char *token,
                                          size_t len)
{
    char *base = guarded_copy(token, len);
    const breaker_ledger_entry_t *found = breaker__ledger_find(ledger, base, len);

    guarded_free(base, len);
    return found;
}

static void check_sorted_and_found(const breaker_ledger_t *ledger)
{
    for (size_t i = 0; i != breaker_ledger_size(ledger); ++i) {
        const breaker_ledger_entry_t *at = breaker_ledger_at(ledger, i);
        assert_ptr_equal(find(ledger, at->token.text, at->token.len), at);
        if (i != 0)
            assert_true(breaker_ledger_at(ledger, i - 1)->order <= at->order);
    }
}

static void an_empty_ledger_knows_nothing(void **state)
{
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, NULL, 0), 0);
    assert_int_equal(breaker_ledger_size(&ledger), 0);
    assert_null(find(&ledger, "1718539201234", 13));
    assert_null(find(&ledger, "", 0));
}

static void entries_are_sorted_by_their_order(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(30, "v3", "r3"), entry(10, "zz", "r1"),
                                        entry(20, "000000000001", "r1")};
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, entries, 3), 0);
    assert_int_equal(breaker_ledger_size(&ledger), 3);
    assert_string_equal(breaker_ledger_at(&ledger, 0)->token.text, "zz");
    assert_string_equal(breaker_ledger_at(&ledger, 1)->token.text, "000000000001");
    assert_string_equal(breaker_ledger_at(&ledger, 2)->token.text, "v3");
    assert_string_equal(breaker_ledger_at(&ledger, 2)->release.text, "r3");
    check_sorted_and_found(&ledger);
}

static void only_the_exact_spelling_is_found(void **state)
{
    static const char *const others[] = {"01718539201234",       "171853920123",   "17185392012345",
                                         "1718539201235",        "1718539201234 ", "",
                                         "a1b2c3d4-171853920123"};
    breaker_ledger_entry_t entries[] = {entry(1, "1718539201234", "r"),
                                        entry(2, "a1b2c3d4-1718539201234", "r")};
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, entries, 2), 0);
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        assert_null(find(&ledger, others[i], strlen(others[i])));
    assert_non_null(find(&ledger, "1718539201234", 13));
    assert_non_null(find(&ledger, "a1b2c3d4-1718539201234", 22));
}

static void bytes_that_are_no_token_are_not_found(void **state)
{
    breaker_ledger_entry_t one = entry(1, "a", "r");
    char longest[300];
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, &one, 1), 0);
    memset(longest, 'a', sizeof(longest));
    assert_null(find(&ledger, longest, 64));
    assert_null(find(&ledger, longest, 65));
    assert_null(find(&ledger, longest, sizeof(longest)));
    assert_null(find(&ledger, "a\0", 2));
    assert_null(find(&ledger, "\0", 1));
}

static void tokens_of_every_length_are_found_in_ledgers_of_every_size(void **state)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    char text[BREAKER_TOKEN_MAX + 1];
    breaker_ledger_t ledger;

    (void)state;
    for (size_t num = 1; num <= BREAKER_LEDGER_MAX; ++num) {
        for (size_t i = 0; i != num; ++i) {
            memset(text, 'a', sizeof(text));
            text[1 + (i * 2 + num) % 63] = '\0';
            text[0] = letters[i];
            entries[i] = entry(1000 - i, text, "r");
        }
        assert_int_equal(breaker_ledger_init(&ledger, entries, num), 0);
        assert_int_equal(breaker_ledger_size(&ledger), num);
        check_sorted_and_found(&ledger);
        assert_null(find(&ledger, "none-of-them", 12));
    }
}

static void the_newest_entries_are_kept(void **state)
{
    enum { NUM = 100 };
    breaker_ledger_entry_t entries[NUM];
    breaker_ledger_t ledger;
    char text[16];

    (void)state;
    for (size_t i = 0; i != NUM; ++i) {
        uint64_t order = (i * 37) % NUM; /* each once, in no order */
        snprintf(text, sizeof(text), "t%u", (unsigned)order);
        entries[i] = entry(order, text, "r");
    }
    assert_int_equal(breaker_ledger_init(&ledger, entries, NUM), 0);
    assert_int_equal(breaker_ledger_size(&ledger), BREAKER_LEDGER_MAX);
    assert_int_equal(breaker_ledger_at(&ledger, 0)->order, NUM - BREAKER_LEDGER_MAX);
    assert_int_equal(breaker_ledger_at(&ledger, BREAKER_LEDGER_MAX - 1)->order, NUM - 1);
    assert_null(find(&ledger, "t35", 3));
    assert_non_null(find(&ledger, "t36", 3));
    check_sorted_and_found(&ledger);
}

static void of_one_token_the_birth_wins(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(30, "a", "late"), entry(10, "a", "first"),
                                        entry(20, "b", "r"), entry(40, "a", "last")};
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, entries, 4), 0);
    assert_int_equal(breaker_ledger_size(&ledger), 2);
    assert_string_equal(breaker_ledger_at(&ledger, 0)->token.text, "a");
    assert_int_equal(breaker_ledger_at(&ledger, 0)->order, 10);
    assert_string_equal(breaker_ledger_at(&ledger, 0)->release.text, "first");
    check_sorted_and_found(&ledger);
}

static void of_two_births_the_smaller_release_wins_in_any_order(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(10, "a", "r2"), entry(10, "a", "r1"),
                                        entry(10, "a", "r2")};
    breaker_ledger_t ledger;

    (void)state;
    for (size_t first = 0; first != 2; ++first) {
        assert_int_equal(breaker_ledger_init(&ledger, entries + first, 2), 0);
        assert_int_equal(breaker_ledger_size(&ledger), 1);
        assert_string_equal(breaker_ledger_at(&ledger, 0)->release.text, "r1");
    }
}

/* a later copy of a token must not hold the place of an entry that counts */
static void births_are_found_before_the_oldest_are_dropped(void **state)
{
    breaker_ledger_entry_t entries[2 * BREAKER_LEDGER_MAX + 1];
    breaker_ledger_t ledger;
    char text[16];

    (void)state;
    entries[0] = entry(7, "kept", "r");
    for (size_t i = 0; i != BREAKER_LEDGER_MAX; ++i) {
        snprintf(text, sizeof(text), "copy%u", (unsigned)i);
        entries[1 + i] = entry(100 + i, text, "r");
        entries[1 + BREAKER_LEDGER_MAX + i] = entry(i % 7, text, "r");
    }
    assert_int_equal(breaker_ledger_init(&ledger, entries, 2 * BREAKER_LEDGER_MAX + 1), 0);
    assert_int_equal(breaker_ledger_size(&ledger), BREAKER_LEDGER_MAX);
    assert_non_null(find(&ledger, "kept", 4));
    assert_int_equal(breaker_ledger_at(&ledger, BREAKER_LEDGER_MAX - 1)->order, 7);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void the_same_entries_make_the_same_ledger_in_any_order(void **state)
{
    enum { NUM = 48 };
    breaker_ledger_entry_t entries[NUM];
    breaker_ledger_t first, other;
    uint32_t seed = 1;
    char text[16], release[16];

    (void)state;
    for (size_t i = 0; i != NUM; ++i) {
        snprintf(text, sizeof(text), "t%u", (unsigned)(next_random(&seed) % 40));
        snprintf(release, sizeof(release), "r%u", (unsigned)(next_random(&seed) % 3));
        entries[i] = entry(next_random(&seed) % 20, text, release);
    }
    assert_int_equal(breaker_ledger_init(&first, entries, NUM), 0);
    for (size_t round = 0; round != 200; ++round) {
        for (size_t i = NUM - 1; i != 0; --i) {
            size_t j = next_random(&seed) % (i + 1);
            breaker_ledger_entry_t moved = entries[i];
            entries[i] = entries[j];
            entries[j] = moved;
        }
        assert_int_equal(breaker_ledger_init(&other, entries, NUM), 0);
        assert_int_equal(breaker_ledger_size(&other), breaker_ledger_size(&first));
        for (size_t i = 0; i != breaker_ledger_size(&first); ++i) {
            const breaker_ledger_entry_t *a = breaker_ledger_at(&first, i);
            const breaker_ledger_entry_t *b = breaker_ledger_at(&other, i);
            assert_true(breaker_token_equal(&a->token, &b->token));
            assert_true(breaker_release_id_equal(&a->release, &b->release));
            assert_true(a->order == b->order);
        }
    }
}

static void a_copy_is_a_ledger_of_its_own(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(1, "a", "r1"), entry(2, "b", "r2")};
    breaker_ledger_t ledger, copy;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, entries, 2), 0);
    copy = ledger;
    memset(&ledger, 0xff, sizeof(ledger));
    assert_ptr_equal(find(&copy, "b", 1), breaker_ledger_at(&copy, 1));
}

static void a_malformed_entry_is_refused_and_changes_nothing(void **state)
{
    breaker_ledger_entry_t good[] = {entry(1, "a", "r")}, bad[2];
    breaker_ledger_t ledger;

    (void)state;
    assert_int_equal(breaker_ledger_init(&ledger, good, 1), 0);
    bad[0] = good[0];

    bad[1] = entry(1, "b", "r");
    bad[1].token.len = 0;
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), BREAKER_ERR_TOKEN_SYNTAX);
    bad[1].token.len = 255;
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), BREAKER_ERR_TOKEN_SYNTAX);
    bad[1] = entry(1, "b", "r");
    bad[1].token.text[0] = '/';
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), BREAKER_ERR_TOKEN_SYNTAX);
    bad[1] = entry(1, "b", "r");
    bad[1].release.len = 0;
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), BREAKER_ERR_RELEASE_SYNTAX);
    bad[1] = entry(UINT64_C(1) << 53, "b", "r");
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), BREAKER_ERR_RANGE);
    assert_int_equal(breaker_ledger_size(&ledger), 1);
    assert_non_null(find(&ledger, "a", 1));

    bad[1] = entry((UINT64_C(1) << 53) - 1, "b", "r");
    assert_int_equal(breaker_ledger_init(&ledger, bad, 2), 0);
}

static void check_same(const breaker_ledger_t *a, const breaker_ledger_t *b)
{
    assert_int_equal(breaker_ledger_size(a), breaker_ledger_size(b));
    for (size_t i = 0; i != breaker_ledger_size(a); ++i) {
        assert_int_equal(breaker_ledger_at(a, i)->order, breaker_ledger_at(b, i)->order);
        assert_string_equal(breaker_ledger_at(a, i)->token.text,
                            breaker_ledger_at(b, i)->token.text);
        assert_string_equal(breaker_ledger_at(a, i)->release.text,
                            breaker_ledger_at(b, i)->release.text);
    }
}

static void an_added_entry_is_sorted_in_and_found(void **state)
{
    static const unsigned orders[] = {50, 10, 90, 40, 60};
    breaker_ledger_t ledger;
    char text[16];

    (void)state;
    breaker_ledger_init(&ledger, NULL, 0);
    for (size_t i = 0; i != 5; ++i) {
        snprintf(text, sizeof(text), "t%u", orders[i]);
        breaker_ledger_entry_t one = entry(orders[i], text, "r");
        assert_true(breaker__ledger_add(&ledger, &one));
        assert_int_equal(breaker_ledger_size(&ledger), i + 1);
        check_sorted_and_found(&ledger);
        assert_false(breaker__ledger_add(&ledger, &one));
    }
    assert_string_equal(breaker_ledger_at(&ledger, 4)->token.text, "t90");
}

static void an_added_birth_wins_and_an_added_copy_does_not(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(10, "a", "r"), entry(20, "b", "r"),
                                        entry(30, "c", "r")};
    breaker_ledger_entry_t copy = entry(40, "c", "r"), birth = entry(15, "c", "r");
    breaker_ledger_t ledger;

    (void)state;
    breaker_ledger_init(&ledger, entries, 3);
    assert_false(breaker__ledger_add(&ledger, &copy));
    assert_int_equal(find(&ledger, "c", 1)->order, 30);
    assert_true(breaker__ledger_add(&ledger, &birth));
    assert_int_equal(breaker_ledger_size(&ledger), 3);
    assert_string_equal(breaker_ledger_at(&ledger, 1)->token.text, "c");
    assert_int_equal(breaker_ledger_at(&ledger, 1)->order, 15);
    check_sorted_and_found(&ledger);
}

/* even where the other release's claim is older: a token names one release */
static void an_added_claim_of_another_release_changes_nothing(void **state)
{
    breaker_ledger_entry_t one = entry(10, "a", "r"), older = entry(5, "a", "s"),
                           newer = entry(15, "a", "s");
    breaker_ledger_t ledger;

    (void)state;
    breaker_ledger_init(&ledger, &one, 1);
    assert_false(breaker__ledger_add(&ledger, &older));
    assert_false(breaker__ledger_add(&ledger, &newer));
    assert_int_equal(breaker_ledger_size(&ledger), 1);
    assert_string_equal(find(&ledger, "a", 1)->release.text, "r");
    assert_int_equal(find(&ledger, "a", 1)->order, 10);
}

/* "t0" to "t63", the orders from 100 on */
static void fill(breaker_ledger_t *ledger)
{
    char text[16];

    breaker_ledger_init(ledger, NULL, 0);
    for (unsigned i = 0; i != BREAKER_LEDGER_MAX; ++i) {
        snprintf(text, sizeof(text), "t%u", i);
        breaker_ledger_entry_t one = entry(100 + i, text, "r");
        assert_true(breaker__ledger_add(ledger, &one));
    }
}

static void a_full_ledger_loses_its_oldest_to_an_added_entry(void **state)
{
    breaker_ledger_entry_t one;
    breaker_ledger_t ledger;

    (void)state;
    fill(&ledger);
    one = entry(99, "too-old", "r");
    assert_false(breaker__ledger_add(&ledger, &one));
    assert_null(find(&ledger, "too-old", 7));
    one = entry(120, "between", "r");
    assert_true(breaker__ledger_add(&ledger, &one));
    assert_int_equal(breaker_ledger_size(&ledger), BREAKER_LEDGER_MAX);
    assert_null(find(&ledger, "t0", 2));
    assert_non_null(find(&ledger, "between", 7));
    check_sorted_and_found(&ledger);
}

static void what_is_kept_makes_room_for_nothing(void **state)
{
    breaker_ledger_entry_t pins[] = {entry(100, "t0", "r"), entry(101, "t1", "r"),
                                     entry(7, "old", "r")};
    breaker_ledger_entry_t newer = entry(500, "newer", "r"), older = entry(99, "older", "r");
    breaker_ledger_t ledger, kept;

    (void)state;
    breaker_ledger_init(&kept, pins, 3);
    fill(&ledger);
    assert_true(breaker__ledger_add_beside(&ledger, &newer, &kept));
    assert_non_null(find(&ledger, "t1", 2));
    assert_null(find(&ledger, "t2", 2));
    /* the oldest that may go is newer than this one */
    assert_false(breaker__ledger_add_beside(&ledger, &older, &kept));
    /* but not where it is to be kept itself, however old it is */
    assert_true(breaker__ledger_add_beside(&ledger, &pins[2], &kept));
    assert_ptr_equal(find(&ledger, "old", 3), breaker_ledger_at(&ledger, 0));
    assert_null(find(&ledger, "t3", 2));
    assert_non_null(find(&ledger, "t0", 2));
    assert_int_equal(breaker_ledger_size(&ledger), BREAKER_LEDGER_MAX);
    check_sorted_and_found(&ledger);
}

static void where_all_are_kept_no_other_one_comes_in(void **state)
{
    breaker_ledger_entry_t newer = entry(500, "newer", "r");
    breaker_ledger_t ledger, kept;

    (void)state;
    fill(&ledger);
    kept = ledger;
    assert_false(breaker__ledger_add_beside(&ledger, &newer, &kept));
    check_same(&ledger, &kept);
}

static void a_malformed_entry_is_not_added(void **state)
{
    breaker_ledger_entry_t one = entry(1, "a", "r"), broken;
    breaker_ledger_t ledger;

    (void)state;
    breaker_ledger_init(&ledger, &one, 1);
    broken = entry(2, "b", "r");
    broken.token.text[0] = '/';
    assert_false(breaker__ledger_add(&ledger, &broken));
    broken = entry(2, "b", "r");
    broken.release.len = 0;
    assert_false(breaker__ledger_add(&ledger, &broken));
    broken = entry(UINT64_C(1) << 53, "b", "r");
    assert_false(breaker__ledger_add(&ledger, &broken));
    assert_int_equal(breaker_ledger_size(&ledger), 1);
}

/* with distinct claims, one by one and all at once come to the same, whatever the order */
static void adding_one_by_one_is_making_at_once(void **state)
{
    enum { NUM = 200 };
    breaker_ledger_entry_t entries[NUM];
    breaker_ledger_t at_once, one_by_one;
    unsigned random = 1;
    char text[16];

    (void)state;
    for (unsigned round = 0; round != 200; ++round) {
        breaker_ledger_init(&one_by_one, NULL, 0);
        for (size_t i = 0; i != NUM; ++i) {
            random = random * 1103515245u + 12345u;
            /* tokens come again with other orders, but never after their birth was dropped */
            unsigned token = (random >> 16) % 60, order = 1000 + (random >> 8) % 100;
            snprintf(text, sizeof(text), "t%u", token);
            entries[i] = entry(order, text, token % 2 != 0 ? "odd" : "even");
            breaker__ledger_add(&one_by_one, entries + i);
            /* each look maps a page for each entry */
            if ((i + round) % 16 == 0)
                check_sorted_and_found(&one_by_one);
        }
        check_sorted_and_found(&one_by_one);
        assert_int_equal(breaker_ledger_init(&at_once, entries, NUM), 0);
        check_same(&at_once, &one_by_one);
    }
}

static void the_newest_of_a_release_is_found(void **state)
{
    breaker_ledger_entry_t entries[] = {entry(10, "a", "r"), entry(20, "b", "r"),
                                        entry(30, "c", "s"), entry(5, "d", "rr")};
    breaker_release_id_t other = entries[0].release;
    breaker_ledger_t ledger;

    (void)state;
    breaker_ledger_init(&ledger, NULL, 0);
    assert_null(breaker_ledger_newest(&ledger, NULL));
    assert_null(breaker_ledger_newest(&ledger, &entries[0].release));
    breaker_ledger_init(&ledger, entries, 4);
    assert_string_equal(breaker_ledger_newest(&ledger, NULL)->token.text, "c");
    assert_string_equal(breaker_ledger_newest(&ledger, &entries[0].release)->token.text, "b");
    assert_string_equal(breaker_ledger_newest(&ledger, &entries[3].release)->token.text, "d");
    other.text[0] = 'x';
    assert_null(breaker_ledger_newest(&ledger, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ledger_knows_nothing),
        cmocka_unit_test(entries_are_sorted_by_their_order),
        cmocka_unit_test(only_the_exact_spelling_is_found),
        cmocka_unit_test(bytes_that_are_no_token_are_not_found),
        cmocka_unit_test(tokens_of_every_length_are_found_in_ledgers_of_every_size),
        cmocka_unit_test(the_newest_entries_are_kept),
        cmocka_unit_test(of_one_token_the_birth_wins),
        cmocka_unit_test(of_two_births_the_smaller_release_wins_in_any_order),
        cmocka_unit_test(births_are_found_before_the_oldest_are_dropped),
        cmocka_unit_test(the_same_entries_make_the_same_ledger_in_any_order),
        cmocka_unit_test(a_copy_is_a_ledger_of_its_own),
        cmocka_unit_test(a_malformed_entry_is_refused_and_changes_nothing),
        cmocka_unit_test(an_added_entry_is_sorted_in_and_found),
        cmocka_unit_test(an_added_birth_wins_and_an_added_copy_does_not),
        cmocka_unit_test(an_added_claim_of_another_release_changes_nothing),
        cmocka_unit_test(a_full_ledger_loses_its_oldest_to_an_added_entry),
        cmocka_unit_test(what_is_kept_makes_room_for_nothing),
        cmocka_unit_test(where_all_are_kept_no_other_one_comes_in),
        cmocka_unit_test(a_malformed_entry_is_not_added),
        cmocka_unit_test(adding_one_by_one_is_making_at_once),
        cmocka_unit_test(the_newest_of_a_release_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
