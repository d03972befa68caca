/*
 * A node in its cluster, threads and loop included, against a server in the process that answers
 * every poll with what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <breaker/classify.h>
#include <breaker/cluster.h>
#include <breaker/figures.h>
#include "cluster/state.h"
#include "token/token.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "0123456789abcdef0123456789abcdef01234567"
/* an answer of a fleet of one: what comes before its ledger and, where nobody asked for releases or
 * nodes, after it */
#define BEFORE_LEDGER "*8\r\n$40\r\n" DIGEST "\r\n:1000000\r\n:1\r\n:1000\r\n"
#define AFTER_LEDGER "$-1\r\n$-1\r\n$0\r\n\r\n"
/* of an entry whose origin is not known */
#define NO_ORIGIN " - - 0"

enum { DEADLINE_MS = 30000 };

/* ---- the server ---- */

typedef struct st_server_t {
    int fd;
    uint16_t port;
    pthread_t thread;
    /* what it says to each poll */
    _Atomic(const char *) answer;
    /* and to a node that leaves and names the script */
    _Atomic(const char *) to_leave;
    atomic_uint num_polls, num_promotes, num_leaves;
} server_t;

/* how long the command at the beginning is, "*<words>" and "$<length>" with a text for each word;
 * 0: it is not whole yet */
static size_t command_len(const char *base, size_t len)
{
    const char *at = base, *end = base + len;
    char *rest;
    long words, word_len;

    if (len == 0 || base[len - 1] != '\n')
        return 0;
    words = strtol(at + 1, &rest, 10);
    for (at = rest + 2; words != 0 && at < end; --words) {
        word_len = strtol(at + 1, &rest, 10);
        at = rest + 2 + word_len + 2;
    }
    return words == 0 && at <= end ? (size_t)(at - base) : 0;
}

/* polls come one at a time */
static void serve_connection(server_t *server, int fd)
{
    char buf[65536];
    const char *answer;
    size_t len = 0;
    ssize_t got;

    while ((got = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0) {
        len += (size_t)got;
        if (command_len(buf, len) == 0)
            continue;
        answer = atomic_load(&server->answer);
        if (memmem(buf, len, "\r\npromote\r\n", 11) != NULL)
            atomic_fetch_add(&server->num_promotes, 1);
        if (memmem(buf, len, "\r\nleave\r\n", 9) != NULL) {
            atomic_fetch_add(&server->num_leaves, 1);
            answer =
                memmem(buf, len, "EVALSHA", 7) != NULL ? atomic_load(&server->to_leave) : "+OK\r\n";
        }
        len = 0;
        atomic_fetch_add(&server->num_polls, 1);
        if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

static void *run_server(void *data)
{
    server_t *server = data;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0)
        serve_connection(server, fd);
    return NULL;
}

static void start_server(server_t *server, const char *answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);

    *server = (server_t){.answer = answer, .to_leave = "+OK\r\n"};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&addr, &len), 0);
    server->port = ntohs(addr.sin_port);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, run_server, server), 0);
}

/* the node has hung up before */
static void stop_server(server_t *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

/* ---- the node ---- */

typedef struct st_world_t {
    tree_t tree;
    char state_path[128];
    breaker_node_t *node;
    breaker_release_id_t id; /* of what the node is loaded with */
    char url[64];
    const char *urls[1];
    breaker_cluster_config_t config;
    atomic_uint num_ready, num_lines, num_troubles, num_stale;
} world_t;

static void on_ready(void *data)
{
    atomic_fetch_add(&((world_t *)data)->num_ready, 1);
}

static void on_log(void *data, const breaker_log_event_t *event)
{
    atomic_fetch_add(&((world_t *)data)->num_lines, 1);
    if (event->kind == BREAKER_LOG_TROUBLE)
        atomic_fetch_add(&((world_t *)data)->num_troubles, 1);
    if (strcmp(event->name, "stale") == 0)
        atomic_fetch_add(&((world_t *)data)->num_stale, 1);
}

static void add_view(breaker_node_t *node, const char *name, const char *directory)
{
    breaker_view_config_t config;
    const breaker_view_t *view;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    assert_int_equal(breaker_node_add_view(node, &config, &view), 0);
}

static breaker_release_id_t take_id(breaker_node_t *node)
{
    breaker_release_t *release = breaker_node_release(node);
    breaker_release_id_t id = *breaker_release_id(release);

    breaker_release_unref(release);
    return id;
}

static int setup(void **state)
{
    static world_t world;
    breaker_error_t error;

    memset(&world, 0, sizeof(world));
    tree_create(&world.tree);
    tree_write(&world.tree, "site/a.css", "a{}");
    snprintf(world.state_path, sizeof(world.state_path), "%s/site", world.tree.path);
    assert_int_equal(breaker_node_create(NULL, &world.node), 0);
    assert_int_equal(breaker_node_set_label(world.node, "r1", 2), 0);
    add_view(world.node, "a/{breaker}", world.state_path);
    add_view(world.node, "b/{breaker}", world.state_path);
    assert_int_equal(breaker_node_join(world.node), 0);
    assert_int_equal(breaker_node_load(world.node, &error), 0);
    world.id = take_id(world.node);
    snprintf(world.state_path, sizeof(world.state_path), "%s/state", world.tree.path);
    breaker_cluster_config_init(&world.config);
    world.config.app = "shop";
    /* nobody listens there */
    strcpy(world.url, "redis://127.0.0.1:1");
    world.urls[0] = world.url;
    world.config.redis.urls = world.urls;
    world.config.redis.num_urls = 1;
    world.config.agreement.poll_ms = 100;
    world.config.data = &world;
    world.config.on_ready = on_ready;
    world.config.on_log = on_log;
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker_node_free(world->node);
    tree_remove(&world->tree);
    return 0;
}

static void use_server(world_t *world, const server_t *server)
{
    snprintf(world->url, sizeof(world->url), "redis://127.0.0.1:%u", server->port);
}

static breaker_cluster_t *start(world_t *world)
{
    breaker_cluster_t *cluster;
    breaker_error_t error = {0};

    if (breaker_cluster_start(world->node, &world->config, &cluster, &error) != 0)
        fail_msg("%s", error.message);
    return cluster;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void wait_ready(world_t *world)
{
    for (uint64_t end = now_ms() + DEADLINE_MS; atomic_load(&world->num_ready) == 0; pause_ms())
        assert_true(now_ms() < end);
}

static breaker_snapshot_t *take_snapshot(world_t *world)
{
    breaker_snapshot_t *held = NULL;

    breaker_publisher_refresh(breaker_node_publisher(world->node), &held);
    return held;
}

static bool has_token(world_t *world, const char *token)
{
    breaker_snapshot_t *held = take_snapshot(world);
    bool has = held != NULL && strcmp(held->views[0].token.text, token) == 0 &&
               strcmp(held->views[1].token.text, token) == 0;

    breaker_snapshot_unref(held);
    return has;
}

static bool sees_older(world_t *world)
{
    breaker_snapshot_t *held = take_snapshot(world);
    bool sees = held != NULL && held->older_alive;

    breaker_snapshot_unref(held);
    return sees;
}

#define WAIT_UNTIL(condition)                                                                      \
    for (uint64_t end_ = now_ms() + DEADLINE_MS; !(condition); pause_ms())                         \
    assert_true(now_ms() < end_)

/* ---- what is refused ---- */

static void a_configuration_out_of_bounds_is_refused(void **state)
{
    world_t *world = *state;
    const breaker_cluster_config_t good = world->config;
    breaker_cluster_config_t bad[13];
    char long_app[BREAKER_APP_MAX + 2];
    const char *const no_urls[] = {"http://h"};
    size_t num = COUNT(bad);

    memset(long_app, 'a', sizeof(long_app));
    long_app[sizeof(long_app) - 1] = '\0';
    for (size_t i = 0; i != num; ++i)
        bad[i] = good;
    bad[0].app = NULL;
    bad[1].app = "";
    bad[2].app = "{shop}";
    bad[3].app = long_app;
    bad[4].advertise = "host";
    bad[5].advertise = "ho st:80";
    bad[6].advertise = "host:0";
    bad[7].agreement.poll_ms = 99;
    bad[8].agreement.dead_after_ms = 299;
    bad[9].redis.urls = no_urls;
    bad[10].advertise = "fd00::7:8080";
    bad[11].advertise = "https://host:80/path";
    bad[12].advertise = "user@host:80";
    assert_int_equal(breaker_cluster_check(world->node, &good, NULL), 0);
    for (size_t i = 0; i != num; ++i) {
        breaker_cluster_t *cluster = NULL;
        breaker_error_t error = {0};
        assert_true(breaker_cluster_check(world->node, &bad[i], &error) < 0);
        assert_int_equal(error.code, breaker_cluster_start(world->node, &bad[i], &cluster, NULL));
        assert_true(error.message[0] != '\0');
        assert_null(cluster);
    }
}

static void what_peers_may_be_told_is_accepted(void **state)
{
    static const char *const texts[] = {"host:1", "10.0.0.7:65535", "[fd00::7]:8080",
                                        "https://host:443", "http://[::1]:80"};
    world_t *world = *state;
    breaker_cluster_config_t config = world->config;

    for (size_t i = 0; i != COUNT(texts); ++i) {
        config.advertise = texts[i];
        assert_int_equal(breaker_cluster_check(world->node, &config, NULL), 0);
    }
}

static void an_automatic_address_needs_a_port_only_at_the_start(void **state)
{
    world_t *world = *state;
    breaker_cluster_config_t config = world->config;
    breaker_cluster_t *cluster = NULL;

    config.advertise = "auto";
    assert_int_equal(breaker_cluster_check(world->node, &config, NULL), 0);
    assert_int_equal(breaker_cluster_start(world->node, &config, &cluster, NULL),
                     BREAKER_ERR_RANGE);
    assert_null(cluster);
}

static void no_servers_and_too_many_are_out_of_bounds(void **state)
{
    static const size_t nums[] = {0, BREAKER_REDIS_URLS_MAX + 1};
    const char *urls[BREAKER_REDIS_URLS_MAX + 1];
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(urls); ++i)
        urls[i] = world->url;
    world->config.redis.urls = urls;
    world->config.redis.num_urls = BREAKER_REDIS_URLS_MAX;
    assert_int_equal(breaker_cluster_check(world->node, &world->config, NULL), 0);
    for (size_t i = 0; i != COUNT(nums); ++i) {
        world->config.redis.num_urls = nums[i];
        assert_int_equal(breaker_cluster_check(world->node, &world->config, NULL),
                         BREAKER_ERR_RANGE);
    }
}

static void a_timer_out_of_its_bounds_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *message;
        size_t offset;
        uint32_t value_ms;
    } cases[] = {
#define TIMER(name, value, accepted)                                                               \
    {accepted, offsetof(breaker_cluster_config_t, agreement.name##_ms), value}
        TIMER(poll, 99, "poll: accepted: 100 to 60000 ms"),
        TIMER(backoff_min, 1501, "backoff-min: accepted: 1 to 1500 ms"),
        TIMER(backoff_max, 86400001, "backoff-max: accepted: 1 to 86400000 ms"),
        TIMER(forgive_after, 86400001, "forgive-after: accepted: 0 to 86400000 ms"),
        TIMER(grace, UINT32_MAX, "grace: accepted: 0 to 86400000 ms"),
        TIMER(start_timeout, 86400001, "start-timeout: accepted: 0 to 86400000 ms"),
        TIMER(settle, 86400001, "settle: accepted: 0 to 86400000 ms"),
        TIMER(dead_after, 299,
              "dead-after: accepted: 0 (never), or three polls (300 ms) to 86400000 ms"),
#undef TIMER
    };
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        breaker_cluster_config_t bad = world->config;
        breaker_error_t error = {0};
        *(uint32_t *)(void *)((char *)&bad + cases[i].offset) = cases[i].value_ms;
        assert_int_equal(breaker_cluster_check(world->node, &bad, &error), BREAKER_ERR_RANGE);
        assert_string_equal(error.message, cases[i].message);
    }
}

static void a_node_that_did_not_join_or_is_not_loaded_cannot_start(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster = NULL;
    breaker_node_t *node;

    assert_int_equal(breaker_node_create(NULL, &node), 0);
    assert_int_equal(breaker_cluster_start(node, &world->config, &cluster, NULL),
                     BREAKER_ERR_STATE);
    assert_int_equal(breaker_node_join(node), 0);
    assert_int_equal(breaker_cluster_start(node, &world->config, &cluster, NULL),
                     BREAKER_ERR_STATE);
    assert_null(cluster);
    breaker_node_free(node);
}

static void views_with_different_tokens_are_refused(void **state)
{
    world_t *world = *state;
    breaker_token_t token;
    breaker_node_t *node;

    assert_int_equal(breaker_node_create(NULL, &node), 0);
    add_view(node, "a/{breaker}", world->tree.path);
    assert_int_equal(breaker_node_operator_token(node, &token), 0);
    assert_int_equal(token.len, 0);
    assert_int_equal(breaker_node_set_token(node, "v1", 2), 0);
    add_view(node, "b/{breaker}", world->tree.path);
    assert_int_equal(breaker_node_operator_token(node, &token), BREAKER_ERR_STATE);
    assert_int_equal(breaker_cluster_check(node, &world->config, NULL), BREAKER_ERR_STATE);
    breaker_node_free(node);
}

/* ---- without Redis ---- */

static void nothing_is_published_before_there_is_a_token(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;

    world->config.agreement.start = BREAKER_START_STRICT;
    cluster = start(world);
    WAIT_UNTIL(atomic_load(&world->num_troubles) != 0);
    assert_null(take_snapshot(world));
    breaker_cluster_stop(cluster);
    assert_int_equal(atomic_load(&world->num_ready), 0);
    breaker_cluster_stop(NULL);
}

static breaker_standing_t standing(world_t *world)
{
    breaker_figures_t figures;

    breaker_node_figures(world->node, &figures);
    assert_int_equal(figures.is_in_touch, figures.standing == BREAKER_STANDING_SYNCED);
    return figures.standing;
}

static void a_node_alone_serves_under_its_own_proposal_in_the_end(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_snapshot_t *held;

    world->config.state_path = world->state_path;
    cluster = start(world);
    wait_ready(world);
    held = take_snapshot(world);
    assert_true(held->has_ledger);
    assert_int_equal(breaker_ledger_size(&held->ledger), 1);
    assert_false(breaker_node_freshness(world->node).reachable);
    assert_int_equal(standing(world), BREAKER_STANDING_LOCAL);
    breaker_cluster_stop(cluster);
    assert_int_equal(atomic_load(&world->num_ready), 1);

    /* and has the same token when it comes back, at once, whatever the policy */
    breaker_token_t token = held->views[0].token;
    breaker_snapshot_unref(held);
    world->config.agreement.start = BREAKER_START_STRICT;
    cluster = start(world);
    assert_int_equal(atomic_load(&world->num_ready), 2);
    assert_true(has_token(world, token.text));
    breaker_cluster_stop(cluster);
}

/* ---- with answers ---- */

static void an_entry_of_the_release_becomes_the_token_of_all_views(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    const breaker_release_id_t *id = &world->id;
    breaker_ledger_t saved;
    server_t server;
    char answer[1024];

    snprintf(answer, sizeof(answer),
             BEFORE_LEDGER "*2\r\n$14\r\n40 v0 r0" NO_ORIGIN
                           "\r\n$%zu\r\n50 v1 %s join - 999000\r\n"
                           "*2\r\n$12\r\nr0 0 30000 -\r\n$%zu\r\n%s 0 30000 -\r\n"
                           "$-1\r\n$0\r\n\r\n",
             20 + id->len, id->text, 10 + id->len, id->text);
    start_server(&server, answer);
    use_server(world, &server);
    world->config.agreement.start = BREAKER_START_STRICT;
    world->config.state_path = world->state_path;
    cluster = start(world);
    wait_ready(world);
    assert_true(has_token(world, "v1"));
    assert_true(sees_older(world));
    WAIT_UNTIL(breaker_node_freshness(world->node).reachable);
    assert_true(breaker_node_freshness(world->node).answered_ms != 0);
    WAIT_UNTIL(standing(world) == BREAKER_STANDING_SYNCED);
    assert_int_equal(breaker__state_load(world->state_path, &saved, NULL), 0);
    assert_int_equal(breaker_ledger_size(&saved), 2);
    breaker_cluster_stop(cluster);
    assert_false(breaker_node_freshness(world->node).reachable);
    assert_int_equal(standing(world), BREAKER_STANDING_UNKNOWN);
    /* what was published stays, and asking is harmless */
    assert_true(has_token(world, "v1"));
    breaker_node_want_refresh(world->node);
    stop_server(&server);
}

static void where_all_share_all_files_any_release_is_this_one(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_snapshot_t *held;
    server_t server;

    start_server(&server, BEFORE_LEDGER "*2\r\n$15\r\n40 v0 any" NO_ORIGIN
                                        "\r\n$15\r\n50 v1 any" NO_ORIGIN "\r\n" AFTER_LEDGER);
    use_server(world, &server);
    world->config.agreement.start = BREAKER_START_STRICT;
    world->config.adopt_any = true;
    cluster = start(world);
    wait_ready(world);
    assert_true(has_token(world, "v1"));
    held = take_snapshot(world);
    assert_ptr_equal(held->entry_release[0], held->release);
    assert_ptr_equal(held->entry_release[1], held->release);
    breaker_snapshot_unref(held);
    breaker_cluster_stop(cluster);
    stop_server(&server);
}

static void a_server_that_answers_nonsense_costs_a_line_and_nothing_else(void **state)
{
    static const char *const answers[] = {
        "+OK\r\n",
        BEFORE_LEDGER "*1\r\n$12\r\n50 v/1" NO_ORIGIN "\r\n" AFTER_LEDGER,
        "-ERR no such thing\r\n",
        "garbage\r\n",
        BEFORE_LEDGER "$-1\r\n" AFTER_LEDGER,
    };
    world_t *world = *state;

    for (size_t i = 0; i != COUNT(answers); ++i) {
        breaker_cluster_t *cluster;
        server_t server;
        atomic_store(&world->num_ready, 0);
        start_server(&server, answers[i]);
        use_server(world, &server);
        cluster = start(world);
        WAIT_UNTIL(atomic_load(&server.num_polls) >= 3);
        wait_ready(world);
        assert_false(breaker_node_freshness(world->node).reachable);
        breaker_cluster_stop(cluster);
        stop_server(&server);
    }
    /* the last one is well-formed, but the node had no ledger that could be unchanged */
    assert_true(atomic_load(&world->num_troubles) >= COUNT(answers) - 1);
    assert_true(atomic_load(&world->num_troubles) <= 3 * COUNT(answers));
}

/* that v1 is the token of the node's release; good until the next question */
static const char *answer_v1(const world_t *world)
{
    const breaker_release_id_t *id = &world->id;
    static char answer[256];

    snprintf(answer, sizeof(answer),
             BEFORE_LEDGER "*1\r\n$%zu\r\n50 v1 %s" NO_ORIGIN "\r\n" AFTER_LEDGER, 12 + id->len,
             id->text);
    return answer;
}

static void a_restart_is_not_said_to_be_stale_unless_the_answer_is_late(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    world->config.state_path = world->state_path;
    for (int i = 0; i != 2; ++i) {
        /* so long that no answer is late */
        world->config.agreement.grace_ms = 86400000;
        cluster = start(world);
        WAIT_UNTIL(breaker_node_freshness(world->node).reachable);
        breaker_cluster_stop(cluster);
    }
    assert_int_equal(atomic_load(&world->num_stale), 0);
    stop_server(&server);
    world->config.agreement.grace_ms = 0;
    cluster = start(world);
    WAIT_UNTIL(atomic_load(&world->num_stale) != 0);
    breaker_cluster_stop(cluster);
}

static void a_wanted_refresh_is_a_poll_out_of_turn(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;
    uint64_t wanted_ms;

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    world->config.agreement.start = BREAKER_START_STRICT;
    world->config.agreement.poll_ms = BREAKER_POLL_MAX_MS;
    world->config.agreement.dead_after_ms = 0;
    cluster = start(world);
    wait_ready(world);
    WAIT_UNTIL(breaker_node_freshness(world->node).reachable);
    /* not the millisecond in which the poll before was sent */
    WAIT_UNTIL(now_ms() > breaker_node_freshness(world->node).answered_ms);
    wanted_ms = now_ms();
    breaker_node_want_refresh(world->node);
    /* the first poll may have been sent in the same millisecond */
    WAIT_UNTIL(atomic_load(&server.num_polls) >= 2);
    WAIT_UNTIL(breaker_node_freshness(world->node).answered_ms >= wanted_ms);
    breaker_cluster_stop(cluster);
    stop_server(&server);
}

/* ---- other files ---- */

typedef struct st_outcome_t {
    atomic_bool is_done;
    breaker_next_end_t end;
    int code;
} outcome_t;

static void on_done(void *data, breaker_next_end_t end, const breaker_error_t *error)
{
    outcome_t *outcome = data;

    assert_false(atomic_load(&outcome->is_done));
    outcome->end = end;
    outcome->code = error != NULL ? error->code : 0;
    atomic_store(&outcome->is_done, true);
}

/* begins to load other files in both views; returns what release they are */
static breaker_release_id_t load_next(world_t *world, const char *token, outcome_t *outcome)
{
    static char path[128];
    const char *const directories[] = {path, path};
    breaker_release_id_t id;
    breaker_node_t *other;
    breaker_next_t next;

    *outcome = (outcome_t){.code = 0};
    tree_write(&world->tree, "other/a.css", "b{}");
    snprintf(path, sizeof(path), "%s/other", world->tree.path);
    assert_int_equal(breaker_node_create(NULL, &other), 0);
    assert_int_equal(breaker_node_set_label(other, "r2", 2), 0);
    add_view(other, "a/{breaker}", path);
    add_view(other, "b/{breaker}", path);
    assert_int_equal(breaker_node_load(other, NULL), 0);
    id = take_id(other);
    breaker_node_free(other);

    breaker_next_init(&next);
    next.directories = directories;
    next.label = "r2";
    next.token = token;
    next.data = outcome;
    next.on_done = on_done;
    assert_int_equal(breaker_node_load_next(world->node, &next), 0);
    return id;
}

/* a ledger of up to three entries: "order token" each, and the release that it is of */
static const char *make_answer(char *dst, size_t size, const char *const *entries,
                               const breaker_release_id_t *const *ids, size_t num)
{
    int len = snprintf(dst, size, "*8\r\n$40\r\n%.39s%zu\r\n:1000000\r\n:1\r\n:1000\r\n*%zu\r\n",
                       DIGEST, num, num);

    for (size_t i = 0; i != num; ++i)
        len += snprintf(dst + len, size - (size_t)len, "$%zu\r\n%s %s" NO_ORIGIN "\r\n",
                        strlen(entries[i]) + 7 + ids[i]->len, entries[i], ids[i]->text);
    snprintf(dst + len, size - (size_t)len, AFTER_LEDGER);
    return dst;
}

static bool serves(world_t *world, const char *token, const breaker_release_id_t *id)
{
    breaker_snapshot_t *snapshot = take_snapshot(world);
    bool is_served = strcmp(snapshot->views[1].token.text, token) == 0 &&
                     breaker_release_id_equal(breaker_release_id(snapshot->release), id);

    breaker_snapshot_unref(snapshot);
    return is_served;
}

static void wait_polls(server_t *server, unsigned num)
{
    unsigned before = atomic_load(&server->num_polls);

    WAIT_UNTIL(atomic_load(&server->num_polls) >= before + num);
}

static void other_files_are_served_once_they_have_a_token_of_their_own(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_release_id_t id;
    outcome_t outcome;
    server_t server;
    char answer[1024];

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    cluster = start(world);
    wait_ready(world);
    id = load_next(world, NULL, &outcome);
    wait_polls(&server, 5);
    assert_false(atomic_load(&outcome.is_done));
    assert_true(serves(world, "v1", &world->id));

    atomic_store(&server.answer,
                 make_answer(answer, sizeof(answer), (const char *const[]){"50 v1", "60 v2"},
                             (const breaker_release_id_t *const[]){&world->id, &id}, 2));
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_int_equal(outcome.end, BREAKER_NEXT_PUBLISHED);
    assert_true(serves(world, "v2", &id));
    assert_int_equal(atomic_load(&server.num_promotes), 0);
    breaker_cluster_stop(cluster);
    stop_server(&server);
}

static void files_of_a_release_that_the_cluster_knows_are_served_at_once(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_release_id_t id;
    outcome_t outcome;
    server_t server;
    char answer[1024];

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    id = load_next(world, NULL, &outcome);
    make_answer(answer, sizeof(answer), (const char *const[]){"50 v1", "60 v2"},
                (const breaker_release_id_t *const[]){&world->id, &id}, 2);
    atomic_store(&server.answer, answer);
    /* what was loaded before the cluster was there waits for it */
    cluster = start(world);
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_int_equal(outcome.end, BREAKER_NEXT_PUBLISHED);
    assert_true(serves(world, "v2", &id));
    breaker_cluster_stop(cluster);
    stop_server(&server);
}

static void a_release_that_comes_back_gets_a_token_above_all(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_release_id_t id;
    outcome_t outcome;
    server_t server;
    char before[1024], after[1024];

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    cluster = start(world);
    wait_ready(world);
    id = load_next(world, NULL, &outcome);
    atomic_store(&server.answer,
                 make_answer(before, sizeof(before), (const char *const[]){"40 v0", "50 v1"},
                             (const breaker_release_id_t *const[]){&id, &world->id}, 2));
    WAIT_UNTIL(atomic_load(&server.num_promotes) >= 3);
    assert_false(atomic_load(&outcome.is_done));
    assert_true(serves(world, "v1", &world->id));
    atomic_store(&server.answer,
                 make_answer(after, sizeof(after), (const char *const[]){"40 v0", "50 v1", "70 v3"},
                             (const breaker_release_id_t *const[]){&id, &world->id, &id}, 3));
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_true(serves(world, "v3", &id));
    breaker_cluster_stop(cluster);
    stop_server(&server);
}

static void without_redis_other_files_get_a_token_of_the_nodes_own(void **state)
{
    world_t *world = *state;
    breaker_snapshot_t *before, *after;
    breaker_cluster_t *cluster;
    breaker_release_id_t id;
    outcome_t outcome;

    world->config.agreement.grace_ms = 10;
    cluster = start(world);
    wait_ready(world);
    before = take_snapshot(world);
    id = load_next(world, NULL, &outcome);
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_int_equal(outcome.end, BREAKER_NEXT_PUBLISHED);
    after = take_snapshot(world);
    assert_true(serves(world, after->views[0].token.text, &id));
    assert_true(breaker__token_compare(before->views[0].token.text, before->views[0].token.len,
                                       after->views[0].token.text, after->views[0].token.len) < 0);
    assert_int_equal(breaker_ledger_size(&after->ledger), 2);
    breaker_snapshot_unref(before);
    breaker_snapshot_unref(after);
    breaker_cluster_stop(cluster);
}

static void an_operators_token_for_other_files_is_theirs(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    breaker_release_id_t id;
    outcome_t outcome;

    world->config.agreement.grace_ms = 10;
    cluster = start(world);
    wait_ready(world);
    id = load_next(world, "v2.0", &outcome);
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_true(serves(world, "v2.0", &id));
    breaker_cluster_stop(cluster);
}

static breaker_verdict_kind_t judge(const breaker_snapshot_t *snapshot, const char *token)
{
    const breaker_view_t *const views[] = {snapshot->views[0].view, snapshot->views[1].view};
    breaker_verdict_kind_t kind;
    breaker_views_t *set;
    char path[128];
    int len = snprintf(path, sizeof(path), "/a/%s/a.css", token);

    assert_int_equal(breaker_views_create(views, 2, &set), 0);
    kind = breaker_classify(snapshot, set, path, (size_t)len, true).otherwise;
    breaker_views_free(set);
    return kind;
}

static void check_unregistered(world_t *world, const char *token)
{
    breaker_snapshot_t *snapshot;
    breaker_token_t before, later;
    breaker_cluster_t *cluster;
    outcome_t outcome;
    uint64_t order;

    world->config.agreement.grace_ms = 10;
    cluster = start(world);
    wait_ready(world);
    snapshot = take_snapshot(world);
    before = snapshot->views[0].token;
    order = breaker_ledger_newest(&snapshot->ledger, NULL)->order;
    breaker_snapshot_unref(snapshot);
    load_next(world, token, &outcome);
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    snapshot = take_snapshot(world);
    assert_string_equal(snapshot->views[0].token.text, token);
    assert_int_equal(judge(snapshot, before.text), BREAKER_VERDICT_REDIRECT);
    /* another node's, minted in between */
    assert_int_equal(breaker_token_mint(order + 2, &later), 0);
    assert_int_not_equal(judge(snapshot, later.text), BREAKER_VERDICT_REDIRECT);
    breaker_snapshot_unref(snapshot);
    breaker_cluster_stop(cluster);
}

/* it may be known elsewhere for long, below what came after it */
static void
an_operators_token_that_nobody_registered_stands_above_what_is_remembered_only(void **state)
{
    check_unregistered(*state, "v2.0");
}

static void the_same_holds_for_an_operators_date_that_looks_minted(void **state)
{
    check_unregistered(*state, "20240616120000");
}

static void where_all_share_all_files_no_other_ones_are_loaded(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    outcome_t outcome;

    world->config.agreement.grace_ms = 10;
    world->config.adopt_any = true;
    cluster = start(world);
    wait_ready(world);
    load_next(world, NULL, &outcome);
    WAIT_UNTIL(atomic_load(&outcome.is_done));
    assert_int_equal(outcome.end, BREAKER_NEXT_FAILED);
    assert_int_equal(outcome.code, BREAKER_ERR_STATE);
    breaker_cluster_stop(cluster);
}

static void a_load_that_waits_for_a_token_ends_with_the_node(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    outcome_t outcome;
    server_t server;

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    cluster = start(world);
    wait_ready(world);
    load_next(world, NULL, &outcome);
    wait_polls(&server, 3);
    breaker_cluster_stop(cluster);
    stop_server(&server);
    assert_false(atomic_load(&outcome.is_done));
    breaker_node_free(world->node);
    world->node = NULL;
    assert_true(atomic_load(&outcome.is_done));
    assert_int_equal(outcome.end, BREAKER_NEXT_FAILED);
    assert_int_equal(outcome.code, BREAKER_ERR_CANCELLED);
}

/* ---- leaving ---- */

static void a_node_that_stops_tells_redis(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;

    start_server(&server, answer_v1(world));
    use_server(world, &server);
    cluster = start(world);
    WAIT_UNTIL(breaker_node_freshness(world->node).reachable);
    assert_int_equal(atomic_load(&server.num_leaves), 0);
    breaker_cluster_stop(cluster);
    assert_int_equal(atomic_load(&server.num_leaves), 1);
    assert_int_equal(atomic_load(&world->num_troubles), 0);
    stop_server(&server);
}

static void a_node_that_stops_tells_a_redis_that_forgot_the_script(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;

    start_server(&server, answer_v1(world));
    atomic_store(&server.to_leave, "-NOSCRIPT No matching script\r\n");
    use_server(world, &server);
    cluster = start(world);
    WAIT_UNTIL(breaker_node_freshness(world->node).reachable);
    breaker_cluster_stop(cluster);
    /* by its name, and whole */
    assert_int_equal(atomic_load(&server.num_leaves), 2);
    stop_server(&server);
}

static void a_redis_that_does_not_answer_keeps_no_node_from_stopping(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;

    start_server(&server, "");
    use_server(world, &server);
    /* the poll under way is the last one */
    world->config.redis.reply_timeout_ms = 600000;
    cluster = start(world);
    WAIT_UNTIL(atomic_load(&server.num_polls) != 0);
    breaker_cluster_stop(cluster);
    assert_int_equal(atomic_load(&server.num_leaves), 0);
    assert_int_equal(atomic_load(&world->num_troubles), 1);
    stop_server(&server);
}

/* ---- on an embedder's loop ---- */

static void an_embedders_loop_carries_the_cluster_and_is_empty_after_it(void **state)
{
    world_t *world = *state;
    breaker_cluster_t *cluster;
    server_t server;
    uv_loop_t loop;
    unsigned num_lines;

    assert_int_equal(uv_loop_init(&loop), 0);
    start_server(&server, answer_v1(world));
    use_server(world, &server);
    world->config.agreement.start = BREAKER_START_STRICT;
    world->config.loop = &loop;
    cluster = start(world);
    for (uint64_t end = now_ms() + DEADLINE_MS; atomic_load(&world->num_ready) == 0;) {
        assert_true(now_ms() < end);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_true(has_token(world, "v1"));
    breaker_cluster_stop(cluster);
    /* the rest needs nothing of the embedder's but the loop */
    num_lines = atomic_load(&world->num_lines);
    breaker_node_free(world->node);
    world->node = NULL;
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(atomic_load(&server.num_leaves), 1);
    assert_int_equal(atomic_load(&world->num_lines), num_lines);
    assert_int_equal(uv_loop_close(&loop), 0);
    stop_server(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_configuration_out_of_bounds_is_refused),
        TEST(what_peers_may_be_told_is_accepted),
        TEST(an_automatic_address_needs_a_port_only_at_the_start),
        TEST(no_servers_and_too_many_are_out_of_bounds),
        TEST(a_timer_out_of_its_bounds_is_refused_by_its_name),
        TEST(a_node_that_did_not_join_or_is_not_loaded_cannot_start),
        TEST(views_with_different_tokens_are_refused),
        TEST(nothing_is_published_before_there_is_a_token),
        TEST(a_node_alone_serves_under_its_own_proposal_in_the_end),
        TEST(an_entry_of_the_release_becomes_the_token_of_all_views),
        TEST(where_all_share_all_files_any_release_is_this_one),
        TEST(a_server_that_answers_nonsense_costs_a_line_and_nothing_else),
        TEST(a_restart_is_not_said_to_be_stale_unless_the_answer_is_late),
        TEST(a_wanted_refresh_is_a_poll_out_of_turn),
        TEST(other_files_are_served_once_they_have_a_token_of_their_own),
        TEST(files_of_a_release_that_the_cluster_knows_are_served_at_once),
        TEST(a_release_that_comes_back_gets_a_token_above_all),
        TEST(without_redis_other_files_get_a_token_of_the_nodes_own),
        TEST(an_operators_token_for_other_files_is_theirs),
        TEST(an_operators_token_that_nobody_registered_stands_above_what_is_remembered_only),
        TEST(the_same_holds_for_an_operators_date_that_looks_minted),
        TEST(where_all_share_all_files_no_other_ones_are_loaded),
        TEST(a_load_that_waits_for_a_token_ends_with_the_node),
        TEST(a_node_that_stops_tells_redis),
        TEST(a_node_that_stops_tells_a_redis_that_forgot_the_script),
        TEST(a_redis_that_does_not_answer_keeps_no_node_from_stopping),
        TEST(an_embedders_loop_carries_the_cluster_and_is_empty_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
