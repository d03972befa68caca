#ifndef BREAKER_RELEASE_BLOB_H
#define BREAKER_RELEASE_BLOB_H

/* What the files of this room share about blobs beyond blobs.h. */
#include <pthread.h>
#include <stdatomic.h>
#include <breaker/release.h>
#include "release/asset.h"
#include "release/blobs.h"
#include "release/body.h"
#include "release/cached.h"
#include "release/kind.h"

struct st_breaker__blob_t {
    atomic_size_t refs;
    breaker__blobs_t *blobs; /* owned reference */
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t len;
    _Atomic breaker__blob_state_t state;
    /** encodings that are not smaller, one bit each; the encoding thread says so */
    atomic_uint not_smaller;
    /** the last count that it was in; the holding's thread's */
    uint64_t counted;
    /** owned: encodings appear once and stay; identity is there when the state is HERE */
    _Atomic(breaker__body_t *) bodies[BREAKER_ENCODINGS];
    /** owned reference, changed under the table's lock: what its bytes come in, or NULL */
    _Atomic(breaker_spool_t *) spool;
    /** how many are being sent what is cached, in pieces */
    atomic_size_t num_pins;

    /* under the table's lock */
    bool is_listed;                  /* in the table; not any more when another took its place */
    struct st_breaker__blob_t *next; /* in its place of the table */
    breaker__shared_asset_t *assets; /* borrowed: they keep us */
    breaker__body_t *spoilt;         /* owned: files that changed, for who holds them still */
    breaker__cached_t *cached;       /* the table's reference; there when the state is CACHED */

    atomic_bool is_archived;

    /* of the wanted ones */
    atomic_bool is_wanted;
    struct st_breaker__blob_t *next_wanted;
};

struct st_breaker__blobs_t {
    atomic_size_t refs;
    _Atomic(breaker__suspects_t *) suspects; /* borrowed: outlives who serves, or NULL */
    /** what all blobs take; see `breaker__blobs_memory` */
    _Atomic uint64_t memory;

    pthread_mutex_t lock; /* of what follows, and of references that may be the last ones */
    breaker_release_hooks_t hooks;
    bool has_hooks;
    breaker__blob_t **places; /* owned: chains, `mask` + 1 of them, a power of two */
    size_t mask, num;
    breaker__kind_t *kinds; /* borrowed: assets and stores keep them */
    breaker__cached_list_t cached[BREAKER__CACHED_KINDS];

    /* who takes wanted blobs; `wanted` is pushed to by any thread, `taken` is the taker's */
    void (*_Atomic on_wanted)(void *data);
    void *_Atomic wanted_data;
    _Atomic(breaker__blob_t *) wanted;
    breaker__blob_t *taken;

    /** where filled bodies go; the filling thread's */
    breaker__sealed_t sealed;
};

/** Around what the lock protects, for moments only. */
void breaker__blobs_lock(breaker__blobs_t *blobs);
void breaker__blobs_unlock(breaker__blobs_t *blobs);
/**
 * Drops a reference to something that can be found under the lock. False: it was not the last one.
 * True: it was, and the lock is held, so that nobody finds it before it is taken out.
 */
bool breaker__blobs_drop(breaker__blobs_t *blobs, atomic_size_t *refs);

/**
 * Says what the releases of this table ask of their host, all of them the same: what is said first
 * counts. Any thread.
 */
void breaker__blobs_set_hooks(breaker__blobs_t *blobs, const breaker_release_hooks_t *hooks);

/**
 * Finds the blob with this digest and length, or makes it, ABSENT. The caller owns a reference.
 * Returns NULL without memory. Any thread.
 */
breaker__blob_t *breaker__blobs_get(breaker__blobs_t *blobs, const uint8_t *digest, uint64_t len);

/** The same, but NULL where there is none yet. */
breaker__blob_t *breaker__blobs_find_len(breaker__blobs_t *blobs, const uint8_t *digest,
                                         uint64_t len);

/**
 * Gives a blob its identity bytes, whose digest and length are its own, and with them every asset
 * that it has. Takes the body over in any case; where the blob is HERE meanwhile, it is freed.
 * Fails with BREAKER_ERR_NO_MEMORY. Any thread.
 */
int breaker__blob_take(breaker__blob_t *blob, breaker__body_t *body);
/**
 * Makes another blob with the same digest and length, HERE with these bytes, which is found in the
 * place of the first from now on; who has that one keeps it as it is. For bytes that are better to
 * have: of a file that lies in the tree now, or out of a memory file that holds hardly anything
 * else. Takes the body over in any case. The caller owns a reference to the new one. Fails with
 * BREAKER_ERR_NO_MEMORY. Any thread.
 */
int breaker__blob_renew(breaker__blob_t *blob, breaker__body_t *body, breaker__blob_t **ret_blob);

/**
 * What is known of an open file whose bytes were found to be a blob's after it had this stamp, or,
 * where `checked` is NULL, has the one of now, since nobody else writes to it. NULL where it is
 * none of its length or without memory, with the reason: BREAKER_ERR_CHANGED, _IO, _NO_MEMORY.
 */
breaker__disk_t *breaker__blob_watch(const breaker__blob_t *blob, int fd,
                                     const breaker__stamp_t *checked, int *ret_err);

/**
 * Has a blob be ABSENT again whose file was found to have other bytes, where somebody listens who
 * may get them from elsewhere. Returns whether it is: `disk` was what its identity bytes, or those
 * that it had cached, were read from. Any thread.
 */
bool breaker__blob_spoil(breaker__blob_t *blob, const breaker__disk_t *disk);

/** The body in an encoding, or NULL. One acquire-load; any thread. */
static inline breaker__body_t *breaker__blob_encoding(breaker__blob_t *blob, size_t encoding)
{
    return atomic_load_explicit(&blob->bodies[encoding], memory_order_acquire);
}
/** Gives a blob a body in an encoding that it does not have yet. The thread that makes encodings.
 */
void breaker__blob_set_encoding(breaker__blob_t *blob, breaker__body_t *body);

#endif
