#ifndef BREAKER_CLUSTER_H
#define BREAKER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/agreement.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/log.h>
#include <breaker/node.h>
#include <breaker/redis.h>
#include <breaker/script.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A node's part in a cluster: the agreement (lib/cluster/README.md) driven over a link to Redis
 * (redis.h), its result published to the server's threads. It lives on a thread of its own, or on a
 * loop of the embedder's. Redis never stops the node from serving: trouble is logged and overcome.
 *
 *   breaker_node_join ─▶ breaker_node_load ─▶ breaker_cluster_start ─▶ … ─▶ breaker_cluster_stop
 */
typedef struct st_breaker_cluster_t breaker_cluster_t;

/**
 * How a node joins. Start from `breaker_cluster_config_init`. Everything is copied but `loop` and
 * the callbacks' data, which outlive the cluster.
 */
typedef struct st_breaker_cluster_config_t {
    /** which nodes belong together: 1 to BREAKER_APP_MAX characters of a token's alphabet */
    const char *app;
    breaker_redis_config_t redis;
    /**
     * Where peers reach this node: "host:port", "[v6]:port", either of them after "https://" where
     * TLS is spoken there; NULL: nowhere. "auto": at `advertise_port`, of the address that the
     * connection to Redis has on this machine, which is another one whenever that is.
     */
    const char *advertise;
    /** for "auto" */
    uint16_t advertise_port;
    bool advertise_tls;
    /**
     * all nodes of the application agree on one token whatever their files are. Right only where
     * all of them serve the same shared volume: it puts different bytes under one URL otherwise
     */
    bool adopt_any;
    /** minted tokens end in eight characters of the release's digest */
    bool token_suffix;
    /**
     * the start policy and the timers, see agreement.h. What is the node's is taken from the node,
     * whatever stands here: `release`, `fixed`, `suffix` and `seed`
     */
    breaker_agreement_config_t agreement;
    /** the state file, or NULL for none */
    const char *state_path;
    /** a loop of the embedder's, whose thread then starts and stops the cluster; NULL: a thread */
    uv_loop_t *loop;
    /** handed to the callbacks, which run on the cluster's thread or within its start */
    void *data;
    /**
     * Hears what happens, without secrets; the same trouble at most once a minute (log.h; the
     * events of the component "cluster" are listed in lib/log/README.md). May be NULL.
     */
    void (*on_log)(void *data, const breaker_log_event_t *event);
    /**
     * The first snapshot was published: the node serves. Called once at most. May be NULL.
     *
     * Until then no answer of a view can be right (handlers give 503), and with the policy `strict`
     * that lasts as long as Redis is away. So a server binds its addresses first, while it may, and
     * calls listen(2) only from here on, or after `breaker_cluster_start` where this was called
     * within it: a balancer is refused meanwhile, and asks another node. What tells a service
     * manager that the server is ready belongs after that.
     */
    void (*on_ready)(void *data);
} breaker_cluster_config_t;

/** how long Redis has at most to take note that a node leaves */
#define BREAKER_CLUSTER_LEAVE_MS 500

/** Fills in the defaults: policy open, no name, no URL. */
BREAKER_EXPORT void breaker_cluster_config_init(breaker_cluster_config_t *config);

/**
 * Refuses what `breaker_cluster_start` would refuse of a configuration, with the reason in `error`;
 * starts nothing, connects to nothing, writes nothing. The node need not be loaded. Any thread.
 */
BREAKER_EXPORT int breaker_cluster_check(const breaker_node_t *node,
                                         const breaker_cluster_config_t *config,
                                         breaker_error_t *error);

/**
 * Joins: returns at once, the first snapshot is published when the policy allows it. The node was
 * told by `breaker_node_join`, is loaded, and outlives the cluster. Fails with BREAKER_ERR_RANGE
 * for a value out of its bounds, BREAKER_ERR_TOKEN_SYNTAX for the name of the application,
 * BREAKER_ERR_STATE for a node in the wrong state or views with different tokens,
 * BREAKER_ERR_THREAD, and like `breaker_redis_create`.
 */
BREAKER_EXPORT int breaker_cluster_start(breaker_node_t *node,
                                         const breaker_cluster_config_t *config,
                                         breaker_cluster_t **ret_cluster, breaker_error_t *error);

/**
 * Leaves: writes the state file if that is due, tells Redis where a connection stands, so that the
 * node is in no list any more, hangs up, and frees. What was published stays; its release counts as
 * silent from now on, if no other node serves it. Redis has BREAKER_CLUSTER_LEAVE_MS to take note,
 * the answer to the poll under way included; where there is no connection nothing is waited for.
 * With a thread of its own the call returns after that. On an embedder's loop, then on its thread,
 * it returns at once: the node, the callbacks and their data are not touched any more, and the rest
 * is done by the loop, which has to run until nothing of the cluster is left in it. A loop that is
 * closed earlier is busy. Takes NULL.
 */
BREAKER_EXPORT void breaker_cluster_stop(breaker_cluster_t *cluster);

#ifdef __cplusplus
}
#endif

#endif
