#ifndef BREAKER_HANDLERS_CONFIGURATOR_H
#define BREAKER_HANDLERS_CONFIGURATOR_H

/*
 * What the sources of this folder share: the configurators of libh2o that define our directives,
 * one for each subject. Not installed.
 */
#include <h2o.h>
#include <h2o/configurator.h>
#include <breaker/h2o.h>
#include <option.h>

/** Defines `breaker.static`. `*token` is the token of the level that a view stands at, len 0 for
 * the node's own; it is read when the view is, and outlives the configuration. */
void breaker__static_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node,
                                           const breaker_token_t *const *token);

/** What `breaker.rewrite` says at a level; zeroed: OFF. Its texts are the file's tree's. */
typedef struct st_breaker__rewrite_option_t {
    bool is_on;
    breaker_h2o_rewrite_config_t config;
    const char *types[BREAKER_H2O_REWRITE_TYPES_MAX];
} breaker__rewrite_option_t;

/** Reads the value, in the place of what was said at a level above. */
int breaker__rewrite_option(const breaker__option_t *option,
                            breaker__rewrite_option_t *ret_rewrite);
/** Registers the rewriting at a path; returns a negative error of its own. */
int breaker__rewrite_option_register(const breaker__rewrite_option_t *rewrite,
                                     h2o_pathconf_t *pathconf, breaker_node_t *node);

/** Defines `breaker.encoding-cache` and `breaker.encoding-cpu`. */
void breaker__encoding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `access-log`, ahead of libh2o's. */
void breaker__access_log_register_configurator(h2o_globalconf_t *globalconf);

/** Defines `proxy.*`, ahead of libh2o's. */
void breaker__upstream_register_configurator(h2o_globalconf_t *globalconf);

/** Defines `breaker.health`. */
void breaker__health_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.status`. */
void breaker__status_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.archive`, `breaker.keep`, `breaker.fetch` and `breaker.ready-timeout`. */
void breaker__holding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** Defines `breaker.cluster` and `breaker.state-file`. */
void breaker__cluster_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

#endif
