#ifndef BREAKER_TESTS_FLEET_H
#define BREAKER_TESTS_FLEET_H

/*
 * Up to ten thousand nodes of one application in one thread: each has the agreement and the link of
 * a real one, and says what a real one says. Missing of a node are its files, its state file and
 * its server.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "samples.h"

#define FLEET_APP "fleet"
/** the releases that its nodes serve, "<release 0…>", are named by this; for what is put into Redis
 * beforehand as well */
#define FLEET_RELEASE_FORMAT "2026.11.%u~n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"

typedef struct st_fleet_t fleet_t;

typedef struct st_fleet_config_t {
    unsigned num_nodes;
    /** node n serves release n modulo this */
    unsigned num_releases;
    /** where Redis is */
    int port;
    uint64_t seed;
} fleet_config_t;

/** What the nodes did since the fleet was made. */
typedef struct st_fleet_tally_t {
    uint64_t polls, answers, failed_polls, dials, failed_dials;
} fleet_tally_t;

fleet_t *fleet_create(uv_loop_t *loop, const fleet_config_t *config);
/** Starts the next node that is not started; false when all are. */
bool fleet_start_next(fleet_t *fleet);
/** Hangs up; the loop must run until the links are gone, then `fleet_free`. */
void fleet_stop(fleet_t *fleet);
void fleet_free(fleet_t *fleet);

/** The next `num` nodes, each in its turn, serve a request that carries a newer, unknown token. */
void fleet_want(fleet_t *fleet, unsigned num);

/** Whoever dials from now on dials this port. */
void fleet_move(fleet_t *fleet, int port);

/** From now on it counts who polls, by polls that are sent from now on. */
void fleet_begin_return(fleet_t *fleet);
/** How many have been answered since. */
unsigned fleet_num_back(const fleet_t *fleet);
/** When the last of them came back, in ms after `fleet_begin_return`. */
uint64_t fleet_return_ms(const fleet_t *fleet);

fleet_tally_t fleet_tally(const fleet_t *fleet);
/** How many polls and dials are under way. */
unsigned fleet_queue(const fleet_t *fleet);
/** The most that were under way at once since this was asked last. */
unsigned fleet_take_longest_queue(fleet_t *fleet);
/** The round trips of polls that were answered, in microseconds; the caller may clear them. */
samples_t *fleet_round_trips(fleet_t *fleet);
/** A clock that never goes back, in microseconds. */
uint64_t fleet_clock_us(void);

#endif
