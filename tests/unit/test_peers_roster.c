#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "peers/tell.h"

#define NOW UINT64_C(1000000)

typedef struct st_answer_t {
    breaker__choice_t choice;
    breaker__known_t *peer;
    uint64_t at_ms;
} answer_t;

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static breaker_peer_t peer_of(const char *address, const char *release)
{
    breaker_peer_t peer = {.release = release_of(release)};

    snprintf(peer.address, sizeof(peer.address), "%s", address);
    return peer;
}

static void set_one(breaker__roster_t *roster, const char *release)
{
    breaker_peer_t peer = peer_of("10.0.0.7:80", release);

    assert_int_equal(breaker__roster_set(roster, NULL, false, &peer, 1), 0);
}

static answer_t choose(breaker__roster_t *roster, const char *release, uint64_t now_ms)
{
    breaker_release_id_t id = release_of(release);
    breaker__tried_t tried = {.num = 0};
    answer_t answer = {.peer = NULL};

    answer.choice =
        breaker__roster_choose(roster, &id, &tried, now_ms, &answer.peer, &answer.at_ms);
    return answer;
}

static void who_serves_is_asked_before_who_holds(void **state)
{
    breaker_peer_t list[3] = {peer_of("a:1", "x"), peer_of("b:1", "y"), peer_of("c:1", "z")};
    breaker__peers_held_t held = {release_of("z"), .is_complete = true};
    breaker__roster_t roster = {.num = 0};
    (void)state;

    assert_int_equal(breaker__roster_set(&roster, NULL, false, list, 3), 0);
    breaker__known_holds(roster.peers, &held, 1, NOW);
    assert_ptr_equal(choose(&roster, "z", NOW).peer, roster.peers + 2);
    breaker__known_aside(roster.peers + 2, 1000, NOW);
    assert_ptr_equal(choose(&roster, "z", NOW).peer, roster.peers);
    breaker__roster_dispose(&roster);
}

static void at_the_own_address_nobody_is_asked_but_who_answers_there_still(void **state)
{
    breaker_peer_t list[2] = {peer_of("a:1", "x"), peer_of("b:1", "y")};
    breaker__peers_held_t held = {release_of("z"), .is_complete = true};
    breaker__roster_t roster = {.num = 0};
    (void)state;

    assert_int_equal(breaker__roster_set(&roster, "b:1", false, list, 2), 0);
    assert_int_equal(roster.num, 1);
    assert_int_equal(breaker__roster_set(&roster, "b:1", true, list, 2), 0);
    assert_int_equal(roster.num, 2);
    /* what it serves is not known before it says so */
    assert_int_equal(choose(&roster, "y", NOW).choice, BREAKER__CHOICE_ASK_HELD);
    breaker__known_holds(roster.peers + 1, &held, 1, NOW);
    assert_ptr_equal(choose(&roster, "z", NOW).peer, roster.peers + 1);
    assert_int_equal(breaker__roster_set(&roster, "b:1", true, list, 2), 0);
    assert_ptr_equal(choose(&roster, "z", NOW).peer, roster.peers + 1);
    assert_int_equal(breaker__roster_set(&roster, "b:1", false, list, 2), 0);
    assert_int_equal(roster.num, 1);
    assert_int_equal(breaker__roster_set(&roster, "", true, list, 2), 0);
    assert_int_equal(roster.num, 2);
    breaker__roster_dispose(&roster);
}

static void what_a_peer_lacks_is_believed_for_a_second_only(void **state)
{
    breaker__roster_t roster = {.num = 0};
    breaker_release_id_t y = release_of("y");
    (void)state;

    set_one(&roster, "x");
    assert_int_equal(choose(&roster, "y", NOW).choice, BREAKER__CHOICE_ASK_HELD);
    breaker__known_holds(roster.peers, NULL, 0, NOW);
    assert_int_equal(choose(&roster, "y", NOW + 999).choice, BREAKER__CHOICE_NONE);
    assert_null(breaker__roster_unknown(&roster, &y, NOW + 999));
    assert_int_equal(choose(&roster, "y", NOW + 1000).choice, BREAKER__CHOICE_ASK_HELD);
    assert_ptr_equal(breaker__roster_unknown(&roster, &y, NOW + 1000), roster.peers);
    breaker__roster_dispose(&roster);
}

static void what_a_peer_holds_is_believed_for_longer(void **state)
{
    breaker__peers_held_t held = {release_of("y"), .is_complete = false};
    breaker__roster_t roster = {.num = 0};
    (void)state;

    set_one(&roster, "x");
    breaker__known_holds(roster.peers, &held, 1, NOW);
    assert_int_equal(choose(&roster, "y", NOW + 9999).choice, BREAKER__CHOICE_PEER);
    assert_int_equal(choose(&roster, "y", NOW + 10000).choice, BREAKER__CHOICE_ASK_HELD);
    breaker__roster_dispose(&roster);
}

static void an_address_with_another_release_is_another_peer(void **state)
{
    breaker__roster_t roster = {.num = 0};
    uint64_t number;
    (void)state;

    set_one(&roster, "x");
    number = roster.peers[0].number;
    breaker__known_holds(roster.peers, NULL, 0, NOW);
    breaker__known_aside(roster.peers, 1000, NOW);
    assert_int_equal(choose(&roster, "x", NOW).choice, BREAKER__CHOICE_ASIDE);
    set_one(&roster, "x");
    assert_int_equal(choose(&roster, "x", NOW).choice, BREAKER__CHOICE_ASIDE);
    assert_non_null(breaker__roster_find(&roster, number));
    set_one(&roster, "y");
    assert_int_equal(choose(&roster, "y", NOW).choice, BREAKER__CHOICE_PEER);
    assert_int_equal(choose(&roster, "x", NOW).choice, BREAKER__CHOICE_ASK_HELD);
    assert_null(breaker__roster_find(&roster, number));
    breaker__roster_dispose(&roster);
}

static void a_peer_is_set_aside_for_twice_as_long_each_time(void **state)
{
    breaker__roster_t roster = {.num = 0};
    uint64_t now_ms = NOW;
    (void)state;

    set_one(&roster, "x");
    for (uint32_t for_ms = 100; for_ms < BREAKER__PEERS_ASIDE_MAX_MS; for_ms *= 2) {
        assert_int_equal(
            breaker__known_aside(roster.peers, BREAKER__PEERS_UNREACHED_MIN_MS, now_ms), for_ms);
        /* another attempt of the same time does not count */
        assert_int_equal(breaker__known_aside(roster.peers, 1000, now_ms), 0);
        assert_int_equal(choose(&roster, "x", now_ms).at_ms, now_ms + for_ms);
        now_ms += for_ms;
    }
    assert_int_equal(breaker__known_aside(roster.peers, 100, now_ms), BREAKER__PEERS_ASIDE_MAX_MS);
    breaker__known_answered(roster.peers, now_ms += BREAKER__PEERS_ASIDE_MAX_MS);
    assert_int_equal(breaker__known_aside(roster.peers, 1000, now_ms), 1000);
    breaker__roster_dispose(&roster);
}

static void a_release_is_told_to_each_peer_until_it_has_it(void **state)
{
    const breaker_peer_t list[] = {peer_of("a:1", "x"), peer_of("b:1", "y")};
    const breaker__peers_held_t part = {release_of("x"), .is_complete = false},
                                whole = {release_of("x"), .is_complete = true};
    breaker_release_id_t id = release_of("x");
    breaker__roster_t roster = {.num = 0};
    breaker__known_t *peer;
    uint64_t due_ms = 0;
    (void)state;

    assert_int_equal(breaker__roster_set(&roster, NULL, false, list, 2), 0);
    peer = roster.peers + 1;
    /* who serves it is not asked */
    assert_ptr_equal(breaker__roster_to_tell(&roster, &id, NOW, &due_ms), peer);
    breaker__known_told(peer, NOW);
    assert_null(breaker__roster_to_tell(&roster, &id, NOW + 50, &due_ms));
    peer->is_being_told = false;
    breaker__known_heard(peer, &id, &part, 1);
    assert_int_equal(breaker__roster_heard(&roster, &id, NOW), BREAKER__HEARD_PARTLY);
    assert_null(breaker__roster_to_tell(&roster, &id, NOW + 49, &due_ms));
    assert_int_equal(due_ms, NOW + 50);
    assert_ptr_equal(breaker__roster_to_tell(&roster, &id, NOW + 50, &due_ms), peer);
    breaker__known_heard(peer, &id, NULL, 0);
    assert_int_equal(breaker__roster_heard(&roster, &id, NOW), BREAKER__HEARD_NOT);
    breaker__known_heard(peer, &id, &whole, 1);
    assert_int_equal(breaker__roster_heard(&roster, &id, NOW), BREAKER__HEARD_WHOLLY);
    assert_null(breaker__roster_to_tell(&roster, &id, NOW + 50, &due_ms));
    assert_int_equal(due_ms, UINT64_MAX);
    breaker__roster_tell_anew(&roster);
    assert_int_equal(breaker__roster_heard(&roster, &id, NOW), BREAKER__HEARD_NOT);
    breaker__roster_dispose(&roster);
}

static void who_is_set_aside_is_told_later_and_nobody_for_ever(void **state)
{
    breaker_release_id_t id = release_of("x");
    breaker__roster_t roster = {.num = 0};
    uint64_t due_ms = 0, num = 0;
    (void)state;

    set_one(&roster, "y");
    breaker__known_aside(roster.peers, 1000, NOW);
    assert_int_equal(breaker__roster_heard(&roster, &id, NOW), BREAKER__HEARD_WHOLLY);
    assert_null(breaker__roster_to_tell(&roster, &id, NOW, &due_ms));
    assert_int_equal(due_ms, NOW + 1000);
    assert_int_equal(breaker__roster_heard(&roster, &id, due_ms), BREAKER__HEARD_NOT);
    while (breaker__roster_to_tell(&roster, &id, due_ms, &due_ms) != NULL) {
        breaker__known_told(roster.peers, due_ms);
        roster.peers->is_being_told = false;
        breaker__roster_to_tell(&roster, &id, 0, &due_ms);
        ++num;
    }
    assert_int_equal(num, BREAKER__TELL_TIMES_MAX);
    breaker__roster_dispose(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_serves_is_asked_before_who_holds),
        cmocka_unit_test(at_the_own_address_nobody_is_asked_but_who_answers_there_still),
        cmocka_unit_test(what_a_peer_lacks_is_believed_for_a_second_only),
        cmocka_unit_test(what_a_peer_holds_is_believed_for_longer),
        cmocka_unit_test(an_address_with_another_release_is_another_peer),
        cmocka_unit_test(a_peer_is_set_aside_for_twice_as_long_each_time),
        cmocka_unit_test(a_release_is_told_to_each_peer_until_it_has_it),
        cmocka_unit_test(who_is_set_aside_is_told_later_and_nobody_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
