/*
 * `breaker.encoding-cache` and `breaker.encoding-cpu`: how much the encodings of assets may cost,
 * and where they are kept between starts. The two share one configuration of the node, so each
 * changes what the other may have said already.
 */
#include <stdlib.h>
#include <string.h>
#include <option.h>
#include "config/configurator.h"

#define CACHE_KEYS "path, max-size"
/* bytes; below that a cache would hold next to nothing */
#define CACHE_SIZE_MIN (1u << 20)

typedef struct st_encoding_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
} encoding_configurator_t;

static breaker_node_t *node_of(h2o_configurator_command_t *cmd)
{
    return ((encoding_configurator_t *)cmd->configurator)->node;
}

static int read_cache_option(const breaker__option_t *option, void *data)
{
    breaker_encoding_config_t *config = data;

    if (strcmp(option->key, "path") == 0)
        return breaker__option_text(option, &config->cache_directory);
    if (strcmp(option->key, "max-size") == 0)
        return breaker__option_size(option, CACHE_SIZE_MIN, UINT64_MAX, &config->cache_max_size);
    return breaker__option_unknown(option, CACHE_KEYS);
}

/* a directory, alone or in a mapping with `max-size` */
static int read_cache(const breaker__option_t *option, breaker_encoding_config_t *config)
{
    if (option->node->type == YOML_TYPE_SCALAR)
        return breaker__option_text(option, &config->cache_directory);
    if (option->node->type != YOML_TYPE_MAPPING)
        return breaker__option_refuse(option, "a directory, or a mapping with " CACHE_KEYS);
    if (breaker__option_each(option, CACHE_KEYS, read_cache_option, config) != 0)
        return -1;
    return config->cache_directory != NULL ? 0 : breaker__option_missing(option, "path");
}

static int set_encoding(const breaker__option_t *option, breaker_node_t *node,
                        const breaker_encoding_config_t *config)
{
    int err = breaker_node_set_encoding(node, config);

    return err == 0 ? 0 : breaker__option_fail(option, "%s", breaker_err_message(err));
}

static int on_config_cache(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                           yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_encoding_config_t config = *breaker_node_encoding(node_of(cmd));

    config.cache_directory = NULL;
    if (read_cache(&option, &config) != 0)
        return -1;
    /* a check of the file only must not write */
    return ctx->dry_run ? 0 : set_encoding(&option, node_of(cmd), &config);
}

static int on_config_cpu(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                         yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_encoding_config_t config = *breaker_node_encoding(node_of(cmd));
    uint64_t percent;
    (void)ctx;

    if (breaker__option_number(&option, "percent of one processor", 1, 100, &percent) != 0)
        return -1;
    config.cpu_percent = (unsigned)percent;
    return set_encoding(&option, node_of(cmd), &config);
}

void breaker__encoding_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    encoding_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->node = node;
    h2o_configurator_define_command(&self->super, "breaker.encoding-cache",
                                    H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_cache);
    h2o_configurator_define_command(
        &self->super, "breaker.encoding-cpu",
        H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_config_cpu);
}
