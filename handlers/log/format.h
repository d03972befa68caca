#ifndef BREAKER_HANDLERS_FORMAT_H
#define BREAKER_HANDLERS_FORMAT_H

/* The format of a log's lines. Not installed. */
#include <h2o.h>
#include <breaker/breaker.h>
#include "log/entry.h"

/** the most request headers that a format names, where it is for answers past libh2o */
#define BREAKER__FORMAT_HEADERS_MAX 32

/** A format, read-only once made. */
typedef struct st_breaker__format_t breaker__format_t;

/**
 * Makes a format of libh2o's language; `text` is NULL for the "combined" format, and `escape` is
 * H2O_LOGCONF_ESCAPE_*. Returns NULL with the reason in `*ret_error` where it is none.
 */
breaker__format_t *breaker__format_create(const char *text, int escape, breaker_error_t *ret_error);
/** Takes NULL. */
void breaker__format_free(breaker__format_t *format);

/**
 * The names of the request headers that it shows, a token's where there is one, as libh2o compares
 * them, borrowed. More than BREAKER__FORMAT_HEADERS_MAX where there are too many to be listed; the
 * others are then not there.
 */
size_t breaker__format_headers(const breaker__format_t *format, h2o_iovec_t *const **ret_headers);

/** Tells whether it shows response headers. */
bool breaker__format_shows_response(const breaker__format_t *format);

/**
 * Writes the line of a request, byte for byte as `h2o_log_request` does, into `size` bytes. Returns
 * its length, or 0 where there is not room enough; a line has at least its end. Allocates nothing
 * but for directives that libh2o writes.
 */
size_t breaker__format_write(const breaker__format_t *format, h2o_req_t *req, char *dst,
                             size_t size);

#endif
