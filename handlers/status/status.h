#ifndef BREAKER_HANDLERS_STATUS_STATUS_H
#define BREAKER_HANDLERS_STATUS_STATUS_H

/* The handler of `breaker.status`, as other handlers know it. Not installed. */
#include "health/health.h"

/** What a handler answers about health, if it is one of `breaker.status`; else NULL. */
breaker__health_t *breaker__status_health(h2o_handler_t *handler);

#endif
