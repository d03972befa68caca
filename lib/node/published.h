#ifndef BREAKER_NODE_PUBLISHED_H
#define BREAKER_NODE_PUBLISHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/node.h>

/** What a node publishes, but for what it holds of others. Plain value; the release is borrowed. */
typedef struct st_breaker__issue_t {
    breaker_release_t *release;
    /** by the views' indexes */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    bool has_ledger, older_alive;
    breaker_ledger_t ledger;
} breaker__issue_t;

/** What a node holds of others; the releases are borrowed. */
typedef struct st_breaker__held_set_t {
    /** the one that was seen last first; none of them the own one */
    size_t num_releases;
    breaker_release_t *releases[BREAKER_HELD_MAX];
    /** their tokens, which may be in no ledger any more; the newest first */
    size_t num_entries;
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    /** releases of the ledger that nobody is to be asked for now; all others are */
    size_t num_given_up;
    breaker_release_id_t given_up[BREAKER_LEDGER_MAX];
} breaker__held_set_t;

/**
 * What was published last, kept so that it can be published again with other releases held. All
 * publication goes through it. Part of the node. Its lock covers a whole publication, so that two
 * of them have one order; no thread that serves takes it.
 */
typedef struct st_breaker__published_t {
    pthread_mutex_t lock;
    /* the references of releases are owned in both; `release` is NULL until something is published
     */
    breaker__issue_t issue;
    breaker__held_set_t held;
    /* how often the own release has become another one, the first one included: what is held beside
     * it was chosen by the one before */
    uint64_t num_changes;
    /* between `prepare` and `commit`; references are not owned */
    breaker__issue_t next_issue;
    breaker__held_set_t next_held;
    breaker_snapshot_t *next;
} breaker__published_t;

int breaker__published_init(breaker__published_t *published);
void breaker__published_dispose(breaker__published_t *published);

/**
 * Makes the snapshot of what is to be published and leaves the lock taken for `commit` or `cancel`,
 * one of which follows on the same thread. Where the node holds, an own release that changes is
 * held from now on, and what is held under the new one's id is not any more. Fails with
 * BREAKER_ERR_NO_MEMORY, the lock not taken.
 */
int breaker__published_prepare(breaker_node_t *node, const breaker__issue_t *issue);
void breaker__published_commit(breaker_node_t *node);
void breaker__published_cancel(breaker_node_t *node);

/**
 * Publishes again with another held set, or only takes it over where nothing is published yet.
 * `num_changes` is what `breaker__published_read` told: fails with BREAKER_ERR_BUSY when the node
 * has changed what it holds since, and with BREAKER_ERR_NO_MEMORY. The holding's thread.
 */
int breaker__published_hold(breaker_node_t *node, const breaker__held_set_t *held,
                            uint64_t num_changes);

/**
 * Copies what is published, with a reference to each release that is in it, which
 * `breaker__published_drop` drops, and says how often the node changed what it holds. `release` is
 * NULL when nothing is published yet.
 */
void breaker__published_read(breaker_node_t *node, breaker__issue_t *ret_issue,
                             breaker__held_set_t *ret_held, uint64_t *ret_num_changes);
void breaker__published_drop(breaker__issue_t *issue, breaker__held_set_t *held);

#endif
