#ifndef BREAKER_LIB_LEDGER_H
#define BREAKER_LIB_LEDGER_H

/* What the files of lib/ know of a ledger beyond its public face. Not installed. */
#include <stdint.h>
#include <breaker/ledger.h>

/**
 * The place of two entries in a ledger: by order, then bytewise by token and release, which is how
 * Redis sorts them too. Negative when `a` is older; 0 only for entries that are the same.
 */
int breaker__ledger_entry_compare(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b);

/** the first number that no spread is */
#define BREAKER__SPREAD_END 1000

/**
 * The order that a release mints, the same rule as in cluster/agree.lua: the clock where it is
 * above `newest` (NULL: an empty ledger), or else the next order plus the release's spread, 0 to
 * BREAKER__SPREAD_END - 1. Without the spread two releases that know the same newest entry, but not
 * of each other, would mint the same order. May come out at or above 2^53, for a `newest` that is
 * almost there.
 */
uint64_t breaker__ledger_next_order(uint64_t clock_ms, const breaker_ledger_entry_t *newest,
                                    const breaker_release_id_t *release);

#endif
