/*
 * `breaker.health`: below which path a server is asked how it is. At the top level it holds for
 * every host that says nothing of it. The handlers are registered before the paths of a host, which
 * libh2o asks in the order of their registration.
 */
#include <option.h>
#include "config/configurator.h"
#include "health/health.h"

typedef struct st_health_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
    const char *path;     /* borrowed: of the file's tree; NULL: none */
} health_configurator_t;

static int read_path(const breaker__option_t *option, const char **ret_path)
{
    const char *path;

    if (breaker__option_optional(option, &path) != 0)
        return -1;
    if (path != NULL && !breaker__health_is_path(path))
        return breaker__option_refuse(option, "OFF, or an absolute path of the characters A-Z a-z "
                                              "0-9 . _ ~ - in each segment, as /breaker");
    *ret_path = path;
    return 0;
}

static int add(health_configurator_t *self, h2o_hostconf_t *hostconf, const char *path)
{
    return path != NULL ? breaker_h2o_health_register(hostconf, path, self->node) : 0;
}

static int on_config_health(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                            yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    health_configurator_t *self = (void *)cmd->configurator;
    const char *path = NULL;

    if (read_path(&option, &path) != 0)
        return -1;
    if (ctx->hostconf != NULL)
        return add(self, ctx->hostconf, path);
    self->path = path;
    return 0;
}

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    health_configurator_t *self = (void *)_self;

    if (ctx->hostconf == NULL || ctx->pathconf != NULL || yoml_get(node, "breaker.health") != NULL)
        return 0;
    return add(self, ctx->hostconf, self->path);
}

void breaker__health_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    health_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->node = node;
    h2o_configurator_define_command(&self->super, "breaker.health",
                                    H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST |
                                        H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
                                    on_config_health);
}
