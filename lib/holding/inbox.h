#ifndef BREAKER_HOLDING_INBOX_H
#define BREAKER_HOLDING_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/peer.h>
#include "peers/auth.h"

/** the most releases that requests ask for at once */
#define BREAKER__WANTED_MAX 16

/**
 * What other threads leave for the holding's: who the peers are, which releases requests wait for.
 * The latest word counts; nothing here grows. Part of the holding.
 */
typedef struct st_breaker__inbox_t {
    pthread_mutex_t lock; /* of what follows, but for the atomics; for moments */
    bool has_news;
    breaker_peers_t peers; /* its arrays are owned */
    breaker_release_id_t wanted[BREAKER__WANTED_MAX];
    size_t num_wanted;
    breaker__peer_keys_t keys;
    /** of `keys`; 0: there are none yet */
    _Atomic uint64_t keys_generation;
    /** the holding wants to be told of peers */
    atomic_bool wants_peers;
} breaker__inbox_t;

int breaker__inbox_init(breaker__inbox_t *inbox);
void breaker__inbox_dispose(breaker__inbox_t *inbox);

/** Frees the arrays of peers that were taken, or copied. */
void breaker__peers_told_dispose(breaker_peers_t *peers);

/** Leaves what the coordinator told; copied. Fails as `breaker_node_set_peers` does. */
int breaker__inbox_put_peers(breaker__inbox_t *inbox, const breaker_peers_t *peers);
/** Takes it, if it is news; the caller owns the arrays. */
bool breaker__inbox_take_peers(breaker__inbox_t *inbox, breaker_peers_t *ret_peers);

/** Leaves a release that a request waits for; true when it is news. */
bool breaker__inbox_put_wanted(breaker__inbox_t *inbox, const breaker_release_id_t *release);
/** Takes all of them, at most BREAKER__WANTED_MAX, and says how many there were. */
size_t breaker__inbox_take_wanted(breaker__inbox_t *inbox, breaker_release_id_t *ret_releases);

/** See `breaker__node_peer_keys`. */
bool breaker__inbox_keys(breaker__inbox_t *inbox, uint64_t *generation,
                         breaker__peer_keys_t *ret_keys);

#endif
