#ifndef BREAKER_LIB_LEDGER_H
#define BREAKER_LIB_LEDGER_H

/* What the files of lib/ know of a ledger beyond its public face. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/ledger.h>

/** no order is as large: up to here they are exact in a double, as which Redis keeps them */
#define BREAKER__ORDER_END (UINT64_C(1) << 53)

/**
 * The place of two entries in a ledger: by order, then bytewise by token and release, which is how
 * Redis sorts them too. Negative when `a` is older; 0 only for entries that are the same.
 */
int breaker__ledger_entry_compare(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b);

/**
 * The newest entry whose release has this one's label and another digest, or NULL. Borrowed from
 * the ledger.
 */
const breaker_ledger_entry_t *breaker__ledger_find_clash(const breaker_ledger_t *ledger,
                                                         const breaker_release_id_t *release);

/**
 * Merges one entry into a ledger that was made by `breaker_ledger_init`, and tells whether that
 * changed the ledger. Of the same token under the same release the smaller order stays (birth
 * wins); a token that is known under another release stays as it is, because a token names one
 * release. A full ledger loses its oldest entry, or stays as it is when the new one would be the
 * oldest. A malformed entry changes nothing. `entry` must not lie in the ledger. Pure.
 */
bool breaker__ledger_add(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry);

/**
 * The same, but a full ledger loses the oldest entry whose token is not in `kept`, or stays as it
 * is when that would be the new one. An entry that is in `kept` itself always finds room.
 */
bool breaker__ledger_add_beside(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry,
                                const breaker_ledger_t *kept);

/**
 * Finds the entry of a token in exactly this spelling, or NULL. Borrowed from the ledger. Pure, no
 * allocation; any thread.
 */
const breaker_ledger_entry_t *breaker__ledger_find(const breaker_ledger_t *ledger,
                                                   const char *token, size_t len);
/** The same of a token that is one. */
const breaker_ledger_entry_t *breaker__ledger_find_token(const breaker_ledger_t *ledger,
                                                         const breaker_token_t *token);

#endif
