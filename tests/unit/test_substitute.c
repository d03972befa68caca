/* Replacement in a stream against a reference that sees the whole text, for every way to cut it.
 * Every chunk ends at a guard page and is overwritten as soon as it was taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/http/substitute.h>
#include "guard.h"

#define TEXT_MAX 65536

#define PAIR(literal, replacement)                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1, replacement, sizeof(replacement) - 1                         \
    }
#define NUM(rows) (sizeof(rows) / sizeof((rows)[0]))

/** Output so far. */
typedef struct st_output_t {
    size_t len, num_pieces;
    char text[8 * TEXT_MAX];
} output_t;

/** What a test works with; one for the whole run, because it is large. */
typedef struct st_bench_t {
    output_t expected, got;
    char *chunk; /* owned, TEXT_MAX bytes up to a guard page */
} bench_t;

static void on_output(void *data, const char *base, size_t len)
{
    output_t *output = data;

    assert_int_not_equal(len, 0);
    assert_true(len <= sizeof(output->text) - output->len);
    memcpy(output->text + output->len, base, len);
    output->len += len;
    ++output->num_pieces;
}

static void clear(output_t *output)
{
    output->len = output->num_pieces = 0;
}

/** The definition: from left to right, at every place the longest literal, else one byte. */
static void replace_whole(const breaker_substitution_t *pairs, size_t num_pairs, const char *text,
                          size_t len, output_t *output)
{
    clear(output);
    for (size_t at = 0; at != len;) {
        const breaker_substitution_t *best = NULL;
        for (size_t i = 0; i != num_pairs; ++i)
            if (pairs[i].literal_len <= len - at &&
                memcmp(text + at, pairs[i].literal, pairs[i].literal_len) == 0 &&
                (best == NULL || pairs[i].literal_len > best->literal_len))
                best = &pairs[i];
        if (best == NULL) {
            on_output(output, text + at++, 1);
        } else {
            if (best->replacement_len != 0)
                on_output(output, best->replacement, best->replacement_len);
            at += best->literal_len;
        }
    }
}

static void feed(bench_t *bench, breaker_substitute_t *stream, const char *base, size_t len,
                 bool final)
{
    char *chunk = bench->chunk + TEXT_MAX - len;

    if (len != 0)
        memcpy(chunk, base, len);
    breaker_substitute_feed(stream, len != 0 ? chunk : NULL, len, final, on_output, &bench->got);
    memset(chunk, '#', len);
}

static void expect_same(const bench_t *bench, const char *text, size_t len)
{
    if (bench->got.len != bench->expected.len ||
        memcmp(bench->got.text, bench->expected.text, bench->got.len) != 0)
        fail_msg("'%.*s' became '%.*s', not '%.*s'", (int)len, text, (int)bench->got.len,
                 bench->got.text, (int)bench->expected.len, bench->expected.text);
}

/** Cuts after byte i where bit i of `cuts` is set; ends with the last chunk or an empty one. */
static void check_cuts(bench_t *bench, const breaker_substitution_t *pairs, size_t num_pairs,
                       const char *text, size_t len, uint32_t cuts)
{
    breaker_substitute_t stream;
    size_t from = 0;

    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, num_pairs);
    for (size_t i = 0; i < len; ++i)
        if ((cuts >> i & 1) != 0) {
            feed(bench, &stream, text + from, i + 1 - from, false);
            from = i + 1;
        }
    feed(bench, &stream, text + from, len - from, true);
    expect_same(bench, text, len);
}

static void check_all_cuts(bench_t *bench, const breaker_substitution_t *pairs, size_t num_pairs,
                           const char *text)
{
    size_t len = strlen(text);

    assert_true(len <= 16);
    replace_whole(pairs, num_pairs, text, len, &bench->expected);
    for (uint32_t cuts = 0; cuts != UINT32_C(1) << len; ++cuts)
        check_cuts(bench, pairs, num_pairs, text, len, cuts);
}

/** Feeds chunks of one size; with `empty`, an empty chunk before each. */
static void check_size(bench_t *bench, const breaker_substitution_t *pairs, size_t num_pairs,
                       const char *text, size_t len, size_t chunk_len, bool empty)
{
    breaker_substitute_t stream;

    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, num_pairs);
    for (size_t from = 0; from < len; from += chunk_len) {
        size_t rest = len - from;
        if (empty)
            feed(bench, &stream, NULL, 0, false);
        feed(bench, &stream, text + from, rest < chunk_len ? rest : chunk_len, false);
    }
    feed(bench, &stream, NULL, 0, true);
    expect_same(bench, text, len);
}

static void a_literal_is_replaced_however_the_text_is_cut(void **state)
{
    static const breaker_substitution_t pairs[] = {PAIR("{b}/", "17/")};
    static const char *const texts[] = {
        "",         "{b}/",      "a{b}/c",     "{b}/{b}/{b}/", "{b}{b}/",
        "{{b}/}",   "{b",        "x{",         "{b}",          "{b}x",
        "{{{{b}//", "{b{b}/b}/", "plain text", "{b}/a{b}/",    "{B}/ {b} / b}/",
    };

    for (size_t i = 0; i != NUM(texts); ++i)
        check_all_cuts(*state, pairs, NUM(pairs), texts[i]);
}

static void literals_that_begin_alike_are_told_apart(void **state)
{
    static const breaker_substitution_t pairs[] = {
        PAIR("ab", "1"), PAIR("abcd", "2"), PAIR("abcdef", "3"), PAIR("bc", "4"), PAIR("e", "5"),
    };
    static const char *const texts[] = {
        "ab",      "abc",   "abcd",        "abcde",      "abcdef",       "abcdeab", "abcab",
        "aabcdef", "bcdef", "abcdeabcdef", "abbcbabcde", "abcdabcdefab", "cabc",    "abcdeb",
    };

    for (size_t i = 0; i != NUM(texts); ++i)
        check_all_cuts(*state, pairs, NUM(pairs), texts[i]);
}

static void literals_inside_each_other_are_matched_from_the_left(void **state)
{
    static const breaker_substitution_t pairs[] = {
        PAIR("aab", "<1>"),
        PAIR("aba", "<2>"),
        PAIR("baa", ""),
        PAIR("xaabay", "<3>"),
    };
    static const char *const texts[] = {
        "aabaabaab", "ababaaab", "aaaaaaab",    "baabaaba", "abaab",
        "xaabay",    "xaabaz",   "xaabaxaabay", "xxaabaa",
    };

    for (size_t i = 0; i != NUM(texts); ++i)
        check_all_cuts(*state, pairs, NUM(pairs), texts[i]);
}

static void a_literal_that_repeats_itself_is_found_at_once(void **state)
{
    static const breaker_substitution_t pairs[] = {PAIR("aaab", "x"), PAIR("aa", "y")};
    static const char *const texts[] = {"aaaaaab", "aaaabaaaab", "aaaaaaaaaaa", "aaa", "abaabaaab"};

    for (size_t i = 0; i != NUM(texts); ++i)
        check_all_cuts(*state, pairs, NUM(pairs), texts[i]);
}

static void a_replacement_is_not_read_again(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("ab", "aabb"), PAIR("c", "ab"),
                                                   PAIR("x", "xx")};
    static const char text[] = "aabbcxabx";

    check_all_cuts(bench, pairs, NUM(pairs), text);
    assert_int_equal(bench->got.len, strlen("aaabbbabxxaabbxx"));
    assert_memory_equal(bench->got.text, "aaabbbabxxaabbxx", bench->got.len);
}

static void what_is_held_comes_out_at_the_end(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("/static/{breaker}/", "/static/7/")};
    static const char text[] = "href=/static/{breaker}";
    breaker_substitute_t stream;

    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, NUM(pairs));
    feed(bench, &stream, text, strlen(text), false);
    assert_int_equal(bench->got.len, strlen("href="));
    feed(bench, &stream, NULL, 0, false);
    assert_int_equal(bench->got.len, strlen("href="));
    feed(bench, &stream, NULL, 0, true);
    assert_int_equal(bench->got.len, strlen(text));
    assert_memory_equal(bench->got.text, text, strlen(text));
}

static void a_stream_without_pairs_hands_everything_on(void **state)
{
    bench_t *bench = *state;

    check_all_cuts(bench, NULL, 0, "any text");
    assert_int_equal(bench->got.len, strlen("any text"));
}

static void an_empty_stream_gives_nothing(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("a", "b")};
    breaker_substitute_t stream;

    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, NUM(pairs));
    feed(bench, &stream, NULL, 0, false);
    feed(bench, &stream, NULL, 0, true);
    assert_int_equal(bench->got.num_pieces, 0);
}

static void nul_bytes_are_bytes(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("\0a", "1"), PAIR("\0\0", "2\0")};
    static const char text[] = "\0\0\0a\0b\0\0\xff";

    replace_whole(pairs, NUM(pairs), text, sizeof(text) - 1, &bench->expected);
    for (uint32_t cuts = 0; cuts != 1u << (sizeof(text) - 1); ++cuts)
        check_cuts(bench, pairs, NUM(pairs), text, sizeof(text) - 1, cuts);
}

/* ---- random ---- */

/** xorshift: the same numbers in every run and on every machine */
static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % below;
}

typedef struct st_random_pairs_t {
    breaker_substitution_t pairs[6];
    char literals[6][12], replacements[6][16];
    size_t num;
} random_pairs_t;

/** Literals of a small alphabet, every other time with a common beginning. */
static void draw_pairs(uint32_t *seed, random_pairs_t *random, uint32_t letters)
{
    size_t common = draw(seed, 2) == 0 ? draw(seed, 4) : 0;

    random->num = 1 + draw(seed, 6);
    for (size_t i = 0; i != random->num; ++i) {
        breaker_substitution_t *pair = &random->pairs[i];
        pair->literal_len = common + 1 + draw(seed, 6);
        for (size_t j = 0; j != pair->literal_len; ++j)
            random->literals[i][j] =
                j < common ? random->literals[0][j] : (char)('a' + draw(seed, letters));
        if (i == 0)
            for (size_t j = 0; j != common; ++j)
                random->literals[0][j] = (char)('a' + draw(seed, letters));
        pair->replacement_len = draw(seed, 16);
        for (size_t j = 0; j != pair->replacement_len; ++j)
            random->replacements[i][j] = (char)('a' + draw(seed, letters));
        pair->literal = random->literals[i];
        pair->replacement = random->replacements[i];
    }
}

static void check_random_cuts(bench_t *bench, uint32_t *seed, const random_pairs_t *random,
                              const char *text, size_t len)
{
    breaker_substitute_t stream;
    uint32_t longest = 1 + draw(seed, 40);

    clear(&bench->got);
    breaker_substitute_init(&stream, random->pairs, random->num);
    for (size_t from = 0; from != len;) {
        size_t rest = len - from, take = draw(seed, longest + 1);
        if (take > rest)
            take = rest;
        feed(bench, &stream, text + from, take, false);
        from += take;
    }
    feed(bench, &stream, NULL, 0, true);
    expect_same(bench, text, len);
}

static void random_texts_are_replaced_as_if_they_were_whole(void **state)
{
    bench_t *bench = *state;
    uint32_t seed = 20261123;

    for (int round = 0; round != 4000; ++round) {
        random_pairs_t random = {.num = 0};
        uint32_t letters = 2 + draw(&seed, 3);
        char text[400];
        size_t len = draw(&seed, sizeof(text));
        draw_pairs(&seed, &random, letters);
        for (size_t i = 0; i != len; ++i)
            text[i] = (char)('a' + draw(&seed, letters));
        replace_whole(random.pairs, random.num, text, len, &bench->expected);
        for (size_t chunk_len = 1; chunk_len <= 8; ++chunk_len)
            check_size(bench, random.pairs, random.num, text, len, chunk_len, round % 2 == 0);
        check_size(bench, random.pairs, random.num, text, len, sizeof(text), false);
        for (int i = 0; i != 4; ++i)
            check_random_cuts(bench, &seed, &random, text, len);
    }
}

/* ---- limits ---- */

static void the_longest_literal_is_held_and_found(void **state)
{
    bench_t *bench = *state;
    static char literal[BREAKER_SUBSTITUTION_LITERAL_MAX],
        text[8 * BREAKER_SUBSTITUTION_LITERAL_MAX];
    breaker_substitution_t pairs[] = {{literal, sizeof(literal), "long", 4}, PAIR("aab", "short")};
    size_t len = 0;

    memset(literal, 'a', sizeof(literal));
    literal[sizeof(literal) - 1] = 'b';
    /* almost one, one, one too many at the beginning, and again almost one at the end */
    memset(text, 'a', sizeof(text));
    len += sizeof(literal) - 1;
    text[len++] = 'c';
    memcpy(text + len, literal, sizeof(literal));
    len += sizeof(literal) + 1;
    memcpy(text + len, literal, sizeof(literal));
    len += sizeof(literal);
    len += sizeof(literal) - 1;
    replace_whole(pairs, NUM(pairs), text, len, &bench->expected);
    for (size_t chunk_len = 1; chunk_len <= len; chunk_len += chunk_len < 10 ? 1 : 37)
        check_size(bench, pairs, NUM(pairs), text, len, chunk_len, false);
    check_size(bench, pairs, NUM(pairs), text, len, sizeof(literal) - 1, true);
    check_size(bench, pairs, NUM(pairs), text, len, sizeof(literal), true);
}

static void as_many_pairs_as_there_are_views_are_taken(void **state)
{
    bench_t *bench = *state;
    static char literals[BREAKER_VIEWS_MAX][32], replacements[BREAKER_VIEWS_MAX][32];
    breaker_substitution_t pairs[BREAKER_VIEWS_MAX];
    static char text[8192];
    size_t len = 0;

    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        pairs[i].literal_len =
            (size_t)snprintf(literals[i], sizeof(literals[i]), "/view-%zu/{breaker}/", i);
        pairs[i].replacement_len =
            (size_t)snprintf(replacements[i], sizeof(replacements[i]), "/view-%zu/17185/", i);
        pairs[i].literal = literals[i];
        pairs[i].replacement = replacements[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "<a href=\"%sx\">/view-%zu</a>",
                                literals[i], i);
    }
    replace_whole(pairs, BREAKER_VIEWS_MAX, text, len, &bench->expected);
    assert_int_not_equal(bench->expected.len, len);
    for (size_t chunk_len = 1; chunk_len <= len; chunk_len += chunk_len < 40 ? 1 : 997)
        check_size(bench, pairs, BREAKER_VIEWS_MAX, text, len, chunk_len, false);
}

/** With replacements equal to their literals, output is input, and its lag is what is held. */
static void no_more_is_held_than_the_longest_literal_less_a_byte(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("abcabd", "abcabd"), PAIR("abx", "abx")};
    static const char text[] = "abcabcabcabdababxabcabababcab-abcab";
    breaker_substitute_t stream;

    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, NUM(pairs));
    for (size_t i = 0; i != strlen(text); ++i) {
        feed(bench, &stream, text + i, 1, false);
        assert_in_range(i + 1 - bench->got.len, 0, strlen("abcabd") - 1);
    }
    assert_int_equal(strlen(text) - bench->got.len, strlen("abcab"));
}

static void text_is_handed_out_in_pieces_as_large_as_the_matches_allow(void **state)
{
    bench_t *bench = *state;
    static const breaker_substitution_t pairs[] = {PAIR("/static/{breaker}/", "/static/17/"),
                                                   PAIR("/img/{breaker}/", "/img/17/")};
    static const char link[] = "<img src=\"/img/{breaker}/a.png\"> and a/b/c/s /static/ /img/{ ";
    static char text[TEXT_MAX];
    breaker_substitute_t stream;
    size_t num_links = 0, len = 0;

    memset(text, '/', sizeof(text));
    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, NUM(pairs));
    feed(bench, &stream, text, sizeof(text) - 1, false);
    feed(bench, &stream, ".", 1, true);
    assert_int_equal(bench->got.len, sizeof(text));
    assert_in_range(bench->got.num_pieces, 1, 3);

    for (; len + strlen(link) <= sizeof(text); ++num_links) {
        memcpy(text + len, link, strlen(link));
        len += strlen(link);
    }
    clear(&bench->got);
    breaker_substitute_init(&stream, pairs, NUM(pairs));
    feed(bench, &stream, text, len, true);
    assert_int_equal(bench->got.num_pieces, 2 * num_links + 1);
}

static int set_up(void **state)
{
    bench_t *bench = malloc(sizeof(*bench));

    if (bench == NULL)
        return -1;
    bench->chunk = guarded_alloc(TEXT_MAX);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    bench_t *bench = *state;

    guarded_free(bench->chunk, TEXT_MAX);
    free(bench);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_is_replaced_however_the_text_is_cut),
        cmocka_unit_test(literals_that_begin_alike_are_told_apart),
        cmocka_unit_test(literals_inside_each_other_are_matched_from_the_left),
        cmocka_unit_test(a_literal_that_repeats_itself_is_found_at_once),
        cmocka_unit_test(a_replacement_is_not_read_again),
        cmocka_unit_test(what_is_held_comes_out_at_the_end),
        cmocka_unit_test(a_stream_without_pairs_hands_everything_on),
        cmocka_unit_test(an_empty_stream_gives_nothing),
        cmocka_unit_test(nul_bytes_are_bytes),
        cmocka_unit_test(random_texts_are_replaced_as_if_they_were_whole),
        cmocka_unit_test(the_longest_literal_is_held_and_found),
        cmocka_unit_test(as_many_pairs_as_there_are_views_are_taken),
        cmocka_unit_test(no_more_is_held_than_the_longest_literal_less_a_byte),
        cmocka_unit_test(text_is_handed_out_in_pieces_as_large_as_the_matches_allow),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
