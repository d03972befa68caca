/* What a cluster says, and that it says it once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/said.h"

typedef struct st_heard_t {
    size_t num;
    char last[BREAKER_LOG_LINE_SIZE];
} heard_t;

static void on_log(void *data, const breaker_log_event_t *event)
{
    heard_t *heard = data;

    ++heard->num;
    breaker_log_print_text(event, heard->last);
}

/* both clocks at once: 1970, and so many ms after its begin */
static breaker__moment_t at(uint64_t ms)
{
    return (breaker__moment_t){ms, ms};
}

/* ---- a cluster's lines ---- */

#define LINE "breaker: cluster app=shop "
#define assert_said(heard, expected)                                                               \
    assert_string_equal(strstr((heard)->last, "breaker: "), LINE expected)

static breaker__said_t make_said(heard_t *heard)
{
    return (breaker__said_t){
        .log = {.component = "cluster", .app = "shop", .data = heard, .on_log = on_log}};
}

static void what_redis_refuses_with_is_shown_up_to_a_length(void **state)
{
    char text[500];
    breaker_reply_t reply = {.type = BREAKER_REPLY_ERROR, .base = text, .len = 3};
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    (void)state;

    memset(text, 'e', sizeof(text));
    breaker__said_refusal(&said, at(5), "h:1", &reply);
    assert_said(&heard, "trouble=refused redis=h:1 reason=\"eee\"");
    reply.len = sizeof(text);
    breaker__said_refusal(&said, at(5), "h:1", &reply);
    assert_int_equal(strspn(strchr(heard.last, '"') + 1, "e"), 199);
    reply.type = BREAKER_REPLY_STATUS;
    breaker__said_refusal(&said, at(5), "h:1", &reply);
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
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    breaker__said_transition(&said, at(5), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.005Z");
    breaker__said_transition(&said, at(5 + 2 * BREAKER__LOG_EVERY_MS), "h:1", agreement);
    assert_int_equal(heard.num, 1);
    breaker__agreement_free(agreement);
}

static void a_start_is_not_said_to_be_stale_before_the_first_answer_is_late(void **state)
{
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    said.late_ms = 1505;
    breaker__said_transition(&said, at(5), "", agreement);
    breaker__said_transition(&said, at(1504), "", agreement);
    assert_int_equal(heard.num, 0);
    breaker__said_transition(&said, at(1505), "", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=- "
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
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    said.late_ms = 1505;
    answer_own(agreement, (breaker__moment_t){6, 6});
    breaker__said_transition(&said, at(6), "h:1", agreement);
    assert_said(&heard, "state=synced token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.006Z");
    breaker__agreement_on_down(agreement, (breaker__moment_t){7, 7});
    breaker__said_transition(&said, at(7), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:00.007Z");
    assert_int_equal(heard.num, 2);
    breaker__agreement_free(agreement);
}

static void what_comes_back_says_how_long_it_was_away(void **state)
{
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_own(agreement, at(1000));
    breaker__said_transition(&said, at(1000), "h:1", agreement);
    breaker__agreement_on_down(agreement, at(2000));
    breaker__said_transition(&said, at(2000), "h:1", agreement);
    assert_said(&heard, "state=stale token=v1 release=r1 redis=h:1 "
                        "since=1970-01-01T00:00:02.000Z");
    breaker__agreement_on_time(agreement, at(45200));
    answer_own(agreement, at(45200));
    breaker__said_transition(&said, at(45200), "h:1", agreement);
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
static void answer_with(breaker__said_t *said, breaker__agreement_t *agreement, uint64_t now_ms,
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
    breaker__said_news(said, at(now_ms), agreement, &before);
    breaker__agreement_on_down(agreement, at(now_ms));
    breaker__agreement_on_time(agreement, at(now_ms + 100000));
}

static void what_an_answer_brings_is_said_with_its_cause(void **state)
{
    static const struct {
        breaker_why_t why;
        const char *token, *release, *what, *line;
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
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_with(&said, agreement, 10, 0, (breaker_ledger_entry_t){0}, (breaker_origin_t){0});
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        answer_with(&said, agreement, 200001 * (i + 1), 1,
                    make_entry(100 + i, cases[i].token, cases[i].release),
                    make_origin(cases[i].why, cases[i].what));
        assert_int_equal(heard.num, i + 1);
        assert_string_equal(strstr(heard.last, "app=shop ") + 9, cases[i].line);
    }
    breaker__agreement_free(agreement);
}

static void what_is_there_at_first_is_no_news(void **state)
{
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer_with(&said, agreement, 10, 1, make_entry(100, "v3", "r3"),
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
        breaker__said_t said = make_said(&heard);
        breaker__agreement_t *agreement = make_agreement();
        breaker_ledger_entry_t before = make_entry(50, cases[i].token, "r1");

        breaker__said_news(&said, at(5), agreement, &before);
        assert_int_equal(heard.num, cases[i].num_lines);
        breaker__agreement_free(agreement);
    }
}

static void another_dead_after_is_said_once(void **state)
{
    static breaker_script_answer_t answer;
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    answer = (breaker_script_answer_t){.has_releases = true, .num_releases = 2};
    answer.releases[0].id = make_entry(1, "v1", "r1").release;
    answer.releases[1].id = make_entry(1, "v2", "r2").release;
    answer.releases[0].dead_after_ms = answer.releases[1].dead_after_ms = 30000;
    breaker__said_dead_after(&said, at(5), agreement, &answer);
    assert_int_equal(heard.num, 0);
    answer.releases[1].dead_after_ms = 5000;
    for (uint64_t now_ms = 5; now_ms < 5 * BREAKER__LOG_EVERY_MS; now_ms += 2000)
        breaker__said_dead_after(&said, at(now_ms), agreement, &answer);
    assert_int_equal(heard.num, 1);
    assert_said(&heard, "trouble=dead-after own=30.0s others=5.0s other-release=r2 releases=1 "
                        "hint=\"the longer one decides\"");
    breaker__agreement_free(agreement);
}

static void what_a_poll_puts_back_is_said_once_it_is_there(void **state)
{
    static breaker__poll_t poll;
    static breaker_answer_t answer;
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    (void)state;

    poll.num_entries = 3;
    poll.entries[0] = make_entry(50, "v1", "r1");
    poll.entries[1] = make_entry(60, "v2", "r2");
    poll.entries[2] = make_entry(70, "v3", "r3");
    answer.num_entries = 1;
    answer.entries[0] = poll.entries[0];
    breaker__said_restored(&said, at(5), "h:1", &poll, &answer);
    assert_int_equal(heard.num, 0);
    answer.num_entries = 2;
    answer.entries[1] = poll.entries[2];
    breaker__said_restored(&said, at(5), "h:1", &poll, &answer);
    assert_said(&heard, "event=restored entries=1 redis=h:1");
}

static void a_node_that_leaves_says_so(void **state)
{
    heard_t heard = {0};
    breaker__said_t said = make_said(&heard);
    breaker__agreement_t *agreement = make_agreement();
    (void)state;

    breaker__said_leave(&said, at(5), "h:1", agreement, true);
    assert_said(&heard, "event=leaving token=v1 release=r1 redis=h:1 told=yes");
    breaker__agreement_free(agreement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_poll_puts_back_is_said_once_it_is_there),
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
