/*
 * A table beside the ledger, with one line at most for each of its entries: so it never runs over.
 * What was told last counts; that somebody does not know any more is nothing new.
 */
#include <assert.h>
#include "cluster/ledger.h"
#include "cluster/reasons.h"

/* the place of a token, or that after the last one */
static size_t find(const breaker__reasons_t *reasons, const breaker_token_t *token)
{
    size_t at = 0;

    assert(reasons->_num <= BREAKER_LEDGER_MAX);
    while (at != reasons->_num && !breaker_token_equal(reasons->_tokens + at, token))
        ++at;
    return at;
}

/* whether the ledger has the token, and under this release */
static bool is_in(const breaker_ledger_t *ledger, const breaker_token_t *token,
                  const breaker_release_id_t *release)
{
    const breaker_ledger_entry_t *known = breaker__ledger_find_token(ledger, token);

    return known != NULL && breaker_release_id_equal(&known->release, release);
}

static void forget_others(breaker__reasons_t *reasons, const breaker_ledger_t *ledger)
{
    size_t num = 0;

    for (size_t i = 0; i != reasons->_num; ++i) {
        if (!is_in(ledger, reasons->_tokens + i, reasons->_releases + i))
            continue;
        reasons->_tokens[num] = reasons->_tokens[i];
        reasons->_releases[num] = reasons->_releases[i];
        reasons->_origins[num++] = reasons->_origins[i];
    }
    reasons->_num = num;
    assert(num <= breaker_ledger_size(ledger));
}

void breaker__reasons_take(breaker__reasons_t *reasons, const breaker_ledger_t *ledger,
                           const breaker_answer_t *answer)
{
    forget_others(reasons, ledger);
    for (size_t i = 0; i != answer->num_entries; ++i) {
        const breaker_ledger_entry_t *entry = answer->entries + i;
        size_t at = find(reasons, &entry->token);
        if (answer->origins[i].why == BREAKER_WHY_UNKNOWN ||
            !is_in(ledger, &entry->token, &entry->release))
            continue;
        assert(at < BREAKER_LEDGER_MAX);
        reasons->_tokens[at] = entry->token;
        reasons->_releases[at] = entry->release;
        reasons->_origins[at] = answer->origins[i];
        if (at == reasons->_num)
            ++reasons->_num;
    }
    assert(reasons->_num <= breaker_ledger_size(ledger));
}

breaker_origin_t breaker__reasons_of(const breaker__reasons_t *reasons,
                                     const breaker_ledger_entry_t *entry)
{
    size_t at = find(reasons, &entry->token);

    if (at == reasons->_num || !breaker_release_id_equal(reasons->_releases + at, &entry->release))
        return (breaker_origin_t){.why = BREAKER_WHY_UNKNOWN};
    return reasons->_origins[at];
}
