#ifndef BREAKER_PEERS_ASKS_H
#define BREAKER_PEERS_ASKS_H

/* What the client is asked for and has not answered yet. Without socket and clock. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release_id.h>
#include <breaker/store.h>
#include "peers/client.h"
#include "release/spool.h"

typedef enum en_breaker__ask_kind_t {
    BREAKER__ASK_HELD,
    BREAKER__ASK_MANIFEST,
    BREAKER__ASK_BLOB,
    /** a blob that goes into a spool */
    BREAKER__ASK_SPOOL,
} breaker__ask_kind_t;

/** One ask, from the call until its callback. */
typedef struct st_breaker__ask_t {
    uint64_t number;
    breaker__ask_kind_t kind;
    breaker__peers_priority_t priority;
    /** of a manifest and a blob; of a blob, in a spool as well */
    breaker_release_id_t release;
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t len;

    /** of a spool: owned reference; how much of it was here at the last look, and since when; which
     * peers gave some of it */
    breaker_spool_t *spool;
    uint64_t len_seen, progress_ms;
    breaker__tried_t givers;

    /** a transfer is under way for it */
    bool is_running;
    /** nothing can be done before a peer has said what it holds */
    bool waits_for_held;
    /** nor before this time */
    uint64_t not_before_ms;
    unsigned num_attempts, num_held_asked;
    breaker__tried_t tried;
    /** somebody who was tried sent a manifest of a later version */
    bool is_of_later_version;
} breaker__ask_t;

/** All asks. Plain value, zeroed at first. */
typedef struct st_breaker__asks_t {
    breaker__ask_t *asks[BREAKER__PEERS_ASKS_MAX]; /* owned */
    size_t num;
    uint64_t last_number;
} breaker__asks_t;

/**
 * Adds an ask, whose number is set, and returns it in `*ret_ask`; its other fields are zeroed.
 * Fails with BREAKER_ERR_TOO_MANY or BREAKER_ERR_NO_MEMORY.
 */
int breaker__asks_add(breaker__asks_t *asks, breaker__ask_kind_t kind, breaker__ask_t **ret_ask);
/** Takes one out and frees it. */
void breaker__asks_remove(breaker__asks_t *asks, breaker__ask_t *ask);
/** The ask of a number, or NULL. */
breaker__ask_t *breaker__asks_find(breaker__asks_t *asks, uint64_t number);
/** Frees all. */
void breaker__asks_dispose(breaker__asks_t *asks);

/**
 * The ask that is to be carried on first, or NULL when there is none for now: what is urgent, in
 * the order of the asking, then lists, then manifests, then blobs, the smallest first. Those that
 * run or wait are not looked at; manifests and spools only where they may be asked for.
 */
breaker__ask_t *breaker__asks_first(breaker__asks_t *asks, uint64_t now_ms, bool may_ask_manifests,
                                    bool may_ask_spools);

#endif
