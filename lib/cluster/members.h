#ifndef BREAKER_LIB_CLUSTER_MEMBERS_H
#define BREAKER_LIB_CLUSTER_MEMBERS_H

/*
 * Who the other nodes are, where they are reached, and by which keys they know each other: what a
 * node that holds their releases is told with `breaker_node_set_peers`. Not installed. Everything
 * on the cluster's thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/node.h>
#include "cluster/script.h"

/** the nodes of which pages tell, beside one of each live release */
#define BREAKER__MEMBERS_PAGED_MAX (BREAKER_PEERS_MAX - BREAKER__ALIVE_MAX)

/** Caller's memory; the fields are private but for `is_on`. */
typedef struct st_breaker__members_t {
    breaker_node_t *node;                   /* borrowed: outlives us */
    const breaker__script_caller_t *caller; /* borrowed: outlives us */
    /** the node holds releases of others; if it does not, nothing is ever asked or told */
    bool is_on;
    /* and asks them for these */
    bool has_peers;
    /* the state of a generator of xorshift64 */
    uint64_t random;

    breaker__script_keys_t keys;
    int64_t clock_offset_ms;
    uint32_t fleet;
    breaker__alive_t alive;
    /* one node of each live release, in no order, and then those of the pages */
    size_t num_ahead, num_paged;
    breaker_peer_t ahead[BREAKER__ALIVE_MAX], paged[BREAKER__MEMBERS_PAGED_MAX];

    /* when the keys are asked for next, and a page of nodes at the earliest */
    uint64_t keys_due_ms, page_due_ms;
    /* when the last search began, or is to begin, and after how long another one may; 0: at once */
    uint64_t searched_ms, search_after_ms;
    /* a page is wanted: the one after `after`; how many more may follow it */
    bool is_page_wanted;
    char after[BREAKER_NODE_ID_MAX + 1];
    unsigned pages_left;
    /* the search began in the middle, and what comes before is still to be looked at */
    bool has_rest;
    /* the question under way has a page; of the next one nothing before belongs to its search */
    bool asks_page, is_search_new;

    /* both were heard of on this connection */
    bool has_keys, has_alive;
    /* the node was not told yet */
    bool is_due;
    breaker__script_members_t answer;
    breaker_peer_t told[BREAKER_PEERS_MAX];
} breaker__members_t;

/** For a zeroed one. `seed` is random, not 0. The node is loaded. */
void breaker__members_init(breaker__members_t *members, breaker_node_t *node,
                           const breaker__script_caller_t *caller, uint64_t seed);

/** The connection stands, or stands no more. */
void breaker__members_on_up(breaker__members_t *members, uint64_t now_ms);
void breaker__members_on_down(breaker__members_t *members);

/** The node lacks something: nodes are looked for. */
void breaker__members_want(breaker__members_t *members, uint64_t now_ms);

/** A poll was answered; `wall_ms` is this machine's clock, `alive` what its releases come to. */
void breaker__members_on_poll(breaker__members_t *members, uint64_t now_ms, uint64_t wall_ms,
                              const breaker_script_answer_t *answer, const breaker__alive_t *alive);

/**
 * Tells whether there is something to ask: the keys every five minutes, a page at most once a
 * second, and that only where something is lacking. While up.
 */
bool breaker__members_must_ask(const breaker__members_t *members, uint64_t now_ms);
/** Writes the question. */
void breaker__members_ask(breaker__members_t *members, uint64_t now_ms,
                          breaker_script_command_t *command);
/** Takes the reply to it. False: it is an error, or none of the script's; asked again later. */
bool breaker__members_on_reply(breaker__members_t *members, uint64_t now_ms,
                               const breaker_reply_t *reply);

/** Tells the node what is new, if anything is. Fails like `breaker_node_set_peers`. */
int breaker__members_tell(breaker__members_t *members);

#endif
