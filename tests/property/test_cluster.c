/*
 * Whether nodes agree, whatever happens: seeds make schedules of events and faults, and after every
 * step the invariants of the protocol are checked. BREAKER_SEED=N tells the story of one seed
 * again, BREAKER_SEEDS=N tries so many.
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
#include "token/token.h"
#include "world.h"

enum { SEEDS = 1000 };

/* what is worth knowing of all worlds together: that they were not all peaceful ones */
typedef struct st_totals_t {
    uint64_t events, polls, claims, allowed, silences, returns, orders;
} totals_t;

static void live_through(world_t *world)
{
    uint64_t num_faults = 3 + world_random(world, 25);

    for (uint64_t i = 0; i != num_faults && world->wrong == NULL; ++i) {
        world_run(world, world->now_ms + 1 + world_random(world, 4000));
        if (world->wrong == NULL)
            world_fault(world);
    }
    if (world->wrong == NULL)
        world_calm(world);
    world_run(world, world->now_ms + 30000 + overtaking_ms(world, true));
    if (world->wrong == NULL &&
        world->unsettled_ms > world->calm_ms + 15000 + overtaking_ms(world, true))
        world->wrong = "P6: no end of changes";
    check_order(world);
}

/* all releases but one go for good */
static void roll_back(world_t *world)
{
    unsigned survivor = world->nodes[world_random(world, world->num_nodes)].release;

    if (world->wrong != NULL || world->dead_after_ms == 0)
        return;
    for (size_t i = 0; i != world->num_nodes; ++i)
        if (world->nodes[i].release != survivor)
            world_kill(world, world->nodes + i);
    /* time in which Redis is away is nobody's silence, and everybody gets the time to come back */
    if (world_chance(world, 50)) {
        world_take_down(world, 1 + world_random(world, 40000));
        world_run(world, world->now_ms + overtaking_ms(world, true));
    } else {
        world_run(world, world->now_ms + overtaking_ms(world, false));
    }
    if (world->wrong == NULL)
        check_top(world);
}

static void tell(const world_t *world)
{
    print_message("seed %llu at %llu ms, node %zu of %zu: %s\n", (unsigned long long)world->seed,
                  (unsigned long long)world->now_ms, world->num_wrong_node, world->num_nodes,
                  world->wrong);
    for (size_t i = 0; i != world->num_nodes; ++i) {
        const node_t *node = world->nodes + i;
        print_message("  node %zu of r%u: state %d, token %s at %llu%s%s\n", i, node->release,
                      node->agreement != NULL ? (int)breaker__agreement_state(node->agreement) : -1,
                      node->own.token.text, (unsigned long long)node->own.order,
                      node->is_connected ? ", connected" : "", node->is_cut ? ", cut off" : "");
    }
    for (size_t i = 0; i != world->meeting.num_facts; ++i)
        print_message("  Redis: %llu %s %s (%d)\n",
                      (unsigned long long)world->meeting.facts[i].order,
                      world->meeting.facts[i].token.text, world->meeting.facts[i].release.text,
                      (int)world->meeting.origins[i].why);
}

static void check_seed(uint64_t seed, totals_t *totals)
{
    world_t *world = malloc(sizeof(*world));

    assert_non_null(world);
    world_init(world, seed);
    live_through(world);
    roll_back(world);
    totals->events += world->num_events;
    totals->polls += world->num_polls;
    totals->claims += world->num_claims;
    totals->allowed += world->num_violations_allowed;
    totals->silences += world->num_silences;
    totals->returns += world->num_returns;
    totals->orders += world->num_orders;
    if (world->wrong != NULL) {
        tell(world);
        fail_msg("BREAKER_SEED=%llu tells it again", (unsigned long long)seed);
    }
    world_dispose(world);
    free(world);
}

static void the_invariants_hold_in_every_world(void **state)
{
    const char *one = getenv("BREAKER_SEED"), *many = getenv("BREAKER_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t num = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    totals_t totals = {.events = 0};

    (void)state;
    for (uint64_t i = 0; i != num; ++i)
        check_seed(first + i, &totals);
    print_message("%llu worlds, %llu events, %llu polls, %llu tokens, %llu unavoidable collisions, "
                  "%llu overtaken by silence, %llu returns, order checked in %llu\n",
                  (unsigned long long)num, (unsigned long long)totals.events,
                  (unsigned long long)totals.polls, (unsigned long long)totals.claims,
                  (unsigned long long)totals.allowed, (unsigned long long)totals.silences,
                  (unsigned long long)totals.returns, (unsigned long long)totals.orders);
    assert_true(totals.polls > 10 * num);
}

/* ---- plain tokens above an order that is ahead of all clocks ---- */

static const breaker__moment_t epoch = {.wall_ms = UINT64_C(1700000000000), .mono_ms = 1000};

static breaker_ledger_entry_t entry_of(uint64_t order, unsigned release)
{
    breaker_ledger_entry_t entry = {.order = order};
    char text[32];

    assert_int_equal(breaker_token_mint(order, &entry.token), 0);
    snprintf(text, sizeof(text), "r%u", release);
    assert_int_equal(breaker_release_id_parse(text, strlen(text), &entry.release), 0);
    return entry;
}

static breaker__agreement_t *start(unsigned release, const breaker_ledger_t *file,
                                   breaker_agreement_config_t *config)
{
    breaker__agreement_t *node;

    breaker__agreement_config_init(config);
    config->release = entry_of(0, release).release;
    assert_int_equal(breaker__agreement_create(config, &node), 0);
    assert_true(breaker__agreement_start(node, epoch, file).dial);
    return node;
}

/* the token that a node with this state file (NULL: none) has after its first poll */
static breaker_token_t join(meeting_t *meeting, unsigned release, const breaker_ledger_t *file)
{
    breaker_agreement_config_t config;
    breaker__agreement_t *node = start(release, file, &config);
    caller_t caller = {.config = &config, .release = release, .id = release + 1};
    breaker_answer_t answer;
    breaker__poll_t poll;
    breaker_token_t token;

    assert_true(breaker__agreement_on_up(node, epoch).poll);
    breaker__agreement_poll(node, epoch, &poll);
    meeting_poll(meeting, epoch.wall_ms, &caller, &poll, &answer);
    breaker__agreement_on_answer(node, epoch, &answer);
    assert_int_equal(breaker__agreement_state(node), BREAKER__AGREEMENT_SYNCED);
    token = breaker__agreement_own(node)->token;
    breaker__agreement_free(node);
    return token;
}

/* the token that a node takes when Redis cannot be reached */
static breaker_token_t stay_alone(unsigned release, const breaker_ledger_t *file)
{
    breaker_agreement_config_t config;
    breaker__agreement_t *node = start(release, file, &config);
    breaker__moment_t later = {epoch.wall_ms + config.grace_ms, epoch.mono_ms + config.grace_ms};
    breaker_token_t token;

    breaker__agreement_on_down(node, epoch);
    breaker__agreement_on_time(node, later);
    assert_int_equal(breaker__agreement_state(node), BREAKER__AGREEMENT_LOCAL);
    token = breaker__agreement_own(node)->token;
    breaker__agreement_free(node);
    return token;
}

/*
 * A node was 10 s ahead. One release mints above its order, then a backup from before comes back
 * while its nodes are cut off, and another release mints above that order, in Redis or alone.
 */
static void releases_on_both_sides_of_a_restored_backup_have_tokens_of_their_own(void **state)
{
    breaker_ledger_entry_t ahead = entry_of(epoch.wall_ms + 10000, 0);
    unsigned same = 0;

    (void)state;
    for (unsigned i = 0; i != 2000; ++i) {
        meeting_t meeting = {.num_facts = 0}, backup;
        breaker_token_t before, after, alone;
        breaker_ledger_t file;
        assert_int_equal(breaker_ledger_init(&file, &ahead, 1), 0);
        join(&meeting, 0, &file);
        backup = meeting;
        before = join(&meeting, 1 + 7 * i, NULL);
        meeting = backup;
        after = join(&meeting, 2 + 7 * i, NULL);
        alone = stay_alone(4 + 7 * i, &file);
        assert_true(
            breaker__token_compare(before.text, before.len, ahead.token.text, ahead.token.len) > 0);
        same += breaker_token_equal(&before, &after) || breaker_token_equal(&before, &alone) ||
                breaker_token_equal(&after, &alone);
    }
    /* three pairs, each 1 in 1000 */
    assert_in_range(same, 0, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_invariants_hold_in_every_world),
        cmocka_unit_test(releases_on_both_sides_of_a_restored_backup_have_tokens_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
