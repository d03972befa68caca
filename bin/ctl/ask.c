/*
 * The link to Redis (breaker/redis.h), whose callbacks come from a loop, made into calls that
 * return when there is something to say. The loop runs only inside these calls, and one timer
 * limits all of them together, whatever name servers, sentinels and redirections there are. Kept
 * always: a wait ends once, with what came first.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "ctl/ask.h"

enum {
    /* after which closed handles are gone, if nothing but they keep the loop */
    LATE_ROUNDS_MAX = 8,
    /* of what Redis says is wrong */
    ERROR_SHOWN_MAX = 500,
};

/* ---- what comes from the loop ---- */

/* a server that closes after its answer has answered */
static void end_wait(breaker__ask_t *ask, int err, const char *reason)
{
    if (!ask->is_waiting)
        return;
    ask->is_waiting = false;
    ask->err = err == 0 ? 0 : breaker_error_set(ask->error, err, "%s", reason);
    uv_stop(&ask->loop);
}

static void on_up(void *data)
{
    breaker__ask_t *ask = data;

    ask->is_up = true;
    end_wait(ask, 0, "");
}

static void on_down(void *data, const char *reason)
{
    breaker__ask_t *ask = data;

    ask->is_up = false;
    snprintf(ask->reason, sizeof(ask->reason), "%s", reason);
    end_wait(ask, BREAKER_ERR_UNREACHABLE, reason);
}

/* every command of ours asks for all there is */
static bool is_whole(const breaker_script_answer_t *answer)
{
    return !answer->ledger.unchanged && answer->has_releases && answer->has_nodes;
}

static void send_command(breaker__ask_t *ask)
{
    breaker_redis_command(ask->redis, ask->command->argc, ask->command->argv,
                          ask->command->argv_len);
}

/* what is waited for is one of the two */
static bool take_reply(breaker__ask_t *ask, const breaker_reply_t *reply)
{
    assert((ask->answer == NULL) != (ask->apps == NULL));
    if (ask->apps != NULL)
        return breaker_script_parse_apps(reply, ask->apps);
    return breaker_script_parse(reply, ask->answer) && is_whole(ask->answer);
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker__ask_t *ask = data;
    char reason[BREAKER_REDIS_REASON_MAX];
    char words[ERROR_SHOWN_MAX + 1] = "the answer is not what the script answers";

    if (!ask->is_whole &&
        (breaker_script_is_missing(reply) || breaker_script_is_unnamable(reply))) {
        ask->is_whole = true;
        breaker_script_make_whole(ask->command);
        send_command(ask);
        return;
    }
    if (take_reply(ask, reply)) {
        end_wait(ask, 0, "");
        return;
    }
    if (reply->type == BREAKER_REPLY_ERROR)
        breaker_redis_refusal(reply, words, sizeof(words));
    snprintf(reason, sizeof(reason), "%s: %s", breaker_redis_peer(ask->redis), words);
    end_wait(ask, BREAKER_ERR_UNREACHABLE, reason);
}

static void on_late(uv_timer_t *limit)
{
    breaker__ask_t *ask = limit->data;

    ask->is_up = false;
    ask->is_late = true;
    snprintf(ask->reason, sizeof(ask->reason), "%s: no answer within %g s",
             breaker_redis_peer(ask->redis), ask->timeout_ms / 1000.0);
    end_wait(ask, BREAKER_ERR_UNREACHABLE, ask->reason);
}

static int wait(breaker__ask_t *ask)
{
    ask->is_waiting = true;
    uv_run(&ask->loop, UV_RUN_DEFAULT);
    assert(!ask->is_waiting);
    return ask->err;
}

/* ---- calls ---- */

/* one server that hangs must leave time for the others */
static void share_time(breaker_redis_config_t *config, uint32_t timeout_ms)
{
    /* the master that sentinels name, or the round of several seeds */
    bool needs_more = config->sentinel != NULL || config->num_urls > 1;
    uint32_t servers = (uint32_t)config->num_urls + (needs_more ? 1 : 0);
    uint32_t share_ms = servers != 0 ? timeout_ms / servers : timeout_ms;

    config->connect_timeout_ms = config->reply_timeout_ms = share_ms != 0 ? share_ms : 1;
}

int breaker__ask_open(breaker__ask_t *ask, breaker_redis_config_t *config, uint32_t timeout_ms,
                      breaker_error_t *error)
{
    const breaker_redis_callbacks_t callbacks = {ask, on_up, on_down, on_reply, NULL};
    int err;

    memset(ask, 0, sizeof(*ask));
    ask->timeout_ms = timeout_ms;
    ask->error = error;
    if (uv_loop_init(&ask->loop) != 0)
        return breaker_error_set(error, BREAKER_ERR_IO, "cannot make a loop");
    share_time(config, timeout_ms);
    if ((err = breaker_redis_create(&ask->loop, config, &callbacks, &ask->redis, error)) != 0) {
        uv_loop_close(&ask->loop);
        return err;
    }
    uv_timer_init(&ask->loop, &ask->limit);
    ask->limit.data = ask;
    uv_timer_start(&ask->limit, on_late, timeout_ms, 0);
    breaker_redis_dial(ask->redis);
    if ((err = wait(ask)) != 0)
        breaker__ask_close(ask);
    return err;
}

static int ask_for(breaker__ask_t *ask, breaker_script_command_t *command,
                   breaker_script_answer_t *answer, breaker_script_apps_t *apps,
                   breaker_error_t *error)
{
    if (!ask->is_up)
        return breaker_error_set(error, BREAKER_ERR_UNREACHABLE, "%s", ask->reason);
    assert(!ask->is_waiting);
    ask->error = error;
    ask->answer = answer;
    ask->apps = apps;
    ask->command = command;
    ask->is_whole = apps != NULL;
    send_command(ask);
    return wait(ask);
}

int breaker__ask_command(breaker__ask_t *ask, breaker_script_command_t *command,
                         breaker_script_answer_t *ret_answer, breaker_error_t *error)
{
    return ask_for(ask, command, ret_answer, NULL, error);
}

int breaker__ask_apps(breaker__ask_t *ask, breaker_script_command_t *command,
                      breaker_script_apps_t *ret_apps, breaker_error_t *error)
{
    return ask_for(ask, command, NULL, ret_apps, error);
}

const char *breaker__ask_peer(const breaker__ask_t *ask)
{
    return breaker_redis_peer(ask->redis);
}

void breaker__ask_close(breaker__ask_t *ask)
{
    bool is_busy = true;

    breaker_redis_free(ask->redis);
    uv_close((uv_handle_t *)&ask->limit, NULL);
    /* a name that is still being looked up would hold us; the end of the process takes it along */
    for (int i = 0; is_busy && (!ask->is_late || i != LATE_ROUNDS_MAX); ++i)
        is_busy = uv_run(&ask->loop, ask->is_late ? UV_RUN_NOWAIT : UV_RUN_DEFAULT) != 0;
    if (!is_busy)
        uv_loop_close(&ask->loop);
}
