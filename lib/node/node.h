#ifndef BREAKER_NODE_NODE_H
#define BREAKER_NODE_NODE_H

/* What the files of this room share. Not installed. */
#include <pthread.h>
#include <breaker/node.h>
#include <breaker/figures.h>
#include <breaker/holding.h>
#include "holding/holding.h"
#include "node/alone.h"
#include "node/loader.h"
#include "node/mailbox.h"
#include "node/next.h"
#include "node/published.h"
#include "peers/auth.h"
#include "release/blobs.h"
#include "release/inventory.h"

struct st_breaker_node_t {
    /* between the cluster's thread and the server's */
    breaker__mailbox_t mailbox;

    /* the configuration: changes until the load, and never afterwards */
    breaker_token_t minted;
    breaker_token_t token; /* what views that are added now get */
    breaker_token_t label; /* of the release; `len` 0: none */
    breaker_release_hooks_t hooks;
    breaker_encoding_config_t encoding;       /* its directory is owned */
    breaker_holding_config_t holding_config;  /* its texts are owned */
    breaker_view_t *views[BREAKER_VIEWS_MAX]; /* owned */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    size_t num_views;
    char *state_path; /* owned, or NULL */
    /* of the process before; `token.len` 0: none */
    breaker_ledger_entry_t before;
    bool is_loaded;
    /* owned: what the process before had loaded, until this one has; or NULL */
    breaker__inventory_t *inventory;
    /* owned descriptors: what this one has loaded, where that was asked for */
    bool keeps_inventory;
    int inventory_fds[BREAKER_INVENTORY_MAX];
    size_t num_inventory_fds;

    /* of a node by itself, from the load the loader's alone */
    breaker__alone_t alone;

    breaker__blobs_t *blobs;        /* owned reference: of all releases */
    breaker_publisher_t *publisher; /* owned */
    breaker__loader_t *loader;      /* owned; its thread runs from the load on */
    breaker__holding_t *holding;    /* owned; the same; NULL on a node that does not hold */
    breaker__published_t published;

    /* when the node is ready at the latest, in ms of CLOCK_MONOTONIC; 0: nothing is published */
    _Atomic uint64_t ready_by_ms;
    /* it has what live nodes serve; and they have what it serves */
    atomic_bool is_complete, is_ready;
    /* another process answers at its address */
    atomic_bool has_predecessor;

    pthread_mutex_t lock;       /* of what follows */
    breaker_release_t *release; /* owned reference: what is served; NULL until loaded */
    breaker__next_t *next;      /* owned: the load that is under way, or NULL */
    bool is_ending;
};

/** Around whatever `lock` protects, for moments only. */
void breaker__node_lock(breaker_node_t *node);
void breaker__node_unlock(breaker_node_t *node);

/** Whether another process answers at the node's address. */
bool breaker__node_has_predecessor(const breaker_node_t *node);

/** Whether releases of others are held, by what was configured. */
bool breaker__node_holds(const breaker_node_t *node);
/** The first snapshot was published: from now on the node may be ready. */
void breaker__node_note_published(breaker_node_t *node);
/** What live nodes serve is here. The holding's thread. */
void breaker__node_set_complete(breaker_node_t *node);

/** The token that the view at an index was configured with; what is served is in the snapshot. */
const breaker_token_t *breaker__node_token(const breaker_node_t *node, size_t index);

/** The blobs of all releases of a node; lives as long as the node. Any thread. */
breaker__blobs_t *breaker__node_blobs(const breaker_node_t *node);

/**
 * Copies the keys that `breaker_node_set_peers` told last and returns true, where they are others
 * than at `*generation`, which is 0 at first and brought up to date. One acquire-load where nothing
 * changed, else a lock for a moment. Any thread, each with a generation of its own.
 */
bool breaker__node_peer_keys(breaker_node_t *node, uint64_t *generation,
                             breaker__peer_keys_t *ret_keys);

/** How the node stands with its cluster, for whoever watches; as in `breaker_figures_t`. The
 * cluster's thread. */
void breaker__node_set_standing(breaker_node_t *node, breaker_standing_t standing, uint32_t fleet,
                                uint32_t other_releases);

/** How many of the BREAKER_PARKED_MAX places are taken. Any thread. */
size_t breaker__node_num_parked(const breaker_node_t *node);

#endif
