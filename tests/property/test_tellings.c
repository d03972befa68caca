/*
 * The rules of the meeting point, told twice: agree.lua in a real Redis, and meeting.c. The same
 * random polls, and time that passes in both, must come to the same ledgers, reasons and fleets.
 * BREAKER_SEED=N tells one of the stories again.
 */
#include <inttypes.h>
#include "cluster/agreement.h"
#include "meeting.h"
#include "script_bench.h"

enum {
    SEEDS = 30,
    POLLS = 60,
    RELEASES = 5,
    NODES_OF_RELEASE = 2,
    /* no sum of it, nor of it and an allowance, comes near a limit: the script notes time in steps
     */
    STEP_MS = 900,
};

typedef struct st_story_t {
    const bench_t *bench;
    uint64_t random;
    meeting_t meeting;
    breaker_script_command_t command;
    breaker_answer_t expected;
    /** the digest that the script answered last; the meeting makes its own */
    char digest[41];
} story_t;

static uint64_t next_random(story_t *story, uint64_t end)
{
    uint64_t word = story->random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (word ^ word >> 31) % end;
}

/* ---- time ---- */

static void move_field(const bench_t *bench, const char *field, const char *back)
{
    if (must_tell(bench, "HEXISTS", STATE, field, NULL) == 1)
        must(bench, "HINCRBY", STATE, field, back, NULL);
}

/* what was noted by a clock was noted so much earlier */
static void let_pass(story_t *story, uint64_t ms)
{
    meeting_t *meeting = &story->meeting;
    char back[24];
    resp_t *all;

    if (ms == 0)
        return;
    all = command(story->bench->admin, "ZRANGE", NODES, "0", "-1", NULL);
    snprintf(back, sizeof(back), "-%" PRIu64, ms);
    for (size_t i = 0; i != all->num_elements; ++i)
        must(story->bench, "ZINCRBY", NODES, back, all->elements[i].text, NULL);
    resp_free(all);
    move_field(story->bench, "heard", back);
    move_field(story->bench, "counted", back);
    move_field(story->bench, "hashed", back);
    for (size_t i = 0; i != meeting->num_attendants; ++i)
        meeting->attendants[i].seen_ms -= ms;
    meeting->heard_ms -= meeting->is_heard ? ms : 0;
    meeting->counted_ms -= meeting->counted_ms != 0 ? ms : 0;
}

/* ---- polls ---- */

static void make_caller(story_t *story, breaker__script_caller_t *caller,
                        breaker_agreement_config_t *config, unsigned *ret_release, unsigned *ret_id)
{
    char text[32];

    *ret_release = (unsigned)next_random(story, RELEASES);
    *ret_id = 1 + *ret_release * NODES_OF_RELEASE + (unsigned)next_random(story, NODES_OF_RELEASE);
    breaker__agreement_config_init(config);
    config->dead_after_ms = *ret_release == 0 ? 12000 : 5000;
    snprintf(text, sizeof(text), "r%u", *ret_release);
    assert_int_equal(breaker_release_id_parse(text, strlen(text), &config->release), 0);
    if (*ret_release == 3)
        assert_int_equal(breaker_token_parse("v1", 2, &config->fixed), 0);
    if (*ret_release == 4)
        strcpy(config->suffix, "-x");
    memset(caller, 0, sizeof(*caller));
    strcpy(caller->app, "shop");
    snprintf(caller->id, sizeof(caller->id), "n%02u", *ret_id);
    caller->agreement = config;
}

/* few tokens and few orders, so that they meet; now and then more than are kept */
static void make_poll(story_t *story, breaker__poll_t *poll)
{
    static const breaker__act_t acts[] = {BREAKER__ACT_MINT,   BREAKER__ACT_MINT,
                                          BREAKER__ACT_MINT,   BREAKER__ACT_HOLD,
                                          BREAKER__ACT_SETTLE, BREAKER__ACT_PROMOTE};
    uint64_t kind = next_random(story, 12);
    size_t num = kind == 0 ? 40 : kind == 1 ? 2 : 0;
    char text[32];

    memset(poll, 0, sizeof(*poll));
    poll->act = acts[next_random(story, sizeof(acts) / sizeof(acts[0]))];
    poll->wall_ms = 1000 + next_random(story, 200);
    if (next_random(story, 3) != 0)
        strcpy(poll->digest, story->digest);
    for (size_t i = 0; i != num; ++i) {
        breaker_ledger_entry_t *entry = poll->entries + i;
        entry->order = next_random(story, 900);
        snprintf(text, sizeof(text), next_random(story, 2) == 0 ? "v%u" : "%012u",
                 (unsigned)next_random(story, num > 2 ? 200 : 6));
        assert_int_equal(breaker_token_parse(text, strlen(text), &entry->token), 0);
        snprintf(text, sizeof(text), "r%u", (unsigned)next_random(story, 2 * RELEASES));
        assert_int_equal(breaker_release_id_parse(text, strlen(text), &entry->release), 0);
    }
    poll->num_entries = num;
}

/* ---- what comes of them ---- */

static const char *name_of(breaker_why_t why)
{
    static const char *const names[] = {"-",      "join",     "promote", "silence",
                                        "return", "conflict", "operator"};

    return names[why];
}

static void check_fact(const story_t *story, size_t at_fact, const char *line, uint64_t seed)
{
    const breaker_ledger_entry_t *fact = story->meeting.facts + at_fact;
    const breaker_origin_t *origin = story->meeting.origins + at_fact;
    char expected[400];
    int len = snprintf(expected, sizeof(expected), "%" PRIu64 " %s %s %s %s ", fact->order,
                       fact->token.text, fact->release.text, name_of(origin->why),
                       origin->what.len != 0 ? origin->what.text : "-");

    if (strncmp(line, expected, (size_t)len) != 0)
        fail_msg("BREAKER_SEED=%" PRIu64 ": %s, not %s", seed, line, expected);
}

static uint64_t counted_ms(const bench_t *bench)
{
    resp_t *reply = command(bench->admin, "HGET", STATE, "counted", NULL);
    uint64_t ms = strtoull(reply->text, NULL, 10);

    resp_free(reply);
    return ms;
}

static void check_whole_ledger(const story_t *story, uint64_t seed)
{
    resp_t *reply = poll(story->bench, ASK(.act = "read"));
    const resp_t *ledger = at(reply, ANSWER_LEDGER);

    if (ledger->num_elements != story->meeting.num_facts)
        fail_msg("BREAKER_SEED=%" PRIu64 ": %zu entries, not %zu", seed, ledger->num_elements,
                 story->meeting.num_facts);
    for (size_t i = 0; i != ledger->num_elements; ++i)
        check_fact(story, i, at(ledger, i)->text, seed);
    /* a usual poll does not look whether it is time to count: within a tenth of a second of real
     * time both may have counted at different polls */
    if (counted_ms(story->bench) == story->meeting.counted_ms)
        assert_int_equal(at(reply, ANSWER_FLEET)->integer, (int64_t)story->meeting.fleet);
    resp_free(reply);
}

static void take_turn(story_t *story, uint64_t seed)
{
    breaker__script_caller_t caller;
    breaker_agreement_config_t config;
    breaker__poll_t said;
    unsigned release, id;
    resp_t *reply;

    make_caller(story, &caller, &config, &release, &id);
    make_poll(story, &said);
    /* a node holds where it has what it needs, and nobody lacks anything */
    if (said.act == BREAKER__ACT_HOLD && (said.num_entries != 0 || config.fixed.len != 0 ||
                                          meeting_newest(&story->meeting, &config.release) == NULL))
        said.act = BREAKER__ACT_MINT;
    breaker__script_poll(&story->command, &caller, &said, false);
    reply = resp_command(story->bench->node, story->command.argc, story->command.argv);
    caller_t who = {.config = &config, .release = release, .id = id};
    if (said.digest[0] != '\0')
        strcpy(said.digest, story->expected.digest);
    meeting_poll(&story->meeting, (uint64_t)at(reply, ANSWER_NOW)->integer, &who, &said,
                 &story->expected);
    strcpy(story->digest, at(reply, ANSWER_DIGEST)->text);
    resp_free(reply);
    check_whole_ledger(story, seed);
}

static void tell_story(const bench_t *bench, uint64_t seed)
{
    static const uint64_t steps[] = {0, 1, 1, 2, 2, 6};
    story_t *story = calloc(1, sizeof(*story));

    assert_non_null(story);
    story->bench = bench;
    story->random = seed;
    flush(bench);
    for (int i = 0; i != POLLS; ++i) {
        take_turn(story, seed);
        let_pass(story, STEP_MS * steps[next_random(story, sizeof(steps) / sizeof(steps[0]))]);
    }
    free(story);
}

static void both_tellings_of_the_rules_come_to_the_same(void **state)
{
    const bench_t *bench = *state;
    const char *one = getenv("BREAKER_SEED");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;

    for (uint64_t seed = first; seed != first + (one != NULL ? 1 : SEEDS); ++seed)
        tell_story(bench, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_tellings_of_the_rules_come_to_the_same),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
