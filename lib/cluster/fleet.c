/*
 * The pace of a fleet. Kept always: all nodes together poll at most about 2,000 times a second,
 * when they are at rest as when they come back; and no wait is longer than half a minute, but where
 * the operator has configured one.
 */
#include <assert.h>
#include "cluster/fleet.h"

enum {
    /* 2,000 polls a second are one every half millisecond */
    POLLS_A_MS = 2,
    FIRST_MS_A_NODE = 2,
    CAP_MS_A_NODE = 5,
    WAIT_MAX_MS = 30000,
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

void breaker__fleet_take(breaker__fleet_t *fleet, uint32_t num, uint32_t interval_ms)
{
    uint32_t part = (uint32_t)(((uint64_t)fleet->num + FORGET_PART - 1) / FORGET_PART);

    assert(part <= fleet->num);
    fleet->num = num > fleet->num - part ? num : fleet->num - part;
    fleet->told_ms = interval_ms;
}

uint64_t breaker__fleet_interval_ms(const breaker__fleet_t *fleet, uint32_t poll_ms)
{
    uint64_t shared_ms = at_least(fleet->told_ms, fleet->num / POLLS_A_MS);

    assert(poll_ms >= BREAKER_POLL_MIN_MS);
    assert(poll_ms <= BREAKER_POLL_MAX_MS);
    return at_least(poll_ms, at_most(shared_ms, BREAKER_POLL_MAX_MS));
}

uint64_t breaker__fleet_wanted_ms(const breaker__fleet_t *fleet)
{
    return at_least(WANTED_MS, at_most(fleet->num / POLLS_A_MS, BREAKER_POLL_MAX_MS));
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
