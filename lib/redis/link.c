/*
 * The link: which server to talk to, and when to give up. What is said to one server is the
 * connection's; what sentinels and clusters answer is read in their own files, and the lookout asks
 * sentinels again while the link is up.
 *
 *   DOWN ─dial─▶ DIALING ─▶ UP ─command─▶ COMMANDED ─▶ UP
 *     ▲             │        │                │
 *     └─────────────┴────────┴────────────────┘ on_down, or hang_up
 *
 *   dialing:    each URL in turn: SERVER, or SENTINEL then MASTER, until one will do; where several
 *               URLs are no sentinels SERVER, IDENTITY, and SEEDS until they are trusted
 *   commanded:  COMMAND; redirected: NODE, (ASKING,) COMMAND; a redirection that leads nowhere:
 *               each URL in turn once more, SERVER, COMMAND
 *
 * Invariants: DIALING and COMMANDED end with exactly one callback, the last thing that is done, and
 * it comes from the loop; every stage has a time limit (the connection's), and so have all
 * redirections of a command together (our timer). A command that may have been carried out is not
 * sent again. `pending` counts what the loop knows of us; memory goes when it is 0 after `free`.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/redis.h>
#include "redis/link.h"
#include "redis/redirect.h"
#include "redis/codec.h"
#include "redis/connection.h"
#include "redis/identity.h"
#include "redis/lookout.h"
#include "redis/refusal.h"
#include "redis/seeds.h"
#include "redis/sentinel.h"
#include "redis/servers.h"
#include "redis/story.h"
#include "redis/url.h"

#define DEFAULT_TIMEOUT_MS 1000
#define DEFAULT_SENTINEL_INTERVAL_MS 30000
/** the most connections that are not gone yet; a look-up of a name keeps one until it is over */
#define CONNECTIONS_MAX 64

typedef enum en_state_t {
    STATE_DOWN,
    STATE_DIALING,
    STATE_UP,
    STATE_COMMANDED,
} state_t;

/** what the connection is for */
typedef enum en_stage_t {
    STAGE_SERVER,
    STAGE_IDENTITY,
    STAGE_SEEDS,
    STAGE_SENTINEL,
    STAGE_MASTER,
    STAGE_NODE,
    STAGE_ASKING,
    STAGE_COMMAND,
    STAGE_IDLE,
} stage_t;

struct st_breaker_redis_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    breaker_redis_callbacks_t callbacks;

    breaker__servers_t servers;

    state_t state;
    stage_t stage;
    breaker__connection_t *connection; /* owned until it is closed */
    breaker__endpoint_t endpoint;      /* the connection's */
    const breaker__redis_url_t *via;   /* whose credentials are in use; into the servers' */
    size_t next_url;
    /** a failure to be told, or the limit of all redirections */
    uv_timer_t timer;
    /** runs while up by sentinels */
    breaker__lookout_t lookout;
    /** runs where several URLs are no sentinels */
    breaker__seeds_t seeds;
    bool seeds_trusted;
    unsigned pending;

    char *command; /* owned; NULL when none is under way */
    size_t command_len;
    unsigned hops;
    bool redirected, asking, seeds_asked;
    /** a password that was read again is being tried, and no third one is */
    bool renewed;

    char peer[BREAKER__ENDPOINT_TEXT_MAX];
    breaker__story_t story;
};

static void try_next_url(breaker_redis_t *redis);
static void on_moved(void *data, const breaker__endpoint_t *master);
static void on_asked_seeds(void *data, const breaker__endpoint_t *one,
                           const breaker__endpoint_t *other);
static void on_untold(void *data, const breaker__endpoint_t *who, const char *why);
static void on_gone(void *data);

/* ---- making and freeing ---- */

void breaker_redis_config_init(breaker_redis_config_t *config)
{
    *config = (breaker_redis_config_t){.connect_timeout_ms = DEFAULT_TIMEOUT_MS,
                                       .reply_timeout_ms = DEFAULT_TIMEOUT_MS,
                                       .sentinel_interval_ms = DEFAULT_SENTINEL_INTERVAL_MS};
}

static void dispose(breaker_redis_t *redis)
{
    breaker__servers_dispose(&redis->servers);
    free(redis);
}

static void unref(breaker_redis_t *redis)
{
    assert(redis->pending != 0);
    if (--redis->pending == 0)
        dispose(redis);
}

int breaker_redis_create(uv_loop_t *loop, const breaker_redis_config_t *config,
                         const breaker_redis_callbacks_t *callbacks, breaker_redis_t **ret_redis,
                         breaker_error_t *error)
{
    breaker_redis_t *redis = calloc(1, sizeof(*redis));
    int err;

    assert(callbacks->on_up != NULL && callbacks->on_down != NULL && callbacks->on_reply != NULL);
    if (redis == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "no memory for a link to Redis");
    if ((err = breaker__servers_init(&redis->servers, config, error)) != 0) {
        dispose(redis);
        return err;
    }
    redis->loop = loop;
    redis->callbacks = *callbacks;
    redis->stage = STAGE_IDLE;
    uv_timer_init(loop, &redis->timer);
    redis->timer.data = redis;
    breaker__lookout_init(&redis->lookout, loop, &redis->servers,
                          &(breaker__lookout_callbacks_t){redis, on_moved, on_gone});
    breaker__seeds_init(&redis->seeds, loop, &redis->servers,
                        &(breaker__seeds_callbacks_t){redis, on_asked_seeds, on_untold, on_gone});
    redis->pending = 3;
    *ret_redis = redis;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void breaker_redis_free(breaker_redis_t *redis)
{
    if (redis == NULL)
        return;
    breaker__redis_hang_up(redis);
    breaker__lookout_close(&redis->lookout);
    breaker__seeds_close(&redis->seeds);
    uv_close((uv_handle_t *)&redis->timer, on_timer_closed);
}

const char *breaker_redis_peer(const breaker_redis_t *redis)
{
    return redis->peer;
}

bool breaker__redis_local(const breaker_redis_t *redis, struct sockaddr_storage *ret_address)
{
    assert(redis->state == STATE_UP);
    return redis->connection != NULL && breaker__connection_local(redis->connection, ret_address);
}

/* ---- going down ---- */

static void forget_command(breaker_redis_t *redis)
{
    breaker__command_free(redis->command, redis->command_len);
    redis->command = NULL;
    redis->command_len = 0;
}

static void close_connection(breaker_redis_t *redis)
{
    if (redis->connection != NULL)
        breaker__connection_close(redis->connection);
    redis->connection = NULL;
}

void breaker__redis_hang_up(breaker_redis_t *redis)
{
    close_connection(redis);
    forget_command(redis);
    uv_timer_stop(&redis->timer);
    breaker__lookout_stop(&redis->lookout);
    breaker__seeds_stop(&redis->seeds);
    redis->state = STATE_DOWN;
    redis->stage = STAGE_IDLE;
}

static void go_down(breaker_redis_t *redis)
{
    /* The callback may dial, and that begins a new story. */
    breaker__story_t story = redis->story;

    assert(redis->state != STATE_DOWN);
    breaker__redis_hang_up(redis);
    redis->callbacks.on_down(redis->callbacks.data, story.text);
}

/* Adds to the story of what failed, which names every server that was tried. */
static void note(breaker_redis_t *redis, const char *why)
{
    breaker__story_add(&redis->story, redis->peer, why);
}

static void start_timer(breaker_redis_t *redis, uv_timer_cb callback, uint64_t delay_ms)
{
    int err;

    uv_update_time(redis->loop);
    err = uv_timer_start(&redis->timer, callback, delay_ms, 0);
    assert(err == 0); /* it fails only for a closing timer or without a callback */
    (void)err;
}

static void on_failure_due(uv_timer_t *timer)
{
    go_down(timer->data);
}

/* Goes down from the loop, because this may be inside a call of our owner's. */
static void go_down_later(breaker_redis_t *redis, const char *why)
{
    note(redis, why);
    close_connection(redis);
    start_timer(redis, on_failure_due, 0);
}

/* This server will not do: what else is there? */
static void move_on(breaker_redis_t *redis)
{
    stage_t stage = redis->stage;

    assert(redis->state != STATE_DOWN);
    close_connection(redis);
    if (stage == STAGE_SEEDS)
        uv_timer_stop(&redis->timer);
    if (redis->state == STATE_UP || stage == STAGE_COMMAND) {
        go_down(redis);
        return;
    }
    if (redis->state == STATE_COMMANDED && !redis->seeds_asked) {
        redis->seeds_asked = true;
        redis->next_url = 0;
    }
    if (redis->next_url == redis->servers.num_urls)
        go_down(redis);
    else
        try_next_url(redis);
}

static void refuse_server(breaker_redis_t *redis, const char *why)
{
    note(redis, why);
    move_on(redis);
}

/* ---- asking ---- */

static int format_question(const breaker_redis_t *redis, stage_t stage, char **ret_base,
                           size_t *ret_len)
{
    switch (stage) {
    case STAGE_IDENTITY:
        return breaker__identity_question(ret_base, ret_len);
    case STAGE_SENTINEL:
        return breaker__sentinel_question(redis->servers.sentinel, ret_base, ret_len);
    case STAGE_MASTER:
        return breaker__role_question(ret_base, ret_len);
    case STAGE_ASKING:
        return breaker__asking(ret_base, ret_len);
    case STAGE_SERVER:
    case STAGE_SEEDS:
    case STAGE_NODE:
    case STAGE_COMMAND:
    case STAGE_IDLE:
        break;
    }
    assert(!"a stage without a question of ours");
    return BREAKER_ERR_STATE;
}

static void ask_own(breaker_redis_t *redis, stage_t stage)
{
    char *base = NULL;
    size_t len = 0;

    redis->stage = stage;
    if (format_question(redis, stage, &base, &len) != 0) {
        refuse_server(redis, "out of memory");
        return;
    }
    breaker__connection_ask(redis->connection, base, len);
    breaker__command_free(base, len);
}

static void send_command(breaker_redis_t *redis)
{
    assert(redis->state == STATE_COMMANDED && redis->command != NULL);
    redis->stage = STAGE_COMMAND;
    breaker__connection_ask(redis->connection, redis->command, redis->command_len);
}

static void become_up(breaker_redis_t *redis)
{
    redis->state = STATE_UP;
    redis->stage = STAGE_IDLE;
    if (redis->servers.sentinel != NULL)
        breaker__lookout_start(&redis->lookout, &redis->endpoint);
    if (breaker__servers_are_seeds(&redis->servers))
        breaker__seeds_watch(&redis->seeds, redis->via);
    redis->callbacks.on_up(redis->callbacks.data);
}

/* ---- connecting ---- */

static void on_ready(void *data);
static void on_reply(void *data, const breaker_reply_t *reply);
static void on_failed(void *data, const char *reason);

static void open_connection(breaker_redis_t *redis, const breaker__endpoint_t *endpoint,
                            stage_t stage)
{
    breaker__connection_callbacks_t ours = {redis, on_ready, on_reply, on_failed, on_gone};
    breaker__connection_config_t config =
        breaker__servers_connection(&redis->servers, redis->via, endpoint, stage == STAGE_SENTINEL);

    assert(redis->connection == NULL);
    redis->stage = stage;
    redis->endpoint = *endpoint;
    breaker__endpoint_print(endpoint, redis->peer);
    if (redis->pending > CONNECTIONS_MAX) {
        go_down_later(redis, "too many earlier connections are not gone yet");
        return;
    }
    redis->connection = breaker__connection_open(redis->loop, &config, &ours);
    if (redis->connection == NULL)
        go_down_later(redis, "out of memory");
    else
        ++redis->pending;
}

static void try_next_url(breaker_redis_t *redis)
{
    assert(redis->next_url < redis->servers.num_urls);
    redis->via = &redis->servers.urls[redis->next_url++];
    redis->hops = 0;
    redis->asking = false;
    open_connection(redis, &redis->via->endpoint,
                    redis->servers.sentinel != NULL ? STAGE_SENTINEL : STAGE_SERVER);
}

void breaker_redis_dial(breaker_redis_t *redis)
{
    assert(redis->state == STATE_DOWN);
    assert(redis->connection == NULL);
    redis->state = STATE_DIALING;
    breaker__story_begin(&redis->story);
    redis->next_url = 0;
    redis->renewed = false;
    try_next_url(redis);
}

/* ---- redirections ---- */

static void on_redirected_too_long(uv_timer_t *timer)
{
    breaker_redis_t *redis = timer->data;

    note(redis, "redirections took too long");
    go_down(redis);
}

static void follow(breaker_redis_t *redis, const breaker__redirect_t *redirect)
{
    uint64_t limit_ms =
        (uint64_t)redis->servers.connect_timeout_ms + redis->servers.reply_timeout_ms;

    if (!redis->redirected)
        start_timer(redis, on_redirected_too_long, limit_ms * BREAKER__HOPS_MAX);
    redis->redirected = true;
    redis->asking = redirect->ask;
    close_connection(redis);
    if (redis->hops++ < BREAKER__HOPS_MAX) {
        open_connection(redis, &redirect->endpoint, STAGE_NODE);
    } else {
        redis->stage = STAGE_NODE;
        refuse_server(redis, "redirected more than 5 times");
    }
}

/* ---- replies ---- */

static void take_command_reply(breaker_redis_t *redis, const breaker_reply_t *reply)
{
    breaker__redirect_t redirect;

    /* whatever led here, a name or a proxy, may lead to the master by now */
    if (breaker__refusal_is_readonly(reply)) {
        refuse_server(redis, "it is a replica now");
        return;
    }
    if (redis->servers.sentinel == NULL &&
        breaker__redirect_read(reply, &redis->endpoint, &redirect)) {
        follow(redis, &redirect);
        return;
    }
    forget_command(redis);
    uv_timer_stop(&redis->timer);
    redis->state = STATE_UP;
    redis->stage = STAGE_IDLE;
    redis->callbacks.on_reply(redis->callbacks.data, reply);
}

static void refuse_with_error(breaker_redis_t *redis, const char *what,
                              const breaker_reply_t *reply)
{
    const char *password = breaker__servers_password(&redis->servers, redis->via);
    char words[160], reason[256];

    breaker__refusal_print(reply, password, words, sizeof(words));
    snprintf(reason, sizeof(reason), "%s: %s", what, words);
    refuse_server(redis, reason);
}

static void on_seeds_late(uv_timer_t *timer)
{
    breaker_redis_t *redis = timer->data;

    assert(redis->stage == STAGE_SEEDS);
    become_up(redis);
}

/* A replica takes no writes, so the others are tried; one of a cluster knows where to send them. */
static void take_identity_reply(breaker_redis_t *redis, const breaker_reply_t *reply)
{
    breaker__identity_t identity;

    if (breaker__identity_read(reply, &identity) && identity.is_replica && !identity.is_cluster) {
        refuse_server(redis, "it is a replica");
    } else if (redis->seeds_trusted) {
        become_up(redis);
    } else {
        redis->stage = STAGE_SEEDS;
        start_timer(redis, on_seeds_late, redis->servers.connect_timeout_ms);
        breaker__seeds_ask(&redis->seeds);
    }
}

static void take_sentinel_reply(breaker_redis_t *redis, const breaker_reply_t *reply)
{
    breaker__endpoint_t master;
    const char *wrong;

    if (reply->type == BREAKER_REPLY_ERROR) {
        refuse_with_error(redis, "SENTINEL", reply);
    } else if ((wrong = breaker__sentinel_answer(reply, &master)) != NULL) {
        refuse_server(redis, wrong);
    } else {
        close_connection(redis);
        open_connection(redis, &master, STAGE_MASTER);
    }
}

static void take_role_reply(breaker_redis_t *redis, const breaker_reply_t *reply)
{
    if (reply->type == BREAKER_REPLY_ERROR)
        refuse_with_error(redis, "ROLE", reply);
    else if (!breaker__role_is_master(reply))
        refuse_server(redis, "sentinels name it, but it is no master");
    else
        become_up(redis);
}

static void take_asking_reply(breaker_redis_t *redis, const breaker_reply_t *reply)
{
    if (reply->type == BREAKER_REPLY_STATUS)
        send_command(redis);
    else
        refuse_with_error(redis, "ASKING", reply);
}

/* ---- callbacks of the connection ---- */

static void on_ready(void *data)
{
    breaker_redis_t *redis = data;

    switch (redis->stage) {
    case STAGE_SERVER:
        if (redis->state != STATE_DIALING)
            send_command(redis);
        else if (breaker__servers_are_seeds(&redis->servers))
            ask_own(redis, STAGE_IDENTITY);
        else
            become_up(redis);
        return;
    case STAGE_SENTINEL:
        ask_own(redis, STAGE_SENTINEL);
        return;
    case STAGE_MASTER:
        ask_own(redis, STAGE_MASTER);
        return;
    case STAGE_NODE:
        if (redis->asking)
            ask_own(redis, STAGE_ASKING);
        else
            send_command(redis);
        return;
    case STAGE_IDENTITY:
    case STAGE_SEEDS:
    case STAGE_ASKING:
    case STAGE_COMMAND:
    case STAGE_IDLE:
        break;
    }
    assert(!"a connection becomes ready once, before anything is asked");
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker_redis_t *redis = data;

    switch (redis->stage) {
    case STAGE_IDENTITY:
        take_identity_reply(redis, reply);
        return;
    case STAGE_SENTINEL:
        take_sentinel_reply(redis, reply);
        return;
    case STAGE_MASTER:
        take_role_reply(redis, reply);
        return;
    case STAGE_ASKING:
        take_asking_reply(redis, reply);
        return;
    case STAGE_COMMAND:
        take_command_reply(redis, reply);
        return;
    case STAGE_SERVER:
    case STAGE_SEEDS:
    case STAGE_NODE:
    case STAGE_IDLE:
        break;
    }
    assert(!"a connection hands out replies only to what was asked");
}

/* A secret that is kept in a file may be another one by now. */
static void take_refusal(breaker_redis_t *redis, const char *reason)
{
    breaker__endpoint_t endpoint = redis->endpoint;
    breaker_error_t error = {0};
    char why[2 * sizeof(error.message)];

    switch (breaker__servers_renew_password(&redis->servers, &error)) {
    case BREAKER__RENEWAL_NEW:
        if (redis->renewed)
            break;
        redis->renewed = true;
        close_connection(redis);
        open_connection(redis, &endpoint, redis->stage);
        return;
    case BREAKER__RENEWAL_SAME:
        snprintf(why, sizeof(why), "%s, and %s has no other one", reason,
                 redis->servers.password_file);
        refuse_server(redis, why);
        return;
    case BREAKER__RENEWAL_FAILED:
        snprintf(why, sizeof(why), "%s, and it cannot be read again: %s", reason, error.message);
        refuse_server(redis, why);
        return;
    case BREAKER__RENEWAL_NONE:
        break;
    }
    refuse_server(redis, reason);
}

static void on_failed(void *data, const char *reason)
{
    breaker_redis_t *redis = data;

    if (redis->state == STATE_UP)
        breaker__story_begin(&redis->story);
    if (breaker__connection_is_refused(redis->connection))
        take_refusal(redis, reason);
    else
        refuse_server(redis, reason);
}

static void on_gone(void *data)
{
    unref(data);
}

/* ---- callbacks of the lookout and of the seeds ---- */

static void on_moved(void *data, const breaker__endpoint_t *master)
{
    breaker_redis_t *redis = data;
    char named[BREAKER__ENDPOINT_TEXT_MAX], why[sizeof(named) + 64];

    assert(redis->state == STATE_UP || redis->state == STATE_COMMANDED);
    breaker__endpoint_print(master, named);
    snprintf(why, sizeof(why), "sentinels name %s now", named);
    breaker__story_begin(&redis->story);
    note(redis, why);
    go_down(redis);
}

static void refuse_seeds(breaker_redis_t *redis, const breaker__endpoint_t *one,
                         const breaker__endpoint_t *other)
{
    char first[BREAKER__ENDPOINT_TEXT_MAX], second[BREAKER__ENDPOINT_TEXT_MAX];
    char why[BREAKER__REASON_MAX];

    breaker__endpoint_print(one, first);
    breaker__endpoint_print(other, second);
    snprintf(why, sizeof(why),
             "it is another server than %s; accepted: one URL, or sentinel with its name, or the "
             "seeds of one Redis Cluster",
             first);
    if (redis->state == STATE_UP)
        breaker__story_begin(&redis->story);
    breaker__story_add(&redis->story, second, why);
    go_down(redis);
}

static void on_asked_seeds(void *data, const breaker__endpoint_t *one,
                           const breaker__endpoint_t *other)
{
    breaker_redis_t *redis = data;

    assert(redis->state != STATE_DOWN);
    redis->seeds_trusted = other == NULL;
    if (other != NULL) {
        refuse_seeds(redis, one, other);
    } else if (redis->stage == STAGE_SEEDS) {
        uv_timer_stop(&redis->timer);
        become_up(redis);
    }
}

static void on_untold(void *data, const breaker__endpoint_t *who, const char *why)
{
    breaker_redis_t *redis = data;
    char asked[BREAKER__ENDPOINT_TEXT_MAX], notice[BREAKER_REDIS_REASON_MAX];

    if (redis->callbacks.on_notice == NULL)
        return;
    breaker__endpoint_print(who, asked);
    snprintf(notice, sizeof(notice), "%s: whether the URLs are one Redis Cluster is not known: %s",
             asked, why);
    redis->callbacks.on_notice(redis->callbacks.data, notice);
}

/* ---- commands ---- */

void breaker_redis_command(breaker_redis_t *redis, size_t argc, const char *const *argv,
                           const size_t *argv_len)
{
    int err;

    assert(redis->state == STATE_UP);
    assert(redis->command == NULL);
    redis->state = STATE_COMMANDED;
    breaker__story_begin(&redis->story);
    redis->hops = 0;
    redis->redirected = redis->asking = redis->seeds_asked = redis->renewed = false;
    if ((err = breaker__command_format(argc, argv, argv_len, &redis->command,
                                       &redis->command_len)) != 0)
        go_down_later(redis, breaker_err_message(err));
    else
        send_command(redis);
}
