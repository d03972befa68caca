#ifndef BREAKER_LIB_CLUSTER_CONFIG_H
#define BREAKER_LIB_CLUSTER_CONFIG_H

/* The bounds of a cluster's configuration, all but those of the link. Not installed. */
#include <breaker/cluster.h>
#include "cluster/agreement.h"

/** Writes what minted tokens of a release end in where they have a suffix. */
void breaker__cluster_suffix(const breaker_release_t *release, char *dst, size_t size);

/**
 * Refuses values out of their bounds, with the reason in `error`; then completes the agreement's
 * configuration by what is the node's, all but the seed. `release` is what the node serves.
 */
int breaker__cluster_configure(const breaker_node_t *node, const breaker_release_t *release,
                               const breaker_cluster_config_t *config,
                               breaker_agreement_config_t *ret_agreement, breaker_error_t *error);

#endif
