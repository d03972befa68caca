#ifndef BREAKER_HANDLERS_GUARD_H
#define BREAKER_HANDLERS_GUARD_H

#include <breaker/h2o.h>

/**
 * Registers a handler that leads requests to the host that they name, answers ambiguous framing and
 * hosts with 400 and passes everything else on.
 */
void breaker__guard_register(h2o_pathconf_t *pathconf);

#endif
