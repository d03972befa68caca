/*
 * Our directives in h2o's configuration language: those that scope, and the door to all others.
 * `breaker.token` and `breaker.rewrite` scope like h2o's own: what is said at a level holds below
 * it. Rewriting, and the watch over framing, are registered when a path ends, because they go in
 * front of handlers that the path's other directives register.
 */
#include <assert.h>
#include <string.h>
#include <option.h>
#include "config/configurator.h"
#include "pages/guard.h"

/* what holds at one level */
typedef struct st_scope_t {
    breaker_token_t token; /* zeroed: the node's minted one */
    bool rewrite;
} scope_t;

typedef struct st_scope_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
    scope_t *scope, stack[H2O_CONFIGURATOR_NUM_LEVELS + 1];
    /* of `scope`, for the views */
    const breaker_token_t *token;
} scope_configurator_t;

static void set_scope(scope_configurator_t *self, scope_t *scope)
{
    assert(scope >= self->stack);
    assert(scope <= self->stack + H2O_CONFIGURATOR_NUM_LEVELS);
    self->scope = scope;
    self->token = &scope->token;
}

/* ---- directives ---- */

static int on_config_token(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                           yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    scope_configurator_t *self = (void *)cmd->configurator;
    const char *text = node->data.scalar;
    int err = breaker_token_parse(text, strlen(text), &self->scope->token);
    (void)ctx;

    return err == 0 ? 0 : breaker__option_refuse(&option, breaker_err_message(err));
}

static int on_config_release(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    scope_configurator_t *self = (void *)cmd->configurator;
    const char *text = node->data.scalar;
    (void)ctx;

    if (breaker_node_set_label(self->node, text, strlen(text)) == 0)
        return 0;
    return breaker__option_refuse(&option, "1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
}

static int on_config_rewrite(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    scope_configurator_t *self = (void *)cmd->configurator;
    (void)ctx;

    return breaker__option_switch(&option, &self->scope->rewrite);
}

/* ---- levels ---- */

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    scope_configurator_t *self = (void *)_self;
    scope_t *outer = self->scope;
    (void)ctx, (void)node;

    set_scope(self, outer + 1);
    *self->scope = *outer;
    return 0;
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = "breaker.rewrite", .node = node};
    scope_configurator_t *self = (void *)_self;
    bool rewrite = self->scope->rewrite;
    int err = 0;

    set_scope(self, self->scope - 1);
    if (ctx->pathconf == NULL)
        return 0;
    breaker__guard_register(ctx->pathconf);
    if (rewrite)
        err = breaker_h2o_rewrite_register(ctx->pathconf, self->node);
    return err == 0 ? 0 : breaker__option_fail(&option, "%s", breaker_err_message(err));
}

void breaker_h2o_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    enum {
        SCALAR = H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
        EVERY_LEVEL =
            H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST | H2O_CONFIGURATOR_FLAG_PATH,
    };
    scope_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->super.exit = on_exit_level;
    self->node = node;
    set_scope(self, self->stack);
    h2o_configurator_define_command(&self->super, "breaker.token", EVERY_LEVEL | SCALAR,
                                    on_config_token);
    h2o_configurator_define_command(&self->super, "breaker.release",
                                    H2O_CONFIGURATOR_FLAG_GLOBAL | SCALAR, on_config_release);
    h2o_configurator_define_command(&self->super, "breaker.rewrite", EVERY_LEVEL | SCALAR,
                                    on_config_rewrite);
    breaker__static_register_configurator(globalconf, node, &self->token);
    breaker__encoding_register_configurator(globalconf, node);
    breaker__health_register_configurator(globalconf, node);
    breaker__holding_register_configurator(globalconf, node);
    breaker__cluster_register_configurator(globalconf, node);
}
