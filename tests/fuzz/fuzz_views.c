/*
 * Matching a path against a set of views, compared with asking one view after another at every
 * place where a token could end. An input is a line with a number whose bits say which views are in
 * the set, and a path.
 */
#include <assert.h>
#include <stdlib.h>
#include <breaker/view.h>
#include "fuzz.h"
#include "view/view.h"

static const char *const names[] = {
    "static/{breaker}", "{breaker}",         "a{breaker}",      "{breaker}a",
    "{breaker}/a",      "a/{breaker}",       "a/b{breaker}c/d", "a/b{breaker}",
    "a/{breaker}c",     "a/b{breaker}/d/e",  "ab/{breaker}b",   "ab{breaker}b/b/b",
    "ab{breaker}ab",    "static/v{breaker}", "stat{breaker}",
};
#define NUM_NAMES (sizeof(names) / sizeof(names[0]))

static breaker_view_t *const *all_views(void)
{
    static breaker_view_t *views[NUM_NAMES];

    for (size_t i = 0; i != NUM_NAMES && views[i] == NULL; ++i) {
        breaker_view_config_t config;
        int error;
        breaker_view_config_init(&config);
        config.name = names[i];
        config.directory = "/nonexistent";
        error = breaker__view_create(&config, i, &views[i]);
        assert(error == 0);
    }
    return views;
}

static size_t head_len(const breaker_view_t *view)
{
    const char *name = breaker_view_name(view);

    return 1 + (size_t)(strstr(name, BREAKER_PLACEHOLDER) - name);
}

/** Tries every token of this one view, the empty one first. */
static bool match_one(const breaker_view_t *view, fuzz_text_t path, breaker_view_match_t *ret_match)
{
    char prefix[BREAKER_VIEW_PREFIX_MAX];
    size_t head = head_len(view), len = breaker_view_prefix(view, "", 0, prefix);

    if (path.len < len || memcmp(path.base, prefix, head) != 0)
        return false;
    for (size_t token_len = 0; token_len <= path.len - len; ++token_len) {
        if (token_len != 0 && path.base[head + token_len - 1] == '/')
            return false;
        if (memcmp(path.base + head + token_len, prefix + head, len - head) == 0) {
            *ret_match = (breaker_view_match_t){view, head, token_len, len + token_len};
            return true;
        }
    }
    return false;
}

/** Asks the views in the order that the contract names. */
static bool match_all(const breaker_view_t *const *views, size_t num, fuzz_text_t path,
                      breaker_view_match_t *ret_match)
{
    const breaker_view_t *best = NULL;

    for (size_t i = 0; i != num; ++i) {
        breaker_view_match_t match;
        if (match_one(views[i], path, &match) &&
            (best == NULL || head_len(views[i]) > head_len(best))) {
            best = views[i];
            *ret_match = match;
        }
    }
    return best != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t path = {(const char *)data, size};
    uint64_t chosen = fuzz_take_number(&path);
    breaker_view_t *const *all = all_views();
    const breaker_view_t *views[NUM_NAMES];
    breaker_view_match_t expected, match;
    breaker_views_t *set = NULL;
    size_t num = 0;
    int error;

    for (size_t i = 0; i != NUM_NAMES; ++i)
        if ((chosen >> i & 1) != 0)
            views[num++] = all[i];
    if (size > FUZZ_INPUT_MAX || num == 0 || path.len == 0 || *path.base != '/')
        return 0;
    error = breaker_views_create(views, num, &set);
    assert(error == 0);
    memset(&match, 0xee, sizeof(match));
    if (breaker_views_match(set, path.base, path.len, &match)) {
        assert(match_all(views, num, path, &expected));
        assert(match.view == expected.view);
        assert(match.token_at == expected.token_at && match.token_len == expected.token_len);
        assert(match.asset_at == expected.asset_at && match.asset_at <= path.len);
    } else {
        assert(!match_all(views, num, path, &expected));
    }
    breaker_views_free(set);
    return 0;
}
