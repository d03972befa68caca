#ifndef BREAKER_HANDLERS_MULTIPART_H
#define BREAKER_HANDLERS_MULTIPART_H

/* The text between the parts of a multipart/byteranges body (RFC 9110 §14.6). */
#include "answer/answer.h"

/** What is unique of the boundary; borrowed from the variant. */
h2o_iovec_t breaker__multipart_boundary(const breaker_variant_t *variant);

/** How long the body of an answer in parts is. */
uint64_t breaker__multipart_len(const breaker__answer_t *answer);

/** Writes what stands before a part, in memory of the pool. */
h2o_iovec_t breaker__multipart_head(h2o_mem_pool_t *pool, const breaker__answer_t *answer,
                                    size_t part);
/** Writes what stands after the last part, in memory of the pool. */
h2o_iovec_t breaker__multipart_end(h2o_mem_pool_t *pool, const breaker__answer_t *answer);

#endif
