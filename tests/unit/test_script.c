/*
 * The script's layout, by tables: commands as the script takes them, and what is done when Redis
 * does not know the script that they name. Answers are in test_script_answer.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <openssl/sha.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "0123456789abcdef0123456789abcdef01234567"
/* EVALSHA and the script */
#define WORDS_BEFORE_KEYS 2
#define KEYS                                                                                       \
    "4", "{shop}:breaker", "{shop}:breaker:nodes", "{shop}:breaker:state", "{shop}:breaker:info"

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static breaker__script_caller_t make_caller(breaker_agreement_config_t *agreement)
{
    *agreement = (breaker_agreement_config_t){
        .release = release_of("r2"),
        .fixed = token_of("v1.2"),
        .suffix = "-a1b2c3d4",
        .poll_ms = 1000,
        .dead_after_ms = 30000,
    };
    return (breaker__script_caller_t){
        .app = "shop",
        .address = "10.0.0.7:8080",
        .id = "0011223344556677",
        .agreement = agreement,
    };
}

/* ---- commands ---- */

static void check_words(const breaker_script_command_t *command, const char *const *expected,
                        size_t num)
{
    assert_int_equal(command->argc, WORDS_BEFORE_KEYS + num);
    assert_string_equal(command->argv[0], "EVALSHA");
    assert_int_equal(command->argv_len[0], 7);
    assert_string_equal(command->argv[1], breaker__agree_lua_sha);
    assert_int_equal(command->argv_len[1], 40);
    for (size_t i = 0; i != num; ++i) {
        assert_string_equal(command->argv[WORDS_BEFORE_KEYS + i], expected[i]);
        assert_int_equal(command->argv_len[WORDS_BEFORE_KEYS + i], strlen(expected[i]));
    }
}

static void a_poll_has_the_scripts_layout(void **state)
{
    static const char *const expected[] = {
        KEYS,
        "mint",
        "r2",
        "10.0.0.7:8080",
        "0011223344556677",
        "v1.2",
        "-a1b2c3d4",
        "1718539201234",
        "30000",
        DIGEST,
        "1000",
        "17",
        "releases",
        "-",
        "5000 v1.2 r2 silence r1 1718539200000",
        "4000 v1.1 r1 join - 1718539100000",
        "3000 v1.0 r1",
    };
    breaker__poll_t poll = {.act = BREAKER__ACT_MINT, .wall_ms = 1718539201234, .digest = DIGEST};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    poll.fleet = 17;
    poll.num_entries = 3;
    poll.entries[0] = (breaker_ledger_entry_t){5000, token_of("v1.2"), release_of("r2")};
    poll.origins[0] =
        (breaker_origin_t){BREAKER_WHY_SILENCE, release_of("r1"), UINT64_C(1718539200000)};
    poll.entries[1] = (breaker_ledger_entry_t){4000, token_of("v1.1"), release_of("r1")};
    poll.origins[1] = (breaker_origin_t){.why = BREAKER_WHY_JOIN, .when_ms = 1718539100000};
    poll.entries[2] = (breaker_ledger_entry_t){3000, token_of("v1.0"), release_of("r1")};
    breaker__script_poll(&command, &caller, &poll, true);
    check_words(&command, expected, COUNT(expected));
}

static void what_a_node_proposed_where_it_could_not_ask_is_told_as_such(void **state)
{
    breaker__poll_t poll = {.act = BREAKER__ACT_MINT, .is_local = true, .num_entries = 2};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    poll.entries[0] = (breaker_ledger_entry_t){5000, token_of("000000005000"), release_of("r2")};
    poll.entries[1] = (breaker_ledger_entry_t){4000, token_of("000000004000"), release_of("r1")};
    breaker__script_poll(&command, &caller, &poll, false);
    assert_string_equal(command.argv[command.argc - 2], "5000 000000005000 r2 local");
    assert_string_equal(command.argv[command.argc - 1], "4000 000000004000 r1");
}

static void what_a_node_has_not_is_empty(void **state)
{
    static const char *const expected[] = {
        KEYS, "settle", "r2", "-", "0011223344556677", "", "", "0", "0", "", "0", "0", "", "-"};
    breaker__poll_t poll = {.act = BREAKER__ACT_SETTLE};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    agreement.fixed = (breaker_token_t){.len = 0};
    agreement.suffix[0] = '\0';
    agreement.poll_ms = agreement.dead_after_ms = 0;
    caller.address[0] = '\0';
    breaker__script_poll(&command, &caller, &poll, false);
    check_words(&command, expected, COUNT(expected));
}

static void every_act_and_every_reason_has_its_word(void **state)
{
    static const struct {
        breaker__act_t act;
        const char *word;
    } acts[] = {
        {BREAKER__ACT_HOLD, "hold"},
        {BREAKER__ACT_MINT, "mint"},
        {BREAKER__ACT_SETTLE, "settle"},
        {BREAKER__ACT_PROMOTE, "promote"},
    };
    static const struct {
        breaker_why_t why;
        const char *line;
    } reasons[] = {
        {BREAKER_WHY_UNKNOWN, "1 v r2"},
        {BREAKER_WHY_JOIN, "1 v r2 join r1 7"},
        {BREAKER_WHY_PROMOTE, "1 v r2 promote r1 7"},
        {BREAKER_WHY_SILENCE, "1 v r2 silence r1 7"},
        {BREAKER_WHY_RETURN, "1 v r2 return r1 7"},
        {BREAKER_WHY_CONFLICT, "1 v r2 conflict r1 7"},
        {BREAKER_WHY_OPERATOR, "1 v r2 operator r1 7"},
    };
    breaker__poll_t poll = {.num_entries = 1};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    poll.entries[0] = (breaker_ledger_entry_t){1, token_of("v"), release_of("r2")};
    for (size_t i = 0; i != COUNT(acts); ++i) {
        poll.act = acts[i].act;
        breaker__script_poll(&command, &caller, &poll, false);
        assert_string_equal(command.argv[7], acts[i].word);
    }
    for (size_t i = 0; i != COUNT(reasons); ++i) {
        poll.origins[0] = (breaker_origin_t){reasons[i].why, release_of("r1"), 7};
        breaker__script_poll(&command, &caller, &poll, false);
        assert_string_equal(command.argv[command.argc - 1], reasons[i].line);
    }
}

static void a_node_that_goes_says_who_it_is(void **state)
{
    static const char *const expected[] = {KEYS,
                                           "leave",
                                           "r2",
                                           "10.0.0.7:8080",
                                           "0011223344556677",
                                           "v1.2",
                                           "-a1b2c3d4",
                                           "0",
                                           "30000",
                                           "",
                                           "1000",
                                           "0",
                                           "",
                                           "-"};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    breaker__script_leave(&command, &caller);
    check_words(&command, expected, COUNT(expected));
}

static void fill(char *text, size_t len, char letter)
{
    memset(text, letter, len);
    text[len] = '\0';
}

static void the_fullest_poll_has_room(void **state)
{
    enum { NUMBER_LEN = 16, WHY_LEN = 8 };
    char word[BREAKER_TOKEN_MAX + 1], release[BREAKER_RELEASE_ID_MAX + 1];
    breaker__poll_t poll = {.act = BREAKER__ACT_PROMOTE, .wall_ms = UINT64_MAX, .digest = DIGEST};
    const uint64_t longest = (UINT64_C(1) << 53) - 1;
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    fill(word, BREAKER_TOKEN_MAX, 't');
    fill(release, BREAKER_RELEASE_ID_MAX, 'r');
    agreement.release = release_of(release);
    agreement.fixed = token_of(word);
    fill(agreement.suffix, sizeof(agreement.suffix) - 1, '-');
    agreement.dead_after_ms = agreement.poll_ms = UINT32_MAX;
    fill(caller.app, BREAKER_APP_MAX, 'x');
    fill(caller.address, BREAKER_ADVERTISE_MAX, 'a');
    fill(caller.id, BREAKER_NODE_ID_MAX, 'i');
    poll.fleet = UINT32_MAX;
    poll.num_entries = BREAKER_LEDGER_MAX + 1;
    for (size_t i = 0; i != poll.num_entries; ++i) {
        poll.entries[i] = (breaker_ledger_entry_t){longest, token_of(word), agreement.release};
        poll.origins[i] = (breaker_origin_t){BREAKER_WHY_OPERATOR, agreement.release, longest};
    }
    breaker__script_poll(&command, &caller, &poll, true);
    assert_int_equal(command.argc, BREAKER_SCRIPT_WORDS_MAX);
    assert_int_equal(command.argv_len[command.argc - 1],
                     NUMBER_LEN + 1 + BREAKER_TOKEN_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1 + WHY_LEN +
                         1 + BREAKER_RELEASE_ID_MAX + 1 + NUMBER_LEN);
}

/* ---- by hand ---- */

static void a_look_names_no_release_and_asks_for_all(void **state)
{
    static const char *const expected[] = {KEYS, "read",     "", "-", "",  "",         "",
                                           "0",  "86400000", "", "0", "0", "releases", ""};
    breaker_script_command_t command;
    (void)state;

    breaker_script_read(&command, "shop", "");
    check_words(&command, expected, COUNT(expected));
}

static void the_next_page_begins_after_an_id(void **state)
{
    char after[BREAKER_NODE_ID_MAX + 1];
    breaker_script_command_t command;
    (void)state;

    breaker_script_read(&command, "shop", "0011223344556677");
    assert_string_equal(command.argv[command.argc - 1], "0011223344556677");
    fill(after, BREAKER_NODE_ID_MAX, 'i');
    breaker_script_read(&command, "shop", after);
    assert_string_equal(command.argv[command.argc - 1], after);
}

static void a_release_is_entered_under_digits_alone(void **state)
{
    static const char *const expected[] = {
        KEYS,       "mint", "r2", "-", "",         "", "", "1718539201234",
        "86400000", "",     "0",  "0", "releases", ""};
    breaker_release_id_t release = release_of("r2");
    breaker_script_command_t command;
    (void)state;

    breaker_script_enter(&command, "shop", &release, 1718539201234);
    check_words(&command, expected, COUNT(expected));
}

static void a_promoted_release_keeps_how_its_tokens_are_made(void **state)
{
    static const struct {
        uint64_t order;
        const char *token, *fixed, *suffix;
    } cases[] = {
        {1718539201234, "1718539201234", "", ""},
        {1718539201234, "1718539201234-a1b2c3d4", "", "-a1b2c3d4"},
        {1000, "000000001000", "", ""},
        {1000, "000000001000-x", "", "-x"},
        /* given by the operator, and once more under the same name */
        {1000, "v1", "v1", ""},
        {1341, "v1.1341", "v1", ""},
        {1341, "v1.1342", "v1.1342", ""},
        {1341, ".1341", ".1341", ""},
        /* digits, but not the order's */
        {1000, "000000001001", "000000001001", ""},
        {1000, "1000", "1000", ""},
        /* longer than any suffix */
        {1000, "000000001000-1234567890123456", "000000001000-1234567890123456", ""},
    };
    breaker_release_id_t release = release_of("r2");
    breaker_script_command_t command;
    (void)state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        const breaker_ledger_entry_t newest = {cases[i].order, token_of(cases[i].token), release};
        const char *const expected[] = {
            KEYS,   "promote",  "r2", "-", "",  cases[i].fixed, cases[i].suffix,
            "2000", "86400000", "",   "0", "0", "releases",     ""};
        breaker_script_promote(&command, "shop", &release, &newest, 2000);
        check_words(&command, expected, COUNT(expected));
    }
    breaker_script_promote(&command, "shop", &release, NULL, 2000);
    assert_string_equal(command.argv[11], "");
    assert_string_equal(command.argv[12], "");
}

/* ---- a script that Redis does not know, or may not be named ---- */

static breaker_reply_t error_of(const char *text)
{
    /* what comes from the network has no NUL */
    return (breaker_reply_t){
        .type = BREAKER_REPLY_ERROR, .base = guarded_copy(text, strlen(text)), .len = strlen(text)};
}

static void what_makes_a_command_whole_is_told_from_other_errors(void **state)
{
    static const struct {
        const char *text;
        bool is_missing, is_unnamable;
    } cases[] = {
        {"NOSCRIPT No matching script. Please use EVAL.", true, false},
        {"NOSCRIPT", true, false},
        /* Redis 6, then 7 */
        {"NOPERM this user has no permissions to run the 'evalsha' command or its subcommand",
         false, true},
        {"NOPERM User breaker has no permissions to run the 'evalsha' command", false, true},
        {"NOPERM this user has no permissions to run the 'eval' command", false, false},
        {"NOPERM No permissions to access a key", false, false},
        {"NOPERM", false, false},
        {"ERR the command evalsha", false, false},
        {"ERR NOSCRIPT", false, false},
        {"NOSCRIP", false, false},
        {"", false, false},
    };
    (void)state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_reply_t reply = error_of(cases[i].text);
        assert_int_equal(breaker_script_is_missing(&reply), cases[i].is_missing);
        assert_int_equal(breaker_script_is_unnamable(&reply), cases[i].is_unnamable);
        /* the same words, but no error */
        reply.type = BREAKER_REPLY_STRING;
        assert_false(breaker_script_is_missing(&reply));
        assert_false(breaker_script_is_unnamable(&reply));
        guarded_free((char *)(uintptr_t)reply.base, reply.len);
    }
}

static void a_whole_command_has_the_script_in_it_and_all_else_as_before(void **state)
{
    breaker_script_command_t command;
    size_t argc;
    (void)state;

    breaker_script_read(&command, "shop", "");
    argc = command.argc;
    breaker_script_make_whole(&command);
    assert_int_equal(command.argc, argc);
    assert_string_equal(command.argv[0], "EVAL");
    assert_int_equal(command.argv_len[0], 4);
    assert_ptr_equal(command.argv[1], breaker__agree_lua);
    assert_int_equal(command.argv_len[1], breaker__agree_lua_len);
    assert_int_equal(strlen(breaker__agree_lua), breaker__agree_lua_len);
    assert_string_equal(command.argv[2], "4");
    /* once more is the same */
    breaker_script_make_whole(&command);
    assert_string_equal(command.argv[0], "EVAL");
}

/* its text in Redis would be another one otherwise, and be sent with every command */
static void the_script_is_named_by_the_sha1_of_its_text(void **state)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    char hex[2 * SHA_DIGEST_LENGTH + 1];
    (void)state;

    SHA1((const unsigned char *)breaker__agree_lua, breaker__agree_lua_len, digest);
    for (size_t i = 0; i != sizeof(digest); ++i)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(breaker__agree_lua_sha, hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_has_the_scripts_layout),
        cmocka_unit_test(what_a_node_proposed_where_it_could_not_ask_is_told_as_such),
        cmocka_unit_test(what_a_node_has_not_is_empty),
        cmocka_unit_test(every_act_and_every_reason_has_its_word),
        cmocka_unit_test(a_node_that_goes_says_who_it_is),
        cmocka_unit_test(the_fullest_poll_has_room),
        cmocka_unit_test(a_look_names_no_release_and_asks_for_all),
        cmocka_unit_test(the_next_page_begins_after_an_id),
        cmocka_unit_test(a_release_is_entered_under_digits_alone),
        cmocka_unit_test(a_promoted_release_keeps_how_its_tokens_are_made),
        cmocka_unit_test(what_makes_a_command_whole_is_told_from_other_errors),
        cmocka_unit_test(a_whole_command_has_the_script_in_it_and_all_else_as_before),
        cmocka_unit_test(the_script_is_named_by_the_sha1_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
