#ifndef BREAKER_HANDLERS_CONFIGURATOR_CLUSTER_H
#define BREAKER_HANDLERS_CONFIGURATOR_CLUSTER_H

#include <breaker/h2o.h>

/** Defines `breaker.cluster` and `breaker.state-file`. */
void breaker__cluster_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

#endif
