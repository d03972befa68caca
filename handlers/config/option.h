#ifndef BREAKER_HANDLERS_OPTION_H
#define BREAKER_HANDLERS_OPTION_H

/*
 * The options of our directives. The functions return 0, or -1 after a line on stderr. Not
 * installed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <h2o.h>
#include <h2o/configurator.h>

/** Where in the file an option stands, for its errors. All borrowed. */
typedef struct st_breaker__option_t {
    h2o_configurator_command_t *cmd;
    const char *key;
    yoml_t *node;
} breaker__option_t;

/** A scalar's text, or what else it is. */
const char *breaker__option_describe(const yoml_t *node);
/** Says what was got and what is accepted; returns -1. */
int breaker__option_refuse(const breaker__option_t *option, const char *accepted);
/** A string that is not empty. */
int breaker__option_text(const breaker__option_t *option, const char **ret_text);
/** A string, or OFF for NULL. */
int breaker__option_optional(const breaker__option_t *option, const char **ret_text);
/** ON or OFF. */
int breaker__option_switch(const breaker__option_t *option, bool *ret_on);
/** A decimal number of at most `max`. */
int breaker__option_number(const breaker__option_t *option, uint64_t max, const char *accepted,
                           uint64_t *ret_value);
/**
 * A span of time: seconds without a unit, or with "s" or "ms" behind the number. In milliseconds,
 * at most a day.
 */
int breaker__option_span(const breaker__option_t *option, uint32_t *ret_ms);

#endif
