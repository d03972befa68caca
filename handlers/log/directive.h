#ifndef BREAKER_HANDLERS_DIRECTIVE_H
#define BREAKER_HANDLERS_DIRECTIVE_H

/* One directive of a log's format: "%r" or "%{name}i". Not installed. */
#include <h2o.h>
#include "log/entry.h"

typedef struct st_breaker__directive_t breaker__directive_t;

/** Writes the value for a request; returns false, and writes nothing, where there is none. */
typedef bool breaker__put_value_fn(breaker__entry_t *entry, const breaker__directive_t *directive,
                                   h2o_req_t *req);

/** Read-only once made. */
struct st_breaker__directive_t {
    /** NULL where libh2o writes the value */
    breaker__put_value_fn *put;
    /** of a header, or NULL: a token's, as libh2o compares it, or our own, owned then */
    h2o_iovec_t *name;
    bool is_of_request;
    /** it looks at response headers */
    bool is_of_response;
    /** it looks at the response as it was before filters */
    bool is_original;
    /** of a span of time */
    int (*compute)(h2o_req_t *req, int64_t *ret_us);
};

/**
 * Reads a directive that libh2o takes, from its percent sign on, and returns its end. Directives
 * that are seldom used are left to libh2o.
 */
const char *breaker__directive_read(const char *text, breaker__directive_t *ret_directive);

void breaker__directive_dispose(breaker__directive_t *directive);

#endif
