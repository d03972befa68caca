/* The cluster, its network, and what may go wrong with them; see world.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "world.h"

static const uint64_t EPOCH_MS = UINT64_C(1700000000000);
static const int64_t YEAR_MS = INT64_C(31557600000);

uint64_t world_random(world_t *world, uint64_t end)
{
    uint64_t word = world->random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (word ^ word >> 31) % end;
}

bool world_chance(world_t *world, unsigned percent)
{
    return world_random(world, 100) < percent;
}

static uint64_t clock_of(const world_t *world, int64_t skew_ms)
{
    int64_t shown = (int64_t)(EPOCH_MS + world->now_ms) + skew_ms;
    uint64_t clock_ms = shown < 0 ? 0 : (uint64_t)shown;

    return clock_ms / world->grain_ms * world->grain_ms;
}

static breaker__moment_t moment_of(const world_t *world, const node_t *node)
{
    return (breaker__moment_t){.wall_ms = clock_of(world, node->skew_ms), .mono_ms = world->now_ms};
}

static uint64_t redis_now(const world_t *world)
{
    int64_t shown = (int64_t)(EPOCH_MS + world->now_ms) + world->redis_skew_ms;

    assert(shown > 0);
    return (uint64_t)shown;
}

static uint64_t latency(world_t *world)
{
    return 1 + world_random(world, world->latency_ms);
}

/* ---- a node's link ---- */

static void expect(node_t *node, outcome_t outcome, uint64_t at_ms)
{
    node->outcome = outcome;
    node->outcome_ms = at_ms;
}

static void dial(world_t *world, node_t *node)
{
    assert(node->outcome == OUTCOME_NONE && !node->is_connected);
    if (node->is_cut)
        expect(node, OUTCOME_DOWN, world->now_ms + CONNECT_TIMEOUT_MS);
    else
        expect(node, world->is_down ? OUTCOME_DOWN : OUTCOME_UP, world->now_ms + latency(world));
}

static void send_poll(world_t *world, node_t *node)
{
    flight_t *flight;

    assert(node->is_connected);
    ++world->num_polls;
    /* into a connection that is about to break */
    if (node->outcome == OUTCOME_DOWN)
        return;
    assert(node->outcome == OUTCOME_NONE);
    ++node->serial;
    node->asked_ms = world->now_ms;
    expect(node, OUTCOME_DOWN, world->now_ms + REPLY_TIMEOUT_MS);
    if (world->num_flights == FLIGHTS_MAX)
        return;
    flight = world->flights + world->num_flights++;
    *flight = (flight_t){.node = (size_t)(node - world->nodes),
                         .serial = node->serial,
                         .release = node->release,
                         .id = node->id,
                         .config = node->config,
                         .arrives_ms = world->now_ms + latency(world),
                         .is_reply_lost = world_chance(world, world->loss_percent)};
    if (world_chance(world, world->ghost_percent))
        flight->arrives_ms += world_random(world, 5000);
    breaker__agreement_poll(node->agreement, moment_of(world, node), &flight->poll);
}

static void carry_out(world_t *world, node_t *node, breaker__actions_t actions)
{
    if (actions.hang_up) {
        node->is_connected = false;
        expect(node, OUTCOME_NONE, NEVER);
    }
    if (actions.save && node->has_file) {
        node->file = *breaker__agreement_ledger(node->agreement);
        breaker__ledger_add(&node->file, breaker__agreement_own(node->agreement) != NULL
                                             ? breaker__agreement_own(node->agreement)
                                             : &(breaker_ledger_entry_t){.order = 0});
    }
    node->wake_ms = actions.wake_ms;
    check_node(world, node, actions.publish);
    if (actions.dial)
        dial(world, node);
    if (actions.poll)
        send_poll(world, node);
}

static void deliver(world_t *world, node_t *node)
{
    outcome_t outcome = node->outcome;
    breaker__moment_t now = moment_of(world, node);

    /* whatever is under way still answers what is over now */
    ++node->serial;
    expect(node, OUTCOME_NONE, NEVER);
    if (outcome == OUTCOME_UP) {
        node->is_connected = true;
        world->unsettled_ms = world->now_ms;
        carry_out(world, node, breaker__agreement_on_up(node->agreement, now));
    } else if (outcome == OUTCOME_DOWN) {
        node->is_connected = false;
        carry_out(world, node, breaker__agreement_on_down(node->agreement, now));
    } else if (outcome == OUTCOME_REFUSED) {
        carry_out(world, node, breaker__agreement_on_refused(node->agreement, now));
    } else {
        carry_out(world, node, breaker__agreement_on_answer(node->agreement, now, &node->answer));
    }
}

/* ---- Redis ---- */

static void land(world_t *world, flight_t flight)
{
    node_t *node = world->nodes + flight.node;
    caller_t caller = {.config = &flight.config, .release = flight.release, .id = flight.id};
    bool is_awaited = node->agreement != NULL && node->serial == flight.serial &&
                      node->id == flight.id && node->outcome == OUTCOME_DOWN;
    uint64_t back_ms = world->now_ms + latency(world);
    breaker_answer_t answer;
    minute_t minute;

    if (node->is_cut)
        return;
    if (world->is_down || world->is_refusing) {
        if (is_awaited && back_ms < node->outcome_ms)
            expect(node, world->is_down ? OUTCOME_DOWN : OUTCOME_REFUSED, back_ms);
        return;
    }
    minute = meeting_poll(&world->meeting, redis_now(world), &caller, &flight.poll, &answer);
    check_passed(world, &minute);
    world->missed_ms[flight.release] = 0;
    for (size_t i = 0; i != flight.poll.num_entries; ++i)
        world_claim(world, flight.poll.entries + i, false, true);
    if (minute.minted.token.len != 0) {
        ++world->num_mints;
        world->unsettled_ms = world->renewed_ms = world->now_ms;
        world_claim(world, &minute.minted, false, true);
    }
    world_note_minute(world, &minute);
    if (!is_awaited)
        world->unsettled_ms = world->renewed_ms = world->now_ms;
    if (is_awaited && !flight.is_reply_lost && back_ms < node->outcome_ms) {
        node->answer = answer;
        expect(node, OUTCOME_ANSWER, back_ms);
    }
}

/* ---- lives of a node ---- */

static void configure(world_t *world, node_t *node)
{
    static const breaker_start_policy_t policies[] = {BREAKER_START_OPEN, BREAKER_START_OPEN,
                                                      BREAKER_START_WAIT, BREAKER_START_STRICT};
    breaker_agreement_config_t *config = &node->config;
    char text[32];

    breaker__agreement_config_init(config);
    config->poll_ms = world->poll_ms;
    config->dead_after_ms = world->dead_after_ms;
    if (world->dead_after_ms != 0 && world_chance(world, 30))
        config->dead_after_ms = world->dead_max_ms;
    config->start = policies[world_random(world, 4)];
    config->start_timeout_ms = 4000;
    config->seed = world_random(world, UINT64_MAX);
    snprintf(text, sizeof(text), "r%u", node->release);
    breaker_release_id_parse(text, strlen(text), &config->release);
    if (world->has_suffix)
        snprintf(config->suffix, sizeof(config->suffix), "-r%u", node->release);
    /* not every release of such a world has a token of the operator's */
    if (world->has_fixed && node->release % 3 != 2) {
        snprintf(text, sizeof(text), "v%u", node->release);
        breaker_token_parse(text, strlen(text), &config->fixed);
    }
}

static void boot(world_t *world, node_t *node)
{
    node->boot_ms = NEVER;
    node->booted_ms = world->unsettled_ms = world->renewed_ms = world->now_ms;
    node->id = ++world->num_lives;
    node->own = (breaker_ledger_entry_t){.order = 0};
    node->ledger = node->file;
    configure(world, node);
    if (breaker__agreement_create(&node->config, &node->agreement) != 0)
        abort();
    carry_out(world, node,
              breaker__agreement_start(node->agreement, moment_of(world, node), &node->file));
}

void world_kill(world_t *world, node_t *node)
{
    breaker__agreement_free(node->agreement);
    node->agreement = NULL;
    node->is_connected = false;
    node->wake_ms = node->boot_ms = NEVER;
    expect(node, OUTCOME_NONE, NEVER);
    if (!node->has_file || world_chance(world, 20))
        breaker_ledger_init(&node->file, NULL, 0);
}

/* in order, or killed; a word of the one that leaves may be lost as any other */
static void leave(world_t *world, node_t *node)
{
    caller_t caller = {.config = &node->config, .release = node->release, .id = node->id};

    if (node->agreement != NULL && node->is_connected && !node->is_cut && !world->is_down &&
        world_chance(world, 50))
        meeting_leave(&world->meeting, &caller);
    world_kill(world, node);
}

/* in the middle of its life a node is given other files */
static void load(world_t *world, node_t *node, unsigned release)
{
    breaker__actions_t actions;
    breaker_release_id_t id;
    breaker_token_t fixed;
    char text[32], suffix[17] = "";

    /* a release without a token of the operator's would keep the one of the release before */
    if (node->agreement == NULL || node->release == release ||
        (world->has_fixed && release % 3 == 2))
        return;
    node->release = release;
    world->unsettled_ms = world->renewed_ms = world->now_ms;
    snprintf(text, sizeof(text), "r%u", release);
    breaker_release_id_parse(text, strlen(text), &id);
    if (world->has_suffix)
        snprintf(suffix, sizeof(suffix), "-r%u", release);
    snprintf(text, sizeof(text), "v%u", release);
    breaker_token_parse(text, strlen(text), &fixed);
    actions = breaker__agreement_on_release(node->agreement, moment_of(world, node), &id,
                                            world->has_fixed ? &fixed : NULL, suffix);
    node->config = *breaker__agreement_config(node->agreement);
    carry_out(world, node, actions);
}

static void restart(world_t *world, node_t *node, unsigned release)
{
    leave(world, node);
    node->release = release;
    node->boot_ms = world->now_ms + 1 + world_random(world, 3000);
}

/* ---- faults ---- */

static void take_down(world_t *world)
{
    world->is_down = true;
    for (size_t i = 0; i != world->num_nodes; ++i) {
        node_t *node = world->nodes + i;
        if (node->is_connected && node->outcome == OUTCOME_NONE && !node->is_cut)
            expect(node, OUTCOME_DOWN, world->now_ms + latency(world));
    }
}

static int64_t jump(world_t *world)
{
    switch (world_random(world, 4)) {
    case 0:
        return (int64_t)world_random(world, 20001) - 10000;
    case 1:
        return YEAR_MS * (int64_t)(1 + world_random(world, 5));
    case 2:
        return -YEAR_MS * (int64_t)(1 + world_random(world, 5));
    default:
        return 0;
    }
}

/* deploys of nodes that are gone already, up to more than a ledger holds */
static void intrude(world_t *world)
{
    uint64_t num = world_chance(world, 20) ? 40 : 1 + world_random(world, 3);
    bool are_nodes = world_chance(world, 50);
    breaker_agreement_config_t config;
    breaker_answer_t answer;
    char text[32];

    breaker__agreement_config_init(&config);
    config.dead_after_ms = world->dead_after_ms;
    for (uint64_t i = 0; i != num; ++i) {
        breaker__poll_t poll = {.act = BREAKER__ACT_MINT, .wall_ms = clock_of(world, 0)};
        unsigned release = 100 + (unsigned)world_random(world, 1000);
        caller_t caller = {.config = &config, .release = release, .id = 0};
        if (are_nodes)
            caller.id = ++world->num_lives;
        snprintf(text, sizeof(text), "r%u", release);
        breaker_release_id_parse(text, strlen(text), &config.release);
        if (world->has_suffix)
            snprintf(config.suffix, sizeof(config.suffix), "-r%u", release);
        minute_t minute = meeting_poll(&world->meeting, redis_now(world), &caller, &poll, &answer);
        check_passed(world, &minute);
        if (minute.minted.token.len != 0)
            world_claim(world, &minute.minted, false, true);
    }
}

/* shorter and longer than a release may be silent, and in between */
static uint64_t long_while(world_t *world)
{
    static const uint64_t whiles_ms[] = {700, 2500, 4500, 5500, 12000, 40000};

    return whiles_ms[world_random(world, 6)] + world_random(world, 1000);
}

void world_take_down(world_t *world, uint64_t ms)
{
    bool was_calm = world->is_calm;

    world->is_calm = false;
    take_down(world);
    world_run(world, world->now_ms + ms);
    world->is_down = false;
    world->is_calm = was_calm;
    world->calm_ms = world->unsettled_ms = world->renewed_ms = world->now_ms;
}

/* those that the network swallows, all or one release's, for a while */
static void cut_off(world_t *world, unsigned first, unsigned last, uint64_t ms)
{
    for (size_t i = 0; i != world->num_nodes; ++i) {
        node_t *node = world->nodes + i;
        node->is_cut = node->release >= first && node->release <= last;
    }
    world_run(world, world->now_ms + ms);
    for (size_t i = 0; i != world->num_nodes; ++i)
        world->nodes[i].is_cut = false;
}

/* what a server has that saves every hour, or was moved: old data, and nobody's fault */
static void go_back(world_t *world, uint64_t ms)
{
    world->backup = world->meeting;
    world_run(world, world->now_ms + ms);
    world_take_down(world, 1 + world_random(world, 3000));
    world->meeting = world->backup;
    world->is_data_lost = true;
    world->unsettled_ms = world->renewed_ms = world->now_ms;
}

/* what nobody does wrong, and yet may look like a release that is gone */
static void silence(world_t *world)
{
    unsigned release = (unsigned)world_random(world, world->num_releases);

    switch (world_random(world, 5)) {
    case 0:
        world_take_down(world, long_while(world));
        break;
    case 1: /* Redis is stopped */
        cut_off(world, 0, RELEASES_MAX, long_while(world));
        break;
    case 2:
        cut_off(world, release, release, long_while(world));
        break;
    case 3:
        go_back(world, long_while(world));
        break;
    default:
        world->redis_skew_ms += world_chance(world, 50) ? 60000 : -60000;
    }
}

static void fault_of_redis(world_t *world)
{
    switch (world_random(world, 9)) {
    case 0:
    case 1:
        if (world->is_down)
            world->is_down = false;
        else
            take_down(world);
        break;
    case 2: /* restarted without its data, or flushed under standing connections */
        world->meeting = (meeting_t){.num_facts = 0};
        world->is_data_lost = true;
        break;
    case 3:
        world->backup = world->meeting;
        break;
    case 4:
        world->meeting = world->backup;
        world->is_data_lost = true;
        break;
    case 5:
        world->is_refusing = !world->is_refusing;
        break;
    case 6:
        world->redis_skew_ms = jump(world);
        break;
    case 7:
        intrude(world);
        break;
    default:
        world->latency_ms = world_chance(world, 50) ? 20 : 1 + world_random(world, 1500);
        world->loss_percent = world_chance(world, 50) ? 0 : (unsigned)world_random(world, 60);
        world->ghost_percent = world_chance(world, 50) ? 0 : (unsigned)world_random(world, 60);
    }
}

void world_fault(world_t *world)
{
    node_t *node = world->nodes + world_random(world, world->num_nodes);

    switch (world_random(world, 13)) {
    case 10:
    case 11:
        silence(world);
        break;
    case 12:
        load(world, node, (unsigned)world_random(world, world->num_releases));
        break;
    case 0:
    case 1: /* any subset */
        for (size_t i = 0; i != world->num_nodes; ++i)
            world->nodes[i].is_cut = world_chance(world, 30);
        break;
    case 2:
        restart(world, node, node->release);
        break;
    case 3: /* a deploy, or a rollback */
        restart(world, node, (unsigned)world_random(world, world->num_releases));
        break;
    case 4:
        node->skew_ms = jump(world);
        break;
    case 5:
        if (node->agreement != NULL)
            carry_out(world, node,
                      breaker__agreement_on_wanted(node->agreement, moment_of(world, node)));
        break;
    default:
        fault_of_redis(world);
    }
}

void world_calm(world_t *world)
{
    world->is_down = world->is_refusing = false;
    world->loss_percent = world->ghost_percent = 0;
    world->latency_ms = CALM_LATENCY_MS;
    for (size_t i = 0; i != world->num_nodes; ++i)
        world->nodes[i].is_cut = false;
    world->is_calm = true;
    world->calm_ms = world->unsettled_ms = world->now_ms;
    world->num_mints = 0;
}

/* ---- time ---- */

void world_init(world_t *world, uint64_t seed)
{
    static const uint32_t polls[] = {1000, 1000, 300};

    memset(world, 0, sizeof(*world));
    world->seed = world->random = seed;
    world->now_ms = 1000000;
    world->num_nodes = 2 + world_random(world, NODES_MAX - 1);
    world->num_releases = 1 + (unsigned)world_random(world, 4);
    world->poll_ms = polls[world_random(world, 3)];
    world->dead_after_ms = world_chance(world, 30) ? 0 : 5000;
    world->dead_max_ms = world->dead_after_ms != 0 ? 12000 : 0;
    world->has_suffix = world_chance(world, 50);
    world->has_fixed = world_chance(world, 25);
    world->grain_ms = world_chance(world, 25) ? 2000 : 1;
    world->latency_ms = CALM_LATENCY_MS;
    world->is_down = world_chance(world, 30);
    for (size_t i = 0; i != world->num_nodes; ++i) {
        node_t *node = world->nodes + i;
        node->release =
            world_chance(world, 70) ? 0 : (unsigned)world_random(world, world->num_releases);
        node->has_file = world_chance(world, 60);
        node->boot_ms = world->now_ms + world_random(world, 2000);
        node->wake_ms = NEVER;
        node->skew_ms = world_chance(world, 30) ? jump(world) : 0;
        breaker_ledger_init(&node->file, NULL, 0);
        breaker_ledger_init(&node->ledger, NULL, 0);
        expect(node, OUTCOME_NONE, NEVER);
    }
}

void world_dispose(world_t *world)
{
    for (size_t i = 0; i != world->num_nodes; ++i)
        breaker__agreement_free(world->nodes[i].agreement);
}

static uint64_t node_due_ms(const node_t *node)
{
    uint64_t due_ms = node->boot_ms < node->wake_ms ? node->boot_ms : node->wake_ms;

    return node->outcome_ms < due_ms ? node->outcome_ms : due_ms;
}

static void step_node(world_t *world, node_t *node)
{
    if (node->boot_ms <= world->now_ms) {
        boot(world, node);
    } else if (node->outcome_ms <= world->now_ms) {
        deliver(world, node);
    } else {
        node->wake_ms = NEVER;
        carry_out(world, node, breaker__agreement_on_time(node->agreement, moment_of(world, node)));
    }
}

static bool can_anybody_poll(const world_t *world)
{
    for (size_t i = 0; i != world->num_nodes; ++i)
        if (world->nodes[i].agreement != NULL && !world->nodes[i].is_cut)
            return !world->is_down && !world->is_refusing;
    return false;
}

/* Redis was there for somebody, or away for no longer than two polls that follow each other may be
 * apart, which nobody can tell from that */
static void pass(world_t *world, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - world->now_ms;

    world->now_ms = now_ms;
    if (!can_anybody_poll(world)) {
        world->away_ms += passed_ms;
        return;
    }
    if (world->away_ms <= 2 * world->poll_ms)
        passed_ms += world->away_ms;
    world->away_ms = 0;
    for (unsigned i = 0; i != RELEASES_MAX; ++i)
        world->missed_ms[i] += passed_ms;
}

/* what comes first, before `until_ms`; false when nothing does */
static bool step(world_t *world, uint64_t until_ms)
{
    uint64_t first_ms = until_ms;
    node_t *node = NULL;
    flight_t *flight = NULL, landed;

    for (size_t i = 0; i != world->num_nodes; ++i)
        if (node_due_ms(world->nodes + i) < first_ms) {
            node = world->nodes + i;
            first_ms = node_due_ms(node);
        }
    for (size_t i = 0; i != world->num_flights; ++i)
        if (world->flights[i].arrives_ms < first_ms) {
            flight = world->flights + i;
            first_ms = flight->arrives_ms;
        }
    assert(first_ms >= world->now_ms);
    pass(world, first_ms);
    if (flight != NULL) {
        landed = *flight;
        *flight = world->flights[--world->num_flights];
        land(world, landed);
    } else if (node != NULL) {
        step_node(world, node);
    }
    return flight != NULL || node != NULL;
}

void world_run(world_t *world, uint64_t until_ms)
{
    while (world->wrong == NULL && step(world, until_ms)) {
        if (++world->num_events > 400000)
            world->wrong = "P5: events without end";
        else
            check_world(world);
    }
}
