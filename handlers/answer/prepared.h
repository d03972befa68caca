#ifndef BREAKER_HANDLERS_PREPARED_H
#define BREAKER_HANDLERS_PREPARED_H

/* The header arrays of a variant, made once when it is loaded. */
#include <breaker/h2o.h>

/**
 * The answer to a variant, ready to be handed to h2o, and the same as libh2o would write it on
 * HTTP/1. The headers that 304 carries as well come first, so one array and one text serve both.
 * Read-only and shared by all threads.
 */
typedef struct st_breaker__prepared_t {
    h2o_mime_attributes_t mime_attr;
    /** how many of `headers` a 304 has */
    size_t num_shared;
    /** how many a 200 has */
    size_t num_headers;
    /**
     * What follows "Connection" in a 200: Content-Length up to `server_at`, the server's name up to
     * `headers_at`, the shared headers up to `shared_end`, the others, an empty line
     */
    const char *text;
    size_t server_at, headers_at, shared_end, text_len;
    h2o_header_t headers[];
} breaker__prepared_t;

#endif
