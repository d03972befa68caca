/*
 * Which addresses a node may ask. What stands in Redis may have been written by somebody who wants
 * this node to knock at other doors, so the text is taken apart strictly, and the address that a
 * socket is opened to is judged after the look-up, whatever the name was.
 *
 * Invariants: every address is judged as 128 bits, IPv4 as ::ffff:a.b.c.d, so that one address in
 * two forms gets one verdict.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <breaker/error.h>
#include "peers/address.h"

enum { IN6_BITS = 128, IN4_AT_BITS = 96 };

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- ranges ---- */

static bool is_in(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    assert(bits <= IN6_BITS);
    if (memcmp(address, prefix, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

/* IPv4 without a mapping, or IPv6; returns how many bits it has, or 0 */
static unsigned parse_ip(const char *text, uint8_t *dst)
{
    memcpy(dst, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, text, dst + sizeof(mapped)) == 1)
        return 32;
    return inet_pton(AF_INET6, text, dst) == 1 ? IN6_BITS : 0;
}

/* one to three digits, at most `max` */
static bool parse_bits(const char *text, unsigned max, unsigned *ret_bits)
{
    size_t len = strlen(text);
    unsigned bits = 0;

    if (len == 0 || len > 3 || (text[0] == '0' && len != 1))
        return false;
    for (size_t i = 0; i != len; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text[i] - '0');
    }
    *ret_bits = bits;
    return bits <= max;
}

/* whether all bits after the first `bits` are 0 */
static bool is_prefix(const uint8_t *address, unsigned bits)
{
    for (unsigned at = bits; at != IN6_BITS; ++at)
        if ((address[at / 8] >> (7 - at % 8) & 1) != 0)
            return false;
    return true;
}

int breaker__cidr_parse(const char *text, size_t len, breaker__cidr_t *ret_cidr)
{
    char copy[INET6_ADDRSTRLEN + 4], *slash;
    breaker__cidr_t cidr;
    unsigned width;

    if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
        return BREAKER_ERR_RANGE;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if ((slash = strchr(copy, '/')) != NULL)
        *slash++ = '\0';
    if ((width = parse_ip(copy, cidr.address)) == 0)
        return BREAKER_ERR_RANGE;
    cidr.bits = width;
    if (slash != NULL && !parse_bits(slash, width, &cidr.bits))
        return BREAKER_ERR_RANGE;
    cidr.bits += IN6_BITS - width;
    if (!is_prefix(cidr.address, cidr.bits))
        return BREAKER_ERR_RANGE;
    *ret_cidr = cidr;
    return 0;
}

/* ---- the verdict ---- */

static bool is_one_of(const uint8_t *address, const breaker__cidr_t *list, size_t num)
{
    for (size_t i = 0; i != num; ++i)
        if (is_in(address, list[i].address, list[i].bits))
            return true;
    return false;
}

#define IN4(a, b, bits)                                                                            \
    {                                                                                              \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (a), (b)}, IN4_AT_BITS + (bits)                 \
    }

static bool is_never_asked(const uint8_t *address)
{
    /* IANA's registries of special-purpose addresses (RFC 6890) */
    static const breaker__cidr_t never[] = {
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

    return is_one_of(address, never, sizeof(never) / sizeof(never[0]));
}

static const breaker__cidr_t loopback[] = {
    IN4(127, 0, 8),
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
};

static bool is_loopback(const uint8_t *address)
{
    return is_one_of(address, loopback, sizeof(loopback) / sizeof(loopback[0]));
}

/* whether the operator named loopback itself, and not merely a range that happens to have it */
static bool names_loopback(const breaker__reach_t *reach, const uint8_t *address)
{
    for (size_t i = 0; i != reach->num_cidrs; ++i)
        if (is_loopback(reach->cidrs[i].address) && reach->cidrs[i].bits >= IN4_AT_BITS + 8 &&
            is_in(address, reach->cidrs[i].address, reach->cidrs[i].bits))
            return true;
    return false;
}

static bool read_sockaddr(const struct sockaddr *from, uint8_t *dst)
{
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        memcpy(dst, mapped, sizeof(mapped));
        memcpy(dst + sizeof(mapped), &in->sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(dst, &in6->sin6_addr, 16);
        return true;
    }
    return false;
}

bool breaker__reach_allows(const breaker__reach_t *reach, const struct sockaddr *address)
{
    uint8_t bytes[16];

    assert(reach->num_cidrs <= BREAKER__CIDRS_MAX);
    if (!read_sockaddr(address, bytes) || is_never_asked(bytes))
        return false;
    if (is_loopback(bytes) && !reach->allows_loopback)
        return names_loopback(reach, bytes);
    return reach->num_cidrs == 0 || is_one_of(bytes, reach->cidrs, reach->num_cidrs);
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
    return strcasecmp(host, "localhost") == 0 || (parse_ip(host, bytes) != 0 && is_loopback(bytes));
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
