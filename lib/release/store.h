#ifndef BREAKER_RELEASE_STORE_H
#define BREAKER_RELEASE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release.h>
#include <breaker/store.h>
#include "release/arena.h"
#include "release/sealed.h"
#include "release/tree.h"

/**
 * A place of the index: a key and the number of its asset. An empty one has no path. Comparing the
 * key does not touch the asset, which would cost another cache miss.
 */
typedef struct st_breaker__slot_t {
    /** the key is the first `len` bytes */
    const char *path; /* borrowed: the arena's */
    uint32_t asset;
    uint16_t len;
    /** the upper bits of the key's hash; the lower ones chose the place */
    uint16_t tag;
} breaker__slot_t;

/**
 * The assets lie in one array in bytewise order of their paths, their identity variants in another;
 * both are as long as the listing that they were made from. Variants of other encodings have
 * allocations of their own, because they come one by one while others read.
 */
struct st_breaker_store_t {
    const breaker_view_t *view;           /* borrowed: outlives us */
    const breaker_release_hooks_t *hooks; /* borrowed: the release's */
    breaker_release_t *release;           /* borrowed: owns us; NULL while the load is going on */
    const char *directory;                /* borrowed: the arena's; where the files lay */
    breaker__arena_t arena;               /* owned: paths and types */
    breaker_asset_t *assets;              /* owned */
    breaker_variant_t *identities;        /* owned */
    size_t num_assets;
    /** owned: open addressing, at most half full, `slot_mask` + 1 places, a power of two */
    breaker__slot_t *slots;
    size_t slot_mask;
    /** owned array of texts in the arena, all different */
    const char **types;
    size_t num_types, types_capacity;
    /** owned: large bodies; written to by the loading or encoding thread */
    breaker__sealed_t sealed;
    /** bytes of bodies in memory, whole pages of those in files; read and written by the loading or
     * encoding thread */
    uint64_t bodies;
    /** all memory; read by any thread */
    atomic_size_t memory;
};

/**
 * Makes a store whose assets have their paths and nothing else. Takes the texts out of `arena`,
 * which is left empty. Fails with BREAKER_ERR_NO_MEMORY.
 */
int breaker__store_create(const breaker_view_t *view, const breaker_release_hooks_t *hooks,
                          breaker__arena_t *arena, const breaker__listing_t *listing,
                          breaker_store_t **ret_store);
/** Frees it with all variants, whatever it has of them; takes NULL. */
void breaker__store_free(breaker_store_t *store);

/** Makes the index, after which assets are found. Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__store_index(breaker_store_t *store);

/** Copies a media type once for all assets that have it. Returns NULL without memory. */
const char *breaker__store_intern(breaker_store_t *store, const char *type);

/** How many bytes of bodies the view's memory still has room for. */
uint64_t breaker__store_room(const breaker_store_t *store);
/** Counts a body in memory. */
void breaker__store_add_body(breaker_store_t *store, uint64_t len);

/**
 * Makes room for the bytes of a variant whose length is known: in the store's memory files if it is
 * BREAKER_SENDFILE_MIN bytes or more, else, or where that is refused, in an allocation that the
 * variant owns. Returns where the bytes are to be written; they are read at `variant->base`.
 * `breaker__store_drop_body` undoes it, `breaker__store_keep_body` keeps and counts it; one of the
 * two comes before the next body is begun. The length is not 0 and within the store's room. Returns
 * NULL without memory.
 */
char *breaker__store_begin_body(breaker_store_t *store, breaker_variant_t *variant);
void breaker__store_keep_body(breaker_store_t *store, const breaker_variant_t *variant);
void breaker__store_drop_body(breaker_variant_t *variant);

/**
 * Makes an empty variant that is not yet to be seen; `breaker__variant_free` frees it again.
 * Returns NULL without memory.
 */
breaker_variant_t *breaker__variant_create(breaker_encoding_t encoding);
void breaker__variant_free(breaker_variant_t *variant);

/** `breaker_asset_variant`, for loops: one acquire-load, paired with the one store below. */
static inline const breaker_variant_t *breaker__asset_variant(const breaker_asset_t *asset,
                                                              size_t encoding)
{
    return __atomic_load_n(&asset->_variants[encoding], __ATOMIC_ACQUIRE);
}
/** Lets a variant be seen that was not there before. */
static inline void breaker__asset_set_variant(breaker_asset_t *asset, breaker_variant_t *variant)
{
    __atomic_store_n(&asset->_variants[variant->encoding], variant, __ATOMIC_RELEASE);
}

/** Has the host prepare a finished variant, then lets it be seen. The store owns it from now on. */
void breaker__store_publish(breaker_store_t *store, breaker_asset_t *asset,
                            breaker_variant_t *variant);

/** Finds an asset by its own path only, never as the index file of a directory. */
breaker_asset_t *breaker__store_find_exact(breaker_store_t *store, const char *path, size_t len);

/** The view that the store belongs to. Borrowed. */
const breaker_view_t *breaker__store_view(const breaker_store_t *store);

/** Bytes of memory that the store keeps: bodies of all encodings and its own structures. */
size_t breaker__store_memory(const breaker_store_t *store);

#endif
