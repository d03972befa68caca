#ifndef BREAKER_RELEASE_BLOBS_H
#define BREAKER_RELEASE_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/store.h>
#include "release/stamp.h"
#include "release/suspects.h"

/**
 * The blobs of a node, found by their digests: whichever and however many releases, views and paths
 * name a content, it is here once. Counted references, taken and dropped on any thread; what is in
 * it keeps it.
 */
typedef struct st_breaker__blobs_t breaker__blobs_t;

/**
 * A blob: the content of a file, named by its SHA-256 and its length, and its encodings. Counted
 * references, taken and dropped on any thread; whoever drops the last one frees it. A length
 * belongs to the name because a manifest may lie about it: such a blob never has bytes.
 */
typedef struct st_breaker__blob_t breaker__blob_t;

/**
 *   known from a manifest ─▶ ABSENT ──fill──▶ HERE ◀── read by a load
 *                             ▲  │ ▲           │ ▲
 *                    set_lost │  ▼ └───────────┘ │ fill
 *                             LOST ──────────────┘
 *
 * and CACHED (cached.h) between ABSENT or LOST and HERE, and back to ABSENT. A blob that is HERE
 * stays so for as long as it lives, but for one that is sent from a file: where that was found to
 * have other bytes, and somebody listens who may get the right ones from elsewhere
 * (`breaker__blobs_listen`), it is ABSENT again.
 */
typedef enum en_breaker__blob_state_t {
    /** a manifest names it; its bytes are elsewhere */
    BREAKER__BLOB_ABSENT,
    /** its bytes are in memory or in an open file */
    BREAKER__BLOB_HERE,
    /** nobody has its bytes now: what asks for them gets 404 */
    BREAKER__BLOB_LOST,
    /** others have its bytes, which are more than may be kept here: what asks for them gets 503,
     * and may ask them */
    BREAKER__BLOB_ELSEWHERE,
    /** its bytes can be read, and may go when nobody reads them */
    BREAKER__BLOB_CACHED,
} breaker__blob_state_t;

/** Makes an empty table, one reference to which is the caller's. Fails with BREAKER_ERR_NO_MEMORY.
 */
int breaker__blobs_create(breaker__blobs_t **ret_blobs);
/** Takes a reference and returns its argument. */
breaker__blobs_t *breaker__blobs_ref(breaker__blobs_t *blobs);
/** Drops a reference; takes NULL. */
void breaker__blobs_unref(breaker__blobs_t *blobs);

/**
 * Says where files on disk are posted that something happens to: `suspects` outlives every thread
 * that serves from this table. NULL: nowhere, the state at first. Any thread; loads and holds with
 * suspects of their own say it as well.
 */
void breaker__blobs_set_suspects(breaker__blobs_t *blobs, breaker__suspects_t *suspects);

/**
 * Says who takes wanted blobs: `on_wanted(data)` is called for each that is posted, on the thread
 * that wants it, often one that serves: it must only wake. Without it, the state at first, nobody
 * wants anything. NULL ends it and forgets what was wanted and not taken: to be called before the
 * last reference of its owner is dropped, when nobody wants any more and nobody takes. One thread.
 */
void breaker__blobs_listen(breaker__blobs_t *blobs, void (*on_wanted)(void *data), void *data);
/**
 * Takes a wanted blob off, the one that was wanted first of those that were there at the last look;
 * NULL when there is none. The caller owns a reference. From then on it can be posted again. One
 * thread, the listener's.
 */
breaker__blob_t *breaker__blobs_take_wanted(breaker__blobs_t *blobs);

/**
 * Finds a blob by its digest, BREAKER_DIGEST_LEN bytes; the caller owns a reference. Where several
 * have the digest, that is where a manifest lied about a length, the one that is HERE. NULL when
 * there is none. Takes a lock for a moment; any thread.
 */
breaker__blob_t *breaker__blobs_find(breaker__blobs_t *blobs, const uint8_t *digest);
/**
 * Bytes of memory that all blobs, their bodies and their assets take, each once; whole pages of
 * bodies in memory files. Prepared heads are the host's and not counted. Any thread.
 */
uint64_t breaker__blobs_memory(breaker__blobs_t *blobs);
/** How many blobs there are. Any thread. */
size_t breaker__blobs_num(breaker__blobs_t *blobs);

/** Takes a reference and returns its argument. */
breaker__blob_t *breaker__blob_ref(breaker__blob_t *blob);
/** Drops a reference; takes NULL. */
void breaker__blob_unref(breaker__blob_t *blob);

/** BREAKER_DIGEST_LEN bytes, as long as the blob lives. */
const uint8_t *breaker__blob_digest(const breaker__blob_t *blob);
/** Bytes of its content. */
uint64_t breaker__blob_len(const breaker__blob_t *blob);
/** One acquire-load: who sees HERE sees the bytes. Any thread. */
breaker__blob_state_t breaker__blob_state(const breaker__blob_t *blob);
/** Whether it is HERE or CACHED. Any thread. */
bool breaker__blob_has_bytes(const breaker__blob_t *blob);
/** Bytes of memory that its bodies take now, in all encodings; 0 for what is on disk. Any thread.
 */
uint64_t breaker__blob_memory(breaker__blob_t *blob);

/**
 * Posts a blob to the listener, once until it is taken, and keeps it meanwhile; does nothing where
 * it is HERE or CACHED, or nobody listens. No lock, no allocation; any thread that has a reference.
 */
void breaker__blob_want(breaker__blob_t *blob);

/**
 * Gives a blob its bytes, as many as its length says, which the caller has checked against its
 * digest; they are copied into memory. Every asset of it can be sent from then on. Does nothing
 * where it is HERE already. Fails with BREAKER_ERR_NO_MEMORY. One thread at a time, the holding's.
 */
int breaker__blob_fill(breaker__blob_t *blob, const char *base);
/**
 * The same from an open regular file of its length, which is sent from: a change of it is noticed
 * as one of a file of a tree is (release.h). The bytes were checked after the file had the stamp
 * `checked`; what happened to it since is noticed as well. NULL stands for the stamp of now, for a
 * file that nobody else can write to. Takes `fd` over in any case. Fails with BREAKER_ERR_CHANGED
 * where the size is another, BREAKER_ERR_IO or BREAKER_ERR_NO_MEMORY. One thread at a time, the
 * holding's.
 */
int breaker__blob_fill_from(breaker__blob_t *blob, int fd, const breaker__stamp_t *checked);
/**
 * Says that nothing is filled for a while: what was filled is sealed against writing from within
 * this process as well, and gathered into large pages. The thread that fills.
 */
void breaker__blobs_settle(breaker__blobs_t *blobs);
/**
 * Has a blob not be found any more that a release names, so often, and nobody else has: neither
 * another release, nor a load that has found it and names it in a moment, nor whoever asks for it.
 * Who asks for its digest from now on gets another one, ABSENT at first; the release keeps it as it
 * is. False where others have it. Any thread, for a release that is kept meanwhile.
 */
bool breaker__blob_retire(breaker__blob_t *blob, size_t num_names);
/** Has it be found again, unless another one has taken its place. Any thread that keeps it. */
void breaker__blob_put_back(breaker__blob_t *blob);
/**
 * Says of a blob that it is counted, under a number that is not 0; false where it was already,
 * under the same number. For walks over several releases that share blobs: the holding's thread.
 */
bool breaker__blob_count_once(breaker__blob_t *blob, uint64_t number);
/**
 * Says whether its bytes lie in the archive, so that they can be had without asking a peer. The
 * holding's thread says it, any thread asks.
 */
void breaker__blob_set_archived(breaker__blob_t *blob, bool is_archived);
bool breaker__blob_is_archived(const breaker__blob_t *blob);
/** Says that nobody has its bytes now, or takes that back; nothing where it is HERE or CACHED. Any
 * thread. */
void breaker__blob_set_lost(breaker__blob_t *blob, bool is_lost);
/** Says that it is not to be fetched, though others have it; nothing where it is HERE or CACHED.
 * Any thread. */
void breaker__blob_set_elsewhere(breaker__blob_t *blob);

/**
 * The identity bytes, without a prepared head: to be read at `base` or, where that is NULL, by
 * `breaker_variant_read` after `breaker_variant_probe`. NULL unless the blob is HERE. Any thread;
 * good for as long as the caller has a reference to the blob, whatever becomes of its state.
 */
const breaker_variant_t *breaker__blob_body(breaker__blob_t *blob);

/** The blob of an asset. Borrowed: the asset keeps it. */
breaker__blob_t *breaker__asset_blob(const breaker_asset_t *asset);

#endif
