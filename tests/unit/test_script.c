/*
 * The script's layout, by tables: commands as the script takes them, answers as it gives them, and
 * every shape that it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "0123456789abcdef0123456789abcdef01234567"

enum { ELEMENTS_MAX = BREAKER_SCRIPT_NODES_MAX + 1 };

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
    assert_int_equal(command->argc, 2 + num);
    assert_int_equal(command->argv_len[0], 4);
    assert_memory_equal(command->argv[0], "EVAL", 4);
    assert_ptr_equal(command->argv[1], breaker__agree_lua);
    assert_true(command->argv_len[1] > 1000);
    for (size_t i = 0; i != num; ++i) {
        assert_string_equal(command->argv[i + 2], expected[i]);
        assert_int_equal(command->argv_len[i + 2], strlen(expected[i]));
    }
}

static void a_poll_has_the_scripts_layout(void **state)
{
    static const char *const expected[] = {"2",
                                           "{shop}:breaker",
                                           "{shop}:breaker:nodes",
                                           "r2",
                                           "10.0.0.7:8080",
                                           "0011223344556677",
                                           "mint",
                                           "v1.2",
                                           "-a1b2c3d4",
                                           "1718539201234",
                                           "30000",
                                           DIGEST,
                                           "nodes",
                                           "5000 v1.2 r2",
                                           "4000 v1.1 r1"};
    breaker__poll_t poll = {.act = BREAKER__ACT_MINT, .wall_ms = 1718539201234, .digest = DIGEST};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    poll.num_entries = 2;
    poll.entries[0] = (breaker_ledger_entry_t){5000, token_of("v1.2"), release_of("r2")};
    poll.entries[1] = (breaker_ledger_entry_t){4000, token_of("v1.1"), release_of("r1")};
    breaker__script_poll(&command, &caller, &poll, true);
    check_words(&command, expected, COUNT(expected));
}

static void what_a_node_has_not_is_empty(void **state)
{
    static const char *const expected[] = {"2",
                                           "{shop}:breaker",
                                           "{shop}:breaker:nodes",
                                           "r2",
                                           "-",
                                           "0011223344556677",
                                           "settle",
                                           "",
                                           "",
                                           "0",
                                           "30000",
                                           "",
                                           ""};
    breaker__poll_t poll = {.act = BREAKER__ACT_SETTLE};
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    agreement.fixed = (breaker_token_t){.len = 0};
    agreement.suffix[0] = '\0';
    caller.address[0] = '\0';
    breaker__script_poll(&command, &caller, &poll, false);
    check_words(&command, expected, COUNT(expected));
}

static void the_fullest_poll_has_room(void **state)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    breaker__poll_t poll = {.act = BREAKER__ACT_MINT, .wall_ms = UINT64_MAX, .digest = DIGEST};
    char release[BREAKER_RELEASE_ID_MAX + 1];
    breaker_agreement_config_t agreement;
    breaker__script_caller_t caller = make_caller(&agreement);
    breaker_script_command_t command;
    (void)state;

    memset(release, 'r', sizeof(release) - 1);
    release[sizeof(release) - 1] = '\0';
    agreement.release = release_of(release);
    agreement.fixed = token_of(longest);
    strcpy(agreement.suffix, "-123456789012345");
    agreement.dead_after_ms = UINT32_MAX;
    strcpy(caller.app, longest);
    memset(caller.address, 'a', sizeof(caller.address) - 1);
    memset(caller.id, 'i', sizeof(caller.id) - 1);
    poll.num_entries = BREAKER_LEDGER_MAX + 1;
    for (size_t i = 0; i != poll.num_entries; ++i)
        poll.entries[i] = (breaker_ledger_entry_t){(UINT64_C(1) << 53) - 1, token_of(longest),
                                                   release_of(release)};
    breaker__script_poll(&command, &caller, &poll, true);
    assert_int_equal(command.argc, BREAKER_SCRIPT_WORDS_MAX);
    assert_int_equal(command.argv_len[command.argc - 1], 16 + 1 + 64 + 1 + BREAKER_RELEASE_ID_MAX);
}

static void a_look_names_no_release_and_asks_for_all(void **state)
{
    static const char *const expected[] = {
        "2", "{shop}:breaker", "{shop}:breaker:nodes", "", "-", "", "", "", "", "0", "86400000",
        "",  "nodes"};
    breaker_script_command_t command;
    (void)state;

    breaker_script_read(&command, "shop");
    check_words(&command, expected, COUNT(expected));
}

static void a_release_is_entered_under_digits_alone(void **state)
{
    static const char *const expected[] = {"2",
                                           "{shop}:breaker",
                                           "{shop}:breaker:nodes",
                                           "r2",
                                           "-",
                                           "",
                                           "mint",
                                           "",
                                           "",
                                           "1718539201234",
                                           "86400000",
                                           "",
                                           "nodes"};
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
            "2",       "{shop}:breaker", "{shop}:breaker:nodes", "r2",   "-",        "",
            "promote", cases[i].fixed,   cases[i].suffix,        "2000", "86400000", "",
            "nodes"};
        breaker_script_promote(&command, "shop", &release, &newest, 2000);
        check_words(&command, expected, COUNT(expected));
    }
    breaker_script_promote(&command, "shop", &release, NULL, 2000);
    assert_string_equal(command.argv[9], "");
    assert_string_equal(command.argv[10], "");
}

/* ---- answers, written as: "text", #integer, _ for nil, + for a status, ! for an error, [ ] ----
 */

static breaker_reply_t *read_reply(const char **at);

static breaker_reply_t *read_array(const char **at)
{
    breaker_reply_t *reply = calloc(1, sizeof(*reply)),
                    **elements = calloc(ELEMENTS_MAX, sizeof(*elements));

    reply->type = BREAKER_REPLY_ARRAY;
    for (++*at; **at != ']';) {
        assert_true(reply->num_elements < ELEMENTS_MAX);
        elements[reply->num_elements++] = read_reply(at);
        *at += **at == ' ';
    }
    ++*at;
    reply->elements = elements;
    return reply;
}

static breaker_reply_t *read_text(const char **at, int type)
{
    breaker_reply_t *reply = calloc(1, sizeof(*reply));
    const char *end = strchr(*at + 1, '"');

    reply->type = type;
    reply->len = (size_t)(end - *at - 1);
    reply->base = guarded_copy(*at + 1, reply->len);
    *at = end + 1;
    return reply;
}

static breaker_reply_t *read_reply(const char **at)
{
    breaker_reply_t *reply;
    char *end;

    if (**at == '[')
        return read_array(at);
    if (**at == '"')
        return read_text(at, BREAKER_REPLY_STRING);
    if (**at == '+' || **at == '!') {
        int type = **at == '+' ? BREAKER_REPLY_STATUS : BREAKER_REPLY_ERROR;
        ++*at;
        return read_text(at, type);
    }
    reply = calloc(1, sizeof(*reply));
    reply->type = **at == '_' ? BREAKER_REPLY_NIL : BREAKER_REPLY_INTEGER;
    if (*(*at)++ == '#') {
        reply->integer = strtoll(*at, &end, 10);
        *at = end;
    }
    return reply;
}

static void free_reply(breaker_reply_t *reply)
{
    for (size_t i = 0; i != reply->num_elements; ++i)
        free_reply(reply->elements[i]);
    if (reply->type == BREAKER_REPLY_ARRAY)
        free((void *)(uintptr_t)reply->elements);
    if (reply->base != NULL)
        guarded_free((char *)(uintptr_t)reply->base, reply->len);
    free(reply);
}

static bool parse(const char *text, breaker_script_answer_t *answer)
{
    breaker_reply_t *reply = read_reply(&text);
    bool is_good = breaker_script_parse(reply, answer);

    assert_int_equal(*text, '\0');
    free_reply(reply);
    return is_good;
}

/* large, and there is one */
static breaker_script_answer_t *make_answer(void)
{
    breaker_script_answer_t *answer = malloc(sizeof(*answer));

    assert_non_null(answer);
    memset(answer, 0x55, sizeof(*answer));
    return answer;
}

static void an_answer_is_read(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    const breaker_answer_t *ledger = &answer->ledger;
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #1718539201234 [\"1000 v1 r1\" \"1718539201234 "
                      "1718539201234 r2\"] _]",
                      answer));
    assert_true(answer->now_ms == 1718539201234);
    assert_string_equal(ledger->digest, DIGEST);
    assert_false(ledger->unchanged);
    assert_int_equal(ledger->num_entries, 2);
    assert_int_equal(ledger->entries[0].order, 1000);
    assert_string_equal(ledger->entries[0].token.text, "v1");
    assert_string_equal(ledger->entries[0].release.text, "r1");
    assert_int_equal(ledger->entries[1].order, 1718539201234);
    /* it was not asked for */
    assert_false(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 0);
    assert_true(parse("[\"" DIGEST "\" #0 _ _]", answer));
    assert_true(ledger->unchanged);
    assert_int_equal(ledger->num_entries, 0);
    assert_true(parse("[\"" DIGEST "\" #0 [] []]", answer));
    assert_false(ledger->unchanged);
    assert_int_equal(ledger->num_entries, 0);
    assert_true(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 0);
    free(answer);
}

static void nodes_are_read_with_their_addresses(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    const breaker_script_node_t *nodes = answer->nodes;
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #100000 _ [\"69999 r1 - 00\" "
                      "\"9007199254740991 r2~x 10.0.0.5:80 id-1\"]]",
                      answer));
    assert_true(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 2);
    assert_int_equal(nodes[0].seen_ms, 69999);
    assert_string_equal(nodes[0].release.text, "r1");
    assert_string_equal(nodes[0].address, "");
    assert_string_equal(nodes[0].id, "00");
    assert_true(nodes[1].seen_ms == 9007199254740991);
    assert_string_equal(nodes[1].release.text, "r2~x");
    assert_string_equal(nodes[1].address, "10.0.0.5:80");
    assert_string_equal(nodes[1].id, "id-1");
    free(answer);
}

static void a_nodes_words_are_as_long_as_they_may_be(void **state)
{
    static const struct {
        size_t address_len, id_len;
        bool is_node;
    } cases[] = {
        {BREAKER_ADVERTISE_MAX, BREAKER_NODE_ID_MAX, true},
        {BREAKER_ADVERTISE_MAX + 1, 1, false},
        {1, BREAKER_NODE_ID_MAX + 1, false},
    };
    breaker_script_answer_t *answer = make_answer();
    char text[1024], letters[BREAKER_ADVERTISE_MAX + 2];
    (void)state;

    memset(letters, 'a', sizeof(letters));
    for (size_t i = 0; i != COUNT(cases); ++i) {
        snprintf(text, sizeof(text), "[\"" DIGEST "\" #100000 _ [\"99000 r1 %.*s %.*s\"]]",
                 (int)cases[i].address_len, letters, (int)cases[i].id_len, letters);
        assert_true(parse(text, answer));
        assert_int_equal(answer->num_nodes, cases[i].is_node ? 1 : 0);
    }
    free(answer);
}

static void releases_with_live_nodes_are_noticed(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    breaker_agreement_config_t agreement;
    breaker__alive_t alive = {.num = 7};
    (void)state;

    make_caller(&agreement);
    assert_true(parse("[\"" DIGEST "\" #100000 _ ["
                      "\"69999 silent - 00\" \"70000 r1 10.0.0.5:80 01\" \"99000 r3 - 02\" "
                      "\"99500 r1 - 03\" \"99999 r2 - 04\"]]",
                      answer));
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 2);
    assert_string_equal(alive.releases[0].text, "r1");
    assert_string_equal(alive.releases[1].text, "r3");
    /* where nobody is ever overtaken somebody may be silent all the same */
    agreement.dead_after_ms = 0;
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 2);
    agreement.dead_after_ms = 100;
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 0);
    free(answer);
}

static void a_node_is_live_until_dead_after_is_over(void **state)
{
    const breaker_script_node_t node = {.seen_ms = 70000};
    (void)state;

    assert_true(breaker_script_is_live(&node, 70000, 0));
    assert_true(breaker_script_is_live(&node, 69999, 0));
    assert_true(breaker_script_is_live(&node, 0, 0));
    assert_true(breaker_script_is_live(&node, 100000, 30000));
    assert_false(breaker_script_is_live(&node, 100001, 30000));
    assert_false(breaker_script_is_live(&node, UINT64_MAX, 30000));
}

static void of_too_many_live_releases_those_seen_last_count(void **state)
{
    char text[64 * BREAKER__ALIVE_MAX] = "[\"" DIGEST "\" #100000 _ [";
    breaker_script_answer_t *answer = make_answer();
    breaker_agreement_config_t agreement;
    breaker__alive_t alive;
    size_t len = strlen(text);
    (void)state;

    make_caller(&agreement);
    for (int i = 0; i != BREAKER__ALIVE_MAX + 1; ++i)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%d x%d - 01\" ", 99000 + i, i);
    strcpy(text + len, "]]");
    assert_true(parse(text, answer));
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, BREAKER__ALIVE_MAX);
    for (size_t i = 0; i != alive.num; ++i)
        assert_string_not_equal(alive.releases[i].text, "x0");
    free(answer);
}

/* other programs may write to the key, and a later version may have more to say */
static void nodes_that_none_of_ours_wrote_are_passed_by(void **state)
{
    static const char *const nodes[] = {"",
                                        " ",
                                        "x",
                                        "99000",
                                        "99000 r1",
                                        "99000 r1 -",
                                        "99000 r1 - ",
                                        "99000 r1  01",
                                        "99000 r1 - 01 more",
                                        "99000 r1 - 01 ",
                                        "r1 99000 - 01",
                                        "99000 r/1 - 01",
                                        "99000 r1 \xc3\xa4 01",
                                        "99000 r1 - \x1b[31m",
                                        "99000 r1 a\tb 01",
                                        "-99000 r1 - 01",
                                        "9007199254740992 r1 - 01",
                                        "99999999999999999 r1 - 01"};
    breaker_script_answer_t *answer = make_answer();
    char text[256];
    (void)state;

    for (size_t i = 0; i != COUNT(nodes); ++i) {
        snprintf(text, sizeof(text), "[\"" DIGEST "\" #100000 _ [\"%s\" #5 _ \"99000 r9 - 02\"]]",
                 nodes[i]);
        assert_true(parse(text, answer));
        assert_int_equal(answer->num_nodes, 1);
        assert_string_equal(answer->nodes[0].release.text, "r9");
        assert_string_equal(answer->nodes[0].id, "02");
    }
    free(answer);
}

static void what_the_script_never_answers_is_refused(void **state)
{
    static const char *const replies[] = {
        "_",
        "#1",
        "+\"OK\"",
        "!\"NOSCRIPT\"",
        "\"" DIGEST "\"",
        "[]",
        "[\"" DIGEST "\" #1 _]",
        "[\"" DIGEST "\" #1 _ _ _]",
        /* the digest */
        "[_ #1 _ _]",
        "[+\"" DIGEST "\" #1 _ _]",
        "[\"0123\" #1 _ _]",
        "[\"" DIGEST "0\" #1 _ _]",
        "[\"0123456789ABCDEF0123456789abcdef01234567\" #1 _ _]",
        /* the clock */
        "[\"" DIGEST "\" \"1\" _ _]",
        "[\"" DIGEST "\" #-1 _ _]",
        "[\"" DIGEST "\" _ _ _]",
        /* the ledger */
        "[\"" DIGEST "\" #1 \"1 a b\" _]",
        "[\"" DIGEST "\" #1 #5 _]",
        "[\"" DIGEST "\" #1 [#1] _]",
        "[\"" DIGEST "\" #1 [_] _]",
        "[\"" DIGEST "\" #1 [[\"1 a b\"]] _]",
        "[\"" DIGEST "\" #1 [\"\"] _]",
        "[\"" DIGEST "\" #1 [\" \"] _]",
        "[\"" DIGEST "\" #1 [\"1 a\"] _]",
        "[\"" DIGEST "\" #1 [\"1 a \"] _]",
        "[\"" DIGEST "\" #1 [\"1  a b\"] _]",
        "[\"" DIGEST "\" #1 [\"1 a b c\"] _]",
        "[\"" DIGEST "\" #1 [\" 1 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"-1 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"1.5 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"1e3 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"12345678901234567 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"9007199254740992 a b\"] _]",
        "[\"" DIGEST "\" #1 [\"1 a/b c\"] _]",
        "[\"" DIGEST "\" #1 [\"1 a ..\"] _]",
        "[\"" DIGEST "\" #1 [\"1 v1 r1\" \"2 v2 r\xc3\xa4\"] _]",
        "[\"" DIGEST "\" #1 [\"1 "
        "01234567890123456789012345678901234567890123456789012345678901234 b\"] _]",
        /* the nodes */
        "[\"" DIGEST "\" #1 _ #1]",
        "[\"" DIGEST "\" #1 _ \"1 a b c\"]",
    };
    breaker_script_answer_t *answer = make_answer(), *untouched = make_answer();
    (void)state;

    for (size_t i = 0; i != COUNT(replies); ++i)
        if (parse(replies[i], answer))
            fail_msg("taken: %s", replies[i]);
    assert_memory_equal(answer, untouched, sizeof(*answer));
    free(untouched);
    free(answer);
}

static void more_entries_than_a_ledger_has_are_refused(void **state)
{
    char text[2048] = "[\"" DIGEST "\" #1 [";
    breaker_script_answer_t *answer = make_answer();
    size_t len = strlen(text);
    (void)state;

    for (size_t i = 1; i <= BREAKER_LEDGER_MAX + 1; ++i) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%zu v%zu r\"", i, i);
        strcpy(text + len, "] _]");
        assert_int_equal(parse(text, answer), i <= BREAKER_LEDGER_MAX);
    }
    free(answer);
}

static void more_nodes_than_the_script_tells_of_are_refused(void **state)
{
    static char text[32 * (BREAKER_SCRIPT_NODES_MAX + 1)];
    breaker_script_answer_t *answer = make_answer();
    size_t len = (size_t)snprintf(text, sizeof(text), "[\"" DIGEST "\" #1 _ [");
    (void)state;

    for (size_t i = 1; i <= BREAKER_SCRIPT_NODES_MAX + 1; ++i) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%zu r - id%zu\"", i, i);
        strcpy(text + len, "]]");
        if (i >= BREAKER_SCRIPT_NODES_MAX)
            assert_int_equal(parse(text, answer), i == BREAKER_SCRIPT_NODES_MAX);
    }
    assert_int_equal(answer->num_nodes, BREAKER_SCRIPT_NODES_MAX);
    assert_string_equal(answer->nodes[BREAKER_SCRIPT_NODES_MAX - 1].id, "id512");
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_has_the_scripts_layout),
        cmocka_unit_test(what_a_node_has_not_is_empty),
        cmocka_unit_test(the_fullest_poll_has_room),
        cmocka_unit_test(a_look_names_no_release_and_asks_for_all),
        cmocka_unit_test(a_release_is_entered_under_digits_alone),
        cmocka_unit_test(a_promoted_release_keeps_how_its_tokens_are_made),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(nodes_are_read_with_their_addresses),
        cmocka_unit_test(a_nodes_words_are_as_long_as_they_may_be),
        cmocka_unit_test(releases_with_live_nodes_are_noticed),
        cmocka_unit_test(a_node_is_live_until_dead_after_is_over),
        cmocka_unit_test(of_too_many_live_releases_those_seen_last_count),
        cmocka_unit_test(nodes_that_none_of_ours_wrote_are_passed_by),
        cmocka_unit_test(what_the_script_never_answers_is_refused),
        cmocka_unit_test(more_entries_than_a_ledger_has_are_refused),
        cmocka_unit_test(more_nodes_than_the_script_tells_of_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
