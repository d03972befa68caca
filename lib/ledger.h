#ifndef BREAKER_LIB_LEDGER_H
#define BREAKER_LIB_LEDGER_H

/* What the files of lib/ know of a ledger beyond its public face. Not installed. */
#include <breaker/ledger.h>

/**
 * The place of two entries in a ledger: by order, then bytewise by token and release, which is how
 * Redis sorts them too. Negative when `a` is older; 0 only for entries that are the same.
 */
int breaker__ledger_entry_compare(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b);

#endif
