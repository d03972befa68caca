#ifndef BREAKER_HOLDING_PARTS_H
#define BREAKER_HOLDING_PARTS_H

/* What the files of this room share: all of it is the holding's thread's, but for the inbox. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "archive/archive.h"
#include "log/log.h"
#include "holding/blob_list.h"
#include "holding/errand.h"
#include "holding/holding.h"
#include "holding/inbox.h"
#include "holding/pauses.h"
#include "holding/tally.h"
#include "holding/tracked.h"
#include "node/published.h"
#include "peers/client.h"
#include "release/manifest_read.h"
#include "release/spool.h"

/** how many blobs peers are asked for at once: ahead, and in all; the client takes more */
#define BREAKER__ASKS_AHEAD_MAX 256
#define BREAKER__ASKS_MAX 512

/** A blob that peers are asked for. */
typedef struct st_breaker__blob_ask_t {
    uint64_t ask;
    breaker__blob_t *blob;     /* owned reference */
    breaker__tracked_t *known; /* whose round it belongs to; NULL: none's, a request waits for it */
} breaker__blob_ask_t;

/** how many files that are streamed through are here at once */
#define BREAKER__SPOOLS_MAX 8

/** A file that is streamed through: it comes from peers, or has come and may be asked for again. */
typedef struct st_breaker__spooled_t {
    breaker__blob_t *blob;  /* owned reference */
    breaker_spool_t *spool; /* owned reference */
    uint64_t ask;           /* 0: it has come */
    bool is_archived;       /* it is on its way into the archive */
    breaker__incoming_t incoming;
    /** how many answers were begun when it was looked at last, and since when nobody wants it */
    uint64_t num_taken, idle_since_ms;
} breaker__spooled_t;

typedef struct st_breaker__spooling_t {
    size_t num;
    breaker__spooled_t spooled[BREAKER__SPOOLS_MAX];
    breaker__pauses_t pauses;
} breaker__spooling_t;

/** Where the bytes are that releases name and nobody has read yet. */
typedef struct st_breaker__source_t {
    size_t num_asks;
    breaker__blob_ask_t asks[BREAKER__ASKS_MAX];
    /** beyond the own release: bytes in memory, and open files of the archive, that stay */
    uint64_t memory;
    size_t num_files;
    /** how often that was counted */
    uint64_t num_counts;
} breaker__source_t;

/** What came of looking for a blob. */
typedef enum en_breaker__found_t {
    BREAKER__FOUND_FILLED,
    /** it is in the archive, and stays there for now */
    BREAKER__FOUND_THERE,
    /** it is being looked for: to be asked again */
    BREAKER__FOUND_LATER,
    /** a disk, or memory, refused: it may be found another time */
    BREAKER__FOUND_TROUBLE,
    BREAKER__FOUND_NOWHERE,
} breaker__found_t;

/** The large file of the archive that is being read, or was last. */
typedef struct st_breaker__reading_t {
    breaker__errand_t errand;
    breaker__blob_t *blob; /* owned reference; NULL: none */
    /** a request wants it */
    bool is_urgent;
    /** one that a request wants, and that is to be read next; owned reference, or NULL */
    breaker__blob_t *next;
    /** what came of it, and when, of CLOCK_MONOTONIC */
    breaker__found_t found;
    uint64_t found_ms;
} breaker__reading_t;

/** The release that is being put into the archive. */
typedef struct st_breaker__archiving_t {
    breaker_release_id_t id;
    breaker_release_t *release; /* owned reference; NULL: none is */
    breaker__blob_list_t blobs;
    bool is_whole;
    breaker__errand_t errand;
    /** of CLOCK_MONOTONIC: none before, because a disk refused; and when it is swept next */
    uint64_t due_ms, sweep_due_ms;
} breaker__archiving_t;

struct st_breaker__holding_t {
    breaker_node_t *node;                   /* borrowed: outlives us */
    const breaker_holding_config_t *config; /* borrowed: the node's */
    breaker__inbox_t inbox;
    atomic_bool stop;

    pthread_t thread;
    bool is_started;
    uv_loop_t loop;
    uv_async_t wake;
    pthread_mutex_t wake_lock; /* of `is_closed` */
    bool is_closed;            /* the loop has ended, or is about to */
    /* somebody left something that is more than a wanted blob */
    atomic_bool has_news;
    uv_timer_t timer;
    uv_idle_t work; /* active while there is something to do at once */

    breaker__log_t log;
    breaker__archive_t *archive; /* owned; NULL: none is configured, or it cannot be opened */
    breaker__peers_t *client;    /* owned; NULL: no peers */
    breaker__catalog_t catalog;
    breaker__source_t source;
    breaker__spooling_t spooling;
    breaker__archiving_t archiving;
    breaker__reading_t reading;
    breaker__tally_t tally;

    /* what was published last of what is held, to publish only what is news */
    breaker__held_set_t said;
    uint64_t said_changes;
    /* releases have come or gone since the memory was counted */
    bool is_uncounted;

    /* what the coordinator told last; owned */
    breaker_peers_t told;
    uint64_t num_told;
    /* the worker that this one follows is one of the peers */
    bool has_predecessor;
    bool is_current;
    /* of who the peers are and what they serve */
    uint64_t roster;
    size_t num_peers;
    uint32_t num_nodes;
    uint64_t keys_generation;
    /* what peers hold was asked (0: no ask under way), and has been answered since there are some
     */
    uint64_t held_ask;
    bool was_offered;
    uint64_t wanted_peers_ms;
    /* the release that is made known to peers; `len` 0: none yet. And since when */
    breaker_release_id_t made_known;
    uint64_t made_known_ms;
};

/** There may be something to do at once. */
void breaker__holding_go_on(breaker__holding_t *holding);
/** What time it is: of CLOCK_MONOTONIC and of the epoch, in milliseconds. */
breaker__moment_t breaker__holding_now(void);
/** Says an event of a level, a kind and a name, with a field or more. */
#define breaker__holding_say(holding, level, kind, name, ...)                                      \
    breaker__log(&(holding)->log, breaker__holding_now(), level, kind, name, __VA_ARGS__)

/* ---- held.c: the set, and its publication ---- */

/**
 * Brings together what the node serves, what is known and what is to be kept, and publishes what is
 * held if that is news. Before the thread starts as well.
 */
void breaker__held_update(breaker__holding_t *holding);
/** Makes a release held that is not: of its manifest, which stays the caller's. */
int breaker__held_take(breaker__holding_t *holding, breaker__tracked_t *known,
                       const breaker__manifest_t *manifest, const char *source);
/** Has another one of the same manifest take the place of a release that is held, which goes when
 * nobody uses it any more. Published by the next update. Fails as it was. */
int breaker__held_replace(breaker__holding_t *holding, breaker__tracked_t *known,
                          const breaker__manifest_t *manifest);
/** It could not be made held, or nobody gave its manifest: it is tried again later. */
void breaker__held_fail(breaker__holding_t *holding, breaker__tracked_t *known, const char *why);
/**
 * Takes the next step: has the coldest release give way, or one that is to be held and is not be
 * read from the archive, or peers be asked for it. True when there may be another one to take at
 * once.
 */
bool breaker__held_step(breaker__holding_t *holding);
/** Whether a release is to be held whose manifest only peers can have, and none is asked. */
bool breaker__held_lacks_manifest(const breaker__holding_t *holding);
/** Has encoded what has come of the held releases since they were encoded last. */
void breaker__held_encode(breaker__holding_t *holding);
/** Everything that was asked of a release is here: says so once. */
void breaker__held_complete(breaker__holding_t *holding, breaker__tracked_t *known);
/** Tells the node how far it is: what live nodes serve is here, and they know what it serves. */
void breaker__held_tell_ready(const breaker__holding_t *holding);

/* ---- source.c: bytes, from the archive and from peers ---- */

void breaker__source_dispose(breaker__source_t *source);
/** Blobs that requests wait for, all that there are. */
void breaker__source_serve(breaker__holding_t *holding);
/** Works through what releases lack, for a few milliseconds; true when there is more to do now. */
bool breaker__source_step(breaker__holding_t *holding);
/** A release is let go: its asks are nobody's any more. */
void breaker__source_forget(breaker__source_t *source, const breaker__tracked_t *known);
/** Gives a blob bytes that stay, and counts them. Fails like `breaker__blob_fill`. */
int breaker__source_fill(breaker__holding_t *holding, breaker__blob_t *blob, const char *base);
/**
 * A blob's file in the archive, which was right after it had the stamp `checked`, or now where that
 * is NULL: it stays open where there is room, or is sent from for now where a request wants it;
 * what is taken over is set to -1.
 */
breaker__found_t breaker__source_take_file(breaker__holding_t *holding, breaker__blob_t *blob,
                                           int *fd, const breaker__stamp_t *checked,
                                           bool is_urgent);
/** Counts what came of looking for a blob in the archive, if anything did. */
void breaker__source_count_archive(breaker__holding_t *holding, const breaker__blob_t *blob,
                                   breaker__found_t found);
/** What an error of the archive's says of a blob. */
breaker__found_t breaker__found_by(int err);
/** What the client answers. */
void breaker__source_on_blob(breaker__holding_t *holding, uint64_t ask, const char *base,
                             uint64_t len);
/** False when this is no ask for a blob. */
bool breaker__source_on_nobody(breaker__holding_t *holding, uint64_t ask,
                               breaker__peers_nobody_t why);

/* ---- room.c: how much of it is here ---- */

/** Counts anew what is here, and stays, beyond the own release. */
void breaker__room_count(breaker__holding_t *holding);
/** Whether the bytes of a blob would be kept in memory: there is room, and not only cold releases
 * lack it. */
bool breaker__room_keeps(const breaker__holding_t *holding, const breaker__blob_t *blob);
/** Whether a file of the archive would stay open though nobody asked for it. */
bool breaker__room_keeps_file(const breaker__holding_t *holding);
/**
 * Makes room for bytes that are here for now, in memory or as an open file: what was read longest
 * ago goes. False where what is left is being sent, or waited for.
 */
bool breaker__room_make_memory(breaker__holding_t *holding, uint64_t len);
bool breaker__room_make_file(breaker__holding_t *holding);

/* ---- anew.c: the coldest release gives way ---- */

/**
 * Holds the coldest release anew, without what it alone has in memory, where others have no room;
 * `is_uncounted` is set where something was given up. False when nothing is to give way.
 */
bool breaker__anew_make_room(breaker__holding_t *holding);

/* ---- reading.c: large files of the archive ---- */

/** Fails like `breaker__archive_open`. */
int breaker__reading_open(breaker__holding_t *holding, const breaker__archive_config_t *config,
                          breaker_error_t *error);
void breaker__reading_close(breaker__holding_t *holding);
/** Whether a blob is so large that it is read on an errand. */
bool breaker__reading_is_for(const breaker__blob_t *blob);
/**
 * Looks for such a blob in the archive, or says what came of it: LATER until then. Unasked it is
 * read where it is to stay in memory, else only hashed (THERE).
 */
breaker__found_t breaker__reading_look(breaker__holding_t *holding, breaker__blob_t *blob,
                                       bool is_urgent);

/* ---- spooling.c: files that are not copied but streamed through ---- */

/** Whether a blob is among them; if so, somebody wants it now. */
bool breaker__spooling_has(breaker__holding_t *holding, const breaker__blob_t *blob);
/**
 * A request wants a file above the limit that is not here, and that a release names: has peers
 * asked for it, if there is room.
 */
void breaker__spooling_begin(breaker__holding_t *holding, breaker__blob_t *blob,
                             const breaker_release_id_t *id);
/** Says of a file above the limit whether it can be streamed through. */
void breaker__spooling_judge(breaker__holding_t *holding, breaker__blob_t *blob);
/** What the client answers; false when this is no ask of ours. */
void breaker__spooling_on_spool(breaker__holding_t *holding, uint64_t ask);
bool breaker__spooling_on_nobody(breaker__holding_t *holding, uint64_t ask);
/** Lets go what nobody has wanted for a while. */
void breaker__spooling_look(breaker__holding_t *holding);
/** Lets all go; what is being sent of them breaks off where it has not come whole. The client is
 * gone. */
void breaker__spooling_end(breaker__holding_t *holding);

/* ---- archiving.c: what is kept for the next start ---- */

/**
 * Looks whether another process, the worker before or after this one for instance, has put a
 * release there since the archive was opened.
 */
void breaker__archiving_look(breaker__holding_t *holding, const breaker__tracked_t *known);
/** Opens the archive and takes in what it lists. Trouble is told; then there is none. */
void breaker__archiving_open(breaker__holding_t *holding);
void breaker__archiving_close(breaker__holding_t *holding);
/** Logs what the archive said on an errand. */
void breaker__archiving_tell(breaker__holding_t *holding, const breaker__errand_t *errand);
/** Sends what is next on an errand; true when there is more to do now. */
bool breaker__archiving_step(breaker__holding_t *holding);

/* ---- asking.c: peers ---- */

/** Whether there can be peers to be asked. */
bool breaker__asking_has_peers(const breaker__holding_t *holding);
/** Takes what the coordinator told, and makes the client when there is somebody to ask. */
void breaker__asking_update(breaker__holding_t *holding);
/** The coordinator is to tell of peers, at most once a second. */
void breaker__asking_want_peers(breaker__holding_t *holding);
/** Makes known to peers what this node serves, if that is news. */
void breaker__asking_make_known(breaker__holding_t *holding);
/**
 * Whether those who can be asked have the release that this node serves, so that pages that name it
 * may reach visitors: all of its files, or its manifest and longer than a request would wait.
 */
bool breaker__asking_is_known(const breaker__holding_t *holding);
/** Asks for the manifest of a release. */
void breaker__asking_ask_manifest(breaker__holding_t *holding, breaker__tracked_t *known);

#endif
