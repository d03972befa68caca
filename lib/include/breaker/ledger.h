#ifndef BREAKER_LEDGER_H
#define BREAKER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>
#include <breaker/release_id.h>
#include <breaker/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/** how many entries a node keeps: what Redis has, its own, and of the rest the newest */
#define BREAKER_LEDGER_MAX 64
/** how many entries Redis keeps because they are the newest ones */
#define BREAKER_LEDGER_HISTORY 32
/** how many it keeps in all: beyond the newest the last one of every release that lives */
#define BREAKER_LEDGER_SHARED_MAX 63

/** One entry: a token, the release whose bytes it names, and its place in the cluster's order. */
typedef struct st_breaker_ledger_entry_t {
    /** milliseconds, below 2^53; larger is newer */
    uint64_t order;
    breaker_token_t token;
    breaker_release_id_t release;
} breaker_ledger_entry_t;

/**
 * What a node knows of the cluster's history: which token names which release, and in what order.
 * A plain value that may be copied; its fields are private. Finding a token costs the same for one
 * entry and for sixty-four.
 */
typedef struct st_breaker_ledger_t {
    size_t _num;
    breaker_ledger_entry_t _entries[BREAKER_LEDGER_MAX];
    /** open addressing, twice as many slots as entries: index + 1, or 0 */
    uint8_t _slots[2 * BREAKER_LEDGER_MAX];
} breaker_ledger_t;

/**
 * Makes a ledger of `num` entries in any order; of more than BREAKER_LEDGER_MAX the newest are
 * kept. Of two entries with one token the one with the smaller order stays (birth wins). Fails
 * with BREAKER_ERR_TOKEN_SYNTAX, BREAKER_ERR_RELEASE_SYNTAX or BREAKER_ERR_RANGE when an entry is
 * malformed. Pure.
 */
BREAKER_EXPORT int breaker_ledger_init(breaker_ledger_t *ledger,
                                       const breaker_ledger_entry_t *entries, size_t num);

/**
 * The newest entry of a release, or of all releases when `release` is NULL; NULL when there is
 * none. Borrowed from the ledger. Pure.
 */
BREAKER_EXPORT const breaker_ledger_entry_t *
breaker_ledger_newest(const breaker_ledger_t *ledger, const breaker_release_id_t *release);

/** How many entries the ledger holds. */
BREAKER_EXPORT size_t breaker_ledger_size(const breaker_ledger_t *ledger);

/** The entry at a place, 0 being the oldest; `at` must be below the size. Borrowed. */
BREAKER_EXPORT const breaker_ledger_entry_t *breaker_ledger_at(const breaker_ledger_t *ledger,
                                                               size_t at);

#ifdef __cplusplus
}
#endif

#endif
