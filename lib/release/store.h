#ifndef BREAKER_RELEASE_STORE_H
#define BREAKER_RELEASE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release.h>
#include <breaker/store.h>
#include "release/asset.h"
#include "release/blobs.h"
#include "release/body.h"
#include "release/kind.h"
#include "release/sealed.h"
#include "release/tree.h"

/** A path of the store and what it has. */
typedef struct st_breaker__entry_t {
    breaker_asset_t *asset; /* owned reference; NULL until it is set */
    /** where its text begins in the store's */
    uint32_t path;
    uint16_t len;
    /** which directories of the view have it, as in breaker__path_t: the first of them is its own
     */
    uint16_t directories;
} breaker__entry_t;

/**
 * A place of the index: a key and its asset, so that finding one touches no entry, which would cost
 * another cache miss. An empty place has no asset.
 */
typedef struct st_breaker__slot_t {
    breaker_asset_t *asset; /* borrowed: the entry's */
    /** the key is the first `len` bytes from here on in the store's texts */
    uint32_t path;
    uint16_t len;
    /** the upper bits of the key's hash; the lower ones chose the place */
    uint16_t tag;
} breaker__slot_t;

/**
 * What is a release's own: paths in bytewise order, the index over them, and which asset each has.
 * Assets and their bytes are shared by whoever has them (asset.h, blobs.h).
 */
struct st_breaker_store_t {
    const breaker_view_t *view; /* borrowed: outlives us */
    breaker__blobs_t *blobs;    /* borrowed: the release's */
    char *texts;                /* owned: the paths, each with its NUL */
    breaker__entry_t *entries;  /* owned */
    size_t num;
    /** owned: open addressing, at most half full, `slot_mask` + 1 places, a power of two */
    breaker__slot_t *slots;
    size_t slot_mask;
    breaker__saying_t saying; /* owned: what the view says */
    /** owned array of references, all different */
    breaker__kind_t **kinds;
    size_t num_kinds, kinds_capacity;
    /** owned: where large bodies go that are made for this store; the loading or encoding thread's
     */
    breaker__sealed_t sealed;
    /** bytes of bodies in memory, whole pages of those in files, each counted for every path that
     * has it; read and written by the loading or encoding thread */
    uint64_t bodies;
    /** memory besides assets and blobs */
    size_t own_memory;
    /** what all of it would take if nobody shared it; read by any thread */
    atomic_size_t memory;
};

/**
 * Makes a store whose entries have their paths, which are copied, and no assets yet. `blobs`
 * outlives it. Fails with BREAKER_ERR_NO_MEMORY, or with BREAKER_ERR_TOO_MANY where the paths
 * together take 4 GiB or more.
 */
int breaker__store_create(const breaker_view_t *view, breaker__blobs_t *blobs,
                          const breaker__listing_t *listing, breaker_store_t **ret_store);
/** Frees it and drops its assets; takes NULL. */
void breaker__store_free(breaker_store_t *store);

/** Gives an entry its asset, whose reference the store takes over, and counts its memory. */
void breaker__store_set(breaker_store_t *store, size_t at, breaker_asset_t *asset);
/** Forgets the entries that were given no asset, before anything else is done with them. */
void breaker__store_drop_empty(breaker_store_t *store);
/** Counts the encodings that the assets have already. Once, after all are set. */
void breaker__store_count_encodings(breaker_store_t *store);
/** Makes the index, after which assets are found; all are set. Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__store_index(breaker_store_t *store);

/**
 * The kind of assets of the store's view with these traits. Borrowed: the store keeps it. Returns
 * NULL without memory.
 */
breaker__kind_t *breaker__store_kind(breaker_store_t *store, const breaker__traits_t *traits);

/** How many bytes of bodies the view's memory still has room for. */
uint64_t breaker__store_room(const breaker_store_t *store);
/** Counts bytes of a body in memory. */
void breaker__store_add_body(breaker_store_t *store, uint64_t len);
/** `breaker__body_begin` in the store's room. */
char *breaker__store_begin_body(breaker_store_t *store, breaker__body_t *body);

/**
 * Finds the blob with this digest and length if its bytes are in memory and not among many dead
 * ones. The caller owns a reference. NULL when there is none such.
 */
breaker__blob_t *breaker__store_find_blob(const breaker_store_t *store, const uint8_t *digest,
                                          uint64_t len);
/**
 * Finds the blob with this digest and the length of `body`, HERE: the one that the function above
 * finds, or one with `body`, begun or of a file, which is
 * kept. Takes the body over in any case. The caller owns a reference. Fails with
 * BREAKER_ERR_NO_MEMORY.
 */
int breaker__store_bring(breaker_store_t *store, const uint8_t *digest, breaker__body_t *body,
                         breaker__blob_t **ret_blob);

/** Lets an asset be seen in an encoding of its blob, and counts that. Fails like the attaching. */
int breaker__store_attach(breaker_store_t *store, breaker_asset_t *asset,
                          const breaker__body_t *body);

/** Finds an asset by its own path only, never as the index file of a directory. */
breaker_asset_t *breaker__store_find_exact(breaker_store_t *store, const char *path, size_t len);
/**
 * Whether a path that names no asset is that of a directory without its slash, which answers with
 * its index file. Pure; any thread.
 */
bool breaker__store_has_directory(const breaker_store_t *store, const char *path, size_t len);
/**
 * What answers for a path that names nothing, by the view's option, or NULL: not where the last
 * segment has a dot. Pure; any thread.
 */
const breaker_asset_t *breaker__store_fallback(const breaker_store_t *store, const char *path,
                                               size_t len);

/** The view that the store belongs to. Borrowed. */
const breaker_view_t *breaker__store_view(const breaker_store_t *store);

/**
 * Bytes of memory that the store would take alone: bodies of all encodings, assets, and its own
 * structures.
 */
size_t breaker__store_memory(const breaker_store_t *store);

#endif
