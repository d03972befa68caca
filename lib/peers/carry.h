#ifndef BREAKER_PEERS_CARRY_H
#define BREAKER_PEERS_CARRY_H

/* The inside of a client: its parts, and how asks are carried to peers. Not installed. */
#include "peers/asks.h"
#include "peers/client.h"
#include "peers/transfer.h"
#include "release/digest.h"

/** What a slot carries. */
typedef enum en_breaker__cargo_t {
    BREAKER__CARGO_NONE,
    BREAKER__CARGO_ASK,
    /** the list of what a peer holds, for whichever asks wait for one */
    BREAKER__CARGO_HELD,
    /** what a peer holds of the release that is made known to it */
    BREAKER__CARGO_WORD,
} breaker__cargo_t;

/** A place for one transfer at a time. */
typedef struct st_breaker__slot_t {
    breaker__transfer_t transfer;
    breaker__cargo_t cargo;
    breaker__ask_t *ask;  /* borrowed: of the queue; NULL but with BREAKER__CARGO_ASK */
    uint64_t peer_number; /* who is asked; may be gone */
} breaker__slot_t;

struct st_breaker__peers_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    breaker__peers_callbacks_t callbacks;
    uint32_t timeout_ms;
    uint64_t manifest_max, rate;
    char *ca_file; /* owned, or NULL */
    breaker__reach_t reach;
    breaker__peer_keys_t keys;

    breaker__multi_t *multi; /* owned */
    breaker__hasher_t hasher;
    breaker__roster_t roster;
    breaker__asks_t asks;
    breaker__slot_t *slots; /* owned */
    /**
     * `connections` as configured; where these are one or two, a spool has a slot of its own beyond
     * them: it may take minutes, and each of these has somebody else who needs it
     */
    unsigned connections, num_slots;
    unsigned num_running, num_manifests, num_spools, num_held, num_words;

    /** the release that is made known; `len` 0: none. Whether a peer was to be told of it, now or
     * soon, at the last look, and one was since something was begun that was asked for ahead */
    breaker_release_id_t word;
    bool is_telling, has_had_word;

    /* bytes that may still be begun, where there is a rate; refilled with time */
    int64_t budget;
    uint64_t refilled_ms;

    uv_timer_t timer; /* the next pump */
    unsigned pending; /* what the loop knows: the timer, `multi` */
    bool is_closed;
    void (*on_gone)(void *data);
    void *gone_data;
};

/** Carries on what can be carried on, from the loop, as soon as it comes round. */
void breaker__carry_soon(breaker__peers_t *peers);
/** A transfer ended: `on_done` of the multi handle; `data` is the client. */
void breaker__carry_done(void *data, CURL *easy, CURLcode code);
/** Ends an ask that nobody could answer. */
void breaker__carry_end(breaker__peers_t *peers, breaker__ask_t *ask, breaker__peers_nobody_t why,
                        uint64_t retry_in_ms);
/**
 * Makes a slot idle whose transfer has ended or was broken off. The ask, if it has one, is in the
 * queue again; it is returned, or NULL.
 */
breaker__ask_t *breaker__carry_vacate(breaker__peers_t *peers, breaker__slot_t *slot);
/** Bytes a second of one connection, or 0 for no limit. */
uint64_t breaker__carry_rate(const breaker__peers_t *peers);

#endif
