/*
 * Options in h2o's configuration language. An error names the file, the line, the key, the value
 * seen and what is accepted; where the value may hold a secret it is not shown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include "config/option.h"

const char *breaker__option_describe(const yoml_t *node)
{
    switch (node->type) {
    case YOML_TYPE_SCALAR:
        return node->data.scalar;
    case YOML_TYPE_SEQUENCE:
        return "a sequence";
    case YOML_TYPE_MAPPING:
        return "a mapping";
    case YOML__TYPE_UNRESOLVED_ALIAS:
        break;
    }
    return "an alias";
}

int breaker__option_refuse(const breaker__option_t *option, const char *accepted)
{
    h2o_configurator_errprintf(option->cmd, option->node, "%s: got `%s`, accepted: %s", option->key,
                               breaker__option_describe(option->node), accepted);
    return -1;
}

int breaker__option_text(const breaker__option_t *option, const char **ret_text)
{
    if (option->node->type != YOML_TYPE_SCALAR || option->node->data.scalar[0] == '\0')
        return breaker__option_refuse(option, "a string that is not empty");
    *ret_text = option->node->data.scalar;
    return 0;
}

int breaker__option_optional(const breaker__option_t *option, const char **ret_text)
{
    if (breaker__option_text(option, ret_text) != 0)
        return -1;
    if (strcasecmp(*ret_text, "OFF") == 0)
        *ret_text = NULL;
    return 0;
}

int breaker__option_switch(const breaker__option_t *option, bool *ret_on)
{
    if (option->node->type == YOML_TYPE_SCALAR) {
        if (strcasecmp(option->node->data.scalar, "ON") == 0) {
            *ret_on = true;
            return 0;
        }
        if (strcasecmp(option->node->data.scalar, "OFF") == 0) {
            *ret_on = false;
            return 0;
        }
    }
    return breaker__option_refuse(option, "ON, OFF");
}

int breaker__option_number(const breaker__option_t *option, uint64_t max, const char *accepted,
                           uint64_t *ret_value)
{
    const char *text = option->node->type == YOML_TYPE_SCALAR ? option->node->data.scalar : "";
    unsigned long long value;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return breaker__option_refuse(option, accepted);
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return breaker__option_refuse(option, accepted);
    *ret_value = value;
    return 0;
}

int breaker__option_span(const breaker__option_t *option, uint32_t *ret_ms)
{
    static const char accepted[] = "seconds, as 30, 30s or 1500ms, at most a day";
    const char *text = option->node->type == YOML_TYPE_SCALAR ? option->node->data.scalar : "";
    const unsigned long long day_ms = 24 * 60 * 60 * 1000;
    unsigned long long value, unit_ms;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return breaker__option_refuse(option, accepted);
    errno = 0;
    value = strtoull(text, &end, 10);
    if (strcmp(end, "ms") == 0)
        unit_ms = 1;
    else if (end[0] == '\0' || strcmp(end, "s") == 0)
        unit_ms = 1000;
    else
        return breaker__option_refuse(option, accepted);
    if (errno != 0 || value > day_ms / unit_ms)
        return breaker__option_refuse(option, accepted);
    *ret_ms = (uint32_t)(value * unit_ms);
    return 0;
}
