/*
 * `breaker.archive`, `breaker.keep`, `breaker.fetch` and `breaker.ready-timeout`: how the node
 * holds releases of others. They share one configuration of the node, and `breaker.cluster` says
 * its part of it as well, so each changes what the others may have said already.
 */
#include <string.h>
#include <option.h>
#include <breaker/holding.h>
#include "config/configurator.h"

#define KEEP_KEYS "releases, age, memory, disk"
#define FETCH_KEYS "timeout, rate, connections, file-limit"

typedef struct st_holding_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
} holding_configurator_t;

static breaker_node_t *node_of(h2o_configurator_command_t *cmd)
{
    return ((holding_configurator_t *)cmd->configurator)->node;
}

static int set_holding(const breaker__option_t *option, breaker_node_t *node,
                       const breaker_holding_config_t *config)
{
    breaker_error_t error = {0};

    if (breaker_node_set_holding(node, config, &error) == 0)
        return 0;
    return breaker__option_fail(option, "%s", error.message);
}

/* ---- values ---- */

static int read_keep(const breaker__option_t *option, void *data)
{
    breaker_holding_config_t *config = data;
    uint64_t number;

    if (strcmp(option->key, "releases") == 0) {
        if (breaker__option_number(option, "a number", 0, BREAKER_KEEP_RELEASES_MAX, &number) != 0)
            return -1;
        config->keep_releases = (uint32_t)number;
        return 0;
    }
    if (strcmp(option->key, "age") == 0)
        return breaker__option_age(option, BREAKER_KEEP_AGE_MAX_MS, &config->keep_age_ms);
    if (strcmp(option->key, "memory") == 0)
        return breaker__option_size(option, 0, UINT64_MAX, &config->keep_memory);
    if (strcmp(option->key, "disk") == 0)
        return breaker__option_size(option, BREAKER_KEEP_DISK_MIN, UINT64_MAX, &config->keep_disk);
    return breaker__option_unknown(option, KEEP_KEYS);
}

static int read_connections(const breaker__option_t *option, uint32_t *ret_connections)
{
    uint64_t number;

    if (breaker__option_number(option, "a number", 1, BREAKER_FETCH_CONNECTIONS_MAX, &number) != 0)
        return -1;
    *ret_connections = (uint32_t)number;
    return 0;
}

static int read_fetch(const breaker__option_t *option, void *data)
{
    breaker_holding_config_t *config = data;

    if (strcmp(option->key, "timeout") == 0)
        return breaker__option_span_within(option, BREAKER_FETCH_TIMEOUT_MIN_MS,
                                           BREAKER_FETCH_TIMEOUT_MAX_MS, &config->fetch_timeout_ms);
    if (strcmp(option->key, "rate") == 0)
        return breaker__option_size(option, BREAKER_FETCH_RATE_MIN, UINT64_MAX,
                                    &config->fetch_rate);
    if (strcmp(option->key, "connections") == 0)
        return read_connections(option, &config->fetch_connections);
    if (strcmp(option->key, "file-limit") == 0)
        return breaker__option_size(option, 1, BREAKER_FETCH_FILE_MAX, &config->fetch_file_limit);
    return breaker__option_unknown(option, FETCH_KEYS);
}

/* ---- directives ---- */

static int on_config_archive(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_holding_config_t config = *breaker_node_holding(node_of(cmd));

    if (node->data.scalar[0] != '/')
        return breaker__option_refuse(&option, "an absolute path of a directory");
    config.archive = node->data.scalar;
    /* a check of the file only must not write */
    return ctx->dry_run ? 0 : set_holding(&option, node_of(cmd), &config);
}

static int on_config_keep(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                          yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_holding_config_t config = *breaker_node_holding(node_of(cmd));
    (void)ctx;

    if (breaker__option_each(&option, KEEP_KEYS, read_keep, &config) != 0)
        return -1;
    return set_holding(&option, node_of(cmd), &config);
}

static int on_config_fetch(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                           yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_holding_config_t config = *breaker_node_holding(node_of(cmd));
    (void)ctx;

    if (breaker__option_each(&option, FETCH_KEYS, read_fetch, &config) != 0)
        return -1;
    return set_holding(&option, node_of(cmd), &config);
}

static int on_config_ready_timeout(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                   yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_holding_config_t config = *breaker_node_holding(node_of(cmd));
    (void)ctx;

    if (breaker__option_span_within(&option, 0, BREAKER_READY_TIMEOUT_MAX_MS,
                                    &config.ready_timeout_ms) != 0)
        return -1;
    return set_holding(&option, node_of(cmd), &config);
}

void breaker__holding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    enum {
        GLOBAL = H2O_CONFIGURATOR_FLAG_GLOBAL,
        SCALAR = H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
        MAPPING = H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING,
    };
    holding_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->node = node;
    h2o_configurator_define_command(&self->super, "breaker.archive", GLOBAL | SCALAR,
                                    on_config_archive);
    h2o_configurator_define_command(&self->super, "breaker.keep", GLOBAL | MAPPING, on_config_keep);
    h2o_configurator_define_command(&self->super, "breaker.fetch", GLOBAL | MAPPING,
                                    on_config_fetch);
    h2o_configurator_define_command(&self->super, "breaker.ready-timeout", GLOBAL | SCALAR,
                                    on_config_ready_timeout);
}
