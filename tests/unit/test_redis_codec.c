/*
 * Replies of Redis out of untrusted bytes: what is accepted, however it is cut, what is refused,
 * and what sentinels and clusters say in them. Also commands, the other way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guard.h"
#include "redis/redirect.h"
#include "redis/codec.h"
#include "redis/sentinel.h"

/* ---- replies as text ---- */

typedef struct st_text_t {
    char base[2048];
    size_t len;
} text_t;

static void add(text_t *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(text_t *text, const char *format, ...)
{
    size_t room = sizeof(text->base) - text->len;
    va_list args;
    int written;

    va_start(args, format);
    written = vsnprintf(text->base + text->len, room, format, args);
    va_end(args);
    assert_true(written >= 0);
    text->len += (size_t)written < room ? (size_t)written : room - 1;
}

static void print(text_t *text, const breaker_reply_t *reply)
{
    assert_non_null(reply);
    switch (reply->type) {
    case BREAKER_REPLY_NIL:
        add(text, "nil");
        return;
    case BREAKER_REPLY_STATUS:
        add(text, "+%.*s", (int)reply->len, reply->base);
        return;
    case BREAKER_REPLY_ERROR:
        add(text, "-%.*s", (int)reply->len, reply->base);
        return;
    case BREAKER_REPLY_INTEGER:
        add(text, "%" PRId64, reply->integer);
        return;
    case BREAKER_REPLY_STRING:
        add(text, "'%.*s'", (int)reply->len, reply->base);
        return;
    case BREAKER_REPLY_ARRAY:
        add(text, "[");
        for (size_t i = 0; i != reply->num_elements; ++i)
            print(text, reply->elements[i]);
        add(text, "]");
        return;
    }
    fail_msg("a reply of type %d", (int)reply->type);
}

/* Feeds bytes in pieces; NULL with `ret_err` 0 means that more is needed. */
static breaker_reply_t *feed(breaker__codec_t *codec, const char *base, size_t len, size_t piece,
                             int *ret_err)
{
    breaker_reply_t *reply = NULL;

    *ret_err = 0;
    for (size_t at = 0; at < len; at += piece) {
        size_t size = len - at < piece ? len - at : piece;
        char *guarded = guarded_copy(base + at, size);

        assert_null(reply);
        *ret_err = breaker__codec_feed(codec, guarded, size, &reply);
        guarded_free(guarded, size);
        if (*ret_err != 0)
            return NULL;
    }
    return reply;
}

static breaker_reply_t *read_reply(const char *bytes)
{
    breaker__codec_t *codec = breaker__codec_create();
    int err;
    breaker_reply_t *reply = feed(codec, bytes, strlen(bytes), SIZE_MAX / 2, &err);

    assert_int_equal(err, 0);
    assert_non_null(reply);
    breaker__codec_free(codec);
    return reply;
}

static void a_reply_is_the_same_however_it_is_cut(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"+OK\r\n", "+OK"},
        {"+\r\n", "+"},
        {"-ERR no\r\n", "-ERR no"},
        {":0\r\n", "0"},
        {":-9223372036854775808\r\n", "-9223372036854775808"},
        {":9223372036854775807\r\n", "9223372036854775807"},
        {"$0\r\n\r\n", "''"},
        {"$4\r\na\r\nb\r\n", "'a\r\nb'"},
        {"$-1\r\n", "nil"},
        {"*-1\r\n", "nil"},
        {"*0\r\n", "[]"},
        {"*2\r\n*0\r\n*-1\r\n", "[[]nil]"},
        {"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-E\r\n", "['a'[1nil]-E]"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n", "[[[[[[[7]]]]]]]"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        for (size_t piece = 1; piece <= strlen(cases[i].bytes); ++piece) {
            breaker__codec_t *codec = breaker__codec_create();

            /* Twice, because one reply must leave nothing to the next. */
            for (int turn = 0; turn != 2; ++turn) {
                text_t text = {.len = 0};
                int err;
                breaker_reply_t *reply =
                    feed(codec, cases[i].bytes, strlen(cases[i].bytes), piece, &err);

                assert_int_equal(err, 0);
                print(&text, reply);
                assert_string_equal(text.base, cases[i].text);
                breaker__reply_free(reply);
            }
            breaker__codec_free(codec);
        }
    }
}

static void what_is_no_reply_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *bytes, *word;
    } cases[] = {
        {"OK\r\n", "reply type byte"},
        {"\r\n", "reply type byte"},
        {">1\r\n", ""},
        {"%1\r\n", ""},
        {"_\r\n", ""},
        {"#t\r\n", ""},
        {",1.5\r\n", ""},
        {"*1\r\n,1.5\r\n", ""},
        {":\r\n", "integer"},
        {":1 \r\n", "integer"},
        {":9223372036854775808\r\n", "integer"},
        {"$x\r\n", "bulk"},
        {"$-2\r\n", "range"},
        {"*-2\r\n", "range"},
        {"*1025\r\n", "1024 elements"},
        {"*2147483647\r\n", "1024 elements"},
        {"*9223372036854775807\r\n", "range"},
        {"*2\r\n*1023\r\n", "1024 elements"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", ""},
        {"+OK\r\n+", "nobody asked"},
        {"+OK\r\n+OK\r\n", "nobody asked"},
        {"*0\r\n\r\n", "nobody asked"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker__codec_t *codec = breaker__codec_create();
        int err;

        assert_null(feed(codec, cases[i].bytes, strlen(cases[i].bytes), SIZE_MAX / 2, &err));
        if (err != BREAKER_ERR_RANGE || breaker__codec_reason(codec)[0] == '\0' ||
            strstr(breaker__codec_reason(codec), cases[i].word) == NULL)
            fail_msg("%s: %d, %s", cases[i].bytes, err, breaker__codec_reason(codec));
        breaker__codec_free(codec);
    }
}

/* A string whose reply is `total` bytes long, header and end included. */
static char *long_string(size_t total)
{
    char *bytes = malloc(total + 1);
    size_t header;

    assert_non_null(bytes);
    memset(bytes, 'x', total);
    header = (size_t)sprintf(bytes, "$%zu\r\n", total - sizeof("$262133\r\n\r\n") + 1);
    bytes[header] = 'x';
    memcpy(bytes + total - 2, "\r\n", 3);
    return bytes;
}

static void a_reply_of_256_kib_is_the_longest(void **state)
{
    static const size_t pieces[] = {1000, 65536, SIZE_MAX / 2};

    (void)state;
    for (size_t over = 0; over != 2; ++over) {
        size_t total = BREAKER_REDIS_REPLY_MAX + over;
        char *bytes = long_string(total);
        for (size_t i = 0; i != sizeof(pieces) / sizeof(pieces[0]); ++i) {
            breaker__codec_t *codec = breaker__codec_create();
            int err;
            breaker_reply_t *reply = feed(codec, bytes, total, pieces[i], &err);

            assert_int_equal(err, over == 0 ? 0 : BREAKER_ERR_RANGE);
            assert_int_equal(reply != NULL, over == 0);
            breaker__reply_free(reply);
            breaker__codec_free(codec);
        }
        free(bytes);
    }
}

static void a_reply_of_1024_elements_is_the_largest(void **state)
{
    char bytes[8192];
    size_t len = (size_t)sprintf(bytes, "*2\r\n*1022\r\n");
    breaker__codec_t *codec = breaker__codec_create();
    breaker_reply_t *reply;
    int err;

    (void)state;
    for (size_t i = 0; i != 1023; ++i)
        len += (size_t)sprintf(bytes + len, ":%zu\r\n", i % 10);
    for (int turn = 0; turn != 2; ++turn) {
        reply = feed(codec, bytes, len, 100, &err);
        assert_int_equal(err, 0);
        assert_int_equal(reply->elements[0]->num_elements, 1022);
        assert_int_equal(reply->elements[0]->elements[1021]->integer, 1021 % 10);
        assert_int_equal(reply->elements[1]->integer, 1022 % 10);
        breaker__reply_free(reply);
    }
    breaker__codec_free(codec);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static size_t count(const breaker_reply_t *reply, size_t depth)
{
    size_t num = reply->num_elements;

    assert_true(depth <= BREAKER__REPLY_DEPTH_MAX);
    for (size_t i = 0; i != reply->num_elements; ++i) {
        assert_non_null(reply->elements[i]);
        num += count(reply->elements[i], depth + 1);
    }
    return num;
}

/* Whatever happens to a good reply, what is accepted is whole and within the limits. */
static void damaged_replies_are_refused_or_whole(void **state)
{
    static const char good[] =
        "*4\r\n$3\r\nabc\r\n*3\r\n:12\r\n$-1\r\n*2\r\n+OK\r\n-ERR x\r\n$2\r\n\r\n\r\n*0\r\n";
    static const char bytes[] = "*$+-:\r\n0123456789>%#_,(\xff";
    uint64_t seed = 20261123;

    (void)state;
    for (int turn = 0; turn != 50000; ++turn) {
        breaker__codec_t *codec = breaker__codec_create();
        char damaged[sizeof(good)];
        size_t len = sizeof(good) - 1;
        breaker_reply_t *reply;
        int err;

        memcpy(damaged, good, sizeof(good));
        for (uint64_t times = next_random(&seed) % 4 + 1; times != 0; --times)
            damaged[next_random(&seed) % len] = bytes[next_random(&seed) % (sizeof(bytes) - 1)];
        if (next_random(&seed) % 4 == 0)
            len = next_random(&seed) % len;
        reply = feed(codec, damaged, len, SIZE_MAX / 2, &err);
        if (reply != NULL)
            assert_true(count(reply, 0) <= BREAKER_REDIS_ELEMENTS_MAX);
        if (err != 0)
            assert_int_not_equal(breaker__codec_reason(codec)[0], '\0');
        breaker__reply_free(reply);
        breaker__codec_free(codec);
    }
}

/* ---- commands ---- */

static void commands_are_arrays_of_strings(void **state)
{
    static const char *const argv[] = {"SET", "a b", ""};
    static const size_t lens[] = {3, 3, 0};
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n";
    char *base;
    size_t len;

    (void)state;
    assert_int_equal(breaker__command_format(3, argv, lens, &base, &len), 0);
    assert_int_equal(len, sizeof(expected) - 1);
    assert_memory_equal(base, expected, len);
    breaker__command_free(base, len);
    breaker__command_free(NULL, 0);
}

static void commands_beyond_the_limits_are_refused(void **state)
{
    static const size_t too_long[][2] = {
        {1, BREAKER__COMMAND_MAX}, {SIZE_MAX, SIZE_MAX}, {1, SIZE_MAX}};
    const char *argv[BREAKER__COMMAND_ARGS_MAX + 1];
    size_t lens[BREAKER__COMMAND_ARGS_MAX + 1], len = 7;
    char *base = NULL;

    (void)state;
    for (size_t i = 0; i != BREAKER__COMMAND_ARGS_MAX + 1; ++i) {
        argv[i] = "x";
        lens[i] = 1;
    }
    assert_int_equal(breaker__command_format(0, argv, lens, &base, &len), BREAKER_ERR_TOO_LONG);
    assert_int_equal(
        breaker__command_format(BREAKER__COMMAND_ARGS_MAX + 1, argv, lens, &base, &len),
        BREAKER_ERR_TOO_LONG);
    for (size_t i = 0; i != sizeof(too_long) / sizeof(too_long[0]); ++i)
        assert_int_equal(breaker__command_format(2, argv, too_long[i], &base, &len),
                         BREAKER_ERR_TOO_LONG);
    assert_null(base);
    assert_int_equal(len, 7);
    assert_int_equal(breaker__command_format(BREAKER__COMMAND_ARGS_MAX, argv, lens, &base, &len),
                     0);
    breaker__command_free(base, len);
}

/* ---- what sentinels and clusters say ---- */

static void redirections_are_read(void **state)
{
    static const struct {
        const char *bytes, *where;
        bool ask;
    } cases[] = {
        {"-MOVED 0 10.0.0.1:6379\r\n", "10.0.0.1:6379", false},
        {"-ASK 16383 node-2.example:65535\r\n", "node-2.example:65535", true},
        {"-MOVED 3999 ::1:7000\r\n", "[::1]:7000", false},
        {"-MOVED 3999 :7000\r\n", "from:7000", false},
        {"-MOVED 3999\r\n", NULL, false},
        {"-MOVED 16384 a:1\r\n", NULL, false},
        {"-MOVED 1 a:0\r\n", NULL, false},
        {"-MOVED 1 a\r\n", NULL, false},
        {"-MOVED 1 ?:1\r\n", NULL, false},
        {"-MOVEDX 1 a:1\r\n", NULL, false},
        {"+MOVED 1 a:1\r\n", NULL, false},
        {"$12\r\nMOVED 1 a:11\r\n", NULL, false},
        {"*1\r\n-MOVED 1 a:1\r\n", NULL, false},
    };
    breaker__endpoint_t from, path = {.path = "/run/redis.sock"};
    breaker__redirect_t redirect;

    (void)state;
    assert_true(breaker__endpoint_set(&from, "from", 4, 1));
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker_reply_t *reply = read_reply(cases[i].bytes);
        char where[BREAKER__ENDPOINT_TEXT_MAX];

        if (breaker__redirect_read(reply, &from, &redirect) != (cases[i].where != NULL))
            fail_msg("%s", cases[i].bytes);
        if (cases[i].where != NULL) {
            breaker__endpoint_print(&redirect.endpoint, where);
            assert_string_equal(where, cases[i].where);
            assert_int_equal(redirect.ask, cases[i].ask);
        }
        breaker__reply_free(reply);
    }
    /* A socket's path has no host that could be meant. */
    breaker_reply_t *reply = read_reply("-MOVED 3999 :7000\r\n");
    assert_false(breaker__redirect_read(reply, &path, &redirect));
    breaker__reply_free(reply);
}

static void answers_of_sentinels_are_read(void **state)
{
    static const struct {
        const char *bytes, *where, *wrong;
    } cases[] = {
        {"*2\r\n$8\r\n10.0.0.5\r\n$4\r\n6379\r\n", "10.0.0.5:6379", NULL},
        {"*2\r\n$3\r\n::1\r\n$4\r\n6379\r\n", "[::1]:6379", NULL},
        {"*-1\r\n", NULL, "does not know"},
        {"$-1\r\n", NULL, "does not know"},
        {"*0\r\n", NULL, "not how"},
        {"*1\r\n$1\r\na\r\n", NULL, "not how"},
        {"*3\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n", NULL, "not how"},
        {"*2\r\n$1\r\na\r\n:1\r\n", NULL, "not how"},
        {"*2\r\n$-1\r\n$1\r\n1\r\n", NULL, "not how"},
        {"*2\r\n*0\r\n$1\r\n1\r\n", NULL, "not how"},
        {"+OK\r\n", NULL, "not how"},
        {"*2\r\n$0\r\n\r\n$1\r\n1\r\n", NULL, "no address"},
        {"*2\r\n$1\r\na\r\n$0\r\n\r\n", NULL, "no address"},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker_reply_t *reply = read_reply(cases[i].bytes);
        breaker__endpoint_t endpoint;
        char where[BREAKER__ENDPOINT_TEXT_MAX];
        const char *wrong = breaker__sentinel_answer(reply, &endpoint);

        if (cases[i].where != NULL) {
            assert_null(wrong);
            breaker__endpoint_print(&endpoint, where);
            assert_string_equal(where, cases[i].where);
        } else {
            assert_non_null(wrong);
            assert_non_null(strstr(wrong, cases[i].wrong));
        }
        breaker__reply_free(reply);
    }
}

static void only_a_master_is_a_master(void **state)
{
    static const struct {
        const char *bytes;
        bool is_master;
    } cases[] = {
        {"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", true},
        {"*1\r\n$6\r\nmaster\r\n", true},
        {"*1\r\n$5\r\nslave\r\n", false},
        {"*1\r\n$8\r\nsentinel\r\n", false},
        {"*1\r\n$7\r\nmasters\r\n", false},
        {"*1\r\n+master\r\n", false},
        {"*1\r\n$-1\r\n", false},
        {"*1\r\n*1\r\n$6\r\nmaster\r\n", false},
        {"*0\r\n", false},
        {"$6\r\nmaster\r\n", false},
        {"-ERR master\r\n", false},
        {"*-1\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker_reply_t *reply = read_reply(cases[i].bytes);

        if (breaker__role_is_master(reply) != cases[i].is_master)
            fail_msg("%s", cases[i].bytes);
        breaker__reply_free(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_the_same_however_it_is_cut),
        cmocka_unit_test(what_is_no_reply_is_refused_with_a_reason),
        cmocka_unit_test(a_reply_of_256_kib_is_the_longest),
        cmocka_unit_test(a_reply_of_1024_elements_is_the_largest),
        cmocka_unit_test(damaged_replies_are_refused_or_whole),
        cmocka_unit_test(commands_are_arrays_of_strings),
        cmocka_unit_test(commands_beyond_the_limits_are_refused),
        cmocka_unit_test(redirections_are_read),
        cmocka_unit_test(answers_of_sentinels_are_read),
        cmocka_unit_test(only_a_master_is_a_master),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
