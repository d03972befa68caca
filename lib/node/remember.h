#ifndef BREAKER_NODE_REMEMBER_H
#define BREAKER_NODE_REMEMBER_H

#include <breaker/node.h>

/**
 * Gives the views of a node by itself the tokens that they have for a release: those that the
 * state file remembers, or new ones above everything in it, which are written to it before anybody
 * sees them. Without a file they are the ones that the node was configured with. `*ret_memory` is
 * what the node knows of its tokens then. Trouble with the file, and a label that had other files,
 * are notices. Configuring thread.
 */
void breaker__remember_tokens(breaker_node_t *node, const breaker_release_id_t *release,
                              breaker_ledger_t *ret_memory);

/** Makes a failure that stops nothing a notice. */
void breaker__tell(const breaker_node_t *node, const breaker_error_t *error);

/** A notice where the release of a new entry has the label of another one, but not its files. */
void breaker__tell_clash(const breaker_node_t *node, const breaker_ledger_entry_t *own,
                         const breaker_ledger_t *memory);

#endif
