/*
 * Several URLs without sentinels are the seeds of one Redis Cluster, or lead to one server. Nothing
 * else is: nodes that reach different ones would agree on different tokens for ever, and nobody
 * would say so. So they are asked who they are, before a link is up for the first time and now and
 * then while it is.
 *
 * Invariants: a round ends with exactly one on_over, the last thing that is done, unless it is
 * stopped; one connection at a time, each within its timeouts; the round that finds two different
 * has asked the first one before and after the other.
 */
#include <assert.h>
#include <string.h>
#include "redis/codec.h"
#include "redis/refusal.h"
#include "redis/seeds.h"

/** the most connections that are not gone yet; a look-up of a name keeps one until it is over */
#define CONNECTIONS_MAX 16
/** how much rarer rounds become */
#define RARER_MAX 32

static void ask_next(breaker__seeds_t *seeds);

static void unref(breaker__seeds_t *seeds)
{
    assert(seeds->pending != 0);
    if (--seeds->pending == 0)
        seeds->callbacks.on_gone(seeds->callbacks.data);
}

static void close_connection(breaker__seeds_t *seeds)
{
    if (seeds->connection != NULL)
        breaker__connection_close(seeds->connection);
    seeds->connection = NULL;
}

/* ---- when ---- */

static void on_time(uv_timer_t *timer)
{
    breaker__seeds_t *seeds = timer->data;

    assert(seeds->connection == NULL);
    seeds->is_asking = true;
    seeds->first = seeds->suspect = NULL;
    seeds->next_url = 0;
    ask_next(seeds);
}

static void arm(breaker__seeds_t *seeds)
{
    uint64_t now_ms;
    int err;

    uv_update_time(seeds->timer.loop);
    now_ms = uv_now(seeds->timer.loop);
    err = uv_timer_start(&seeds->timer, on_time,
                         seeds->due_ms > now_ms ? seeds->due_ms - now_ms : 0, 0);
    assert(err == 0); /* it fails only for a closing timer or without a callback */
    (void)err;
}

static void be_over(breaker__seeds_t *seeds, const breaker__redis_url_t *one,
                    const breaker__redis_url_t *other)
{
    assert(seeds->is_asking);
    assert((one == NULL) == (other == NULL));
    seeds->is_asking = false;
    seeds->due_ms = uv_now(seeds->timer.loop) + seeds->interval_ms;
    if (seeds->interval_ms < (uint64_t)RARER_MAX * seeds->servers->sentinel_interval_ms)
        seeds->interval_ms *= 2;
    arm(seeds);
    seeds->callbacks.on_over(seeds->callbacks.data, one != NULL ? &one->endpoint : NULL,
                             other != NULL ? &other->endpoint : NULL);
}

/* ---- a round ---- */

static void on_ready(void *data);
static void on_reply(void *data, const breaker_reply_t *reply);
static void on_failed(void *data, const char *reason);

static void on_gone(void *data)
{
    unref(data);
}

/* A round that cannot go on is over: there is a next one. */
static void ask(breaker__seeds_t *seeds, const breaker__redis_url_t *via)
{
    breaker__connection_callbacks_t ours = {seeds, on_ready, on_reply, on_failed, on_gone};
    breaker__connection_config_t config =
        breaker__servers_connection(seeds->servers, via, &via->endpoint, false);

    assert(seeds->connection == NULL);
    seeds->via = via;
    seeds->asks_nodes = false;
    if (seeds->pending <= CONNECTIONS_MAX)
        seeds->connection = breaker__connection_open(seeds->timer.loop, &config, &ours);
    if (seeds->connection != NULL)
        ++seeds->pending;
    else
        be_over(seeds, NULL, NULL);
}

static void ask_next(breaker__seeds_t *seeds)
{
    seeds->suspect = NULL;
    if (seeds->next_url == seeds->servers->num_urls)
        be_over(seeds, NULL, NULL);
    else
        ask(seeds, &seeds->servers->urls[seeds->next_url++]);
}

/* The first one has answered again: is the other still another? */
static void take_confirmation(breaker__seeds_t *seeds)
{
    bool is_same = strcmp(seeds->first_is.id, seeds->identity.id) == 0;

    seeds->first_is = seeds->identity;
    if (is_same && breaker__identity_differ(&seeds->first_is, &seeds->suspect_is))
        be_over(seeds, seeds->first, seeds->suspect);
    else
        ask_next(seeds);
}

/* Whoever was asked has said who it is. */
static void take_identity(breaker__seeds_t *seeds)
{
    close_connection(seeds);
    if (seeds->suspect != NULL) {
        take_confirmation(seeds);
        return;
    }
    /* who holds nothing differs from nobody */
    if (seeds->first == NULL || seeds->first_is.is_void) {
        seeds->first = seeds->via;
        seeds->first_is = seeds->identity;
    }
    /* whom it knew is of an earlier comparison */
    seeds->first_is.knows_other = false;
    if (breaker__identity_differ(&seeds->first_is, &seeds->identity)) {
        seeds->suspect = seeds->via;
        seeds->suspect_is = seeds->identity;
        ask(seeds, seeds->first);
    } else {
        ask_next(seeds);
    }
}

/* An answer that does not tell who it is proves nothing. */
static void pass(breaker__seeds_t *seeds, const breaker_reply_t *reply)
{
    char why[BREAKER__REASON_MAX];

    if (breaker__refusal_is_permission(reply) && !seeds->has_said_untold) {
        seeds->has_said_untold = true;
        breaker__refusal_print(reply, breaker__servers_password(seeds->servers, seeds->via), why,
                               sizeof(why));
        seeds->callbacks.on_untold(seeds->callbacks.data, &seeds->via->endpoint, why);
    }
    close_connection(seeds);
    ask_next(seeds);
}

/* ---- callbacks of the connection ---- */

static void send_question(breaker__seeds_t *seeds)
{
    char *base = NULL;
    size_t len = 0;
    int err = seeds->asks_nodes ? breaker__identity_nodes_question(&base, &len)
                                : breaker__identity_question(&base, &len);

    if (err != 0) {
        close_connection(seeds);
        be_over(seeds, NULL, NULL);
        return;
    }
    breaker__connection_ask(seeds->connection, base, len);
    breaker__command_free(base, len);
}

static void on_ready(void *data)
{
    send_question(data);
}

/* The id that is looked for among those whom a cluster's node knows. */
static const char *id_of_other(const breaker__seeds_t *seeds)
{
    if (seeds->suspect != NULL)
        return seeds->suspect_is.id;
    return seeds->first != NULL ? seeds->first_is.id : "";
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker__seeds_t *seeds = data;
    bool is_told = seeds->asks_nodes
                       ? breaker__identity_read_nodes(reply, id_of_other(seeds), &seeds->identity)
                       : breaker__identity_read(reply, &seeds->identity);

    if (!is_told) {
        pass(seeds, reply);
    } else if (seeds->identity.is_cluster && !seeds->asks_nodes) {
        seeds->asks_nodes = true;
        send_question(seeds);
    } else {
        take_identity(seeds);
    }
}

static void on_failed(void *data, const char *reason)
{
    breaker__seeds_t *seeds = data;

    (void)reason;
    close_connection(seeds);
    ask_next(seeds);
}

/* ---- calls ---- */

void breaker__seeds_init(breaker__seeds_t *seeds, uv_loop_t *loop,
                         const breaker__servers_t *servers,
                         const breaker__seeds_callbacks_t *callbacks)
{
    *seeds = (breaker__seeds_t){.servers = servers,
                                .callbacks = *callbacks,
                                .interval_ms = servers->sentinel_interval_ms,
                                .pending = 1};
    uv_timer_init(loop, &seeds->timer);
    seeds->timer.data = seeds;
}

void breaker__seeds_ask(breaker__seeds_t *seeds)
{
    assert(breaker__servers_are_seeds(seeds->servers));
    if (seeds->is_asking)
        return;
    /* from now on, although it begins in the loop */
    seeds->is_asking = true;
    seeds->due_ms = 0;
    arm(seeds);
}

void breaker__seeds_watch(breaker__seeds_t *seeds, const breaker__redis_url_t *via)
{
    assert(breaker__servers_are_seeds(seeds->servers));
    if (seeds->watched != via) {
        seeds->watched = via;
        seeds->interval_ms = seeds->servers->sentinel_interval_ms;
        seeds->due_ms = uv_now(seeds->timer.loop) + seeds->interval_ms;
    }
    if (!seeds->is_asking)
        arm(seeds);
}

void breaker__seeds_stop(breaker__seeds_t *seeds)
{
    close_connection(seeds);
    uv_timer_stop(&seeds->timer);
    seeds->is_asking = false;
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void breaker__seeds_close(breaker__seeds_t *seeds)
{
    breaker__seeds_stop(seeds);
    uv_close((uv_handle_t *)&seeds->timer, on_timer_closed);
}
