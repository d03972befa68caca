#ifndef BREAKER_BIN_ADDRESS_H
#define BREAKER_BIN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/** the longest name or address of a host, in bytes with its NUL */
#define BREAKER__ADDRESS_HOST_MAX 256

/** what `breaker__address_parse` takes, for complaints */
#define BREAKER__ADDRESS_FORMS                                                                     \
    "a port from 0 (any free one) to 65535, HOST:PORT, [IPV6]:PORT, *:PORT, unix:/path"

/** Where to listen, as a person writes it. */
typedef struct st_breaker__address_t {
    bool is_unix;
    /** the digits of a port, or the path of a Unix socket; within the text that was parsed */
    const char *port;
    /** "" for all addresses of the machine */
    char host[BREAKER__ADDRESS_HOST_MAX];
} breaker__address_t;

/**
 * Takes an address apart: `8080`, `127.0.0.1:8080`, `localhost:8080`, `[::1]:8080`, `*:8080`,
 * `unix:/run/site.sock`. Looks nothing up. Returns NULL, or what is accepted in its place, for a
 * complaint; then `ret_address` is untouched.
 */
const char *breaker__address_parse(const char *text, breaker__address_t *ret_address);

#endif
