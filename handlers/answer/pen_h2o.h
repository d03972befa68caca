#ifndef BREAKER_HANDLERS_PEN_H2O_H
#define BREAKER_HANDLERS_PEN_H2O_H

/* The pen to libh2o: whatever protocol the client speaks. */
#include "answer/answer.h"

/** Writes an answer, which is not needed any more when this returns. Returns 0, for handlers. */
int breaker__pen_h2o_write(h2o_req_t *req, const breaker__answer_t *answer);

/** Sets what of a response filters look at: all but the body. Memory is the request's pool. */
void breaker__pen_h2o_write_head(h2o_req_t *req, const breaker__answer_t *answer);

#endif
