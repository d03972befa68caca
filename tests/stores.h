#ifndef BREAKER_TESTS_STORES_H
#define BREAKER_TESTS_STORES_H

/*
 * Stores made of a list of paths, without a tree: every path has an asset of its own, and none has
 * bytes. Paths of assets, which only stores know.
 */
#include <stdlib.h>
#include <string.h>
#include "release/blob.h"
#include "release/store.h"

/** Gives entry `at` an asset of a blob that is ABSENT and nobody else's. */
static inline bool stores_set(breaker_store_t *store, size_t at)
{
    uint8_t digest[BREAKER_DIGEST_LEN] = {0};
    const breaker__traits_t traits = breaker__traits_of_type("text/plain", false);
    breaker__kind_t *kind = breaker__store_kind(store, &traits);
    breaker__blob_t *blob;
    breaker_asset_t *asset;
    bool done;

    memcpy(digest, &at, sizeof(at));
    if (kind == NULL || (blob = breaker__blobs_get(store->blobs, digest, at)) == NULL)
        return false;
    if ((done = breaker__asset_get(blob, kind, store->view, 0, &asset) == 0))
        breaker__store_set(store, at, asset);
    breaker__blob_unref(blob);
    return done;
}

/** Makes a store with an index of paths in bytewise order. Returns NULL when something fails. */
static inline breaker_store_t *stores_create(const breaker_view_t *view, breaker__blobs_t *blobs,
                                             const char *const *paths, size_t num)
{
    breaker__listing_t listing = {.num = num};
    breaker_store_t *store = NULL;
    bool done;

    if ((listing.paths = calloc(num + 1, sizeof(*listing.paths))) == NULL)
        return NULL;
    for (size_t i = 0; i != num; ++i)
        listing.paths[i] = (breaker__path_t){paths[i], (uint32_t)strlen(paths[i]), 1};
    done = breaker__store_create(view, blobs, &listing, &store) == 0;
    breaker__listing_dispose(&listing);
    for (size_t i = 0; done && i != num; ++i)
        done = stores_set(store, i);
    if (done && breaker__store_index(store) == 0)
        return store;
    breaker__store_free(store);
    return NULL;
}

/** The path of an asset, the first where it has several; NULL when it is not the store's. */
static inline const char *stores_path(const breaker_store_t *store, const breaker_asset_t *asset)
{
    for (size_t i = 0; i != breaker_store_size(store); ++i)
        if (breaker_store_at(store, i) == asset)
            return breaker_store_path(store, i, NULL);
    return NULL;
}

#endif
