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

/* both clocks at once: 1970, and so many ms after its begin */
static breaker__moment_t at(uint64_t ms)
{
    return (breaker__moment_t){ms, ms};
}

static void the_same_trouble_is_said_once_a_minute(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (uint64_t now_ms = 5; now_ms < 5 + 10 * BREAKER__LOG_EVERY_MS; now_ms += 100)
        breaker__log(&log, at(now_ms), BREAKER_LOG_WARNING, "trouble %d", 1);
    assert_int_equal(heard.num, 10);
}

static void the_line_of_an_event_may_come_after_a_later_one(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    breaker__log(&log, at(6), BREAKER_LOG_WARNING, "trouble");
    breaker__log(&log, at(5), BREAKER_LOG_WARNING, "state");
    assert_int_equal(heard.num, 2);
    breaker__log(&log, at(5), BREAKER_LOG_WARNING, "trouble");
    breaker__log(&log, at(5 + BREAKER__LOG_EVERY_MS), BREAKER_LOG_WARNING, "state");
    assert_int_equal(heard.num, 2);
    breaker__log(&log, at(6 + BREAKER__LOG_EVERY_MS), BREAKER_LOG_WARNING, "state");
    assert_int_equal(heard.num, 3);
}

static void times_at_the_end_make_no_other_trouble(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (int i = 0; i != 10; ++i)
        breaker__log(&log, at(5), BREAKER_LOG_WARNING, "state=stale since=%d away=%d", i, i);
    assert_int_equal(heard.num, 1);
    breaker__log(&log, at(5), BREAKER_LOG_WARNING, "state=local since=0");
    assert_int_equal(heard.num, 2);
}

static void every_line_begins_with_its_time(void **state)
{
    static const struct {
        uint64_t wall_ms;
        const char *line;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z x"},
        {1764163483123, "2025-11-26T13:24:43.123Z x"},
        {253402300800000, "10000-01-01T00:00:00.000Z x"},
    };
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker__log(&log, (breaker__moment_t){cases[i].wall_ms, 5}, BREAKER_LOG_INFO, "x");
        assert_string_equal(heard.last, cases[i].line);
    }
}

static void other_trouble_and_good_news_are_not_held_back(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = {.data = &heard, .on_log = on_log};
    (void)state;

    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, at(5), BREAKER_LOG_WARNING, "trouble %d", i));
    for (int i = 0; i != 100; ++i)
        assert_true(breaker__log(&log, at(5), BREAKER_LOG_INFO, "well again"));
    assert_int_equal(heard.num, 200);
    log.on_log = NULL;
    assert_false(breaker__log(&log, at(5), BREAKER_LOG_INFO, "nobody listens"));
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
    breaker__log(&log, at(5), BREAKER_LOG_WARNING, "%s", cause);
    assert_memory_equal(strchr(heard.last, ' '), " xxx??xxx", 9);
    assert_int_equal(strlen(heard.last), BREAKER__LOG_LINE_MAX - 1);
}

/* ---- a cluster's lines ---- */

#define LINE "breaker: cluster app=shop "
#define assert_said(heard, expected)                                                               \
    assert_string_equal(strstr((heard)->last, "breaker: "), LINE expected)

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
    breaker__log_refusal(&log, at(5), "h:1", &reply);
    assert_said(&heard, "trouble=refused redis=h:1 reason=\"eee\"");
    reply.len = sizeof(text);
    breaker__log_refusal(&log, at(5), "h:1", &reply);
    assert_int_equal(strspn(strchr(heard.last, '"') + 1, "e"), 199);
    reply.type = BREAKER_REPLY_STATUS;
    breaker__log_refusal(&log, at(5), "h:1", &reply);
    assert_said(&heard, "trouble=answer redis=h:1 "
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

    breaker__log_transition(&log, at(5), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.005Z");
    breaker__log_transition(&log, at(5 + 2 * BREAKER__LOG_EVERY_MS), "h:1", agreement);
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
    breaker__log_transition(&log, at(5), "", agreement);
    breaker__log_transition(&log, at(1504), "", agreement);
    assert_int_equal(heard.num, 0);
    breaker__log_transition(&log, at(1505), "", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis= "
                        "since=1970-01-01T00:00:00.005Z");
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
    breaker__log_transition(&log, at(6), "h:1", agreement);
    assert_said(&heard, "state=synced token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.006Z");
    breaker__agreement_on_down(agreement, (breaker__moment_t){7, 7});
    breaker__log_transition(&log, at(7), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.007Z");
    assert_int_equal(heard.num, 2);
    breaker__agreement_free(agreement);
}

static void what_comes_back_says_how_long_it_was_away(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_own(agreement, at(1000));
    breaker__log_transition(&log, at(1000), "h:1", agreement);
    breaker__agreement_on_down(agreement, at(2000));
    breaker__log_transition(&log, at(2000), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:02.000Z");
    breaker__agreement_on_time(agreement, at(45200));
    answer_own(agreement, at(45200));
    breaker__log_transition(&log, at(45200), "h:1", agreement);
    assert_said(&heard, "state=synced token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:45.200Z away=43.2s");
    breaker__agreement_free(agreement);
}

/* ---- what an answer brings ---- */

static breaker_ledger_entry_t make_entry(uint64_t order, const char *token, const char *release)
{
    breaker_ledger_entry_t entry = {.order = order};

    assert_int_equal(breaker_token_parse(token, strlen(token), &entry.token), 0);
    assert_int_equal(breaker_release_id_parse(release, strlen(release), &entry.release), 0);
    return entry;
}

static breaker_origin_t make_origin(breaker_why_t why, const char *what)
{
    breaker_origin_t origin = {.why = why, .when_ms = 1000};

    if (what[0] != '\0')
        assert_int_equal(breaker_release_id_parse(what, strlen(what), &origin.what), 0);
    return origin;
}

/* has the agreement answered with what it knows and, where `num` is 1, this entry */
static void answer_with(breaker__log_t *log, breaker__agreement_t *agreement, uint64_t now_ms,
                        size_t num, breaker_ledger_entry_t entry, breaker_origin_t origin)
{
    breaker_ledger_t ledger = *breaker__agreement_ledger(agreement);
    breaker_ledger_entry_t before = *breaker__agreement_own(agreement);
    breaker_answer_t answer = {.digest = "0123456789012345678901234567890123456789"};

    answer.digest[39] = (char)('0' + now_ms % 10);
    for (size_t i = 0; i != breaker_ledger_size(&ledger); ++i)
        answer.entries[answer.num_entries++] = *breaker_ledger_at(&ledger, i);
    if (num != 0) {
        answer.origins[answer.num_entries] = origin;
        answer.entries[answer.num_entries++] = entry;
    }
    breaker__agreement_on_up(agreement, at(now_ms));
    breaker__agreement_on_answer(agreement, at(now_ms), &answer);
    assert_int_equal(breaker__agreement_state(agreement), BREAKER__AGREEMENT_SYNCED);
    breaker__log_news(log, at(now_ms), agreement, &before);
    breaker__agreement_on_down(agreement, at(now_ms));
    breaker__agreement_on_time(agreement, at(now_ms + 100000));
}

static void what_an_answer_brings_is_said_with_its_cause(void **state)
{
    static const struct {
        breaker_why_t why;
        const char *token, *release, *what, *said;
    } cases[] = {
        {BREAKER_WHY_JOIN, "v3", "r3", "",
         "event=appeared token=v3 before=- release=r3 own=no why=join other-release=- "
         "minted=1970-01-01T00:00:01.000Z"},
        {BREAKER_WHY_PROMOTE, "v4", "r2", "r3",
         "event=moved token=v4 before=v2 release=r2 own=no why=promote other-release=r3 "
         "minted=1970-01-01T00:00:01.000Z"},
        {BREAKER_WHY_SILENCE, "v5", "r1", "r2",
         "event=moved token=v5 before=v1 release=r1 own=yes why=silence other-release=r2 "
         "minted=1970-01-01T00:00:01.000Z"},
        {BREAKER_WHY_CONFLICT, "v6", "r4", "r1",
         "trouble=token-conflict token=v5 other-release=r4 release=r1 other-moved-on-to=v6"},
        {BREAKER_WHY_CONFLICT, "v7", "r4", "r2",
         "event=moved token=v7 before=v6 release=r4 own=no why=conflict other-release=r2 "
         "minted=1970-01-01T00:00:01.000Z"},
    };
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_with(&log, agreement, 10, 0, (breaker_ledger_entry_t){0}, (breaker_origin_t){0});
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        answer_with(&log, agreement, 200001 * (i + 1), 1,
                    make_entry(100 + i, cases[i].token, cases[i].release),
                    make_origin(cases[i].why, cases[i].what));
        assert_int_equal(heard.num, i + 1);
        assert_string_equal(strstr(heard.last, "app=shop ") + 9, cases[i].said);
    }
    breaker__agreement_free(agreement);
}

static void what_is_there_at_first_is_no_news(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_with(&log, agreement, 10, 1, make_entry(100, "v3", "r3"),
                make_origin(BREAKER_WHY_JOIN, ""));
    assert_int_equal(heard.num, 0);
    breaker__agreement_free(agreement);
}

static void a_conflict_is_another_releases_token_only(void **state)
{
    static const struct {
        /* the release's until now; v1 is what it has, so two of them moved */
        const char *token;
        size_t num_lines;
    } cases[] = {{"v1", 0}, {"v3", 1}, {"v2", 2}};
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        heard_t heard = {0};
        breaker__log_t log = make_log(&heard);
        breaker__agreement_t *agreement = make_agreement();
        breaker_ledger_entry_t before = make_entry(50, cases[i].token, "r1");

        breaker__log_news(&log, at(5), agreement, &before);
        assert_int_equal(heard.num, cases[i].num_lines);
        breaker__agreement_free(agreement);
    }
}

static void another_dead_after_is_said_once(void **state)
{
    static breaker_script_answer_t answer;
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer = (breaker_script_answer_t){.has_releases = true, .num_releases = 2};
    answer.releases[0].id = make_entry(1, "v1", "r1").release;
    answer.releases[1].id = make_entry(1, "v2", "r2").release;
    answer.releases[0].dead_after_ms = answer.releases[1].dead_after_ms = 30000;
    breaker__log_dead_after(&log, at(5), agreement, &answer);
    assert_int_equal(heard.num, 0);
    answer.releases[1].dead_after_ms = 5000;
    for (uint64_t now_ms = 5; now_ms < 5 * BREAKER__LOG_EVERY_MS; now_ms += 2000)
        breaker__log_dead_after(&log, at(now_ms), agreement, &answer);
    assert_int_equal(heard.num, 1);
    assert_said(&heard, "trouble=dead-after own=30.0s others=5.0s other-release=r2 releases=1 "
                        "hint=\"the longer one decides\"");
    breaker__agreement_free(agreement);
}

static void a_node_that_leaves_says_so(void **state)
{
    heard_t heard = {0};
    breaker__log_t log = make_log(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    breaker__log_leave(&log, at(5), "h:1", agreement, true);
    assert_said(&heard, "event=leaving token=v1 release=r1 redis=h:1 told=yes");
    breaker__agreement_free(agreement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_trouble_is_said_once_a_minute),
        cmocka_unit_test(the_line_of_an_event_may_come_after_a_later_one),
        cmocka_unit_test(times_at_the_end_make_no_other_trouble),
        cmocka_unit_test(every_line_begins_with_its_time),
        cmocka_unit_test(other_trouble_and_good_news_are_not_held_back),
        cmocka_unit_test(a_line_is_one_line_however_long_its_cause),
        cmocka_unit_test(what_redis_refuses_with_is_shown_up_to_a_length),
        cmocka_unit_test(a_transition_is_said_once),
        cmocka_unit_test(a_start_is_not_said_to_be_stale_before_the_first_answer_is_late),
        cmocka_unit_test(what_becomes_stale_after_an_answer_is_said_at_once),
        cmocka_unit_test(what_comes_back_says_how_long_it_was_away),
        cmocka_unit_test(what_an_answer_brings_is_said_with_its_cause),
        cmocka_unit_test(what_is_there_at_first_is_no_news),
        cmocka_unit_test(a_conflict_is_another_releases_token_only),
        cmocka_unit_test(another_dead_after_is_said_once),
        cmocka_unit_test(a_node_that_leaves_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
