#ifndef BREAKER_BIN_REFUSE_H
#define BREAKER_BIN_REFUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <yoml.h>

/**
 * How our directives read their values and say no: one line on stderr, "file:line:column: key:
 * what". All return -1 or false after they have complained.
 */
int breaker__refuse(const yoml_t *at, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same without a refusal: a line that begins with the place and "warning". */
void breaker__warn(const yoml_t *at, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** What stands at a node, for messages: the scalar, or "a mapping" and so on. */
const char *breaker__describe(const yoml_t *node);

/** A string that is not empty. */
bool breaker__read_text(const yoml_t *node, const char *key, const char **ret_text);
/** A decimal number between two bounds, both included. */
bool breaker__read_number(const yoml_t *node, const char *key, uint64_t min, uint64_t max,
                          uint64_t *ret_value);
/** ON or OFF, in any case. */
bool breaker__read_switch(const yoml_t *node, const char *key, bool *ret_on);

/**
 * The nearest of the candidates by edits (Damerau), or NULL when none is near. A candidate that
 * `nearest` was already compared to is replaced only by a nearer one: start with NULL and ask once
 * for each.
 */
const char *breaker__nearer(const char *word, const char *nearest, const char *candidate);

#endif
