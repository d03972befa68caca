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
#include "world.h"

enum { SEEDS = 2000 };

/* what is worth knowing of all worlds together: that they were not all peaceful ones */
typedef struct st_totals_t {
    uint64_t events, polls, claims, allowed;
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
    world_run(world, world->now_ms + 30000 + world->dead_after_ms);
    if (world->wrong == NULL && world->unsettled_ms > world->calm_ms + 15000 + world->dead_after_ms)
        world->wrong = "P6: no end of changes";
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
    world_run(world, world->now_ms + world->dead_after_ms + 3 * (world->poll_ms * 6 / 5));
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
                      node->agreement != NULL ? (int)breaker_agreement_state(node->agreement) : -1,
                      node->own.token.text, (unsigned long long)node->own.order,
                      node->is_connected ? ", connected" : "", node->is_cut ? ", cut off" : "");
    }
    for (size_t i = 0; i != world->meeting.num_facts; ++i)
        print_message("  Redis: %llu %s %s\n", (unsigned long long)world->meeting.facts[i].order,
                      world->meeting.facts[i].token.text, world->meeting.facts[i].release.text);
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
    print_message(
        "%llu worlds, %llu events, %llu polls, %llu tokens, %llu unavoidable collisions\n",
        (unsigned long long)num, (unsigned long long)totals.events,
        (unsigned long long)totals.polls, (unsigned long long)totals.claims,
        (unsigned long long)totals.allowed);
    assert_true(totals.polls > 10 * num);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_invariants_hold_in_every_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
