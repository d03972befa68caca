#ifndef BREAKER_HANDLERS_GUARD_H
#define BREAKER_HANDLERS_GUARD_H

/* The handler that `breaker_h2o_guard_register` makes, as others know it. Not installed. */
#include <stdbool.h>
#include <h2o.h>

/** Tells whether a handler is one of those. */
bool breaker__is_guard(const h2o_handler_t *handler);

#endif
