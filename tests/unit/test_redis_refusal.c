/* What servers refuse, in words that say what to do about it, of all versions of Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "guard.h"
#include "redis/refusal.h"

#define LIST "deploy/redis/users.acl lists what a user needs"

static void print(const char *said, const char *password, char *dst, size_t size)
{
    size_t len = strlen(said);
    char *base = guarded_copy(said, len);
    breaker_reply_t reply = {.type = BREAKER_REPLY_ERROR, .base = base, .len = len};

    breaker__refusal_print(&reply, password, dst, size);
    guarded_free(base, len);
}

static void what_a_configuration_mends_is_said_in_our_words(void **state)
{
    static const struct {
        const char *said, *words;
    } cases[] = {
        {"NOAUTH Authentication required.", "a password is missing (NOAUTH)"},
        {"ERR Protocol error: unauthenticated multibulk length", "a password is missing (NOAUTH)"},
        {"ERR Protocol error: unauthenticated bulk length", "a password is missing (NOAUTH)"},
        {"WRONGPASS invalid username-password pair or user is disabled.",
         "wrong user or password (WRONGPASS)"},
        /* of 7.0 and 7.2 */
        {"NOPERM this user has no permissions to run the 'evalsha' command",
         "the user may not run 'evalsha' (NOPERM): " LIST},
        {"NOPERM User breaker has no permissions to run the 'cluster|nodes' command",
         "the user may not run 'cluster|nodes' (NOPERM): " LIST},
        /* of 6.2 */
        {"NOPERM this user has no permissions to run the 'eval' command or its subcommand",
         "the user may not run 'eval' (NOPERM): " LIST},
        {"NOPERM this user has no permissions to access one of the keys used as arguments",
         "the user may not use the keys (NOPERM): " LIST},
        {"NOPERM No permissions to access a key", "the user may not use the keys (NOPERM): " LIST},
        /* inside of a script */
        {"ERR The user executing the script can't run this command or subcommand script: 7481, on "
         "@user_script:1.",
         "the user may not run a command of the script (NOPERM): " LIST},
        {"ERR The user executing the script can't access at least one of the keys mentioned in the "
         "command arguments",
         "the user may not use the keys (NOPERM): " LIST},
        {"NOPERM ACL failure in script: User breaker has no permissions to run the 'zadd' command",
         "the user may not run 'zadd' (NOPERM): " LIST},
        {"ERR DB index is out of range", "the server has no database of this number"},
        {"ERR SELECT is not allowed in cluster mode", "a Redis Cluster has database 0 only"},
    };
    char words[256];
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        print(cases[i].said, NULL, words, sizeof(words));
        assert_string_equal(words, cases[i].words);
    }
}

static void what_is_said_to_auth_is_about_the_password_or_not(void **state)
{
    static const struct {
        const char *said, *words;
        bool is_of_password;
    } cases[] = {
        {"WRONGPASS invalid username-password pair or user is disabled.",
         "AUTH: wrong user or password", true},
        /* before 6 */
        {"ERR invalid password", "AUTH: wrong user or password", true},
        {"ERR Client sent AUTH, but no password is set", "AUTH: the server has no password", false},
        {"ERR AUTH <password> called without any password configured for the default user. Are you "
         "sure your configuration is correct?",
         "AUTH: the server has no password", false},
        {"ERR wrong number of arguments for 'auth' command",
         "AUTH: the server knows no users, only a password", false},
        {"NOPERM User default has no permissions to run the 'auth' command",
         "AUTH: whoever connects may not run it (NOPERM): the user default lacks +auth", false},
        {"LOADING Redis is loading the dataset in memory",
         "the server is loading its data (LOADING)", false},
        {"ERR max number of clients reached", "the server has its maximum of clients", false},
        {"DENIED Redis is running in protected mode", "the server is in protected mode", false},
        {"ERR unknown command `AUTH`, with args beginning with: `WRONGPASS`, ",
         "AUTH: the server does not know this command", false},
        {"ERR something of a proxy", "AUTH was refused", true},
    };
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        size_t len = strlen(cases[i].said);
        char *base = guarded_copy(cases[i].said, len);
        breaker_reply_t reply = {.type = BREAKER_REPLY_ERROR, .base = base, .len = len};
        assert_string_equal(breaker__refusal_of_auth(&reply), cases[i].words);
        assert_true(breaker__refusal_is_of_password(&reply) == cases[i].is_of_password);
        guarded_free(base, len);
    }
}

static void everything_else_is_the_servers_own_words_in_one_printable_line(void **state)
{
    static const char *const cases[] = {
        "LOADING Redis is loading the dataset in memory",
        "NOPERM for some reason of a later version",
        "NOPERM no permissions to run the 'ev",
        "NOPERM no permissions to run the ''",
        "NOPERM no permissions to run the 'A B' command",
        "",
    };
    char words[256];
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        print(cases[i], NULL, words, sizeof(words));
        assert_string_equal(words, cases[i]);
    }
    print("ERR a\r\nb\x1b\xff", NULL, words, sizeof(words));
    assert_string_equal(words, "ERR a??b??");
}

static void a_refusal_is_cut_to_its_room(void **state)
{
    char words[8];
    (void)state;

    print("LOADING Redis", NULL, words, sizeof(words));
    assert_string_equal(words, "LOADING");
    print("NOAUTH Authentication required.", NULL, words, sizeof(words));
    assert_string_equal(words, "a passw");
    print("LOADING Redis", NULL, words, 1);
    assert_string_equal(words, "");
}

static void a_password_is_never_repeated(void **state)
{
    char words[256];
    (void)state;

    print("ERR unknown command hunter2", "hunter2", words, sizeof(words));
    assert_string_equal(words, "an error that repeats the password");
    print("NOPERM no permissions to run the 'hunter2' command", "hunter2", words, sizeof(words));
    assert_string_equal(words, "an error that repeats the password");
    print("ERR unknown command", "", words, sizeof(words));
    assert_string_equal(words, "ERR unknown command");
}

static void what_is_no_error_is_said_so(void **state)
{
    breaker_reply_t reply = {.type = BREAKER_REPLY_INTEGER, .integer = 1};
    char words[256];
    (void)state;

    breaker_redis_refusal(&reply, words, sizeof(words));
    assert_string_equal(words, "an answer of another kind");
    assert_false(breaker__refusal_is_permission(&reply));
    assert_string_equal(breaker__refusal_of_auth(&reply), "AUTH: an answer of another kind");
    assert_false(breaker__refusal_is_of_password(&reply));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_configuration_mends_is_said_in_our_words),
        cmocka_unit_test(what_is_said_to_auth_is_about_the_password_or_not),
        cmocka_unit_test(everything_else_is_the_servers_own_words_in_one_printable_line),
        cmocka_unit_test(a_refusal_is_cut_to_its_room),
        cmocka_unit_test(a_password_is_never_repeated),
        cmocka_unit_test(what_is_no_error_is_said_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
