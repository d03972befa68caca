/*
 * A node by itself: a cluster of one that never hears anybody. Every other release is silent for
 * ever, so the node's own stands above all that is remembered, or gets a token that does.
 */
#include <assert.h>
#include <breaker/error.h>
#include "cluster/agreement.h"
#include "cluster/agreement_config.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"

/* the newest entry that is the node's own as it is configured now, or NULL */
static const breaker_ledger_entry_t *find_made(const breaker_agreement_config_t *config,
                                               const breaker_ledger_t *ledger)
{
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;)
        if (breaker__mint_is_made_so(config, breaker_ledger_at(ledger, at)))
            return breaker_ledger_at(ledger, at);
    return NULL;
}

/* whether another release stands above an entry: its nodes, if any, are silent for ever */
static bool is_overtaken(const breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry)
{
    assert(breaker__ledger_find(ledger, entry->token.text, entry->token.len) == entry);
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *other = breaker_ledger_at(ledger, at);
        if (breaker__ledger_entry_compare(other, entry) <= 0)
            return false;
        if (!breaker_release_id_equal(&other->release, &entry->release))
            return true;
    }
    return false;
}

int breaker__agreement_alone(const breaker_agreement_config_t *config,
                             const breaker_ledger_t *ledger, uint64_t wall_ms,
                             breaker_ledger_entry_t *ret_own, bool *ret_is_new)
{
    const breaker_ledger_entry_t *own;
    breaker_ledger_entry_t minted;
    int err = breaker__agreement_check(config);

    if (err != 0)
        return err;
    own = find_made(config, ledger);
    assert(own == NULL || breaker_release_id_equal(&own->release, &config->release));
    if (own != NULL && !is_overtaken(ledger, own)) {
        *ret_own = *own;
        *ret_is_new = false;
        return 0;
    }
    if (!breaker__mint(config, ledger, wall_ms, &minted))
        return BREAKER_ERR_RANGE;
    assert(own == NULL || minted.order > own->order);
    assert(breaker__ledger_find(ledger, minted.token.text, minted.token.len) == NULL);
    *ret_own = minted;
    *ret_is_new = true;
    return 0;
}
