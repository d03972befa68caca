#ifndef BREAKER_NODE_ALONE_H
#define BREAKER_NODE_ALONE_H

#include <stdbool.h>
#include <breaker/ledger.h>
#include <breaker/node.h>

/** What a node by itself has handed out; part of the node, and the loader's once it is loaded. */
typedef struct st_breaker__alone_t {
    /** by the views' indexes: what they have, and what the operator gave them (`len` 0: nothing) */
    breaker_token_t tokens[BREAKER_VIEWS_MAX], given[BREAKER_VIEWS_MAX];
    /** everything that is known to have been handed out */
    breaker_ledger_t memory;
} breaker__alone_t;

/** The tokens of another release, which are not handed out yet. */
typedef struct st_breaker__proposal_t {
    breaker__alone_t alone;
    breaker_ledger_entry_t own;
    /** the operator's for just this release; `len` 0: none */
    breaker_token_t fixed;
} breaker__proposal_t;

/** Begins with the tokens that the node is loaded with, and with what its state file knows. */
void breaker__alone_begin(breaker_node_t *node, const breaker_release_id_t *release);

/**
 * Proposes the tokens for a release that takes the place of another: one a view, each above
 * everything that the node remembers. Views that had one token have one again. `fixed` is the
 * operator's for all views from now on, or a zeroed one: then minted tokens are minted anew, and
 * what the operator gave gets its order appended, "v1.1718539201234", once however often other
 * files are loaded. Fails with BREAKER_ERR_RANGE when no order is left, and with
 * BREAKER_ERR_NO_MEMORY.
 */
int breaker__alone_propose(const breaker_node_t *node, const breaker_release_id_t *release,
                           const breaker_token_t *fixed, breaker__proposal_t *ret_proposal);

/**
 * Remembers a proposal as handed out, in the state file as well, before anybody sees it. Trouble
 * with the file is a notice, and so are a label and an operator's token that had other files.
 */
void breaker__alone_hand_out(breaker_node_t *node, const breaker__proposal_t *proposal);

#endif
