/*
 * The end of `file.custom-handler`. libh2o makes a type of files for each, with a path's
 * configuration inside, and the two hold each other: the map of types counts a reference on the
 * type, and the configuration one on the map. So neither would ever go, and what the handler has at
 * an event loop (the timer of its idle connections) would outlive the loop. Here every such type is
 * remembered, and parted from its map when libh2o's configuration goes.
 */
#include <assert.h>
#include <stdlib.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include "config/custom_handler.h"

typedef struct st_custom_handler_configurator_t {
    h2o_configurator_t super;
    H2O_VECTOR(h2o_mimemap_type_t *) types; /* owned references */
} custom_handler_configurator_t;

/* only within a custom handler no map of types can be changed */
static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    custom_handler_configurator_t *self = (void *)_self;
    h2o_mimemap_type_t *type;
    (void)node;

    if (ctx->pathconf == NULL || ctx->mimemap != NULL)
        return 0;
    type = H2O_STRUCT_FROM_MEMBER(h2o_mimemap_type_t, data.dynamic.pathconf, ctx->pathconf);
    assert(type->type == H2O_MIMEMAP_TYPE_DYNAMIC);
    h2o_vector_reserve(NULL, &self->types, self->types.size + 1);
    self->types.entries[self->types.size++] = type;
    h2o_mem_addref_shared(type);
    return 0;
}

/* libh2o calls it twice */
static int on_dispose(h2o_configurator_t *_self)
{
    custom_handler_configurator_t *self = (void *)_self;

    for (size_t i = 0; i != self->types.size; ++i) {
        h2o_mimemap_type_t *type = self->types.entries[i];
        h2o_mimemap_t *map = type->data.dynamic.pathconf.mimemap;
        type->data.dynamic.pathconf.mimemap = NULL;
        h2o_mem_release_shared(map);
        h2o_mem_release_shared(type);
    }
    free(self->types.entries);
    self->types.entries = NULL;
    self->types.size = 0;
    return 0;
}

void breaker__custom_handler_register_configurator(h2o_globalconf_t *globalconf)
{
    custom_handler_configurator_t *self =
        (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.exit = on_exit_level;
    self->super.dispose = on_dispose;
}
