/* What happens to a fleet; see scenario.h. A timer looks every few milliseconds what is due. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "admin.h"
#include "scenario.h"

enum {
    TICK_MS = 10,
    /* the share of its processor that the server is to be busy for, in thousandths */
    BUSY_PERMILLE = 850,
    BURDEN_ROUND_MS = 500,
    BURDEN_ROUNDS = 6,
    /* what is under way is averaged over this */
    WINDOW_MS = 500,
};

typedef enum en_phase_t {
    PHASE_JOIN,
    PHASE_SETTLE,
    PHASE_BURDEN,
    PHASE_REST,
    PHASE_BLOW,
    PHASE_AWAY,
    PHASE_RETURN,
    PHASE_AFTER,
    PHASE_OVER,
} phase_t;

typedef struct st_blow_kind_t {
    const char *name;
    uint64_t away_ms;
    /** enters AWAY or RETURN, now or later */
    void (*begin)(scenario_t *scenario);
    /** the server comes back; NULL where it was not away */
    void (*end)(scenario_t *scenario);
    /** whenever the timer looks meanwhile; may be NULL */
    void (*go_on)(scenario_t *scenario);
} blow_kind_t;

typedef struct st_kind_t {
    const char *name;
    bool has_replica, has_load;
    const blow_kind_t *blows[SCENARIO_BLOWS_MAX + 1];
} kind_t;

struct st_scenario_t {
    uv_loop_t *loop; /* all of them borrowed: outlive us */
    fleet_t *fleet;
    server_t *server, *replica;
    scenario_result_t *result;

    scenario_config_t config;
    const kind_t *kind;
    unsigned num_nodes, num_started;
    uv_timer_t timer;
    load_t load;

    phase_t phase;
    uint64_t entered_us;
    /* a question to the server is under way */
    bool is_waiting;
    /* of the phase REST, and of a blow: what there was when it began */
    fleet_tally_t tally;
    uint64_t used_us, own_us, began_us;
    unsigned num_rounds;
    /* what was under way, moment by moment */
    uint64_t sum_queue;
    unsigned num_queues;
};

static void enter(scenario_t *scenario, phase_t phase);

/* ---- small things ---- */

static uint64_t elapsed_ms(const scenario_t *scenario)
{
    return (fleet_clock_us() - scenario->entered_us) / 1000;
}

static uint64_t own_used_us(void)
{
    struct timespec used;
    int err = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);

    assert(err == 0);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static scenario_blow_t *current_blow(scenario_t *scenario)
{
    assert(scenario->result->num_blows != 0);
    return scenario->result->blows + scenario->result->num_blows - 1;
}

static const blow_kind_t *current_kind(scenario_t *scenario)
{
    return scenario->kind->blows[scenario->result->num_blows - 1];
}

static void ask(scenario_t *scenario, admin_reply_cb callback, size_t argc, const char *const *argv)
{
    assert(!scenario->is_waiting);
    scenario->is_waiting = true;
    admin_ask(scenario->loop, scenario->server->port, argc, argv, callback, scenario);
}

/* ---- what is under way, on average ---- */

static void forget_mean(scenario_t *scenario)
{
    scenario->sum_queue = 0;
    scenario->num_queues = 0;
}

static void note_mean(scenario_t *scenario)
{
    scenario->sum_queue += fleet_queue(scenario->fleet);
    ++scenario->num_queues;
}

static double mean_queue(const scenario_t *scenario)
{
    assert(scenario->num_queues != 0 || scenario->sum_queue == 0);
    return scenario->num_queues != 0 ? (double)scenario->sum_queue / scenario->num_queues : 0;
}

/*
 * At rest a node has a poll under way for some thousandths of the time, on a busy machine for some
 * hundredths; where polls time out and are made again at once it is more than half of it.
 */
static bool is_calm(const scenario_t *scenario)
{
    return mean_queue(scenario) <= 5 + scenario->num_nodes / 4.0;
}

/* goes on until least_ms are over and little was under way in a whole window, or to the limit */
static bool is_over(scenario_t *scenario, uint64_t least_ms, bool *ret_calm)
{
    uint64_t spent_ms = elapsed_ms(scenario);

    note_mean(scenario);
    if (scenario->num_queues < WINDOW_MS / TICK_MS && spent_ms < scenario->config.limit_ms)
        return false;
    *ret_calm = is_calm(scenario);
    if ((*ret_calm && spent_ms >= least_ms) || spent_ms >= scenario->config.limit_ms)
        return true;
    forget_mean(scenario);
    return false;
}

/* ---- blows ---- */

static void on_saved(void *data, const breaker_reply_t *reply)
{
    scenario_t *scenario = data;

    if (reply == NULL || reply->type != BREAKER_REPLY_STATUS)
        fprintf(stderr, "the server did not save\n");
    scenario->is_waiting = false;
    server_kill(scenario->server);
    enter(scenario, PHASE_AWAY);
}

static void begin_restart(scenario_t *scenario)
{
    ask(scenario, on_saved, 1, (const char *const[]){"SAVE"});
}

static void begin_emptied(scenario_t *scenario)
{
    server_kill(scenario->server);
    server_drop_dump(scenario->server);
    enter(scenario, PHASE_AWAY);
}

static void start_again(scenario_t *scenario)
{
    server_start(scenario->server);
}

static void on_flushed(void *data, const breaker_reply_t *reply)
{
    scenario_t *scenario = data;

    if (reply == NULL)
        fprintf(stderr, "the server was not emptied\n");
    scenario->is_waiting = false;
    enter(scenario, PHASE_RETURN);
}

static void begin_flush(scenario_t *scenario)
{
    ask(scenario, on_flushed, 1, (const char *const[]){"FLUSHALL"});
}

static void begin_failover(scenario_t *scenario)
{
    server_kill(scenario->server);
    enter(scenario, PHASE_AWAY);
}

static void on_promoted(void *data, const breaker_reply_t *reply)
{
    scenario_t *scenario = data;

    if (reply == NULL)
        fprintf(stderr, "the replica was not promoted\n");
    scenario->is_waiting = false;
}

static void promote_replica(scenario_t *scenario)
{
    assert(scenario->replica != NULL);
    scenario->server = scenario->replica;
    scenario->replica = NULL;
    fleet_move(scenario->fleet, scenario->server->port);
    ask(scenario, on_promoted, 3, (const char *const[]){"REPLICAOF", "NO", "ONE"});
}

static void begin_pause(scenario_t *scenario)
{
    server_pause(scenario->server);
    enter(scenario, PHASE_AWAY);
}

static void end_pause(scenario_t *scenario)
{
    server_resume(scenario->server);
}

static void begin_news(scenario_t *scenario)
{
    enter(scenario, PHASE_AWAY);
}

/* every node has two requests a second that need news */
static void want_news(scenario_t *scenario)
{
    fleet_want(scenario->fleet, 1 + scenario->num_nodes * TICK_MS / 500);
}

static void end_news(scenario_t *scenario)
{
    assert(scenario->phase == PHASE_RETURN);
}

static const blow_kind_t restarted = {"restart", 3000, begin_restart, start_again, NULL};
static const blow_kind_t emptied = {"restart-empty", 3000, begin_emptied, start_again, NULL};
static const blow_kind_t flushed = {"flush", 0, begin_flush, NULL, NULL};
static const blow_kind_t failed_over = {"failover", 3000, begin_failover, promote_replica, NULL};
static const blow_kind_t paused = {"pause", 10000, begin_pause, end_pause, NULL};
static const blow_kind_t wanted = {"news", 10000, begin_news, end_news, want_news};

static const kind_t kinds[] = {
    {"rest", false, false, {NULL}},
    {"restart", false, false, {&restarted}},
    {"wipe", false, false, {&flushed, &emptied}},
    {"failover", true, false, {&failed_over}},
    {"pause", false, false, {&paused}},
    {"news", false, false, {&wanted}},
    {"load", false, true, {&restarted, &paused}},
};

static const kind_t *find_kind(const char *name)
{
    for (size_t i = 0; i != sizeof(kinds) / sizeof(kinds[0]); ++i)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds + i;
    return NULL;
}

bool scenario_is_known(const char *name)
{
    return find_kind(name) != NULL;
}

bool scenario_needs_replica(const char *name)
{
    return find_kind(name)->has_replica;
}

/* ---- what Redis counts ---- */

/* the number after `key`, which ends in '=' or ':'; 0 where there is none */
static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* a name and, in the same line, one of its numbers */
static uint64_t number_of(const char *text, const char *name, const char *key)
{
    const char *line = strstr(text, name);

    return line != NULL ? number_after(line, key) : 0;
}

typedef struct st_counters_t {
    uint64_t calls, script_us, script_p50_us, bytes_in, bytes_out;
} counters_t;

static bool read_counters(const breaker_reply_t *reply, counters_t *ret_counters)
{
    if (reply == NULL || reply->type != BREAKER_REPLY_STRING)
        return false;
    *ret_counters = (counters_t){
        .calls = number_of(reply->base, "cmdstat_eval:", "calls=") +
                 number_of(reply->base, "cmdstat_evalsha:", "calls="),
        .script_us = number_of(reply->base, "cmdstat_eval:", "usec=") +
                     number_of(reply->base, "cmdstat_evalsha:", "usec="),
        .script_p50_us = number_of(reply->base, "latency_percentiles_usec_evalsha:", "p50="),
        .bytes_in = number_after(reply->base, "total_net_input_bytes:"),
        .bytes_out = number_after(reply->base, "total_net_output_bytes:"),
    };
    return true;
}

static void ask_counters(scenario_t *scenario, admin_reply_cb callback)
{
    ask(scenario, callback, 4,
        (const char *const[]){"INFO", "stats", "commandstats", "latencystats"});
}

/* ---- rest ---- */

static void on_counters_before(void *data, const breaker_reply_t *reply)
{
    scenario_t *scenario = data;
    scenario_rest_t *rest = &scenario->result->rest;
    counters_t counters;

    scenario->is_waiting = false;
    if ((rest->is_asked = read_counters(reply, &counters))) {
        rest->script_calls = counters.calls;
        rest->script_us = counters.script_us;
        rest->bytes_in = counters.bytes_in;
        /* this answer was not counted yet */
        rest->bytes_out = counters.bytes_out + reply->len;
    }
    scenario->tally = fleet_tally(scenario->fleet);
    scenario->used_us = server_used_us(scenario->server);
    scenario->own_us = own_used_us();
    samples_clear(fleet_round_trips(scenario->fleet));
    fleet_take_longest_queue(scenario->fleet);
    forget_mean(scenario);
    scenario->began_us = fleet_clock_us();
    scenario->entered_us = scenario->began_us;
}

static void go_on_after_rest(scenario_t *scenario)
{
    enter(scenario, scenario->kind->blows[0] != NULL ? PHASE_BLOW : PHASE_OVER);
}

static void on_counters_after(void *data, const breaker_reply_t *reply)
{
    scenario_t *scenario = data;
    scenario_rest_t *rest = &scenario->result->rest;
    counters_t counters;

    scenario->is_waiting = false;
    if ((rest->is_asked = rest->is_asked && read_counters(reply, &counters))) {
        rest->script_calls = counters.calls - rest->script_calls;
        rest->script_us = counters.script_us - rest->script_us;
        rest->script_p50_us = counters.script_p50_us;
        rest->bytes_in = counters.bytes_in - rest->bytes_in;
        rest->bytes_out = counters.bytes_out - rest->bytes_out;
    }
    go_on_after_rest(scenario);
}

static void end_rest(scenario_t *scenario)
{
    fleet_tally_t tally = fleet_tally(scenario->fleet);
    samples_t *round_trips = fleet_round_trips(scenario->fleet);
    scenario_rest_t *rest = &scenario->result->rest;

    rest->spent_us = fleet_clock_us() - scenario->began_us;
    rest->polls = tally.answers - scenario->tally.answers;
    rest->failed_polls = tally.failed_polls - scenario->tally.failed_polls;
    rest->failed_dials = tally.failed_dials - scenario->tally.failed_dials;
    rest->used_us = server_used_us(scenario->server) - scenario->used_us;
    rest->own_us = own_used_us() - scenario->own_us;
    rest->p50_us = samples_percentile(round_trips, 50);
    rest->p99_us = samples_percentile(round_trips, 99);
    rest->max_us = round_trips->max;
    rest->mean_queue = mean_queue(scenario);
    rest->longest_queue = fleet_take_longest_queue(scenario->fleet);
    ask_counters(scenario, on_counters_after);
}

static void rest(scenario_t *scenario)
{
    note_mean(scenario);
    if (elapsed_ms(scenario) >= scenario->config.rest_ms)
        end_rest(scenario);
}

/* ---- the other phases ---- */

static void join(scenario_t *scenario)
{
    uint64_t due = elapsed_ms(scenario) * scenario->config.join_rate / 1000 + 1;

    while (scenario->num_started < due && fleet_start_next(scenario->fleet))
        ++scenario->num_started;
    if (fleet_num_back(scenario->fleet) != scenario->num_nodes &&
        elapsed_ms(scenario) < scenario->config.limit_ms + UINT64_C(1000) * scenario->num_nodes /
                                                               scenario->config.join_rate)
        return;
    scenario->result->num_joined = fleet_num_back(scenario->fleet);
    scenario->result->join_ms = fleet_return_ms(scenario->fleet);
    enter(scenario, PHASE_SETTLE);
}

/* a step nearer to the share of the processor that is wanted */
static void burden(scenario_t *scenario)
{
    uint64_t used_us = server_used_us(scenario->server), spent_us;
    int64_t permille;

    if (elapsed_ms(scenario) < BURDEN_ROUND_MS)
        return;
    spent_us = fleet_clock_us() - scenario->entered_us;
    permille = (int64_t)load_permille(&scenario->load) + BUSY_PERMILLE -
               (int64_t)((used_us - scenario->used_us) * 1000 / spent_us);
    if (permille < 0)
        permille = 0;
    load_set(&scenario->load, permille < LOAD_MAX ? (unsigned)permille : LOAD_MAX);
    scenario->used_us = used_us;
    scenario->entered_us = fleet_clock_us();
    if (++scenario->num_rounds < BURDEN_ROUNDS)
        return;
    scenario->result->load_permille = load_permille(&scenario->load);
    enter(scenario, PHASE_REST);
}

static void begin_blow(scenario_t *scenario)
{
    const blow_kind_t *kind = scenario->kind->blows[scenario->result->num_blows++];
    scenario_blow_t *blow = current_blow(scenario);

    blow->name = kind->name;
    blow->away_ms = kind->away_ms;
    if (kind->end != NULL && scenario->config.away_ms != 0)
        blow->away_ms = scenario->config.away_ms;
    scenario->began_us = fleet_clock_us();
    scenario->tally = fleet_tally(scenario->fleet);
    fleet_take_longest_queue(scenario->fleet);
    kind->begin(scenario);
}

static void await_return(scenario_t *scenario)
{
    scenario_blow_t *blow = current_blow(scenario);

    blow->num_back = fleet_num_back(scenario->fleet);
    if (blow->num_back != scenario->num_nodes && elapsed_ms(scenario) < scenario->config.limit_ms)
        return;
    blow->return_ms = fleet_return_ms(scenario->fleet);
    enter(scenario, PHASE_AFTER);
}

static void watch_after(scenario_t *scenario)
{
    scenario_blow_t *blow = current_blow(scenario);
    fleet_tally_t tally = fleet_tally(scenario->fleet);

    if (!is_over(scenario, scenario->config.after_ms, &blow->is_calm))
        return;
    blow->polls = tally.answers - scenario->tally.answers;
    blow->failed_polls = tally.failed_polls - scenario->tally.failed_polls;
    blow->failed_dials = tally.failed_dials - scenario->tally.failed_dials;
    blow->p99_us = samples_percentile(fleet_round_trips(scenario->fleet), 99);
    if (scenario->kind->blows[scenario->result->num_blows] != NULL)
        enter(scenario, PHASE_BLOW);
    else
        enter(scenario, PHASE_OVER);
}

static void finish(scenario_t *scenario)
{
    load_stop(&scenario->load);
    uv_close((uv_handle_t *)&scenario->timer, NULL);
    fleet_stop(scenario->fleet);
}

/* ---- from phase to phase ---- */

/* what a phase begins with */
static void enter(scenario_t *scenario, phase_t phase)
{
    assert(!scenario->is_waiting);
    scenario->phase = phase;
    scenario->entered_us = fleet_clock_us();
    switch (phase) {
    case PHASE_BURDEN:
        load_start(&scenario->load, scenario->server->port);
        scenario->used_us = server_used_us(scenario->server);
        return;
    case PHASE_REST:
        ask_counters(scenario, on_counters_before);
        return;
    case PHASE_BLOW:
        begin_blow(scenario);
        return;
    case PHASE_RETURN:
        fleet_begin_return(scenario->fleet);
        samples_clear(fleet_round_trips(scenario->fleet));
        return;
    case PHASE_SETTLE:
    case PHASE_AFTER:
        forget_mean(scenario);
        return;
    case PHASE_OVER:
        finish(scenario);
        return;
    case PHASE_JOIN:
    case PHASE_AWAY:
        return;
    }
}

static void end_away(scenario_t *scenario)
{
    const blow_kind_t *kind = current_kind(scenario);

    if (kind->go_on != NULL)
        kind->go_on(scenario);
    if (elapsed_ms(scenario) < current_blow(scenario)->away_ms)
        return;
    enter(scenario, PHASE_RETURN);
    kind->end(scenario);
}

static void note_queue(scenario_t *scenario)
{
    uint64_t second = (fleet_clock_us() - scenario->began_us) / 1000000;
    scenario_blow_t *blow = current_blow(scenario);
    unsigned longest = fleet_take_longest_queue(scenario->fleet);

    if (second >= SCENARIO_SECONDS_MAX)
        return;
    if (longest > blow->queue[second])
        blow->queue[second] = longest;
    blow->num_seconds = (unsigned)second + 1;
}

static void on_tick(uv_timer_t *timer)
{
    scenario_t *scenario = timer->data;

    if (scenario->phase > PHASE_BLOW)
        note_queue(scenario);
    if (scenario->is_waiting)
        return;
    switch (scenario->phase) {
    case PHASE_JOIN:
        join(scenario);
        return;
    case PHASE_SETTLE:
        if (is_over(scenario, scenario->config.settle_ms, &scenario->result->is_calm))
            enter(scenario, scenario->kind->has_load ? PHASE_BURDEN : PHASE_REST);
        return;
    case PHASE_BURDEN:
        burden(scenario);
        return;
    case PHASE_REST:
        rest(scenario);
        return;
    case PHASE_AWAY:
        end_away(scenario);
        return;
    case PHASE_RETURN:
        await_return(scenario);
        return;
    case PHASE_AFTER:
        watch_after(scenario);
        return;
    case PHASE_BLOW:
    case PHASE_OVER:
        return;
    }
}

void scenario_run(uv_loop_t *loop, const scenario_config_t *config, fleet_t *fleet,
                  unsigned num_nodes, server_t *server, server_t *replica,
                  scenario_result_t *ret_result)
{
    scenario_t scenario = {.loop = loop,
                           .fleet = fleet,
                           .server = server,
                           .replica = replica,
                           .result = ret_result,
                           .config = *config,
                           .kind = find_kind(config->name),
                           .num_nodes = num_nodes};

    assert(scenario.kind != NULL);
    *ret_result = (scenario_result_t){.num_joined = 0};
    uv_timer_init(loop, &scenario.timer);
    scenario.timer.data = &scenario;
    uv_timer_start(&scenario.timer, on_tick, 0, TICK_MS);
    enter(&scenario, PHASE_JOIN);
    uv_run(loop, UV_RUN_DEFAULT);
    assert(scenario.phase == PHASE_OVER);
}
