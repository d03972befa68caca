/*
 * What an answer changes: the ledger, the own entry, and what is known of Redis. Kept always: an
 * answer that is malformed or contradicts itself changes nothing; what this node knows is never
 * lost to an answer that lacks it, as long as there is room; of two releases that claim one token
 * Redis says which has it, but a token that was handed out is not given up. What is to be done
 * next, and when, is decided in agreement.c.
 */
#include <assert.h>
#include <string.h>
#include "cluster/agreement_machine.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"

/* no clock shows that before the year 2286: nothing may be minted by one that does */
#define CLOCK_END_MS UINT64_C(10000000000000)

/* ---- may it be believed ---- */

/* an answer is nobody's word but the network's: what it says is checked before anything changes */
bool breaker__agreement_check_answer(const breaker__agreement_t *agreement,
                                     const breaker_answer_t *answer, breaker_ledger_t *ret_ledger)
{
    if (strnlen(answer->digest, sizeof(answer->digest)) != BREAKER__DIGEST_LEN)
        return false;
    if (strspn(answer->digest, "0123456789abcdef") != BREAKER__DIGEST_LEN)
        return false;
    if (answer->now_ms >= BREAKER__ORDER_END)
        return false;
    if (answer->unchanged)
        return memcmp(answer->digest, agreement->digest, BREAKER__DIGEST_LEN) == 0;
    return answer->num_entries <= BREAKER_LEDGER_SHARED_MAX &&
           breaker_ledger_init(ret_ledger, answer->entries, answer->num_entries) == 0;
}

/* ---- the ledger ---- */

static bool same_ledger(const breaker_ledger_t *a, const breaker_ledger_t *b)
{
    size_t num = breaker_ledger_size(a);

    if (num != breaker_ledger_size(b))
        return false;
    for (size_t i = 0; i != num; ++i)
        if (breaker__ledger_entry_compare(breaker_ledger_at(a, i), breaker_ledger_at(b, i)) != 0)
            return false;
    return true;
}

static void merge_ledger(const breaker__agreement_t *agreement, breaker_ledger_t *ledger,
                         const breaker_ledger_t *other)
{
    const breaker_ledger_t kept = breaker__agreement_kept(agreement);

    for (size_t at = breaker_ledger_size(other); at-- != 0;)
        breaker__ledger_add_beside(ledger, breaker_ledger_at(other, at), &kept);
    /* an entry makes room for another one and for nothing else */
    assert(breaker_ledger_size(ledger) >= breaker_ledger_size(other));
}

/* the token is known, from before a wipe say, as another release's: never ours (P4) */
static bool is_anothers(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_entry_t *known =
        breaker__ledger_find_token(&agreement->ledger, &entry->token);

    return known != NULL && !breaker_release_id_equal(&known->release, &entry->release);
}

/*
 * "v1.1718539201234" is what became of "v1", so that was there before: whatever place a clock that
 * was ahead has given it since, nobody may be led from the one back to the other.
 */
static void place_bases(breaker_ledger_t *ledger)
{
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, at), *base;
        base = breaker__ledger_find(ledger, entry->token.text, breaker__mint_base_len(entry));
        if (base == NULL || base->order < entry->order || entry->order == 0)
            continue;
        breaker_ledger_entry_t placed = *base;
        placed.order = entry->order - 1;
        breaker__ledger_add(ledger, &placed);
        assert(breaker_ledger_size(ledger) > at);
    }
}

/* the union; where two releases claim one token Redis decides, so that all nodes hold the same */
static void take_ledger(breaker__agreement_t *agreement, const breaker_ledger_t *answered,
                        breaker__actions_t *actions)
{
    breaker_ledger_t merged = *answered;

    merge_ledger(agreement, &merged, &agreement->ledger);
    place_bases(&merged);
    if (same_ledger(&merged, &agreement->ledger))
        return;
    agreement->ledger = merged;
    actions->save = actions->publish = true;
}

/* an operator's token that was registered elsewhere before: its place is the earlier one */
static void take_birth(breaker__agreement_t *agreement)
{
    const breaker_ledger_entry_t *known =
        breaker__ledger_find_token(&agreement->ledger, &agreement->own.token);

    if (known != NULL && breaker_release_id_equal(&known->release, &agreement->own.release))
        agreement->own.order = known->order;
}

static void adopt(breaker__agreement_t *agreement, const breaker_ledger_entry_t *best,
                  breaker__actions_t *actions)
{
    if (breaker__agreement_has_own(agreement) &&
        breaker__ledger_entry_compare(best, &agreement->own) <= 0)
        return;
    breaker__agreement_take_own(agreement, best);
    actions->save = actions->publish = true;
}

/*
 * An own entry without a place was told to nobody. It gives way to what Redis has of its token, and
 * stays only where that is nothing.
 */
static void withdraw(breaker__agreement_t *agreement, const breaker_ledger_t *answered)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    size_t num = 0;
    int err;

    if (breaker__agreement_is_placed(agreement) ||
        breaker__ledger_find_token(answered, &agreement->own.token) == NULL)
        return;
    for (size_t i = 0; i != breaker_ledger_size(&agreement->ledger); ++i) {
        entries[num] = *breaker_ledger_at(&agreement->ledger, i);
        num += !breaker_token_equal(&entries[num].token, &agreement->own.token);
    }
    err = breaker_ledger_init(&agreement->ledger, entries, num);
    assert(err == 0);
}

static void take_answered(breaker__agreement_t *agreement, const breaker_ledger_t *answered,
                          breaker__actions_t *actions)
{
    const breaker_ledger_entry_t *best =
        breaker_ledger_newest(answered, &agreement->config.release);
    bool is_ours;

    assert(agreement->link == LINK_UP);
    withdraw(agreement, answered);
    is_ours = best != NULL && !is_anothers(agreement, best);
    breaker__agreement_note_dropped(agreement, answered);
    agreement->shown = *answered;
    if (best != NULL && !is_ours) {
        /* what we know stays, goes out with the next poll, and makes the script move on */
        merge_ledger(agreement, &agreement->ledger, answered);
        place_bases(&agreement->ledger);
        actions->save = actions->publish = true;
    } else {
        take_ledger(agreement, answered, actions);
    }
    take_birth(agreement);
    /* its place may be an earlier one than Redis knows */
    if (is_ours)
        adopt(agreement, breaker__ledger_find_token(&agreement->ledger, &best->token), actions);
}

/* ---- what else it tells ---- */

static void note_good_answer(breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->asked_ms <= now_ms);
    assert(!agreement->is_good || agreement->good_ms <= now_ms);
    if (!agreement->is_good) {
        agreement->is_good = true;
        agreement->good_ms = now_ms;
    } else if (now_ms - agreement->good_ms >= agreement->config.forgive_after_ms) {
        agreement->num_failed = 0;
    }
    if (!agreement->is_heard) {
        agreement->is_heard = true;
        agreement->settled_ms = now_ms + agreement->config.settle_ms;
    }
    agreement->heard_ms = now_ms;
    agreement->answered_ms = agreement->asked_ms;
}

/* before the ledger takes it in */
static void note_news(breaker__agreement_t *agreement, const breaker_answer_t *answer)
{
    breaker__news_t *news = &agreement->news;

    assert(answer->num_entries <= BREAKER_LEDGER_SHARED_MAX);
    news->is_first = !agreement->was_ever_heard;
    news->num_entries = 0;
    agreement->was_ever_heard = true;
    for (size_t i = 0; i != answer->num_entries; ++i) {
        if (breaker__ledger_find_token(&agreement->ledger, &answer->entries[i].token) != NULL)
            continue;
        news->entries[news->num_entries] = answer->entries[i];
        news->origins[news->num_entries++] = answer->origins[i];
    }
}

static void note_surroundings(breaker__agreement_t *agreement, const breaker_answer_t *answer)
{
    breaker__fleet_take(&agreement->fleet, answer->fleet, answer->interval_ms);
    if (answer->now_ms == 0 || answer->now_ms >= CLOCK_END_MS)
        return;
    /* earlier rather than later: no clock is behind Redis's because an answer took long */
    agreement->redis_wall_ms = answer->now_ms;
    agreement->redis_mono_ms = agreement->heard_ms;
}

void breaker__agreement_take_answer(breaker__agreement_t *agreement, uint64_t now_ms,
                                    const breaker_answer_t *answer,
                                    const breaker_ledger_t *answered, breaker__actions_t *actions)
{
    note_good_answer(agreement, now_ms);
    note_surroundings(agreement, answer);
    note_news(agreement, answer);
    if (!answer->unchanged) {
        memcpy(agreement->digest, answer->digest, sizeof(agreement->digest));
        take_answered(agreement, answered, actions);
        breaker__reasons_take(&agreement->reasons, &agreement->ledger, answer);
    }
    agreement->is_answered_for_this = agreement->asks_for_this;
}
