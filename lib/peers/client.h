#ifndef BREAKER_PEERS_CLIENT_H
#define BREAKER_PEERS_CLIENT_H

/*
 * Asks other nodes for manifests and blobs, over HTTP, with libcurl on the caller's uv loop. What
 * is handed on was checked: a manifest against the digest in its release's id, a blob against its
 * SHA-256. Not installed.
 *
 *   ask ──▶ queue ──▶ roster: who may have it? ──▶ transfer ──▶ check ──▶ callback
 *             ▲                                        │
 *             └──── the next peer: lies, silence, 404 ─┘
 *
 * A peer that breaks a rule (a hash that does not fit, silence, too much, no HTTP, a redirect, an
 * error) is set aside for a second, the next time for two, up to a minute, and the next one is
 * asked; one that cannot be reached for a tenth of a second at first, since it may be starting
 * anew. Who merely has not got a thing is not asked for that thing again. Only addresses that
 * `breaker__peers_set` named and the reach allows are connected to; the address that counts is the
 * one of the socket, after names were looked up.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/error.h>
#include <breaker/release_id.h>
#include <breaker/peer.h>
#include "peers/address.h"
#include "peers/auth.h"
#include "peers/held.h"
#include "peers/roster.h"
#include "release/manifest_read.h"
#include "release/spool.h"

/** the most asks at a time, queued and under way */
#define BREAKER__PEERS_ASKS_MAX 1024
/** the most connections at a time, and the default */
#define BREAKER__PEERS_CONNECTIONS_MAX 64
#define BREAKER__PEERS_CONNECTIONS 4
/** the most attempts that are made for one ask, over all peers */
#define BREAKER__PEERS_ATTEMPTS_MAX 32
/** of how many peers it is asked at a time what they hold, and of how many for one ask */
#define BREAKER__PEERS_HELD_AT_ONCE 3
#define BREAKER__PEERS_HELD_ASKS_MAX 32
/** the most manifests that are under way at a time: their length is known only at the end */
#define BREAKER__PEERS_MANIFESTS_AT_ONCE 2
/** the slowest that a body may come, in bytes a second on average; slower is silence */
#define BREAKER__PEERS_RATE_MIN 16384
/** the default of `timeout_ms` */
#define BREAKER__PEERS_TIMEOUT_MS 1000
/** The client. All functions are for the loop's thread. */
typedef struct st_breaker__peers_t breaker__peers_t;

/** Zeroed, it has the defaults. Texts are copied. */
typedef struct st_breaker__peers_config_t {
    /** connections at a time, at most BREAKER__PEERS_CONNECTIONS_MAX; 0: the default. Where there
        are several, the last one is kept for what a request waits for; where there are one or two,
       a spool has another one for itself. */
    unsigned connections;
    /** bytes of bodies a second on average over all connections; 0: no limit */
    uint64_t rate;
    /**
     * How long a peer may be silent, in milliseconds, while it is connected to, before its answer
     * and in the middle of it; 0: the default. What takes longer than that has to come at
     * BREAKER__PEERS_RATE_MIN at least. What a request waits for goes to the next peer, if there is
     * one, after a quarter of it.
     */
    uint32_t timeout_ms;
    /** the longest manifest in bytes; 0: as long as the reader of manifests takes it */
    uint64_t manifest_max;
    /** "10.0.0.0/8", as `breaker_network_parse` reads them; none: no bounds */
    const char *const *cidrs;
    size_t num_cidrs;
    /** certificates (PEM) that https peers must be signed by, or NULL: the system's */
    const char *ca_file;
} breaker__peers_config_t;

/** What a blob or a manifest is asked for. */
typedef enum en_breaker__peers_priority_t {
    /** a request waits for it */
    BREAKER__PEERS_URGENT,
    /** for later; smaller ones first */
    BREAKER__PEERS_AHEAD,
} breaker__peers_priority_t;

/** Why nothing came of an ask. */
typedef enum en_breaker__peers_nobody_t {
    /** everybody who was asked answered, and has not got it */
    BREAKER__NOBODY_HAS_IT,
    /** some who may have it could not be asked now, or there is no peer or no key: try again */
    BREAKER__NOBODY_ANSWERS,
    /** a manifest came, of a version that only later programs read */
    BREAKER__NOBODY_IS_AS_OLD,
} breaker__peers_nobody_t;

/**
 * Exactly one of the first five is called an ask that is not cancelled, from the loop and never
 * inside a call of ours, with the number that the ask was given; it is the last thing that is done
 * for it. All of this module but `breaker__peers_free` may be called from within one. Bytes are
 * borrowed for the time of the callback.
 */
typedef struct st_breaker__peers_callbacks_t {
    void *data;
    /**
     * the text of a release's manifest, and the manifest that was read from it: it is one, and its
     * digest is that of the id. The manifest is the callee's, to be freed with
     * `breaker__manifest_free`
     */
    void (*on_manifest)(void *data, uint64_t ask, const breaker_release_id_t *id, const char *text,
                        size_t len, breaker__manifest_t *manifest);
    /** the `len` bytes of this SHA-256; `base` is not NULL, for no bytes neither */
    void (*on_blob)(void *data, uint64_t ask, const uint8_t *digest, const char *base,
                    uint64_t len);
    /** everything is in the spool that was asked for, which is RIGHT */
    void (*on_spool)(void *data, uint64_t ask);
    /** what several peers say that they hold, each release once; unchecked, and not of all peers.
        None: nobody holds any, or nobody was reached */
    void (*on_held)(void *data, uint64_t ask, const breaker__peers_held_t *list, size_t num);
    /** `retry_in_ms` is when the first of those that are set aside may be asked again; 0: unknown
     */
    void (*on_nobody)(void *data, uint64_t ask, breaker__peers_nobody_t why, uint64_t retry_in_ms);
    /** A peer that the release is made known to has answered, or has not; may be NULL. */
    void (*on_heard)(void *data);
    /** One line for the log, of a peer that was set aside, say: not oftener than it is. May be
        NULL. */
    void (*on_notice)(void *data, const char *notice);
} breaker__peers_callbacks_t;

/**
 * Makes the client; it does nothing until it knows peers and keys. The loop outlives it. Fails with
 * BREAKER_ERR_RANGE, and a story in `error`, for a configuration outside its bounds, with
 * BREAKER_ERR_NO_MEMORY, which is also what a libcurl that cannot be used comes to.
 */
int breaker__peers_create(uv_loop_t *loop, const breaker__peers_config_t *config,
                          const breaker__peers_callbacks_t *callbacks, breaker__peers_t **ret_peers,
                          breaker_error_t *error);

/**
 * Gives up what is under way and frees the client; takes NULL. No callback follows but `on_gone`,
 * which may be NULL: the loop knows nothing of the client any more. Not from within a callback.
 */
void breaker__peers_free(breaker__peers_t *peers, void (*on_gone)(void *data), void *data);

/**
 * Says who may be asked from now on, instead of those before; what is known of an address stays
 * known. Copied. `own_address` is what this node advertises, or NULL or "" where that is not known:
 * it is never asked, unless another process answers there still (`has_predecessor`), and where it
 * is on loopback, peers may be there as well. Addresses that are none are left out. Who is no
 * longer there is not asked any more, even where something is under way from it.
 */
void breaker__peers_set(breaker__peers_t *peers, const char *own_address, bool has_predecessor,
                        const breaker_peer_t *list, size_t num);

/** The keys that requests are signed with from now on; copied. */
void breaker__peers_set_keys(breaker__peers_t *peers, const breaker__peer_keys_t *keys);

/**
 * Asks for the manifest of a release. On success 0, and `*ret_ask` is the number that the callback
 * names. Fails with BREAKER_ERR_TOO_MANY (BREAKER__PEERS_ASKS_MAX), with BREAKER_ERR_RELEASE_SYNTAX
 * for an id without a digest, which nothing could be checked against, or BREAKER_ERR_NO_MEMORY.
 */
int breaker__peers_ask_manifest(breaker__peers_t *peers, const breaker_release_id_t *id,
                                breaker__peers_priority_t priority, uint64_t *ret_ask);

/**
 * Asks for the blob of a SHA-256, BREAKER_DIGEST_LEN bytes, that is `len` bytes long; memory of
 * that size is taken when its transfer begins. `release` is one that names it: its nodes are asked
 * first. Fails like the other one; with BREAKER_ERR_RANGE for a length that memory cannot have.
 */
int breaker__peers_ask_blob(breaker__peers_t *peers, const uint8_t *digest, uint64_t len,
                            const breaker_release_id_t *release, breaker__peers_priority_t priority,
                            uint64_t *ret_ask);

/**
 * Asks for a blob of which `spool` has the digest and the length `len`, and that it is written to
 * as it comes: what is in it was not checked before the end. Where a peer breaks off, falls silent
 * or is gone, the next one goes on from where it stopped, or the same one a little later. A request
 * waits for it; half of the connections, and of one or two all, are left to other asks. Nobody else
 * writes to the spool until the callback; where nobody gives the rest, or its hash was another in
 * the end, it is the owner's to be broken. Fails like the others.
 */
int breaker__peers_ask_spool(breaker__peers_t *peers, const uint8_t *digest, uint64_t len,
                             const breaker_release_id_t *release, breaker_spool_t *spool,
                             uint64_t *ret_ask);

/**
 * Gives an ask up: no callback follows. Asks that have ended, or never were, are left alone.
 */
void breaker__peers_cancel(breaker__peers_t *peers, uint64_t ask);

/**
 * Asks some peers what they hold: those of which that is known from the last
 * BREAKER__PEERS_HELD_MS, and up to BREAKER__PEERS_HELD_AT_ONCE others, chosen at random. Fails
 * like the others.
 */
int breaker__peers_ask_held(breaker__peers_t *peers, uint64_t *ret_ask);

/**
 * Makes a release known, the one that the node serves, instead of the one before: every peer that
 * does not serve it is asked whether it holds it, again and again for some ten seconds until it has
 * all of it. Who is asked for what it has not heard of looks for news of the ledger at once.
 */
void breaker__peers_make_known(breaker__peers_t *peers, const breaker_release_id_t *id);

/** The least that was said by the peers that may be asked now; of none BREAKER__HEARD_WHOLLY. */
breaker__heard_t breaker__peers_heard(const breaker__peers_t *peers);

/**
 * A request waits for what this ask is for: it goes before all that is not urgent. Asks that have
 * ended, or never were, are left alone.
 */
void breaker__peers_hurry(breaker__peers_t *peers, uint64_t ask);

/** How many more asks are taken now. */
size_t breaker__peers_room(const breaker__peers_t *peers);

#endif
