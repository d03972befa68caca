#ifndef BREAKER_BIN_CTL_LINK_H
#define BREAKER_BIN_CTL_LINK_H

/* One connection to Redis, used like a call that waits: breakerctl has nothing else to do. */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/error.h>
#include <breaker/redis.h>
#include "ctl/cluster_view.h"

/** Caller's memory; the fields are private. */
typedef struct st_breaker__ctl_link_t {
    uv_loop_t loop;
    uv_timer_t limit;
    breaker_redis_t *redis; /* owned */
    uint32_t timeout_ms;
    bool is_up, is_late, is_waiting;
    /** why it is not up any more */
    char reason[BREAKER_REDIS_REASON_MAX];
    /** how the wait under way ends, and where its answer goes */
    int err;
    breaker_error_t *error;          /* borrowed */
    breaker__ctl_cluster_t *cluster; /* borrowed */
} breaker__ctl_link_t;

/**
 * Connects. `timeout_ms` is for everything until the link is closed; the timeouts of `config` are
 * set from it. Fails with BREAKER_ERR_RANGE or TOO_MANY for a configuration that is wrong, and
 * with BREAKER_ERR_UNREACHABLE when Redis cannot be reached or refuses; the link is closed then.
 */
int breaker__ctl_link_open(breaker__ctl_link_t *link, breaker_redis_config_t *config,
                           uint32_t timeout_ms, breaker_error_t *error);
/** Asks and waits. Fails with BREAKER_ERR_UNREACHABLE; the link can only be closed then. */
int breaker__ctl_link_ask(breaker__ctl_link_t *link, const breaker__ctl_question_t *question,
                          breaker__ctl_cluster_t *ret_cluster, breaker_error_t *error);
/** What is talked to, for people. */
const char *breaker__ctl_link_peer(const breaker__ctl_link_t *link);
void breaker__ctl_link_close(breaker__ctl_link_t *link);

#endif
