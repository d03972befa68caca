#ifndef BREAKER_CLUSTER_STATE_H
#define BREAKER_CLUSTER_STATE_H

#include <stddef.h>
#include <breaker/error.h>
#include <breaker/ledger.h>
#include <breaker/token.h>

/**
 * The state file: what a node knows of the history when it stops, so that the same release has the
 * same token when it comes back, and no token that it handed out is ever followed by a smaller one.
 * A text file:
 *
 *   h2o-breaker state 2
 *   own 1718539201234 1718539201234 n4bQgYhMfWWa…
 *   entry 1718539100000 v1.2.3 2026.11.22-4~47DEQpj8HBSa…
 *   end 5e884898da28047151d0e56f8dc62927…
 *
 * The first line names the format; each line after it has an order, a token and a release; the
 * last one has the SHA-256 of everything before it. Anything else is not used at all.
 */

/** no state file is longer */
#define BREAKER__STATE_MAX (16 * 1024)

/**
 * Writes the file: a temporary one in the same directory, "state.new-" and sixteen hexadecimal
 * digits, which takes the place of the old one when it is on the disk. `own` is the node's entry
 * (NULL: none) and stands in the file even where the ledger has dropped it; `ledger` may be NULL.
 * Blocking, up to two fsyncs. Several processes may save to one path at once, as the old and the
 * new one do in a restart: the last one's file stays, whole; what killed ones left is removed.
 * Fails with BREAKER_ERR_IO, the place in `error`; the old file is then untouched.
 */
int breaker__state_save(const char *path, const breaker_ledger_entry_t *own,
                        const breaker_ledger_t *ledger, breaker_error_t *error);

/**
 * Reads the file. Always fills `*ret_ledger`: it is empty when there is no file (0 is returned then
 * as well), and when the file cannot be used: torn, foreign, damaged, too long, not a regular file
 * (BREAKER_ERR_DAMAGED) or unreadable (BREAKER_ERR_IO), which `error` tells in one line for the
 * log.
 */
int breaker__state_load(const char *path, breaker_ledger_t *ret_ledger, breaker_error_t *error);

#endif
