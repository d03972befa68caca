/*
 * The header of the PROXY protocol against a second reading of its specification: who is named, how
 * long the header is, and that every beginning of one is waited for, and none that has been refused
 * is taken once more has come. An input is what a connection begins with.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include "fuzz.h"
#include "net/proxy_header.h"

enum { LINE_MAX_LEN = 107, BLOCK_HEAD = 16, REFUSED = -1 };

static const char signature[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* "address port", or "" */
typedef struct st_client_t {
    char text[INET6_ADDRSTRLEN + 8];
} client_t;

static void name_client(int family, const void *address, unsigned port, client_t *ret_client)
{
    char text[INET6_ADDRSTRLEN];
    const char *made = inet_ntop(family, address, text, sizeof(text));

    assert(made != NULL);
    snprintf(ret_client->text, sizeof(ret_client->text), "%s %u", text, port);
}

/* ---- by the specification, §2.1 ---- */

static bool is_number(const char *word, unsigned max)
{
    unsigned value;
    char canonical[16];

    if (sscanf(word, "%5u", &value) != 1 || value > max)
        return false;
    /* no zeros in front, no signs, no blanks */
    snprintf(canonical, sizeof(canonical), "%u", value);
    return strcmp(canonical, word) == 0;
}

static bool is_address4(const char *word)
{
    unsigned bytes[4];
    char canonical[INET_ADDRSTRLEN];
    int end = 0;

    if (sscanf(word, "%3u.%3u.%3u.%3u%n", bytes, bytes + 1, bytes + 2, bytes + 3, &end) != 4 ||
        word[end] != '\0' || bytes[0] > 255 || bytes[1] > 255 || bytes[2] > 255 || bytes[3] > 255)
        return false;
    snprintf(canonical, sizeof(canonical), "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    return strcmp(canonical, word) == 0;
}

static bool is_address(int family, const char *word)
{
    struct in6_addr address;

    return family == AF_INET ? is_address4(word) : inet_pton(AF_INET6, word, &address) == 1;
}

/* "protocol source destination port port" */
static bool read_words(char *line, client_t *ret_client)
{
    char *words[8], *save = line;
    struct in6_addr address;
    size_t num = 0;
    int family;

    while (num != 8 && (words[num] = strsep(&save, " ")) != NULL)
        ++num;
    if (strcmp(words[0], "UNKNOWN") == 0)
        return true;
    family = strcmp(words[0], "TCP4") == 0 ? AF_INET : AF_INET6;
    if ((family == AF_INET6 && strcmp(words[0], "TCP6") != 0) || num != 5 ||
        !is_address(family, words[1]) || !is_address(family, words[2]) ||
        !is_number(words[3], 65535) || !is_number(words[4], 65535))
        return false;
    inet_pton(family, words[1], &address);
    name_client(family, &address, (unsigned)atoi(words[3]), ret_client);
    return true;
}

static ssize_t read_line(fuzz_text_t bytes, client_t *ret_client)
{
    char line[LINE_MAX_LEN + 1] = "";
    size_t len = bytes.len < LINE_MAX_LEN ? bytes.len : LINE_MAX_LEN;
    const char *feed = memchr(bytes.base, '\n', len);

    if (feed == NULL)
        return bytes.len < LINE_MAX_LEN ? 0 : REFUSED;
    len = (size_t)(feed - bytes.base);
    if (len == 0 || feed[-1] != '\r' || len - 1 < strlen("PROXY "))
        return REFUSED;
    memcpy(line, bytes.base, len - 1);
    if (strlen(line) != len - 1 || !read_words(line + strlen("PROXY "), ret_client))
        return REFUSED;
    return (ssize_t)len + 1;
}

/* ---- §2.2 ---- */

static uint32_t crc32c(const uint8_t *bytes, size_t len, size_t zeros_at)
{
    uint32_t table[256], sum = UINT32_MAX;

    for (uint32_t i = 0; i != 256; ++i) {
        table[i] = i;
        for (int bit = 0; bit != 8; ++bit)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ UINT32_C(0x82f63b78) : table[i] >> 1;
    }
    for (size_t i = 0; i != len; ++i) {
        uint8_t byte = i >= zeros_at && i < zeros_at + 4 ? 0 : bytes[i];
        sum = sum >> 8 ^ table[(sum ^ byte) & 0xff];
    }
    return ~sum;
}

static bool are_fields(const uint8_t *head, size_t len, size_t at)
{
    while (at < len) {
        size_t field_len;
        if (at + 3 > len)
            return false;
        field_len = (size_t)(head[at + 1] * 256 + head[at + 2]);
        if (at + 3 + field_len > len)
            return false;
        if (head[at] == 3) {
            const uint8_t *said = head + at + 3;
            if (field_len != 4 ||
                crc32c(head, len, at + 3) != ((uint32_t)said[0] << 24 | (uint32_t)said[1] << 16 |
                                              (uint32_t)said[2] << 8 | said[3]))
                return false;
        }
        at += 3 + field_len;
    }
    return true;
}

static ssize_t read_block(fuzz_text_t bytes, client_t *ret_client)
{
    const uint8_t *head = (const uint8_t *)bytes.base;
    size_t len, addresses_len;

    if (bytes.len < BLOCK_HEAD)
        return 0;
    len = BLOCK_HEAD + (size_t)(head[14] * 256 + head[15]);
    if (head[12] >> 4 != 2 || (head[12] & 15) > 1 || len > BREAKER__PROXY_HEADER_MAX)
        return REFUSED;
    if (bytes.len < len)
        return 0;
    if ((head[12] & 15) == 0)
        return (ssize_t)len;
    switch (head[13] >> 4) {
    case 0:
        addresses_len = 0;
        break;
    case 1:
        addresses_len = 12;
        break;
    case 2:
        addresses_len = 36;
        break;
    case 3:
        addresses_len = 216;
        break;
    default:
        return REFUSED;
    }
    if ((head[13] & 15) > 2 || (head[13] >> 4 == 0) != ((head[13] & 15) == 0) ||
        BLOCK_HEAD + addresses_len > len || !are_fields(head, len, BLOCK_HEAD + addresses_len))
        return REFUSED;
    if (head[13] == 0x11)
        name_client(AF_INET, head + 16, (unsigned)(head[24] * 256 + head[25]), ret_client);
    if (head[13] == 0x21)
        name_client(AF_INET6, head + 16, (unsigned)(head[48] * 256 + head[49]), ret_client);
    return (ssize_t)len;
}

static ssize_t read_header(fuzz_text_t bytes, client_t *ret_client)
{
    size_t word_len = bytes.len < 6 ? bytes.len : 6;
    size_t signature_len = bytes.len < sizeof(signature) ? bytes.len : sizeof(signature);

    *ret_client = (client_t){""};
    if (bytes.len == 0)
        return 0;
    if (memcmp(bytes.base, "PROXY ", word_len) == 0)
        return read_line(bytes, ret_client);
    return memcmp(bytes.base, signature, signature_len) == 0 ? read_block(bytes, ret_client)
                                                             : REFUSED;
}

/* ---- against each other ---- */

static void name_parsed(const breaker__proxy_header_t *header, client_t *ret_client)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    *ret_client = (client_t){""};
    if (header->client_len == sizeof(in)) {
        memcpy(&in, &header->client, sizeof(in));
        assert(in.sin_family == AF_INET);
        name_client(AF_INET, &in.sin_addr, ntohs(in.sin_port), ret_client);
    } else if (header->client_len != 0) {
        assert(header->client_len == sizeof(in6));
        memcpy(&in6, &header->client, sizeof(in6));
        assert(in6.sin6_family == AF_INET6);
        name_client(AF_INET6, &in6.sin6_addr, ntohs(in6.sin6_port), ret_client);
    }
}

static ssize_t check(fuzz_text_t bytes)
{
    breaker__proxy_header_t header;
    client_t expected, client;
    ssize_t len = read_header(bytes, &expected);

    assert(breaker__proxy_header_parse(bytes.base, bytes.len, &header) == len);
    assert(len <= (ssize_t)bytes.len);
    if (len > 0) {
        name_parsed(&header, &client);
        assert(strcmp(client.text, expected.text) == 0);
    }
    return len;
}

/* in memory that ends with them */
static ssize_t check_beginning(fuzz_text_t bytes, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);
    ssize_t taken;

    assert(copy != NULL);
    if (len != 0)
        memcpy(copy, bytes.base, len);
    taken = check((fuzz_text_t){copy, len});
    free(copy);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t bytes = {(const char *)data, size};
    ssize_t whole;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    whole = check(bytes);
    /* what is known stays so, whatever comes */
    for (size_t len = 0; len < size && len != 300; ++len) {
        ssize_t taken = check_beginning(bytes, len);
        assert(taken == 0 || taken == whole);
    }
    return 0;
}
