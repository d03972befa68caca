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

/* what holds at one level */
typedef struct st_scope_t {
    breaker_token_t token; /* zeroed: the node's minted one */
    breaker__rewrite_option_t rewrite;
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

    return breaker__rewrite_option(&option, &self->scope->rewrite);
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

/* what stands inside of `file.custom-handler` has a configuration like a path's, and no map of
 * types */
static bool is_path(const h2o_configurator_context_t *ctx)
{
    return ctx->pathconf != NULL && ctx->mimemap != NULL;
}

/* the last token of a path when no view follows it, which counts for nothing; or NULL */
static const yoml_t *find_idle_token(const yoml_t *node)
{
    const yoml_t *idle = NULL;

    for (size_t i = 0; node != NULL && i != node->data.mapping.size; ++i) {
        const yoml_t *key = node->data.mapping.elements[i].key;
        if (strcmp(key->data.scalar, "breaker.token") == 0)
            idle = key;
        else if (strcmp(key->data.scalar, "breaker.static") == 0)
            idle = NULL;
    }
    return idle;
}

static int end_path(scope_configurator_t *self, h2o_pathconf_t *pathconf, const yoml_t *node,
                    const breaker__rewrite_option_t *rewrite)
{
    const breaker__option_t token = {.key = "breaker.token", .node = find_idle_token(node)};
    const breaker__option_t option = {.key = "breaker.rewrite", .node = node};
    int err = 0;

    if (token.node != NULL)
        return breaker__option_fail(&token, "no view follows at this path; accepted: before the "
                                            "`breaker.static` that it is for");
    if (rewrite->is_on)
        err = breaker__rewrite_option_register(rewrite, pathconf, self->node);
    /* the last one goes ahead: what belongs to another host or path is not to be touched before */
    breaker_h2o_guard_register(pathconf);
    return err == 0 ? 0 : breaker__option_fail(&option, "%s", breaker_err_message(err));
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    scope_configurator_t *self = (void *)_self;
    const breaker__rewrite_option_t *rewrite = &self->scope->rewrite;

    set_scope(self, self->scope - 1);
    /* what is below no path of a host, an absolute-form target say, comes to its last resort */
    if (ctx->pathconf == NULL && ctx->hostconf != NULL)
        breaker_h2o_guard_register(&ctx->hostconf->fallback_path);
    return is_path(ctx) ? end_path(self, ctx->pathconf, node, rewrite) : 0;
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
    /* as views are, so that it comes where it stands among them */
    h2o_configurator_define_command(&self->super, "breaker.token",
                                    EVERY_LEVEL | SCALAR | H2O_CONFIGURATOR_FLAG_SEMI_DEFERRED,
                                    on_config_token);
    h2o_configurator_define_command(&self->super, "breaker.release",
                                    H2O_CONFIGURATOR_FLAG_GLOBAL | SCALAR, on_config_release);
    h2o_configurator_define_command(&self->super, "breaker.rewrite", EVERY_LEVEL,
                                    on_config_rewrite);
    breaker__static_register_configurator(globalconf, node, &self->token);
    breaker__access_log_register_configurator(globalconf);
    breaker__upstream_register_configurator(globalconf);
    breaker__encoding_register_configurator(globalconf, node);
    breaker__health_register_configurator(globalconf, node);
    breaker__status_register_configurator(globalconf, node);
    breaker__holding_register_configurator(globalconf, node);
    breaker__cluster_register_configurator(globalconf, node);
}
