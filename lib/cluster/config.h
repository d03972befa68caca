#ifndef BREAKER_LIB_CLUSTER_CONFIG_H
#define BREAKER_LIB_CLUSTER_CONFIG_H

/* The bounds of a cluster's configuration, all but those of the link. Not installed. */
#include <breaker/cluster.h>

/** Refuses values out of their bounds; gives the token that the operator has set for all views. */
int breaker__cluster_check(const breaker_node_t *node, const breaker_cluster_config_t *config,
                           breaker_token_t *ret_token, breaker_error_t *error);

#endif
