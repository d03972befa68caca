/*
 * The decision: what a path gets, by one snapshot. The function reads like the table in its header,
 * row by row. Nothing here looks at a clock, asks the system, takes a lock or allocates, and what
 * it costs does not depend on how many views, releases or ledger entries there are.
 */
#include <assert.h>
#include <breaker/classify.h>
#include <breaker/http/percent.h>
#include "cluster/ledger.h"
#include "http/percent.h"
#include "token/token.h"
#include "view/view.h"
#include "words.h"

/* a path that lies in a view, on its way to a verdict */
typedef struct st_question_t {
    const breaker_snapshot_t *snapshot;
    const breaker_snapshot_view_t *view;
    const char *token, *asset;
    size_t token_len, asset_len;
    bool refreshed;
    /* the ledger's entry of the token, or NULL */
    const breaker_ledger_entry_t *entry;
    /* the token or T is no number, so that without the ledger nothing orders them for certain */
    bool is_opaque;
} question_t;

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

static void serve_from(breaker_verdict_t *verdict, const question_t *question,
                       const breaker_store_t *store)
{
    verdict->asset =
        store != NULL ? breaker_store_find(store, question->asset, question->asset_len) : NULL;
    decide(verdict, verdict->asset != NULL ? BREAKER_VERDICT_SERVE : BREAKER_VERDICT_NOT_FOUND);
}

/* a node that is not in touch mints tokens whose value is their order: it counts against T's own */
static bool is_before(const question_t *question, uint64_t order)
{
    breaker_token_t minted;
    int err = breaker_token_mint(order, &minted);

    /* an entry has an order of its own, which would count */
    assert(question->entry == NULL);
    assert(err == 0);
    return breaker__token_compare(question->token, question->token_len, minted.text, minted.len) <=
           0;
}

static bool is_older(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;
    const breaker_ledger_entry_t *ours = NULL;

    assert(question->entry == NULL || !question->is_opaque);
    if (question->entry != NULL || question->is_opaque)
        ours = breaker__ledger_find(&question->snapshot->ledger, current->text, current->len);
    if (ours != NULL && question->entry == NULL)
        return is_before(question, ours->order);
    if (ours != NULL && ours->order != question->entry->order)
        return question->entry->order < ours->order;
    /* the same value in another spelling is not T, so it can only lead there */
    return breaker__token_compare(question->token, question->token_len, current->text,
                                  current->len) <= 0;
}

static breaker_verdict_kind_t without_peer(const question_t *question, bool older)
{
    const breaker_store_t *store = question->view->store;

    if (!older || store == NULL)
        return BREAKER_VERDICT_RETRY;
    return breaker_store_find(store, question->asset, question->asset_len) != NULL
               ? BREAKER_VERDICT_REDIRECT
               : BREAKER_VERDICT_NOT_FOUND;
}

/* the rows of tokens that the ledger knows; false when none of them applies */
static bool judge_entry(breaker_verdict_t *verdict, const question_t *question, bool older)
{
    const breaker_snapshot_t *snapshot = question->snapshot;
    size_t at = (size_t)(question->entry - breaker_ledger_at(&snapshot->ledger, 0));
    const breaker_release_t *release = snapshot->entry_release[at];

    assert(snapshot->has_ledger);
    assert(at < breaker_ledger_size(&snapshot->ledger));
    if (release != NULL) {
        if (release == snapshot->release && older)
            decide(verdict, BREAKER_VERDICT_REDIRECT);
        else
            serve_from(verdict, question,
                       breaker_release_store(release, question->view->view->index));
        return true;
    }
    if (!snapshot->entry_relayable[at])
        return false;
    verdict->kind = BREAKER_VERDICT_RELAY;
    verdict->otherwise = without_peer(question, older);
    /* what is relayed was not found here */
    assert(verdict->asset == NULL);
    verdict->entry = question->entry;
    return true;
}

/*
 * The rows of tokens that a cluster's ledger does not know; false when none of them applies. A
 * guess that an opaque token is older could send a browser from a newer token back to an older one.
 */
static bool judge_unknown(breaker_verdict_t *verdict, const question_t *question, bool older)
{
    assert(question->entry == NULL);
    assert(!question->snapshot->is_alone);
    if (!question->refreshed && (question->is_opaque || !older)) {
        decide(verdict, BREAKER_VERDICT_RETRY);
        verdict->kind = BREAKER_VERDICT_REFRESH;
        return true;
    }
    if (breaker__token_is_decimal(question->token, question->token_len))
        return false;
    decide(verdict, BREAKER_VERDICT_NOT_FOUND);
    return true;
}

static void judge_current(breaker_verdict_t *verdict, const question_t *question)
{
    /* an unclean path needs no row here: no store has a name that is unclean */
    if (question->view->store == NULL)
        decide(verdict, BREAKER_VERDICT_RETRY);
    else
        serve_from(verdict, question, question->view->store);
}

static bool has_opaque(const question_t *question)
{
    const breaker_token_t *current = &question->view->token;

    /* only where no entry orders it */
    assert(question->entry == NULL);
    return !breaker__token_is_decimal(question->token, question->token_len) ||
           !breaker__token_is_decimal(current->text, current->len);
}

static void judge_other(breaker_verdict_t *verdict, question_t *question)
{
    bool has_ledger = question->snapshot->has_ledger, is_asked, older;

    assert(question->entry == NULL);
    if (!breaker_token_is_valid(question->token, question->token_len) ||
        !breaker__path_is_clean(question->asset, question->asset_len)) {
        decide(verdict, BREAKER_VERDICT_NOT_FOUND);
        return;
    }
    if (has_ledger)
        question->entry =
            breaker__ledger_find(&question->snapshot->ledger, question->token, question->token_len);
    is_asked = has_ledger && !question->snapshot->is_alone && question->entry == NULL;
    question->is_opaque = is_asked && has_opaque(question);
    older = is_older(question);
    if (question->entry != NULL && judge_entry(verdict, question, older))
        return;
    if (is_asked && judge_unknown(verdict, question, older))
        return;
    decide(verdict, without_peer(question, older));
}

breaker_verdict_t breaker_classify(const breaker_snapshot_t *snapshot, const breaker_views_t *views,
                                   const char *path, size_t len, bool refreshed)
{
    breaker_verdict_t verdict = {.kind = BREAKER_VERDICT_DECLINE,
                                 .otherwise = BREAKER_VERDICT_DECLINE};
    question_t question;

    if (!breaker_views_match(views, path, len, &verdict.match))
        return verdict;
    assert(verdict.match.view->index < snapshot->num_views);
    verdict.view = snapshot->views + verdict.match.view->index;
    assert(verdict.view->view == verdict.match.view);
    question = (question_t){
        .snapshot = snapshot,
        .view = verdict.view,
        .token = path + verdict.match.token_at,
        .token_len = verdict.match.token_len,
        .asset = path + verdict.match.asset_at,
        .asset_len = len - verdict.match.asset_at,
        .refreshed = refreshed,
    };
    if (is_current(&question))
        judge_current(&verdict, &question);
    else
        judge_other(&verdict, &question);
    return verdict;
}
