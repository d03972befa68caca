/*
 * `compress`, `compress-minimum-size` and `gzip`, as h2o's manual has them, in the place of
 * libh2o's own, which takes `br` and then does nothing about it. What is said at a level holds
 * below it. The least size is one of its own, whichever of the directives comes last.
 */
#include <string.h>
#include <strings.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include <option.h>
#include "config/compress.h"
#include "http/brotli.h"

#define OFF (-1)
/* h2o's own: on the fly speed counts */
#define QUALITY 1
#define SIZE_MIN 100

#define CODINGS "gzip, br"

typedef struct st_compress_configurator_t {
    h2o_configurator_t super;
    h2o_compress_args_t *args, stack[H2O_CONFIGURATOR_NUM_LEVELS + 1];
} compress_configurator_t;

static h2o_compress_args_t *args_of(h2o_configurator_command_t *cmd)
{
    return ((compress_configurator_t *)cmd->configurator)->args;
}

static void set_all(h2o_compress_args_t *args, int gzip, int brotli)
{
    args->gzip.quality = gzip;
    args->brotli.quality = brotli;
}

/* ---- directives ---- */

static int read_names(const breaker__option_t *option, h2o_compress_args_t *args)
{
    static const char *const names[] = {"gzip", "br"};
    const yoml_sequence_t *sequence = &option->node->data.sequence;
    size_t which;

    for (size_t i = 0; i != sequence->size; ++i) {
        const breaker__option_t one = {.key = option->key, .node = sequence->elements[i]};
        if (breaker__option_choice(&one, names, 2, &which) != 0)
            return -1;
        *(which == 0 ? &args->gzip.quality : &args->brotli.quality) = QUALITY;
    }
    return 0;
}

static int read_quality(const breaker__option_t *option, int min, int max, int *ret_quality)
{
    const yoml_t *node = option->node;
    uint64_t value;

    if (node->type == YOML_TYPE_SCALAR && strcasecmp(node->data.scalar, "ON") == 0) {
        *ret_quality = QUALITY;
        return 0;
    }
    if (node->type == YOML_TYPE_SCALAR && strcasecmp(node->data.scalar, "OFF") == 0) {
        *ret_quality = OFF;
        return 0;
    }
    if (breaker__option_number(option, "ON, OFF or a number", (uint64_t)min, (uint64_t)max,
                               &value) != 0)
        return -1;
    *ret_quality = (int)value;
    return 0;
}

static int read_coding(const breaker__option_t *option, void *data)
{
    h2o_compress_args_t *args = data;

    if (strcmp(option->key, "gzip") == 0)
        return read_quality(option, 1, 9, &args->gzip.quality);
    if (strcmp(option->key, "br") == 0)
        return read_quality(option, 0, 11, &args->brotli.quality);
    return breaker__option_unknown(option, CODINGS);
}

static int on_config_compress(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                              yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    h2o_compress_args_t *args = args_of(cmd);
    (void)ctx;

    set_all(args, OFF, OFF);
    if (node->type == YOML_TYPE_SEQUENCE)
        return read_names(&option, args);
    if (node->type == YOML_TYPE_MAPPING)
        return breaker__option_each(&option, CODINGS, read_coding, args);
    if (strcasecmp(node->data.scalar, "ON") == 0)
        set_all(args, QUALITY, QUALITY);
    else if (strcasecmp(node->data.scalar, "OFF") != 0)
        return breaker__option_refuse(&option, "ON, OFF, a sequence of gzip and br, or a mapping "
                                               "of gzip and br to their qualities");
    return 0;
}

static int on_config_minimum_size(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                  yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t size;
    (void)ctx;

    if (breaker__option_size(&option, 0, SIZE_MAX - 1, &size) != 0)
        return -1;
    args_of(cmd)->min_size = (size_t)size;
    return 0;
}

static int on_config_gzip(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                          yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    bool on;
    (void)ctx;

    if (breaker__option_switch(&option, &on) != 0)
        return -1;
    set_all(args_of(cmd), on ? QUALITY : OFF, OFF);
    return 0;
}

/* ---- levels ---- */

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    compress_configurator_t *self = (void *)_self;
    (void)ctx, (void)node;

    self->args[1] = self->args[0];
    ++self->args;
    return 0;
}

/* the filter that is made last is asked first */
static void register_filters(h2o_pathconf_t *pathconf, const h2o_compress_args_t *args)
{
    h2o_compress_args_t gzip = {.min_size = args->min_size, .gzip = args->gzip};

    if (args->gzip.quality == OFF && args->brotli.quality == OFF)
        return;
    gzip.brotli.quality = OFF;
    h2o_compress_register(pathconf, &gzip);
    if (args->brotli.quality != OFF)
        breaker__brotli_register(pathconf, args->brotli.quality, args->min_size);
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    compress_configurator_t *self = (void *)_self;
    (void)node;

    if (ctx->pathconf != NULL)
        register_filters(ctx->pathconf, self->args);
    --self->args;
    return 0;
}

void breaker__compress_register_configurator(h2o_globalconf_t *globalconf)
{
    compress_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->super.exit = on_exit_level;
    self->args = self->stack;
    set_all(self->args, OFF, OFF);
    self->args->min_size = SIZE_MIN;
    h2o_configurator_define_command(&self->super, "compress", H2O_CONFIGURATOR_FLAG_ALL_LEVELS,
                                    on_config_compress);
    h2o_configurator_define_command(&self->super, "compress-minimum-size",
                                    H2O_CONFIGURATOR_FLAG_ALL_LEVELS, on_config_minimum_size);
    h2o_configurator_define_command(&self->super, "gzip", H2O_CONFIGURATOR_FLAG_ALL_LEVELS,
                                    on_config_gzip);
}
