#ifndef BREAKER_HANDLERS_CONFIGURATOR_H
#define BREAKER_HANDLERS_CONFIGURATOR_H

/*
 * What the sources of this folder share: the configurators of libh2o that define our directives,
 * one for each subject. Not installed.
 */
#include <h2o.h>
#include <h2o/configurator.h>
#include <breaker/h2o.h>

/** Defines `breaker.static`. `*token` is the token of the level that a view stands at, len 0 for
 * the node's own; it is read when the view is, and outlives the configuration. */
void breaker__static_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node,
                                           const breaker_token_t *const *token);

/** Defines `breaker.encoding-cache` and `breaker.encoding-cpu`. */
void breaker__encoding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.health`. */
void breaker__health_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.archive`, `breaker.keep`, `breaker.fetch` and `breaker.ready-timeout`. */
void breaker__holding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.cluster` and `breaker.state-file`. */
void breaker__cluster_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

#endif
