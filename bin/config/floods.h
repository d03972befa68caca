#ifndef BREAKER_BIN_FLOODS_H
#define BREAKER_BIN_FLOODS_H

/* The directives that say what is too much of a connection of HTTP/2. */
#include "http2/calm.h"
#include "option.h"

/** The name of a directive, from 0; NULL after the last one. */
const char *breaker__floods_directive(size_t index);

/** Reads one of them, by the option's key. Returns 0, or -1 after a complaint. */
int breaker__floods_read(const breaker__option_t *option, breaker__calm_limits_t *limits);

#endif
