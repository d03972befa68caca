#ifndef BREAKER_HOLDING_HOLDING_H
#define BREAKER_HOLDING_HOLDING_H

/* What a node asks of its holding. Not installed. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/figures.h>
#include <breaker/holding.h>
#include "peers/auth.h"

/**
 * Which releases a node holds besides its own, and where their bytes come from: an archive, peers.
 * It has a thread of its own, on which all of it happens; the others leave values for it.
 */
typedef struct st_breaker__holding_t breaker__holding_t;

/**
 * Copies a configuration, with its texts, over `*dst`, whose own texts are freed. Fails with
 * BREAKER_ERR_NO_MEMORY, `*dst` as it was.
 */
int breaker__holding_config_copy(breaker_holding_config_t *dst,
                                 const breaker_holding_config_t *src);
void breaker__holding_config_dispose(breaker_holding_config_t *config);

/**
 * Makes the holding of a node that is being loaded, without its thread, and opens the archive,
 * trouble with which is told and stops nothing: what lies in it is known from then on. Fails with
 * BREAKER_ERR_NO_MEMORY or BREAKER_ERR_IO (no descriptor left).
 */
int breaker__holding_create(breaker_node_t *node, breaker__holding_t **ret_holding);
/** Adds the tokens of the archive's releases to a memory, as far as it has room. Before the start.
 */
void breaker__holding_remember(const breaker__holding_t *holding, breaker_ledger_t *memory);
/** Starts the thread. Once; fails like `breaker__thread_start`. */
int breaker__holding_start(breaker__holding_t *holding, breaker_error_t *error);
/**
 * Ends the thread, which waits for no peer and gives up what it does with the disk; takes NULL.
 * What was published stays published. Other threads may go on calling what follows, to no effect.
 */
void breaker__holding_stop(breaker__holding_t *holding);
/** Frees what was stopped, when no other thread calls it any more; takes NULL. */
void breaker__holding_free(breaker__holding_t *holding);

/** Something was published, or the node has a release. Only wakes. Any thread. */
void breaker__holding_on_published(breaker__holding_t *holding);
/** See node.h: the coordinator's thread, those that serve, and any thread. */
int breaker__holding_set_peers(breaker__holding_t *holding, const breaker_peers_t *peers);
bool breaker__holding_take_wants_peers(breaker__holding_t *holding);
void breaker__holding_want(breaker__holding_t *holding, const breaker_release_id_t *release);
bool breaker__holding_keys(breaker__holding_t *holding, uint64_t *generation,
                           breaker__peer_keys_t *ret_keys);

/** What it tells of itself, but for what is here for now. Any thread. */
void breaker__holding_figures(const breaker__holding_t *holding,
                              breaker_holding_figures_t *ret_figures);

#endif
