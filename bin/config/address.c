/*
 * Addresses to listen on as people type them. The last colon parts the port from the host, except
 * where it may be one of an IPv6 address: such an address stands in brackets, without which
 * `::1:80` would have two meanings (RFC 3986 §3.2.2).
 */
#include <stdlib.h>
#include <string.h>
#include "config/address.h"

#define UNIX_PREFIX "unix:"

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len <= 5 && strspn(text, "0123456789") == len &&
           strtol(text, NULL, 10) <= 65535;
}

static const char *parse_unix(const char *path, breaker__address_t *ret_address)
{
    if (path[0] != '/')
        return "unix: and a path that begins with /";
    *ret_address = (breaker__address_t){.is_unix = true, .port = path};
    return NULL;
}

static const char *take(const char *host, size_t host_len, const char *port,
                        breaker__address_t *ret_address)
{
    if (!is_port(port) || host_len == 0 || host_len >= BREAKER__ADDRESS_HOST_MAX)
        return BREAKER__ADDRESS_FORMS;
    *ret_address = (breaker__address_t){.port = port};
    if (host_len != 1 || host[0] != '*')
        memcpy(ret_address->host, host, host_len);
    return NULL;
}

static const char *parse_bracketed(const char *text, breaker__address_t *ret_address)
{
    const char *end = strchr(text, ']');

    if (end == NULL || end[1] != ':' || memchr(text, ':', (size_t)(end - text)) == NULL)
        return BREAKER__ADDRESS_FORMS;
    return take(text + 1, (size_t)(end - text - 1), end + 2, ret_address);
}

const char *breaker__address_parse(const char *text, breaker__address_t *ret_address)
{
    const char *colon = strrchr(text, ':');

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(text + strlen(UNIX_PREFIX), ret_address);
    if (text[0] == '[')
        return parse_bracketed(text, ret_address);
    if (colon == NULL)
        return take("*", 1, text, ret_address);
    if (strchr(text, ':') != colon)
        return "an IPv6 address in brackets, as [::1]:8080";
    return take(text, (size_t)(colon - text), colon + 1, ret_address);
}
