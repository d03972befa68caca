/*
 * A node in its cluster: events of the loop go into the agreement, and the actions that come out
 * are carried out here, in their order. Everything but start and stop happens on the loop's thread.
 * The server's threads meet it in two places only: the publisher, and the node's atomics. What
 * fails here, a disk, a server, a reply, is logged and tried again; nothing of it reaches a
 * request.
 */
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <breaker/cluster.h>
#include "cluster/agreement.h"
#include "cluster/caller.h"
#include "cluster/cluster_config.h"
#include "cluster/exchange.h"
#include "cluster/members.h"
#include "cluster/publication.h"
#include "cluster/said.h"
#include "cluster/saver.h"
#include "cluster/script.h"
#include "node/node.h"
#include "thread.h"

enum {
    /* how often it is asked which other releases live: after so long, and every so many polls */
    RELEASES_EVERY_MS = 2000,
    RELEASES_EVERY_POLLS = 4,
    NUM_HANDLES = 3,
};

struct st_breaker_cluster_t {
    breaker_node_t *node; /* borrowed: outlives us */
    bool has_suffix;
    breaker__script_caller_t caller;
    breaker__said_t said;
    breaker__saver_t saver;
    breaker__publication_t publication;
    void *data;
    void (*on_ready)(void *data);

    breaker__agreement_t *agreement; /* owned */
    /* its link is NULL once the cluster is left */
    breaker__exchange_t exchange;
    /* from now on nothing is said or done but to leave; and that was said to Redis */
    bool is_leaving, has_said_leave;
    uv_loop_t own_loop;
    uv_loop_t *loop; /* `own_loop`, or the embedder's */
    pthread_t thread;
    uv_timer_t timer;
    uv_poll_t wanted;
    uv_async_t stop;
    /* of the three, those that the loop still knows */
    size_t num_handles;
    uint64_t wake_ms;
    /* the last ones */
    breaker__poll_t poll;
    breaker_script_answer_t answer;

    breaker__members_t members;
    /* what is under way is a question of the members'; a poll has to wait until it is answered */
    bool is_asking_members, owes_poll;
    breaker__alive_t alive;
    uint64_t releases_due_ms;
    unsigned polls_until_releases;
};

/* ---- time, and what is due to the log, the disk and the server ---- */

static uint64_t clock_ms(clockid_t id)
{
    struct timespec now;
    int err = clock_gettime(id, &now);

    assert(err == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static breaker__moment_t moment(void)
{
    return (breaker__moment_t){clock_ms(CLOCK_REALTIME), clock_ms(CLOCK_MONOTONIC)};
}

static void log_trouble(breaker_cluster_t *cluster, const char *what, const char *reason)
{
    assert(cluster->exchange.redis != NULL);
    breaker__said_trouble(&cluster->said, moment(), what,
                          breaker_redis_peer(cluster->exchange.redis), reason);
}

static void save(breaker_cluster_t *cluster)
{
    breaker__moment_t now = moment();
    breaker_error_t error = {0};

    /* the last time it is saved is before anything is closed */
    assert(cluster->num_handles == NUM_HANDLES);
    if (breaker__saver_save(&cluster->saver, now.mono_ms, cluster->agreement, &error) != 0)
        breaker__said_file(&cluster->said, now, &error);
}

static void publish(breaker_cluster_t *cluster)
{
    bool was_ready = breaker__publication_is_ready(&cluster->publication);
    int err = breaker__publication_publish(&cluster->publication, cluster->agreement);

    if (err != 0)
        log_trouble(cluster, "publish", breaker_err_message(err));
    if (!was_ready && breaker__publication_is_ready(&cluster->publication) &&
        cluster->on_ready != NULL)
        cluster->on_ready(cluster->data);
    /* a token is published by the event that brings it */
    assert(err != 0 || breaker__agreement_own(cluster->agreement) == NULL ||
           breaker__publication_is_ready(&cluster->publication));
}

static breaker_standing_t standing_of(breaker__agreement_state_t state)
{
    switch (state) {
    case BREAKER__AGREEMENT_START:
        return BREAKER_STANDING_START;
    case BREAKER__AGREEMENT_LOCAL:
        return BREAKER_STANDING_LOCAL;
    case BREAKER__AGREEMENT_SYNCED:
        return BREAKER_STANDING_SYNCED;
    case BREAKER__AGREEMENT_STALE:
        return BREAKER_STANDING_STALE;
    }
    assert(!"a state outside its enum");
    return BREAKER_STANDING_UNKNOWN;
}

static void update_freshness(breaker_cluster_t *cluster)
{
    breaker__agreement_state_t state = breaker__agreement_state(cluster->agreement);
    breaker_freshness_t freshness = {
        .answered_ms = breaker__agreement_answered_ms(cluster->agreement),
        .reachable = state == BREAKER__AGREEMENT_SYNCED || state == BREAKER__AGREEMENT_STALE,
    };

    breaker_node_set_freshness(cluster->node, freshness);
    breaker__node_set_standing(cluster->node, standing_of(state), cluster->answer.ledger.fleet,
                               (uint32_t)cluster->alive.num);
}

/* ---- actions ---- */

/* with the next poll */
static void want_releases(breaker_cluster_t *cluster)
{
    cluster->releases_due_ms = 0;
    cluster->polls_until_releases = 0;
}

static void send_poll(breaker_cluster_t *cluster, breaker__moment_t now)
{
    bool with_releases =
        cluster->polls_until_releases == 0 && now.mono_ms >= cluster->releases_due_ms;
    breaker__poll_t *poll = &cluster->poll;

    assert(cluster->caller.agreement == breaker__agreement_config(cluster->agreement));
    breaker__agreement_poll(cluster->agreement, now, poll);
    breaker__script_poll(&cluster->exchange.command, &cluster->caller, poll, with_releases);
    if (cluster->polls_until_releases != 0)
        --cluster->polls_until_releases;
    if (with_releases) {
        cluster->releases_due_ms = now.mono_ms + RELEASES_EVERY_MS;
        cluster->polls_until_releases = RELEASES_EVERY_POLLS - 1;
    }
    breaker__exchange_send(&cluster->exchange);
}

static void poll_when_free(breaker_cluster_t *cluster, breaker__moment_t now)
{
    assert(!cluster->owes_poll);
    if (cluster->is_asking_members)
        cluster->owes_poll = true;
    else
        send_poll(cluster, now);
}

static void ask_members(breaker_cluster_t *cluster, breaker__moment_t now)
{
    if (!cluster->exchange.is_up || cluster->exchange.is_under_way ||
        !breaker__members_must_ask(&cluster->members, now.mono_ms))
        return;
    breaker__members_ask(&cluster->members, now.mono_ms, &cluster->exchange.command);
    cluster->is_asking_members = true;
    breaker__exchange_send(&cluster->exchange);
}

static void tell_members(breaker_cluster_t *cluster)
{
    int err = breaker__members_tell(&cluster->members);

    if (err != 0)
        log_trouble(cluster, "peers", breaker_err_message(err));
}

/* the connection is gone, and what was under way on it */
static void forget_members(breaker_cluster_t *cluster)
{
    cluster->is_asking_members = cluster->owes_poll = false;
    breaker__members_on_down(&cluster->members);
}

static void on_timer(uv_timer_t *timer);

/* a timer that fires early does no harm: the agreement looks at the clock itself */
static void arm(breaker_cluster_t *cluster, uint64_t now_ms)
{
    uint64_t save_ms = breaker__saver_due_ms(&cluster->saver);
    uint64_t wake_ms = save_ms < cluster->wake_ms ? save_ms : cluster->wake_ms;

    if (wake_ms == UINT64_MAX) {
        uv_timer_stop(&cluster->timer);
        return;
    }
    uv_update_time(cluster->loop);
    uv_timer_start(&cluster->timer, on_timer, wake_ms > now_ms ? wake_ms - now_ms : 0, 0);
}

static void carry_out(breaker_cluster_t *cluster, breaker__moment_t now, breaker__actions_t actions)
{
    /* nothing happens any more once it is left */
    assert(!cluster->is_leaving);
    assert(cluster->num_handles == NUM_HANDLES);
    if (actions.hang_up) {
        breaker__exchange_hang_up(&cluster->exchange);
        forget_members(cluster);
    }
    if (actions.save)
        breaker__saver_want(&cluster->saver);
    save(cluster);
    if (actions.publish)
        breaker__publication_want(&cluster->publication);
    breaker__publication_on_alive(&cluster->publication, cluster->agreement, &cluster->alive);
    breaker__publication_on_place(&cluster->publication, cluster->agreement);
    publish(cluster);
    update_freshness(cluster);
    breaker__said_transition(&cluster->said, now, breaker_redis_peer(cluster->exchange.redis),
                             cluster->agreement);
    if (actions.publish)
        breaker__said_clash(&cluster->said, now, cluster->agreement);
    if (actions.dial)
        breaker__exchange_dial(&cluster->exchange);
    if (actions.poll)
        poll_when_free(cluster, now);
    tell_members(cluster);
    cluster->wake_ms = actions.wake_ms;
    arm(cluster, now.mono_ms);
}

/* ---- events ---- */

static void on_timer(uv_timer_t *timer)
{
    breaker_cluster_t *cluster = timer->data;
    breaker__moment_t now = moment();

    carry_out(cluster, now, breaker__agreement_on_time(cluster->agreement, now));
}

/* a copy, a zeroed one where there is none: the next event may change it */
static breaker_ledger_entry_t own_entry(const breaker_cluster_t *cluster)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(cluster->agreement);

    assert(own == NULL || own->token.len != 0);
    return own != NULL ? *own : (breaker_ledger_entry_t){.order = 0};
}

/* the node may have loaded other files */
static void look_for_next(breaker_cluster_t *cluster, breaker__moment_t now)
{
    char suffix[sizeof(breaker__agreement_config(cluster->agreement)->suffix)] = "";
    breaker_ledger_entry_t before = own_entry(cluster);
    breaker_token_t token;
    const breaker_release_t *next = breaker__publication_look(&cluster->publication, &token);
    breaker__actions_t actions;

    if (next == NULL)
        return;
    if (cluster->has_suffix)
        breaker__cluster_suffix(next, suffix, sizeof(suffix));
    actions = breaker__agreement_on_release(cluster->agreement, now, breaker_release_id(next),
                                            token.len != 0 ? &token : NULL, suffix);
    breaker__said_own(&cluster->said, now, cluster->agreement, &before);
    carry_out(cluster, now, actions);
}

/* which releases live, and where, a poll tells; the list of nodes is a question of its own */
static void look_for_peers(breaker_cluster_t *cluster, breaker__moment_t now)
{
    breaker__members_want(&cluster->members, now.mono_ms);
    want_releases(cluster);
    carry_out(cluster, now, breaker__agreement_on_wanted(cluster->agreement, now));
    ask_members(cluster, now);
}

static void on_wanted(uv_poll_t *wanted, int status, int events)
{
    breaker_cluster_t *cluster = wanted->data;
    breaker__moment_t now = moment();
    (void)status, (void)events;

    /* what is wanted is the next cluster's to take once this one is left */
    assert(!cluster->is_leaving);
    if (breaker_node_take_wanted(cluster->node))
        carry_out(cluster, now, breaker__agreement_on_wanted(cluster->agreement, now));
    if (breaker_node_wants_peers(cluster->node))
        look_for_peers(cluster, now);
    look_for_next(cluster, now);
}

static void on_up(void *data)
{
    breaker_cluster_t *cluster = data;
    breaker__moment_t now = moment();

    assert(!cluster->is_leaving);
    breaker__exchange_on_up(&cluster->exchange);
    want_releases(cluster);
    breaker__members_on_up(&cluster->members, now.mono_ms);
    if (!breaker__caller_on_up(&cluster->caller, cluster->exchange.redis))
        log_trouble(cluster, "advertise", "auto: Redis is reached by no address of this machine");
    carry_out(cluster, now, breaker__agreement_on_up(cluster->agreement, now));
}

static void end_leave(breaker_cluster_t *cluster);

static void on_down(void *data, const char *reason)
{
    breaker_cluster_t *cluster = data;
    breaker__moment_t now = moment();

    breaker__exchange_on_down(&cluster->exchange);
    forget_members(cluster);
    if (cluster->is_leaving) {
        end_leave(cluster);
        return;
    }
    log_trouble(cluster, "connection", reason);
    carry_out(cluster, now, breaker__agreement_on_down(cluster->agreement, now));
}

static void on_notice(void *data, const char *notice)
{
    log_trouble(data, "seeds", notice);
}

static void take_answer(breaker_cluster_t *cluster, breaker__moment_t now,
                        const breaker_answer_t *answer)
{
    breaker_ledger_entry_t before = own_entry(cluster);
    breaker__actions_t actions = breaker__agreement_on_answer(cluster->agreement, now, answer);

    breaker__said_restored(&cluster->said, now, breaker_redis_peer(cluster->exchange.redis),
                           &cluster->poll, answer);
    if (actions.publish)
        breaker__said_news(&cluster->said, now, cluster->agreement, &before);
    carry_out(cluster, now, actions);
}

static void note_releases(breaker_cluster_t *cluster, breaker__moment_t now)
{
    assert(cluster->answer.has_releases);
    breaker__script_alive(&cluster->answer, cluster->caller.agreement, &cluster->alive);
    breaker__said_dead_after(&cluster->said, now, cluster->agreement, &cluster->answer);
}

static void take_reply(breaker_cluster_t *cluster, const breaker_reply_t *reply)
{
    breaker__moment_t now = moment();

    assert(!cluster->is_leaving);
    if (!breaker_script_parse(reply, &cluster->answer)) {
        breaker__said_refusal(&cluster->said, now, breaker_redis_peer(cluster->exchange.redis),
                              reply);
        carry_out(cluster, now, breaker__agreement_on_refused(cluster->agreement, now));
        return;
    }
    if (cluster->answer.has_releases)
        note_releases(cluster, now);
    breaker__members_on_poll(&cluster->members, now.mono_ms, now.wall_ms, &cluster->answer,
                             &cluster->alive);
    /* before what is asked of them is published */
    tell_members(cluster);
    take_answer(cluster, now, &cluster->answer.ledger);
}

static void take_members(breaker_cluster_t *cluster, const breaker_reply_t *reply)
{
    char reason[BREAKER_REDIS_REASON_MAX];
    breaker__moment_t now = moment();

    cluster->is_asking_members = false;
    if (!breaker__members_on_reply(&cluster->members, now.mono_ms, reply)) {
        breaker_redis_refusal(reply, reason, sizeof(reason));
        log_trouble(cluster, "peers", reason);
    }
    tell_members(cluster);
    if (cluster->owes_poll) {
        cluster->owes_poll = false;
        send_poll(cluster, now);
    }
}

static void go_on_leaving(breaker_cluster_t *cluster);

static void on_reply(void *data, const breaker_reply_t *reply)
{
    breaker_cluster_t *cluster = data;

    if (!breaker__exchange_on_reply(&cluster->exchange, reply))
        return;
    if (cluster->is_leaving) {
        go_on_leaving(cluster);
        return;
    }
    if (cluster->is_asking_members)
        take_members(cluster, reply);
    else
        take_reply(cluster, reply);
    ask_members(cluster, moment());
}

/*
 * ---- leaving ----
 *
 *   stop ─▶ what was said to Redis is answered ─▶ "leave" is said ─▶ it is answered ─▶ end
 *               BREAKER_CLUSTER_LEAVE_MS are over, or the connection breaks ──────▲
 *
 * The node, the callbacks and their data are not touched any more once the first step is made.
 */

static void free_cluster(breaker_cluster_t *cluster)
{
    assert(cluster->num_handles == 0);
    assert(cluster->exchange.redis == NULL);
    breaker__agreement_free(cluster->agreement);
    breaker__publication_dispose(&cluster->publication);
    breaker__saver_dispose(&cluster->saver);
    free(cluster);
}

static void on_closed(uv_handle_t *handle)
{
    breaker_cluster_t *cluster = handle->data;

    assert(cluster->num_handles != 0);
    if (--cluster->num_handles == 0 && cluster->loop != &cluster->own_loop)
        free_cluster(cluster);
}

static void end_leave(breaker_cluster_t *cluster)
{
    assert(cluster->is_leaving);
    breaker__exchange_end(&cluster->exchange);
    uv_close((uv_handle_t *)&cluster->timer, on_closed);
}

static void on_leave_late(uv_timer_t *timer)
{
    breaker_cluster_t *cluster = timer->data;

    /* an embedder hears nothing any more */
    if (cluster->loop == &cluster->own_loop)
        log_trouble(cluster, "leave", "it did not answer in time");
    end_leave(cluster);
}

/* with nothing under way */
static void go_on_leaving(breaker_cluster_t *cluster)
{
    assert(cluster->is_leaving);
    assert(!cluster->exchange.is_under_way);
    if (cluster->has_said_leave || !cluster->exchange.is_up) {
        end_leave(cluster);
        return;
    }
    cluster->has_said_leave = true;
    breaker__script_leave(&cluster->exchange.command, &cluster->caller);
    breaker__exchange_send(&cluster->exchange);
}

/* on the loop's thread */
static void leave(breaker_cluster_t *cluster)
{
    assert(!cluster->is_leaving);
    assert(cluster->num_handles == NUM_HANDLES);
    /* the last word is worth one more write, however soon after the one before */
    breaker__saver_hasten(&cluster->saver);
    save(cluster);
    breaker_node_set_freshness(cluster->node, (breaker_freshness_t){.reachable = false});
    breaker__node_set_standing(cluster->node, BREAKER_STANDING_UNKNOWN, 0, 0);
    forget_members(cluster);
    tell_members(cluster);
    breaker__said_leave(&cluster->said, moment(), breaker_redis_peer(cluster->exchange.redis),
                        cluster->agreement, cluster->exchange.is_up);
    cluster->is_leaving = true;
    uv_close((uv_handle_t *)&cluster->wanted, on_closed);
    uv_close((uv_handle_t *)&cluster->stop, on_closed);
    uv_update_time(cluster->loop);
    uv_timer_start(&cluster->timer, on_leave_late, BREAKER_CLUSTER_LEAVE_MS, 0);
    if (!cluster->exchange.is_under_way)
        go_on_leaving(cluster);
}

static void on_stop(uv_async_t *stop)
{
    breaker_cluster_t *cluster = stop->data;

    assert(cluster->loop == &cluster->own_loop);
    leave(cluster);
}

static void close_own_loop(breaker_cluster_t *cluster)
{
    int err = uv_loop_close(&cluster->own_loop);

    assert(cluster->num_handles == 0);
    assert(err == 0);
}

void breaker_cluster_stop(breaker_cluster_t *cluster)
{
    int err;

    if (cluster == NULL)
        return;
    if (cluster->loop != &cluster->own_loop) {
        leave(cluster);
        return;
    }
    uv_async_send(&cluster->stop);
    err = pthread_join(cluster->thread, NULL);
    assert(err == 0);
    close_own_loop(cluster);
    free_cluster(cluster);
}

/* ---- joining ---- */

static void *run(void *data)
{
    breaker_cluster_t *cluster = data;

    uv_run(cluster->loop, UV_RUN_DEFAULT);
    assert(cluster->num_handles == 0);
    return NULL;
}

static int start_thread(breaker_cluster_t *cluster, breaker_error_t *error)
{
    assert(cluster->loop == &cluster->own_loop);
    return breaker__thread_start("breaker-cluster", run, cluster, &cluster->thread, error);
}

static void make_random(void *dst, size_t len)
{
    ssize_t got = getrandom(dst, len, 0);

    /* so few bytes are never interrupted */
    assert(got == (ssize_t)len);
}

static void init_handles(breaker_cluster_t *cluster)
{
    int err = uv_timer_init(cluster->loop, &cluster->timer);

    err |= uv_poll_init(cluster->loop, &cluster->wanted, breaker_node_wanted_fd(cluster->node));
    /* an embedder's cluster stops on its loop's thread; one kind of handle more is no harm */
    err |= uv_async_init(cluster->loop, &cluster->stop, on_stop);
    err |= uv_poll_start(&cluster->wanted, UV_READABLE, on_wanted);
    assert(err == 0);
    assert(cluster->num_handles == 0);
    cluster->num_handles = NUM_HANDLES;
    cluster->timer.data = cluster->wanted.data = cluster->stop.data = cluster;
}

static int init(breaker_cluster_t *cluster, const breaker_cluster_config_t *config,
                const breaker_agreement_config_t *agreement, breaker_error_t *error)
{
    const breaker_redis_callbacks_t callbacks = {cluster, on_up, on_down, on_reply, on_notice};
    int err;

    assert(breaker_node_is_joined(cluster->node));
    assert(cluster->num_handles == 0);
    cluster->said.log.data = cluster->data = config->data;
    cluster->said.log.on_log = config->on_log;
    cluster->said.log.component = "cluster";
    cluster->on_ready = config->on_ready;
    cluster->said.log.app = cluster->caller.app;
    if ((err = breaker__saver_init(&cluster->saver, config->state_path)) != 0 ||
        (err = breaker__agreement_create(agreement, &cluster->agreement)) != 0 ||
        (err = breaker__caller_init(&cluster->caller, config,
                                    breaker__agreement_config(cluster->agreement))) != 0)
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    cluster->loop = config->loop != NULL ? config->loop : &cluster->own_loop;
    if (config->loop == NULL && uv_loop_init(&cluster->own_loop) != 0)
        return breaker_error_set(error, BREAKER_ERR_IO, "cannot make a loop");
    if ((err = breaker_redis_create(cluster->loop, &config->redis, &callbacks,
                                    &cluster->exchange.redis, error)) != 0 &&
        config->loop == NULL)
        close_own_loop(cluster);
    return err;
}

/* what is saved decides the first token, so it is read before anything else happens */
static void begin(breaker_cluster_t *cluster)
{
    breaker__moment_t now = moment();
    breaker_ledger_t saved;
    breaker_error_t error = {0};

    assert(!breaker__publication_is_ready(&cluster->publication));
    cluster->said.late_ms = now.mono_ms + breaker__agreement_config(cluster->agreement)->grace_ms;
    if (breaker__saver_load(&cluster->saver, &saved, &error) != 0)
        breaker__said_file(&cluster->said, now, &error);
    carry_out(cluster, now, breaker__agreement_start(cluster->agreement, now, &saved));
    /* a cluster that was stopped before may have left it waiting */
    look_for_next(cluster, now);
}

/* undoes `init_handles` and `begin` when no thread could be started */
static void abandon(breaker_cluster_t *cluster)
{
    assert(cluster->loop == &cluster->own_loop);
    leave(cluster);
    uv_run(cluster->loop, UV_RUN_DEFAULT);
    close_own_loop(cluster);
    free_cluster(cluster);
}

/* for a release whose reference is taken over */
static int start(breaker_node_t *node, breaker_release_t *release,
                 const breaker_cluster_config_t *config,
                 const breaker_agreement_config_t *agreement, breaker_cluster_t **ret_cluster,
                 breaker_error_t *error)
{
    breaker_cluster_t *cluster = calloc(1, sizeof(*cluster));
    int err;

    if (cluster == NULL) {
        breaker_release_unref(release);
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "out of memory");
    }
    cluster->node = node;
    breaker__publication_init(&cluster->publication, node, release, config->adopt_any);
    cluster->has_suffix = config->token_suffix;
    if ((err = init(cluster, config, agreement, error)) != 0) {
        free_cluster(cluster);
        return err;
    }
    /* no generator begins with 0 */
    breaker__members_init(&cluster->members, node, &cluster->caller, agreement->seed | 1);
    init_handles(cluster);
    begin(cluster);
    if (config->loop == NULL && (err = start_thread(cluster, error)) != 0) {
        abandon(cluster);
        return err;
    }
    *ret_cluster = cluster;
    return 0;
}

int breaker_cluster_start(breaker_node_t *node, const breaker_cluster_config_t *config,
                          breaker_cluster_t **ret_cluster, breaker_error_t *error)
{
    breaker_agreement_config_t agreement;
    breaker_release_t *release = NULL;
    int err;

    if (!breaker_node_is_joined(node) || (release = breaker_node_release(node)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_STATE,
                                 "the node has not joined, or is not loaded");
    if ((err = breaker__cluster_configure(node, release, config, &agreement, error)) != 0) {
        breaker_release_unref(release);
        return err;
    }
    make_random(&agreement.seed, sizeof(agreement.seed));
    return start(node, release, config, &agreement, ret_cluster, error);
}
