#ifndef BREAKER_NODE_NODE_H
#define BREAKER_NODE_NODE_H

/* What the files of this room share. Not installed. */
#include <pthread.h>
#include <breaker/node.h>
#include "node/alone.h"
#include "node/loader.h"
#include "node/mailbox.h"
#include "node/next.h"

struct st_breaker_node_t {
    /* between the cluster's thread and the server's */
    breaker__mailbox_t mailbox;

    /* the configuration: changes until the load, and never afterwards */
    breaker_token_t minted;
    breaker_token_t token; /* what views that are added now get */
    breaker_token_t label; /* of the release; `len` 0: none */
    breaker_release_hooks_t hooks;
    breaker_encoding_config_t encoding;       /* its directory is owned */
    breaker_view_t *views[BREAKER_VIEWS_MAX]; /* owned */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    size_t num_views;
    char *state_path; /* owned, or NULL */
    bool is_loaded;

    /* of a node by itself, from the load the loader's alone */
    breaker__alone_t alone;

    breaker_publisher_t *publisher; /* owned */
    breaker__loader_t *loader;      /* owned; its thread runs from the load on */

    pthread_mutex_t lock;       /* of what follows */
    breaker_release_t *release; /* owned reference: what is served; NULL until loaded */
    breaker__next_t *next;      /* owned: the load that is under way, or NULL */
    bool is_ending;
};

/** Around whatever `lock` protects, for moments only. */
void breaker__node_lock(breaker_node_t *node);
void breaker__node_unlock(breaker_node_t *node);

/**
 * Makes a snapshot of a release under one token a view; `ledger` and `older_alive` as in
 * snapshot.h. The caller owns the reference. Fails with BREAKER_ERR_NO_MEMORY.
 */
int breaker__node_snapshot(const breaker_node_t *node, breaker_release_t *release,
                           const breaker_token_t *tokens, const breaker_ledger_t *ledger,
                           bool older_alive, breaker_snapshot_t **ret_snapshot);

/** The token that the view at an index was configured with; what is served is in the snapshot. */
const breaker_token_t *breaker__node_token(const breaker_node_t *node, size_t index);

/** The blobs of all releases of a node; lives as long as the node. Any thread. */
struct st_breaker__blobs_t *breaker__node_blobs(const breaker_node_t *node);

/** What peers know each other by. Plain value; a zeroed one knows nobody. */
typedef struct st_breaker__peer_keys_t {
    /** the newest first; 0: nobody is a peer yet */
    size_t num;
    uint8_t keys[BREAKER_PEER_KEYS_MAX][BREAKER_PEER_KEY_LEN];
    /** added to this machine's clock, it makes the cluster's */
    int64_t clock_offset_ms;
} breaker__peer_keys_t;

/** Copies what `breaker_node_set_peers` told last. A lock for a moment. Any thread. */
void breaker__node_peer_keys(const breaker_node_t *node, breaker__peer_keys_t *ret_keys);

/** How many of the BREAKER_PARKED_MAX places are taken. Any thread. */
size_t breaker__node_num_parked(const breaker_node_t *node);

#endif
