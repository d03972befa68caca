/* Who a server is, out of what it answers, and which two cannot be one store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "guard.h"
#include "redis/identity.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

#define MASTER(id) "# Replication\r\nrole:master\r\nmaster_replid:" id "\r\ncluster_enabled:0\r\n"
#define REPLICA(id, link)                                                                          \
    "role:slave\r\nmaster_link_status:" link "\r\nmaster_replid:" id "\r\n# Cluster\r\n"           \
    "cluster_enabled:0\r\n"
#define NODE "role:master\r\nmaster_replid:" C "\r\ncluster_enabled:1\r\n"
#define SELF(id, slots) id " 127.0.0.1:1@2,host myself,master - 0 0 1 connected" slots "\n"
#define OTHER(id) id " 127.0.0.1:3@4 slave,fail? " C " 0 0 2 disconnected\n"

static bool read_text(const char *text, const char *other, breaker__identity_t *identity)
{
    size_t len = strlen(text);
    char *base = guarded_copy(text, len);
    breaker_reply_t reply = {.type = BREAKER_REPLY_STRING, .base = base, .len = len};
    bool is_read = other != NULL ? breaker__identity_read_nodes(&reply, other, identity)
                                 : breaker__identity_read(&reply, identity);

    guarded_free(base, len);
    return is_read;
}

static breaker__identity_t server(const char *info)
{
    breaker__identity_t identity;

    assert_true(read_text(info, NULL, &identity));
    return identity;
}

static breaker__identity_t node(const char *nodes, const char *other)
{
    breaker__identity_t identity = server(NODE);

    assert_true(identity.is_cluster);
    assert_string_equal(identity.id, "");
    assert_true(read_text(nodes, other, &identity));
    return identity;
}

static void servers_differ_by_the_history_of_their_data(void **state)
{
    const struct {
        breaker__identity_t one, other;
        bool differ;
    } cases[] = {
        {server(MASTER(A)), server(MASTER(A)), false},
        {server(MASTER(A)), server(MASTER(B)), true},
        {server(MASTER(A)), server(REPLICA(A, "up")), false},
        {server(MASTER(A)), server(REPLICA(B, "up")), true},
        /* it has not reached its master, whoever that is */
        {server(MASTER(A)), server(REPLICA(B, "down")), false},
        {server(REPLICA(A, "up")), server(REPLICA(B, "up")), true},
    };
    (void)state;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        assert_int_equal(breaker__identity_differ(&cases[i].one, &cases[i].other), cases[i].differ);
        assert_int_equal(breaker__identity_differ(&cases[i].other, &cases[i].one), cases[i].differ);
    }
    assert_true(cases[2].other.is_replica);
    assert_false(cases[2].one.is_replica);
}

static void nodes_of_a_cluster_differ_when_neither_knows_the_other(void **state)
{
    const breaker__identity_t a = node(SELF(A, " 0-1") OTHER(C), "");
    const breaker__identity_t b = node(OTHER(C) SELF(B, " 2 5-7 [9->-" C "]"), A);
    const breaker__identity_t knows = node(SELF(B, "") OTHER(A), A);
    const breaker__identity_t alone = node(SELF(B, ""), A), with_slots = node(SELF(B, " 5"), A);
    const breaker__identity_t single = server(MASTER(A)), untold = server(NODE);
    (void)state;

    assert_string_equal(a.id, A);
    assert_string_equal(b.id, B);
    assert_true(breaker__identity_differ(&a, &b));
    assert_false(breaker__identity_differ(&a, &a));
    assert_false(breaker__identity_differ(&a, &knows));
    assert_false(breaker__identity_differ(&knows, &a));
    /* it has nothing that could be another truth */
    assert_false(breaker__identity_differ(&a, &alone));
    assert_true(breaker__identity_differ(&a, &with_slots));
    assert_true(breaker__identity_differ(&a, &single));
    assert_false(breaker__identity_differ(&a, &untold));
    assert_false(breaker__identity_differ(&untold, &single));
}

static void what_does_not_tell_who_a_server_is_is_no_identity(void **state)
{
    static const char *const infos[] = {
        "",
        "role:master\r\n",
        "master_replid:" A "\r\n",
        "role:active-replica\r\nmaster_replid:" A "\r\n",
        "role:sentinel\r\nmaster_replid:" A "\r\n",
        "role:master\r\nmaster_replid:" A "a\r\n",
        "role:master\r\nmaster_replid:x\r\n",
        "role:master\r\nnot_master_replid:" A "\r\n",
        "\r\n\n:\n::\nrole\nmaster_replid",
    };
    static const char *const nodes[] = {
        "", "\n", OTHER(A), "x" SELF(A, ""), SELF(A, "") "\n", "myself", A, A " x notmyself",
    };
    breaker__identity_t identity;
    breaker_reply_t number = {.type = BREAKER_REPLY_INTEGER, .integer = 1};
    (void)state;

    for (size_t i = 0; i != sizeof(infos) / sizeof(infos[0]); ++i)
        assert_false(read_text(infos[i], NULL, &identity));
    assert_false(breaker__identity_read(&number, &identity));
    for (size_t i = 0; i != sizeof(nodes) / sizeof(nodes[0]); ++i) {
        identity = server(NODE);
        assert_false(read_text(nodes[i], A, &identity));
    }
    assert_false(breaker__identity_read_nodes(&number, A, &identity));
}

static void lines_may_end_with_or_without_a_carriage_return(void **state)
{
    (void)state;
    assert_string_equal(server("role:master\nmaster_replid:" A).id, A);
    assert_string_equal(node(A " x myself,slave " B "\r\n", "").id, A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_differ_by_the_history_of_their_data),
        cmocka_unit_test(nodes_of_a_cluster_differ_when_neither_knows_the_other),
        cmocka_unit_test(what_does_not_tell_who_a_server_is_is_no_identity),
        cmocka_unit_test(lines_may_end_with_or_without_a_carriage_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
