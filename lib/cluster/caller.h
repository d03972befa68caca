#ifndef BREAKER_LIB_CLUSTER_CALLER_H
#define BREAKER_LIB_CLUSTER_CALLER_H

/* Who a node is to the others: its id, and where they reach it. Not installed. */
#include <stdbool.h>
#include <breaker/cluster.h>
#include "cluster/script.h"

/** what `advertise` says where the address is that of the connection to Redis */
#define BREAKER__ADVERTISE_AUTO "auto"

/**
 * Tells whether an address may be advertised: "auto", or "host:port", "[v6]:port", either with
 * "http://" or "https://" before it. Any thread.
 */
bool breaker__caller_is_address(const char *text);

/**
 * Fills a zeroed one by a configuration that was checked. `agreement` is borrowed. With an address
 * the id is made of it, since one address is one node, whatever lives it has; else it is random.
 * Fails like the hash.
 */
int breaker__caller_init(breaker__script_caller_t *caller, const breaker_cluster_config_t *config,
                         const breaker_agreement_config_t *agreement);

/**
 * The connection to Redis stands: where the address is automatic, it is that of the connection now.
 * The id is made of the first one. False: it has none, over a Unix socket.
 */
bool breaker__caller_on_up(breaker__script_caller_t *caller, const breaker_redis_t *redis);

#endif
