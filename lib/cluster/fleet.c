/*
 * The pace of a fleet. Kept always: all nodes together poll at most about 2,000 times a second,
 * when they are at rest as when they come back; no wait after trouble is longer than half a minute,
 * and no interval, with the fifth that is added to it, longer than a minute, whatever an answer
 * tells, but where the operator has configured one.
 */
#include <assert.h>
#include "cluster/fleet.h"

enum {
    /* 2,000 polls a second are one every half millisecond */
    POLLS_A_MS = 2,
    FIRST_MS_A_NODE = 2,
    CAP_MS_A_NODE = 5,
    WAIT_MAX_MS = 30000,
    /* no fleet is larger; agree.lua has the same bound */
    NUM_MAX = 100000,
    INTERVAL_MAX_MS = NUM_MAX / POLLS_A_MS,
    WANTED_MS = 1000,
    /* of a smaller number an eighth is believed with each answer */
    FORGET_PART = 8,
    SMALL = 100,
};

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

_Static_assert(INTERVAL_MAX_MS + INTERVAL_MAX_MS / 5 <= BREAKER_POLL_MAX_MS,
               "nobody is told to be silent for longer than an operator may say");

void breaker__fleet_take(breaker__fleet_t *fleet, uint32_t num, uint32_t interval_ms)
{
    uint32_t part = (fleet->num + FORGET_PART - 1) / FORGET_PART;

    assert(fleet->num <= NUM_MAX);
    assert(part <= fleet->num);
    fleet->num = (uint32_t)at_most(at_least(num, fleet->num - part), NUM_MAX);
    fleet->told_ms = (uint32_t)at_most(interval_ms, INTERVAL_MAX_MS);
}

uint64_t breaker__fleet_interval_ms(const breaker__fleet_t *fleet, uint32_t poll_ms)
{
    uint64_t shared_ms = at_least(fleet->told_ms, fleet->num / POLLS_A_MS);

    assert(poll_ms >= BREAKER_POLL_MIN_MS);
    assert(poll_ms <= BREAKER_POLL_MAX_MS);
    assert(shared_ms <= INTERVAL_MAX_MS);
    return at_least(poll_ms, shared_ms);
}

uint64_t breaker__fleet_wanted_ms(const breaker__fleet_t *fleet)
{
    assert(fleet->num <= NUM_MAX);
    return at_least(WANTED_MS, fleet->num / POLLS_A_MS);
}

uint64_t breaker__fleet_first_ms(const breaker__fleet_t *fleet,
                                 const breaker_agreement_config_t *config)
{
    uint64_t all_ms = (uint64_t)fleet->num * FIRST_MS_A_NODE;

    assert(config->backoff_min_ms != 0);
    return at_least(config->backoff_min_ms, at_most(all_ms, WAIT_MAX_MS));
}

uint64_t breaker__fleet_cap_ms(const breaker__fleet_t *fleet,
                               const breaker_agreement_config_t *config)
{
    uint64_t all_ms = (uint64_t)fleet->num * CAP_MS_A_NODE;

    assert(config->backoff_max_ms >= config->backoff_min_ms);
    return at_least(config->backoff_max_ms, at_most(all_ms, WAIT_MAX_MS));
}

bool breaker__fleet_is_small(const breaker__fleet_t *fleet)
{
    return fleet->num <= SMALL;
}
