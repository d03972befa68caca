#ifndef BREAKER_HANDLERS_UPSTREAM_HEAD_H
#define BREAKER_HANDLERS_UPSTREAM_HEAD_H

/* The head of a request, as HTTP/1.1 has it on a connection. Not installed. */
#include <h2o.h>
#include "upstream/request/fields.h"

/** Writes it into the pool, with what goes in front of it and the empty line after it. */
h2o_iovec_t breaker__head_write(h2o_mem_pool_t *pool, const breaker__outgoing_t *outgoing);

#endif
