/*
 * The paths of one view and the index over them.
 *
 * A lookup reads one place of the index, compares a tag, and compares the path: the hash is a
 * multiply-and-fold over sixteen bytes a step, and the places are at most half taken. The index
 * file of a directory has a second place, whose key is the beginning of its own path ("dir/" of
 * "dir/index.html"), so that finding it needs no text to be put together.
 *
 * Paths are numbers of bytes in one text, so that a place of the index is 16 bytes: paths and index
 * are what every release has of its own, however much of the rest it shares.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "release/blob.h"
#include "http/percent.h"
#include "release/store.h"
#include "words.h"

__extension__ typedef unsigned __int128 product_t;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    product_t product = (product_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/** The keys come from the operator's tree, so the hash needs no secret. */
static inline uint64_t hash_path(const char *path, size_t len)
{
    const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93;
    uint64_t hash = len * k0;

    for (; len > 16; path += 16, len -= 16)
        hash = fold(breaker__load64(path) ^ k1, breaker__load64(path + 8) ^ hash);
    if (len < 8)
        return fold(breaker__load_short(path, len) ^ k1, hash ^ k0);
    return fold(breaker__load64(path) ^ k1, breaker__load64(path + len - 8) ^ hash ^ k0);
}

static inline uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> 48);
}

static inline const breaker__slot_t *find_slot(const breaker_store_t *store, const char *path,
                                               size_t len)
{
    uint64_t hash = hash_path(path, len);

    assert(store->slots != NULL);
    for (size_t at = hash & store->slot_mask;; at = (at + 1) & store->slot_mask) {
        const breaker__slot_t *slot = store->slots + at;

        if (slot->asset == NULL)
            return NULL;
        if (slot->tag == tag_of(hash) && slot->len == len &&
            breaker__same(store->texts + slot->path, path, len))
            return slot;
    }
}

const breaker_asset_t *breaker_store_find(const breaker_store_t *store, const char *path,
                                          size_t len)
{
    const breaker__slot_t *slot = find_slot(store, path, len);

    return slot != NULL ? slot->asset : NULL;
}

breaker_asset_t *breaker__store_find_exact(breaker_store_t *store, const char *path, size_t len)
{
    const breaker__slot_t *slot = find_slot(store, path, len);

    /* the key of a directory goes on with the name of its index file */
    return slot != NULL && store->texts[slot->path + len] == '\0' ? slot->asset : NULL;
}

bool breaker__store_has_directory(const breaker_store_t *store, const char *path, size_t len)
{
    char with_slash[BREAKER_ASSET_PATH_MAX + 1];

    if (breaker_view_config(store->view)->index == NULL || len == 0 || path[len - 1] == '/' ||
        len >= sizeof(with_slash))
        return false;
    memcpy(with_slash, path, len);
    with_slash[len] = '/';
    return find_slot(store, with_slash, len + 1) != NULL;
}

static bool has_dot(const char *path, size_t len)
{
    for (; len != 0 && path[len - 1] != '/'; --len)
        if (path[len - 1] == '.')
            return true;
    return false;
}

const breaker_asset_t *breaker__store_fallback(const breaker_store_t *store, const char *path,
                                               size_t len)
{
    const char *fallback = breaker_view_config(store->view)->fallback;

    if (fallback == NULL || has_dot(path, len) || !breaker__path_is_clean(path, len))
        return NULL;
    return breaker_store_find(store, fallback, strlen(fallback));
}

/* ---- the index ---- */

/** Adds a key, the first `len` bytes of an entry's path. */
static void add_key(breaker_store_t *store, const breaker__entry_t *entry, size_t len)
{
    uint64_t hash = hash_path(store->texts + entry->path, len);
    size_t at = hash & store->slot_mask;

    assert(len <= UINT16_MAX);
    assert(entry->asset != NULL);
    while (store->slots[at].asset != NULL)
        at = (at + 1) & store->slot_mask;
    store->slots[at] = (breaker__slot_t){entry->asset, entry->path, (uint16_t)len, tag_of(hash)};
}

/** Whether the entry answers for the directory that it lies in. */
static bool is_index(const breaker_store_t *store, const breaker__entry_t *entry, const char *name,
                     size_t name_len)
{
    const char *path = store->texts + entry->path;
    size_t directory_len;

    if (name == NULL || name_len == 0 || entry->len < name_len)
        return false;
    directory_len = entry->len - name_len;
    return memcmp(path + directory_len, name, name_len) == 0 &&
           (directory_len == 0 || path[directory_len - 1] == '/');
}

static void add_memory(breaker_store_t *store, size_t memory)
{
    store->own_memory += memory;
    store->memory += memory;
}

int breaker__store_index(breaker_store_t *store)
{
    const char *name = breaker_view_config(store->view)->index;
    size_t name_len = name != NULL ? strlen(name) : 0, num_keys = store->num, size = 8;

    assert(store->slots == NULL);
    for (size_t i = 0; i != store->num; ++i)
        num_keys += is_index(store, store->entries + i, name, name_len);
    while (size < num_keys * 2)
        size *= 2;
    /* a search that finds nothing ends at an empty place */
    assert(num_keys <= size / 2);
    assert((size & (size - 1)) == 0);
    if ((store->slots = calloc(size, sizeof(*store->slots))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    store->slot_mask = size - 1;
    add_memory(store, size * sizeof(*store->slots));

    for (size_t i = 0; i != store->num; ++i) {
        const breaker__entry_t *entry = store->entries + i;

        add_key(store, entry, entry->len);
        if (is_index(store, entry, name, name_len))
            add_key(store, entry, entry->len - name_len);
    }
    return 0;
}

/* ---- making one ---- */

static uint64_t texts_size(const breaker__listing_t *listing)
{
    uint64_t size = 0;

    for (size_t i = 0; i != listing->num; ++i)
        size += listing->paths[i].len + 1;
    return size;
}

static void copy_paths(breaker_store_t *store, const breaker__listing_t *listing)
{
    size_t at = 0;

    for (size_t i = 0; i != listing->num; ++i) {
        const breaker__path_t *path = listing->paths + i;

        assert(path->len <= BREAKER_ASSET_PATH_MAX);
        store->entries[i].path = (uint32_t)at;
        store->entries[i].len = (uint16_t)path->len;
        store->entries[i].directories = path->directories;
        memcpy(store->texts + at, path->base, path->len);
        at += path->len;
        store->texts[at++] = '\0';
    }
    store->num = listing->num;
}

int breaker__store_create(const breaker_view_t *view, breaker__blobs_t *blobs,
                          const breaker__listing_t *listing, breaker_store_t **ret_store)
{
    uint64_t size = texts_size(listing);
    breaker_store_t *store;

    if (size > UINT32_MAX)
        return BREAKER_ERR_TOO_MANY;
    if ((store = calloc(1, sizeof(*store))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    store->view = view;
    store->blobs = blobs;
    store->texts = malloc(size + 1);
    store->entries = calloc(listing->num + 1, sizeof(*store->entries));
    if (store->texts == NULL || store->entries == NULL ||
        breaker__saying_init(&store->saying, view) != 0) {
        breaker__store_free(store);
        return BREAKER_ERR_NO_MEMORY;
    }
    copy_paths(store, listing);
    add_memory(store, sizeof(*store) + size + 1 + store->saying.len +
                          (listing->num + 1) * sizeof(*store->entries));
    *ret_store = store;
    return 0;
}

void breaker__store_free(breaker_store_t *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i != store->num; ++i)
        if (store->entries[i].asset != NULL)
            breaker__asset_unref(store->entries[i].asset);
    for (size_t i = 0; i != store->num_kinds; ++i)
        breaker__kind_unref(store->blobs, store->kinds[i]);
    breaker__sealed_dispose(&store->sealed);
    breaker__saying_dispose(&store->saying);
    free(store->kinds);
    free(store->slots);
    free(store->entries);
    free(store->texts);
    free(store);
}

breaker__kind_t *breaker__store_kind(breaker_store_t *store, const breaker__traits_t *traits)
{
    breaker__kind_t *kind;

    for (size_t i = store->num_kinds; i != 0; --i)
        if (breaker__kind_has(store->kinds[i - 1], traits))
            return store->kinds[i - 1];
    assert(store->num_kinds <= store->kinds_capacity);
    if (store->num_kinds == store->kinds_capacity) {
        size_t capacity = store->kinds_capacity == 0 ? 16 : store->kinds_capacity * 2;
        breaker__kind_t **kinds = realloc(store->kinds, capacity * sizeof(*kinds));

        if (kinds == NULL)
            return NULL;
        add_memory(store, (capacity - store->kinds_capacity) * sizeof(*kinds));
        store->kinds = kinds;
        store->kinds_capacity = capacity;
    }
    kind = breaker__kind_get(store->blobs, store->view, &store->saying, traits);
    if (kind != NULL)
        store->kinds[store->num_kinds++] = kind;
    return kind;
}

/* ---- assets and their bodies ---- */

uint64_t breaker__store_room(const breaker_store_t *store)
{
    uint64_t limit = breaker_view_config(store->view)->memory_limit;

    /* what others brought into memory is used beyond the limit, too */
    return store->bodies < limit ? limit - store->bodies : 0;
}

void breaker__store_add_body(breaker_store_t *store, uint64_t len)
{
    store->bodies += len;
    store->memory += len;
}

char *breaker__store_begin_body(breaker_store_t *store, breaker__body_t *body)
{
    return breaker__body_begin(body, &store->sealed, breaker__store_room(store));
}

void breaker__store_set(breaker_store_t *store, size_t at, breaker_asset_t *asset)
{
    assert(at < store->num);
    assert(store->entries[at].asset == NULL);
    store->entries[at].asset = asset;
    store->memory +=
        sizeof(breaker__blob_t) + sizeof(breaker__body_t) + breaker__asset_memory(asset);
    breaker__store_add_body(
        store, breaker__variant_span(breaker__asset_variant(asset, BREAKER_ENCODING_IDENTITY)));
}

void breaker__store_drop_empty(breaker_store_t *store)
{
    size_t num = 0;

    assert(store->slots == NULL);
    for (size_t i = 0; i != store->num; ++i)
        if (store->entries[i].asset != NULL)
            store->entries[num++] = store->entries[i];
    store->num = num;
}

void breaker__store_count_encodings(breaker_store_t *store)
{
    for (size_t i = 0; i != store->num; ++i)
        for (size_t e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
            breaker_asset_t *asset = store->entries[i].asset;
            const breaker_variant_t *variant = breaker__asset_variant(asset, e);

            if (variant != NULL)
                breaker__store_add_body(store, breaker__body_memory(breaker__blob_encoding(
                                                   breaker__asset_blob(asset), e)));
        }
}

int breaker__store_attach(breaker_store_t *store, breaker_asset_t *asset,
                          const breaker__body_t *body)
{
    int err = breaker__asset_attach(asset, store->view, body);

    if (err != 0)
        return err;
    store->memory += sizeof(*body) + sizeof(breaker_variant_t);
    breaker__store_add_body(store, breaker__body_memory(body));
    return 0;
}

/* ---- bytes that were read ---- */

/* whether what there is serves better than what was read */
static bool is_good(breaker__blob_t *blob)
{
    const breaker__body_t *body = breaker__blob_encoding(blob, BREAKER_ENCODING_IDENTITY);

    if (body == NULL || body->bytes.base == NULL)
        return false;
    for (size_t e = 0; e != BREAKER_ENCODINGS; ++e)
        if ((body = breaker__blob_encoding(blob, e)) != NULL && breaker__body_is_sparse(body))
            return false;
    return true;
}

breaker__blob_t *breaker__store_find_blob(const breaker_store_t *store, const uint8_t *digest,
                                          uint64_t len)
{
    breaker__blob_t *blob = breaker__blobs_find_len(store->blobs, digest, len);

    if (blob == NULL || is_good(blob))
        return blob;
    breaker__blob_unref(blob);
    return NULL;
}

/* an encoding that goes with a body out of its sparse file; without memory it is made again */
static void copy_encoding(breaker_store_t *store, const breaker__body_t *body,
                          breaker__blob_t *renewed)
{
    breaker__body_t *copy;
    char *dst;

    if (body->bytes.base == NULL || body->lender != NULL ||
        body->bytes.len > breaker__store_room(store) ||
        (copy = breaker__body_create(body->bytes.encoding, body->bytes.len)) == NULL)
        return;
    if ((dst = breaker__store_begin_body(store, copy)) == NULL) {
        breaker__body_free(copy);
        return;
    }
    memcpy(dst, body->bytes.base, body->bytes.len);
    memcpy(copy->bytes.etag, body->bytes.etag, sizeof(copy->bytes.etag));
    breaker__body_keep(copy, &store->sealed);
    breaker__blob_set_encoding(renewed, copy);
}

static int renew(breaker_store_t *store, breaker__blob_t *blob, breaker__body_t *body,
                 breaker__blob_t **ret_blob)
{
    int err;

    if ((err = breaker__blob_renew(blob, body, ret_blob)) != 0)
        return err;
    for (size_t e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        const breaker__body_t *encoding = breaker__blob_encoding(blob, e);

        if (encoding != NULL)
            copy_encoding(store, encoding, *ret_blob);
    }
    atomic_store(&(*ret_blob)->not_smaller, atomic_load(&blob->not_smaller));
    return 0;
}

int breaker__store_bring(breaker_store_t *store, const uint8_t *digest, breaker__body_t *body,
                         breaker__blob_t **ret_blob)
{
    breaker__blob_t *blob = breaker__blobs_get(store->blobs, digest, body->bytes.len), *renewed;
    int err = 0;

    if (blob == NULL || is_good(blob)) {
        breaker__body_free(body);
        *ret_blob = blob;
        return blob != NULL ? 0 : BREAKER_ERR_NO_MEMORY;
    }
    if (body->bytes.base != NULL && body->file == NULL)
        breaker__body_keep(body, &store->sealed);
    if (breaker__blob_state(blob) != BREAKER__BLOB_HERE) {
        err = breaker__blob_take(blob, body);
    } else if ((err = renew(store, blob, body, &renewed)) == 0) {
        breaker__blob_unref(blob);
        blob = renewed;
    }
    if (err != 0) {
        breaker__blob_unref(blob);
        return err;
    }
    *ret_blob = blob;
    return 0;
}

/* ---- what others ask of a store ---- */

const breaker_view_t *breaker__store_view(const breaker_store_t *store)
{
    return store->view;
}

size_t breaker_store_size(const breaker_store_t *store)
{
    return store->num;
}

const breaker_asset_t *breaker_store_at(const breaker_store_t *store, size_t at)
{
    assert(at < store->num);
    return store->entries[at].asset;
}

const char *breaker_store_path(const breaker_store_t *store, size_t at, size_t *ret_len)
{
    assert(at < store->num);
    if (ret_len != NULL)
        *ret_len = store->entries[at].len;
    return store->texts + store->entries[at].path;
}

size_t breaker__store_memory(const breaker_store_t *store)
{
    return atomic_load_explicit(&store->memory, memory_order_relaxed);
}
