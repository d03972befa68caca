/*
 * The encodings that no sibling brought. They are made in the background, smallest asset first, so
 * that most of a page is compressed early and a stop loses little. Readers see a variant when it is
 * finished, or not at all; nothing that they may hold is ever replaced.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "release/coding.h"
#include "release/digest.h"
#include "release/pace.h"
#include "release/release.h"
#include "release/store.h"

/** below this an encoding saves less than a packet */
#define ENCODE_MIN 256

typedef struct st_candidate_t {
    breaker_store_t *store;
    breaker_asset_t *asset;
    uint64_t len;
    /** its place before sorting, so that equal sizes keep their order */
    size_t place;
} candidate_t;

static const breaker_variant_t *identity_of(const breaker_asset_t *asset)
{
    return breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);
}

static bool is_candidate(const breaker_asset_t *asset)
{
    const breaker_variant_t *identity = identity_of(asset);

    return asset->compressible && identity->base != NULL && identity->len >= ENCODE_MIN;
}

static int compare_candidates(const void *a, const void *b)
{
    const candidate_t *x = a, *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/** The assets worth encoding, the smallest first. NULL without memory or without any. */
static candidate_t *list_candidates(breaker_release_t *release, size_t *ret_num)
{
    candidate_t *candidates;
    size_t num = 0, capacity = 0;

    for (size_t i = 0; i != release->num_stores; ++i)
        capacity += release->stores[i]->num_assets;
    if ((candidates = malloc((capacity + 1) * sizeof(*candidates))) == NULL)
        return NULL;
    for (size_t i = 0; i != release->num_stores; ++i) {
        breaker_store_t *store = release->stores[i];

        if (!breaker_view_config(store->view)->encodings)
            continue;
        for (size_t at = 0; at != store->num_assets; ++at) {
            breaker_asset_t *asset = store->assets + at;

            if (is_candidate(asset)) {
                candidates[num] = (candidate_t){store, asset, identity_of(asset)->len, num};
                ++num;
            }
        }
    }
    assert(num <= capacity);
    qsort(candidates, num, sizeof(*candidates), compare_candidates);
    *ret_num = num;
    return candidates;
}

/** The encoded bytes in an allocation of their own, or NULL when they are not worth having. */
static char *encode_bytes(const candidate_t *candidate, breaker_encoding_t encoding,
                          breaker__pace_t *pace, size_t *ret_len)
{
    const breaker_variant_t *identity = identity_of(candidate->asset);
    uint64_t room = breaker__store_room(candidate->store);
    char *base;

    if (room >= identity->len)
        room = identity->len - 1;
    if (room == 0 || (base = malloc(room)) == NULL)
        return NULL;
    if (breaker__encode(encoding, identity->base, identity->len, base, room, pace, ret_len) != 0) {
        free(base);
        return NULL;
    }
    assert(*ret_len != 0 && *ret_len <= room);
    return base;
}

/** Moves encoded bytes, which it takes over, to where they stay: into memory that fits them. */
static bool settle_bytes(breaker_store_t *store, breaker_variant_t *variant, char *bytes,
                         size_t len)
{
    char *dst;

    variant->len = len;
    if ((dst = breaker__store_begin_body(store, variant)) != NULL)
        memcpy(dst, bytes, len);
    free(bytes);
    return dst != NULL;
}

/** Makes one encoding of an asset and lets it be seen, if it is of use. */
static void encode_asset(const candidate_t *candidate, breaker_encoding_t encoding,
                         breaker__hasher_t *hasher, breaker__pace_t *pace)
{
    breaker_variant_t *variant;
    uint8_t digest[BREAKER_DIGEST_LEN];
    char *bytes;
    size_t len = 0;

    if ((bytes = encode_bytes(candidate, encoding, pace, &len)) == NULL)
        return;
    if ((variant = breaker__variant_create(encoding)) == NULL) {
        free(bytes);
        return;
    }
    if (!settle_bytes(candidate->store, variant, bytes, len) ||
        breaker__hash(hasher, variant->base, len, digest) != 0) {
        breaker__variant_free(variant);
        return;
    }
    breaker__etag_format(digest, variant->etag);
    breaker__store_keep_body(candidate->store, variant);
    breaker__store_publish(candidate->store, candidate->asset, variant);
}

/** Makes every encoding that is missing. Returns whether it came to the end. */
static bool encode_all(const candidate_t *candidates, size_t num, breaker__hasher_t *hasher,
                       breaker__pace_t *pace)
{
    for (size_t i = 0; i != num; ++i)
        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
            if (!breaker__pace_go_on(pace))
                return false;
            if (breaker_asset_variant(candidates[i].asset, (breaker_encoding_t)e) == NULL)
                encode_asset(candidates + i, (breaker_encoding_t)e, hasher, pace);
        }
    return true;
}

void breaker_release_encode_with(breaker_release_t *release,
                                 const breaker_encoding_config_t *config, const atomic_bool *stop)
{
    unsigned percent = config != NULL && config->cpu_percent != 0 ? config->cpu_percent : 100;
    breaker__hasher_t hasher;
    breaker__pace_t pace;
    candidate_t *candidates;
    size_t num = 0;

    if (breaker__hasher_init(&hasher) != 0)
        return;
    breaker__pace_init(&pace, stop, percent);
    candidates = list_candidates(release, &num);
    if (encode_all(candidates, num, &hasher, &pace))
        for (size_t i = 0; i != release->num_stores; ++i)
            breaker__sealed_finish(&release->stores[i]->sealed);
    free(candidates);
    breaker__hasher_dispose(&hasher);
}

void breaker_release_encode(breaker_release_t *release, const atomic_bool *stop)
{
    breaker_release_encode_with(release, NULL, stop);
}
