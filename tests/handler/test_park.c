/*
 * Requests that wait for news of the cluster, in process: the test plays the cluster, by what it
 * publishes and how fresh it says that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "node/node.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DEADLINE_MS = 20000, PARK_MS = 300 };

typedef struct st_fixture_t {
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
} fixture_t;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

/* what a node of release r1 hears: the tokens of its release, the newest last */
static void publish(fixture_t *fixture, const char *const *tokens, size_t num)
{
    breaker_ledger_entry_t entries[4] = {{.order = 0}};
    breaker_token_t current = token_of(tokens[num - 1]);
    breaker_release_t *release = breaker_node_release(fixture->node);
    const breaker_release_id_t *id = breaker_release_id(release);
    breaker_ledger_t ledger;

    for (size_t i = 0; i != num; ++i)
        entries[i] = (breaker_ledger_entry_t){1000 + i, token_of(tokens[i]), *id};
    assert_int_equal(breaker_ledger_init(&ledger, entries, num), 0);
    assert_int_equal(breaker_node_publish(fixture->node, release, &current, &ledger, false), 0);
    breaker_release_unref(release);
}

static void publish_v1(fixture_t *fixture)
{
    publish(fixture, (const char *const[]){"v1"}, 1);
}

static void publish_v2(fixture_t *fixture)
{
    publish(fixture, (const char *const[]){"v1", "v2"}, 2);
}

static void set_answered(fixture_t *fixture, uint64_t answered_ms)
{
    breaker_node_set_freshness(fixture->node,
                               (breaker_freshness_t){answered_ms, .reachable = true});
}

static int setup(void **state)
{
    static fixture_t fixture;
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    breaker_error_t error;

    memset(&fixture, 0, sizeof(fixture));
    tree_create(&fixture.tree);
    tree_write(&fixture.tree, "a.css", "a{}");
    loopback_server_init(&fixture.server);
    breaker_h2o_node_config_init(&node_config, &fixture.server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture.node), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture.tree.path;
    assert_int_equal(breaker_node_add_view(fixture.node, &view_config, &view), 0);
    assert_int_equal(breaker_node_set_label(fixture.node, "r1", 2), 0);
    assert_int_equal(breaker_node_join(fixture.node), 0);
    assert_int_equal(breaker_h2o_static_register(fixture.server.path, fixture.node, &view, 1), 0);
    assert_int_equal(breaker_node_load(fixture.node, &error), 0);
    loopback_server_start(&fixture.server);
    *state = &fixture;
    return 0;
}

/* libh2o asserts that no timer is left, and the node that no place is taken */
static int teardown(void **state)
{
    fixture_t *fixture = *state;

    loopback_server_dispose(&fixture->server);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    breaker_node_free(fixture->node);
    tree_remove(&fixture->tree);
    return 0;
}

static loopback_t *start(fixture_t *fixture, const char *path)
{
    loopback_t *exchange = loopback_open(&fixture->server, "GET", path);

    exchange->processed = true;
    h2o_process_request(&exchange->req);
    return exchange;
}

static bool is_answered(const loopback_t *exchange)
{
    return exchange->num_sends != 0;
}

static int finish(fixture_t *fixture, loopback_t *exchange)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;
    int status;

    while (!exchange->complete) {
        if (now_ms() > deadline)
            fail_msg("no answer to %s", exchange->req.input.path.base);
        loopback_turn(&fixture->server);
    }
    status = exchange->status;
    loopback_close(exchange);
    return status;
}

static bool is_wanted(const fixture_t *fixture)
{
    struct pollfd polled = {breaker_node_wanted_fd(fixture->node), POLLIN, 0};

    return poll(&polled, 1, 0) == 1;
}

static void turn_for(fixture_t *fixture, uint64_t span_ms)
{
    for (uint64_t end = now_ms() + span_ms; now_ms() < end;)
        loopback_turn(&fixture->server);
}

/* ---- waiting ---- */

static void news_turn_a_request_that_waits_into_its_file(void **state)
{
    fixture_t *fixture = *state;
    breaker_h2o_counters_t counters;
    loopback_t *exchange;

    publish_v1(fixture);
    set_answered(fixture, 1);
    exchange = start(fixture, "/static/v2/a.css");
    assert_false(is_answered(exchange));
    assert_int_equal(breaker__node_num_parked(fixture->node), 1);
    assert_true(is_wanted(fixture));
    publish_v2(fixture);
    set_answered(fixture, now_ms());
    assert_int_equal(finish(fixture, exchange), 200);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    breaker_h2o_counters(&fixture->server.config, breaker_node_view(fixture->node, 0), &counters);
    assert_int_equal(counters.parked, 1);
    assert_int_equal(counters.served, 1);
}

static void what_is_published_counts_before_it_is_called_fresh(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish_v1(fixture);
    set_answered(fixture, 1);
    exchange = start(fixture, "/static/v2/a.css");
    publish_v2(fixture);
    assert_int_equal(finish(fixture, exchange), 200);
}

static void a_fresh_ledger_that_does_not_know_the_token_decides(void **state)
{
    static const struct {
        const char *path;
        int status;
    } cases[] = {
        {"/static/v9/a.css", 404},
        /* bytewise older than the current token, and no redirect for that */
        {"/static/a1/a.css", 404},
        {"/static/9999999999999/a.css", 503},
    };
    fixture_t *fixture = *state;

    publish_v1(fixture);
    for (size_t i = 0; i != COUNT(cases); ++i) {
        loopback_t *exchange;
        set_answered(fixture, 1);
        exchange = start(fixture, cases[i].path);
        assert_false(is_answered(exchange));
        set_answered(fixture, now_ms());
        assert_int_equal(finish(fixture, exchange), cases[i].status);
    }
}

/* an answer that was asked for before the request came is no news */
static void old_news_do_not_end_the_wait(void **state)
{
    fixture_t *fixture = *state;
    uint64_t begun_ms = now_ms();
    loopback_t *exchange;

    publish_v1(fixture);
    set_answered(fixture, 1);
    exchange = start(fixture, "/static/v9/a.css");
    set_answered(fixture, begun_ms - 1);
    assert_int_equal(finish(fixture, exchange), 503);
    assert_true(now_ms() - begun_ms >= PARK_MS);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
}

static void what_needs_no_news_does_not_wait(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
    } cases[] = {
        {"GET", "/static/v1/a.css", 200},        {"GET", "/static/v1/none.css", 404},
        {"POST", "/static/v2/a.css", 405},       {"GET", "/static/v2/a%00.css", 404},
        {"GET", "/static/{breaker}/a.css", 302}, {"GET", "/static/{breaker}/none.css", 404},
    };
    fixture_t *fixture = *state;

    publish_v1(fixture);
    set_answered(fixture, 1);
    for (size_t i = 0; i != COUNT(cases); ++i) {
        loopback_t *exchange = loopback_open(&fixture->server, cases[i].method, cases[i].path);
        exchange->processed = true;
        h2o_process_request(&exchange->req);
        if (!is_answered(exchange))
            fail_msg("%s waits", cases[i].path);
        assert_int_equal(finish(fixture, exchange), cases[i].status);
    }
    assert_false(is_wanted(fixture));
}

/* ---- not waiting ---- */

static void nothing_is_published_nothing_is_waited_for(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange = start(fixture, "/static/v2/a.css");

    assert_true(is_answered(exchange));
    assert_int_equal(finish(fixture, exchange), 503);
}

static void without_a_link_the_answer_comes_at_once(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish_v1(fixture);
    breaker_node_set_freshness(fixture->node, (breaker_freshness_t){1, .reachable = false});
    exchange = start(fixture, "/static/v2/a.css");
    assert_true(is_answered(exchange));
    assert_false(is_wanted(fixture));
    assert_int_equal(finish(fixture, exchange), 503);
}

static void without_room_the_answer_comes_at_once(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish_v1(fixture);
    set_answered(fixture, 1);
    for (size_t i = 0; i != BREAKER_PARKED_MAX; ++i)
        assert_true(breaker_node_reserve_place(fixture->node));
    assert_false(breaker_node_reserve_place(fixture->node));
    exchange = start(fixture, "/static/v2/a.css");
    assert_true(is_answered(exchange));
    assert_int_equal(finish(fixture, exchange), 503);
    for (size_t i = 0; i != BREAKER_PARKED_MAX; ++i)
        breaker_node_return_place(fixture->node);
}

/* ---- clients that go away ---- */

static void a_client_that_goes_away_gives_its_place_back(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchange;

    publish_v1(fixture);
    set_answered(fixture, 1);
    exchange = start(fixture, "/static/v2/a.css");
    loopback_close(exchange);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
    turn_for(fixture, 30);
}

static void the_others_go_on_waiting(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *exchanges[16];
    int expected[COUNT(exchanges)];

    publish_v1(fixture);
    set_answered(fixture, 1);
    for (size_t i = 0; i != COUNT(exchanges); ++i)
        exchanges[i] = start(fixture, "/static/v2/a.css");
    assert_int_equal(breaker__node_num_parked(fixture->node), COUNT(exchanges));
    for (size_t i = 0; i < COUNT(exchanges); i += 2)
        loopback_close(exchanges[i]);
    assert_int_equal(breaker__node_num_parked(fixture->node), COUNT(exchanges) / 2);
    turn_for(fixture, 30);
    /* on a slow machine their time may be over */
    for (size_t i = 1; i < COUNT(exchanges); i += 2)
        expected[i] = is_answered(exchanges[i]) ? 503 : 200;
    publish_v2(fixture);
    set_answered(fixture, now_ms());
    for (size_t i = 1; i < COUNT(exchanges); i += 2)
        assert_int_equal(finish(fixture, exchanges[i]), expected[i]);
    assert_int_equal(breaker__node_num_parked(fixture->node), 0);
}

/* the wait of one may end while another one's has just begun */
static void each_request_waits_for_news_of_its_own(void **state)
{
    fixture_t *fixture = *state;
    loopback_t *first, *second;
    uint64_t first_ms;
    int expected = 404;

    publish_v1(fixture);
    set_answered(fixture, 1);
    first = start(fixture, "/static/v9/a.css");
    first_ms = now_ms();
    turn_for(fixture, 30);
    second = start(fixture, "/static/v9/a.css");
    set_answered(fixture, first_ms);
    assert_int_equal(finish(fixture, first), 404);
    /* the first one's news would have made it 404; on a slow machine its time may be over */
    if (is_answered(second))
        expected = 503;
    set_answered(fixture, now_ms());
    assert_int_equal(finish(fixture, second), expected);
}

static void a_refresh_is_wanted_anew_once_it_was_taken(void **state)
{
    fixture_t *fixture = *state;

    assert_false(is_wanted(fixture));
    breaker_node_want_refresh(fixture->node);
    breaker_node_want_refresh(fixture->node);
    assert_true(is_wanted(fixture));
    breaker_node_take_wanted(fixture->node);
    assert_false(is_wanted(fixture));
    breaker_node_want_refresh(fixture->node);
    assert_true(is_wanted(fixture));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(news_turn_a_request_that_waits_into_its_file),
        TEST(what_is_published_counts_before_it_is_called_fresh),
        TEST(a_fresh_ledger_that_does_not_know_the_token_decides),
        TEST(old_news_do_not_end_the_wait),
        TEST(what_needs_no_news_does_not_wait),
        TEST(nothing_is_published_nothing_is_waited_for),
        TEST(without_a_link_the_answer_comes_at_once),
        TEST(without_room_the_answer_comes_at_once),
        TEST(a_client_that_goes_away_gives_its_place_back),
        TEST(the_others_go_on_waiting),
        TEST(each_request_waits_for_news_of_its_own),
        TEST(a_refresh_is_wanted_anew_once_it_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
