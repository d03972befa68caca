/*
 * `breaker.status`: at which path operators and their programs are told how the node is, and who of
 * them may look. It belongs to a path; what is said at a path holds there alone.
 */
#include <string.h>
#include <option.h>
#include "config/configurator.h"

#define KEYS "allow, user-file"

typedef struct st_status_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
} status_configurator_t;

/* what stands after the directive; the texts are the file's tree's */
typedef struct st_status_option_t {
    breaker_h2o_status_config_t config;
    const char *allow[BREAKER_H2O_STATUS_NETWORKS_MAX];
} status_option_t;

static int add_allowed(const breaker__option_t *option, status_option_t *status)
{
    if (status->config.num_allow == BREAKER_H2O_STATUS_NETWORKS_MAX)
        return breaker__option_fail(option, "more than %d addresses and networks",
                                    BREAKER_H2O_STATUS_NETWORKS_MAX);
    if (breaker__option_text(option, status->allow + status->config.num_allow) != 0)
        return -1;
    ++status->config.num_allow;
    return 0;
}

/* one, or a sequence */
static int read_allow(const breaker__option_t *option, status_option_t *status)
{
    const yoml_t *node = option->node;

    status->config.num_allow = 0;
    if (node->type != YOML_TYPE_SEQUENCE)
        return add_allowed(option, status);
    if (node->data.sequence.size == 0)
        return breaker__option_fail(option, "nobody could look; accepted: at least one address, "
                                            "network, `unix` or `all`");
    for (size_t i = 0; i != node->data.sequence.size; ++i) {
        const breaker__option_t entry = {option->directive, option->key,
                                         node->data.sequence.elements[i], option->key_node};
        if (add_allowed(&entry, status) != 0)
            return -1;
    }
    return 0;
}

static int read_one(const breaker__option_t *option, void *data)
{
    status_option_t *status = data;

    if (strcmp(option->key, "allow") == 0)
        return read_allow(option, status);
    if (strcmp(option->key, "user-file") == 0)
        return breaker__option_text(option, &status->config.user_file);
    return breaker__option_unknown(option, KEYS);
}

static int on_config_status(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                            yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    status_configurator_t *self = (void *)cmd->configurator;
    status_option_t status = {.allow = {NULL}};
    breaker_error_t error = {0};
    bool is_on = true;

    breaker_h2o_status_config_init(&status.config);
    status.config.allow = status.allow;
    if (node->type == YOML_TYPE_MAPPING) {
        if (breaker__option_each(&option, KEYS, read_one, &status) != 0)
            return -1;
    } else if (breaker__option_switch_or(&option, "a mapping with " KEYS, &is_on) != 0) {
        return -1;
    }
    if (!is_on ||
        breaker_h2o_status_register(ctx->pathconf, self->node, &status.config, &error) == 0)
        return 0;
    return breaker__option_fail(&option, "%s", error.message);
}

void breaker__status_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    status_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->node = node;
    h2o_configurator_define_command(&self->super, "breaker.status", H2O_CONFIGURATOR_FLAG_PATH,
                                    on_config_status);
}
