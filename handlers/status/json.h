#ifndef BREAKER_HANDLERS_STATUS_JSON_H
#define BREAKER_HANDLERS_STATUS_JSON_H

/* The facts for programs. */
#include "status/facts.h"

/** A text in memory of `pool`, by the schema in README.md; no base without memory. */
h2o_iovec_t breaker__json_write(h2o_mem_pool_t *pool, const breaker__facts_t *facts);

#endif
