/*
 * Patterns over paths, and which headers of a view a path has by them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/error.h>
#include "guard.h"
#include "view/matched.h"
#include "view/pattern.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* both end at guard pages */
static bool matches(const char *pattern, const char *path)
{
    char *pattern_copy = guarded_copy(pattern, strlen(pattern) + 1);
    char *path_copy = guarded_copy(path, strlen(path));
    bool is_match;

    if (!breaker_is_pattern(pattern_copy))
        fail_msg("%s is no pattern", pattern);
    is_match = breaker__pattern_matches(pattern_copy, path_copy, strlen(path));
    guarded_free(pattern_copy, strlen(pattern) + 1);
    guarded_free(path_copy, strlen(path));
    return is_match;
}

static void patterns_match_what_the_header_says(void **state)
{
    static const struct {
        const char *pattern;
        /* parted by a space each */
        const char *matching, *others;
    } cases[] = {
        {"*.js", "a.js .js js/a.js a/b/c.min.js", "a.jsx a.js/b js a.JS"},
        {"a.js", "a.js x/a.js x/y/a.js", "ba.js a.js/x a.jsx"},
        {"*", "a a.js a/b/c .x", ""},
        {"**", "a a/b/c", ""},
        {"a*", "a ab x/ab", "ba ab/x"},
        {"/*.html", "a.html .html", "x/a.html a.htm"},
        {"/a", "a", "x/a a/a"},
        {"js/*.js", "js/a.js js/.js", "a.js x/js/a.js js/x/a.js"},
        {"js/**", "js/a js/a/b", "js x/js/a jsx/a"},
        {"**/js/*", "js/a x/js/a x/y/js/a js/js/a", "js/a/b xjs/a"},
        {"**/*.js", "a.js x/a.js x/y/a.js", "a.css x/a.jsx"},
        {"a/**/b", "a/b a/x/b a/x/y/b a/b/b", "a/xb ab a/b/c xa/b"},
        {"a/**b", "a/b a/xb a/x/yb", "a/bc ab"},
        {"a**/b", "a/b ax/b ax/y/b", "ab ax/yb"},
        {"*/b", "a/b", "b a/a/b"},
        {"**/a/**/b", "a/b x/a/b x/a/y/b a/a/b/b", "a x/b ab xa/b"},
        {"**a/**/b/*.c", "xa/ya/q/b/x.c a/b/.c", "a/b/x/y.c"},
        {"*a*b*c", "abc xaxbxc abcc x/aabbcc", "acb abcd"},
        {"?.js", "a.js x/b.js", ".js ab.js"},
        {"a/?/b", "a/x/b", "a//b a/xx/b"},
        {"[abc].js", "a.js c.js", "d.js .js"},
        {"[a-cx-z]", "a b x z", "d w - ab"},
        {"[!a-c]", "d z -", "a b"},
        {"[^a]*", "b bc", "a ab"},
        {"[]a]", "] a", "b"},
        {"[!]a]", "b", "] a"},
        {"[a-]", "a -", "b"},
        {"[a\\]]", "a ]", "b \\"},
        {"a/[!x]b", "a/yb", "a/xb a//b a/b"},
        {"\\*.js", "*.js", "a.js"},
        {"\\{a\\}", "{a}", "a"},
        {"\\[a]", "[a]", "a"},
        {"\xc3\xa4*", "\xc3\xa4.js", "a.js"},
        {"[\x80-\xff]*", "\xc3\xa4.js", "a.js"},
        {"a.**", "a. a.x x/a.y", "b.x"},
        {"***", "a a/b", ""},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i)
        for (int side = 0; side != 2; ++side) {
            char paths[128], *rest = paths, *path;
            strcpy(paths, side == 0 ? cases[i].matching : cases[i].others);
            while ((path = strsep(&rest, " ")) != NULL)
                if ((*path != '\0' || side == 0) && matches(cases[i].pattern, path) != (side == 0))
                    fail_msg("%s and %s", cases[i].pattern, path);
        }
}

static void what_is_no_pattern_is_refused(void **state)
{
    static const char *const refused[] = {
        "",     "/",   "a/",    "a//b",    "//a", "[a",   "[",     "[]",    "[!]", "[a/b]",
        "[a\\", "a\\", "a\\/b", "*.{a,b}", "a}",  "a\nb", "a\x7f", "a\\\n", "[a-", "\x01",
    };
    char longest[BREAKER_VIEW_PATTERN_MAX + 2];

    (void)state;
    for (size_t i = 0; i != COUNT(refused); ++i)
        if (breaker_is_pattern(refused[i]))
            fail_msg("%s", refused[i]);
    memset(longest, 'a', sizeof(longest));
    longest[BREAKER_VIEW_PATTERN_MAX + 1] = '\0';
    assert_false(breaker_is_pattern(longest));
    longest[BREAKER_VIEW_PATTERN_MAX] = '\0';
    assert_true(breaker_is_pattern(longest));
}

static void no_pattern_takes_long(void **state)
{
    char pattern[BREAKER_VIEW_PATTERN_MAX + 1], path[4096];

    (void)state;
    /* of each of its stars a naive matcher would try every length */
    for (size_t i = 0; i != sizeof(pattern) - 1; ++i)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[sizeof(pattern) - 2] = 'b';
    pattern[sizeof(pattern) - 1] = '\0';
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_false(matches(pattern, path));
    memcpy(pattern, "**/", 3);
    assert_false(matches(pattern, path));
}

/* what follows the `*` nearly matches at every byte, and so it would after each that `**` takes:
   some 10^12 steps for these paths */
static void no_pattern_takes_long_for_what_stands_behind_two_kinds_of_stars(void **state)
{
    char pattern[BREAKER_VIEW_PATTERN_MAX + 1], path[4096];

    (void)state;
    memset(pattern, 'a', sizeof(pattern) - 1);
    memcpy(pattern, "**a*", 4);
    pattern[sizeof(pattern) - 2] = 'b';
    pattern[sizeof(pattern) - 1] = '\0';
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    for (size_t i = 0; i != 300; ++i)
        assert_false(breaker__pattern_matches(pattern, path, sizeof(path) - 1));
}

/* by definition: every star tries every length */
static bool matches_naively(const char *pattern, const char *path, bool at_segment)
{
    bool has_two = pattern[0] == '*' && pattern[1] == '*';

    if (*pattern == '\0')
        return *path == '\0';
    if (*pattern != '*')
        return *path == *pattern && matches_naively(pattern + 1, path + 1, *path == '/');
    if (has_two && at_segment && pattern[2] == '/') {
        for (; path != NULL; path = (path = strchr(path, '/')) != NULL ? path + 1 : NULL)
            if (matches_naively(pattern + 3, path, true))
                return true;
        return false;
    }
    for (;; ++path) {
        if (matches_naively(pattern + 1 + has_two, path, false))
            return true;
        if (*path == '\0' || (!has_two && *path == '/'))
            return false;
    }
}

static void fill_with(char *dst, size_t len, const char *letters, uint32_t *random)
{
    for (size_t i = 0; i != len; ++i) {
        *random = *random * UINT32_C(1664525) + UINT32_C(1013904223);
        dst[i] = letters[(*random >> 16) % strlen(letters)];
    }
    dst[len] = '\0';
}

static void patterns_match_what_they_do_by_trying_everything(void **state)
{
    uint32_t random = 1;
    size_t num_matching = 0;

    (void)state;
    for (size_t i = 0; i != 300000; ++i) {
        char pattern[16] = "/", path[16];
        fill_with(pattern + 1, 1 + i % 9, "ab/**", &random);
        fill_with(path, 1 + i / 9 % 9, "aab/", &random);
        /* three stars are two; by themselves they are not looked at here */
        if (!breaker_is_pattern(pattern) || strstr(pattern, "***") != NULL)
            continue;
        if (breaker__pattern_matches(pattern, path, strlen(path)) !=
            matches_naively(pattern + 1, path, true))
            fail_msg("%s and %s", pattern, path);
        num_matching += breaker__pattern_matches(pattern, path, strlen(path));
    }
    assert_true(num_matching > 1000);
}

/* ---- the headers of a view ---- */

static breaker_view_t *view_of(const char *const *headers, size_t num_headers,
                               const breaker_matched_header_t *matched, size_t num_matched,
                               int expected)
{
    breaker_view_config_t config;
    breaker_view_t *view = NULL;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/";
    config.headers = headers;
    config.num_headers = num_headers;
    config.matched_headers = matched;
    config.num_matched_headers = num_matched;
    assert_int_equal(breaker__view_create(&config, 0, &view), expected);
    return view;
}

static void assert_matched(const breaker_view_t *view, const char *path, const char *expected)
{
    const char *lines[BREAKER_VIEW_HEADERS_MAX];
    size_t num = breaker__view_matched(view, path, strlen(path), lines);
    char text[1024] = "";

    for (size_t i = 0; i != num; ++i)
        strcat(strcat(text, lines[i]), "\n");
    assert_string_equal(text, expected);
}

static void all_that_match_apply_in_order_and_later_ones_replace(void **state)
{
    static const breaker_matched_header_t matched[] = {
        {"*", "X-A: 1"},    {"*.js", "X-B: 1"},      {"*.js", "X-B: 2"},     {"js/**", "x-a: 2"},
        {"*.js", "X-C: 1"}, {"js/main.*", "X-b: 3"}, {"js/main.*", "Y-A: 1"}};
    breaker_view_t *view = view_of(NULL, 0, matched, COUNT(matched), 0);

    (void)state;
    assert_matched(view, "a.css", "X-A: 1\n");
    assert_matched(view, "a.js", "X-A: 1\nX-B: 1\nX-B: 2\nX-C: 1\n");
    assert_matched(view, "js/a.css", "x-a: 2\n");
    assert_matched(view, "js/a.js", "X-B: 1\nX-B: 2\nx-a: 2\nX-C: 1\n");
    assert_matched(view, "js/main.js", "x-a: 2\nX-C: 1\nX-b: 3\nY-A: 1\n");
    breaker__view_free(view);
}

static void a_view_has_copies_of_its_own(void **state)
{
    char pattern[] = "*.js", header[] = "X-A: 1";
    const breaker_matched_header_t matched[] = {{pattern, header}};
    breaker_view_t *view = view_of(NULL, 0, matched, 1, 0);

    (void)state;
    memset(pattern, 'x', sizeof(pattern) - 1);
    memset(header, 'x', sizeof(header) - 1);
    assert_matched(view, "a.js", "X-A: 1\n");
    breaker__view_free(view);
}

static void what_is_no_pattern_or_header_makes_no_view(void **state)
{
    static const struct {
        breaker_matched_header_t matched;
        int err;
    } cases[] = {
        {{"[a", "X-A: 1"}, BREAKER_ERR_PATTERN_SYNTAX},
        {{"", "X-A: 1"}, BREAKER_ERR_PATTERN_SYNTAX},
        {{"*", "X-A"}, BREAKER_ERR_HEADER_SYNTAX},
        {{"*", "X-A: 1\r\nX-B: 2"}, BREAKER_ERR_HEADER_SYNTAX},
        {{"*", "Content-Length: 1"}, BREAKER_ERR_HEADER_SYNTAX},
        {{"*", "cache-control: no-cache"}, BREAKER_ERR_HEADER_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i != COUNT(cases); ++i)
        view_of(NULL, 0, &cases[i].matched, 1, cases[i].err);
}

static void both_kinds_of_headers_have_one_limit(void **state)
{
    const char *plain[BREAKER_VIEW_HEADERS_MAX];
    breaker_matched_header_t matched[BREAKER_VIEW_HEADERS_MAX + 1];
    const size_t max = BREAKER_VIEW_HEADERS_MAX;

    (void)state;
    for (size_t i = 0; i != max + 1; ++i) {
        if (i != max)
            plain[i] = "X-A: 1";
        matched[i] = (breaker_matched_header_t){"*", "X-A: 1"};
    }
    breaker__view_free(view_of(plain, max - 1, matched, 1, 0));
    breaker__view_free(view_of(plain, 0, matched, max, 0));
    view_of(plain, max, matched, 1, BREAKER_ERR_RANGE);
    view_of(plain, 0, matched, max + 1, BREAKER_ERR_RANGE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_the_header_says),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(no_pattern_takes_long),
        cmocka_unit_test(no_pattern_takes_long_for_what_stands_behind_two_kinds_of_stars),
        cmocka_unit_test(patterns_match_what_they_do_by_trying_everything),
        cmocka_unit_test(all_that_match_apply_in_order_and_later_ones_replace),
        cmocka_unit_test(a_view_has_copies_of_its_own),
        cmocka_unit_test(what_is_no_pattern_or_header_makes_no_view),
        cmocka_unit_test(both_kinds_of_headers_have_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
