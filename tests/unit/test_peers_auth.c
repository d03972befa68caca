#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <breaker/error.h>
#include "guard.h"
#include "peers/address.h"
#include "peers/auth.h"
#include "peers/held.h"

#define STRLIT(s) (s), sizeof(s) - 1
#define PATH BREAKER_PEER_PREFIX "held"
#define NOW UINT64_C(1700000000)
/* printf 'GET\n/.well-known/h2o-breaker/held\n1700000000\n' |
   openssl dgst -sha256 -mac HMAC -macopt hexkey:1111… */
#define SIGNATURE "0612cf8894f346546ca59fe86da3b63807959c98f98fceb2fbe590740fb688d3"

static breaker__peer_keys_t two_keys(void)
{
    breaker__peer_keys_t keys = {.num = 2};

    memset(keys.keys[0], 0x11, BREAKER_PEER_KEY_LEN);
    memset(keys.keys[1], 0x22, BREAKER_PEER_KEY_LEN);
    return keys;
}

static void sign(const breaker__peer_keys_t *keys, size_t at, char *dst)
{
    assert_int_equal(breaker__auth_sign(keys, at, STRLIT(PATH), NOW, dst), 0);
}

/* the value lies before a guard page, so that reading beyond it is seen */
static bool is_member(const breaker__peer_keys_t *keys, const char *value, uint64_t now_s)
{
    char *copy = guarded_copy(value, strlen(value));
    bool result = breaker__auth_verify(keys, STRLIT(PATH), copy, strlen(value), now_s);

    guarded_free(copy, strlen(value));
    return result;
}

static void the_signature_is_the_one_that_is_documented(void **state)
{
    breaker__peer_keys_t keys = two_keys();
    char value[BREAKER__AUTH_MAX + 1];
    (void)state;

    sign(&keys, 0, value);
    assert_string_equal(value, "1700000000 " SIGNATURE);
}

static void each_key_of_the_cluster_makes_a_member(void **state)
{
    breaker__peer_keys_t keys = two_keys(), one = two_keys(), none = {.num = 0};
    char value[BREAKER__AUTH_MAX + 1];
    (void)state;

    sign(&keys, 1, value);
    assert_true(is_member(&keys, value, NOW));
    one.num = 1;
    assert_false(is_member(&one, value, NOW));
    assert_false(is_member(&none, value, NOW));
    sign(&keys, 0, value);
    assert_true(is_member(&one, value, NOW));
}

static void the_time_may_differ_by_half_a_minute(void **state)
{
    breaker__peer_keys_t keys = two_keys();
    char value[BREAKER__AUTH_MAX + 1];
    (void)state;

    sign(&keys, 0, value);
    assert_true(is_member(&keys, value, NOW + BREAKER__AUTH_WINDOW_S));
    assert_true(is_member(&keys, value, NOW - BREAKER__AUTH_WINDOW_S));
    assert_false(is_member(&keys, value, NOW + BREAKER__AUTH_WINDOW_S + 1));
    assert_false(is_member(&keys, value, NOW - BREAKER__AUTH_WINDOW_S - 1));
    assert_false(is_member(&keys, value, 0));
    assert_false(is_member(&keys, value, UINT64_MAX));
}

static void another_path_needs_another_signature(void **state)
{
    breaker__peer_keys_t keys = two_keys();
    char value[BREAKER__AUTH_MAX + 1], path[BREAKER__AUTH_PATH_MAX + 2];
    (void)state;

    sign(&keys, 0, value);
    assert_false(breaker__auth_verify(&keys, STRLIT(PATH "x"), value, strlen(value), NOW));
    memset(path, 'a', sizeof(path));
    assert_false(breaker__auth_verify(&keys, path, sizeof(path), value, strlen(value), NOW));
    assert_int_equal(breaker__auth_sign(&keys, 0, path, sizeof(path), NOW, value),
                     BREAKER_ERR_TOO_LONG);
    assert_int_equal(breaker__auth_sign(&keys, 0, path, BREAKER__AUTH_PATH_MAX, NOW, value), 0);
    assert_true(
        breaker__auth_verify(&keys, path, BREAKER__AUTH_PATH_MAX, value, strlen(value), NOW));
}

static void no_byte_of_a_signature_can_be_another(void **state)
{
    breaker__peer_keys_t keys = two_keys();
    char value[BREAKER__AUTH_MAX + 1];
    size_t len;
    (void)state;

    sign(&keys, 0, value);
    len = strlen(value);
    for (size_t at = 0; at != len; ++at)
        for (unsigned bit = 0; bit != 8; ++bit) {
            value[at] = (char)(value[at] ^ 1 << bit);
            /* the value is not NUL-ended in general: its length counts */
            assert_false(breaker__auth_verify(&keys, STRLIT(PATH), value, len, NOW));
            value[at] = (char)(value[at] ^ 1 << bit);
        }
    for (size_t cut = 0; cut != len; ++cut) {
        assert_false(breaker__auth_verify(&keys, STRLIT(PATH), value, cut, NOW));
        assert_false(breaker__auth_verify(&keys, STRLIT(PATH), value + len - cut, cut, NOW));
    }
}

static void what_has_another_form_is_no_signature(void **state)
{
    breaker__peer_keys_t keys = two_keys();
    char value[2 * BREAKER__AUTH_MAX], good[BREAKER__AUTH_MAX + 1];
    static const char *const forms[] = {
        "0%s", " %s", "%s ", "+%s", "%s0", "-%s", "99999999999999999999%s", "\t%s", "%s\n"};
    (void)state;

    sign(&keys, 0, good);
    for (size_t i = 0; i != sizeof(forms) / sizeof(forms[0]); ++i) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(value, sizeof(value), forms[i], good);
#pragma GCC diagnostic pop
        assert_false(is_member(&keys, value, NOW));
    }
    for (char *at = good + 11; *at != '\0'; ++at)
        if (*at >= 'a')
            *at = (char)(*at - 'a' + 'A');
    assert_false(is_member(&keys, good, NOW));
    assert_false(is_member(&keys, "", NOW));
}

static void a_clock_that_is_beyond_all_time_is_time_0(void **state)
{
    breaker__peer_keys_t keys = {.clock_offset_ms = INT64_MAX};
    (void)state;

    assert_int_equal(breaker__auth_now_s(&keys), 0);
    keys.clock_offset_ms = INT64_MIN;
    assert_int_equal(breaker__auth_now_s(&keys), 0);
    keys.clock_offset_ms = 0;
    assert_true(breaker__auth_now_s(&keys) > NOW);
}

/* ---- addresses ---- */

static breaker_network_t cidr_of(const char *text)
{
    breaker_network_t cidr;

    assert_int_equal(breaker_network_parse(text, strlen(text), &cidr), 0);
    return cidr;
}

static bool allows(const breaker__reach_t *reach, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return breaker__reach_allows(reach, (struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return breaker__reach_allows(reach, (struct sockaddr *)&in6);
}

static void ranges_have_one_form(void **state)
{
    static const char *const good[] = {"10.0.0.0/8", "0.0.0.0/0", "10.1.2.3",   "10.1.2.3/32",
                                       "fd00::/8",   "::/0",      "fd00::1/128"};
    static const char *const bad[] = {
        "",         "10.0.0.0/",   "10.0.0.0/33", "10.0.0.1/8",   "10.0.0.0/08",
        "10.0.0/8", "fd00::/129",  "fd00::1/8",   "/8",           "10.0.0.0/-1",
        "a/8",      " 10.0.0.0/8", "10.0.0.0/8 ", "10.0.0.0/8/8", "[fd00::]/8"};
    breaker_network_t cidr;
    (void)state;

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i)
        assert_int_equal(breaker_network_parse(good[i], strlen(good[i]), &cidr), 0);
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i)
        assert_int_equal(breaker_network_parse(bad[i], strlen(bad[i]), &cidr), BREAKER_ERR_RANGE);
    assert_int_equal(breaker_network_parse(STRLIT("10.0.0.0\0/8"), &cidr), BREAKER_ERR_RANGE);
}

static void an_address_is_in_a_range_in_whatever_form_it_comes(void **state)
{
    const breaker_network_t networks[] = {cidr_of("10.0.0.0/8"), cidr_of("fd00::1")};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const struct sockaddr unix_address = {.sa_family = AF_UNIX};
    (void)state;

    assert_int_equal(inet_pton(AF_INET, "10.255.1.2", &in.sin_addr), 1);
    assert_true(breaker_networks_have(networks, 2, (struct sockaddr *)&in));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.255.1.2", &in6.sin6_addr), 1);
    assert_true(breaker_networks_have(networks, 2, (struct sockaddr *)&in6));
    assert_int_equal(inet_pton(AF_INET6, "fd00::1", &in6.sin6_addr), 1);
    assert_true(breaker_networks_have(networks, 2, (struct sockaddr *)&in6));
    assert_int_equal(inet_pton(AF_INET6, "fd00::2", &in6.sin6_addr), 1);
    assert_false(breaker_networks_have(networks, 2, (struct sockaddr *)&in6));
    assert_false(breaker_networks_have(networks, 0, (struct sockaddr *)&in));
    assert_false(breaker_networks_have(networks, 2, &unix_address));
}

static void without_ranges_all_but_special_addresses_are_allowed(void **state)
{
    static const char *const good[] = {"10.0.0.7",       "192.168.1.1", "8.8.8.8",
                                       "fd00::1",        "2001:db8::1", "::ffff:10.0.0.7",
                                       "223.255.255.255"};
    static const char *const never[] = {"0.0.0.0",           "0.1.2.3",
                                        "169.254.169.254",   "224.0.0.1",
                                        "239.1.2.3",         "240.0.0.1",
                                        "255.255.255.255",   "::",
                                        "fe80::1",           "febf::1",
                                        "ff02::1",           "::ffff:169.254.169.254",
                                        "::ffff:0.0.0.0",    "64:ff9b::a9fe:a9fe",
                                        "2002:a9fe:a9fe::1", "127.0.0.1",
                                        "127.255.0.9",       "::1",
                                        "::ffff:127.0.0.1"};
    breaker__reach_t reach = {.num_cidrs = 0};
    struct sockaddr other = {.sa_family = AF_UNIX};
    (void)state;

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i)
        assert_true(allows(&reach, good[i]));
    for (size_t i = 0; i != sizeof(never) / sizeof(never[0]); ++i)
        assert_false(allows(&reach, never[i]));
    assert_false(breaker__reach_allows(&reach, &other));
}

static void ranges_bound_what_is_allowed(void **state)
{
    breaker__reach_t reach = {.num_cidrs = 2};
    (void)state;

    reach.cidrs[0] = cidr_of("10.1.0.0/20");
    reach.cidrs[1] = cidr_of("fd00:1::/33");
    assert_true(allows(&reach, "10.1.0.0"));
    assert_true(allows(&reach, "10.1.15.255"));
    assert_true(allows(&reach, "::ffff:10.1.15.255"));
    assert_false(allows(&reach, "10.1.16.0"));
    assert_false(allows(&reach, "10.0.255.255"));
    assert_true(allows(&reach, "fd00:1:7fff::1"));
    assert_false(allows(&reach, "fd00:1:8000::1"));
    reach.cidrs[0] = cidr_of("0.0.0.0/0");
    reach.cidrs[1] = cidr_of("::/0");
    assert_true(allows(&reach, "8.8.8.8"));
    assert_false(allows(&reach, "127.0.0.1"));
    assert_false(allows(&reach, "::1"));
    assert_false(allows(&reach, "169.254.169.254"));
}

static void loopback_is_allowed_where_it_is_named(void **state)
{
    breaker__reach_t reach = {.num_cidrs = 1};
    (void)state;

    reach.cidrs[0] = cidr_of("127.0.0.0/8");
    assert_true(allows(&reach, "127.0.0.1"));
    assert_false(allows(&reach, "::1"));
    reach.cidrs[0] = cidr_of("::1");
    assert_true(allows(&reach, "::1"));
    reach = (breaker__reach_t){.allows_loopback = true};
    assert_true(allows(&reach, "::1"));
    assert_true(allows(&reach, "127.0.0.1"));
}

static void addresses_become_urls(void **state)
{
    static const struct {
        const char *address, *url;
    } cases[] = {
        {"10.0.0.7:8080", "http://10.0.0.7:8080"},
        {"node-1.example_x:80", "http://node-1.example_x:80"},
        {"[fd00::7]:8080", "http://[fd00::7]:8080"},
        {"https://node:443", "https://node:443"},
        {"http://node:443", "http://node:443"},
        {"https://[::1]:65535", "https://[::1]:65535"},
        {"", NULL},
        {":80", NULL},
        {"node", NULL},
        {"node:", NULL},
        {"node:0", NULL},
        {"node:65536", NULL},
        {"node:123456", NULL},
        {"node:8o", NULL},
        {"u@node:80", NULL},
        {"u:p@node:80", NULL},
        {"node:80/", NULL},
        {"node:80?x", NULL},
        {"node:80#x", NULL},
        {"ftp://node:80", NULL},
        {"https://https://node:80", NULL},
        {"fd00::7:80", NULL},
        {"[fd00::7:80", NULL},
        {"[node]:80", NULL},
        {"[]:80", NULL},
        {"[fe80::1%eth0]:80", NULL},
        {"no de:80", NULL},
        {"node\r\n:80", NULL},
        {"node\\:80", NULL},
    };
    char url[BREAKER__PEER_URL_MAX + 1];
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        size_t len = strlen(cases[i].address);
        char *copy = guarded_copy(cases[i].address, len);
        int err = breaker__address_url(copy, len, url);
        guarded_free(copy, len);
        assert_int_equal(err, cases[i].url != NULL ? 0 : BREAKER_ERR_RANGE);
        if (err == 0)
            assert_string_equal(url, cases[i].url);
    }
}

static void loopback_is_seen_in_an_address(void **state)
{
    (void)state;
    assert_true(breaker__address_is_loopback("127.0.0.1:80"));
    assert_true(breaker__address_is_loopback("https://127.1.2.3:80"));
    assert_true(breaker__address_is_loopback("[::1]:80"));
    assert_true(breaker__address_is_loopback("LocalHost:80"));
    assert_false(breaker__address_is_loopback("10.0.0.7:80"));
    assert_false(breaker__address_is_loopback("localhost.example:80"));
    assert_false(breaker__address_is_loopback("[::2]:80"));
    assert_false(breaker__address_is_loopback(""));
    assert_false(breaker__address_is_loopback(NULL));
}

/* ---- lists ---- */

static void a_list_is_read_as_it_was_written(void **state)
{
    breaker__peers_held_t list[BREAKER__PEERS_HELD_MAX], read[BREAKER__PEERS_HELD_MAX];
    char text[BREAKER__PEERS_HELD_LEN_MAX];
    size_t len, num;
    (void)state;

    memset(list, 0, sizeof(list));
    for (size_t i = 0; i != BREAKER__PEERS_HELD_MAX; ++i) {
        list[i].id.len = BREAKER_RELEASE_ID_MAX - i;
        memset(list[i].id.text, 'a', list[i].id.len);
        list[i].is_complete = i % 2 == 0;
    }
    for (size_t n = 0; n <= BREAKER__PEERS_HELD_MAX; ++n) {
        memset(read, 0, sizeof(read));
        len = breaker__held_format(list, n, text);
        assert_int_equal(breaker__held_parse(text, len, read, &num), 0);
        assert_int_equal(num, n);
        for (size_t i = 0; i != n; ++i) {
            assert_true(breaker_release_id_equal(&read[i].id, &list[i].id));
            assert_int_equal(read[i].is_complete, list[i].is_complete);
        }
        for (size_t cut = 0; cut < len; ++cut) {
            char *copy = guarded_copy(text, cut);
            int err = breaker__held_parse(copy, cut, read, &num);
            guarded_free(copy, cut);
            assert_true(err == 0 ? text[cut - 1] == '\n' : err == BREAKER_ERR_DAMAGED);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_is_the_one_that_is_documented),
        cmocka_unit_test(each_key_of_the_cluster_makes_a_member),
        cmocka_unit_test(the_time_may_differ_by_half_a_minute),
        cmocka_unit_test(another_path_needs_another_signature),
        cmocka_unit_test(no_byte_of_a_signature_can_be_another),
        cmocka_unit_test(what_has_another_form_is_no_signature),
        cmocka_unit_test(a_clock_that_is_beyond_all_time_is_time_0),
        cmocka_unit_test(ranges_have_one_form),
        cmocka_unit_test(an_address_is_in_a_range_in_whatever_form_it_comes),
        cmocka_unit_test(without_ranges_all_but_special_addresses_are_allowed),
        cmocka_unit_test(ranges_bound_what_is_allowed),
        cmocka_unit_test(loopback_is_allowed_where_it_is_named),
        cmocka_unit_test(addresses_become_urls),
        cmocka_unit_test(loopback_is_seen_in_an_address),
        cmocka_unit_test(a_list_is_read_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
