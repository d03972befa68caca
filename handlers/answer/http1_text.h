#ifndef BREAKER_HANDLERS_HTTP1_TEXT_H
#define BREAKER_HANDLERS_HTTP1_TEXT_H

/* Pieces of heads as libh2o writes them on HTTP/1. */
#include <string.h>
#include <breaker/h2o.h>

/** Writes a text and returns the end. */
static inline char *breaker__http1_put(char *dst, const char *base, size_t len)
{
    memcpy(dst, base, len);
    return dst + len;
}

/** the bytes that `breaker__http1_put_number` may need */
#define BREAKER__HTTP1_NUMBER_MAX (sizeof("18446744073709551615") - 1)
/** Writes a number in decimal and returns the end. */
char *breaker__http1_put_number(char *dst, uint64_t number);

/** the bytes that `breaker__http1_put_length` may need */
#define BREAKER__HTTP1_LENGTH_MAX (sizeof("Content-Length: 18446744073709551615\r\n") - 1)
/** Writes a Content-Length line and returns the end. */
char *breaker__http1_put_length(char *dst, uint64_t len);

/** The bytes that `breaker__http1_put_server` needs: none where the server has no name. */
size_t breaker__http1_server_len(const h2o_globalconf_t *globalconf);
/** Writes the Server line, if there is one, and returns the end. */
char *breaker__http1_put_server(char *dst, const h2o_globalconf_t *globalconf);

#endif
