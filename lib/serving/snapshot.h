#ifndef BREAKER_SERVING_SNAPSHOT_H
#define BREAKER_SERVING_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/ledger.h>
#include <breaker/release.h>
#include <breaker/release_id.h>
#include <breaker/snapshot.h>
#include <breaker/token.h>
#include <breaker/view.h>

/** What a snapshot is made of; everything is copied or referenced. */
typedef struct st_breaker__snapshot_config_t {
    /** the node's views by index, and the token of each */
    const breaker_view_t *const *views;
    const breaker_token_t *tokens;
    size_t num_views;
    /** the node's release R; NULL while nothing is loaded */
    breaker_release_t *release;
    /** other releases whose bytes this node holds, at most BREAKER_HELD_MAX */
    breaker_release_t *const *held;
    size_t num_held;
    /** the cluster's ledger; on a single node what it remembers of its own tokens, or NULL */
    const breaker_ledger_t *ledger;
    /** a single node: there is nobody whom a refresh would hear */
    bool is_alone;
    /** releases of the ledger that are not held and may be had, so that a request waits for them */
    const breaker_release_id_t *relayable;
    size_t num_relayable;
    /** an older release still has live nodes: redirects must not be cached */
    bool older_alive;
} breaker__snapshot_config_t;

/**
 * Makes a snapshot with one reference, the caller's. Takes references on the releases, copies the
 * rest but the views, which outlive it. Fails with BREAKER_ERR_NO_MEMORY or BREAKER_ERR_TOO_MANY.
 */
int breaker__snapshot_create(const breaker__snapshot_config_t *config,
                             breaker_snapshot_t **ret_snapshot);

#endif
