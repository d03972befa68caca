#ifndef BREAKER_NODE_H
#define BREAKER_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/ledger.h>
#include <breaker/peer.h>
#include <breaker/release.h>
#include <breaker/snapshot.h>
#include <breaker/token.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A node: the views, the local token and the release of one server process, and the publisher
 * through which its threads see them. It is configured by one thread (tokens, views), then loaded,
 * then read by all.
 *
 *   configured ── breaker_node_load ──▶ loaded, encodings follow in the background
 *                                          │ ▲
 *                                          └─┘ breaker_node_load_next: other files
 *
 * A node by itself publishes its first snapshot when it is loaded. A node of a cluster publishes
 * nothing until its cluster (cluster.h) has a token for it; until then its views answer as before
 * the load.
 */
typedef struct st_breaker_node_t breaker_node_t;

/**
 * Hears of a change: what the node hands out from now on, the token or the release of a view, is
 * another than before, so an embedder's own cache of pages and URLs is out of date. The first
 * publication is a change; one that brings no other token and no other release (news of the
 * cluster's history, say) is none.
 *
 * `snapshot` is borrowed during the call and tells everything: the views with their tokens and
 * prefixes, and `breaker_release_id(snapshot->release)`; `breaker_static_url` takes it. Called once
 * for each change, in their order, on the thread that publishes: the one that loads, or the
 * cluster's; never two at a time. The server's threads may see the snapshot before it is called,
 * and do not wait for it; whoever publishes does, so it is short. It may read everything and must
 * neither load nor publish nor free the node.
 */
typedef void (*breaker_change_cb)(void *change_data, const breaker_snapshot_t *snapshot);

/**
 * What a node asks of the host around it. Start from `breaker_node_config_init`, or from
 * `breaker_h2o_node_config_init` where views are served by h2o.
 */
typedef struct st_breaker_node_config_t {
    /** milliseconds since the epoch of which the token is minted; 0 means now */
    uint64_t now_ms;
    /** see release.h; copied */
    breaker_release_hooks_t hooks;
    /** how encodings are made, see release.h; checked and copied as by `breaker_node_set_encoding`
     */
    breaker_encoding_config_t encoding;
    /** hears of every other token and release; may be NULL. The data outlives the node */
    breaker_change_cb on_change;
    void *change_data;
} breaker_node_config_t;

/**
 * Fills `*config` with the defaults: the token of now, no hooks, so that every asset is
 * application/octet-stream and none is compressed, encodings by one whole processor and without a
 * cache, nobody to hear of changes.
 */
BREAKER_EXPORT void breaker_node_config_init(breaker_node_config_t *config);

/**
 * Makes a node and mints its token. `config` may be NULL. The caller owns it until
 * `breaker_node_free`. Fails with BREAKER_ERR_RANGE when the moment cannot be minted,
 * with BREAKER_ERR_NO_MEMORY, and like `breaker_node_set_encoding`.
 */
BREAKER_EXPORT int breaker_node_create(const breaker_node_config_t *config,
                                       breaker_node_t **ret_node);
/**
 * Frees a node, its views and its references; takes NULL. Stops and joins the background thread.
 * Every snapshot that was taken from the publisher is dropped before.
 */
BREAKER_EXPORT void breaker_node_free(breaker_node_t *node);

/**
 * Stops and joins the node's threads: no hook is called any more, nothing is loaded, fetched,
 * encoded or published. To be called before what the hooks need goes, where that is before the node
 * itself: with libh2o between the last request and `h2o_config_dispose`. `breaker_node_free` does
 * it otherwise. Again, or with NULL, it does nothing. The thread that frees the node; the cluster
 * was stopped.
 */
BREAKER_EXPORT void breaker_node_stop(breaker_node_t *node);

/**
 * Sets the token of the views added from now on; views added before keep theirs. `token` NULL goes
 * back to the minted one. Fails with BREAKER_ERR_TOKEN_SYNTAX, and with BREAKER_ERR_STATE once
 * loaded. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_token(breaker_node_t *node, const char *token, size_t len);

/**
 * Sets the operator's label of the release, which has the grammar of a token. Fails with
 * BREAKER_ERR_TOKEN_SYNTAX, and with BREAKER_ERR_STATE once loaded. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_label(breaker_node_t *node, const char *label, size_t len);

/**
 * Adds a view under the token in force. Its directory need not exist yet: if it does, its real path
 * is noted for `breaker_static_url`. A view of a name that is there, with the same token and in all
 * else but the host the same, is that view: `*ret_view` is the one that is there, for one host
 * more. Others of the name are views of their own where no host has two of them. Fails with
 * BREAKER_ERR_NO_PLACEHOLDER, _TWO_PLACEHOLDERS, _VIEW_NAME, _HEADER_SYNTAX, and _RANGE for
 * numbers, lengths, the host, the directory and the index, with BREAKER_ERR_VIEW_TAKEN when the
 * host has another view of the name, BREAKER_ERR_TOO_MANY beyond BREAKER_VIEWS_MAX or
 * BREAKER_VIEW_HOSTS_MAX and BREAKER_ERR_STATE once loaded. The node owns the view. Configuring
 * thread.
 */
BREAKER_EXPORT int breaker_node_add_view(breaker_node_t *node, const breaker_view_config_t *config,
                                         const breaker_view_t **ret_view);

/**
 * How many views there are, and one of them; what is served of it is in the snapshot. Any thread.
 */
BREAKER_EXPORT size_t breaker_node_num_views(const breaker_node_t *node);
BREAKER_EXPORT const breaker_view_t *breaker_node_view(const breaker_node_t *node, size_t index);

/**
 * Loads the release of all the views, publishes the first snapshot, and starts the thread that
 * makes the encodings. Blocks until everything can be served in identity: every file is read and
 * hashed, and siblings (`.br`, `.zst`, `.gz`) that decode to the same bytes are adopted. A
 * directory that is missing or a file that cannot be read fails the whole load, with the path in
 * `error`: half a release is none. Fails with BREAKER_ERR_STATE when loaded already and with
 * BREAKER_ERR_THREAD. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_load(breaker_node_t *node, breaker_error_t *error);

/**
 * The release that the node serves, or was loaded with where nothing is published yet, with a
 * reference that the caller drops; NULL until loaded. Any thread.
 */
BREAKER_EXPORT breaker_release_t *breaker_node_release(breaker_node_t *node);

/* ---- other files for a running node ---- */

/** How a load into a running node ended. */
typedef enum en_breaker_next_end_t {
    /** the new files are published, under a token that no other files have had */
    BREAKER_NEXT_PUBLISHED,
    /** the files and the label are those that the node serves: nothing changed, the token is kept
     */
    BREAKER_NEXT_UNCHANGED,
    /** the node serves what it served */
    BREAKER_NEXT_FAILED,
} breaker_next_end_t;

/**
 * What a running node is to serve next: the same views, with other files. Start from
 * `breaker_next_init`. Everything but `data` is copied.
 */
typedef struct st_breaker_next_t {
    /**
     * where the files are, one directory a view by its index; NULL, all or one: the view's own,
     * opened anew, so that a symbolic link on the way there is followed to where it leads now. The
     * options of the views stay what they are; `breaker_static_url` takes paths of files in the
     * views' own directories
     */
    const char *const *directories;
    /** the label of the release, NUL-ended; NULL: the one that the node was configured with */
    const char *label;
    /**
     * the operator's token for these files, NUL-ended, for all views; NULL: minted ones are minted
     * anew, and an operator's token, which names the files that were served under it, gets its
     * order appended: "v1" becomes "v1.1718539201234", and "v1.1718539209999" with the files after
     * those. The same happens to a token that is another release's already, which is told to
     * `hooks.on_notice`
     */
    const char *token;
    /** handed to `on_done`; outlives the load */
    void *data;
    /**
     * Called exactly once, when the node serves what it is to serve from now on, and last: it may
     * ask for the next load. On the node's loader thread, or from within `breaker_node_free`; it
     * must not wait for anything there, nor free the node. `error` says why a load failed, in one
     * line, and is NULL otherwise; BREAKER_ERR_CANCELLED: the node was freed before. May be NULL.
     */
    void (*on_done)(void *data, breaker_next_end_t end, const breaker_error_t *error);
} breaker_next_t;

/** Fills `*next` with the defaults: the views' directories and the node's label. */
BREAKER_EXPORT void breaker_next_init(breaker_next_t *next);

/**
 * Loads other files into a running node and publishes them: returns at once, `next->on_done` tells
 * the end. The loading is done on the node's loader thread, which has the lowest priority, with the
 * node's hooks. A directory that is missing or a file that cannot be read fails the whole load.
 * What is served changes in one step from one release under its token to the other under its own:
 *
 * - On a node by itself once the files are loaded. The new token stands above all that the node
 *   knows, also for files that it served before, and is written to the state file first.
 * - On a node of a cluster once there is a token for the release: the newest that the cluster has
 *   for it, if that is above the node's own, or one that Redis mints; where Redis cannot be
 * reached, one of the node's own after the time and by the policy of its start. Until then the load
 * is under way, and the old files are served under their token.
 *
 * Requests that are being answered keep the old files, their memory and descriptors, until the last
 * of them has ended. One load at a time: fails with BREAKER_ERR_BUSY until the callback of the one
 * before was called, with BREAKER_ERR_STATE on a node that is not loaded or being freed, with
 * BREAKER_ERR_TOKEN_SYNTAX and with BREAKER_ERR_NO_MEMORY; nothing is called then. Any thread.
 */
BREAKER_EXPORT int breaker_node_load_next(breaker_node_t *node, const breaker_next_t *next);

/**
 * Gives a node a text file to remember its tokens in: a restart with the same
 * release has the same token for the views that have no operator's token. For a node by itself; a
 * cluster has a state file of its own. `path` is copied; NULL forgets it. Trouble with the file is
 * told to `hooks.on_notice` and stops nothing. Fails with BREAKER_ERR_STATE once loaded and
 * BREAKER_ERR_NO_MEMORY. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_state_path(breaker_node_t *node, const char *path);

/**
 * What a loaded node by itself has minted: the token, its order, and the release that has it. Fails
 * with BREAKER_ERR_STATE on a node that is not loaded or is one of a cluster, and where no view has
 * a minted token. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_minted(const breaker_node_t *node,
                                       breaker_ledger_entry_t *ret_entry);

/** the most descriptors of an inventory */
#define BREAKER_INVENTORY_MAX 120

/**
 * Tells a node that another process is to take its place one day, and what the process had loaded
 * whose place it takes itself: `num_fds` descriptors of breaker_node_take_inventory there, or none,
 * which the node takes over. Files to which nothing happened since are neither opened nor read, and
 * their bytes are shared with that process. An inventory that is damaged, or of another program
 * version, or was made for another user or other groups, is as none; but it is believed about what
 * files were: it is for processes that trust each other. Fails with BREAKER_ERR_STATE once loaded,
 * and with BREAKER_ERR_RANGE for more than BREAKER_INVENTORY_MAX; then the descriptors stay the
 * caller's. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_inventory(breaker_node_t *node, const int *fds, size_t num_fds);

/**
 * Writes the descriptors of what breaker_node_load has loaded, BREAKER_INVENTORY_MAX at most, which
 * are the caller's from then on, and returns how many they are: memory that nobody can write to.
 * Once; 0 on a node that was told nothing by breaker_node_set_inventory, or where the system makes
 * no such memory. Configuring thread.
 */
BREAKER_EXPORT size_t breaker_node_take_inventory(breaker_node_t *node, int *ret_fds);

/**
 * Tells a node by itself what the process had minted whose place it takes (breaker_node_minted
 * there): the same release has the same token then, as with a state file, and another release one
 * above it. Copied. Fails with BREAKER_ERR_STATE once loaded and with BREAKER_ERR_RANGE for an
 * order that is none. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_minted(breaker_node_t *node,
                                           const breaker_ledger_entry_t *entry);

/**
 * Sets how the background makes encodings (release.h), for every load from now on. Copied. Fails
 * with BREAKER_ERR_RANGE when `cpu_percent` is above 100, with BREAKER_ERR_NO_MEMORY, and with
 * BREAKER_ERR_STATE once loaded. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_encoding(breaker_node_t *node,
                                             const breaker_encoding_config_t *config);
/** What is set. Borrowed; good until it is set again. Configuring thread. */
BREAKER_EXPORT const breaker_encoding_config_t *breaker_node_encoding(const breaker_node_t *node);

/** Waits until the background has made every encoding. Any thread; loaded nodes only. */
BREAKER_EXPORT void breaker_node_wait_encoded(breaker_node_t *node);

/** The publisher; nothing is published before the node is loaded. Lives as long as the node. */
BREAKER_EXPORT breaker_publisher_t *breaker_node_publisher(breaker_node_t *node);

/*
 * ---- between the node's coordinator and the server's threads ----
 *
 * A coordinator is what nodes agree on tokens by: a cluster (cluster.h) over Redis, or the
 * embedder's own over etcd, Consul or a database. It calls, on one thread:
 *
 *   breaker_node_join           before the load, which then publishes nothing
 *   breaker_node_operator_token whether there is anything to agree on
 *   breaker_node_publish        for the first token of the node's release, and for every change of
 *                               it or of the ledger: which token names which release, in one order
 *
 * and owes the nodes four things: a token names one release for ever; the orders of the entries are
 * the same for all nodes; a node's own token never gets older; a token is handed out only after it
 * is stored where all will find it. Two nodes of one release may publish different tokens for a
 * while, since the older one is redirected.
 *
 * A server that calls listen(2) only after the first `breaker_node_publish` refuses connections
 * until then, instead of answering 503 (see `on_ready` of cluster.h).
 *
 * Where other files may be loaded (`breaker_node_load_next`) it also waits for
 * `breaker_node_wanted_fd` and asks for `breaker_node_next`: it agrees on a token for that release
 * above the node's own, and publishes the two together. Until then it goes on with what the node
 * serves.
 *
 * Where the node holds releases of others (holding.h) it tells `breaker_node_set_peers`.
 *
 * If it also wants to be asked for news by requests that carry a newer token than it knows, it
 * waits for `breaker_node_wanted_fd`, takes the wish, asks its store, publishes, and then tells
 * `breaker_node_set_freshness`; without that such requests get 503 at once.
 */

/** the most requests of a process that wait at the same time, for a refresh, a release or its bytes
 */
#define BREAKER_PARKED_MAX 2048

/**
 * Makes the node one of a cluster: loading publishes nothing, `breaker_node_publish` does. Fails
 * with BREAKER_ERR_STATE once loaded, and with BREAKER_ERR_IO when the system has no descriptor
 * left. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_join(breaker_node_t *node);
/** Tells whether `breaker_node_join` was called. Any thread. */
BREAKER_EXPORT bool breaker_node_is_joined(const breaker_node_t *node);

/**
 * The operator's token, the same for all views, or a zeroed one where all have the minted one.
 * Fails with BREAKER_ERR_STATE when the views differ, which no cluster can agree on. Any thread.
 */
BREAKER_EXPORT int breaker_node_operator_token(const breaker_node_t *node,
                                               breaker_token_t *ret_token);

/**
 * Publishes a snapshot in which all views have this release and this token, which names it.
 * `older_alive` is the snapshot's. The release is `breaker_node_release`'s or
 * `breaker_node_next`'s: that one is the node's from now on. Loaded nodes of a cluster only. Fails
 * with BREAKER_ERR_NO_MEMORY, and with BREAKER_ERR_STATE for another release. One thread at a time,
 * the cluster's.
 */
BREAKER_EXPORT int breaker_node_publish(breaker_node_t *node, breaker_release_t *release,
                                        const breaker_token_t *token,
                                        const breaker_ledger_t *ledger, bool older_alive);

/**
 * The release that was loaded into the running node and waits for a token, with a reference that
 * the caller drops, or NULL. `*ret_token` is the operator's token for it, or a zeroed one. It stays
 * the same until it is published or refused. The cluster's thread, woken by
 * `breaker_node_wanted_fd`.
 */
BREAKER_EXPORT breaker_release_t *breaker_node_next(breaker_node_t *node,
                                                    breaker_token_t *ret_token);
/** Has that load fail, for a reason of one line. The cluster's thread. */
BREAKER_EXPORT void breaker_node_refuse_next(breaker_node_t *node, breaker_release_t *release,
                                             const char *why);

/** What the server's threads see of how fresh the ledger is. */
typedef struct st_breaker_freshness_t {
    /** when the poll that was answered last was sent, in ms of CLOCK_MONOTONIC; 0 before the first
     */
    uint64_t answered_ms;
    /** whether asking may be of use: the cluster's store answers, or has answered this node or the
     * one before it on this state file */
    bool reachable;
} breaker_freshness_t;

/** Tells the server's threads. The cluster's thread. */
BREAKER_EXPORT void breaker_node_set_freshness(breaker_node_t *node, breaker_freshness_t freshness);
/** Asks how fresh the ledger is; what is published when this is asked is at least as fresh. No
 * lock. Any thread. */
BREAKER_EXPORT breaker_freshness_t breaker_node_freshness(const breaker_node_t *node);

/**
 * Asks the cluster to refresh the ledger, which it does at most once a second. No lock, no memory;
 * nodes of a cluster only. Any thread, even after the cluster was stopped.
 */
BREAKER_EXPORT void breaker_node_want_refresh(breaker_node_t *node);
/**
 * Becomes readable when a refresh is wanted, when there is a `breaker_node_next`, and when peers
 * are wanted (`breaker_node_wants_peers`); `breaker_node_take_wanted` makes it wait again, and
 * tells whether a refresh is.
 */
BREAKER_EXPORT int breaker_node_wanted_fd(const breaker_node_t *node);
BREAKER_EXPORT bool breaker_node_take_wanted(breaker_node_t *node);

/** Reserves a place for a request that waits; false when all BREAKER_PARKED_MAX are taken. */
BREAKER_EXPORT bool breaker_node_reserve_place(breaker_node_t *node);
/** Gives it back. Any thread. */
BREAKER_EXPORT void breaker_node_return_place(breaker_node_t *node);

/*
 * ---- peers, for a node that holds (holding.h) ----
 *
 * A coordinator tells who the other nodes are and what they serve, whenever that changed and
 * whenever the node wants to know. It tells them of what the cluster's store says and of nothing
 * else, since whoever is told of is asked for releases and, with a key, answered.
 */

/**
 * Tells of the others. Everything is copied. Fails with BREAKER_ERR_TOO_MANY beyond the limits of
 * peer.h and with BREAKER_ERR_NO_MEMORY; what was told before is good then. Takes a lock for
 * moments, never waits for a disk or a peer. One thread at a time, the coordinator's. On a node
 * that does not hold it does nothing.
 */
BREAKER_EXPORT int breaker_node_set_peers(breaker_node_t *node, const breaker_peers_t *peers);

/**
 * Whether the node lacks something and wants to be told of peers, anew or for the first time; taken
 * like `breaker_node_take_wanted`, after it, when `breaker_node_wanted_fd` was readable. At most
 * once a second is enough. The coordinator's thread; false on a node that does not hold.
 */
BREAKER_EXPORT bool breaker_node_wants_peers(breaker_node_t *node);

/**
 * Asks for a release that a request's token names and the snapshot does not hold (a RELAY verdict):
 * it comes before all others, from the archive or from a peer, and the next snapshot has it, or
 * does not offer it any more. A release that is asked for already, or that is too many, changes
 * nothing: asking again costs a lock for a moment. Does nothing on a node that does not hold. Any
 * thread that serves.
 */
BREAKER_EXPORT void breaker_node_want_release(breaker_node_t *node,
                                              const breaker_release_id_t *release);

/**
 * Says that another process answers at the address that the node advertises, whose place it will
 * take: it is asked for what it serves and holds, as other nodes are, and hears of what this node
 * serves; where both have the same archive it finds the release there, so that others may have it
 * before this node answers. True before the load, and false once this node answers there itself, or
 * nobody does. Any thread.
 */
BREAKER_EXPORT void breaker_node_set_predecessor(breaker_node_t *node, bool has_one);

/** How long a request waits at most for bytes or for a release, in ms; 0: the node holds nothing,
 * and no request waits for such. From the load on the same. Any thread. */
BREAKER_EXPORT uint64_t breaker_node_fetch_timeout_ms(const breaker_node_t *node);

/** Whether a balancer may send requests. */
typedef enum en_breaker_readiness_t {
    BREAKER_READY,
    /** nothing is published: the node is not loaded, or its cluster has no token for it yet */
    BREAKER_NOT_READY_NO_TOKEN,
    /** releases that live nodes serve are not complete here yet; ends with `ready_timeout_ms` */
    BREAKER_NOT_READY_FETCHING,
    /** what this node serves is not yet with those that can be asked; ends with it as well */
    BREAKER_NOT_READY_UNSHARED,
} breaker_readiness_t;

/**
 * Says that balancers may send requests whatever the node lacks: it takes the place of a process to
 * which they do. Any thread; no lock.
 */
BREAKER_EXPORT void breaker_node_set_ready(breaker_node_t *node);

/** Tells it; once it was ready a node stays so, until its server drains. No lock. Any thread. */
BREAKER_EXPORT breaker_readiness_t breaker_node_readiness(const breaker_node_t *node);

#ifdef __cplusplus
}
#endif

#endif
