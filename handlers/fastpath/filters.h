#ifndef BREAKER_HANDLERS_FILTERS_H
#define BREAKER_HANDLERS_FILTERS_H

/* The filters of a path, as far as answers past libh2o can have them. Not installed. */
#include "answer/answer.h"

/** What the filters of a path do to the answers of views. */
typedef enum en_breaker__filtering_t {
    /** nothing: none is there, or those that compress */
    BREAKER__FILTERING_NOTHING,
    /** they change headers, by nothing but the response */
    BREAKER__FILTERING_HEADS,
    /** nobody here knows */
    BREAKER__FILTERING_UNKNOWN,
} breaker__filtering_t;

/** Knows filters, and runs them: of one thread. */
typedef struct st_breaker__filters_t breaker__filters_t;

/** Never NULL. */
breaker__filters_t *breaker__filters_create(void);
/** Takes NULL. */
void breaker__filters_free(breaker__filters_t *filters);

/** Looks at the filters of a path. */
breaker__filtering_t breaker__filters_of(breaker__filters_t *filters, h2o_pathconf_t *path);

/**
 * The headers of an answer as the filters of a path leave them, in lines as libh2o's HTTP/1 writes
 * them, and the empty line. `path` filters heads. Good until the next call. Allocates from a pool
 * that is kept.
 */
h2o_iovec_t breaker__filters_run(breaker__filters_t *filters, h2o_pathconf_t *path,
                                 const breaker__answer_t *answer);

#endif
