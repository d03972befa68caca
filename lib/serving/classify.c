/*
 * The decision: what a path gets, by one snapshot. The function reads like the table in its header,
 * row by row. Nothing here looks at a clock, asks the system, takes a lock or allocates, and what
 * it costs does not depend on how many views, releases or ledger entries there are.
 */
#include <assert.h>
#include <string.h>
#include <breaker/classify.h>
#include <breaker/http/percent.h>
#include "http/percent.h"
#include "release/store.h"
#include "serving/known.h"
#include "token/token.h"
#include "view/view.h"
#include "words.h"

/* a path that lies in a view, on its way to a verdict */
typedef struct st_question_t {
    const breaker_snapshot_t *snapshot;
    const breaker_snapshot_view_t *view;
    const char *token, *asset;
    size_t token_len, asset_len;
    const breaker_view_match_t *match;
    bool refreshed;
    /* T, or in the ledger; else NULL */
    const breaker__known_token_t *known;
    /* the ledger's entry of the token, or NULL */
    const breaker_ledger_entry_t *entry;
} question_t;

/* of a token beside T */
typedef enum en_age_t {
    /* nothing tells for certain, and a guess would lead some browser back from a newer token */
    AGE_UNKNOWN,
    AGE_OLDER,
    AGE_NEWER,
    /* no token of any time: a word, where tokens are minted */
    AGE_NEVER,
} age_t;

static void decide(breaker_verdict_t *verdict, breaker_verdict_kind_t kind)
{
    verdict->kind = verdict->otherwise = kind;
}

static bool is_current(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;

    return question->token_len == current->len &&
           breaker__same(question->token, current->text, current->len);
}

/* under a token whose bytes this node has: no asset has the path */
static breaker_verdict_t answer_without_asset(breaker_verdict_t verdict,
                                              const breaker_store_t *store, const char *path,
                                              size_t len)
{
    decide(&verdict, BREAKER_VERDICT_NOT_FOUND);
    if (breaker__store_has_directory(store, path, len))
        decide(&verdict, BREAKER_VERDICT_DIRECTORY);
    else if ((verdict.asset = breaker__store_fallback(store, path, len)) != NULL)
        decide(&verdict, BREAKER_VERDICT_SERVE);
    return verdict;
}

/* where this node has bytes under the token, but perhaps no such asset */
static inline breaker_verdict_t serve_or_not(const breaker_snapshot_view_t *view,
                                             const breaker_view_match_t *match,
                                             const breaker_store_t *store, const char *path,
                                             size_t len)
{
    breaker_verdict_t verdict = {
        .view = view, .match = *match, .asset = breaker_store_find(store, path, len)};

    decide(&verdict, BREAKER_VERDICT_SERVE);
    if (verdict.asset == NULL)
        return answer_without_asset(verdict, store, path, len);
    return verdict;
}

/* ---- older or newer ---- */

static age_t age_if_older(bool is_older)
{
    return is_older ? AGE_OLDER : AGE_NEWER;
}

/* whether a token that has not the form of minted ones is a word among such as have it */
static bool is_word_among_minted(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;

    return !breaker__token_is_decimal(question->token, question->token_len) &&
           breaker__token_minted_digits(current->text, current->len) != 0;
}

/* nothing is remembered of any token */
static age_t age_by_text(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;
    /* T is looked at once, when the snapshot is made */
    bool are_decimal = question->view->_is_decimal &&
                       breaker__token_is_decimal(question->token, question->token_len);
    int order = are_decimal ? breaker__token_compare_decimal(question->token, question->token_len,
                                                             current->text, current->len)
                            : breaker__token_compare(question->token, question->token_len,
                                                     current->text, current->len);

    assert(!question->snapshot->has_ledger);
    if (!are_decimal && breaker__token_minted_digits(question->token, question->token_len) == 0 &&
        is_word_among_minted(question))
        return AGE_NEVER;
    /* the same value in another spelling is not T, so it can only lead there */
    return age_if_older(order <= 0);
}

/* the ledger knows the token */
static age_t age_by_entry(const question_t *question)
{
    const breaker_snapshot_view_t *view = question->view;
    breaker_token_t order;
    int err;

    assert(question->entry != view->_entry);
    /* entries lie in their order */
    if (view->_entry != NULL)
        return age_if_older(question->entry < view->_entry);
    if (view->_older_to.len == 0)
        return AGE_UNKNOWN;
    err = breaker_token_mint(question->entry->order, &order);
    assert(err == 0);
    return age_if_older(breaker__token_compare_minted(order.text, order.len, view->_older_to.text,
                                                      view->_older_to.len) <= 0);
}

/* whether the cluster was asked for the token and nobody knew it */
static bool is_known_to_nobody(const question_t *question)
{
    assert(question->entry == NULL);
    return question->refreshed && !question->snapshot->is_alone;
}

/*
 * A date to the minute, "202611231200", has a value below all that was minted since 2001, and may
 * be what an operator calls the release that just came. Nobody pads it.
 */
static bool may_be_date(const question_t *question, size_t num_digits)
{
    return num_digits == BREAKER_TOKEN_MINT_DIGITS && question->token[0] != '0';
}

/* as above: another spelling of T's value is older */
static age_t age_by_digits(const question_t *question, size_t num_digits)
{
    const breaker_token_t *older_to = &question->view->_older_to,
                          *newer_above = &question->view->_newer_above;

    if (older_to->len == 0)
        return AGE_UNKNOWN;
    if (breaker__token_compare_minted(question->token, question->token_len, older_to->text,
                                      older_to->len) <= 0)
        return may_be_date(question, num_digits) && !is_known_to_nobody(question) ? AGE_UNKNOWN
                                                                                  : AGE_OLDER;
    if (newer_above->len != 0 &&
        breaker__token_compare_minted(question->token, question->token_len, newer_above->text,
                                      newer_above->len) <= 0)
        return AGE_UNKNOWN;
    return AGE_NEWER;
}

/* neither minted nor known: the rest of the cluster knew it, if anybody did */
static age_t age_of_opaque(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;

    /* from before everything: it makes a URL that is old on any node */
    if (breaker__token_is_zero(question->token, question->token_len))
        return AGE_OLDER;
    if (is_word_among_minted(question))
        return AGE_NEVER;
    /* of an age when tokens were numbered by hand; minted ones took their place */
    if (is_known_to_nobody(question) &&
        breaker__token_is_decimal(question->token, question->token_len) &&
        breaker__token_minted_digits(current->text, current->len) != 0)
        return AGE_OLDER;
    return AGE_UNKNOWN;
}

static age_t age_of(const question_t *question)
{
    size_t num_digits;

    if (!question->snapshot->has_ledger)
        return age_by_text(question);
    if (question->entry != NULL)
        return age_by_entry(question);
    num_digits = breaker__token_minted_digits(question->token, question->token_len);
    if (num_digits != 0)
        return age_by_digits(question, num_digits);
    return age_of_opaque(question);
}

/* ---- the rows ---- */

/* whether the path leads to something under T; something is loaded */
static bool is_current_path(const question_t *question)
{
    const breaker_store_t *store = question->view->store;

    assert(store != NULL);
    return breaker_store_find(store, question->asset, question->asset_len) != NULL ||
           breaker__store_has_directory(store, question->asset, question->asset_len) ||
           breaker__store_fallback(store, question->asset, question->asset_len) != NULL;
}

static breaker_verdict_kind_t without_peer(const question_t *question, age_t age)
{
    if (age != AGE_OLDER || question->view->store == NULL)
        return BREAKER_VERDICT_RETRY;
    return is_current_path(question) ? BREAKER_VERDICT_REDIRECT : BREAKER_VERDICT_NOT_FOUND;
}

/* the rows of tokens that the ledger knows; false when none of them applies */
static bool judge_entry(breaker_verdict_t *verdict, const question_t *question, age_t age)
{
    const breaker_snapshot_t *snapshot = question->snapshot;
    size_t at = (size_t)(question->entry - breaker_ledger_at(&snapshot->ledger, 0));
    const breaker_release_t *release = snapshot->entry_release[at];

    assert(snapshot->has_ledger);
    assert(at < breaker_ledger_size(&snapshot->ledger));
    if (release != NULL) {
        if (release != snapshot->release)
            /* it has nothing of this view, or the token would have had a store */
            decide(verdict, BREAKER_VERDICT_NOT_FOUND);
        else if (age == AGE_OLDER)
            decide(verdict, BREAKER_VERDICT_REDIRECT);
        else
            *verdict = serve_or_not(verdict->view, &verdict->match, question->view->store,
                                    question->asset, question->asset_len);
        return true;
    }
    if (!snapshot->entry_relayable[at])
        return false;
    verdict->kind = BREAKER_VERDICT_RELAY;
    verdict->otherwise = without_peer(question, age);
    /* what is relayed was not found here */
    assert(verdict->asset == NULL);
    verdict->entry = question->entry;
    return true;
}

/* the rows of tokens that a cluster's ledger does not know; false when none of them applies */
static bool judge_unknown(breaker_verdict_t *verdict, const question_t *question, age_t age)
{
    assert(question->entry == NULL);
    assert(!question->snapshot->is_alone);
    if (!question->refreshed && age != AGE_OLDER) {
        decide(verdict, BREAKER_VERDICT_RETRY);
        verdict->kind = BREAKER_VERDICT_REFRESH;
        return true;
    }
    if (age != AGE_UNKNOWN)
        return false;
    decide(verdict, BREAKER_VERDICT_NOT_FOUND);
    return true;
}

/* what is no token */
static breaker_verdict_kind_t without_token(const question_t *question)
{
    if (question->token_len != sizeof(BREAKER_PLACEHOLDER) - 1 ||
        memcmp(question->token, BREAKER_PLACEHOLDER, question->token_len) != 0)
        return BREAKER_VERDICT_NOT_FOUND;
    if (question->view->store == NULL)
        return BREAKER_VERDICT_RETRY;
    return is_current_path(question) ? BREAKER_VERDICT_UNREPLACED : BREAKER_VERDICT_NOT_FOUND;
}

/* whether the row is decided by the form of the path, or by there being nothing loaded */
static bool judge_form(breaker_verdict_t *verdict, const question_t *question)
{
    if (question->view->store == NULL && is_current(question)) {
        decide(verdict, BREAKER_VERDICT_RETRY);
        return true;
    }
    /* what is known is a token */
    if ((question->known != NULL || breaker_token_is_valid(question->token, question->token_len)) &&
        breaker__path_is_clean(question->asset, question->asset_len))
        return false;
    decide(verdict, without_token(question));
    return true;
}

/* the rows of tokens that lead to no assets by themselves */
static breaker_verdict_t judge(const question_t *question)
{
    const breaker_snapshot_t *snapshot = question->snapshot;
    breaker_verdict_t verdict = {.view = question->view, .match = *question->match};
    age_t age;

    if (judge_form(&verdict, question))
        return verdict;
    age = age_of(question);
    if (age == AGE_NEVER) {
        decide(&verdict, BREAKER_VERDICT_NOT_FOUND);
        return verdict;
    }
    if (question->entry != NULL && judge_entry(&verdict, question, age))
        return verdict;
    if (question->entry == NULL && snapshot->has_ledger && !snapshot->is_alone &&
        judge_unknown(&verdict, question, age))
        return verdict;
    decide(&verdict, without_peer(question, age));
    return verdict;
}

breaker_verdict_t breaker_classify(const breaker_snapshot_t *snapshot, const breaker_views_t *views,
                                   const char *path, size_t len, bool refreshed)
{
    const breaker__known_token_t *known;
    const breaker_snapshot_view_t *view;
    breaker_view_match_t match;

    if (!breaker_views_match(views, path, len, &match))
        return (breaker_verdict_t){.kind = BREAKER_VERDICT_DECLINE,
                                   .otherwise = BREAKER_VERDICT_DECLINE};
    assert(match.view->index < snapshot->num_views);
    view = snapshot->views + match.view->index;
    assert(view->view == match.view);
    known = breaker__known_find(view->_known, path + match.token_at, match.token_len);
    if (known == NULL || known->store == NULL) {
        question_t question = {.snapshot = snapshot,
                               .view = view,
                               .match = &match,
                               .token = path + match.token_at,
                               .token_len = match.token_len,
                               .asset = path + match.asset_at,
                               .asset_len = len - match.asset_at,
                               .refreshed = refreshed,
                               .known = known,
                               .entry = known != NULL ? known->entry : NULL};
        return judge(&question);
    }
    /* an unclean path needs no row here: no store has a name that is unclean */
    return serve_or_not(view, &match, known->store, path + match.asset_at, len - match.asset_at);
}
