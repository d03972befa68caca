#ifndef BREAKER_HANDLERS_BATCH_H
#define BREAKER_HANDLERS_BATCH_H

/* Lines of one log that one thread has gathered. Not installed. */
#include <h2o.h>
#include "log/format.h"
#include "log/sink.h"

/** Of one thread; others may only flush it. */
typedef struct st_breaker__batch_t breaker__batch_t;

/** Never NULL. The sink outlives it, and so does the context but for its last moments. */
breaker__batch_t *breaker__batch_create(h2o_context_t *ctx, breaker__sink_t *sink);
/** Writes what is left, as far as that is possible, and frees it; takes NULL. */
void breaker__batch_free(breaker__batch_t *batch);

/**
 * Adds the line of a request. It is written when there are enough of them for one write, or after
 * a tenth of a second. No lock, no system call and no allocation but for that.
 */
void breaker__batch_add(breaker__batch_t *batch, const breaker__format_t *format, h2o_req_t *req);

/**
 * Writes the lines that were added so far; waits for a second at most where the thread is writing
 * them itself and does not come to an end. Any thread, until the batch is freed.
 */
void breaker__batch_flush(breaker__batch_t *batch);

#endif
