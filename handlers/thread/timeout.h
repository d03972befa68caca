#ifndef BREAKER_HANDLERS_TIMEOUT_H
#define BREAKER_HANDLERS_TIMEOUT_H

/* Timeouts of libh2o that end before their loop does. */
#include <breaker/h2o.h>

/** Makes a timeout of libh2o on a loop. */
h2o_timeout_t *breaker__timeout_create(h2o_loop_t *loop, uint64_t millis);
/** Frees it, on libuv once the loop has run; nothing is linked to it any more. */
void breaker__timeout_free(h2o_loop_t *loop, h2o_timeout_t *timeout);

#endif
