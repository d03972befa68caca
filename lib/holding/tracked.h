#ifndef BREAKER_HOLDING_TRACKED_H
#define BREAKER_HOLDING_TRACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/ledger.h>
#include <breaker/release.h>
#include "archive/archive.h"
#include "holding/blob_list.h"
#include "holding/keep.h"

/** the most releases that are known of, the own one included */
#define BREAKER__TRACKED_MAX BREAKER__CANDIDATES_MAX

/** A release that this node has heard of. */
typedef struct st_breaker__tracked_t {
    /** its id, when it was seen, its tokens; what `seen` of the archive has */
    breaker__archived_t about;
    /** the node's own; no other one is */
    bool is_own;
    /** a live node serves it; a peer that holds it said so */
    bool is_alive, is_offered;
    /** it is in the archive; something of `about` is not there yet */
    bool is_archived, is_to_note;
    /** its manifest is to be put there, whatever it lacks */
    bool is_manifest_due;
    /** what was noted there of when it was seen last */
    uint64_t noted_ms;
    /** the archive has had it all and has thrown it out, or cannot read it */
    bool is_barred;
    /** not all of it could be had for the archive: it is put there again, but not before this
     * moment of CLOCK_MONOTONIC */
    uint64_t archive_due_ms;
    /** a request waits for it */
    bool is_wanted;
    /** it is to be held */
    bool stays;

    /** owned reference; NULL: not held. Of the own one what is served */
    breaker_release_t *release;
    /** what it lacks, while it is held; gone through once and again */
    breaker__blob_list_t missing;
    /** of this round: those that are neither here nor in the archive, those that peers were asked
     * for and have not answered yet, and those that came of it */
    size_t num_lacking, num_asked, num_come;
    /** what was lacking at the end of the last round that lacked something */
    size_t num_left;
    /** of all rounds: what peers gave */
    size_t num_fetched;
    uint64_t size_fetched;
    /** rounds that ended with something lacking, one after the other */
    unsigned num_rounds;
    /** it keeps nothing in memory for itself: others were seen later, and have no room else */
    bool is_cold;
    /** the archive was gone through */
    bool is_searched;
    /** nothing is lacking, and it was said */
    bool is_complete;
    /** it was complete, the own one as well, and has lost something since: it has rounds again */
    bool is_hurt;
    /** it was complete, and it is to be seen whether it names a blob that was lost since; not
     * before this moment of CLOCK_MONOTONIC */
    bool is_to_check;
    uint64_t check_due_ms;
    /** of CLOCK_MONOTONIC: peers are asked for nothing of it before, unless a request waits; and
     * that was decided for the first time */
    uint64_t due_ms;
    bool is_timed;
    /** the ask for its manifest; 0: none */
    uint64_t ask;
    /** when it was heard of first, and how often the coordinator had told of peers by then */
    uint64_t heard_ms, heard_told;
    /** how often its manifest was asked for in vain before that counted */
    unsigned num_tries;
    /** nobody gave its manifest the last so many times, and last at this moment of due_ms' clock */
    unsigned num_failures;
    uint64_t failed_ms;
} breaker__tracked_t;

/** All of them. Zeroed, it is empty. The holding's thread, or before it starts. */
typedef struct st_breaker__catalog_t {
    size_t num;
    breaker__tracked_t *list[BREAKER__TRACKED_MAX]; /* owned */
} breaker__catalog_t;

void breaker__catalog_dispose(breaker__catalog_t *catalog);

breaker__tracked_t *breaker__catalog_find(const breaker__catalog_t *catalog,
                                          const breaker_release_id_t *id);
/**
 * Finds it or makes it; where there is no room, the one seen longest ago that is neither held nor
 * alive makes some. NULL for an id without a digest, which nothing could be checked against, for
 * one that finds no room, and without memory.
 */
breaker__tracked_t *breaker__catalog_add(breaker__catalog_t *catalog,
                                         const breaker_release_id_t *id, uint64_t seen_ms);
/** Forgets one, what it holds included. */
void breaker__catalog_remove(breaker__catalog_t *catalog, breaker__tracked_t *known);

/** It was seen at this moment, of the epoch. */
void breaker__tracked_see(breaker__tracked_t *known, uint64_t wall_ms);
/** A token of it; true when it is news. Of too many the newest are kept. */
bool breaker__tracked_add_token(breaker__tracked_t *known, const breaker_ledger_entry_t *entry);
/** Drops what it holds. */
void breaker__tracked_let_go(breaker__tracked_t *known);

/**
 * Decides `stays` of all: at most the keep's number of what is here, held or in the archive, and as
 * many of what peers may give, which take a place only when they are here. What nobody can give now
 * is not among them: where there are no peers, or where these had not got it until `due_ms`.
 */
void breaker__catalog_choose(breaker__catalog_t *catalog, const breaker__keep_t *keep,
                             bool has_peers, uint64_t wall_ms, uint64_t mono_ms);

#endif
