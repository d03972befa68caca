/*
 * The header of the PROXY protocol, of both versions, to the last byte and not beyond it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "guard.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x07\x7f\0\0\1\x9c\x40\0\x50"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"                                                     \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"                                                             \
    "\x9c\x40\0\x50"

typedef struct st_header_case_t {
    const char *base;
    size_t len;
    /* "" where the proxy stays the client; NULL where it is refused */
    const char *client;
} header_case_t;

#define CASE(text, client)                                                                         \
    {                                                                                              \
        text, sizeof(text) - 1, client                                                             \
    }

static const header_case_t cases[] = {
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\r\n", "192.0.2.7"),
    CASE("PROXY TCP6 2001:db8::7 ::1 40000 80\r\n", "2001:db8::7"),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 0\r\n", "192.0.2.7"),
    CASE("PROXY UNKNOWN\r\n", ""),
    CASE("PROXY UNKNOWN what ever\r\n", ""),
    CASE(SIGNATURE "\x21\x11\0\x0c" V4, "192.0.2.7"),
    CASE(SIGNATURE "\x21\x21\0\x24" V6, "2001:db8::7"),
    /* with the name of a host, and nothing in no bytes */
    CASE(SIGNATURE "\x21\x11\0\x13" V4 "\2\0\1x\4\0\0", "192.0.2.7"),
    CASE(SIGNATURE "\x21\x00\0\0", ""),
    CASE(SIGNATURE "\x21\x00\0\4\4\0\1x", ""),
    /* datagrams, which are not for a stream, are taken as the protocol says */
    CASE(SIGNATURE "\x21\x12\0\x0c" V4, ""),
    CASE(SIGNATURE "\x20\x00\0\0", ""),
    CASE(SIGNATURE "\x20\x99\0\3abc", ""),
    CASE("GET / HTTP/1.1\r\n", NULL),
    CASE("PROXY TCP4 2001:db8::7 ::1 40000 80\r\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 65536\r\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 080\r\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 040 80\r\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 80 1\r\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\n", NULL),
    CASE("PROXY TCP4 192.0.2.7 127.0.0.1 40000\r\n", NULL),
    CASE("PROXY UNKNOWN \0\r\n", NULL),
    CASE("PROXY \r\n", NULL),
    CASE(SIGNATURE "\x11\x11\0\x0c" V4, NULL),
    CASE(SIGNATURE "\x22\x11\0\x0c" V4, NULL),
    CASE(SIGNATURE "\x21\x13\0\x0c" V4, NULL),
    CASE(SIGNATURE "\x21\x21\0\x0c" V4, NULL),
    CASE(SIGNATURE "\x21\x11\0\x0e" V4 "\2\0", NULL),
    CASE(SIGNATURE "\x21\x11\0\x0f" V4 "\2\0\1", NULL),
    CASE(SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4abcd", NULL),
    CASE(SIGNATURE "\x21\x11\x10\0" V4, NULL),
};

static ssize_t parse(const char *base, size_t len, char *ret_client)
{
    char *copy = guarded_copy(base, len);
    breaker__proxy_header_t header;
    ssize_t taken = breaker__proxy_header_parse(copy, len, &header);

    ret_client[0] = '\0';
    if (taken > 0 && header.client_len == sizeof(struct sockaddr_in)) {
        struct sockaddr_in client;
        memcpy(&client, &header.client, sizeof(client));
        assert_int_equal(ntohs(client.sin_port), 40000);
        assert_non_null(inet_ntop(AF_INET, &client.sin_addr, ret_client, INET6_ADDRSTRLEN));
    } else if (taken > 0 && header.client_len != 0) {
        struct sockaddr_in6 client;
        assert_int_equal(header.client_len, sizeof(client));
        memcpy(&client, &header.client, sizeof(client));
        assert_int_equal(ntohs(client.sin6_port), 40000);
        assert_non_null(inet_ntop(AF_INET6, &client.sin6_addr, ret_client, INET6_ADDRSTRLEN));
    }
    guarded_free(copy, len);
    return taken;
}

static void a_header_is_taken_to_its_last_byte_or_refused(void **state)
{
    char client[INET6_ADDRSTRLEN];
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        const header_case_t *each = cases + i;
        ssize_t taken = parse(each->base, each->len, client);
        if (each->client == NULL) {
            assert_int_equal(taken, -1);
            continue;
        }
        assert_int_equal(taken, each->len);
        assert_string_equal(client, each->client);
    }
}

static void what_has_not_come_whole_is_waited_for(void **state)
{
    char client[INET6_ADDRSTRLEN];
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i)
        for (size_t len = 0; cases[i].client != NULL && len != cases[i].len; ++len)
            assert_int_equal(parse(cases[i].base, len, client), 0);
}

static void what_follows_is_left(void **state)
{
    static const char text[] = SIGNATURE "\x21\x11\0\x0c" V4 "GET / HTTP/1.1\r\n\r\n";
    char client[INET6_ADDRSTRLEN];
    (void)state;

    assert_int_equal(parse(text, sizeof(text) - 1, client), 28);
    assert_int_equal(parse("PROXY UNKNOWN\r\n\r\n", 17, client), 15);
}

static void a_checksum_is_checked(void **state)
{
    static const char text[] = SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4\x66\x0d\x52\x43";
    char client[INET6_ADDRSTRLEN], spoilt[sizeof(text)];
    (void)state;

    assert_int_equal(parse(text, sizeof(text) - 1, client), sizeof(text) - 1);
    memcpy(spoilt, text, sizeof(text));
    spoilt[16] ^= 1;
    assert_int_equal(parse(spoilt, sizeof(text) - 1, client), -1);
}

static void one_that_is_too_long_is_refused(void **state)
{
    char line[120], block[BREAKER__PROXY_HEADER_MAX + 1] = SIGNATURE "\x21\0";
    char client[INET6_ADDRSTRLEN];
    (void)state;

    memset(line, 'f', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse(line, 106, client), 0);
    assert_int_equal(parse(line, 107, client), -1);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(parse(line, 107, client), 107);
    /* one field that fills it */
    block[14] = (BREAKER__PROXY_HEADER_MAX - 16) >> 8;
    block[15] = (char)(BREAKER__PROXY_HEADER_MAX - 16);
    block[16] = 4;
    block[17] = (BREAKER__PROXY_HEADER_MAX - 19) >> 8;
    block[18] = (char)(BREAKER__PROXY_HEADER_MAX - 19);
    assert_int_equal(parse(block, BREAKER__PROXY_HEADER_MAX, client), BREAKER__PROXY_HEADER_MAX);
    ++block[15];
    assert_int_equal(parse(block, BREAKER__PROXY_HEADER_MAX, client), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_taken_to_its_last_byte_or_refused),
        cmocka_unit_test(what_has_not_come_whole_is_waited_for),
        cmocka_unit_test(what_follows_is_left),
        cmocka_unit_test(a_checksum_is_checked),
        cmocka_unit_test(one_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
