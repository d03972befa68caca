#ifndef BREAKER_NODE_REMEMBER_H
#define BREAKER_NODE_REMEMBER_H

#include <breaker/node.h>

/**
 * Gives the views of a node by itself the tokens that they have for a release: those that the
 * state file remembers, or new ones above everything in it, which are written to it before anybody
 * sees them. Without a file they are the ones that the node was configured with. `*ret_memory` is
 * what the node knows of its tokens then. Trouble with the file, and a label or an operator's token
 * that had other files, are notices, the latter two when it happens and not at every start.
 * Configuring thread.
 */
void breaker__remember_tokens(breaker_node_t *node, const breaker_release_id_t *release,
                              breaker_ledger_t *ret_memory);

/**
 * Adds a new entry to what a node by itself remembers. Where that is full, the oldest entry makes
 * room that is none of `tokens`, those of the node's views: they are never forgotten, however many
 * others there were. Entries whose `len` is 0 are none.
 */
void breaker__remember(breaker_ledger_t *memory, const breaker_ledger_entry_t *entry,
                       const breaker_token_t *tokens, size_t num_tokens);

/** Makes a failure that stops nothing a notice. */
void breaker__tell(const breaker_node_t *node, const breaker_error_t *error);

/**
 * A notice where the operator gave a release a token, `given`, that another one has had, so that
 * its new entry has another. A `given` without `len` is none.
 */
void breaker__tell_taken(const breaker_node_t *node, const breaker_token_t *given,
                         const breaker_ledger_entry_t *own, const breaker_ledger_t *memory);

/** A notice where the release of a new entry has the label of another one, but not its files. */
void breaker__tell_clash(const breaker_node_t *node, const breaker_ledger_entry_t *own,
                         const breaker_ledger_t *memory);

#endif
