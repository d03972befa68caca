#ifndef BREAKER_TESTS_SCENARIO_H
#define BREAKER_TESTS_SCENARIO_H

/*
 * What happens to a fleet, and what is measured while it does:
 *
 *   JOIN ─▶ SETTLE ─▶ (BURDEN) ─▶ REST ─▶ BLOW ─▶ AWAY ─▶ RETURN ─▶ AFTER ─▶ OVER
 *                                          ▲                          │
 *                                          └──────── the next blow ◀──┘
 *
 *   join:    the nodes start, a few every moment, until all have polled
 *   settle:  some time, and until little is under way
 *   burden:  another client is set so that the server is busy for 85 % of its processor
 *   rest:    what polls cost
 *   return:  from the moment at which the server is back until all nodes have polled again
 *   after:   the same as settle
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "fleet.h"
#include "load.h"
#include "server.h"

/** the most blows of a scenario, and the most seconds of one that are told one by one */
#define SCENARIO_BLOWS_MAX 2
#define SCENARIO_SECONDS_MAX 300

/** All times in milliseconds. */
typedef struct st_scenario_config_t {
    const char *name;
    /** how many nodes start in a second */
    unsigned join_rate;
    uint64_t settle_ms, rest_ms, after_ms;
    /** how long the server is away; 0: as the blow has it */
    uint64_t away_ms;
    /** when waiting for all nodes, and for calm, ends without */
    uint64_t limit_ms;
} scenario_config_t;

/** What polls cost at rest. */
typedef struct st_scenario_rest_t {
    bool is_asked; /* Redis told its counters */
    uint64_t spent_us, polls, failed_polls, failed_dials;
    /** processor time of the server and of this program */
    uint64_t used_us, own_us;
    /** calls of the script and their time, as Redis counts them */
    uint64_t script_calls, script_us;
    /** of those by EVALSHA since the server started; unlike the mean it does not count when the
     * server lost its processor */
    uint64_t script_p50_us;
    uint64_t bytes_in, bytes_out;
    /** of round trips */
    uint32_t p50_us, p99_us, max_us;
    unsigned longest_queue;
    /** polls and dials under way */
    double mean_queue;
} scenario_rest_t;

/** What came of a blow. */
typedef struct st_scenario_blow_t {
    const char *name;
    uint64_t away_ms, return_ms;
    unsigned num_back;
    uint64_t polls, failed_polls, failed_dials;
    uint32_t p99_us;
    /** the most that was under way in each second since the blow */
    unsigned queue[SCENARIO_SECONDS_MAX], num_seconds;
    /** little was under way in the end */
    bool is_calm;
} scenario_blow_t;

typedef struct st_scenario_result_t {
    unsigned num_joined;
    uint64_t join_ms;
    /** little was under way before it was measured */
    bool is_calm;
    unsigned load_permille;
    scenario_rest_t rest;
    unsigned num_blows;
    scenario_blow_t blows[SCENARIO_BLOWS_MAX];
} scenario_result_t;

typedef struct st_scenario_t scenario_t;

/** Whether there is one of the name. */
bool scenario_is_known(const char *name);
/** Whether the nodes are to find a replica. */
bool scenario_needs_replica(const char *name);

/**
 * Runs one to its end, on a loop that nothing else keeps alive. `server` is where the nodes are
 * pointed; `replica` is where they are pointed after a failover, or NULL.
 */
void scenario_run(uv_loop_t *loop, const scenario_config_t *config, fleet_t *fleet,
                  unsigned num_nodes, server_t *server, server_t *replica,
                  scenario_result_t *ret_result);

#endif
