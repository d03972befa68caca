/*
 * What a node learns of the others, without Redis: answers come from the test, and what the node is
 * told is caught on its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <breaker/holding.h>
#include "cluster/members.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* EVALSHA, the script, the number of keys, three keys, three words of keys come before it */
enum { PAGE_WORD = 9 };

/* ---- the node, caught by the linker ---- */

static struct {
    breaker_holding_config_t holding;
    uint64_t fetch_timeout_ms;
    unsigned num_told;
    breaker_peers_t told;
    breaker_peer_t peers[BREAKER_PEERS_MAX];
    breaker_release_id_t alive[BREAKER_PEERS_ALIVE_MAX];
} node;

int __wrap_breaker_node_set_peers(breaker_node_t *unused, const breaker_peers_t *peers);
uint64_t __wrap_breaker_node_fetch_timeout_ms(const breaker_node_t *unused);
const breaker_holding_config_t *__wrap_breaker_node_holding(const breaker_node_t *unused);

int __wrap_breaker_node_set_peers(breaker_node_t *unused, const breaker_peers_t *peers)
{
    (void)unused;
    assert_true(peers->num_peers <= BREAKER_PEERS_MAX);
    assert_true(peers->num_alive <= BREAKER_PEERS_ALIVE_MAX);
    ++node.num_told;
    node.told = *peers;
    memcpy(node.peers, peers->peers, peers->num_peers * sizeof(node.peers[0]));
    memcpy(node.alive, peers->alive, peers->num_alive * sizeof(node.alive[0]));
    return 0;
}

uint64_t __wrap_breaker_node_fetch_timeout_ms(const breaker_node_t *unused)
{
    (void)unused;
    return node.fetch_timeout_ms;
}

const breaker_holding_config_t *__wrap_breaker_node_holding(const breaker_node_t *unused)
{
    (void)unused;
    return &node.holding;
}

static bool is_told_of(const char *address)
{
    for (size_t i = 0; i != node.told.num_peers; ++i)
        if (strcmp(node.peers[i].address, address) == 0)
            return true;
    return false;
}

/* ---- answers ---- */

static breaker__members_t members;
static breaker_script_answer_t answer;
static breaker_agreement_config_t agreement;
static breaker__script_caller_t caller;
static uint64_t now_ms;

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static int setup(void **state)
{
    (void)state;
    memset(&node, 0, sizeof(node));
    memset(&members, 0, sizeof(members));
    memset(&answer, 0, sizeof(answer));
    node.fetch_timeout_ms = 1000;
    node.holding.has_peers = true;
    agreement = (breaker_agreement_config_t){.dead_after_ms = 30000, .release = release_of("own")};
    caller = (breaker__script_caller_t){
        .app = "shop", .address = "own:1", .id = "id-own", .agreement = &agreement};
    now_ms = 1000000;
    breaker__members_init(&members, NULL, &caller, 7);
    return 0;
}

static void add_release(const char *text, const char *address)
{
    breaker_script_release_t *release = answer.releases + answer.num_releases++;

    *release = (breaker_script_release_t){.id = release_of(text), .dead_after_ms = 30000};
    strcpy(release->address, address);
    answer.has_releases = true;
}

/* a poll is answered by a Redis whose clock is `offset_ms` ahead */
static void poll(uint32_t fleet, int64_t offset_ms)
{
    static breaker__alive_t alive;

    answer.ledger.fleet = fleet;
    answer.ledger.now_ms = (uint64_t)(1700000000000 + offset_ms);
    if (answer.has_releases)
        breaker__script_alive(&answer, &agreement, &alive);
    breaker__members_on_poll(&members, now_ms, 1700000000000, &answer, &alive);
    assert_int_equal(breaker__members_tell(&members), 0);
}

/* what the question's page begins after, or "-" */
static const char *ask(void)
{
    static breaker_script_command_t command;

    assert_true(breaker__members_must_ask(&members, now_ms));
    breaker__members_ask(&members, now_ms, &command);
    assert_int_equal(command.argc, 10);
    return command.argv[PAGE_WORD];
}

static breaker_reply_t text_of(const char *text)
{
    return (breaker_reply_t){.type = BREAKER_REPLY_STRING, .base = text, .len = strlen(text)};
}

/* `num` nodes of one release from port `first` on; fewer than none: no page */
static bool reply(const char *key, const char *before, int first, int num, const char *release,
                  const char *next)
{
    static char lines[BREAKER_SCRIPT_PAGE_MAX][128];
    breaker_reply_t nodes[BREAKER_SCRIPT_PAGE_MAX], *of_nodes[BREAKER_SCRIPT_PAGE_MAX];
    breaker_reply_t parts[5], *of_parts[5], whole;
    bool is_taken;

    for (int i = 0; i < num; ++i) {
        snprintf(lines[i], sizeof(lines[i]), "1700000000000 id-%d %s h:%d v1 5", first + i, release,
                 first + i);
        nodes[i] = text_of(lines[i]);
        of_nodes[i] = nodes + i;
    }
    parts[0] = (breaker_reply_t){.type = BREAKER_REPLY_INTEGER, .integer = 1700000000000};
    parts[1] = text_of(key);
    parts[2] = text_of(before);
    parts[3] = (breaker_reply_t){.type = BREAKER_REPLY_NIL};
    if (num >= 0)
        parts[3] = (breaker_reply_t){
            .type = BREAKER_REPLY_ARRAY, .elements = of_nodes, .num_elements = (size_t)num};
    parts[4] = text_of(next);
    for (size_t i = 0; i != COUNT(parts); ++i)
        of_parts[i] = parts + i;
    whole = (breaker_reply_t){
        .type = BREAKER_REPLY_ARRAY, .elements = of_parts, .num_elements = COUNT(parts)};
    is_taken = breaker__members_on_reply(&members, now_ms, &whole);
    assert_int_equal(breaker__members_tell(&members), 0);
    return is_taken;
}

/* in touch, with the keys and the first page of a small cluster */
static void begin(void)
{
    breaker__members_on_up(&members, now_ms);
    poll(3, 0);
    assert_string_equal(ask(), "");
    assert_true(reply(KEY, "", 10, 2, "r1", ""));
    assert_false(breaker__members_must_ask(&members, now_ms));
}

/* ---- tests ---- */

static void the_first_question_brings_keys_and_nodes(void **state)
{
    (void)state;
    begin();
    assert_int_equal(node.told.num_keys, 1);
    assert_int_equal(node.told.keys[0][0], 0x01);
    assert_int_equal(node.told.keys[0][31], 0xef);
    assert_int_equal(node.told.num_peers, 2);
    assert_true(is_told_of("h:10"));
    assert_true(is_told_of("h:11"));
    assert_int_equal(node.told.num_nodes, 3);
    assert_string_equal(node.told.address, "own:1");
    /* which releases live was not heard yet */
    assert_false(node.told.is_current);
    add_release("r1", "");
    poll(3, 0);
    assert_true(node.told.is_current);
    assert_int_equal(node.told.num_alive, 1);
}

static void where_nothing_is_lacking_only_the_keys_are_asked_for(void **state)
{
    unsigned num_questions = 0, num_told;
    (void)state;

    begin();
    add_release("r1", "h:10");
    poll(3, 0);
    num_told = node.num_told;
    for (int s = 0; s != 3600; ++s) {
        now_ms += 1000;
        poll(3, 0);
        if (!breaker__members_must_ask(&members, now_ms))
            continue;
        ++num_questions;
        assert_string_equal(ask(), "-");
        assert_true(reply(KEY, "", 0, -1, "", ""));
    }
    assert_in_range(num_questions, 9, 15);
    assert_int_equal(node.num_told, num_told);
}

static void a_node_of_a_new_release_is_told_of_by_the_polls_alone(void **state)
{
    (void)state;
    begin();
    add_release("own", "h:1");
    add_release("r2", "h:20");
    poll(10000, 0);
    assert_int_equal(node.told.num_alive, 1);
    assert_true(is_told_of("h:20"));
    assert_false(is_told_of("h:1"));
    assert_false(breaker__members_must_ask(&members, now_ms));
    /* one of the others answers for it next time: that is no news */
    strcpy(answer.releases[1].address, "h:21");
    poll(10000, 0);
    assert_false(is_told_of("h:21"));
    /* but where the first one does not answer, it is */
    breaker__members_want(&members, now_ms);
    poll(10000, 0);
    assert_true(is_told_of("h:21"));
    assert_false(is_told_of("h:20"));
    answer.num_releases = 1;
    poll(10000, 0);
    assert_int_equal(node.told.num_alive, 0);
    assert_false(is_told_of("h:21"));
}

static void a_restart_with_another_release_is_not_two_nodes(void **state)
{
    (void)state;
    begin();
    add_release("r1", "h:10");
    poll(3, 0);
    assert_true(is_told_of("h:10"));
    /* the same address serves another release, and the one before is not silent for long yet */
    answer.releases[0].silent_ms = 150;
    add_release("r2", "h:10");
    for (int i = 0; i != 3; ++i) {
        unsigned num_of_it = 0;
        poll(3, 0);
        for (size_t j = 0; j != node.told.num_peers; ++j)
            if (strcmp(node.peers[j].address, "h:10") == 0) {
                ++num_of_it;
                assert_string_equal(node.peers[j].release.text, "r2");
            }
        assert_int_equal(num_of_it, 1);
        answer.releases[0].silent_ms += 200;
    }
    /* another node of the release before is heard */
    answer.releases[0].silent_ms = 0;
    strcpy(answer.releases[0].address, "h:11");
    poll(3, 0);
    assert_true(is_told_of("h:11"));
}

static void a_search_ends_and_the_next_ones_are_rarer(void **state)
{
    unsigned num_pages = 0;
    (void)state;

    begin();
    /* nobody says where a node of it is */
    add_release("r9", "");
    poll(100000, 0);
    for (int s = 0; s != 600; ++s) {
        now_ms += 1000;
        breaker__members_want(&members, now_ms);
        if (!breaker__members_must_ask(&members, now_ms))
            continue;
        num_pages += strcmp(ask(), "-") != 0;
        assert_true(reply(KEY, "", 100 * s, 100, "r1", "ffff"));
        assert_true(node.told.num_peers <= BREAKER_PEERS_MAX);
    }
    /* five a search, after 1, 2, 4 … 64 s */
    assert_in_range(num_pages, 5 * 9, 5 * 17);
}

static void pages_are_a_second_apart(void **state)
{
    (void)state;
    begin();
    add_release("r9", "");
    poll(1000, 0);
    now_ms += 5000;
    breaker__members_want(&members, now_ms);
    assert_string_not_equal(ask(), "");
    assert_true(reply(KEY, "", 0, 100, "r1", "abc"));
    assert_false(breaker__members_must_ask(&members, now_ms + 999));
    now_ms += 1000;
    assert_string_equal(ask(), "abc");
    /* it was found */
    assert_true(reply(KEY, "", 100, 100, "r9", "def"));
    assert_false(breaker__members_must_ask(&members, now_ms + 60000));
    assert_int_equal(node.told.num_peers, 200);
}

static void a_search_from_the_middle_goes_round(void **state)
{
    (void)state;
    begin();
    add_release("r9", "");
    poll(1000, 0);
    now_ms += 5000;
    breaker__members_want(&members, now_ms);
    assert_int_equal(strlen(ask()), 16);
    assert_true(reply(KEY, "", 0, 3, "r1", ""));
    now_ms += 1000;
    assert_string_equal(ask(), "");
    assert_true(reply(KEY, "", 3, 3, "r1", ""));
    now_ms += 1000;
    assert_false(breaker__members_must_ask(&members, now_ms));
}

static void nobody_is_told_of_itself_nor_of_who_is_silent(void **state)
{
    breaker_script_node_t *nodes = members.answer.nodes;
    (void)state;

    begin();
    now_ms += 5000;
    breaker__members_want(&members, now_ms);
    ask();
    strcpy(caller.address, "h:12");
    strcpy(caller.id, "id-11");
    agreement.dead_after_ms = 30000;
    assert_true(reply(KEY, "", 10, 4, "r1", ""));
    assert_int_equal(nodes[0].seen_ms, 1700000000000);
    assert_int_equal(node.told.num_peers, 2);
    assert_true(is_told_of("h:10"));
    assert_true(is_told_of("h:13"));
}

static void both_keys_are_told_the_newest_first(void **state)
{
    static breaker_script_command_t command;
    (void)state;

    begin();
    now_ms += 3600000;
    breaker__members_ask(&members, now_ms, &command);
    /* what it knows comes back to a Redis that lost it */
    assert_string_equal(command.argv[7], KEY);
    assert_string_equal(command.argv[8], "");
    assert_int_equal(command.argv_len[6], 64);
    assert_string_not_equal(command.argv[6], KEY);
    assert_true(reply(OTHER, KEY, 0, -1, "", ""));
    assert_int_equal(node.told.num_keys, 2);
    assert_int_equal(node.told.keys[0][0], 0xfe);
    assert_int_equal(node.told.keys[1][0], 0x01);
}

static void an_answer_that_is_none_is_asked_for_again_later(void **state)
{
    const breaker_reply_t error = {.type = BREAKER_REPLY_ERROR, .base = "ERR", .len = 3};
    (void)state;

    breaker__members_on_up(&members, now_ms);
    ask();
    assert_false(breaker__members_on_reply(&members, now_ms, &error));
    assert_false(breaker__members_must_ask(&members, now_ms + 29999));
    assert_true(breaker__members_must_ask(&members, now_ms + 30000));
}

static void what_was_known_stays_while_redis_is_away(void **state)
{
    (void)state;
    begin();
    add_release("r1", "h:10");
    poll(3, 0);
    assert_true(node.told.is_current);
    breaker__members_on_down(&members);
    assert_int_equal(breaker__members_tell(&members), 0);
    assert_false(node.told.is_current);
    assert_int_equal(node.told.num_keys, 1);
    assert_true(node.told.num_peers >= 2);
    breaker__members_on_up(&members, now_ms);
    ask();
    assert_true(reply(KEY, "", 0, -1, "", ""));
    poll(3, 0);
    assert_true(node.told.is_current);
}

static void clocks_that_part_are_told_of(void **state)
{
    unsigned num_told;
    (void)state;

    begin();
    num_told = node.num_told;
    poll(3, 999);
    poll(3, -999);
    assert_int_equal(node.num_told, num_told);
    poll(3, 60000);
    assert_int_equal(node.num_told, num_told + 1);
    assert_true(node.told.clock_offset_ms == 60000);
    poll(3, -60000);
    assert_true(node.told.clock_offset_ms == -60000);
}

static void a_node_that_holds_nothing_asks_and_is_told_nothing(void **state)
{
    (void)state;
    node.fetch_timeout_ms = 0;
    memset(&members, 0, sizeof(members));
    breaker__members_init(&members, NULL, &caller, 7);
    breaker__members_on_up(&members, now_ms);
    add_release("r1", "h:10");
    poll(3, 60000);
    breaker__members_want(&members, now_ms);
    assert_false(breaker__members_must_ask(&members, now_ms + 3600000));
    assert_int_equal(node.num_told, 0);
}

static void a_node_with_an_archive_alone_hears_who_lives(void **state)
{
    (void)state;
    node.holding.has_peers = false;
    memset(&members, 0, sizeof(members));
    breaker__members_init(&members, NULL, &caller, 7);
    breaker__members_on_up(&members, now_ms);
    add_release("r1", "h:10");
    poll(3, 0);
    assert_false(breaker__members_must_ask(&members, now_ms + 3600000));
    assert_int_equal(node.told.num_alive, 1);
    assert_true(node.told.is_current);
    assert_int_equal(node.told.num_keys, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_question_brings_keys_and_nodes, setup),
        cmocka_unit_test_setup(where_nothing_is_lacking_only_the_keys_are_asked_for, setup),
        cmocka_unit_test_setup(a_node_of_a_new_release_is_told_of_by_the_polls_alone, setup),
        cmocka_unit_test_setup(a_restart_with_another_release_is_not_two_nodes, setup),
        cmocka_unit_test_setup(a_search_ends_and_the_next_ones_are_rarer, setup),
        cmocka_unit_test_setup(pages_are_a_second_apart, setup),
        cmocka_unit_test_setup(a_search_from_the_middle_goes_round, setup),
        cmocka_unit_test_setup(nobody_is_told_of_itself_nor_of_who_is_silent, setup),
        cmocka_unit_test_setup(both_keys_are_told_the_newest_first, setup),
        cmocka_unit_test_setup(an_answer_that_is_none_is_asked_for_again_later, setup),
        cmocka_unit_test_setup(what_was_known_stays_while_redis_is_away, setup),
        cmocka_unit_test_setup(clocks_that_part_are_told_of, setup),
        cmocka_unit_test_setup(a_node_that_holds_nothing_asks_and_is_told_nothing, setup),
        cmocka_unit_test_setup(a_node_with_an_archive_alone_hears_who_lives, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
