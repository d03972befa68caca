#ifndef BREAKER_FIGURES_H
#define BREAKER_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>
#include <breaker/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a node tells of itself to whoever watches it, in numbers: how it stands with its cluster,
 * what it holds of other releases, and what it fetched for that. Totals begin at 0 with the node
 * and never go back.
 */

/** How a node stands with its cluster (lib/cluster/agreement.h has the states and their changes).
 */
typedef enum en_breaker_standing_t {
    /** the node is by itself */
    BREAKER_STANDING_ALONE,
    /** the coordinator is not cluster.h's, has not begun, or has ended */
    BREAKER_STANDING_UNKNOWN,
    /** no token yet */
    BREAKER_STANDING_START,
    /** a token of its own, which Redis has not seen yet */
    BREAKER_STANDING_LOCAL,
    /** Redis answers */
    BREAKER_STANDING_SYNCED,
    /** Redis does not answer now; the token is the one that was agreed last */
    BREAKER_STANDING_STALE,
} breaker_standing_t;
#define BREAKER_STANDINGS 6

/** What came of asks for one kind of thing at one kind of place. */
typedef struct st_breaker_fetches_t {
    /** it came, and was found to be right; how many bytes these had */
    uint64_t ok, bytes;
    /** whoever was asked answered, and has not got it */
    uint64_t absent;
    /** nobody answered, a disk failed, or what came was wrong */
    uint64_t failed;
    /** not asked: too much was asked for already */
    uint64_t refused;
} breaker_fetches_t;

/** What a node holds besides its own release; of a moment some seconds ago at most. */
typedef struct st_breaker_holding_figures_t {
    /** whether it holds at all; if not all else is 0 */
    bool is_on;
    /** releases whose files are all here, or in the archive; releases that lack some; releases that
     * are to be held and whose manifest is not here */
    size_t complete, partial, awaited;
    /** contents of files that those with a manifest lack */
    size_t blobs_lacking;
    /** bytes in memory, and open files of the archive, that stay; and those that are here for now
     */
    uint64_t memory, memory_for_now;
    size_t files, files_for_now;
    /** other nodes that can be asked */
    size_t peers;
    breaker_fetches_t peer_manifests, peer_files, archive_files;
} breaker_holding_figures_t;

/** All of it. Plain value. */
typedef struct st_breaker_figures_t {
    breaker_readiness_t readiness;
    breaker_standing_t standing;
    /** the cluster's store answers */
    bool is_in_touch;
    /** how old the ledger is: since the poll that was answered last was sent; UINT64_MAX: none was
     */
    uint64_t ledger_age_ms;
    /** how many nodes poll, and how many other releases have live nodes, as Redis told last; 0: not
     * known */
    uint32_t fleet, other_releases;
    /** requests that wait, of BREAKER_PARKED_MAX */
    size_t parked;
    /** contents of files that are known, of all releases, and bytes that they take in memory */
    size_t blobs;
    uint64_t blobs_memory;
    breaker_holding_figures_t holding;
} breaker_figures_t;

/**
 * Reads them, each number by itself: together they are not of one moment. Takes a lock for moments,
 * that of the table of blobs, and waits for no disk, peer or Redis. A loaded node; any thread.
 */
BREAKER_EXPORT void breaker_node_figures(const breaker_node_t *node,
                                         breaker_figures_t *ret_figures);

#ifdef __cplusplus
}
#endif

#endif
