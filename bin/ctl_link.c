/*
 * The link of lib/redis, whose callbacks come from a loop, made into calls that return when there
 * is something to say. The loop runs only inside these calls, and one timer limits all of them
 * together, whatever name servers, sentinels and redirections there are.
 */
#include <string.h>
#include "ctl_link.h"

enum {
    /* after which closed handles are gone, if nothing but they keep the loop */
    LATE_ROUNDS_MAX = 8,
};

/* ---- what comes from the loop ---- */

static void end_wait(breaker__ctl_link_t *link, int err)
{
    link->err = err;
    uv_stop(&link->loop);
}

static void on_up(void *data)
{
    end_wait(data, 0);
}

static void on_down(void *data, const char *reason)
{
    breaker__ctl_link_t *link = data;

    end_wait(link, breaker_error_set(link->error, BREAKER_ERR_STATE, "%s", reason));
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker__ctl_link_t *link = data;
    int err = 0;

    if (reply->type == BREAKER_REPLY_ERROR)
        err = breaker_error_set(link->error, BREAKER_ERR_STATE, "%s: %.*s",
                                breaker_redis_peer(link->redis),
                                (int)(reply->len < 500 ? reply->len : 500), reply->base);
    else if (!breaker__ctl_read(reply, link->cluster))
        err = breaker_error_set(link->error, BREAKER_ERR_STATE,
                                "%s: the answer is not what the script answers",
                                breaker_redis_peer(link->redis));
    end_wait(link, err);
}

static void on_late(uv_timer_t *limit)
{
    breaker__ctl_link_t *link = limit->data;

    link->is_late = true;
    end_wait(link, breaker_error_set(link->error, BREAKER_ERR_STATE, "%s: no answer within %g s",
                                     breaker_redis_peer(link->redis), link->timeout_ms / 1000.0));
}

static int wait(breaker__ctl_link_t *link)
{
    uv_run(&link->loop, UV_RUN_DEFAULT);
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
        return breaker_error_set(error, BREAKER_ERR_STATE, "cannot make a loop");
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
