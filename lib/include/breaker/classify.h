#ifndef BREAKER_CLASSIFY_H
#define BREAKER_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/export.h>
#include <breaker/snapshot.h>
#include <breaker/store.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What to do with a request. */
typedef enum en_breaker_verdict_kind_t {
    /** the path is in no view: somebody else's request */
    BREAKER_VERDICT_DECLINE,
    /** send `asset`, whose bytes may have to come first: see `breaker_asset_want` */
    BREAKER_VERDICT_SERVE,
    /** 301 to the same asset path under the view's current token */
    BREAKER_VERDICT_REDIRECT,
    /**
     * 302 that nobody keeps, to the same asset path under the view's current token: the path has
     * the placeholder itself in the token's place
     */
    BREAKER_VERDICT_UNREPLACED,
    /** 301 to the same path with a slash after it: a directory that has an index file */
    BREAKER_VERDICT_DIRECTORY,
    /**
     * have the node hold `entry->release`, which others may have, and classify by the snapshot that
     * holds it; if that fails or takes too long, do `otherwise`
     */
    BREAKER_VERDICT_RELAY,
    /** refresh the ledger once and classify again; if that is not possible, do `otherwise` */
    BREAKER_VERDICT_REFRESH,
    /** 503 with Retry-After */
    BREAKER_VERDICT_RETRY,
    /** 404 */
    BREAKER_VERDICT_NOT_FOUND,
} breaker_verdict_kind_t;

/** A verdict; pointers are borrowed from the snapshot and the set of views. */
typedef struct st_breaker_verdict_t {
    breaker_verdict_kind_t kind;
    /** what to do when RELAY or REFRESH comes to nothing; else the same as `kind` */
    breaker_verdict_kind_t otherwise;
    /** the view and its current token; NULL for DECLINE */
    const breaker_snapshot_view_t *view;
    /** where the token and the asset path lie in the path; unset for DECLINE */
    breaker_view_match_t match;
    /** for SERVE */
    const breaker_asset_t *asset;
    /** for RELAY: which release; else NULL */
    const breaker_ledger_entry_t *entry;
} breaker_verdict_t;

/**
 * Judges a path by a snapshot: the table of answers, without the answers. `path` is normalised
 * (percent-decoded, no dot segments, no query) and not NUL-ended; any bytes are survived.
 * `refreshed` says that the ledger is newer than the request, so that asking again is of no use.
 * Pure: no clock, no system call, no lock, no allocation. Any thread that holds the snapshot.
 *
 * T is the view's token, R the node's release, t the token of the path; the first row that applies
 * counts:
 *
 *   t = T                                      SERVE or NOT_FOUND
 *   t is the placeholder, nobody replaced it   UNREPLACED if the path exists under T, else
 *                                                NOT_FOUND
 *   t malformed, or the path is not clean      NOT_FOUND
 *   t is an older token of R                   REDIRECT
 *   t names a release that this node holds     SERVE or NOT_FOUND from that release; NOT_FOUND
 *                                                where that one has nothing of the view
 *   t is a word that the ledger does not know, NOT_FOUND
 *     where T looks minted
 *   t older, its release may be had            RELAY, otherwise as without it
 *   t not older, its release may be had        RELAY, otherwise RETRY
 *   t unknown to a cluster's ledger that was
 *     not refreshed, and not older             REFRESH, otherwise RETRY
 *   t unknown to a cluster's refreshed ledger,
 *     neither older nor newer                  NOT_FOUND
 *   t older                                    REDIRECT if the path exists under T, else NOT_FOUND
 *   t newer, or neither                        RETRY
 *
 * Which of two tokens is older:
 *
 *   the ledger knows t and T                   by their place in it
 *   it knows one of them, the other has the    by that one's order and the other's digits
 *     form of a minted token
 *   it knows neither, both have that form      by their digits, whatever their padding; of the same
 *                                              digits the one without a suffix, then bytewise
 *   it does not know t, which is all zeros     t is
 *   a refreshed cluster does not know t, any   t is
 *     number of fewer digits, and T looks
 *     minted
 *   anything else                              neither is: no guess leads to a redirect, which has
 *                                              to go forward in the cluster's one order
 *
 * A minted token has twelve digits or more, and perhaps '-' and eight characters; build numbers,
 * versions and commits are opaque. What is neither that nor a number is a word, "css" of a path
 * whose token was forgotten: where T looks minted, no token to come is one. Twelve digits that are
 * not padded may be an operator's date to the minute, "202611231200", as well: by their value they
 * are older only where a refreshed cluster does not know them, and neither otherwise. Where T looks
 * minted and has another order than its digits say, an operator's date perhaps, t is older or newer
 * than both or neither. Another spelling of T's value counts as older. A node by itself has its own
 * memory for a ledger (snapshot.h), and nobody to ask; one that keeps no history has none, and goes
 * by the texts alone: two decimal tokens compare by value, two of the form of minted ones as above,
 * any other pair bytewise, a proper prefix first.
 *
 * Where the table says SERVE or NOT_FOUND, a path without such an asset is DIRECTORY if it becomes
 * one with a slash after it, and SERVE for the view's `fallback` if that is meant; all of these are
 * there as far as REDIRECT and UNREPLACED are concerned.
 *
 * A newer token of R is served, because its bytes are those of T. While nothing is loaded, where
 * the assets under T would decide, the verdict is RETRY.
 */
BREAKER_EXPORT breaker_verdict_t breaker_classify(const breaker_snapshot_t *snapshot,
                                                  const breaker_views_t *views, const char *path,
                                                  size_t len, bool refreshed);

#ifdef __cplusplus
}
#endif

#endif
