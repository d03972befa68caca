/*
 * The queue of the client. There are few enough asks to be looked at one by one.
 *
 * Invariants: numbers grow, and no two asks have the same; `num` is at most
 * BREAKER__PEERS_ASKS_MAX.
 */
#include <assert.h>
#include <stdlib.h>
#include <breaker/error.h>
#include "peers/asks.h"

int breaker__asks_add(breaker__asks_t *asks, breaker__ask_kind_t kind, breaker__ask_t **ret_ask)
{
    breaker__ask_t *ask;

    if (asks->num == BREAKER__PEERS_ASKS_MAX)
        return BREAKER_ERR_TOO_MANY;
    if ((ask = calloc(1, sizeof(*ask))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    ask->number = ++asks->last_number;
    ask->kind = kind;
    asks->asks[asks->num++] = ask;
    *ret_ask = ask;
    return 0;
}

static void free_ask(breaker__ask_t *ask)
{
    breaker__spool_unref(ask->spool);
    free(ask);
}

void breaker__asks_remove(breaker__asks_t *asks, breaker__ask_t *ask)
{
    size_t at = 0;

    assert(!ask->is_running);
    while (at != asks->num && asks->asks[at] != ask)
        ++at;
    assert(at != asks->num);
    asks->asks[at] = asks->asks[--asks->num];
    free_ask(ask);
}

breaker__ask_t *breaker__asks_find(breaker__asks_t *asks, uint64_t number)
{
    for (size_t i = 0; i != asks->num; ++i)
        if (asks->asks[i]->number == number)
            return asks->asks[i];
    return NULL;
}

void breaker__asks_dispose(breaker__asks_t *asks)
{
    while (asks->num != 0)
        free_ask(asks->asks[--asks->num]);
}

static bool comes_before(const breaker__ask_t *a, const breaker__ask_t *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (a->priority == BREAKER__PEERS_URGENT)
        return a->number < b->number;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->len != b->len ? a->len < b->len : a->number < b->number;
}

static bool is_ready(const breaker__ask_t *ask, uint64_t now_ms)
{
    return !ask->is_running && !ask->waits_for_held && ask->not_before_ms <= now_ms;
}

breaker__ask_t *breaker__asks_first(breaker__asks_t *asks, uint64_t now_ms, bool may_ask_manifests,
                                    bool may_ask_spools)
{
    breaker__ask_t *first = NULL;

    assert(asks->num <= BREAKER__PEERS_ASKS_MAX);
    for (size_t i = 0; i != asks->num; ++i) {
        breaker__ask_t *ask = asks->asks[i];
        if (!is_ready(ask, now_ms) || (ask->kind == BREAKER__ASK_MANIFEST && !may_ask_manifests) ||
            (ask->kind == BREAKER__ASK_SPOOL && !may_ask_spools))
            continue;
        if (first == NULL || comes_before(ask, first))
            first = ask;
    }
    return first;
}
