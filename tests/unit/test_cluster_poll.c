/*
 * What a poll says and what its answer says, by tables: the command as the script takes it, answers
 * as it gives them, and every shape that it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/log.h"
#include "cluster/script.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "0123456789abcdef0123456789abcdef01234567"

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

static breaker__poller_t make_poller(breaker_agreement_config_t *agreement)
{
    *agreement = (breaker_agreement_config_t){
        .release = release_of("r2"),
        .fixed = token_of("v1.2"),
        .suffix = "-a1b2c3d4",
        .dead_after_ms = 30000,
    };
    return (breaker__poller_t){
        .ledger_key = "{shop}:breaker",
        .nodes_key = "{shop}:breaker:nodes",
        .address = "10.0.0.7:8080",
        .id = "0011223344556677",
        .agreement = agreement,
    };
}

/* ---- the command ---- */

static void the_command_has_the_scripts_layout(void **state)
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
    breaker_poll_t poll = {.may_mint = true, .wall_ms = 1718539201234, .digest = DIGEST};
    breaker_agreement_config_t agreement;
    breaker__poller_t poller = make_poller(&agreement);
    breaker__poll_command_t command;
    (void)state;

    poll.num_entries = 2;
    poll.entries[0] = (breaker_ledger_entry_t){5000, token_of("v1.2"), release_of("r2")};
    poll.entries[1] = (breaker_ledger_entry_t){4000, token_of("v1.1"), release_of("r1")};
    breaker__poll_format(&command, &poller, &poll, true);
    assert_int_equal(command.argc, 2 + COUNT(expected));
    assert_int_equal(command.argv_len[0], 4);
    assert_memory_equal(command.argv[0], "EVAL", 4);
    assert_true(command.argv_len[1] > 1000);
    for (size_t i = 0; i != COUNT(expected); ++i) {
        assert_int_equal(command.argv_len[i + 2], strlen(expected[i]));
        assert_memory_equal(command.argv[i + 2], expected[i], strlen(expected[i]));
    }
}

static void what_a_node_has_not_is_empty(void **state)
{
    breaker_poll_t poll = {.may_mint = false};
    breaker_agreement_config_t agreement;
    breaker__poller_t poller = make_poller(&agreement);
    breaker__poll_command_t command;
    (void)state;

    agreement.fixed.len = 0;
    agreement.suffix[0] = '\0';
    breaker__poll_format(&command, &poller, &poll, false);
    assert_int_equal(command.argc, 5 + 10);
    assert_memory_equal(command.argv[8], "settle", 6);
    assert_int_equal(command.argv_len[9], 0);
    assert_int_equal(command.argv_len[10], 0);
    assert_int_equal(command.argv_len[13], 0);
    assert_int_equal(command.argv_len[14], 0);
}

static void the_fullest_command_has_room(void **state)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    breaker_poll_t poll = {.may_mint = true, .wall_ms = UINT64_MAX, .digest = DIGEST};
    breaker_agreement_config_t agreement;
    breaker__poller_t poller = make_poller(&agreement);
    breaker__poll_command_t command;
    char release[BREAKER_RELEASE_ID_MAX + 1];
    (void)state;

    memset(release, 'r', sizeof(release) - 1);
    release[sizeof(release) - 1] = '\0';
    agreement.dead_after_ms = UINT32_MAX;
    poll.num_entries = BREAKER_LEDGER_MAX + 1;
    for (size_t i = 0; i != poll.num_entries; ++i)
        poll.entries[i] = (breaker_ledger_entry_t){(UINT64_C(1) << 53) - 1, token_of(longest),
                                                   release_of(release)};
    breaker__poll_format(&command, &poller, &poll, true);
    assert_int_equal(command.argc, BREAKER__POLL_ARGS_MAX);
    assert_int_equal(command.argv_len[command.argc - 1], 16 + 1 + 64 + 1 + BREAKER_RELEASE_ID_MAX);
}

/* ---- answers, written as: "text", #integer, _ for nil, + for a status, ! for an error, [ ] ----
 */

static breaker_reply_t *read_reply(const char **at);

static breaker_reply_t *read_array(const char **at)
{
    breaker_reply_t *reply = calloc(1, sizeof(*reply)), **elements = calloc(64, sizeof(*elements));

    reply->type = BREAKER_REPLY_ARRAY;
    for (++*at; **at != ']';) {
        assert_true(reply->num_elements < 64);
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

static bool parse(const char *text, breaker_answer_t *answer, breaker__alive_t *alive)
{
    breaker_agreement_config_t agreement;
    breaker__poller_t poller = make_poller(&agreement);
    breaker_reply_t *reply = read_reply(&text);
    bool is_good = breaker__poll_parse(reply, &poller, answer, alive);

    assert_int_equal(*text, '\0');
    free_reply(reply);
    return is_good;
}

static void an_answer_is_read(void **state)
{
    breaker__alive_t alive = {.num = 7};
    breaker_answer_t answer;
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #1718539201234 [\"1000 v1 r1\" \"1718539201234 "
                      "1718539201234 r2\"] _]",
                      &answer, &alive));
    assert_string_equal(answer.digest, DIGEST);
    assert_false(answer.unchanged);
    assert_int_equal(answer.num_entries, 2);
    assert_int_equal(answer.entries[0].order, 1000);
    assert_string_equal(answer.entries[0].token.text, "v1");
    assert_string_equal(answer.entries[0].release.text, "r1");
    assert_int_equal(answer.entries[1].order, 1718539201234);
    /* it was not asked for */
    assert_int_equal(alive.num, 7);
    assert_true(parse("[\"" DIGEST "\" #0 _ _]", &answer, &alive));
    assert_true(answer.unchanged);
    assert_int_equal(answer.num_entries, 0);
    assert_true(parse("[\"" DIGEST "\" #0 [] _]", &answer, &alive));
    assert_false(answer.unchanged);
    assert_int_equal(answer.num_entries, 0);
}

static void releases_with_live_nodes_are_noticed(void **state)
{
    breaker__alive_t alive = {.num = 7};
    breaker_answer_t answer;
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #100000 _ ["
                      "\"69999 silent - 00\" \"70000 r1 10.0.0.5:80 01\" \"99000 r3 - 02\" "
                      "\"99500 r1 - 03\" \"99999 r2 - 04\"]]",
                      &answer, &alive));
    assert_int_equal(alive.num, 2);
    assert_string_equal(alive.releases[0].text, "r1");
    assert_string_equal(alive.releases[1].text, "r3");
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
                                        "99000 r1 - 01 more",
                                        "r1 99000 - 01",
                                        "99000 r/1 - 01",
                                        "-99000 r1 - 01",
                                        "99999999999999999 r1 - 01"};
    breaker__alive_t alive;
    breaker_answer_t answer;
    char text[256];
    (void)state;

    for (size_t i = 0; i != COUNT(nodes); ++i) {
        snprintf(text, sizeof(text), "[\"" DIGEST "\" #100000 _ [\"%s\" #5 _ \"99000 r9 - 02\"]]",
                 nodes[i]);
        assert_true(parse(text, &answer, &alive));
        assert_int_equal(alive.num, 1);
        assert_string_equal(alive.releases[0].text, "r9");
    }
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
        "[\"" DIGEST "\" #1 [\"1 a/b c\"] _]",
        "[\"" DIGEST "\" #1 [\"1 a ..\"] _]",
        "[\"" DIGEST "\" #1 [\"1 v1 r1\" \"2 v2 r\xc3\xa4\"] _]",
        "[\"" DIGEST "\" #1 [\"1 "
        "01234567890123456789012345678901234567890123456789012345678901234 b\"] _]",
        /* the nodes */
        "[\"" DIGEST "\" #1 _ #1]",
        "[\"" DIGEST "\" #1 _ \"1 a b c\"]",
    };
    breaker__alive_t alive = {.num = 7};
    breaker_answer_t answer;
    (void)state;

    memset(&answer, 0x55, sizeof(answer));
    for (size_t i = 0; i != COUNT(replies); ++i)
        if (parse(replies[i], &answer, &alive))
            fail_msg("taken: %s", replies[i]);
    /* untouched */
    assert_int_equal(alive.num, 7);
    assert_int_equal(answer.digest[0], 0x55);
}

static void more_entries_than_a_ledger_has_are_refused(void **state)
{
    char text[2048] = "[\"" DIGEST "\" #1 [";
    breaker__alive_t alive;
    breaker_answer_t answer;
    size_t len = strlen(text);
    (void)state;

    for (size_t i = 1; i <= BREAKER_LEDGER_MAX + 1; ++i) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%zu v%zu r\"", i, i);
        strcpy(text + len, "] _]");
        assert_int_equal(parse(text, &answer, &alive), i <= BREAKER_LEDGER_MAX);
    }
}

/* ---- the log ---- */

typedef struct st_heard_t {
    size_t num;
    char last[2048];
} heard_t;

static void on_log(void *data, breaker_log_level_t level, const char *line)
{
    heard_t *heard = data;
    (void)level;

    ++heard->num;
    strcpy(heard->last, line);
}

static void the_same_trouble_is_said_once_a_minute(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (uint64_t now_ms = 5; now_ms < 5 + 10 * BREAKER__LOG_EVERY_MS; now_ms += 100)
        breaker__log(&log, now_ms, BREAKER_LOG_WARNING, "trouble %d", 1);
    assert_int_equal(heard.num, 10);
}

static void other_trouble_and_good_news_are_not_held_back(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, 5, BREAKER_LOG_WARNING, "trouble %d", i));
    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, 5, BREAKER_LOG_INFO, "well again"));
    assert_int_equal(heard.num, 200);
    log.on_log = NULL;
    assert_false(breaker__log(&log, 5, BREAKER_LOG_INFO, "nobody listens"));
}

static void a_line_is_one_line_however_long_its_cause(void **state)
{
    char cause[4096];
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    memset(cause, 'x', sizeof(cause));
    cause[sizeof(cause) - 1] = '\0';
    cause[3] = '\n';
    cause[4] = '\x1b';
    breaker__log(&log, 5, BREAKER_LOG_WARNING, "%s", cause);
    assert_memory_equal(heard.last, "xxx??xxx", 8);
    assert_int_equal(strlen(heard.last), BREAKER__LOG_LINE_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_has_the_scripts_layout),
        cmocka_unit_test(what_a_node_has_not_is_empty),
        cmocka_unit_test(the_fullest_command_has_room),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(releases_with_live_nodes_are_noticed),
        cmocka_unit_test(nodes_that_none_of_ours_wrote_are_passed_by),
        cmocka_unit_test(what_the_script_never_answers_is_refused),
        cmocka_unit_test(more_entries_than_a_ledger_has_are_refused),
        cmocka_unit_test(the_same_trouble_is_said_once_a_minute),
        cmocka_unit_test(other_trouble_and_good_news_are_not_held_back),
        cmocka_unit_test(a_line_is_one_line_however_long_its_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
