/*
 * The assets of one view and the index over their paths.
 *
 * A lookup reads one place of the index, compares a tag, and compares the path: the hash is a
 * multiply-and-fold over sixteen bytes a step, and the places are at most half taken. The index
 * file of a directory has a second place, whose key is the beginning of its own path ("dir/" of
 * "dir/index.html"), so that finding it needs no text to be put together.
 *
 * Nothing changes after loading but the variants of other encodings, each of which is finished
 * before a release store lets it be seen.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/disk.h"
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

        if (slot->path == NULL)
            return NULL;
        if (slot->tag == tag_of(hash) && slot->len == len && breaker__same(slot->path, path, len))
            return slot;
    }
}

const breaker_asset_t *breaker_store_find(const breaker_store_t *store, const char *path,
                                          size_t len)
{
    const breaker__slot_t *slot = find_slot(store, path, len);

    return slot != NULL ? store->assets + slot->asset : NULL;
}

breaker_asset_t *breaker__store_find_exact(breaker_store_t *store, const char *path, size_t len)
{
    const breaker__slot_t *slot = find_slot(store, path, len);

    if (slot == NULL || store->assets[slot->asset].path_len != len)
        return NULL;
    return store->assets + slot->asset;
}

/** Adds a key, the first `len` bytes of the path of asset number `asset`. */
static void add_key(breaker_store_t *store, size_t asset, size_t len)
{
    const char *path = store->assets[asset].path;
    uint64_t hash = hash_path(path, len);
    size_t at = hash & store->slot_mask;

    assert(len <= UINT16_MAX);
    assert(asset <= UINT32_MAX);
    assert(asset < store->num_assets);
    while (store->slots[at].path != NULL)
        at = (at + 1) & store->slot_mask;
    store->slots[at] = (breaker__slot_t){path, (uint32_t)asset, (uint16_t)len, tag_of(hash)};
}

/** Whether the asset answers for the directory that it lies in. */
static bool is_index(const breaker_asset_t *asset, const char *name, size_t name_len)
{
    size_t directory_len;

    if (name == NULL || name_len == 0 || asset->path_len < name_len)
        return false;
    directory_len = asset->path_len - name_len;
    return memcmp(asset->path + directory_len, name, name_len) == 0 &&
           (directory_len == 0 || asset->path[directory_len - 1] == '/');
}

int breaker__store_index(breaker_store_t *store)
{
    const char *name = breaker_view_config(store->view)->index;
    size_t name_len = name != NULL ? strlen(name) : 0, num_keys = store->num_assets, size = 8;

    assert(store->slots == NULL);
    for (size_t i = 0; i != store->num_assets; ++i)
        num_keys += is_index(store->assets + i, name, name_len);
    while (size < num_keys * 2)
        size *= 2;
    /* a search that finds nothing ends at an empty place */
    assert(num_keys <= size / 2);
    assert((size & (size - 1)) == 0);
    if ((store->slots = calloc(size, sizeof(*store->slots))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    store->slot_mask = size - 1;
    store->memory += size * sizeof(*store->slots);

    for (size_t i = 0; i != store->num_assets; ++i) {
        const breaker_asset_t *asset = store->assets + i;

        add_key(store, i, asset->path_len);
        if (is_index(asset, name, name_len))
            add_key(store, i, asset->path_len - name_len);
    }
    return 0;
}

int breaker__store_create(const breaker_view_t *view, const breaker_release_hooks_t *hooks,
                          breaker__arena_t *arena, const breaker__listing_t *listing,
                          breaker_store_t **ret_store)
{
    breaker_store_t *store;
    size_t num = listing->num;

    if ((store = calloc(1, sizeof(*store))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    store->view = view;
    store->hooks = hooks;
    store->assets = calloc(num + 1, sizeof(*store->assets));
    store->identities = calloc(num + 1, sizeof(*store->identities));
    if (store->assets == NULL || store->identities == NULL) {
        breaker__store_free(store);
        return BREAKER_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i != num; ++i) {
        store->assets[i].path = listing->paths[i].base;
        store->assets[i].path_len = listing->paths[i].len;
        store->identities[i].encoding = BREAKER_ENCODING_IDENTITY;
        store->identities[i].fd = -1;
        store->identities[i].memory_fd = -1;
    }
    store->num_assets = num;
    store->arena = *arena;
    breaker__arena_init(arena);
    store->memory = sizeof(*store) + store->arena.memory +
                    (num + 1) * (sizeof(*store->assets) + sizeof(*store->identities));
    *ret_store = store;
    return 0;
}

const char *breaker__store_intern(breaker_store_t *store, const char *type)
{
    size_t before = store->arena.memory;
    const char *copy;

    for (size_t i = store->num_types; i != 0; --i)
        if (strcmp(store->types[i - 1], type) == 0)
            return store->types[i - 1];
    assert(store->num_types <= store->types_capacity);
    if (store->num_types == store->types_capacity) {
        size_t capacity = store->types_capacity == 0 ? 16 : store->types_capacity * 2;
        const char **types = realloc(store->types, capacity * sizeof(*types));

        if (types == NULL)
            return NULL;
        store->memory += (capacity - store->types_capacity) * sizeof(*types);
        store->types = types;
        store->types_capacity = capacity;
    }
    if ((copy = breaker__arena_copy(&store->arena, type, strlen(type))) == NULL)
        return NULL;
    store->memory += store->arena.memory - before;
    store->types[store->num_types++] = copy;
    return copy;
}

uint64_t breaker__store_room(const breaker_store_t *store)
{
    uint64_t limit = breaker_view_config(store->view)->memory_limit;

    assert(store->bodies <= limit);
    return limit - store->bodies;
}

void breaker__store_add_body(breaker_store_t *store, uint64_t len)
{
    assert(len <= breaker__store_room(store));
    store->bodies += len;
    store->memory += (size_t)len;
}

char *breaker__store_begin_body(breaker_store_t *store, breaker_variant_t *variant)
{
    char *dst;

    assert(variant->base == NULL);
    assert(variant->len != 0);
    assert(variant->len <= breaker__store_room(store));
    if (variant->len >= BREAKER_SENDFILE_MIN &&
        breaker__sealed_span(variant->len) <= breaker__store_room(store) &&
        (dst = breaker__sealed_begin(&store->sealed, variant->len, variant)) != NULL)
        return dst;
    if ((dst = malloc(variant->len)) == NULL)
        return NULL;
    variant->base = dst;
    variant->owns_base = true;
    return dst;
}

void breaker__store_keep_body(breaker_store_t *store, const breaker_variant_t *variant)
{
    assert(variant->base != NULL);
    assert(variant->memory_fd < 0 || !variant->owns_base);
    if (variant->memory_fd < 0) {
        breaker__store_add_body(store, variant->len);
        return;
    }
    breaker__sealed_keep(&store->sealed, variant->len);
    breaker__store_add_body(store, breaker__sealed_span(variant->len));
}

void breaker__store_drop_body(breaker_variant_t *variant)
{
    assert(variant->prepared == NULL);
    assert(variant->fd < 0);
    if (variant->owns_base)
        free((void *)(uintptr_t)variant->base);
    variant->base = NULL;
    variant->owns_base = false;
    variant->memory_fd = -1;
    variant->memory_offset = 0;
}

breaker_variant_t *breaker__variant_create(breaker_encoding_t encoding)
{
    breaker_variant_t *variant = calloc(1, sizeof(*variant));

    if (variant == NULL)
        return NULL;
    variant->encoding = encoding;
    variant->fd = -1;
    variant->memory_fd = -1;
    return variant;
}

/** Lets go of what a variant holds, but for what the host prepared. */
static void close_variant(breaker_variant_t *variant)
{
    /* its bytes are its own, or the store's, or on disk */
    assert(!variant->owns_base || variant->memory_fd < 0);
    assert(!variant->owns_base || variant->fd < 0);
    if (variant->owns_base)
        free((void *)(uintptr_t)variant->base);
    if (variant->fd >= 0)
        close(variant->fd);
    breaker__disk_free(variant->_disk);
    variant->_disk = NULL;
}

void breaker__variant_free(breaker_variant_t *variant)
{
    assert(variant->prepared == NULL);
    close_variant(variant);
    free(variant);
}

/** What is known of a file is looked after together with what it is. */
static void attach(breaker_store_t *store, const breaker_asset_t *asset,
                   const breaker_variant_t *variant)
{
    breaker__disk_t *disk = variant->_disk;

    assert(disk->variant == NULL);
    assert(variant->fd >= 0);
    disk->store = store;
    disk->asset = asset;
    disk->variant = variant;
    store->memory += sizeof(*disk);
}

void breaker__store_publish(breaker_store_t *store, breaker_asset_t *asset,
                            breaker_variant_t *variant)
{
    const breaker_release_hooks_t *hooks = store->hooks;

    assert((variant->base == NULL) == (variant->fd >= 0));
    assert((variant->_disk == NULL) == (variant->fd < 0));
    assert(breaker_asset_variant(asset, variant->encoding) == NULL);
    assert(variant->prepared == NULL);
    assert(asset >= store->assets);
    assert(asset < store->assets + store->num_assets);
    if (variant->encoding != BREAKER_ENCODING_IDENTITY)
        store->memory += sizeof(*variant);
    if (hooks->prepare != NULL)
        variant->prepared = hooks->prepare(hooks->data, store->view, asset, variant);
    if (variant->_disk != NULL)
        attach(store, asset, variant);
    breaker__asset_set_variant(asset, variant);
}

static void unprepare(breaker_store_t *store, breaker_variant_t *variant)
{
    if (variant->prepared != NULL && store->hooks->unprepare != NULL)
        store->hooks->unprepare(store->hooks->data, variant->prepared);
    variant->prepared = NULL;
}

static void free_asset(breaker_store_t *store, size_t at)
{
    assert(at < store->num_assets);
    for (size_t i = 0; i != BREAKER_ENCODINGS; ++i) {
        breaker_variant_t *variant = store->assets[at]._variants[i];

        if (variant == NULL || i == BREAKER_ENCODING_IDENTITY)
            continue;
        unprepare(store, variant);
        breaker__variant_free(variant);
    }
    unprepare(store, store->identities + at);
    close_variant(store->identities + at);
}

void breaker__store_free(breaker_store_t *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i != store->num_assets; ++i)
        free_asset(store, i);
    free(store->slots);
    free(store->types);
    free(store->identities);
    free(store->assets);
    breaker__sealed_dispose(&store->sealed);
    breaker__arena_dispose(&store->arena);
    free(store);
}

const breaker_view_t *breaker__store_view(const breaker_store_t *store)
{
    return store->view;
}

size_t breaker_store_size(const breaker_store_t *store)
{
    return store->num_assets;
}

const breaker_asset_t *breaker_store_at(const breaker_store_t *store, size_t at)
{
    assert(at < store->num_assets);
    return store->assets + at;
}

const char *breaker_store_path(const breaker_store_t *store, size_t at, size_t *ret_len)
{
    assert(at < store->num_assets);
    if (ret_len != NULL)
        *ret_len = store->assets[at].path_len;
    return store->assets[at].path;
}

size_t breaker__store_memory(const breaker_store_t *store)
{
    return atomic_load_explicit(&store->memory, memory_order_relaxed);
}

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
