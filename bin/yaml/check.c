/*
 * The walk over a configuration's keys. libh2o says "unknown command" and no more; the walk knows
 * every directive that was registered, so it can say which one was meant, and at which level a
 * known one belongs. Values are left to the configurators, but for those that libh2o's take and
 * nobody can mean (values.h).
 */
#include <stdio.h>
#include <string.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include <option.h>
#include "config/values.h"
#include "yaml/check.h"
#include "yaml/nearest.h"

bool breaker__may_repeat(const char *key)
{
    static const char *const adds_up[] = {"listen",   "access-log", "error-doc",
                                          "setenv",   "unsetenv",   "expires",
                                          "redirect", "reproxy",    "file.custom-handler"};
    static const char *const families[] = {"header.", "proxy.header.", "file.mime."};

    for (size_t i = 0; i != sizeof(adds_up) / sizeof(adds_up[0]); ++i)
        if (strcmp(key, adds_up[i]) == 0)
            return true;
    for (size_t i = 0; i != sizeof(families) / sizeof(families[0]); ++i)
        if (strncmp(key, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static const char *level_name(int levels)
{
    if ((levels & H2O_CONFIGURATOR_FLAG_GLOBAL) != 0)
        return "at the top level";
    if ((levels & H2O_CONFIGURATOR_FLAG_HOST) != 0)
        return "in a host";
    if ((levels & H2O_CONFIGURATOR_FLAG_PATH) != 0)
        return "in a path";
    return "in a custom handler";
}

/* "at the top level or in a host" */
static void name_levels(int levels, char *dst, size_t size)
{
    static const int all[] = {H2O_CONFIGURATOR_FLAG_GLOBAL, H2O_CONFIGURATOR_FLAG_HOST,
                              H2O_CONFIGURATOR_FLAG_PATH, H2O_CONFIGURATOR_FLAG_EXTENSION};
    size_t len = 0;

    dst[0] = '\0';
    for (size_t i = 0; i != sizeof(all) / sizeof(all[0]) && len < size; ++i)
        if ((levels & all[i]) != 0)
            len += (size_t)snprintf(dst + len, size - len, "%s%s", len != 0 ? " or " : "",
                                    level_name(all[i]));
}

static const char *nearest_command(const h2o_globalconf_t *globalconf, int level, const char *key)
{
    const h2o_linklist_t *anchor = &globalconf->configurators;
    const char *nearest = NULL;

    for (const h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        const h2o_configurator_t *configurator =
            (const h2o_configurator_t *)((const char *)link - offsetof(h2o_configurator_t, _link));
        for (size_t i = 0; i != configurator->commands.size; ++i) {
            const h2o_configurator_command_t *command = &configurator->commands.entries[i];
            if ((command->flags & level) != 0)
                nearest = breaker__nearest_of(key, nearest, command->name);
        }
    }
    return nearest;
}

/* what h2o's main program has, or its build with mruby, and this server has not */
static bool is_of_h2o_alone(const char *key)
{
    static const char *const keys[] = {"crash-handler",      "crash-handler.wait-pipe-close",
                                       "mruby.handler",      "mruby.handler-file",
                                       "mruby.handler_path", "num-ocsp-updaters"};

    for (size_t i = 0; i != sizeof(keys) / sizeof(keys[0]); ++i)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static int refuse_unknown(const h2o_globalconf_t *globalconf, int level, const yoml_t *key)
{
    const breaker__option_t at = {.node = key};
    const char *nearest = nearest_command(globalconf, level, key->data.scalar);

    if (is_of_h2o_alone(key->data.scalar))
        return breaker__option_fail(
            &at, "`%s` is a directive of h2o that this server does not have", key->data.scalar);
    if (nearest != NULL)
        return breaker__option_fail(&at, "unknown key `%s` %s; did you mean `%s`?",
                                    key->data.scalar, level_name(level), nearest);
    return breaker__option_fail(
        &at, "unknown key `%s` %s; accepted: the directives in h2o-breaker.conf(5)",
        key->data.scalar, level_name(level));
}

static int check_level(h2o_globalconf_t *globalconf, int level, const yoml_t *node);

/* a path takes a mapping or a sequence of them */
static int check_path(h2o_globalconf_t *globalconf, const yoml_t *node)
{
    if (node->type != YOML_TYPE_SEQUENCE)
        return check_level(globalconf, H2O_CONFIGURATOR_FLAG_PATH, node);
    for (size_t i = 0; i != node->data.sequence.size; ++i)
        if (check_level(globalconf, H2O_CONFIGURATOR_FLAG_PATH, node->data.sequence.elements[i]) !=
            0)
            return -1;
    return 0;
}

static int check_below(h2o_globalconf_t *globalconf, const char *key, const yoml_t *value)
{
    const breaker__option_t at = {.key = key, .node = value};

    if (strcmp(key, "file.custom-handler") == 0)
        return check_level(globalconf, H2O_CONFIGURATOR_FLAG_EXTENSION, value);
    if (strcmp(key, "hosts") != 0 && strcmp(key, "paths") != 0)
        return 0;
    if (value->type != YOML_TYPE_MAPPING)
        return breaker__option_refuse(&at, "a mapping");
    for (size_t i = 0; i != value->data.mapping.size; ++i) {
        const yoml_t *below = value->data.mapping.elements[i].value;
        if ((strcmp(key, "hosts") == 0 ? check_level(globalconf, H2O_CONFIGURATOR_FLAG_HOST, below)
                                       : check_path(globalconf, below)) != 0)
            return -1;
    }
    return 0;
}

static int check_pair(h2o_globalconf_t *globalconf, int level, const yoml_mapping_element_t *pair)
{
    const h2o_configurator_command_t *command;
    breaker__option_t at = {.node = pair->key};
    char levels[96];

    if (pair->key->type != YOML_TYPE_SCALAR)
        return breaker__option_fail(&at, "got %s as a key; accepted: a directive",
                                    breaker__option_describe(pair->key));
    if (level == H2O_CONFIGURATOR_FLAG_EXTENSION &&
        strcmp(pair->key->data.scalar, "extension") == 0)
        return 0;
    if ((command = h2o_configurator_get_command(globalconf, pair->key->data.scalar)) == NULL)
        return refuse_unknown(globalconf, level, pair->key);
    if ((command->flags & level) == 0) {
        name_levels(command->flags, levels, sizeof(levels));
        at.key = command->name;
        return breaker__option_fail(&at, "stands %s; it belongs %s", level_name(level), levels);
    }
    if (breaker__check_value(command->name, pair->value) != 0)
        return -1;
    return check_below(globalconf, command->name, pair->value);
}

static int check_level(h2o_globalconf_t *globalconf, int level, const yoml_t *node)
{
    const breaker__option_t at = {.node = node};

    if (node->type != YOML_TYPE_MAPPING)
        return breaker__option_fail(&at, "got `%s` %s; accepted: a mapping of directives",
                                    breaker__option_describe(node), level_name(level));
    for (size_t i = 0; i != node->data.mapping.size; ++i)
        if (check_pair(globalconf, level, &node->data.mapping.elements[i]) != 0)
            return -1;
    return 0;
}

int breaker__check_keys(h2o_globalconf_t *globalconf, const yoml_t *root)
{
    return check_level(globalconf, H2O_CONFIGURATOR_FLAG_GLOBAL, root);
}

static bool hands_on(const char *key)
{
    static const char *const keys[] = {"proxy.reverse.url", "fastcgi.connect", "fastcgi.spawn",
                                       "file.custom-handler", "reproxy"};

    for (size_t i = 0; i != sizeof(keys) / sizeof(keys[0]); ++i)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

bool breaker__has_application(const yoml_t *root)
{
    switch (root->type) {
    case YOML_TYPE_SEQUENCE:
        for (size_t i = 0; i != root->data.sequence.size; ++i)
            if (breaker__has_application(root->data.sequence.elements[i]))
                return true;
        return false;
    case YOML_TYPE_MAPPING:
        for (size_t i = 0; i != root->data.mapping.size; ++i) {
            const yoml_mapping_element_t *pair = &root->data.mapping.elements[i];
            if ((pair->key->type == YOML_TYPE_SCALAR && hands_on(pair->key->data.scalar)) ||
                breaker__has_application(pair->value))
                return true;
        }
        return false;
    case YOML_TYPE_SCALAR:
    case YOML__TYPE_UNRESOLVED_ALIAS:
        break;
    }
    return false;
}
