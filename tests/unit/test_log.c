/* What a cluster says: not too often, and in one line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/log.h"

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

/* ---- a cluster's lines ---- */

static breaker__log_t make_log(heard_t *heard)
{
    return (breaker__log_t){.app = "shop", .data = heard, .on_log = on_log};
}

static void what_redis_refuses_with_is_shown_up_to_a_length(void **state)
{
    char text[500];
    breaker_reply_t reply = {.type = BREAKER_REPLY_ERROR, .base = text, .len = 3};
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    (void)state;

    memset(text, 'e', sizeof(text));
    breaker__log_refusal(&log, 5, "h:1", &reply);
    assert_string_equal(heard.last,
                        "breaker: cluster app=shop trouble=refused redis=h:1 reason=\"eee\"");
    reply.len = sizeof(text);
    breaker__log_refusal(&log, 5, "h:1", &reply);
    assert_int_equal(strspn(strchr(heard.last, '"') + 1, "e"), 199);
    reply.type = BREAKER_REPLY_STATUS;
    breaker__log_refusal(&log, 5, "h:1", &reply);
    assert_string_equal(heard.last, "breaker: cluster app=shop trouble=answer redis=h:1 "
                                    "reason=\"not what the script answers\"");
}

/* an agreement that has the token v1 from before; v2 is another release's */
static breaker__agreement_t *make_agreement(void)
{
    breaker_agreement_config_t config;
    breaker__agreement_t *agreement;
    breaker_ledger_entry_t entries[2] = {{.order = 50}, {.order = 60}};
    breaker_ledger_t saved;

    breaker__agreement_config_init(&config);
    assert_int_equal(breaker_release_id_parse("r1", 2, &config.release), 0);
    entries[0].release = config.release;
    assert_int_equal(breaker_token_parse("v1", 2, &entries[0].token), 0);
    assert_int_equal(breaker_token_parse("v2", 2, &entries[1].token), 0);
    assert_int_equal(breaker_release_id_parse("r2", 2, &entries[1].release), 0);
    assert_int_equal(breaker_ledger_init(&saved, entries, 2), 0);
    assert_int_equal(breaker__agreement_create(&config, &agreement), 0);
    breaker__agreement_start(agreement, (breaker__moment_t){5, 5}, &saved);
    return agreement;
}

static void a_transition_is_said_once(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    breaker__log_transition(&log, 5, "h:1", agreement);
    assert_string_equal(heard.last,
                        "breaker: cluster app=shop state=stale token=v1 release=r1 redis=h:1");
    breaker__log_transition(&log, 5 + 2 * BREAKER__LOG_EVERY_MS, "h:1", agreement);
    assert_int_equal(heard.num, 1);
    breaker__agreement_free(agreement);
}

static void a_start_is_not_said_to_be_stale_before_the_first_answer_is_late(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    log.late_ms = 1505;
    breaker__log_transition(&log, 5, "", agreement);
    breaker__log_transition(&log, 1504, "", agreement);
    assert_int_equal(heard.num, 0);
    breaker__log_transition(&log, 1505, "", agreement);
    assert_string_equal(heard.last,
                        "breaker: cluster app=shop state=stale token=v1 release=r1 redis=");
    breaker__agreement_free(agreement);
}

/* has it answered with its own entry */
static void answer_own(breaker__agreement_t *agreement, breaker__moment_t now)
{
    breaker_answer_t answer = {.digest = "0123456789012345678901234567890123456789",
                               .num_entries = 1,
                               .entries = {*breaker__agreement_own(agreement)}};

    breaker__agreement_on_up(agreement, now);
    breaker__agreement_on_answer(agreement, now, &answer);
    assert_int_equal(breaker__agreement_state(agreement), BREAKER__AGREEMENT_SYNCED);
}

static void what_becomes_stale_after_an_answer_is_said_at_once(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    log.late_ms = 1505;
    answer_own(agreement, (breaker__moment_t){6, 6});
    breaker__log_transition(&log, 6, "h:1", agreement);
    assert_string_equal(heard.last,
                        "breaker: cluster app=shop state=synced token=v1 release=r1 redis=h:1");
    breaker__agreement_on_down(agreement, (breaker__moment_t){7, 7});
    breaker__log_transition(&log, 7, "h:1", agreement);
    assert_string_equal(heard.last,
                        "breaker: cluster app=shop state=stale token=v1 release=r1 redis=h:1");
    assert_int_equal(heard.num, 2);
    breaker__agreement_free(agreement);
}

static void a_conflict_is_another_releases_token_only(void **state)
{
    static const struct {
        const char *token;
        bool is_said;
    } cases[] = {{"v1", false}, {"v3", false}, {"v2", true}};
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    breaker_token_t token;
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        assert_int_equal(breaker_token_parse(cases[i].token, 2, &token), 0);
        breaker__log_conflict(&log, 5, agreement, &token);
        assert_int_equal(heard.num, cases[i].is_said ? 1 : 0);
    }
    assert_string_equal(heard.last, "breaker: cluster app=shop trouble=token-conflict token=v2 "
                                    "other-release=r2 release=r1 moved-on-to=v1");
    breaker__agreement_free(agreement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_trouble_is_said_once_a_minute),
        cmocka_unit_test(other_trouble_and_good_news_are_not_held_back),
        cmocka_unit_test(a_line_is_one_line_however_long_its_cause),
        cmocka_unit_test(what_redis_refuses_with_is_shown_up_to_a_length),
        cmocka_unit_test(a_transition_is_said_once),
        cmocka_unit_test(a_start_is_not_said_to_be_stale_before_the_first_answer_is_late),
        cmocka_unit_test(what_becomes_stale_after_an_answer_is_said_at_once),
        cmocka_unit_test(a_conflict_is_another_releases_token_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
