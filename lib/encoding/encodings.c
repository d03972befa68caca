/*
 * The encodings that no sibling brought. They are made, or found in the cache, in the background,
 * smallest asset first, so that most of a page is compressed early and a stop loses little. Each is
 * made once a blob, whichever assets and releases have it. Readers see a variant when it is
 * finished, or not at all; nothing that they may hold is ever replaced.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "encoding/cache.h"
#include "encoding/coding.h"
#include "encoding/encodings.h"
#include "release/blob.h"
#include "release/digest.h"
#include "release/file.h"
#include "encoding/pace.h"
#include "release/release.h"
#include "release/store.h"

/** below this an encoding saves less than a packet */
#define ENCODE_MIN 256
/** what is brought from the cache before a release is published: encodings, bytes of files */
#define BRING_MAX 4096
#define BRING_BYTES_MAX (UINT64_C(64) << 20)

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

static breaker__blob_t *blob_of(const candidate_t *candidate)
{
    return breaker__asset_blob(candidate->asset);
}

/** Whether an encoding of a blob is known not to be smaller. */
static bool is_in_vain(const breaker__blob_t *blob, size_t encoding)
{
    return (atomic_load_explicit(&blob->not_smaller, memory_order_relaxed) & 1u << encoding) != 0;
}

/** Whether an encoding is missing that is not known to be in vain. */
static bool is_incomplete(const breaker_asset_t *asset)
{
    for (size_t e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
        if (breaker__asset_variant(asset, e) == NULL && !is_in_vain(breaker__asset_blob(asset), e))
            return true;
    return false;
}

/** Whether a variant is one of which nothing can be made later either. */
static bool is_from_file(const breaker_variant_t *identity)
{
    return identity->base == NULL && identity->fd >= 0;
}

bool breaker__is_worth_encoding(const breaker_asset_t *asset)
{
    const breaker_variant_t *identity = identity_of(asset);

    return asset->compressible && !is_from_file(identity) && identity->len >= ENCODE_MIN &&
           is_incomplete(asset);
}

/** What is early is settled even where others have its encodings by now. */
static bool is_candidate(const breaker_asset_t *asset)
{
    const breaker_variant_t *identity = identity_of(asset);

    return identity->is_early || (identity->base != NULL && breaker__is_worth_encoding(asset));
}

static int compare_candidates(const void *a, const void *b)
{
    const candidate_t *x = a, *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static size_t num_assets(const breaker_release_t *release)
{
    size_t num = 0;

    for (size_t i = 0; i != release->num_stores; ++i)
        num += breaker_store_size(release->stores[i]);
    return num;
}

/** The assets worth encoding, the smallest first. NULL without memory or without any. */
static candidate_t *list_candidates(breaker_release_t *release, size_t *ret_num)
{
    size_t num = 0, capacity = num_assets(release);
    candidate_t *candidates;

    if ((candidates = malloc((capacity + 1) * sizeof(*candidates))) == NULL)
        return NULL;
    for (size_t i = 0; i != release->num_stores; ++i) {
        breaker_store_t *store = release->stores[i];

        if (!breaker_view_config(store->view)->encodings)
            continue;
        for (size_t at = 0; at != store->num; ++at) {
            breaker_asset_t *asset = store->entries[at].asset;

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

/** What one run of the background shares. */
typedef struct st_encoder_t {
    breaker__hasher_t hasher; /* owned */
    breaker__cache_t cache;   /* owned */
    breaker__pace_t pace;
} encoder_t;

/** Lets an encoding be seen whose bytes were begun and are complete. Takes it over. */
static bool publish(encoder_t *encoder, const candidate_t *candidate, breaker__body_t *body)
{
    uint8_t digest[BREAKER_DIGEST_LEN];

    if (breaker__hash(&encoder->hasher, body->bytes.base, body->bytes.len, digest) != 0) {
        breaker__body_free(body);
        return false;
    }
    breaker__etag_format(digest, body->bytes.etag);
    breaker__body_keep(body, &candidate->store->sealed);
    breaker__blob_set_encoding(blob_of(candidate), body);
    return breaker__store_attach(candidate->store, candidate->asset, body) == 0;
}

/* ---- from the cache ---- */

/** Reads an encoding and checks it. Returns 0, BREAKER_ERR_NOT_ENCODED, or what went wrong. */
static int read_encoding(const candidate_t *candidate, int fd, breaker__body_t *body)
{
    char *dst = breaker__store_begin_body(candidate->store, body);

    if (dst == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if (breaker__read_fully(fd, dst, body->bytes.len) != 0)
        return BREAKER_ERR_NOT_ENCODED;
    return breaker__decodes_to(body->bytes.encoding, &body->bytes, identity_of(candidate->asset));
}

/** Uses an encoding that was found, if it is one. Returns whether it is seen now. */
static bool use_found(encoder_t *encoder, const candidate_t *candidate, breaker_encoding_t encoding,
                      int fd, uint64_t len)
{
    breaker__body_t *body = breaker__body_create(encoding, len);
    int err;

    if (body == NULL)
        return false;
    if ((err = read_encoding(candidate, fd, body)) == 0)
        return publish(encoder, candidate, body);
    breaker__body_free(body);
    if (err == BREAKER_ERR_NOT_ENCODED)
        breaker__cache_discard(&encoder->cache, candidate->asset->digest, encoding);
    return false;
}

/** Whether the cache answers for an encoding: with its bytes, or that it is not worth having. */
static bool ask_cache(encoder_t *encoder, const candidate_t *candidate, breaker_encoding_t encoding)
{
    uint64_t len = 0;
    bool answered = false;
    int fd = -1;

    switch (breaker__cache_find(&encoder->cache, candidate->asset->digest, encoding, candidate->len,
                                &fd, &len)) {
    case BREAKER__CACHE_UNKNOWN:
        return false;
    case BREAKER__CACHE_NOT_SMALLER:
        atomic_fetch_or(&blob_of(candidate)->not_smaller, 1u << encoding);
        return true;
    case BREAKER__CACHE_FOUND:
        break;
    }
    /* where there is no room for it, there would be none for what is made */
    answered = len > breaker__store_room(candidate->store) ||
               use_found(encoder, candidate, encoding, fd, len);
    close(fd);
    return answered;
}

static void touch_all(encoder_t *encoder, const candidate_t *candidates, size_t num)
{
    if (encoder->cache.fd < 0)
        return;
    for (size_t i = 0; i != num; ++i)
        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
            if (!breaker__pace_go_on(&encoder->pace))
                return;
            if (breaker_asset_variant(candidates[i].asset, (breaker_encoding_t)e) == NULL)
                breaker__cache_touch(&encoder->cache, candidates[i].asset->digest,
                                     (breaker_encoding_t)e);
        }
}

/* ---- making them ---- */

/** Encodes into an allocation that the caller owns. Fails like `breaker__encode`. */
static int encode_bytes(encoder_t *encoder, const candidate_t *candidate,
                        breaker_encoding_t encoding, char **ret_base, size_t *ret_len)
{
    const breaker_variant_t *identity = identity_of(candidate->asset);
    uint64_t room = breaker__store_room(candidate->store);
    bool limited = room < identity->len - 1;
    char *base;
    int err;

    if (!limited)
        room = identity->len - 1;
    if (room == 0 || (base = malloc(room)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    err = breaker__encode(encoding, identity->base, identity->len, base, room, &encoder->pace,
                          ret_len);
    if (err == 0) {
        assert(*ret_len != 0 && *ret_len <= room);
        *ret_base = base;
        return 0;
    }
    free(base);
    /* another time there may be more room */
    return err == BREAKER_ERR_TOO_LONG && limited ? BREAKER_ERR_NO_MEMORY : err;
}

/** Puts encoded bytes where they stay, in memory that fits them. NULL without memory. */
static breaker__body_t *settle_bytes(const candidate_t *candidate, breaker_encoding_t encoding,
                                     const char *base, size_t len)
{
    breaker__body_t *body = breaker__body_create(encoding, len);
    char *dst;

    if (body == NULL)
        return NULL;
    if ((dst = breaker__store_begin_body(candidate->store, body)) == NULL) {
        breaker__body_free(body);
        return NULL;
    }
    memcpy(dst, base, len);
    return body;
}

/** Makes one encoding of a blob and lets it be seen, if it is of use. */
static void make_encoding(encoder_t *encoder, const candidate_t *candidate,
                          breaker_encoding_t encoding)
{
    const uint8_t *digest = candidate->asset->digest;
    breaker__body_t *body;
    char *base;
    size_t len;
    int err = encode_bytes(encoder, candidate, encoding, &base, &len);

    if (err == BREAKER_ERR_TOO_LONG) {
        atomic_fetch_or(&blob_of(candidate)->not_smaller, 1u << encoding);
        breaker__cache_keep(&encoder->cache, digest, encoding, NULL, 0);
    }
    if (err != 0)
        return;
    if ((body = settle_bytes(candidate, encoding, base, len)) != NULL &&
        publish(encoder, candidate, body))
        breaker__cache_keep(&encoder->cache, digest, encoding, base, len);
    free(base);
}

/** Finds or makes an encoding that an asset does not have, if it is of use. */
static void provide(encoder_t *encoder, const candidate_t *candidate, breaker_encoding_t encoding)
{
    const breaker__body_t *body = breaker__blob_encoding(blob_of(candidate), encoding);

    if (body != NULL)
        breaker__store_attach(candidate->store, candidate->asset, body);
    else if (!is_in_vain(blob_of(candidate), encoding) &&
             !ask_cache(encoder, candidate, encoding) && !encoder->cache.finds_only)
        make_encoding(encoder, candidate, encoding);
}

/** Finds or makes those that an asset lacks. Returns whether it came to the end. */
static bool encode_asset(encoder_t *encoder, const candidate_t *candidate)
{
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        if (!breaker__pace_go_on(&encoder->pace))
            return false;
        if (breaker_asset_variant(candidate->asset, (breaker_encoding_t)e) == NULL)
            provide(encoder, candidate, (breaker_encoding_t)e);
    }
    return true;
}

/** Finds or makes every encoding that is missing. Returns whether it came to the end. */
static bool encode_all(encoder_t *encoder, const candidate_t *candidates, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        if (!encode_asset(encoder, candidates + i))
            return false;
        breaker__asset_settle(candidates[i].asset);
    }
    return true;
}

static void finish_stores(breaker_release_t *release)
{
    for (size_t i = 0; i != release->num_stores; ++i)
        breaker__sealed_finish(&release->stores[i]->sealed);
}

void breaker__release_encode_with(breaker_release_t *release,
                                  const breaker_encoding_config_t *config, const atomic_bool *stop,
                                  void (*interlude)(void *data), void *data)
{
    static const breaker_encoding_config_t plain;
    encoder_t encoder;
    candidate_t *candidates;
    size_t num = 0;

    if (config == NULL)
        config = &plain;
    if (breaker__hasher_init(&encoder.hasher) != 0)
        return;
    breaker__pace_init(&encoder.pace, stop, config->cpu_percent != 0 ? config->cpu_percent : 100);
    encoder.pace.interlude = interlude;
    encoder.pace.interlude_data = data;
    candidates = list_candidates(release, &num);
    /* of which files were used, and which may go, is seen once a release at least */
    breaker__cache_open(
        &encoder.cache, num != 0 || release->is_cache_due ? config->cache_directory : NULL,
        config->cache_max_size != 0 ? config->cache_max_size : BREAKER_ENCODING_CACHE_MAX,
        &release->blobs->hooks);
    touch_all(&encoder, candidates, num);
    breaker__cache_sort_out(&encoder.cache, &encoder.pace);
    release->is_cache_due = false;
    if (encode_all(&encoder, candidates, num))
        finish_stores(release);
    free(candidates);
    breaker__cache_close(&encoder.cache);
    breaker__hasher_dispose(&encoder.hasher);
}

void breaker__release_encode(breaker_release_t *release, const breaker_encoding_config_t *config,
                             const atomic_bool *stop)
{
    breaker__release_encode_with(release, config, stop, NULL, NULL);
}

/* ---- before a release is published ---- */

static bool bring_found(const candidate_t *candidates, size_t num, const char *directory,
                        const atomic_bool *stop)
{
    encoder_t encoder;
    uint64_t len = 0;

    breaker__cache_open_to_find(&encoder.cache, directory);
    if (encoder.cache.fd < 0 || breaker__hasher_init(&encoder.hasher) != 0) {
        breaker__cache_close(&encoder.cache);
        return false;
    }
    breaker__pace_init(&encoder.pace, stop, 100);
    if (num > BRING_MAX / BREAKER_ENCODING_IDENTITY)
        num = BRING_MAX / BREAKER_ENCODING_IDENTITY;
    touch_all(&encoder, candidates, num);
    for (size_t i = 0; i != num; ++i)
        if ((len += candidates[i].len) > BRING_BYTES_MAX || !encode_asset(&encoder, candidates + i))
            break;
    breaker__hasher_dispose(&encoder.hasher);
    breaker__cache_close(&encoder.cache);
    return true;
}

void breaker__release_expect_encodings(breaker_release_t *release,
                                       const breaker_encoding_config_t *config,
                                       const atomic_bool *stop)
{
    static const atomic_bool never;
    candidate_t *candidates;
    size_t num = 0;

    candidates = list_candidates(release, &num);
    if (num != 0)
        release->is_cache_due =
            bring_found(candidates, num, config->cache_directory, stop != NULL ? stop : &never);
    /* without memory an answer is kept for too long, and nothing worse */
    for (size_t i = 0; i != num; ++i)
        if (breaker__is_worth_encoding(candidates[i].asset))
            breaker__asset_expect(candidates[i].asset, candidates[i].store->view);
    free(candidates);
}
