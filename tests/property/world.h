#ifndef BREAKER_TESTS_WORLD_H
#define BREAKER_TESTS_WORLD_H

/*
 * A cluster in one thread and in no time: two to eight agreements, the meeting that stands for
 * Redis, and the network between them, all moved by one seed. Everything that is random comes from
 * it, so a seed is a whole story that can be told again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cluster/agreement.h"
#include "meeting.h"

enum {
    NODES_MAX = 8,
    FLIGHTS_MAX = 64,
    CLAIMS_MAX = 4096,
    /** releases that have nodes in a world; any other one comes and goes in a moment */
    RELEASES_MAX = 8,
    REPLY_TIMEOUT_MS = 1000,
    CONNECT_TIMEOUT_MS = 1000,
    CALM_LATENCY_MS = 20,
    /** how long after all faults nodes may be of two minds */
    RECOVERY_MS = 3000,
};

#define NEVER UINT64_MAX

/** what comes to a node's link next */
typedef enum en_outcome_t {
    OUTCOME_NONE,
    OUTCOME_UP,
    OUTCOME_DOWN,
    OUTCOME_REFUSED,
    OUTCOME_ANSWER,
} outcome_t;

typedef struct st_node_t {
    breaker_agreement_config_t config;
    breaker__agreement_t *agreement; /* owned; NULL while the process does not run */
    unsigned release;
    /** another one for each life */
    unsigned id;
    int64_t skew_ms;
    /** the network to Redis swallows everything */
    bool is_cut;
    /** what the state file holds; not written at all by some nodes */
    bool has_file;
    breaker_ledger_t file;

    uint64_t boot_ms, wake_ms;
    bool is_connected;
    outcome_t outcome;
    uint64_t outcome_ms, asked_ms;
    breaker_answer_t answer;
    /** polls sent, so that a late answer is not taken for another poll's */
    unsigned serial;

    /** the token and the ledger as the last check saw them */
    breaker_ledger_entry_t own;
    breaker_ledger_t ledger;
    uint64_t booted_ms;
} node_t;

/** a poll on its way to Redis */
typedef struct st_flight_t {
    size_t node;
    unsigned serial, release, id;
    uint64_t arrives_ms;
    bool is_reply_lost;
    breaker_agreement_config_t config;
    breaker__poll_t poll;
} flight_t;

/** that a token names a release, and how it came to */
typedef struct st_claim_t {
    breaker_token_t token;
    breaker_release_id_t release;
    /** the smallest order that it was ever proposed with */
    uint64_t birth;
    /** a node's own proposal, made without Redis */
    bool is_local;
    bool is_handed_out;
    /** minted because of silence, or by who came back: it says nothing of where one belongs */
    bool is_by_silence;
    /** the script accepted it at some time */
    bool is_registered;
} claim_t;

typedef struct st_world_t {
    uint64_t seed, random;
    uint64_t now_ms;
    const char *wrong; /* NULL, or what was violated */
    size_t num_wrong_node;

    node_t nodes[NODES_MAX];
    size_t num_nodes;
    unsigned num_lives, num_releases;
    uint32_t poll_ms, dead_after_ms;
    /** the longest that a node is configured with */
    uint32_t dead_max_ms;
    /** for how long Redis was there for somebody since a node of the release polled */
    uint64_t missed_ms[RELEASES_MAX];
    /** for how long it was there for nobody, until now */
    uint64_t away_ms;
    bool has_suffix, has_fixed;
    /** clocks show multiples of this */
    uint64_t grain_ms;

    meeting_t meeting, backup;
    int64_t redis_skew_ms;
    bool is_down, is_refusing;
    /** it was restarted empty or from a backup */
    bool is_data_lost;
    uint64_t latency_ms;
    unsigned loss_percent, ghost_percent;
    flight_t flights[FLIGHTS_MAX];
    size_t num_flights;

    claim_t claims[CLAIMS_MAX];
    size_t num_claims;
    /** two releases claimed one token, where that cannot be helped */
    bool is_collided;
    /** since when nothing happened that nodes must agree on anew */
    uint64_t unsettled_ms;
    /** the same, but that nodes come back with what they had does not count */
    uint64_t renewed_ms;
    bool is_calm;
    uint64_t calm_ms;
    unsigned num_events, num_mints, num_polls, num_violations_allowed;
    /** overtaken by silence and taken back in this world; and whether its order was looked at */
    unsigned num_silences, num_returns, num_orders;
} world_t;

/** a number below `end` */
uint64_t world_random(world_t *world, uint64_t end);
bool world_chance(world_t *world, unsigned percent);

/** Makes a world of its seed, with all nodes about to start. */
void world_init(world_t *world, uint64_t seed);
void world_dispose(world_t *world);
/** Lets everything happen up to a moment; stops early where something is wrong. */
void world_run(world_t *world, uint64_t until_ms);
/** One fault of any kind. */
void world_fault(world_t *world);
/** Ends all faults; what was agreed on must hold from here on. */
void world_calm(world_t *world);
/** Ends a node's process. */
void world_kill(world_t *world, node_t *node);

/** Redis is away for so long, and loses nothing. */
void world_take_down(world_t *world, uint64_t ms);

/** checks.c: what must hold after an event of a node, and at any time. */
void check_node(world_t *world, node_t *node, bool is_published);
void check_world(world_t *world);
void check_top(world_t *world);
/** Nobody was overtaken for a silence that was not his. */
void check_passed(world_t *world, const minute_t *minute);
/** The release that was deployed or promoted last is on top of all that live. */
void check_order(world_t *world);
/** Within this a release that is gone is overtaken; `is_after_cut` with what a cut allows. */
uint64_t overtaking_ms(const world_t *world, bool is_after_cut);
void world_note_minute(world_t *world, const minute_t *minute);
void world_claim(world_t *world, const breaker_ledger_entry_t *entry, bool is_local,
                 bool is_registered);

#endif
