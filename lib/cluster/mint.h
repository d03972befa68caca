#ifndef BREAKER_LIB_CLUSTER_MINT_H
#define BREAKER_LIB_CLUSTER_MINT_H

/*
 * How a release gets a token: what it is called, and above what it stands. The same rules as in
 * cluster/agree.lua, for nodes that cannot or need not ask it. Pure. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cluster/agreement.h"

/** the first number that no spread is */
#define BREAKER__MINT_SPREAD_END 1000

/**
 * The order that a release mints: the clock where it is above `newest` (NULL: an empty ledger), or
 * else the next order plus the release's spread, 0 to BREAKER__MINT_SPREAD_END - 1. Without the
 * spread two releases that know the same newest entry, but not of each other, would mint the same
 * order. May come out at or above 2^53, for a `newest` that is almost there.
 */
uint64_t breaker__mint_order(uint64_t clock_ms, const breaker_ledger_entry_t *newest,
                             const breaker_release_id_t *release);

/**
 * Makes an entry for `config->release` above everything in the ledger: the operator's token where
 * nobody has had it, with its order appended where somebody has, a minted one where there is none.
 * Returns false when no order is left below 2^53.
 */
bool breaker__mint(const breaker_agreement_config_t *config, const breaker_ledger_t *ledger,
                   uint64_t wall_ms, breaker_ledger_entry_t *ret_entry);

/**
 * The length of the operator's token, "v1", with which the token of an entry begins that was made
 * of it, "v1.1718539201234"; 0 for any other entry.
 */
size_t breaker__mint_base_len(const breaker_ledger_entry_t *entry);

/**
 * Tells whether an entry is of `config->release` and has a token as `breaker__mint` makes them with
 * the entry's order: not one from before the operator gave the release another, or none any more.
 */
bool breaker__mint_is_made_so(const breaker_agreement_config_t *config,
                              const breaker_ledger_entry_t *entry);

#endif
