/*
 * Which addresses a node may ask. What stands in Redis may have been written by somebody who wants
 * this node to knock at other doors, so the text is taken apart strictly, and the address that a
 * socket is opened to is judged after the look-up, whatever the name was.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <breaker/error.h>
#include "peers/address.h"
#include "peers/network.h"

enum { IN4_AT_BITS = 96 };

/* ---- the verdict ---- */

#define IN4(a, b, bits)                                                                            \
    {                                                                                              \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (a), (b)}, IN4_AT_BITS + (bits)                 \
    }

static bool is_never_asked(const uint8_t *address)
{
    /* IANA's registries of special-purpose addresses (RFC 6890) */
    static const breaker_network_t never[] = {
        IN4(0, 0, 8),                /* "this network", unspecified */
        IN4(169, 254, 16),           /* link-local */
        IN4(224, 0, 4),              /* multicast */
        IN4(240, 0, 4),              /* reserved, broadcast */
        {.bits = 128},               /* :: */
        {{0xfe, 0x80}, 10},          /* link-local */
        {{0xff}, 8},                 /* multicast */
        {{0, 0x64, 0xff, 0x9b}, 96}, /* NAT64: any IPv4 address in disguise (RFC 6052) */
        {{0x20, 0x02}, 16},          /* 6to4, the same (RFC 3056) */
    };

    return breaker__networks_have(never, sizeof(never) / sizeof(never[0]), address);
}

static const breaker_network_t loopback[] = {
    IN4(127, 0, 8),
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
};

static bool is_loopback(const uint8_t *address)
{
    return breaker__networks_have(loopback, sizeof(loopback) / sizeof(loopback[0]), address);
}

/* whether the operator named loopback itself, and not merely a range that happens to have it */
static bool names_loopback(const breaker__reach_t *reach, const uint8_t *address)
{
    for (size_t i = 0; i != reach->num_cidrs; ++i)
        if (is_loopback(reach->cidrs[i].address) && reach->cidrs[i].bits >= IN4_AT_BITS + 8 &&
            breaker__network_has(reach->cidrs + i, address))
            return true;
    return false;
}

bool breaker__reach_allows(const breaker__reach_t *reach, const struct sockaddr *address)
{
    uint8_t bytes[16];

    assert(reach->num_cidrs <= BREAKER__CIDRS_MAX);
    if (!breaker__network_read(address, bytes) || is_never_asked(bytes))
        return false;
    if (is_loopback(bytes) && !reach->allows_loopback)
        return names_loopback(reach, bytes);
    return reach->num_cidrs == 0 || breaker__networks_have(reach->cidrs, reach->num_cidrs, bytes);
}

/* ---- texts ---- */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* one to five digits, 1 to 65535 */
static bool is_port(const char *text, size_t len)
{
    unsigned port = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i != len; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port != 0 && port <= 65535;
}

/* the length of a host at the beginning, its brackets included, or 0 */
static size_t host_len(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    const char *end;
    size_t at = 0;

    if (len == 0 || text[0] != '[') {
        while (at != len && is_host_char(text[at]))
            ++at;
        return at;
    }
    if ((end = memchr(text, ']', len)) == NULL || (size_t)(end - text) > sizeof(copy))
        return 0;
    memcpy(copy, text + 1, (size_t)(end - text - 1));
    copy[end - text - 1] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1 ? (size_t)(end + 1 - text) : 0;
}

static size_t scheme_len(const char *text, size_t len)
{
    if (len >= 8 && memcmp(text, "https://", 8) == 0)
        return 8;
    return len >= 7 && memcmp(text, "http://", 7) == 0 ? 7 : 0;
}

bool breaker__address_is_loopback(const char *address)
{
    char host[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    const char *base;
    size_t len;

    if (address == NULL)
        return false;
    base = address + scheme_len(address, strlen(address));
    if ((len = host_len(base, strlen(base))) == 0 || len >= sizeof(host) + 2)
        return false;
    if (base[0] == '[') {
        ++base;
        len -= 2;
    }
    if (len >= sizeof(host))
        return false;
    memcpy(host, base, len);
    host[len] = '\0';
    return strcasecmp(host, "localhost") == 0 ||
           (breaker__network_parse_ip(host, bytes) != 0 && is_loopback(bytes));
}

int breaker__address_url(const char *address, size_t len, char *dst)
{
    size_t scheme = scheme_len(address, len), host;

    if (len > BREAKER_ADVERTISE_MAX)
        return BREAKER_ERR_RANGE;
    host = host_len(address + scheme, len - scheme);
    if (host == 0 || scheme + host == len || address[scheme + host] != ':' ||
        !is_port(address + scheme + host + 1, len - scheme - host - 1))
        return BREAKER_ERR_RANGE;
    if (scheme == 0) {
        memcpy(dst, "http://", 7);
        dst += 7;
    }
    memcpy(dst, address, len);
    dst[len] = '\0';
    return 0;
}
