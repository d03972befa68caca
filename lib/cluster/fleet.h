#ifndef BREAKER_LIB_CLUSTER_FLEET_H
#define BREAKER_LIB_CLUSTER_FLEET_H

/*
 * How often a node polls and how soon it comes back, by how many they are: what one node may do at
 * once, ten thousand must not do together. The same formulas as in cluster/agree.lua. All times are
 * in milliseconds. Pure. Not installed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/agreement.h>

/** What a node has heard of the fleet. Zeroed it has heard nothing. */
typedef struct st_breaker__fleet_t {
    /** how many nodes poll, 100,000 at most */
    uint32_t num;
    /** the interval that was told last, or 0; 50 s at most */
    uint32_t told_ms;
} breaker__fleet_t;

/**
 * Takes what an answer tells. A larger number counts at once, a smaller one by and by, an eighth an
 * answer: after a wipe Redis has seen few, and the others are there all the same. Any numbers: what
 * is above the bounds counts as they do.
 */
void breaker__fleet_take(breaker__fleet_t *fleet, uint32_t num, uint32_t interval_ms);

/** From one poll to the next, where a node is configured to poll every `poll_ms`. */
uint64_t breaker__fleet_interval_ms(const breaker__fleet_t *fleet, uint32_t poll_ms);
/** From one poll that a request wants to the next. */
uint64_t breaker__fleet_wanted_ms(const breaker__fleet_t *fleet);
/** The longest wait before the first dial after a connection was lost. */
uint64_t breaker__fleet_first_ms(const breaker__fleet_t *fleet,
                                 const breaker_agreement_config_t *config);
/** The longest wait of all, however often it failed. */
uint64_t breaker__fleet_cap_ms(const breaker__fleet_t *fleet,
                               const breaker_agreement_config_t *config);
/** Whether they are so few that each may poll faster for a while. */
bool breaker__fleet_is_small(const breaker__fleet_t *fleet);

#endif
