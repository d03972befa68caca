/* URLs of Redis: what is accepted, what is refused, and that nothing of a URL is repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "guard.h"
#include "redis/servers.h"
#include "redis/url.h"

#define BYTES_50 "01234567890123456789012345678901234567890123456789"
#define BYTES_250 BYTES_50 BYTES_50 BYTES_50 BYTES_50 BYTES_50
#define BYTES_100 BYTES_50 BYTES_50

static int parse(const char *text, breaker__redis_url_t *ret_url, breaker_error_t *error)
{
    size_t len = strlen(text);
    char *base = guarded_copy(text, len);
    int err = breaker__redis_url_parse(base, len, ret_url, error);

    guarded_free(base, len);
    return err;
}

static void every_accepted_form_is_taken_apart(void **state)
{
    static const struct {
        const char *url, *where, *user, *password;
        bool tls;
        uint32_t db;
    } cases[] = {
        {"redis://h", "h:6379", NULL, NULL, false, 0},
        {"redis://h/", "h:6379", NULL, NULL, false, 0},
        {"redis://redis-1.my_cluster.example:1/15", "redis-1.my_cluster.example:1", NULL, NULL,
         false, 15},
        {"redis://10.0.0.5:65535/999999999", "10.0.0.5:65535", NULL, NULL, false, 999999999},
        {"redis://[::1]", "[::1]:6379", NULL, NULL, false, 0},
        {"redis://[fe80::1%eth0]:7000/1", "[fe80::1%eth0]:7000", NULL, NULL, false, 1},
        {"rediss://h:6380", "h:6380", NULL, NULL, true, 0},
        {"redis://:secret@h", "h:6379", NULL, "secret", false, 0},
        {"redis://user@h", "h:6379", "user", NULL, false, 0},
        {"redis://user:@h", "h:6379", "user", NULL, false, 0},
        {"redis://user:secret@h:7/2", "h:7", "user", "secret", false, 2},
        {"rediss://u%3Aser:s%40%2f%25%c3%A4:t@h", "h:6379", "u:ser", "s@/%\xc3\xa4:t", true, 0},
        {"redis://user:a+b?c#d@h", "h:6379", "user", "a+b?c#d", false, 0},
        {"unix:///run/redis.sock", "/run/redis.sock", NULL, NULL, false, 0},
        {"unix:///run/my%20redis%3f.sock?db=3", "/run/my redis?.sock", NULL, NULL, false, 3},
        {"unix://user:secret@/s", "/s", "user", "secret", false, 0},
        {"unix://:secret@/s?db=0", "/s", NULL, "secret", false, 0},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        char where[BREAKER__ENDPOINT_TEXT_MAX];
        breaker__redis_url_t url;
        breaker_error_t error;

        if (parse(cases[i].url, &url, &error) != 0)
            fail_msg("%s: %s", cases[i].url, error.message);
        breaker__endpoint_print(&url.endpoint, where);
        assert_string_equal(where, cases[i].where);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.db, cases[i].db);
        assert_int_equal(url.has_user, cases[i].user != NULL);
        assert_int_equal(url.has_password, cases[i].password != NULL);
        assert_string_equal(url.user, cases[i].user != NULL ? cases[i].user : "");
        assert_string_equal(url.password, cases[i].password != NULL ? cases[i].password : "");
    }
}

static void what_is_malformed_is_refused_with_the_part_that_is_wrong(void **state)
{
    static const struct {
        const char *url, *word;
    } cases[] = {
        {"", "begins with"},
        {"redis:", "begins with"},
        {"redis:/h", "begins with"},
        {"http://h", "begins with"},
        {"REDIS://h", "begins with"},
        {" redis://h", "begins with"},
        {"unix://run/redis.sock", "path begins with /"},
        {"unix://", "path begins with /"},
        {"unix://h/run/redis.sock", "path begins with /"},
        {"unix:///s?db=x", "database"},
        {"unix:///s?db=", "database"},
        {"unix:///s?database=1", "?db=N"},
        {"unix:///s?", "?db=N"},
        {"unix:///s%00", "path"},
        {"unix:///s%", "path"},
        {"unix:///s%0a", "path"},
        {"unix:///s\x7f", "path"},
        {"unix:///" BYTES_100 "1234567", "path"},
        {"redis://", "host"},
        {"redis:///1", "host"},
        {"redis://:6379", "host"},
        {"redis://user:p@", "host"},
        {"redis://h ", "host"},
        {"redis://h\x01", "host"},
        {"redis://h%20", "host"},
        {"redis://h?db=1", "host"},
        {"redis://" BYTES_250 "1234", "host"},
        {"redis://h:", "port"},
        {"redis://h:0", "port"},
        {"redis://h:65536", "port"},
        {"redis://h:-1", "port"},
        {"redis://h:6379x", "port"},
        {"redis://h:99999999999999999999", "port"},
        {"redis://::1", "port"},
        {"redis://[::1", "brackets"},
        {"redis://[h]", "brackets"},
        {"redis://[]", "brackets"},
        {"redis://[::1]6379", "colon"},
        {"redis://h/x", "database"},
        {"redis://h/-1", "database"},
        {"redis://h/1/", "database"},
        {"redis://h/1?x=y", "database"},
        {"redis://h/1000000000", "database"},
        {"redis://h/4294967297", "database"},
        {"redis://@h", "before the @"},
        {"redis://:@h", "before the @"},
        {"redis://user:p@ss@h", "%40"},
        {"redis://user:p%0@h", "password"},
        {"redis://user:p%zz@h", "password"},
        {"redis://user:p%00@h", "password"},
        {"redis://user%:p@h", "user"},
        {"redis://" BYTES_250 "123456@h", "user"},
        {"redis://:" BYTES_250 BYTES_250 BYTES_250 BYTES_250 "0123456789012345678901234@h",
         "password"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker__redis_url_t url, untouched;
        breaker_error_t error;

        memset(&url, 0x5a, sizeof(url));
        untouched = url;
        if (parse(cases[i].url, &url, &error) != BREAKER_ERR_RANGE)
            fail_msg("accepted: %s", cases[i].url);
        if (strstr(error.message, cases[i].word) == NULL)
            fail_msg("%s: %s", cases[i].url, error.message);
        assert_memory_equal(&url, &untouched, sizeof(url));
    }
}

static void the_longest_parts_fit(void **state)
{
    static const char *const urls[] = {
        "redis://" BYTES_250 "123",
        "redis://" BYTES_250 "12345:p@h",
        "redis://:" BYTES_250 BYTES_250 BYTES_250 BYTES_250 "01234567890123456789012@h",
        "unix:///" BYTES_100 "123456",
    };

    (void)state;
    for (size_t i = 0; i != sizeof(urls) / sizeof(urls[0]); ++i) {
        breaker__redis_url_t url;
        breaker_error_t error;
        char where[BREAKER__ENDPOINT_TEXT_MAX];

        if (parse(urls[i], &url, &error) != 0)
            fail_msg("%zu: %s", i, error.message);
        breaker__endpoint_print(&url.endpoint, where);
        assert_true(strlen(where) < sizeof(where));
    }
}

/* Cut and damaged at every byte, a URL is read or refused, but its secret is never told. */
static void no_message_shows_the_password(void **state)
{
    static const char *const urls[] = {
        "redis://user:hunter2@host:6379/1",
        "redis://hunter2@host:6379/1",
        "unix://user:hunter2@/run/redis.sock?db=1",
    };

    (void)state;
    for (size_t i = 0; i != sizeof(urls) / sizeof(urls[0]); ++i) {
        for (size_t at = 0; at != strlen(urls[i]); ++at) {
            for (int byte = 0; byte != 256; ++byte) {
                char text[64];
                breaker__redis_url_t url;
                breaker_error_t error = {.code = 0};

                snprintf(text, sizeof(text), "%s", urls[i]);
                text[at] = (char)byte;
                if (parse(text, &url, &error) == 0)
                    continue;
                if (strstr(error.message, "unter") != NULL)
                    fail_msg("%s: %s", text, error.message);
            }
        }
    }
}

static void ports_are_decimal_and_in_range(void **state)
{
    (void)state;
    assert_int_equal(breaker__port_parse("1", 1), 1);
    assert_int_equal(breaker__port_parse("65535", 5), 65535);
    assert_int_equal(breaker__port_parse("06379", 5), 6379);
    assert_int_equal(breaker__port_parse("63790", 4), 6379);
    assert_int_equal(breaker__port_parse("", 0), 0);
    assert_int_equal(breaker__port_parse("65536", 5), 0);
    assert_int_equal(breaker__port_parse("+1", 2), 0);
    assert_int_equal(breaker__port_parse("1 ", 2), 0);
}

/* whoever is led there by one URL would agree with nobody who is led by another */
static void several_urls_have_one_database(void **state)
{
    static const struct {
        const char *urls[3], *sentinel, *refusal;
    } cases[] = {
        {{"redis://a/7", "redis://:secret@b/7", "unix:///s?db=7"}, NULL, NULL},
        {{"redis://a", "redis://b/0", "rediss://c"}, "shop", NULL},
        {{"redis://a", "redis://b", "redis://:secret@c/1"},
         NULL,
         "URL 3 of Redis: database 1, but URL 1 has database 0"},
        {{"redis://a/2", "unix:///s", "redis://b/2"},
         "shop",
         "URL 2 of Redis: database 0, but URL 1 has database 2"},
    };
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker__servers_t servers = {.num_urls = 0};
        breaker_redis_config_t config;
        breaker_error_t error;

        breaker_redis_config_init(&config);
        config.urls = cases[i].urls;
        config.num_urls = 3;
        config.sentinel = cases[i].sentinel;
        assert_int_equal(breaker__servers_init(&servers, &config, &error),
                         cases[i].refusal != NULL ? BREAKER_ERR_RANGE : 0);
        if (cases[i].refusal != NULL)
            assert_string_equal(error.message, cases[i].refusal);
        breaker__servers_dispose(&servers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_form_is_taken_apart),
        cmocka_unit_test(what_is_malformed_is_refused_with_the_part_that_is_wrong),
        cmocka_unit_test(the_longest_parts_fit),
        cmocka_unit_test(no_message_shows_the_password),
        cmocka_unit_test(ports_are_decimal_and_in_range),
        cmocka_unit_test(several_urls_have_one_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
