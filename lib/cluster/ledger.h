#ifndef BREAKER_LIB_LEDGER_H
#define BREAKER_LIB_LEDGER_H

/* What the files of lib/ know of a ledger beyond its public face. Not installed. */
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

#endif
