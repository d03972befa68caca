/*
 * What is noted of a release: its text, and how two of them become one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <breaker/error.h>
#include "archive/seen.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID "x~n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"

static breaker__archived_t make(uint64_t first_ms, uint64_t last_ms)
{
    breaker__archived_t archived = {.first_seen_ms = first_ms, .last_seen_ms = last_ms};

    assert_int_equal(breaker_release_id_parse(ID, sizeof(ID) - 1, &archived.id), 0);
    return archived;
}

static void add(breaker__archived_t *archived, const char *token, uint64_t order)
{
    breaker_ledger_entry_t *entry = archived->tokens + archived->num_tokens++;

    *entry = (breaker_ledger_entry_t){.order = order, .release = archived->id};
    assert_int_equal(breaker_token_parse(token, strlen(token), &entry->token), 0);
}

static void what_was_written_is_read(void **state)
{
    static const char begin[] =
        "h2o-breaker seen 1\nrelease " ID "\nfirst 5\nlast 9007199254740991\n"
        "blobs whole\ntoken 7 a\ntoken 8 b\nend ";
    breaker__archived_t archived = make(5, 9007199254740991), read;
    char text[BREAKER__SEEN_MAX], *copy;
    size_t len;

    (void)state;
    archived.is_whole = true;
    add(&archived, "a", 7);
    add(&archived, "b", 8);
    len = breaker__seen_write(&archived, text);
    assert_int_equal(len, sizeof(begin) - 1 + 65);
    assert_memory_equal(text, begin, sizeof(begin) - 1);
    copy = guarded_copy(text, len);
    assert_true(breaker__seen_read(copy, len, &archived.id, &read));
    assert_int_equal(read.first_seen_ms, 5);
    assert_int_equal(read.last_seen_ms, 9007199254740991);
    assert_true(read.is_whole);
    assert_int_equal(read.num_tokens, 2);
    assert_string_equal(read.tokens[1].token.text, "b");
    assert_int_equal(read.tokens[1].order, 8);
    assert_string_equal(read.tokens[1].release.text, ID);
    guarded_free(copy, len);
}

static void the_longest_one_fits(void **state)
{
    breaker__archived_t archived = make(9007199254740991, 9007199254740991), read;
    char text[BREAKER__SEEN_MAX], token[BREAKER_TOKEN_MAX + 1];
    size_t len;

    (void)state;
    for (int i = 0; i != BREAKER__ARCHIVE_TOKENS_MAX; ++i) {
        snprintf(token, sizeof(token), "%064d", i);
        add(&archived, token, 9007199254740991);
    }
    len = breaker__seen_write(&archived, text);
    assert_true(breaker__seen_read(text, len, &archived.id, &read));
    assert_int_equal(read.num_tokens, BREAKER__ARCHIVE_TOKENS_MAX);
}

static void nothing_that_was_changed_or_cut_is_used(void **state)
{
    breaker__archived_t archived = make(5, 6), read;
    char text[BREAKER__SEEN_MAX];
    breaker_release_id_t other = archived.id;
    size_t len;

    (void)state;
    add(&archived, "a", 7);
    len = breaker__seen_write(&archived, text);
    other.text[0] = 'y';
    assert_false(breaker__seen_read(text, len, &other, &read));
    for (size_t cut = 0; cut != len; ++cut) {
        char *copy = guarded_copy(text, cut);
        assert_false(breaker__seen_read(copy, cut, &archived.id, &read));
        guarded_free(copy, cut);
    }
    for (size_t at = 0; at != len; ++at) {
        text[at] ^= 1;
        assert_false(breaker__seen_read(text, len, &archived.id, &read));
        text[at] ^= 1;
    }
    assert_true(breaker__seen_read(text, len, &archived.id, &read));
}

static void two_become_one(void **state)
{
    breaker__archived_t archived = make(0, 5), other = make(50, 60);

    (void)state;
    add(&archived, "a", 7);
    add(&other, "a", 6);
    add(&other, "b", 8);
    assert_true(breaker__seen_merge(&archived, &other));
    assert_int_equal(archived.first_seen_ms, 50);
    assert_int_equal(archived.last_seen_ms, 60);
    assert_int_equal(archived.num_tokens, 2);
    assert_int_equal(archived.tokens[0].order, 6);
    assert_false(archived.is_whole);
    assert_false(breaker__seen_merge(&archived, &other));
    /* a later last sight alone is nothing new */
    other.last_seen_ms = 70;
    other.num_tokens = 0;
    assert_false(breaker__seen_merge(&archived, &other));
    assert_int_equal(archived.last_seen_ms, 70);
    other = make(40, 1);
    other.is_whole = true;
    assert_true(breaker__seen_merge(&archived, &other));
    assert_int_equal(archived.first_seen_ms, 40);
    assert_int_equal(archived.last_seen_ms, 70);
    assert_true(archived.is_whole);
    other.is_whole = false;
    assert_false(breaker__seen_merge(&archived, &other));
    assert_true(archived.is_whole);
}

static void of_too_many_tokens_the_newest_stay(void **state)
{
    breaker__archived_t archived = make(1, 1), other = make(1, 1);
    char token[8];

    (void)state;
    for (int i = 0; i != BREAKER__ARCHIVE_TOKENS_MAX; ++i) {
        snprintf(token, sizeof(token), "a%d", i);
        add(&archived, token, (uint64_t)(100 + i));
    }
    add(&other, "old", 99);
    assert_false(breaker__seen_merge(&archived, &other));
    add(&other, "new", 1000);
    assert_true(breaker__seen_merge(&archived, &other));
    assert_int_equal(archived.num_tokens, BREAKER__ARCHIVE_TOKENS_MAX);
    assert_string_equal(archived.tokens[0].token.text, "new");
}

static void tokens_of_others_and_malformed_ones_are_left_out(void **state)
{
    breaker__archived_t archived = make(1, 1), other = make(1, 1);

    (void)state;
    add(&other, "a", UINT64_C(1) << 53);
    add(&other, "b", 1);
    other.tokens[1].release.text[0] = 'y';
    add(&other, "c", 1);
    other.tokens[2].token.text[0] = '/';
    other.first_seen_ms = other.last_seen_ms = UINT64_MAX;
    assert_false(breaker__seen_merge(&archived, &other));
    assert_int_equal(archived.num_tokens, 0);
    assert_int_equal(archived.last_seen_ms, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_longest_one_fits),
        cmocka_unit_test(nothing_that_was_changed_or_cut_is_used),
        cmocka_unit_test(two_become_one),
        cmocka_unit_test(of_too_many_tokens_the_newest_stay),
        cmocka_unit_test(tokens_of_others_and_malformed_ones_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
