#ifndef BREAKER_HANDLERS_PEN_HTTP1_H
#define BREAKER_HANDLERS_PEN_HTTP1_H

/* The pen to a socket that speaks HTTP/1. */
#include <sys/uio.h>
#include "answer/answer.h"

/** Of one thread: what its heads are put together from. */
typedef struct st_breaker__pen_http1_t breaker__pen_http1_t;

/** Makes a pen for connections of a context, by whose clock it dates. Never NULL. */
breaker__pen_http1_t *breaker__pen_http1_create(h2o_context_t *ctx);
/** Takes NULL. */
void breaker__pen_http1_free(breaker__pen_http1_t *pen);

/** the pieces of a head and the body after them */
#define BREAKER__PIECES_MAX 6

/**
 * An answer, ready to be sent. The pieces of the head are good until the pen writes the next
 * answer; the body as long as what is kept.
 */
typedef struct st_breaker__written_t {
    /** with room for one more, the body's */
    struct iovec head[BREAKER__PIECES_MAX];
    size_t num_head;
    /** the body, where `body_len` is not 0: of the variant; another one is in the head */
    const breaker_variant_t *variant;
    uint64_t body_at, body_len;
    /** what keeps the variant: libh2o's shared memory of this thread */
    void *kept;
} breaker__written_t;

/** Writes an answer that it can write, see answer.h. No allocation, no system call. */
void breaker__pen_http1_write(breaker__pen_http1_t *pen, const breaker__answer_t *answer,
                              breaker__written_t *ret_written);

/** The same with other headers, in lines of which an empty one is the last, good as long as sent.
 */
void breaker__pen_http1_write_filtered(breaker__pen_http1_t *pen, const breaker__answer_t *answer,
                                       h2o_iovec_t headers, breaker__written_t *ret_written);

#endif
