/*
 * Our directives in h2o's configuration language. `breaker.token` and `breaker.rewrite` scope like
 * h2o's own: what is said at a level holds below it. `breaker.static` runs before the handlers that
 * libh2o defers (files, proxies), so that views come first whatever the order in the file. Errors
 * name the file, the line, the key, the value seen and what is accepted.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include "config/configurator_cluster.h"
#include "config/option.h"
#include "pages/guard.h"

typedef struct st_breaker_vars_t {
    breaker_token_t token; /* zeroed: the node's minted one */
    bool rewrite;
} breaker_vars_t;

typedef struct st_breaker_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
    breaker_vars_t *vars, stack[H2O_CONFIGURATOR_NUM_LEVELS + 1];
} breaker_configurator_t;

#define OPTION_KEYS                                                                                \
    "name, path, cache-max-age, redirect-max-age, retry-after, allow-origin, "                     \
    "timing-allow-origin, resource-policy, headers, index, dotfiles, encodings, "                  \
    "memory-file-limit, memory-limit"

/* ---- breaker.static ---- */

static int read_headers(const breaker__option_t *option, breaker_view_config_t *config)
{
    static const char accepted[] = "a sequence of at most 32 strings \"Name: value\"";
    const yoml_sequence_t *sequence = &option->node->data.sequence;
    const char **headers;

    if (option->node->type != YOML_TYPE_SEQUENCE || sequence->size > BREAKER_VIEW_HEADERS_MAX)
        return breaker__option_refuse(option, accepted);
    headers = h2o_mem_alloc(sizeof(headers[0]) * (sequence->size + 1));
    for (size_t i = 0; i != sequence->size; ++i) {
        if (sequence->elements[i]->type != YOML_TYPE_SCALAR) {
            free(headers);
            return breaker__option_refuse(option, accepted);
        }
        headers[i] = sequence->elements[i]->data.scalar;
    }
    free((void *)(uintptr_t)config->headers);
    config->headers = headers;
    config->num_headers = sequence->size;
    return 0;
}

static int read_directory(const breaker__option_t *option, const char **ret_directory)
{
    struct stat st;

    if (breaker__option_text(option, ret_directory) != 0)
        return -1;
    if (stat(*ret_directory, &st) != 0) {
        h2o_configurator_errprintf(option->cmd, option->node,
                                   "path: got `%s`, accepted: an existing directory: %s",
                                   *ret_directory, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return breaker__option_refuse(option, "an existing directory");
    return 0;
}

static int read_retry_after(const breaker__option_t *option, breaker_view_config_t *config)
{
    static const char accepted[] = "seconds, 1 to 3600";
    uint64_t value;

    if (breaker__option_number(option, 3600, accepted, &value) != 0)
        return -1;
    if (value < 1)
        return breaker__option_refuse(option, accepted);
    config->retry_after_s = (uint32_t)value;
    return 0;
}

static int read_option(const breaker__option_t *option, breaker_view_config_t *config)
{
    const char *key = option->key;

    if (strcmp(key, "name") == 0)
        return breaker__option_text(option, &config->name);
    if (strcmp(key, "path") == 0)
        return read_directory(option, &config->directory);
    if (strcmp(key, "cache-max-age") == 0)
        return breaker__option_number(option, 315360000, "seconds, 0 to 315360000",
                                      &config->cache_max_age_s);
    if (strcmp(key, "redirect-max-age") == 0)
        return breaker__option_number(option, 31536000, "seconds, 0 (no-store) to 31536000",
                                      &config->redirect_max_age_s);
    if (strcmp(key, "retry-after") == 0)
        return read_retry_after(option, config);
    if (strcmp(key, "allow-origin") == 0)
        return breaker__option_optional(option, &config->allow_origin);
    if (strcmp(key, "timing-allow-origin") == 0)
        return breaker__option_optional(option, &config->timing_allow_origin);
    if (strcmp(key, "resource-policy") == 0)
        return breaker__option_optional(option, &config->resource_policy);
    if (strcmp(key, "headers") == 0)
        return read_headers(option, config);
    if (strcmp(key, "index") == 0)
        return breaker__option_optional(option, &config->index);
    if (strcmp(key, "dotfiles") == 0)
        return breaker__option_switch(option, &config->dotfiles);
    if (strcmp(key, "encodings") == 0)
        return breaker__option_switch(option, &config->encodings);
    if (strcmp(key, "memory-file-limit") == 0)
        return breaker__option_number(option, UINT64_MAX, "bytes", &config->memory_file_limit);
    if (strcmp(key, "memory-limit") == 0)
        return breaker__option_number(option, UINT64_MAX, "bytes", &config->memory_limit);
    return breaker__option_refuse(option, "as a key one of " OPTION_KEYS);
}

static int read_options(h2o_configurator_command_t *cmd, yoml_t *node,
                        breaker_view_config_t *config)
{
    for (size_t i = 0; i != node->data.mapping.size; ++i) {
        yoml_t *key = node->data.mapping.elements[i].key;
        breaker__option_t option = {cmd, NULL, node->data.mapping.elements[i].value};
        if (key->type != YOML_TYPE_SCALAR) {
            h2o_configurator_errprintf(cmd, key, "a key must be one of " OPTION_KEYS);
            return -1;
        }
        option.key = key->data.scalar;
        if (read_option(&option, config) != 0)
            return -1;
    }
    if (config->name == NULL || config->directory == NULL) {
        h2o_configurator_errprintf(cmd, node, "the mandatory key `%s` is missing",
                                   config->name == NULL ? "name" : "path");
        return -1;
    }
    return 0;
}

/* a view's name is relative to the path that it stands at; "/shop/" + "static/{breaker}" */
static char *full_name(const h2o_pathconf_t *pathconf, const char *name)
{
    size_t path_len = pathconf->path.len, size;
    char *full;

    while (path_len != 0 && pathconf->path.base[path_len - 1] == '/')
        --path_len;
    while (*name == '/')
        ++name;
    size = path_len + strlen(name) + 2;
    full = h2o_mem_alloc(size);
    snprintf(full, size, "%.*s/%s", (int)path_len, pathconf->path.base, name);
    return full;
}

static int add_view(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx, yoml_t *node,
                    const breaker_view_config_t *config)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    const breaker_token_t *token = &self->vars->token;
    const breaker_view_t *view;
    int err;

    if ((err = breaker_node_set_token(self->node, token->len != 0 ? token->text : NULL,
                                      token->len)) != 0)
        goto Fail;
    if ((err = breaker_node_add_view(self->node, config, &view)) != 0)
        goto Fail;
    if ((err = breaker_h2o_static_register(ctx->pathconf, self->node, &view, 1)) != 0)
        goto Fail;
    return 0;

Fail:
    h2o_configurator_errprintf(cmd, node, "view `%s`: %s", config->name, breaker_err_message(err));
    return -1;
}

static int on_config_view(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                          yoml_t *node)
{
    breaker_view_config_t config;
    char *name = NULL;
    int ret = -1;

    if (node->type != YOML_TYPE_MAPPING) {
        h2o_configurator_errprintf(cmd, node, "got `%s`, accepted: a mapping with " OPTION_KEYS,
                                   breaker__option_describe(node));
        return -1;
    }
    breaker_view_config_init(&config);
    config.data = *ctx->mimemap;
    if (read_options(cmd, node, &config) == 0) {
        config.name = name = full_name(ctx->pathconf, config.name);
        ret = add_view(cmd, ctx, node, &config);
    }
    free(name);
    free((void *)(uintptr_t)config.headers);
    return ret;
}

static int on_config_static(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                            yoml_t *node)
{
    if (node->type != YOML_TYPE_SEQUENCE)
        return on_config_view(cmd, ctx, node);
    for (size_t i = 0; i != node->data.sequence.size; ++i)
        if (on_config_view(cmd, ctx, node->data.sequence.elements[i]) != 0)
            return -1;
    return 0;
}

/* ---- the others ---- */

static int on_config_token(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                           yoml_t *node)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    int err = breaker_token_parse(node->data.scalar, strlen(node->data.scalar), &self->vars->token);
    (void)ctx;

    if (err != 0)
        h2o_configurator_errprintf(cmd, node, "got `%s`, accepted: %s", node->data.scalar,
                                   breaker_err_message(err));
    return err != 0 ? -1 : 0;
}

static int on_config_release(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    (void)ctx;

    if (breaker_node_set_release_id(self->node, node->data.scalar, strlen(node->data.scalar)) == 0)
        return 0;
    h2o_configurator_errprintf(cmd, node,
                               "got `%s`, accepted: 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
                               node->data.scalar);
    return -1;
}

/** Reads a directory, alone or in a mapping with `max-size`. */
static int read_encoding_cache(const breaker__option_t *option, breaker_encoding_config_t *config)
{
    static const char accepted[] = "a directory, or a mapping with path, max-size";
    const yoml_t *node = option->node;

    if (node->type == YOML_TYPE_SCALAR)
        return breaker__option_text(option, &config->cache_directory);
    if (node->type != YOML_TYPE_MAPPING)
        return breaker__option_refuse(option, accepted);
    for (size_t i = 0; i != node->data.mapping.size; ++i) {
        const yoml_t *key = node->data.mapping.elements[i].key;
        breaker__option_t inner = {option->cmd, breaker__option_describe(key),
                                   node->data.mapping.elements[i].value};
        int ret;

        if (strcmp(inner.key, "path") == 0)
            ret = breaker__option_text(&inner, &config->cache_directory);
        else if (strcmp(inner.key, "max-size") == 0)
            ret = breaker__option_number(&inner, UINT64_MAX, "bytes, at least 1048576",
                                         &config->cache_max_size);
        else
            ret = breaker__option_refuse(&inner, "as a key path or max-size");
        if (ret != 0)
            return -1;
        if (strcmp(inner.key, "max-size") == 0 && config->cache_max_size < 1048576)
            return breaker__option_refuse(&inner, "bytes, at least 1048576");
    }
    if (config->cache_directory != NULL)
        return 0;
    h2o_configurator_errprintf(option->cmd, option->node, "the mandatory key `path` is missing");
    return -1;
}

static int set_encoding(h2o_configurator_command_t *cmd, yoml_t *node,
                        const breaker_encoding_config_t *config)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    int err = breaker_node_set_encoding(self->node, config);

    if (err != 0)
        h2o_configurator_errprintf(cmd, node, "%s", breaker_err_message(err));
    return err != 0 ? -1 : 0;
}

static int on_config_encoding_cache(h2o_configurator_command_t *cmd,
                                    h2o_configurator_context_t *ctx, yoml_t *node)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    breaker__option_t option = {cmd, cmd->name, node};
    breaker_encoding_config_t config = *breaker_node_encoding(self->node);
    (void)ctx;

    config.cache_directory = NULL;
    if (read_encoding_cache(&option, &config) != 0)
        return -1;
    return set_encoding(cmd, node, &config);
}

static int on_config_encoding_cpu(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                  yoml_t *node)
{
    static const char accepted[] = "percent of one processor, 1 to 100";
    breaker_configurator_t *self = (void *)cmd->configurator;
    breaker__option_t option = {cmd, cmd->name, node};
    breaker_encoding_config_t config = *breaker_node_encoding(self->node);
    uint64_t percent;
    (void)ctx;

    if (breaker__option_number(&option, 100, accepted, &percent) != 0)
        return -1;
    if (percent == 0)
        return breaker__option_refuse(&option, accepted);
    config.cpu_percent = (unsigned)percent;
    return set_encoding(cmd, node, &config);
}

static int on_config_rewrite(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    breaker_configurator_t *self = (void *)cmd->configurator;
    breaker__option_t option = {cmd, "breaker.rewrite", node};
    (void)ctx;

    return breaker__option_switch(&option, &self->vars->rewrite);
}

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    breaker_configurator_t *self = (void *)_self;
    (void)ctx, (void)node;

    assert(self->vars < self->stack + H2O_CONFIGURATOR_NUM_LEVELS);
    ++self->vars;
    self->vars[0] = self->vars[-1];
    return 0;
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    breaker_configurator_t *self = (void *)_self;
    bool rewrite = self->vars->rewrite;
    int err = 0;

    assert(self->vars > self->stack);
    --self->vars;
    if (ctx->pathconf == NULL)
        return 0;
    breaker__guard_register(ctx->pathconf);
    if (rewrite && (err = breaker_h2o_rewrite_register(ctx->pathconf, self->node)) != 0)
        h2o_configurator_errprintf(NULL, node, "breaker.rewrite: %s", breaker_err_message(err));
    return err != 0 ? -1 : 0;
}

void breaker_h2o_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    enum {
        EVERY_LEVEL =
            H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST | H2O_CONFIGURATOR_FLAG_PATH,
    };
    breaker_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->super.exit = on_exit_level;
    self->node = node;
    self->vars = self->stack;
    h2o_configurator_define_command(&self->super, "breaker.token",
                                    EVERY_LEVEL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
                                    on_config_token);
    h2o_configurator_define_command(
        &self->super, "breaker.release",
        H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_config_release);
    h2o_configurator_define_command(&self->super, "breaker.encoding-cache",
                                    H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_encoding_cache);
    h2o_configurator_define_command(
        &self->super, "breaker.encoding-cpu",
        H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_config_encoding_cpu);
    h2o_configurator_define_command(
        &self->super, "breaker.static",
        H2O_CONFIGURATOR_FLAG_PATH | H2O_CONFIGURATOR_FLAG_EXPECT_SEQUENCE |
            H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING | H2O_CONFIGURATOR_FLAG_SEMI_DEFERRED,
        on_config_static);
    h2o_configurator_define_command(&self->super, "breaker.rewrite",
                                    EVERY_LEVEL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
                                    on_config_rewrite);
    breaker__cluster_register_configurator(globalconf, node);
}
