/*
 * `breaker.static`: a view, or a sequence of them, at a path. It runs before the handlers that
 * libh2o defers (files, proxies), so that views come first whatever the order in the file. What a
 * view may be is the core's to say (breaker/view.h); here are the bounds of single values.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <option.h>
#include "config/configurator.h"
#include "config/view_headers.h"

#define KEYS                                                                                       \
    "name, path, follow, strict, cache-max-age, redirect-max-age, retry-after, allow-origin, "     \
    "timing-allow-origin, resource-policy, headers, index, fallback, dotfiles, encodings, "        \
    "encoded-names, charset, "                                                                     \
    "memory-file-limit, memory-limit"

/* where the configuration has a view */
typedef struct st_place_t {
    const breaker_view_t *view;     /* borrowed: the node's */
    const h2o_hostconf_t *host;     /* borrowed */
    const yoml_t *host_node, *node; /* borrowed: what the host and the view are read from */
    size_t path_index;              /* of its path among the host's */
} place_t;

typedef struct st_static_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node;                /* borrowed: outlives the configuration */
    const breaker_token_t *const *token; /* borrowed: outlives the configuration */
    const yoml_t *host_node;             /* borrowed: of the present host */
    H2O_VECTOR(place_t) places;          /* owned */
} static_configurator_t;

/* what is read of a view */
typedef struct st_reading_t {
    breaker_view_config_t config;
    char *origins;                   /* owned: a list that `config` points at, or NULL */
    breaker__view_headers_t headers; /* what `config` points at, too */
} reading_t;

static int refuse_origin(const breaker__option_t *option, const char *got)
{
    return breaker__option_fail(
        option,
        "got `%s`; accepted: *, an origin in small letters and without a path such as "
        "https://shop.example, a sequence of such origins of at most %d bytes together, or OFF",
        got, BREAKER_VIEW_HEADER_MAX);
}

static int read_origins(const breaker__option_t *option, reading_t *reading)
{
    const yoml_sequence_t *sequence = &option->node->data.sequence;
    char list[BREAKER_VIEW_HEADER_MAX + 1];
    size_t len = 0;

    for (size_t i = 0; i != sequence->size; ++i) {
        const yoml_t *node = sequence->elements[i];
        size_t origin_len = node->type == YOML_TYPE_SCALAR ? strlen(node->data.scalar) : 0;
        if (!breaker_is_origin(breaker__option_describe(node), origin_len) ||
            len + origin_len + 1 > sizeof(list))
            return refuse_origin(option, breaker__option_describe(node));
        memcpy(list + len, node->data.scalar, origin_len);
        len += origin_len;
        list[len++] = ' ';
    }
    if (len == 0)
        return refuse_origin(option, "an empty sequence");
    list[len - 1] = '\0';
    free(reading->origins);
    reading->config.allow_origin = reading->origins = h2o_strdup(NULL, list, len - 1).base;
    return 0;
}

static int read_allow_origin(const breaker__option_t *option, reading_t *reading)
{
    const char *origin;

    if (option->node->type == YOML_TYPE_SEQUENCE)
        return read_origins(option, reading);
    if (breaker__option_optional(option, &origin) != 0)
        return -1;
    if (origin != NULL && strcmp(origin, "*") != 0 && !breaker_is_origin(origin, strlen(origin)))
        return refuse_origin(option, origin);
    reading->config.allow_origin = origin;
    return 0;
}

/* one directory; what is no scalar is refused as well */
static int read_directory(const breaker__option_t *option, const char **ret_directory)
{
    struct stat st;

    if (breaker__option_text(option, ret_directory) != 0)
        return -1;
    if (stat(*ret_directory, &st) != 0)
        return breaker__option_fail(option, "got `%s`; accepted: an existing directory: %s",
                                    *ret_directory, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return breaker__option_refuse(option, "an existing directory");
    return 0;
}

/*
 * A directory, or a sequence of 1 to `max` of them, in memory of the caller's (free(3)) in the
 * place of `*list`.
 */
static int read_directories(const breaker__option_t *option, size_t max, const char *const **list,
                            size_t *ret_num)
{
    const yoml_t *node = option->node;
    bool is_one = node->type != YOML_TYPE_SEQUENCE;
    size_t num = is_one ? 1 : node->data.sequence.size;
    const char **directories;

    if (num == 0 || num > max)
        return breaker__option_fail(option, "got a sequence of %zu; accepted: 1 to %zu directories",
                                    num, max);
    directories = h2o_mem_alloc(sizeof(directories[0]) * num);
    for (size_t i = 0; i != num; ++i) {
        const breaker__option_t one = {option->directive, option->key,
                                       is_one ? node : node->data.sequence.elements[i],
                                       option->key_node};
        if (read_directory(&one, directories + i) != 0) {
            free(directories);
            return -1;
        }
    }
    free((void *)(uintptr_t)*list);
    *list = directories;
    *ret_num = num;
    return 0;
}

/* `directories` has all of them until the view is made: see `without_first` */
static int read_path(const breaker__option_t *option, breaker_view_config_t *config)
{
    if (read_directories(option, 1 + BREAKER_VIEW_DIRECTORIES_MAX, &config->directories,
                         &config->num_directories) != 0)
        return -1;
    config->directory = config->directories[0];
    return 0;
}

static int read_retry_after(const breaker__option_t *option, breaker_view_config_t *config)
{
    uint64_t value;

    if (breaker__option_seconds(option, 1, BREAKER_RETRY_AFTER_MAX_S, &value) != 0)
        return -1;
    config->retry_after_s = (uint32_t)value;
    return 0;
}

static int read_option(const breaker__option_t *option, void *data)
{
    reading_t *reading = data;
    breaker_view_config_t *config = &reading->config;
    const char *key = option->key;

    if (strcmp(key, "name") == 0)
        return breaker__option_text(option, &config->name);
    if (strcmp(key, "path") == 0)
        return read_path(option, config);
    if (strcmp(key, "follow") == 0)
        return read_directories(option, BREAKER_VIEW_FOLLOW_MAX, &config->follow,
                                &config->num_follow);
    if (strcmp(key, "strict") == 0)
        return breaker__option_switch(option, &config->strict);
    if (strcmp(key, "cache-max-age") == 0)
        return breaker__option_seconds(option, 0, BREAKER_CACHE_MAX_AGE_MAX_S,
                                       &config->cache_max_age_s);
    if (strcmp(key, "redirect-max-age") == 0)
        return breaker__option_seconds(option, 0, BREAKER_REDIRECT_MAX_AGE_MAX_S,
                                       &config->redirect_max_age_s);
    if (strcmp(key, "retry-after") == 0)
        return read_retry_after(option, config);
    if (strcmp(key, "allow-origin") == 0)
        return read_allow_origin(option, reading);
    if (strcmp(key, "timing-allow-origin") == 0)
        return breaker__option_optional(option, &config->timing_allow_origin);
    if (strcmp(key, "resource-policy") == 0)
        return breaker__option_optional(option, &config->resource_policy);
    if (strcmp(key, "headers") == 0)
        return breaker__view_headers_read(option, &reading->headers, config);
    if (strcmp(key, "index") == 0)
        return breaker__option_optional(option, &config->index);
    if (strcmp(key, "fallback") == 0)
        return breaker__option_optional(option, &config->fallback);
    if (strcmp(key, "dotfiles") == 0)
        return breaker__option_switch(option, &config->dotfiles);
    if (strcmp(key, "encodings") == 0)
        return breaker__option_switch(option, &config->encodings);
    if (strcmp(key, "encoded-names") == 0)
        return breaker__option_switch(option, &config->encoded_names);
    if (strcmp(key, "charset") == 0)
        return breaker__option_switch(option, &config->charset);
    if (strcmp(key, "memory-file-limit") == 0)
        return breaker__option_size(option, 0, UINT64_MAX, &config->memory_file_limit);
    if (strcmp(key, "memory-limit") == 0)
        return breaker__option_size(option, 0, UINT64_MAX, &config->memory_limit);
    return breaker__option_unknown(option, KEYS);
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

/* the first directory is one by itself */
static breaker_view_config_t without_first(breaker_view_config_t config)
{
    ++config.directories;
    --config.num_directories;
    return config;
}

/* ---- places ---- */

/* the present path is the host's last */
static place_t present_place(const static_configurator_t *self,
                             const h2o_configurator_context_t *ctx, const yoml_t *node)
{
    assert(ctx->hostconf->paths.size != 0);
    return (place_t){.host = ctx->hostconf,
                     .host_node = self->host_node,
                     .node = node,
                     .path_index = ctx->hostconf->paths.size - 1};
}

/* the host's view of this name, without a slash in front, or NULL */
static const place_t *find_named(const static_configurator_t *self, const h2o_hostconf_t *host,
                                 const char *name)
{
    for (size_t i = 0; i != self->places.size; ++i)
        if (self->places.entries[i].host == host &&
            strcmp(breaker_view_name(self->places.entries[i].view), name) == 0)
            return self->places.entries + i;
    return NULL;
}

/*
 * A host under several names, by an alias, is read once for each, and its map of media types may be
 * another one each time, with the same in it.
 */
static void *map_of(const static_configurator_t *self, const place_t *present,
                    h2o_mimemap_t *mimemap)
{
    for (size_t i = 0; i != self->places.size; ++i) {
        const place_t *place = self->places.entries + i;
        if (place->node == present->node && place->host_node == present->host_node &&
            place->path_index == present->path_index)
            return breaker_view_data(place->view);
    }
    return mimemap;
}

static int refuse_second(const breaker__option_t *option, const char *name, const place_t *first)
{
    return breaker__option_fail(
        option,
        "view `%s`: the host `%s` has a view of this name at %s:%zu:%zu, %s; accepted: one view of "
        "a "
        "name a host, at several paths with the same directories and options, and other hosts' own",
        name, first->host->authority.hostport.base,
        first->node->filename != NULL ? first->node->filename : "-", first->node->line + 1,
        first->node->column + 1,
        first->path_index + 1 == first->host->paths.size
            ? "at the same path"
            : "with other directories, options or another token");
}

static int add_to_node(static_configurator_t *self, const breaker_view_config_t *config,
                       const breaker_view_t **ret_view)
{
    const breaker_token_t *token = *self->token;
    int err = breaker_node_set_token(self->node, token->len != 0 ? token->text : NULL, token->len);

    return err != 0 ? err : breaker_node_add_view(self->node, config, ret_view);
}

static int add_view(static_configurator_t *self, h2o_pathconf_t *pathconf, place_t *place,
                    const breaker__option_t *option, const breaker_view_config_t *read)
{
    const breaker_view_config_t config = without_first(*read);
    const place_t *first = find_named(self, place->host, config.name + 1);
    int err;

    if (first != NULL && first->path_index == place->path_index)
        return refuse_second(option, config.name, first);
    if ((err = add_to_node(self, &config, &place->view)) == BREAKER_ERR_VIEW_TAKEN && first != NULL)
        return refuse_second(option, config.name, first);
    if (err != 0 || (err = breaker_h2o_static_register(pathconf, self->node, &place->view, 1)) != 0)
        return breaker__option_fail(option, "view `%s`: %s", config.name, breaker_err_message(err));
    h2o_vector_reserve(NULL, &self->places, self->places.size + 1);
    self->places.entries[self->places.size++] = *place;
    return 0;
}

/* ---- the directive ---- */

static int read_view(const breaker__option_t *option, reading_t *reading)
{
    const breaker_view_config_t *config = &reading->config;

    if (breaker__option_each(option, KEYS, read_option, reading) != 0)
        return -1;
    if (config->name == NULL || config->directory == NULL)
        return breaker__option_missing(option, config->name == NULL ? "name" : "path");
    return 0;
}

static int on_config_view(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                          const yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    static_configurator_t *self = (void *)cmd->configurator;
    place_t place = present_place(self, ctx, node);
    reading_t reading = {.origins = NULL};
    breaker_view_config_t *config = &reading.config;
    char *name = NULL;
    int err;

    breaker_view_config_init(config);
    config->host = ctx->hostconf->authority.hostport.base;
    config->data = map_of(self, &place, *ctx->mimemap);
    if ((err = read_view(&option, &reading)) == 0) {
        config->name = name = full_name(ctx->pathconf, config->name);
        err = add_view(self, ctx->pathconf, &place, &option, config);
    }
    free(name);
    free((void *)(uintptr_t)config->directories);
    free((void *)(uintptr_t)config->follow);
    free(reading.origins);
    return err;
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

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    static_configurator_t *self = (void *)_self;

    if (ctx->hostconf != NULL && ctx->pathconf == NULL)
        self->host_node = node;
    return 0;
}

/* libh2o calls it twice */
static int on_dispose(h2o_configurator_t *_self)
{
    static_configurator_t *self = (void *)_self;

    free(self->places.entries);
    memset(&self->places, 0, sizeof(self->places));
    return 0;
}

void breaker__static_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node,
                                           const breaker_token_t *const *token)
{
    static_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->super.dispose = on_dispose;
    self->node = node;
    self->token = token;
    h2o_configurator_define_command(
        &self->super, "breaker.static",
        H2O_CONFIGURATOR_FLAG_PATH | H2O_CONFIGURATOR_FLAG_EXPECT_SEQUENCE |
            H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING | H2O_CONFIGURATOR_FLAG_SEMI_DEFERRED,
        on_config_static);
}
