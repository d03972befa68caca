#ifndef BREAKER_RELEASE_ASSET_H
#define BREAKER_RELEASE_ASSET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <breaker/store.h>
#include "release/blobs.h"
#include "release/body.h"
#include "release/kind.h"

/** An identity variant that followed another one; it stays for whoever holds it. */
typedef struct st_breaker__later_t {
    breaker_variant_t variant;
    struct st_breaker__later_t *next; /* owned: the one before */
} breaker__later_t;

/**
 * An asset and what it shares: there is one for a blob and a kind, whichever releases, views and
 * paths have it. Counted references, taken and dropped on any thread.
 */
typedef struct st_breaker__shared_asset_t {
    breaker_asset_t asset; /* the first member: what others see */
    atomic_size_t refs;
    breaker__blob_t *blob;                   /* owned reference */
    breaker__kind_t *kind;                   /* owned reference */
    struct st_breaker__shared_asset_t *next; /* of the same blob; under the table's lock */
    /** the identity bytes or, of a blob that was ABSENT when the asset was made, none */
    breaker_variant_t identity;
    /**
     * owned: prepared answers for the identity bytes, and for them while encodings are still to be
     * made, or NULL; the latter is set once, under the table's lock, before the former is said to
     * count for good
     */
    void *prepared, *early;
    bool is_settled; /* under the table's lock */
    /**
     * owned: what followed it, the newest first; and memory for the next one, or NULL; under the
     * table's lock
     */
    breaker__later_t *later, *spare;
} breaker__shared_asset_t;

/**
 * Finds the asset of a blob and a kind, or makes it: its identity variant, and those in other
 * encodings that the blob has already where the kind has any, prepared as answers of `view`.
 * `last_modified_s` counts where it is made. The caller owns a reference. Fails with
 * BREAKER_ERR_NO_MEMORY. Any thread.
 */
int breaker__asset_get(breaker__blob_t *blob, breaker__kind_t *kind, const breaker_view_t *view,
                       int64_t last_modified_s, breaker_asset_t **ret_asset);
/** Drops a reference. Any thread. */
void breaker__asset_unref(breaker_asset_t *asset);

/** The kind of an asset. Borrowed. */
const breaker__kind_t *breaker__asset_kind(const breaker_asset_t *asset);

/**
 * Lets an asset be seen in an encoding that its blob has, prepared as an answer of `view`, where it
 * is not yet. Fails with BREAKER_ERR_NO_MEMORY. The thread that makes encodings.
 */
int breaker__asset_attach(breaker_asset_t *asset, const breaker_view_t *view,
                          const breaker__body_t *body);

/**
 * Has an asset be answered as one whose encodings are still to be made: its identity variant is an
 * early one from now on, while its bytes are in memory, prepared as an answer of `view`. Does
 * nothing where that was said before, or settled. Fails with BREAKER_ERR_NO_MEMORY. Any thread.
 */
int breaker__asset_expect(breaker_asset_t *asset, const breaker_view_t *view);
/**
 * Says that its encodings are made, or not worth having: the identity variant is early no more.
 * Without memory it stays so until it is said again. The thread that makes encodings.
 */
void breaker__asset_settle(breaker_asset_t *asset);

/** Bytes of memory that an asset takes with its variants, without bodies. Any thread. */
size_t breaker__asset_memory(const breaker_asset_t *asset);

/**
 * For who holds the table's lock: lets all assets of a blob be seen with the bytes that it has now,
 * or without any. `breaker__assets_make_spares` came before, and said that there is memory.
 */
void breaker__assets_follow(breaker__blob_t *blob);
bool breaker__assets_make_spares(breaker__blob_t *blob);

/** `breaker_asset_variant`, for loops: one acquire-load, paired with the one store below. */
static inline const breaker_variant_t *breaker__asset_variant(const breaker_asset_t *asset,
                                                              size_t encoding)
{
    return __atomic_load_n(&asset->_variants[encoding], __ATOMIC_ACQUIRE);
}
/** Lets a variant be seen. */
static inline void breaker__asset_set_variant(breaker_asset_t *asset, breaker_variant_t *variant)
{
    __atomic_store_n(&asset->_variants[variant->encoding], variant, __ATOMIC_RELEASE);
}

#endif
