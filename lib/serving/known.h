#ifndef BREAKER_SERVING_KNOWN_H
#define BREAKER_SERVING_KNOWN_H

/*
 * The tokens that a view knows: T, and those of the ledger. What a request asks first, so that a
 * token of a held release costs it what T does. Not installed.
 */
#include <stddef.h>
#include <stdint.h>
#include <breaker/snapshot.h>
#include <breaker/store.h>
#include "words.h"

/** A token, and what this node has for it. All is borrowed from the snapshot. */
typedef struct st_breaker__known_token_t {
    /** its first and its last eight bytes; of a shorter one all of them, and 0 */
    uint64_t first, last;
    size_t len;
    const char *text;
    /** the assets under the token; NULL where it takes a judgement to find them */
    const breaker_store_t *store;
    /** of the ledger; NULL for a T that is not in it */
    const breaker_ledger_entry_t *entry;
} breaker__known_token_t;

/** The tokens of one view. Immutable. */
typedef struct st_breaker__known_t {
    /** an odd number by which tokens with assets rarely meet in one slot */
    uint64_t odd;
    /** how far a product goes down to become the number of a slot */
    unsigned shift;
    size_t num_slots;
    /** open addressing, at least twice as many slots as tokens; empty ones are NULL */
    const breaker__known_token_t *slots[];
} breaker__known_t;

/**
 * Makes the table of a view of a snapshot that has all but this. The caller owns it. Fails with
 * BREAKER_ERR_NO_MEMORY.
 */
int breaker__known_create(const breaker_snapshot_t *snapshot, const breaker_snapshot_view_t *view,
                          breaker__known_t **ret_known);
/** Frees a table; takes NULL. */
void breaker__known_free(breaker__known_t *known);

/** Where the search for a token begins. */
static inline size_t breaker__known_slot(const breaker__known_t *known, uint64_t first,
                                         uint64_t last)
{
    return (size_t)(((first + last) * known->odd) >> known->shift);
}

/** What `breaker__known_find` does where the first slot does not tell. */
const breaker__known_token_t *breaker__known_search(const breaker__known_t *known,
                                                    const char *token, size_t len, size_t slot);

/** Finds a token, or returns NULL. Any bytes; no lock, no allocation. */
static inline const breaker__known_token_t *breaker__known_find(const breaker__known_t *known,
                                                                const char *token, size_t len)
{
    uint64_t first = len < 8 ? breaker__load_short(token, len) : breaker__load64(token);
    uint64_t last = len < 8 ? 0 : breaker__load64(token + len - 8);
    size_t slot = breaker__known_slot(known, first, last);
    const breaker__known_token_t *found = known->slots[slot];

    if (found == NULL || (found->first == first && found->last == last && found->len == len &&
                          (len <= 16 || breaker__same(found->text + 8, token + 8, len - 16))))
        return found;
    return breaker__known_search(known, token, len, slot);
}

#endif
