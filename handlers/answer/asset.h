#ifndef BREAKER_HANDLERS_ASSET_H
#define BREAKER_HANDLERS_ASSET_H

/* Answers with an asset through libh2o, from memory or from disk. */
#include "answer/judge.h"

/** Answers 200, 206, 304, 406, 412 or 416 with an asset. Returns 0. */
int breaker__asset_send(h2o_req_t *req, const breaker_asset_t *asset, bool encodings,
                        breaker__negotiated_t *negotiated);

#endif
