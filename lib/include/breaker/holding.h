#ifndef BREAKER_HOLDING_H
#define BREAKER_HOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/log.h>
#include <breaker/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Releases that outlive their nodes. A node that holds answers URLs of other releases than its own
 * with the very bytes of these: from an archive, a directory of its own, and from its peers. What
 * decides a request is the snapshot, as ever; a thread of the node, "breaker-holding", brings
 * manifests and files, and publishes.
 *
 *   breaker_node_set_holding ─▶ breaker_node_load ─▶ the archive's releases ─▶ those of peers
 *
 * A release is held once its manifest hashes to the digest in its id, and a file is there once its
 * bytes hash to what the manifest says; where they come from is no matter. Trouble with a disk or a
 * peer is told to `on_log` and stops nothing.
 */

/** limits of the configuration, for whoever reads it from a file */
#define BREAKER_KEEP_RELEASES_MAX BREAKER_HELD_MAX
/** the name of that state file in the archive */
#define BREAKER_ARCHIVE_STATE "state"
#define BREAKER_KEEP_AGE_MAX_MS (UINT64_C(3650) * 86400000)
#define BREAKER_KEEP_DISK_MIN (UINT64_C(1) << 20)
#define BREAKER_FETCH_TIMEOUT_MIN_MS 10
#define BREAKER_FETCH_TIMEOUT_MAX_MS 60000
#define BREAKER_FETCH_RATE_MIN 1024
#define BREAKER_FETCH_CONNECTIONS_MAX 64
#define BREAKER_FETCH_FILE_MAX (UINT64_C(1) << 30)
#define BREAKER_READY_TIMEOUT_MAX_MS 3600000
/** the most networks that peers may be in */
#define BREAKER_PEER_NETWORKS_MAX 64

/** How a node holds. Start from `breaker_holding_config_init` or from what the node has. */
typedef struct st_breaker_holding_config_t {
    /**
     * The path of the archive, or NULL for none: a directory in which manifests and files are kept
     * for the next start. Made if only its last part is missing; any number of processes may share
     * it. Needs write permission for the node's threads; without it what lies there is used, and
     * nothing is kept. A node by itself that was given no state file (node.h) has one there.
     */
    const char *archive;
    /**
     * How much is kept besides the own release. The `keep_releases` seen last stay (5; 0 to
     * BREAKER_KEEP_RELEASES_MAX), others while they were seen within `keep_age_ms` (7 days; at most
     * ten years), BREAKER_HELD_MAX in all; a release that a live node serves always stays. A
     * release is seen as long as a node that is heard of serves it. The one that was seen longest
     * ago goes first.
     */
    uint32_t keep_releases;
    uint64_t keep_age_ms;
    /**
     * bytes of files beyond the own release's that are kept in memory (256 MiB), those of releases
     * that were seen last. What is beyond is sent from the archive, or fetched where there is none,
     * when it is asked for, and takes as much again and 16 MiB, or one file, at most
     */
    uint64_t keep_memory;
    /** bytes that the archive may take, and files that are streamed through, at least
     * BREAKER_KEEP_DISK_MIN (4 GiB) */
    uint64_t keep_disk;
    /** how long a request waits for a file or a manifest (1000; BREAKER_FETCH_TIMEOUT_MIN_MS to
     * _MAX_MS) */
    uint32_t fetch_timeout_ms;
    /** bytes a second that are fetched from peers at most, 0 without a limit (0), else at least
     * BREAKER_FETCH_RATE_MIN */
    uint64_t fetch_rate;
    /** connections to peers at once (4; 1 to BREAKER_FETCH_CONNECTIONS_MAX) */
    uint32_t fetch_connections;
    /** larger files are not fetched ahead, but streamed through when a request wants one; bytes
     * (64 MiB; at most BREAKER_FETCH_FILE_MAX) */
    uint64_t fetch_file_limit;
    /** how long after the first publication the node may say that it is not ready, because releases
     * of live nodes are not complete here, or its own not there (10000; at most
     * BREAKER_READY_TIMEOUT_MAX_MS) */
    uint32_t ready_timeout_ms;

    /**
     * Peers are asked and may ask: there is a coordinator that calls `breaker_node_set_peers`, and
     * this node can be reached by others or wants to reach them. `breaker.cluster` sets it and what
     * follows for a cluster with `advertise`.
     */
    bool has_peers;
    /** All nodes share all files (`adopt: any`): nothing is held, whatever else stands here. */
    bool is_shared;
    /** networks, "10.0.0.0/8" or "fd00::/8", outside of which no peer is asked; none: all */
    const char *const *networks;
    size_t num_networks;
    /** certificates that TLS to peers is checked with, a file in PEM; NULL: the system's */
    const char *peers_ca_file;

    /**
     * Hears what happens, without secrets: a release is held, complete, dropped, lost; what was
     * fetched; trouble, the same at most once a minute (log.h; the events of the component
     * "holding" are listed in lib/log/README.md).
     * On the node's holding thread, or within the load. May be NULL. The data outlives the node.
     */
    void (*on_log)(void *log_data, const breaker_log_event_t *event);
    void *log_data;
} breaker_holding_config_t;

/** Fills in the defaults, those in brackets above: no archive, no peers, so that nothing is held.
 */
BREAKER_EXPORT void breaker_holding_config_init(breaker_holding_config_t *config);

/**
 * Sets how a node holds: with an archive or with peers it does, from its load on. Everything is
 * copied but `log_data`. Fails with BREAKER_ERR_RANGE for a value out of its bounds, named in
 * `error`, with BREAKER_ERR_NO_MEMORY, and with BREAKER_ERR_STATE once loaded; then what was set
 * before stays. Nothing is opened yet. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_holding(breaker_node_t *node,
                                            const breaker_holding_config_t *config,
                                            breaker_error_t *error);
/** What is set. Borrowed; good until it is set again. Configuring thread. */
BREAKER_EXPORT const breaker_holding_config_t *breaker_node_holding(const breaker_node_t *node);

#ifdef __cplusplus
}
#endif

#endif
