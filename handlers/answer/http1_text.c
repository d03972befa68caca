/*
 * Heads of answers, byte for byte as libh2o 2.2.5 writes them on HTTP/1: its own four lines with
 * capital letters, then the headers in lower case. Whoever answers past libh2o cannot be told from
 * it by a client.
 */
#include <assert.h>
#include "answer/http1_text.h"

char *breaker__http1_put_number(char *dst, uint64_t number)
{
    char digits[BREAKER__HTTP1_NUMBER_MAX], *at = digits + sizeof(digits);

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    assert(at >= digits);
    return breaker__http1_put(dst, at, (size_t)(digits + sizeof(digits) - at));
}

char *breaker__http1_put_length(char *dst, uint64_t len)
{
    dst = breaker__http1_put(dst, H2O_STRLIT("Content-Length: "));
    dst = breaker__http1_put_number(dst, len);
    return breaker__http1_put(dst, H2O_STRLIT("\r\n"));
}

size_t breaker__http1_server_len(const h2o_globalconf_t *globalconf)
{
    size_t len = globalconf->server_name.len;

    return len != 0 ? sizeof("Server: \r\n") - 1 + len : 0;
}

char *breaker__http1_put_server(char *dst, const h2o_globalconf_t *globalconf)
{
    if (globalconf->server_name.len == 0)
        return dst;
    dst = breaker__http1_put(dst, H2O_STRLIT("Server: "));
    dst = breaker__http1_put(dst, globalconf->server_name.base, globalconf->server_name.len);
    return breaker__http1_put(dst, H2O_STRLIT("\r\n"));
}
