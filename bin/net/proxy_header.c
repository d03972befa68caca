/*
 * The header of the PROXY protocol. Who stands in front of it is believed whatever it says of its
 * client, so what is not well-formed to the letter is no header: it may be a client that reached
 * the port of the proxies.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "net/proxy_header.h"

/* with CR and LF */
#define LINE_MAX_LEN 107
#define HEAD_LEN 16
/* type and length of what follows the addresses of version 2 */
#define FIELD_HEAD_LEN 3

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static bool begins_with(const char *base, size_t len, const char *prefix, size_t prefix_len)
{
    return memcmp(base, prefix, len < prefix_len ? len : prefix_len) == 0;
}

static void set_client(breaker__proxy_header_t *header, int family, const void *addr,
                       in_port_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

    if (family == AF_INET) {
        memcpy(&v4.sin_addr, addr, sizeof(v4.sin_addr));
        memcpy(&header->client, &v4, sizeof(v4));
        header->client_len = sizeof(v4);
    } else {
        memcpy(&v6.sin6_addr, addr, sizeof(v6.sin6_addr));
        memcpy(&header->client, &v6, sizeof(v6));
        header->client_len = sizeof(v6);
    }
}

/* ---- version 1: a line ---- */

/* without zeros in front, which some read as octal numbers */
static bool parse_port(const char *text, in_port_t *ret_port)
{
    size_t len = strlen(text);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (text[0] == '0' && len != 1) ||
        strtol(text, NULL, 10) > UINT16_MAX)
        return false;
    *ret_port = htons((uint16_t)strtol(text, NULL, 10));
    return true;
}

/* `rest`: source, destination and their ports, with a blank between */
static bool parse_addresses(int family, char *rest, breaker__proxy_header_t *header)
{
    struct in6_addr client, server;
    const char *words[4];
    in_port_t port, server_port;

    for (size_t i = 0; i != 4; ++i)
        words[i] = rest != NULL ? strsep(&rest, " ") : NULL;
    if (words[3] == NULL || rest != NULL || inet_pton(family, words[0], &client) != 1 ||
        inet_pton(family, words[1], &server) != 1 || !parse_port(words[2], &port) ||
        !parse_port(words[3], &server_port))
        return false;
    set_client(header, family, &client, port);
    return true;
}

static bool parse_words(char *line, breaker__proxy_header_t *header)
{
    char *rest = line;
    const char *protocol = strsep(&rest, " ");

    /* what follows UNKNOWN is to be passed over */
    if (strcmp(protocol, "UNKNOWN") == 0)
        return true;
    if (strcmp(protocol, "TCP4") == 0)
        return parse_addresses(AF_INET, rest, header);
    return strcmp(protocol, "TCP6") == 0 && parse_addresses(AF_INET6, rest, header);
}

static ssize_t parse_line(const char *base, size_t len, breaker__proxy_header_t *header)
{
    const char *end = memchr(base, '\n', len < LINE_MAX_LEN ? len : LINE_MAX_LEN);
    char line[LINE_MAX_LEN + 1];
    size_t line_len;

    if (end == NULL)
        return len < LINE_MAX_LEN ? 0 : -1;
    line_len = (size_t)(end - base);
    if (line_len < sizeof(word) || base[line_len - 1] != '\r' ||
        memchr(base, '\0', line_len) != NULL)
        return -1;
    line_len -= sizeof(word);
    memcpy(line, base + sizeof(word) - 1, line_len);
    line[line_len] = '\0';
    return parse_words(line, header) ? end + 1 - base : -1;
}

/* ---- version 2: a block ---- */

/* family and protocol, how long its addresses are, and where in them the client's port stands */
typedef struct st_kind_t {
    unsigned char code;
    unsigned char len, port_at;
    /* AF_UNSPEC: the proxy stays the client, as the protocol has it for what a receiver cannot use:
       datagrams, and Unix sockets */
    int family;
} kind_t;

static const kind_t kinds[] = {
    {0x00, 0, 0, AF_UNSPEC},   {0x11, 12, 8, AF_INET},   {0x12, 12, 0, AF_UNSPEC},
    {0x21, 36, 32, AF_INET6},  {0x22, 36, 0, AF_UNSPEC}, {0x31, 216, 0, AF_UNSPEC},
    {0x32, 216, 0, AF_UNSPEC},
};

static const kind_t *find_kind(unsigned char code)
{
    for (size_t i = 0; i != sizeof(kinds) / sizeof(kinds[0]); ++i)
        if (kinds[i].code == code)
            return kinds + i;
    return NULL;
}

/* one more byte of a CRC32c (RFC 3309), inverted before the first one and after the last */
static uint32_t add_to_checksum(uint32_t sum, unsigned char byte)
{
    sum ^= byte;
    for (int i = 0; i != 8; ++i)
        sum = (sum >> 1) ^ ((sum & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
    return sum;
}

/* of the whole header, in which the four bytes of the checksum itself count as zeros */
static bool is_sum(const unsigned char *head, size_t len, size_t at)
{
    uint32_t sum = UINT32_MAX, said;

    for (size_t i = 0; i != len; ++i)
        sum = add_to_checksum(sum, i >= at && i - at < sizeof(said) ? 0 : head[i]);
    memcpy(&said, head + at, sizeof(said));
    return ~sum == ntohl(said);
}

/* what stands after the addresses is of no interest, but has to be sound to its last byte */
static bool check_fields(const unsigned char *head, size_t len, size_t at)
{
    enum { CRC32C = 3 };

    while (at != len) {
        size_t field_len;
        if (len - at < FIELD_HEAD_LEN)
            return false;
        field_len = (size_t)head[at + 1] << 8 | head[at + 2];
        if (len - at - FIELD_HEAD_LEN < field_len)
            return false;
        if (head[at] == CRC32C && (field_len != 4 || !is_sum(head, len, at + FIELD_HEAD_LEN)))
            return false;
        at += FIELD_HEAD_LEN + field_len;
    }
    return true;
}

static bool parse_block(const unsigned char *head, size_t len, breaker__proxy_header_t *header)
{
    const kind_t *kind = find_kind(head[13]);
    const unsigned char *addresses = head + HEAD_LEN;
    in_port_t port;

    if (kind == NULL || len - HEAD_LEN < kind->len ||
        !check_fields(head, len, HEAD_LEN + kind->len))
        return false;
    if (kind->family == AF_UNSPEC)
        return true;
    memcpy(&port, addresses + kind->port_at, sizeof(port));
    set_client(header, kind->family, addresses, port);
    return true;
}

static ssize_t parse_binary(const char *base, size_t len, breaker__proxy_header_t *header)
{
    enum { LOCAL = 0x20, PROXY = 0x21 };
    const unsigned char *head = (const unsigned char *)base;
    size_t whole_len;

    if (len < HEAD_LEN)
        return 0;
    whole_len = HEAD_LEN + ((size_t)head[14] << 8 | head[15]);
    if ((head[12] != LOCAL && head[12] != PROXY) || whole_len > BREAKER__PROXY_HEADER_MAX)
        return -1;
    if (len < whole_len)
        return 0;
    /* a proxy that speaks for itself, as its health checks do: the rest means nothing */
    if (head[12] == PROXY && !parse_block(head, whole_len, header))
        return -1;
    return (ssize_t)whole_len;
}

ssize_t breaker__proxy_header_parse(const char *base, size_t len,
                                    breaker__proxy_header_t *ret_header)
{
    ret_header->client_len = 0;
    if (len == 0)
        return 0;
    if (begins_with(base, len, word, sizeof(word) - 1))
        return parse_line(base, len, ret_header);
    if (begins_with(base, len, signature, sizeof(signature) - 1))
        return parse_binary(base, len, ret_header);
    return -1;
}
