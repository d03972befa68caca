#ifndef BREAKER_HANDLERS_STATUS_TEXT_H
#define BREAKER_HANDLERS_STATUS_TEXT_H

/* A text that grows in a request's pool. */
#include <h2o.h>

/** the longest text; what is longer ends there, which no number of views reaches */
#define BREAKER__TEXT_MAX (4 << 20)

typedef struct st_breaker__text_t {
    h2o_mem_pool_t *pool; /* borrowed: outlives the text */
    char *base;
    size_t len, size;
} breaker__text_t;

/** Begins an empty one. */
void breaker__text_init(breaker__text_t *text, h2o_mem_pool_t *pool);
/** Appends, in a format of printf(3). */
void breaker__text_put(breaker__text_t *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
