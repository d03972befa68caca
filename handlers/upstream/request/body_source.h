#ifndef BREAKER_HANDLERS_UPSTREAM_BODY_SOURCE_H
#define BREAKER_HANDLERS_UPSTREAM_BODY_SOURCE_H

/* Where the body of a request comes from while its client still sends it. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <h2o.h>

/** What reading returns in the place of a number of bytes. */
enum {
    /** the end of the body */
    BREAKER__BODY_END = 0,
    /** nothing yet: `on_more` will be called */
    BREAKER__BODY_LATER = -1,
    /** there is no rest: `status` says why */
    BREAKER__BODY_BROKEN = -2,
};

/**
 * A body that is read as it comes. It lives in the pool of its request, on the thread of that. Who
 * never reads it leaves it to the server, which closes the connection then.
 */
typedef struct st_breaker__body_source_t {
    /** bytes in all; SIZE_MAX when only the end will tell */
    size_t length;
    /** what a client is answered whose body is broken: 400, 408 or 413 */
    int status;
    /** copies at most `max` bytes, which is not 0, to `dst`; returns how many, or one of the above
     */
    ssize_t (*read)(struct st_breaker__body_source_t *source, char *dst, size_t max);
    /**
     * Set by the reader, which may be called once after each BREAKER__BODY_LATER, from the loop and
     * not from within `read`; NULL when it does not want to be any more.
     */
    void (*on_more)(void *data);
    void *data;
    /** set by the reader with its first `read`: nobody else will have the whole body */
    bool has_begun;
} breaker__body_source_t;

/**
 * The body of a request that has been handed on before its body; NULL when `req->entity` is all
 * that there is. Weak, and NULL for every request: a server that reads bodies so has a function of
 * its own in its place.
 */
breaker__body_source_t *breaker__body_source_of(h2o_req_t *req);

#endif
