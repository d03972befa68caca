#ifndef BREAKER_SNAPSHOT_H
#define BREAKER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>
#include <breaker/ledger.h>
#include <breaker/release.h>
#include <breaker/release_id.h>
#include <breaker/token.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the most releases besides the current one that a node holds at once */
#define BREAKER_HELD_MAX 16

/** What a snapshot says of one view. */
typedef struct st_breaker_snapshot_view_t {
    const breaker_view_t *view; /* borrowed: the node's */
    /** T, the token that this node hands out */
    breaker_token_t token;
    /** the assets under T; NULL while nothing is loaded */
    const breaker_store_t *store;
    /** "/static/1718539201234/", not NUL-ended: the view's prefix under T */
    char prefix[BREAKER_VIEW_PREFIX_MAX];
    size_t prefix_len;
    /** private: T in the ledger; NULL: not there. Borrowed from the snapshot's */
    const breaker_ledger_entry_t *_entry;
    /**
     * private: of the tokens that have the form of minted ones, the last that is certainly older
     * than T (`len` 0: none is), and the last that may be (`len` 0: the same one)
     */
    breaker_token_t _older_to, _newer_above;
    /** private: whether T is decimal digits and nothing else */
    bool _is_decimal;
    /** private: T and the tokens of the ledger; owned by the snapshot */
    struct st_breaker__known_t *_known;
} breaker_snapshot_view_t;

/**
 * A snapshot: everything that a request is judged by, at one moment. Immutable once made. Counted
 * references. Server threads hold one each and exchange it between requests; whatever outlives the
 * moment of a request takes a reference of its own.
 */
typedef struct st_breaker_snapshot_t {
    /** starts at 1; larger is later; unique in the publisher that numbered it */
    uint64_t generation;
    breaker_snapshot_view_t *views;
    size_t num_views;
    breaker_release_t *release;
    breaker_release_t *held[BREAKER_HELD_MAX];
    size_t num_held;
    /** for each ledger entry: what this node can do for it, filled when the snapshot is made */
    bool has_ledger;
    /** there is nobody to ask for a token that the ledger does not know */
    bool is_alone;
    breaker_ledger_t ledger;
    breaker_release_t *entry_release[BREAKER_LEDGER_MAX]; /* borrowed from release or held */
    bool entry_relayable[BREAKER_LEDGER_MAX];
    bool older_alive;
    /** private: the reference count */
    size_t _refs;
} breaker_snapshot_t;

/** Takes a reference and returns its argument. Any thread. */
BREAKER_EXPORT breaker_snapshot_t *breaker_snapshot_ref(breaker_snapshot_t *snapshot);
/** Drops a reference; takes NULL. The last one frees. Any thread. */
BREAKER_EXPORT void breaker_snapshot_unref(breaker_snapshot_t *snapshot);

/**
 * The one place where the threads of a server meet: the current snapshot. Created before and freed
 * after everything that uses it.
 */
typedef struct st_breaker_publisher_t breaker_publisher_t;

/**
 * Brings `*current` up to date, where a thread keeps its reference (NULL at first), and returns
 * true when it changed. When nothing was published since, this is one acquire-load; otherwise the
 * new snapshot is referenced under the publisher's lock and the old reference dropped. `*current`
 * stays NULL while nothing is published. Drop the last one with `breaker_snapshot_unref`. Any
 * thread, each with a `current` of its own.
 */
BREAKER_EXPORT bool breaker_publisher_refresh(breaker_publisher_t *publisher,
                                              breaker_snapshot_t **current);

#ifdef __cplusplus
}
#endif

#endif
