#ifndef BREAKER_CLUSTER_AGREEMENT_H
#define BREAKER_CLUSTER_AGREEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/agreement.h>
#include <breaker/ledger.h>
#include <breaker/release_id.h>
#include <breaker/token.h>
#include "moment.h"

/**
 * How a node agrees with its peers on one token, as a pure state machine: events in, actions out.
 * No clock, no socket, no thread, no callback, no allocation after `create`; the same events with
 * the same times and the same seed give the same actions. The link (redis.h) carries the actions
 * out.
 *
 *            saved token of this release
 *   START ───────────────────────────────▶ STALE ◀───────────────────────┐
 *     │ │                                    │ answer                     │ down, error,
 *     │ │ answer with an entry of my release ▼                            │ no answer for 3 polls
 *     │ └────────────────────────────────▶ SYNCED ────────────────────────┘
 *     │ grace over (policy open), start timeout over (policy wait)
 *     └────────────────────────────────────▶ LOCAL ── answer ──▶ SYNCED
 *
 * and the link below it, in any state:
 *
 *   event                       what follows
 *   ──────────────────────────  ────────────────────────────────────────────────────────────────
 *   connected                   poll at once; then every quarter of a poll, 250 ms at most, until
 *                               the longest wait of a peer + 1 s have passed: peers that lost
 *                               the same server are back by then, and what they bring is seen
 *                               soon. Only in a fleet of 100 nodes at most, and while answers
 *                               come within 50 ms
 *   answered                    poll again after the interval; every wait is up to 20 % longer
 *   it broke, timed out, was    back off: dial again a random time later. Its ceiling doubles
 *   refused, or was not made    from `backoff_min_ms`, or 2 ms a node, to `backoff_max_ms`, or
 *                               5 ms a node; it is forgotten after `forgive_after_ms` of good
 *                               answers
 *
 * The interval is the longest of `poll_ms`, what the script tells, and half a millisecond a node
 * of the fleet; fleet.h has all that depends on its size.
 *
 * So once Redis can be reached every node of a small fleet has polled within the timeout of a dial
 * or a poll that hung, `backoff_max_ms` and one round trip; a node that never lost it sees what
 * they bring a poll later.
 *
 * Kept always: the order of this node's token never decreases (P3), only an operator's token takes
 * the place of its earliest registration once that is heard of; what was handed out is in every
 * poll (P4, P6); a proposal that nobody saw is dropped; a node that can reach Redis hands out a
 * token only after the script accepted it. Used by one thread at a time.
 */
typedef struct st_breaker__agreement_t breaker__agreement_t;

typedef enum en_breaker__agreement_state_t {
    BREAKER__AGREEMENT_START,
    BREAKER__AGREEMENT_LOCAL,
    BREAKER__AGREEMENT_SYNCED,
    BREAKER__AGREEMENT_STALE,
} breaker__agreement_state_t;

/** What the caller does after an event; carried out in the order of the fields. */
typedef struct st_breaker__actions_t {
    /** close the connection, if there is one; no `on_down` follows from it */
    bool hang_up;
    /** write the state file: `breaker__agreement_ledger` and the own entry changed */
    bool save;
    /** token, ledger or readiness changed: publish them */
    bool publish;
    /** open a connection; exactly one `on_up` or `on_down` follows */
    bool dial;
    /** send `breaker__agreement_poll`; exactly one `on_answer`, `on_refused` or `on_down` follows
     */
    bool poll;
    /** call `on_time` at this mono_ms, or at any earlier event again; UINT64_MAX: not at all */
    uint64_t wake_ms;
} breaker__actions_t;

/** What one poll asks for. */
typedef enum en_breaker__act_t {
    /** nothing: all that the node has to say was said to the answer before */
    BREAKER__ACT_HOLD,
    /** a token where the release needs one */
    BREAKER__ACT_MINT,
    /** the same, but nothing as long as the ledger is empty: survivors first */
    BREAKER__ACT_SETTLE,
    /** a token although the ledger knows the release: its entries are below what the node handed
     * out */
    BREAKER__ACT_PROMOTE,
} breaker__act_t;

/** What one poll tells Redis: the arguments of the script, see lib/cluster/agree.lua. */
typedef struct st_breaker__poll_t {
    breaker__act_t act;
    uint64_t wall_ms;
    /** SHA-1 in hexadecimal of the ledger that Redis answered last on this connection, or "" */
    char digest[41];
    /** the fleet as the node remembers it; 0: not at all */
    uint32_t fleet;
    /** the own entry is a proposal that was made where Redis could not be asked */
    bool is_local;
    /** what must be merged, the node's own entry first: that one always, the rest as Redis lacks it
     */
    size_t num_entries;
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX + 1];
    /** of each entry, as far as it is known, at the same place */
    breaker_origin_t origins[BREAKER_LEDGER_MAX + 1];
} breaker__poll_t;

/** What an answer told that the node did not know. */
typedef struct st_breaker__news_t {
    /** it was the first answer of the node's life: what is told was there before the node came */
    bool is_first;
    /** the entries, oldest first, and where each comes from */
    size_t num_entries;
    breaker_ledger_entry_t entries[BREAKER_LEDGER_SHARED_MAX];
    breaker_origin_t origins[BREAKER_LEDGER_SHARED_MAX];
} breaker__news_t;

/** The defaults, minted tokens without a suffix, policy open; `release` must still be set. */
void breaker__agreement_config_init(breaker_agreement_config_t *config);

/**
 * Makes one in START, before `breaker__agreement_start`; the configuration is copied. Fails with
 * BREAKER_ERR_RANGE for timers outside their bounds (above a day, the polls and dead-after as given
 * above) and an unended suffix, with BREAKER_ERR_TOKEN_SYNTAX and BREAKER_ERR_RELEASE_SYNTAX for
 * malformed names, and with BREAKER_ERR_NO_MEMORY.
 */
int breaker__agreement_create(const breaker_agreement_config_t *config,
                              breaker__agreement_t **ret_agreement);
/** Takes NULL. */
void breaker__agreement_free(breaker__agreement_t *agreement);

/**
 * The first event. `saved` is what the state file holds (NULL or empty: nothing usable): if it has
 * an entry of this release, that token is used and counts as handed out.
 */
breaker__actions_t breaker__agreement_start(breaker__agreement_t *agreement, breaker__moment_t now,
                                            const breaker_ledger_t *saved);
/** A timer is due, or may be. */
breaker__actions_t breaker__agreement_on_time(breaker__agreement_t *agreement,
                                              breaker__moment_t now);
/** The connection that was asked for stands and may be polled. */
breaker__actions_t breaker__agreement_on_up(breaker__agreement_t *agreement, breaker__moment_t now);
/** It could not be made, it broke, or a reply timed out; it is closed. */
breaker__actions_t breaker__agreement_on_down(breaker__agreement_t *agreement,
                                              breaker__moment_t now);
/** The script answered. An answer that is malformed is treated like a refusal. */
breaker__actions_t breaker__agreement_on_answer(breaker__agreement_t *agreement,
                                                breaker__moment_t now,
                                                const breaker_answer_t *answer);
/** The script or Redis answered with an error: treated like a broken connection. */
breaker__actions_t breaker__agreement_on_refused(breaker__agreement_t *agreement,
                                                 breaker__moment_t now);
/**
 * A request carries a newer, unknown token: poll now, at most once a second, or once in half a
 * millisecond a node of the fleet. While a poll is under way another one follows its answer; while
 * there is no connection one is dialed, as often at most: whoever brought the token was there.
 */
breaker__actions_t breaker__agreement_on_wanted(breaker__agreement_t *agreement,
                                                breaker__moment_t now);

/**
 * The node has loaded another release and is to serve it. The own entry stays what it is, the old
 * release's, until there is one of the new release above it: at once where the ledger has it, else
 * with an answer, or as a proposal of the node's own once what START waits for is over. So the own
 * entry always names the release that is to be published with its token. `fixed` is the operator's
 * token for the new release, NULL: the one before, which another release has then; `suffix` is the
 * new release's, NULL: the one before. Both are valid as in the configuration.
 */
breaker__actions_t breaker__agreement_on_release(breaker__agreement_t *agreement,
                                                 breaker__moment_t now,
                                                 const breaker_release_id_t *release,
                                                 const breaker_token_t *fixed, const char *suffix);

/** Fills what the poll that was asked for says. */
void breaker__agreement_poll(const breaker__agreement_t *agreement, breaker__moment_t now,
                             breaker__poll_t *ret_poll);

/**
 * What it goes by: what it was made with, and the release that it was told of since. Borrowed until
 * the agreement is freed; the next event may change it.
 */
const breaker_agreement_config_t *breaker__agreement_config(const breaker__agreement_t *agreement);
/**
 * What a node by itself goes by, a cluster of one that never hears anybody, so that there is
 * nothing to wait for. `ledger` is what it remembers. Where it has an entry of the release, with a
 * token as `config` makes them, and none of another release above that, the entry is given back: a
 * restart changes nothing. Else one is minted above everything in the ledger: for a release that is
 * new, also where only its files are, under a label that was in use; for one that was followed by
 * another, so that nobody is led back (P7); for an operator's token that named another release, as
 * "v1.1718539201234". `*ret_is_new` says so: it is to be added to the ledger and saved before it is
 * handed out. Of `config` only the release, the operator's token and the suffix count. Fails like
 * `breaker__agreement_create`, and with BREAKER_ERR_RANGE when no order is left above the newest.
 * Pure; any thread.
 */
int breaker__agreement_alone(const breaker_agreement_config_t *config,
                             const breaker_ledger_t *ledger, uint64_t wall_ms,
                             breaker_ledger_entry_t *ret_own, bool *ret_is_new);

/**
 * Tells whether it is known where the own token stands. One that the operator gave and that this
 * node proposed where it could not ask (LOCAL) may stand elsewhere for long: its order is a guess,
 * which counts only where Redis knows nothing of the token. True while there is none.
 */
bool breaker__agreement_is_placed(const breaker__agreement_t *agreement);

/** What the machine stands at. Borrowed until the next event. */
breaker__agreement_state_t breaker__agreement_state(const breaker__agreement_t *agreement);
/** The mono_ms since which it stands at that. */
uint64_t breaker__agreement_since_ms(const breaker__agreement_t *agreement);
/** For how many ms it was not SYNCED before it became so the last time; 0 before the first. */
uint64_t breaker__agreement_away_ms(const breaker__agreement_t *agreement);
/** What the last good answer told. Borrowed until the next one. */
const breaker__news_t *breaker__agreement_news(const breaker__agreement_t *agreement);
/** The node's own entry, or NULL while it has no token (START). */
const breaker_ledger_entry_t *breaker__agreement_own(const breaker__agreement_t *agreement);
/** All that the node knows: the own entry, what Redis showed last, and the newest of the rest. */
const breaker_ledger_t *breaker__agreement_ledger(const breaker__agreement_t *agreement);
/** The mono_ms at which the poll that was answered last was sent; 0 before the first. */
uint64_t breaker__agreement_answered_ms(const breaker__agreement_t *agreement);

#endif
