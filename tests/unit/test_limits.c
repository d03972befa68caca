/*
 * Limits that stand twice because two languages need them: what agree.lua says in Redis is what C
 * says here. Whoever changes one of them is told of the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <breaker/cluster.h>
#include <breaker/ledger.h>
#include <breaker/script.h>
#include <breaker/token.h>
#include "cluster/script.h"

static void assert_says(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void assert_says(const char *format, ...)
{
    char expected[256];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof(expected), format, args);
    va_end(args);
    if (strstr(breaker__agree_lua, expected) == NULL)
        fail_msg("agree.lua does not say: %s", expected);
}

static void the_script_keeps_and_tells_as_much_as_c_takes(void **state)
{
    (void)state;
    assert_says("HISTORY, KEPT, AHEAD_MS = %d, %d, ", BREAKER_LEDGER_HISTORY,
                BREAKER_LEDGER_SHARED_MAX);
    assert_says("FORGET_MS, PAGE, FLEET_MAX = 2 ^ 53, 600000, %d, ", BREAKER_SCRIPT_PAGE_MAX);
}

static void the_script_takes_names_as_long_as_c_writes_them(void **state)
{
    (void)state;
    assert_says("return is_word(text, %d)", BREAKER_TOKEN_MAX);
    assert_says("return is_word(text, %d)", BREAKER_RELEASE_ID_MAX);
    assert_says("#address <= %d and", BREAKER_ADVERTISE_MAX);
    assert_says("#id <= %d and", BREAKER_NODE_ID_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_script_keeps_and_tells_as_much_as_c_takes),
        cmocka_unit_test(the_script_takes_names_as_long_as_c_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
