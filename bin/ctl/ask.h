#ifndef BREAKER_BIN_CTL_ASK_H
#define BREAKER_BIN_CTL_ASK_H

/* A question to Redis, used like a call that waits: breakerctl has nothing else to do. */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/error.h>
#include <breaker/redis.h>
#include <breaker/script.h>

/** One connection over which is asked. Caller's memory; the fields are private. */
typedef struct st_breaker__ask_t {
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
    breaker_script_answer_t *answer; /* borrowed, or NULL */
    breaker_script_apps_t *apps;     /* borrowed, or NULL */
    /** what is asked, and whether the script is in it already */
    breaker_script_command_t *command; /* borrowed */
    bool is_whole;
} breaker__ask_t;

/**
 * Connects. `timeout_ms` is for everything until it is closed; the timeouts of `config` are set
 * from it. Fails with BREAKER_ERR_UNREACHABLE when Redis cannot be reached or refuses, with
 * BREAKER_ERR_IO when there is no loop, and like `breaker_redis_create` for a configuration that is
 * wrong; it is closed then.
 */
int breaker__ask_open(breaker__ask_t *ask, breaker_redis_config_t *config, uint32_t timeout_ms,
                      breaker_error_t *error);
/**
 * Asks and waits; the script is put into `command` where Redis does not have it. Fails with
 * BREAKER_ERR_UNREACHABLE, also for an answer that is not the script's; it can only be closed then.
 */
int breaker__ask_command(breaker__ask_t *ask, breaker_script_command_t *command,
                         breaker_script_answer_t *ret_answer, breaker_error_t *error);
/** The same for a command that finds applications; it may be used again after a failure that was
 * Redis's refusal. */
int breaker__ask_apps(breaker__ask_t *ask, breaker_script_command_t *command,
                      breaker_script_apps_t *ret_apps, breaker_error_t *error);
/** What is talked to, for people. */
const char *breaker__ask_peer(const breaker__ask_t *ask);
void breaker__ask_close(breaker__ask_t *ask);

#endif
