/*
 * The link of lib/redis, whose callbacks come from a loop, made into calls that return when there
 * is something to say. The loop runs only inside these calls, and one timer limits all of them
 * together, whatever name servers, sentinels and redirections there are.
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

/* what comes first counts: a server that closes after its answer has answered */
static void end_wait(breaker__ctl_link_t *link, int err, const char *reason)
{
    if (!link->is_waiting)
        return;
    link->is_waiting = false;
    link->err = err == 0 ? 0 : breaker_error_set(link->error, err, "%s", reason);
    uv_stop(&link->loop);
}

static void on_up(void *data)
{
    breaker__ctl_link_t *link = data;

    link->is_up = true;
    end_wait(link, 0, "");
}

static void on_down(void *data, const char *reason)
{
    breaker__ctl_link_t *link = data;

    link->is_up = false;
    snprintf(link->reason, sizeof(link->reason), "%s", reason);
    end_wait(link, BREAKER_ERR_UNREACHABLE, reason);
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker__ctl_link_t *link = data;
    char reason[900];

    if (reply->type != BREAKER_REPLY_ERROR && breaker__ctl_read(reply, link->cluster)) {
        end_wait(link, 0, "");
        return;
    }
    if (reply->type == BREAKER_REPLY_ERROR)
        snprintf(reason, sizeof(reason), "%s: %.*s", breaker_redis_peer(link->redis),
                 (int)(reply->len < ERROR_SHOWN_MAX ? reply->len : ERROR_SHOWN_MAX), reply->base);
    else
        snprintf(reason, sizeof(reason), "%s: the answer is not what the script answers",
                 breaker_redis_peer(link->redis));
    end_wait(link, BREAKER_ERR_UNREACHABLE, reason);
}

static void on_late(uv_timer_t *limit)
{
    breaker__ctl_link_t *link = limit->data;

    link->is_up = false;
    link->is_late = true;
    snprintf(link->reason, sizeof(link->reason), "%s: no answer within %g s",
             breaker_redis_peer(link->redis), link->timeout_ms / 1000.0);
    end_wait(link, BREAKER_ERR_UNREACHABLE, link->reason);
}

static int wait(breaker__ctl_link_t *link)
{
    link->is_waiting = true;
    uv_run(&link->loop, UV_RUN_DEFAULT);
    assert(!link->is_waiting);
    return link->err;
}

/* ---- calls ---- */

/* one server that hangs must leave time for the others */
static void share_time(breaker_redis_config_t *config, uint32_t timeout_ms)
{
    uint32_t servers = (uint32_t)config->num_urls + (config->sentinel != NULL ? 1 : 0);
    uint32_t share_ms = servers != 0 ? timeout_ms / servers : timeout_ms;

    config->connect_timeout_ms = config->reply_timeout_ms = share_ms != 0 ? share_ms : 1;
}

int breaker__ctl_link_open(breaker__ctl_link_t *link, breaker_redis_config_t *config,
                           uint32_t timeout_ms, breaker_error_t *error)
{
    const breaker_redis_callbacks_t callbacks = {link, on_up, on_down, on_reply};
    int err;

    memset(link, 0, sizeof(*link));
    link->timeout_ms = timeout_ms;
    link->error = error;
    if (uv_loop_init(&link->loop) != 0)
        return breaker_error_set(error, BREAKER_ERR_IO, "cannot make a loop");
    share_time(config, timeout_ms);
    if ((err = breaker_redis_create(&link->loop, config, &callbacks, &link->redis, error)) != 0) {
        uv_loop_close(&link->loop);
        return err;
    }
    uv_timer_init(&link->loop, &link->limit);
    link->limit.data = link;
    uv_timer_start(&link->limit, on_late, timeout_ms, 0);
    breaker_redis_dial(link->redis);
    if ((err = wait(link)) != 0)
        breaker__ctl_link_close(link);
    return err;
}

int breaker__ctl_link_ask(breaker__ctl_link_t *link, const breaker__ctl_question_t *question,
                          breaker__ctl_cluster_t *ret_cluster, breaker_error_t *error)
{
    if (!link->is_up)
        return breaker_error_set(error, BREAKER_ERR_UNREACHABLE, "%s", link->reason);
    link->error = error;
    link->cluster = ret_cluster;
    breaker_redis_command(link->redis, BREAKER__CTL_WORDS, question->argv, question->argv_len);
    return wait(link);
}

const char *breaker__ctl_link_peer(const breaker__ctl_link_t *link)
{
    return breaker_redis_peer(link->redis);
}

void breaker__ctl_link_close(breaker__ctl_link_t *link)
{
    bool is_busy = true;

    breaker_redis_free(link->redis);
    uv_close((uv_handle_t *)&link->limit, NULL);
    /* a name that is still being looked up would hold us; the end of the process takes it along */
    for (int i = 0; is_busy && (!link->is_late || i != LATE_ROUNDS_MAX); ++i)
        is_busy = uv_run(&link->loop, link->is_late ? UV_RUN_NOWAIT : UV_RUN_DEFAULT) != 0;
    if (!is_busy)
        uv_loop_close(&link->loop);
}
