/*
 * What a poll says. Kept always: the own entry is in every poll (P4, P6), but for one of which it
 * is not known where it stands, for which Redis is asked first; what Redis lost goes out with the
 * next one; what Redis dropped, because its ledger is full of what is newer or of releases that
 * live, is not sent again. Nothing changes here but what is noted of the last.
 */
#include <assert.h>
#include <string.h>
#include "cluster/agreement_machine.h"
#include "cluster/ledger.h"

static bool may_mint(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    return breaker__agreement_has_own(agreement) || breaker_ledger_size(&agreement->ledger) != 0 ||
           (agreement->is_heard && now_ms >= agreement->settled_ms);
}

/* it has the release, but nothing of it that could be adopted: that came in with the last answer */
static bool must_promote(const breaker__agreement_t *agreement)
{
    return breaker__agreement_has_own(agreement) &&
           !breaker__agreement_is_mine(agreement, &agreement->own) &&
           breaker_ledger_newest(&agreement->shown, &agreement->config.release) != NULL;
}

/*
 * Redis has no room for it. As long as it has fewer entries than it keeps for their age alone, it
 * has room for every one: it was wiped, or never had more.
 */
static bool is_dropped(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_t *shown = &agreement->shown;
    size_t size = breaker_ledger_size(shown);

    if (size < BREAKER_LEDGER_HISTORY)
        return false;
    return entry->order <= agreement->dropped_order ||
           breaker__ledger_entry_compare(
               entry, breaker_ledger_at(shown, size - BREAKER_LEDGER_HISTORY)) < 0;
}

static bool is_lacking(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_entry_t *there =
        breaker__ledger_find_token(&agreement->shown, &entry->token);

    assert(entry->token.len != 0);
    if (there == NULL)
        return !is_dropped(agreement, entry);
    if (breaker_release_id_equal(&there->release, &entry->release))
        return entry->order < there->order;
    return breaker__agreement_is_mine(agreement, there);
}

/* the own entry goes along or is asked for, whatever Redis has */
static bool is_own(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    return breaker__ledger_entry_compare(entry, &agreement->own) == 0;
}

void breaker__agreement_note_dropped(breaker__agreement_t *agreement,
                                     const breaker_ledger_t *answered)
{
    uint64_t newest = agreement->dropped_order;

    for (size_t at = breaker_ledger_size(&agreement->ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(&agreement->ledger, at);
        if (!is_own(agreement, entry) && is_lacking(agreement, entry) && entry->order > newest &&
            breaker__ledger_find_token(answered, &entry->token) == NULL)
            newest = entry->order;
    }
    if (breaker_ledger_size(answered) < BREAKER_LEDGER_HISTORY)
        newest = 0;
    agreement->dropped_order = newest;
}

/*
 * Whether Redis has all that the node would say, and said so to the very same question: it need not
 * look at anything but the digest then.
 */
static bool may_hold(const breaker__agreement_t *agreement, size_t num_entries)
{
    const breaker_ledger_entry_t *own = &agreement->own, *newest;

    if (!agreement->is_answered_for_this || num_entries != 1 ||
        !breaker__agreement_has_own(agreement) || !breaker__agreement_is_mine(agreement, own))
        return false;
    assert(agreement->digest[0] != '\0');
    newest = breaker_ledger_newest(&agreement->shown, &agreement->config.release);
    return newest != NULL && is_own(agreement, newest);
}

static breaker__act_t act_of(const breaker__agreement_t *agreement, uint64_t now_ms,
                             size_t num_entries)
{
    if (must_promote(agreement))
        return BREAKER__ACT_PROMOTE;
    if (may_hold(agreement, num_entries))
        return BREAKER__ACT_HOLD;
    return may_mint(agreement, now_ms) ? BREAKER__ACT_MINT : BREAKER__ACT_SETTLE;
}

static void bring(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry,
                  breaker__poll_t *poll)
{
    assert(poll->num_entries <= BREAKER_LEDGER_MAX);
    poll->origins[poll->num_entries] = breaker__reasons_of(&agreement->reasons, entry);
    poll->entries[poll->num_entries++] = *entry;
}

void breaker__agreement_poll(const breaker__agreement_t *agreement, breaker__moment_t now,
                             breaker__poll_t *ret_poll)
{
    ret_poll->wall_ms = breaker__agreement_wall_ms(agreement, now);
    memcpy(ret_poll->digest, agreement->digest, sizeof(ret_poll->digest));
    ret_poll->fleet = agreement->fleet.num;
    ret_poll->is_local = agreement->state == BREAKER__AGREEMENT_LOCAL;
    ret_poll->num_entries = 0;
    if (breaker__agreement_has_own(agreement) && breaker__agreement_is_placed(agreement))
        bring(agreement, &agreement->own, ret_poll);
    for (size_t at = breaker_ledger_size(&agreement->ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(&agreement->ledger, at);
        if (!is_own(agreement, entry) && is_lacking(agreement, entry))
            bring(agreement, entry, ret_poll);
    }
    ret_poll->act = act_of(agreement, now.mono_ms, ret_poll->num_entries);
    /* whoever holds has nothing to say but its own entry */
    assert(ret_poll->act != BREAKER__ACT_HOLD || ret_poll->num_entries == 1);
}
