/*
 * The value of `breaker.rewrite`: a switch, the types that are rewritten beside text/html, or a
 * mapping for whoever wants to say more. What is said at a level replaces all that was said above.
 */
#include <string.h>
#include "config/configurator.h"
#include "pages/types.h"

#define KEYS "types, cache-control, compress"

static int read_type(const breaker__option_t *option, breaker__rewrite_option_t *rewrite)
{
    const yoml_t *node = option->node;

    if (node->type != YOML_TYPE_SCALAR || !breaker__type_is_known(node->data.scalar))
        return breaker__option_refuse(option, BREAKER__TYPE_NAMES);
    rewrite->types[rewrite->config.num_types++] = node->data.scalar;
    return 0;
}

static int read_types(const breaker__option_t *option, breaker__rewrite_option_t *rewrite)
{
    const yoml_t *node = option->node;

    rewrite->config.num_types = 0;
    if (node->type != YOML_TYPE_SEQUENCE)
        return breaker__option_fail(option, "got `%s`; accepted: a sequence of %s",
                                    breaker__option_describe(node), BREAKER__TYPE_NAMES);
    if (node->data.sequence.size > BREAKER_H2O_REWRITE_TYPES_MAX)
        return breaker__option_fail(option, "got a sequence of %zu; accepted: at most %d types",
                                    node->data.sequence.size, BREAKER_H2O_REWRITE_TYPES_MAX);
    for (size_t i = 0; i != node->data.sequence.size; ++i) {
        const breaker__option_t one = {option->directive, option->key,
                                       node->data.sequence.elements[i], option->key_node};
        if (read_type(&one, rewrite) != 0)
            return -1;
    }
    return 0;
}

static int read_cache_control(const breaker__option_t *option, breaker__rewrite_option_t *rewrite)
{
    static const char *const names[] = {"keep", "no-cache"};
    size_t which;

    if (breaker__option_choice(option, names, 2, &which) != 0)
        return -1;
    rewrite->config.revalidates = which == 1;
    return 0;
}

static int read_entry(const breaker__option_t *option, void *data)
{
    breaker__rewrite_option_t *rewrite = data;

    if (strcmp(option->key, "types") == 0)
        return read_types(option, rewrite);
    if (strcmp(option->key, "cache-control") == 0)
        return read_cache_control(option, rewrite);
    if (strcmp(option->key, "compress") == 0)
        return breaker__option_switch(option, &rewrite->config.encodes);
    return breaker__option_unknown(option, KEYS);
}

int breaker__rewrite_option(const breaker__option_t *option, breaker__rewrite_option_t *ret_rewrite)
{
    breaker__rewrite_option_t rewrite = {.is_on = true};
    int err;

    breaker_h2o_rewrite_config_init(&rewrite.config);
    if (option->node->type == YOML_TYPE_SEQUENCE)
        err = read_types(option, &rewrite);
    else if (option->node->type == YOML_TYPE_MAPPING)
        err = breaker__option_each(option, KEYS, read_entry, &rewrite);
    else if ((err = breaker__option_switch_or(
                  option, "a sequence of types (" BREAKER__TYPE_NAMES "), a mapping with " KEYS,
                  &rewrite.is_on)) != 0)
        return -1;
    if (err == 0)
        *ret_rewrite = rewrite;
    return err;
}

int breaker__rewrite_option_register(const breaker__rewrite_option_t *rewrite,
                                     h2o_pathconf_t *pathconf, breaker_node_t *node)
{
    breaker_h2o_rewrite_config_t config = rewrite->config;

    config.types = rewrite->types;
    return breaker_h2o_rewrite_register_config(pathconf, node, &config);
}
