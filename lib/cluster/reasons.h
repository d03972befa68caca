#ifndef BREAKER_LIB_CLUSTER_REASONS_H
#define BREAKER_LIB_CLUSTER_REASONS_H

/*
 * Why the entries of a node's ledger were made, as answers have told it. Redis may lose it with
 * everything else; then the nodes put it back with the entries. Pure. Not installed.
 */
#include <stddef.h>
#include <breaker/agreement.h>
#include <breaker/ledger.h>
#include <breaker/token.h>

/** Zeroed it knows nothing. Private fields. */
typedef struct st_breaker__reasons_t {
    size_t _num;
    breaker_token_t _tokens[BREAKER_LEDGER_MAX];
    breaker_release_id_t _releases[BREAKER_LEDGER_MAX];
    breaker_origin_t _origins[BREAKER_LEDGER_MAX];
} breaker__reasons_t;

/** Takes what an answer tells of entries that are in the ledger, and forgets those that are not. */
void breaker__reasons_take(breaker__reasons_t *reasons, const breaker_ledger_t *ledger,
                           const breaker_answer_t *answer);

/**
 * Where an entry comes from; BREAKER_WHY_UNKNOWN where nobody has told, or only of another release
 * that has its token.
 */
breaker_origin_t breaker__reasons_of(const breaker__reasons_t *reasons,
                                     const breaker_ledger_entry_t *entry);

#endif
