#ifndef BREAKER_HANDLERS_BODY_H
#define BREAKER_HANDLERS_BODY_H

/* Bodies through libh2o, from memory or from disk. */
#include "answer/answer.h"

/** Starts the response, whose head is complete, and sends the body of the answer. */
void breaker__body_send(h2o_req_t *req, const breaker__answer_t *answer);

#endif
