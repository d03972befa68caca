#ifndef BREAKER_BIN_CTL_CENSUS_H
#define BREAKER_BIN_CTL_CENSUS_H

/* The releases of a cluster, and of each its nodes: what `status` is about. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/ledger.h>
#include <breaker/script.h>

/** What Redis said. Borrowed, and outlives what is made of it. */
typedef struct st_breaker__sight_t {
    /** of the last page */
    const breaker_script_answer_t *answer;
    /** of all pages */
    const breaker_script_node_t *nodes;
    size_t num_nodes;
    /** the answer's */
    const breaker_ledger_t *ledger;
    /** a node unseen for longer is silent; 0: as its release has it, or else the default */
    uint64_t dead_after_ms;
} breaker__sight_t;

/** A release that the ledger, a node or the script names. */
typedef struct st_breaker__census_release_t {
    breaker_release_id_t id;
    /** its newest entry; NULL: the ledger does not know it */
    const breaker_ledger_entry_t *entry;
    /** what the script says of its silence; NULL: it was not seen in the last ten minutes */
    const breaker_script_release_t *told;
    /** those that need a look first: silent ones, then those that are behind */
    const breaker_script_node_t *const *nodes;
    size_t num_nodes, num_silent;
    /** how many of those that live do not have its newest token yet */
    size_t num_behind;
} breaker__census_release_t;

typedef struct st_breaker__census_t {
    /** newest first, those that the ledger does not know last */
    breaker__census_release_t *releases; /* owned */
    size_t num_releases;
    const breaker_script_node_t **nodes; /* owned, into the sight's */
} breaker__census_t;

/** Memory that is always there: without it breakerctl ends. */
void *breaker__ctl_allocate(size_t size);

/** Takes n log n for n nodes, and memory for n. */
void breaker__census_take(const breaker__sight_t *sight, breaker__census_t *ret_census);
void breaker__census_dispose(breaker__census_t *census);

/** Whether a node was seen lately. */
bool breaker__census_is_live(const breaker__sight_t *sight,
                             const breaker__census_release_t *release,
                             const breaker_script_node_t *node);
/** Whether a node has its release's newest token. */
bool breaker__census_is_synced(const breaker__census_release_t *release,
                               const breaker_script_node_t *node);

/**
 * Finds the newest of the releases after the one at `at` that has its label, but not its digest;
 * NULL where there is none. Releases that the ledger does not know are not looked at.
 */
const breaker__census_release_t *breaker__census_find_clash(const breaker__census_t *census,
                                                            size_t at);
/** Whether releases have different dead-afters, and the shortest and the longest; 0 is never. */
bool breaker__census_dead_after(const breaker__census_t *census, uint64_t *ret_shortest_ms,
                                uint64_t *ret_longest_ms);

/** Why an entry of the ledger is there. Borrowed; what is not known is zeroed. */
const breaker_origin_t *breaker__census_origin(const breaker__sight_t *sight,
                                               const breaker_ledger_entry_t *entry);

#endif
