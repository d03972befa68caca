#ifndef BREAKER_HANDLERS_FORMAT_H
#define BREAKER_HANDLERS_FORMAT_H

/* The format of a log's lines, and what it looks at. Not installed. */
#include <h2o.h>
#include <breaker/breaker.h>

/** the most request headers that a format names, where it is for answers past libh2o */
#define BREAKER__FORMAT_HEADERS_MAX 32

/** A format, read-only once made. */
typedef struct st_breaker__format_t {
    /** libh2o's; owned */
    h2o_logconf_t *compiled;
    /**
     * the names of request headers that it shows, a token's where there is one, as libh2o compares
     * them; more than BREAKER__FORMAT_HEADERS_MAX where there are too many to be listed
     */
    size_t num_headers;
    h2o_iovec_t *headers[BREAKER__FORMAT_HEADERS_MAX];
    /** it shows response headers */
    bool shows_response;
} breaker__format_t;

/**
 * Makes a format of libh2o's language; `text` is NULL for the "combined" format, and `escape` is
 * H2O_LOGCONF_ESCAPE_*. Returns NULL with the reason in `*ret_error` where it is none.
 */
breaker__format_t *breaker__format_create(const char *text, int escape, breaker_error_t *ret_error);
/** Takes NULL. */
void breaker__format_free(breaker__format_t *format);

#endif
