#ifndef BREAKER_PEERS_ROSTER_H
#define BREAKER_PEERS_ROSTER_H

/*
 * Who may be asked, and what is known of them: who serves and holds what, who is set aside and
 * until when. Without socket and clock: every call says what time it is. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release_id.h>
#include <breaker/peer.h>
#include "peers/address.h"
#include "peers/held.h"

/** how long a peer that broke a rule is not asked, in milliseconds: at first, and at most */
#define BREAKER__PEERS_ASIDE_MIN_MS 1000
/** the same at first for one that could not be reached: it may be starting anew */
#define BREAKER__PEERS_UNREACHED_MIN_MS 100
#define BREAKER__PEERS_ASIDE_MAX_MS 60000
/** how long a peer that had too much to do (503) is not asked, in milliseconds */
#define BREAKER__PEERS_BUSY_MS 50
/** how long a peer's list of what it holds is believed, in milliseconds, and that nothing else is
 * held */
#define BREAKER__PEERS_HELD_MS 10000
#define BREAKER__PEERS_HELD_NOT_MS 1000
/** how long a peer that answered is preferred, because a connection to it is likely open still */
#define BREAKER__PEERS_WARM_MS 2000
/** the most peers that one ask remembers as asked in vain */
#define BREAKER__PEERS_TRIES_MAX 16

/** What a peer said of the release that is made known to it; the least first. */
typedef enum en_breaker__heard_t {
    /** nothing, or that it does not hold it */
    BREAKER__HEARD_NOT,
    /** that it holds it, and lacks files */
    BREAKER__HEARD_PARTLY,
    /** that it has all of it; or it does not know the question, and is left alone */
    BREAKER__HEARD_WHOLLY,
} breaker__heard_t;

/** What is known of one peer. Times are of the caller's clock, in milliseconds; 0: long ago. */
typedef struct st_breaker__known_t {
    /** names it for as long as it is in the list; never given twice */
    uint64_t number;
    breaker_peer_t told;
    char url[BREAKER__PEER_URL_MAX + 1];
    uint64_t aside_until_ms, busy_until_ms, warm_until_ms;
    uint32_t aside_ms; /* how long it was set aside last; 0: it has answered since */
    /** the key that its requests are signed with, and whether the other one failed before */
    size_t key_at;
    bool has_tried_keys;
    /** it is set aside because it knew none of the keys */
    bool is_stranger;
    /** its list is under way */
    bool is_asked_held;
    /** its list: when it came, and what was in it; owned, or NULL */
    uint64_t held_until_ms;
    size_t num_held;
    breaker__peers_held_t *held;
    /** of the release that is made known: what it said, whether it is being asked, how often it
     * was, and when it is asked again */
    breaker__heard_t heard;
    bool is_being_told;
    unsigned num_told;
    uint64_t tell_due_ms;
} breaker__known_t;

/** The peers. Plain value, zeroed at first; one thread. */
typedef struct st_breaker__roster_t {
    breaker__known_t *peers; /* owned */
    size_t num;
    uint64_t last_number;
    uint64_t random; /* the state of a generator; any number at first */
} breaker__roster_t;

/** Whom an ask has asked in vain. Plain value, zeroed at first. */
typedef struct st_breaker__tried_t {
    size_t num;
    uint64_t numbers[BREAKER__PEERS_TRIES_MAX];
} breaker__tried_t;

void breaker__roster_dispose(breaker__roster_t *roster);

/**
 * Replaces the list; what is known of an address stays, unless it serves another release than
 * before: then it is another process, of which nothing is known. Left out are `own_address`, which
 * may be NULL, addresses that are none, and second mentions. `has_predecessor`: at the own address
 * another process answers still, which is a peer of which nothing is known. Fails with
 * BREAKER_ERR_NO_MEMORY, and the list is as before.
 */
int breaker__roster_set(breaker__roster_t *roster, const char *own_address, bool has_predecessor,
                        const breaker_peer_t *list, size_t num);

/** The peer of a number, or NULL when it is in the list no more. Good until the list is set. */
breaker__known_t *breaker__roster_find(breaker__roster_t *roster, uint64_t number);

/** Whom to ask. */
typedef enum en_breaker__choice_t {
    /** this one */
    BREAKER__CHOICE_PEER,
    /** nobody yet: whether some hold it is not known */
    BREAKER__CHOICE_ASK_HELD,
    /** nobody yet: who may have it is busy until then */
    BREAKER__CHOICE_LATER,
    /** nobody: all who may have it, as far as is known, have not */
    BREAKER__CHOICE_NONE,
    /** nobody: who may have it is set aside until then (0: unknown, there is no peer at all) */
    BREAKER__CHOICE_ASIDE,
} breaker__choice_t;

/**
 * Chooses a peer that may have something of `release` and is not in `tried`: first one that serves
 * it, then one that holds it completely, then one that holds a part. Of equals one that answered
 * lately, else any. `*ret_peer` is set with BREAKER__CHOICE_PEER, `*ret_at_ms` with _LATER and
 * _ASIDE.
 */
breaker__choice_t breaker__roster_choose(breaker__roster_t *roster,
                                         const breaker_release_id_t *release,
                                         const breaker__tried_t *tried, uint64_t now_ms,
                                         breaker__known_t **ret_peer, uint64_t *ret_at_ms);

/**
 * A peer that may be asked and of which it is not known whether it holds a release, or what it
 * holds where that is NULL; NULL when there is none. At random.
 */
breaker__known_t *breaker__roster_unknown(breaker__roster_t *roster,
                                          const breaker_release_id_t *release, uint64_t now_ms);

/** Remembers that a peer was asked in vain; the oldest one is forgotten when there are too many. */
void breaker__tried_add(breaker__tried_t *tried, const breaker__known_t *peer);

/** It answered as it should. */
void breaker__known_answered(breaker__known_t *peer, uint64_t now_ms);
/** Other keys are known: who knew none of those before may be asked. */
void breaker__roster_on_keys(breaker__roster_t *roster);
/** It has too much to do. */
void breaker__known_busy(breaker__known_t *peer, uint64_t now_ms);
/**
 * It broke a rule or could not be reached: it is not asked for a while, twice as long as the last
 * time, `at_least_ms` at first. Returns for how
 * long, in milliseconds; 0 when it is set aside already, for another attempt of the same time.
 */
uint32_t breaker__known_aside(breaker__known_t *peer, uint32_t at_least_ms, uint64_t now_ms);
/** It said what it holds; copied. Out of memory it is as if it held nothing. */
void breaker__known_holds(breaker__known_t *peer, const breaker__peers_held_t *list, size_t num,
                          uint64_t now_ms);

/**
 * Gathers what all peers are known to hold now, each release once, at most `max` of them, and
 * returns how many.
 */
size_t breaker__roster_held(const breaker__roster_t *roster, uint64_t now_ms,
                            breaker__peers_held_t *list, size_t max);

#endif
