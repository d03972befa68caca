/*
 * Sentinels are asked again while a link is up: a master that was replaced may go on answering, cut
 * off from its sentinels or stopped for a while, and what nodes write to it is lost. A round asks
 * one server after the other, each within its timeouts. Nothing here touches the link's connection;
 * only a named and confirmed other master is told.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "redis/codec.h"
#include "redis/lookout.h"
#include "redis/sentinel.h"

/** the most connections that are not gone yet; a look-up of a name keeps one until it is over */
#define CONNECTIONS_MAX 16

static void ask_next(breaker__lookout_t *lookout);

static void unref(breaker__lookout_t *lookout)
{
    assert(lookout->pending != 0);
    if (--lookout->pending == 0)
        lookout->callbacks.on_gone(lookout->callbacks.data);
}

static void close_connection(breaker__lookout_t *lookout)
{
    if (lookout->connection != NULL)
        breaker__connection_close(lookout->connection);
    lookout->connection = NULL;
}

/* ---- answers ---- */

static bool is_master(const breaker__lookout_t *lookout, const breaker__endpoint_t *named)
{
    return named->port == lookout->master.port && strcmp(named->host, lookout->master.host) == 0 &&
           strcmp(named->path, lookout->master.path) == 0;
}

static void open_connection(breaker__lookout_t *lookout, const breaker__endpoint_t *endpoint,
                            bool is_sentinel);

static void take_named(breaker__lookout_t *lookout, const breaker_reply_t *reply)
{
    breaker__endpoint_t named;
    const char *wrong = breaker__sentinel_answer(reply, &named);

    /* the reply goes with it */
    close_connection(lookout);
    if (wrong != NULL)
        ask_next(lookout);
    else if (!is_master(lookout, &named))
        open_connection(lookout, &named, false);
}

static void take_role(breaker__lookout_t *lookout, const breaker_reply_t *reply)
{
    bool is_another = breaker__role_is_master(reply);

    close_connection(lookout);
    if (!is_another) {
        ask_next(lookout);
        return;
    }
    breaker__lookout_stop(lookout);
    lookout->callbacks.on_moved(lookout->callbacks.data, &lookout->endpoint);
}

/* ---- callbacks of the connection ---- */

static void on_failed(void *data, const char *reason)
{
    breaker__lookout_t *lookout = data;

    (void)reason;
    /* the next one is told what the file has by now */
    if (breaker__connection_is_refused(lookout->connection))
        breaker__servers_renew_password(lookout->servers, NULL);
    close_connection(lookout);
    ask_next(lookout);
}

static void on_ready(void *data)
{
    breaker__lookout_t *lookout = data;
    char *base = NULL;
    size_t len = 0;
    int err = lookout->is_sentinel
                  ? breaker__sentinel_question(lookout->servers->sentinel, &base, &len)
                  : breaker__role_question(&base, &len);

    if (err != 0) {
        close_connection(lookout);
        return;
    }
    breaker__connection_ask(lookout->connection, base, len);
    breaker__command_free(base, len);
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker__lookout_t *lookout = data;

    if (lookout->is_sentinel)
        take_named(lookout, reply);
    else
        take_role(lookout, reply);
}

static void on_gone(void *data)
{
    unref(data);
}

/* ---- a round ---- */

/* A round that cannot go on ends: there is a next one. */
static void open_connection(breaker__lookout_t *lookout, const breaker__endpoint_t *endpoint,
                            bool is_sentinel)
{
    breaker__connection_callbacks_t ours = {lookout, on_ready, on_reply, on_failed, on_gone};
    breaker__connection_config_t config =
        breaker__servers_connection(lookout->servers, lookout->via, endpoint, is_sentinel);

    assert(lookout->connection == NULL);
    lookout->endpoint = *endpoint;
    lookout->is_sentinel = is_sentinel;
    if (lookout->pending > CONNECTIONS_MAX)
        return;
    lookout->connection = breaker__connection_open(lookout->timer.loop, &config, &ours);
    if (lookout->connection != NULL)
        ++lookout->pending;
}

static void ask_next(breaker__lookout_t *lookout)
{
    if (lookout->next_url == lookout->servers->num_urls)
        return;
    lookout->via = &lookout->servers->urls[lookout->next_url++];
    open_connection(lookout, &lookout->via->endpoint, true);
}

static void on_time(uv_timer_t *timer)
{
    breaker__lookout_t *lookout = timer->data;

    /* the last round is not over yet */
    if (lookout->connection != NULL)
        return;
    lookout->next_url = 0;
    ask_next(lookout);
}

/* ---- calls ---- */

void breaker__lookout_init(breaker__lookout_t *lookout, uv_loop_t *loop,
                           breaker__servers_t *servers,
                           const breaker__lookout_callbacks_t *callbacks)
{
    *lookout = (breaker__lookout_t){.servers = servers, .callbacks = *callbacks, .pending = 1};
    uv_timer_init(loop, &lookout->timer);
    lookout->timer.data = lookout;
}

void breaker__lookout_start(breaker__lookout_t *lookout, const breaker__endpoint_t *master)
{
    uint64_t interval_ms = lookout->servers->sentinel_interval_ms;
    int err;

    assert(lookout->servers->sentinel != NULL);
    assert(lookout->connection == NULL);
    lookout->master = *master;
    uv_update_time(lookout->timer.loop);
    err = uv_timer_start(&lookout->timer, on_time, interval_ms, interval_ms);
    assert(err == 0); /* it fails only for a closing timer or without a callback */
    (void)err;
}

void breaker__lookout_stop(breaker__lookout_t *lookout)
{
    close_connection(lookout);
    uv_timer_stop(&lookout->timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void breaker__lookout_close(breaker__lookout_t *lookout)
{
    breaker__lookout_stop(lookout);
    uv_close((uv_handle_t *)&lookout->timer, on_timer_closed);
}
