/*
 * Ranges of addresses, and who is in them. Every address is judged as 128 bits, IPv4 as
 * ::ffff:a.b.c.d, so that one address in two forms gets one verdict.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <breaker/error.h>
#include "peers/network.h"

enum { IN6_BITS = 128 };

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool breaker__network_has(const breaker_network_t *network, const uint8_t *address)
{
    const uint8_t *prefix = network->address;
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    assert(network->bits <= IN6_BITS);
    if (memcmp(address, prefix, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

unsigned breaker__network_parse_ip(const char *text, uint8_t *dst)
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

int breaker_network_parse(const char *text, size_t len, breaker_network_t *ret_network)
{
    char copy[INET6_ADDRSTRLEN + 4], *slash;
    breaker_network_t network;
    unsigned width;

    if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
        return BREAKER_ERR_RANGE;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if ((slash = strchr(copy, '/')) != NULL)
        *slash++ = '\0';
    if ((width = breaker__network_parse_ip(copy, network.address)) == 0)
        return BREAKER_ERR_RANGE;
    network.bits = width;
    if (slash != NULL && !parse_bits(slash, width, &network.bits))
        return BREAKER_ERR_RANGE;
    network.bits += IN6_BITS - width;
    if (!is_prefix(network.address, network.bits))
        return BREAKER_ERR_RANGE;
    *ret_network = network;
    return 0;
}

bool breaker__networks_have(const breaker_network_t *list, size_t num, const uint8_t *address)
{
    for (size_t i = 0; i != num; ++i)
        if (breaker__network_has(list + i, address))
            return true;
    return false;
}

bool breaker__network_read(const struct sockaddr *from, uint8_t *dst)
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

bool breaker_networks_have(const breaker_network_t *list, size_t num,
                           const struct sockaddr *address)
{
    uint8_t bytes[16];

    return breaker__network_read(address, bytes) && breaker__networks_have(list, num, bytes);
}
