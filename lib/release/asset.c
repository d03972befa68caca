/*
 * Assets that releases share. One is found again by its blob and its kind, on the blob's list under
 * the table's lock; it is made and prepared outside of it, and whoever comes second with the same
 * one drops his.
 *
 * A variant that can be seen stays for whoever holds it. The only one that is ever followed by
 * another is the identity variant: by one with bytes where the blob was ABSENT, by one without
 * where its file was found to be changed, and by one with another head where encodings are expected
 * and when that is settled. So a request finds the head that counts where it finds the bytes, and
 * looks at nothing else.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "http/conditional.h"
#include "release/asset.h"
#include "release/blob.h"
#include "release/digest.h"

static breaker__shared_asset_t *shared_of(const breaker_asset_t *asset)
{
    return (breaker__shared_asset_t *)(uintptr_t)asset;
}

breaker__blob_t *breaker__asset_blob(const breaker_asset_t *asset)
{
    return shared_of(asset)->blob;
}

void breaker_asset_want(const breaker_asset_t *asset)
{
    breaker__blob_want(breaker__asset_blob(asset));
}

const breaker__kind_t *breaker__asset_kind(const breaker_asset_t *asset)
{
    return shared_of(asset)->kind;
}

static size_t encodings_memory(const breaker_asset_t *asset)
{
    size_t memory = 0;

    for (size_t e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        memory += breaker__asset_variant(asset, e) != NULL ? sizeof(breaker_variant_t) : 0;
    return memory;
}

size_t breaker__asset_memory(const breaker_asset_t *asset)
{
    return sizeof(breaker__shared_asset_t) + encodings_memory(asset);
}

static void count(breaker__blobs_t *blobs, size_t memory)
{
    atomic_fetch_add_explicit(&blobs->memory, memory, memory_order_relaxed);
}

static void prepare(breaker__shared_asset_t *shared, const breaker_view_t *view,
                    breaker_variant_t *variant)
{
    const breaker_release_hooks_t *hooks = &shared->blob->blobs->hooks;

    assert(variant->prepared == NULL);
    assert(variant->etag[0] == '"');
    if (hooks->prepare != NULL)
        variant->prepared = hooks->prepare(hooks->data, view, &shared->asset, variant);
}

static void unprepare(const breaker__shared_asset_t *shared, void *prepared)
{
    const breaker_release_hooks_t *hooks = &shared->blob->blobs->hooks;

    if (prepared != NULL && hooks->unprepare != NULL)
        hooks->unprepare(hooks->data, prepared);
}

/* ---- other encodings ---- */

int breaker__asset_attach(breaker_asset_t *asset, const breaker_view_t *view,
                          const breaker__body_t *body)
{
    breaker__shared_asset_t *shared = shared_of(asset);
    breaker_variant_t *variant;

    assert(body->bytes._blob == shared->blob);
    assert(body->bytes.encoding != BREAKER_ENCODING_IDENTITY);
    if (breaker__asset_variant(asset, body->bytes.encoding) != NULL)
        return 0;
    if ((variant = malloc(sizeof(*variant))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    *variant = body->bytes;
    prepare(shared, view, variant);
    count(shared->blob->blobs, sizeof(*variant));
    breaker__asset_set_variant(asset, variant);
    return 0;
}

static int attach_all(breaker__shared_asset_t *shared, const breaker_view_t *view)
{
    int err;

    for (size_t e = 0; shared->kind->encodings && e != BREAKER_ENCODING_IDENTITY; ++e) {
        const breaker__body_t *body = breaker__blob_encoding(shared->blob, e);

        if (body != NULL && (err = breaker__asset_attach(&shared->asset, view, body)) != 0)
            return err;
    }
    return 0;
}

/* ---- identity ---- */

/* without bytes, but with everything that an answer without them needs */
static breaker_variant_t without_bytes(breaker__blob_t *blob)
{
    breaker_variant_t variant = {.encoding = BREAKER_ENCODING_IDENTITY,
                                 .len = blob->len,
                                 .fd = -1,
                                 .memory_fd = -1,
                                 ._blob = blob};

    breaker__etag_format(blob->digest, variant.etag);
    return variant;
}

/** The identity variant that an asset is to have now. */
static breaker_variant_t identity_now(const breaker__shared_asset_t *shared)
{
    const breaker__body_t *body = breaker__blob_encoding(shared->blob, BREAKER_ENCODING_IDENTITY);
    breaker_variant_t variant = body != NULL ? body->bytes : without_bytes(shared->blob);

    /* of what is sent from a file nothing is made */
    variant.is_early = shared->early != NULL && !shared->is_settled && variant.base != NULL;
    variant.prepared = variant.is_early ? shared->early : shared->prepared;
    return variant;
}

static bool is_same(const breaker_variant_t *a, const breaker_variant_t *b)
{
    return a->base == b->base && a->fd == b->fd && a->prepared == b->prepared &&
           a->is_early == b->is_early;
}

/* lets the identity variant of now be seen, in `later` where it is not the first one again; returns
 * whether it took that over */
static bool follow_locked(breaker__shared_asset_t *shared, breaker__later_t *later)
{
    breaker_variant_t now = identity_now(shared);

    if (is_same(&now, &shared->identity)) {
        breaker__asset_set_variant(&shared->asset, &shared->identity);
        return false;
    }
    later->variant = now;
    later->next = shared->later;
    shared->later = later;
    count(shared->blob->blobs, sizeof(*later));
    breaker__asset_set_variant(&shared->asset, &later->variant);
    return true;
}

bool breaker__assets_make_spares(breaker__blob_t *blob)
{
    for (breaker__shared_asset_t *shared = blob->assets; shared != NULL; shared = shared->next)
        if (shared->spare == NULL && (shared->spare = malloc(sizeof(*shared->spare))) == NULL)
            return false;
    return true;
}

void breaker__assets_follow(breaker__blob_t *blob)
{
    for (breaker__shared_asset_t *shared = blob->assets; shared != NULL; shared = shared->next) {
        assert(shared->spare != NULL);
        if (follow_locked(shared, shared->spare))
            shared->spare = NULL;
    }
}

/* ---- before the encodings ---- */

static bool is_told(breaker__shared_asset_t *shared)
{
    bool is_told;

    breaker__blobs_lock(shared->blob->blobs);
    is_told = shared->early != NULL || shared->is_settled;
    breaker__blobs_unlock(shared->blob->blobs);
    return is_told;
}

int breaker__asset_expect(breaker_asset_t *asset, const breaker_view_t *view)
{
    breaker__shared_asset_t *shared = shared_of(asset);
    breaker_variant_t early = shared->identity;
    breaker__later_t *later;

    if (is_told(shared))
        return 0;
    if ((later = malloc(sizeof(*later))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    early.is_early = true;
    early.prepared = NULL;
    prepare(shared, view, &early);
    breaker__blobs_lock(shared->blob->blobs);
    if (shared->early == NULL && !shared->is_settled) {
        shared->early = early.prepared;
        early.prepared = NULL;
        if (follow_locked(shared, later))
            later = NULL;
    }
    breaker__blobs_unlock(shared->blob->blobs);
    unprepare(shared, early.prepared);
    free(later);
    return 0;
}

void breaker__asset_settle(breaker_asset_t *asset)
{
    breaker__shared_asset_t *shared = shared_of(asset);
    breaker__later_t *later = malloc(sizeof(*later));

    if (later == NULL)
        return;
    breaker__blobs_lock(shared->blob->blobs);
    if (!shared->is_settled) {
        shared->is_settled = true;
        if (shared->early != NULL && follow_locked(shared, later))
            later = NULL;
    }
    breaker__blobs_unlock(shared->blob->blobs);
    free(later);
}

/* ---- finding and making ---- */

static breaker__shared_asset_t *find_locked(breaker__blob_t *blob, const breaker__kind_t *kind)
{
    for (breaker__shared_asset_t *shared = blob->assets; shared != NULL; shared = shared->next)
        if (shared->kind == kind) {
            atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
            return shared;
        }
    return NULL;
}

static void free_shared(breaker__shared_asset_t *shared)
{
    breaker__blob_t *blob = shared->blob;
    size_t memory = sizeof(*shared) + encodings_memory(&shared->asset);

    for (size_t e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        breaker_variant_t *variant = shared->asset._variants[e];

        if (variant == NULL)
            continue;
        unprepare(shared, variant->prepared);
        free(variant);
    }
    unprepare(shared, shared->prepared);
    unprepare(shared, shared->early);
    for (breaker__later_t *later = shared->later, *next; later != NULL; later = next) {
        next = later->next;
        memory += sizeof(*later);
        free(later);
    }
    free(shared->spare);
    free(shared);
    atomic_fetch_sub_explicit(&blob->blobs->memory, memory, memory_order_relaxed);
    breaker__blob_unref(blob);
}

/** Makes one that nobody finds yet, with one reference. NULL without memory. */
static breaker__shared_asset_t *create(breaker__blob_t *blob, breaker__kind_t *kind,
                                       const breaker_view_t *view, int64_t last_modified_s)
{
    breaker__shared_asset_t *shared = calloc(1, sizeof(*shared));
    breaker_asset_t *asset;

    if (shared == NULL)
        return NULL;
    atomic_init(&shared->refs, 1);
    shared->blob = breaker__blob_ref(blob);
    shared->kind = kind;
    asset = &shared->asset;
    asset->type = kind->type;
    asset->compressible = kind->compressible;
    asset->coding = kind->coding;
    asset->headers = kind->headers;
    asset->last_modified_s = last_modified_s;
    breaker__http_date_format(last_modified_s, asset->last_modified);
    memcpy(asset->digest, blob->digest, sizeof(asset->digest));
    count(blob->blobs, sizeof(*shared));
    shared->identity = identity_now(shared);
    prepare(shared, view, &shared->identity);
    shared->prepared = shared->identity.prepared;
    breaker__asset_set_variant(asset, &shared->identity);
    if (attach_all(shared, view) == 0)
        return shared;
    free_shared(shared);
    return NULL;
}

/* lets one be found, or returns the one that came first, with a reference */
static breaker__shared_asset_t *list(breaker__shared_asset_t *shared)
{
    breaker__blob_t *blob = shared->blob;
    breaker__shared_asset_t *first;

    breaker__blobs_lock(blob->blobs);
    if ((first = find_locked(blob, shared->kind)) == NULL) {
        /* bytes may have come or gone since */
        shared->identity = identity_now(shared);
        ++shared->kind->refs;
        shared->next = blob->assets;
        blob->assets = shared;
    }
    breaker__blobs_unlock(blob->blobs);
    return first != NULL ? first : shared;
}

int breaker__asset_get(breaker__blob_t *blob, breaker__kind_t *kind, const breaker_view_t *view,
                       int64_t last_modified_s, breaker_asset_t **ret_asset)
{
    breaker__shared_asset_t *found, *made;

    breaker__blobs_lock(blob->blobs);
    found = find_locked(blob, kind);
    breaker__blobs_unlock(blob->blobs);
    if (found == NULL) {
        if ((made = create(blob, kind, view, last_modified_s)) == NULL)
            return BREAKER_ERR_NO_MEMORY;
        if ((found = list(made)) != made)
            free_shared(made);
    }
    *ret_asset = &found->asset;
    return 0;
}

void breaker__asset_unref(breaker_asset_t *asset)
{
    breaker__shared_asset_t *shared = shared_of(asset), **at;
    breaker__blobs_t *blobs = shared->blob->blobs;

    if (!breaker__blobs_drop(blobs, &shared->refs))
        return;
    for (at = &shared->blob->assets; *at != shared; at = &(*at)->next)
        assert(*at != NULL);
    *at = shared->next;
    breaker__kind_unref_locked(blobs, shared->kind);
    breaker__blobs_unlock(blobs);
    free_shared(shared);
}

/* ---- what others ask of an asset ---- */

const breaker_variant_t *breaker_asset_variant(const breaker_asset_t *asset,
                                               breaker_encoding_t encoding)
{
    assert(encoding < BREAKER_ENCODINGS);
    return breaker__asset_variant(asset, encoding);
}

const breaker_variant_t *breaker_asset_choose(const breaker_asset_t *asset,
                                              const breaker_acceptable_t *acceptable)
{
    assert(acceptable->num <= BREAKER_ENCODINGS);
    for (size_t i = 0; i != acceptable->num; ++i) {
        breaker_encoding_t encoding = (breaker_encoding_t)acceptable->encodings[i];
        const breaker_variant_t *variant = breaker__asset_variant(asset, encoding);

        if (variant != NULL)
            return variant;
    }
    return NULL;
}
