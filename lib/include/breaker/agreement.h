#ifndef BREAKER_AGREEMENT_H
#define BREAKER_AGREEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/ledger.h>
#include <breaker/release_id.h>
#include <breaker/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the nodes of a cluster agree by (cluster.h): the policy of a start, the timers and their
 * bounds, and the ledger as Redis has it.
 */

/** What a node does when Redis cannot be reached at its start. */
typedef enum en_breaker_start_policy_t {
    /** serve under a proposal of its own once the grace is over */
    BREAKER_START_OPEN,
    /** the same, but only after `start_timeout_ms` */
    BREAKER_START_WAIT,
    /** never serve before the first answer */
    BREAKER_START_STRICT,
} breaker_start_policy_t;

/** Limits of the timers, for whoever reads them from a configuration: each [min, max] in ms. */
#define BREAKER_POLL_MIN_MS 100
#define BREAKER_POLL_MAX_MS 60000
#define BREAKER_DEAD_AFTER_MAX_MS 86400000
/** dead-after, where nobody says anything else */
#define BREAKER_DEAD_AFTER_DEFAULT_MS 30000

typedef struct st_breaker_agreement_config_t {
    /** the release whose bytes this node serves; "any" for clusters that share all files */
    breaker_release_id_t release;
    /** the operator's token, or a zeroed one: then tokens are minted */
    breaker_token_t fixed;
    /** appended to minted tokens, "" or "-a1b2c3d4"; at most 16 characters of a token's alphabet */
    char suffix[17];
    breaker_start_policy_t start;
    /** all in milliseconds; `breaker_cluster_config_init` sets the defaults given here */
    uint32_t poll_ms;          /* 1000, and up to 20 % more; longer from 2,000 nodes on */
    uint32_t backoff_min_ms;   /* 100, full jitter; more from 50 nodes on */
    uint32_t backoff_max_ms;   /* 1500: with a poll of up to 1200 less than three seconds; more
                                * from 300 nodes on */
    uint32_t forgive_after_ms; /* 5000 of good answers until the backoff is forgotten */
    uint32_t grace_ms;         /* 1500: how long START waits for a first answer (policy open) */
    uint32_t start_timeout_ms; /* 30000: the same for policy wait */
    uint32_t settle_ms; /* 2000: with an empty ledger and nothing to assert, survivors first */
    /* 30000; 0 = a silent release is never overtaken; else at least three polls */
    uint32_t dead_after_ms;
    /** of the jitter */
    uint64_t seed;
} breaker_agreement_config_t;

/** Why an entry was made, as far as Redis remembers it. */
typedef enum en_breaker_why_t {
    BREAKER_WHY_UNKNOWN,
    /** the release had none */
    BREAKER_WHY_JOIN,
    /** somebody put the release on top, or a node went over to it */
    BREAKER_WHY_PROMOTE,
    /** the release above it was silent for longer than dead-after */
    BREAKER_WHY_SILENCE,
    /** the release was overtaken by silence although it lived, and takes its place again */
    BREAKER_WHY_RETURN,
    /** another release claimed its token */
    BREAKER_WHY_CONFLICT,
    /** the operator gave the release another token */
    BREAKER_WHY_OPERATOR,
} breaker_why_t;

/** Where an entry comes from. */
typedef struct st_breaker_origin_t {
    breaker_why_t why;
    /** the release that was overtaken or conflicted with; `len` 0: none, or not known any more */
    breaker_release_id_t what;
    /** when, by Redis's clock: ms since the epoch, below 2^53; 0 where it is not known */
    uint64_t when_ms;
} breaker_origin_t;

/** What the script answered. */
typedef struct st_breaker_answer_t {
    char digest[41];
    /** Redis's clock: ms since the epoch */
    uint64_t now_ms;
    /** how many nodes poll, and how often the caller should; 0: not told */
    uint32_t fleet, interval_ms;
    /** the ledger is the one with the digest that was sent; `entries` is empty then */
    bool unchanged;
    size_t num_entries;
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    /** of each entry, at the same place */
    breaker_origin_t origins[BREAKER_LEDGER_MAX];
} breaker_answer_t;

#ifdef __cplusplus
}
#endif

#endif
