/*
 * The releases that a node has heard of: each once, with the tokens that are its own, and which of
 * them make room for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <breaker/snapshot.h>
#include "holding/tracked.h"

static breaker__catalog_t catalog;

static breaker_release_id_t id_of(unsigned number)
{
    breaker_release_id_t id;

    id.len = (size_t)snprintf(id.text, sizeof(id.text), "v%u~%043u", number, number);
    assert_non_null(breaker_release_id_digest(&id));
    return id;
}

static breaker__tracked_t *add(unsigned number, uint64_t seen_ms)
{
    breaker_release_id_t id = id_of(number);

    return breaker__catalog_add(&catalog, &id, seen_ms);
}

static int teardown(void **state)
{
    (void)state;
    breaker__catalog_dispose(&catalog);
    return 0;
}

static void a_release_stands_there_once_and_was_seen_last_when_anybody_says(void **state)
{
    breaker__tracked_t *first = add(1, 50);

    (void)state;
    assert_ptr_equal(add(1, 70), first);
    assert_ptr_equal(add(1, 60), first);
    assert_int_equal(catalog.num, 1);
    assert_int_equal(first->about.first_seen_ms, 50);
    assert_int_equal(first->about.last_seen_ms, 70);
}

static void an_id_that_nothing_can_be_checked_against_is_none(void **state)
{
    breaker_release_id_t id;

    (void)state;
    assert_int_equal(breaker_release_id_parse("any", 3, &id), 0);
    assert_null(breaker__catalog_add(&catalog, &id, 1));
    assert_int_equal(catalog.num, 0);
}

static breaker_ledger_entry_t token_of(unsigned number, uint64_t order)
{
    breaker_ledger_entry_t entry = {.order = order, .release = id_of(number)};

    entry.token.len =
        (uint8_t)snprintf(entry.token.text, sizeof(entry.token.text), "t%u", (unsigned)order);
    return entry;
}

static void of_too_many_tokens_the_newest_are_kept(void **state)
{
    breaker__tracked_t *known = add(1, 1);
    breaker_ledger_entry_t entry;

    (void)state;
    for (unsigned i = 2; i != BREAKER__ARCHIVE_TOKENS_MAX + 10; ++i) {
        entry = token_of(1, i);
        assert_true(breaker__tracked_add_token(known, &entry));
        assert_false(breaker__tracked_add_token(known, &entry));
    }
    entry = token_of(1, 1);
    assert_false(breaker__tracked_add_token(known, &entry));
    assert_int_equal(known->about.num_tokens, BREAKER__ARCHIVE_TOKENS_MAX);
    for (size_t i = 0; i != known->about.num_tokens; ++i)
        assert_true(known->about.tokens[i].order >= 10);
}

static void the_one_seen_longest_ago_makes_room_unless_it_is_needed(void **state)
{
    breaker_release_id_t oldest = id_of(0), next = id_of(1);

    (void)state;
    for (unsigned i = 0; i != BREAKER__TRACKED_MAX; ++i)
        assert_non_null(add(i, 100 + i));
    breaker__catalog_find(&catalog, &oldest)->is_alive = true;
    assert_non_null(add(1000, 5000));
    assert_int_equal(catalog.num, BREAKER__TRACKED_MAX);
    assert_non_null(breaker__catalog_find(&catalog, &oldest));
    assert_null(breaker__catalog_find(&catalog, &next));
    /* and what is older than all of them finds none */
    assert_null(add(1001, 1));
}

static size_t choose(bool has_peers, uint64_t mono_ms)
{
    const breaker__keep_t keep = {.num_newest = 5, .age_ms = 1000, .num_max = BREAKER_HELD_MAX};
    size_t num = 0;

    breaker__catalog_choose(&catalog, &keep, has_peers, 10000, mono_ms);
    for (size_t i = 0; i != catalog.num; ++i)
        num += catalog.list[i]->stays;
    return num;
}

static void what_nobody_can_give_takes_no_place(void **state)
{
    breaker__tracked_t *own = add(1, 9000), *archived = add(2, 9000), *other = add(3, 9000);

    (void)state;
    own->is_own = true;
    archived->is_archived = true;
    assert_int_equal(choose(false, 0), 1);
    assert_true(archived->stays);
    assert_int_equal(choose(true, 0), 2);
    other->num_failures = 1;
    other->due_ms = 50;
    assert_int_equal(choose(true, 49), 1);
    assert_int_equal(choose(true, 50), 2);
    other->is_alive = true;
    assert_int_equal(choose(true, 49), 2);
    archived->is_barred = true;
    assert_int_equal(choose(false, 0), 0);
}

static void what_may_come_displaces_nothing_before_it_is_here(void **state)
{
    breaker__tracked_t *oldest = add(0, 9001), *newer;

    (void)state;
    oldest->is_archived = true;
    for (unsigned i = 1; i != BREAKER_HELD_MAX; ++i)
        add(i, 9001 + i)->is_archived = true;
    newer = add(1000, 9900);
    assert_int_equal(choose(true, 0), BREAKER_HELD_MAX + 1);
    assert_true(oldest->stays);
    assert_true(newer->stays);
    newer->is_archived = true;
    assert_int_equal(choose(true, 0), BREAKER_HELD_MAX);
    assert_false(oldest->stays);
    assert_true(newer->stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_release_stands_there_once_and_was_seen_last_when_anybody_says,
                                  teardown),
        cmocka_unit_test_teardown(an_id_that_nothing_can_be_checked_against_is_none, teardown),
        cmocka_unit_test_teardown(of_too_many_tokens_the_newest_are_kept, teardown),
        cmocka_unit_test_teardown(the_one_seen_longest_ago_makes_room_unless_it_is_needed,
                                  teardown),
        cmocka_unit_test_teardown(what_nobody_can_give_takes_no_place, teardown),
        cmocka_unit_test_teardown(what_may_come_displaces_nothing_before_it_is_here, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
