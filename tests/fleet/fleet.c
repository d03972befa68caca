/*
 * Nodes by the thousand; see fleet.h. What happens to a node here is what lib/cluster/cluster.c
 * does with its actions and events, without the publication and the disk. Kept always:
 * `num_polling` and `num_dialing` count the nodes whose link owes them a callback.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "redis/link.h"
#include "fleet.h"

enum {
    /* as the cluster has it */
    RELEASES_EVERY_MS = 2000,
};

typedef enum en_doing_t {
    DOING_NOTHING,
    DOING_DIAL,
    DOING_POLL,
} doing_t;

typedef struct st_node_t {
    fleet_t *fleet;                  /* borrowed: outlives us */
    breaker__agreement_t *agreement; /* owned */
    breaker__script_caller_t caller;
    breaker_redis_t *redis; /* owned; NULL before the first dial */
    int port;               /* the link's */
    uv_timer_t timer;
    doing_t doing;
    uint64_t asked_us, releases_due_ms;
    /* of the poll under way: it asks for the releases, it has the script in it */
    bool with_releases, is_whole;
    bool is_back;
} node_t;

struct st_fleet_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    fleet_config_t config;
    node_t *nodes; /* owned */
    unsigned num_started, next_wanted;
    bool is_stopped;

    fleet_tally_t tally;
    samples_t round_trips;
    unsigned num_polling, num_dialing, longest_queue;
    uint64_t return_us, last_back_us;
    unsigned num_back;

    /* the last ones; one of each is enough for one thread */
    breaker_script_command_t command;
    breaker_script_answer_t answer;
};

/* ---- time ---- */

static uint64_t clock_of(clockid_t id)
{
    struct timespec now;
    int err = clock_gettime(id, &now);

    assert(err == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t fleet_clock_us(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

static breaker__moment_t moment(void)
{
    return (breaker__moment_t){clock_of(CLOCK_REALTIME) / 1000, fleet_clock_us() / 1000};
}

/* ---- what is under way ---- */

static void begin(node_t *node, doing_t doing)
{
    fleet_t *fleet = node->fleet;

    assert(node->doing == DOING_NOTHING);
    assert(doing != DOING_NOTHING);
    node->doing = doing;
    if (doing == DOING_DIAL) {
        ++fleet->num_dialing;
        ++fleet->tally.dials;
    } else {
        ++fleet->num_polling;
        ++fleet->tally.polls;
        node->asked_us = fleet_clock_us();
    }
    if (fleet_queue(fleet) > fleet->longest_queue)
        fleet->longest_queue = fleet_queue(fleet);
}

static void end(node_t *node, bool is_good)
{
    fleet_t *fleet = node->fleet;

    if (node->doing == DOING_DIAL) {
        --fleet->num_dialing;
        fleet->tally.failed_dials += !is_good;
    } else if (node->doing == DOING_POLL) {
        --fleet->num_polling;
        fleet->tally.answers += is_good;
        fleet->tally.failed_polls += !is_good;
    }
    node->doing = DOING_NOTHING;
    assert(fleet->num_polling + fleet->num_dialing <= fleet->num_started);
}

static void note_answer(node_t *node)
{
    fleet_t *fleet = node->fleet;
    uint64_t now_us = fleet_clock_us();

    assert(node->asked_us <= now_us);
    samples_add(&fleet->round_trips, now_us - node->asked_us);
    if (!node->is_back && node->asked_us >= fleet->return_us) {
        node->is_back = true;
        fleet->last_back_us = now_us;
        ++fleet->num_back;
    }
}

/* ---- actions ---- */

static void on_up(void *data);
static void on_down(void *data, const char *reason);
static void on_reply(void *data, const breaker_reply_t *reply);

static void make_link(node_t *node)
{
    const breaker_redis_callbacks_t callbacks = {node, on_up, on_down, on_reply, NULL};
    breaker_redis_config_t config;
    breaker_error_t error = {0};
    char url[64];
    const char *urls[] = {url};

    node->port = node->fleet->config.port;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", node->port);
    breaker_redis_config_init(&config);
    config.urls = urls;
    config.num_urls = 1;
    if (breaker_redis_create(node->fleet->loop, &config, &callbacks, &node->redis, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(2);
    }
}

static void dial(node_t *node)
{
    if (node->redis == NULL || node->port != node->fleet->config.port) {
        breaker_redis_free(node->redis);
        make_link(node);
    }
    begin(node, DOING_DIAL);
    breaker_redis_dial(node->redis);
}

/* the agreement says the same again until it is told of the answer */
static void send_poll(node_t *node, breaker__moment_t now, bool is_whole)
{
    breaker_script_command_t *command = &node->fleet->command;
    breaker__poll_t said;

    assert(node->doing == DOING_POLL);
    breaker__agreement_poll(node->agreement, now, &said);
    breaker__script_poll(command, &node->caller, &said, node->with_releases);
    node->is_whole = is_whole;
    if (is_whole)
        breaker_script_make_whole(command);
    breaker_redis_command(node->redis, command->argc, command->argv, command->argv_len);
}

static void poll(node_t *node, breaker__moment_t now)
{
    node->with_releases = now.mono_ms >= node->releases_due_ms;
    if (node->with_releases)
        node->releases_due_ms = now.mono_ms + RELEASES_EVERY_MS;
    begin(node, DOING_POLL);
    send_poll(node, now, false);
}

static void on_timer(uv_timer_t *timer);

static void carry_out(node_t *node, breaker__moment_t now, breaker__actions_t actions)
{
    assert(!node->fleet->is_stopped);
    if (actions.hang_up)
        breaker__redis_hang_up(node->redis);
    if (actions.dial)
        dial(node);
    if (actions.poll)
        poll(node, now);
    if (actions.wake_ms == UINT64_MAX) {
        uv_timer_stop(&node->timer);
        return;
    }
    uv_update_time(node->fleet->loop);
    uv_timer_start(&node->timer, on_timer,
                   actions.wake_ms > now.mono_ms ? actions.wake_ms - now.mono_ms : 0, 0);
}

/* ---- events ---- */

static void on_timer(uv_timer_t *timer)
{
    node_t *node = timer->data;
    breaker__moment_t now = moment();

    carry_out(node, now, breaker__agreement_on_time(node->agreement, now));
}

static void on_up(void *data)
{
    node_t *node = data;
    breaker__moment_t now = moment();

    end(node, true);
    node->releases_due_ms = 0;
    carry_out(node, now, breaker__agreement_on_up(node->agreement, now));
}

static void on_down(void *data, const char *reason)
{
    node_t *node = data;
    breaker__moment_t now = moment();

    (void)reason;
    end(node, false);
    carry_out(node, now, breaker__agreement_on_down(node->agreement, now));
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    node_t *node = data;
    breaker__moment_t now = moment();
    breaker_script_answer_t *answer = &node->fleet->answer;

    if (!node->is_whole && breaker_script_is_missing(reply)) {
        send_poll(node, now, true);
        return;
    }
    if (!breaker_script_parse(reply, answer)) {
        end(node, false);
        carry_out(node, now, breaker__agreement_on_refused(node->agreement, now));
        return;
    }
    note_answer(node);
    end(node, true);
    carry_out(node, now, breaker__agreement_on_answer(node->agreement, now, &answer->ledger));
}

/* ---- a node ---- */

static void configure(const fleet_t *fleet, unsigned at, breaker_agreement_config_t *config)
{
    char release[BREAKER_RELEASE_ID_MAX + 1];
    int len =
        snprintf(release, sizeof(release), FLEET_RELEASE_FORMAT, at % fleet->config.num_releases);
    int err;

    breaker__agreement_config_init(config);
    config->seed = fleet->config.seed * 1000003 + at;
    err = breaker_release_id_parse(release, (size_t)len, &config->release);
    assert(err == 0);
}

static void create_node(fleet_t *fleet, unsigned at)
{
    node_t *node = fleet->nodes + at;
    breaker_agreement_config_t config;
    breaker__script_caller_t *caller = &node->caller;

    node->fleet = fleet;
    configure(fleet, at, &config);
    if (breaker__agreement_create(&config, &node->agreement) != 0)
        abort();
    strcpy(caller->app, FLEET_APP);
    snprintf(caller->address, sizeof(caller->address), "10.0.%u.%u:8080", at / 256, at % 256);
    snprintf(caller->id, sizeof(caller->id), "%016" PRIx64, config.seed);
    caller->agreement = breaker__agreement_config(node->agreement);
    uv_timer_init(fleet->loop, &node->timer);
    node->timer.data = node;
}

bool fleet_start_next(fleet_t *fleet)
{
    breaker__moment_t now = moment();
    node_t *node;

    if (fleet->num_started == fleet->config.num_nodes)
        return false;
    node = fleet->nodes + fleet->num_started++;
    carry_out(node, now, breaker__agreement_start(node->agreement, now, NULL));
    return true;
}

void fleet_want(fleet_t *fleet, unsigned num)
{
    breaker__moment_t now = moment();

    assert(fleet->num_started != 0);
    for (unsigned i = 0; i != num; ++i) {
        node_t *node = fleet->nodes + fleet->next_wanted++ % fleet->num_started;
        carry_out(node, now, breaker__agreement_on_wanted(node->agreement, now));
    }
}

/* ---- the fleet ---- */

fleet_t *fleet_create(uv_loop_t *loop, const fleet_config_t *config)
{
    fleet_t *fleet = calloc(1, sizeof(*fleet));

    assert(config->num_nodes != 0);
    assert(config->num_releases != 0);
    if (fleet == NULL || (fleet->nodes = calloc(config->num_nodes, sizeof(node_t))) == NULL)
        abort();
    fleet->loop = loop;
    fleet->config = *config;
    for (unsigned at = 0; at != config->num_nodes; ++at)
        create_node(fleet, at);
    fleet_begin_return(fleet);
    return fleet;
}

void fleet_stop(fleet_t *fleet)
{
    assert(!fleet->is_stopped);
    for (unsigned at = 0; at != fleet->config.num_nodes; ++at) {
        breaker_redis_free(fleet->nodes[at].redis);
        uv_close((uv_handle_t *)&fleet->nodes[at].timer, NULL);
    }
    fleet->is_stopped = true;
}

void fleet_free(fleet_t *fleet)
{
    assert(fleet->is_stopped);
    for (unsigned at = 0; at != fleet->config.num_nodes; ++at)
        breaker__agreement_free(fleet->nodes[at].agreement);
    samples_dispose(&fleet->round_trips);
    free(fleet->nodes);
    free(fleet);
}

void fleet_move(fleet_t *fleet, int port)
{
    fleet->config.port = port;
}

/* ---- what it comes to ---- */

void fleet_begin_return(fleet_t *fleet)
{
    fleet->return_us = fleet->last_back_us = fleet_clock_us();
    fleet->num_back = 0;
    for (unsigned at = 0; at != fleet->config.num_nodes; ++at)
        fleet->nodes[at].is_back = false;
}

unsigned fleet_num_back(const fleet_t *fleet)
{
    assert(fleet->num_back <= fleet->config.num_nodes);
    return fleet->num_back;
}

uint64_t fleet_return_ms(const fleet_t *fleet)
{
    assert(fleet->last_back_us >= fleet->return_us);
    return (fleet->last_back_us - fleet->return_us) / 1000;
}

fleet_tally_t fleet_tally(const fleet_t *fleet)
{
    return fleet->tally;
}

unsigned fleet_queue(const fleet_t *fleet)
{
    return fleet->num_polling + fleet->num_dialing;
}

unsigned fleet_take_longest_queue(fleet_t *fleet)
{
    unsigned longest = fleet->longest_queue;

    fleet->longest_queue = fleet_queue(fleet);
    return longest;
}

samples_t *fleet_round_trips(fleet_t *fleet)
{
    return &fleet->round_trips;
}
