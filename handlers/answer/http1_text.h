#ifndef BREAKER_HANDLERS_HTTP1_TEXT_H
#define BREAKER_HANDLERS_HTTP1_TEXT_H

/* Heads as libh2o writes them on HTTP/1. */
#include <breaker/h2o.h>

/** Writes a text and returns the end. */
char *breaker__http1_put(char *dst, const char *base, size_t len);

/** The bytes that `breaker__http1_put_headers` needs. */
size_t breaker__http1_headers_len(const h2o_header_t *headers, size_t num);
/** Writes headers, a line each, and returns the end. */
char *breaker__http1_put_headers(char *dst, const h2o_header_t *headers, size_t num);

/** the bytes that `breaker__http1_put_number` may need */
#define BREAKER__HTTP1_NUMBER_MAX (sizeof("18446744073709551615") - 1)
/** Writes a number in decimal and returns the end. */
char *breaker__http1_put_number(char *dst, uint64_t number);

/** the bytes that `breaker__put_content_range` may need */
#define BREAKER__CONTENT_RANGE_MAX (sizeof("bytes -/") - 1 + 3 * BREAKER__HTTP1_NUMBER_MAX)
/** Writes the value of a Content-Range (RFC 9110 §14.4) and returns the end. */
char *breaker__put_content_range(char *dst, breaker_range_t range, uint64_t size);

/** the bytes that `breaker__http1_put_length` may need */
#define BREAKER__HTTP1_LENGTH_MAX (sizeof("Content-Length: 18446744073709551615\r\n") - 1)
/** Writes a Content-Length line and returns the end. */
char *breaker__http1_put_length(char *dst, uint64_t len);

/** The bytes that `breaker__http1_put_server` needs: none where the server has no name. */
size_t breaker__http1_server_len(const h2o_globalconf_t *globalconf);
/** Writes the Server line, if there is one, and returns the end. */
char *breaker__http1_put_server(char *dst, const h2o_globalconf_t *globalconf);

#endif
