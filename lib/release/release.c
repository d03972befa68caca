/*
 * A release is all or nothing: every view is loaded, or the load fails and nothing of it stays.
 * What it is called is made of what it answers (manifest.h) and of nothing else, so that two nodes
 * agree on it wherever their trees lie and whatever their file times are.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "http/conditional.h"
#include "release/blob.h"
#include "release/digest.h"
#include "release/file.h"
#include "release/manifest.h"
#include "release/manifest_read.h"
#include "release/notices.h"
#include "release/release.h"
#include "encoding/coded.h"
#include "encoding/siblings.h"
#include "release/release_id.h"
#include "release/store.h"
#include "release/trees.h"
#include "view/matched.h"
#include "view/view.h"

/** What loading the views has in common. */
typedef struct st_loader_t {
    const breaker__release_config_t *config; /* borrowed */
    breaker_release_t *release;              /* borrowed: in the making */
    breaker__reader_t reader;                /* owned */
    breaker__loaded_t *loaded;               /* borrowed, or NULL */
    int64_t now_s;
    breaker_error_t *error;
} loader_t;

static int fail(const loader_t *loader, int err, const breaker_view_t *view)
{
    char shown[BREAKER__VIEW_SHOWN_SIZE];

    return breaker_error_set(loader->error, err, "view %s: %s", breaker__view_show(view, shown),
                             breaker_err_message(err));
}

static int fail_memory(const loader_t *loader, const breaker_view_t *view)
{
    return fail(loader, BREAKER_ERR_NO_MEMORY, view);
}

/** What is being made an asset. All borrowed. */
typedef struct st_making_t {
    breaker_store_t *store;
    breaker__notices_t *notices;
    const char *path;
    breaker__content_t *content;
} making_t;

/** The coding that a file is in by its name, and how much of its path names its type. */
static breaker_encoding_t coding_of(const making_t *making, breaker__blob_t *blob,
                                    size_t *ret_inner_len)
{
    bool has_option = breaker_view_config(making->store->view)->encoded_names;
    breaker_encoding_t coding;
    breaker__coded_name_t name;

    *ret_inner_len = strlen(making->path);
    if (!breaker__coded_name(making->path, *ret_inner_len, has_option, &name))
        return BREAKER_ENCODING_IDENTITY;
    coding = breaker__coding_of_bytes(breaker__blob_body(blob), name.codings);
    if (coding == BREAKER_ENCODING_IDENTITY)
        breaker__notices_add(making->notices, BREAKER__NOTICE_NOT_CODED, making->path);
    else
        *ret_inner_len = name.inner_len;
    return coding;
}

/** The kind of a file, of which a text is called one; NULL without memory. */
static breaker__kind_t *kind_of(const making_t *making, breaker__blob_t *blob)
{
    const breaker_view_t *view = making->store->view;
    char text_type[BREAKER__MANIFEST_TYPE_MAX + BREAKER__CHARSET_SIZE];
    char inner[BREAKER_ASSET_PATH_MAX + 1];
    size_t inner_len;
    breaker_encoding_t coding = coding_of(making, blob, &inner_len);
    breaker__traits_t traits;
    bool compressible;
    const char *type;

    assert(inner_len < sizeof(inner));
    memcpy(inner, making->path, inner_len);
    inner[inner_len] = '\0';
    type = breaker__type_of(&making->store->blobs->hooks, view, inner, &compressible);
    if (coding != BREAKER_ENCODING_IDENTITY)
        compressible = false;
    else if (breaker__utf8_is_text(&making->content->utf8) && breaker_view_config(view)->charset)
        type = breaker__type_of_text(type, text_type, &compressible);
    traits = breaker__traits_of_type(type, compressible);
    traits.coding = coding;
    traits.num_headers =
        breaker__view_matched(view, making->path, strlen(making->path), traits.headers);
    return breaker__store_kind(making->store, &traits);
}

/* the asset of what was read, which it takes over; NULL without memory */
static breaker_asset_t *make_asset(loader_t *loader, const making_t *making)
{
    breaker_store_t *store = making->store;
    breaker__content_t *content = making->content;
    breaker_asset_t *asset = NULL;
    breaker__blob_t *blob = content->known;
    breaker__kind_t *kind;

    if (blob == NULL && breaker__store_bring(store, content->digest, content->body, &blob) != 0)
        return NULL;
    if (content->modified_s > loader->now_s)
        content->modified_s = loader->now_s;
    if ((kind = kind_of(making, blob)) != NULL &&
        breaker__asset_get(blob, kind, store->view, content->modified_s, &asset) != 0)
        asset = NULL;
    breaker__blob_unref(blob);
    return asset;
}

static int load_from(loader_t *loader, const breaker__tree_t *tree, breaker__notices_t *notices,
                     breaker_store_t *store, size_t at)
{
    const char *path = breaker_store_path(store, at, NULL);
    breaker__content_t content;
    const making_t making = {store, notices, path, &content};
    breaker_asset_t *asset;
    int err;

    notices->directory = tree->directory;
    if ((err = breaker__read_file(&loader->reader, tree, store, path, &content, loader->error)) !=
        0)
        return err;
    if ((asset = make_asset(loader, &making)) == NULL)
        return fail_memory(loader, store->view);
    if (loader->loaded != NULL)
        breaker__loaded_add(loader->loaded, &content.stamp, breaker__asset_blob(asset),
                            breaker__utf8_is_text(&content.utf8));
    breaker__store_set(store, at, asset);
    return 0;
}

/* what may not be read is as if it were not there: the file of a later directory is served then */
static int load_asset(loader_t *loader, const breaker__trees_t *trees, breaker__notices_t *notices,
                      breaker_store_t *store, size_t at)
{
    uint16_t *directories = &store->entries[at].directories;
    int err;

    for (; *directories != 0; *directories = (uint16_t)(*directories & (*directories - 1))) {
        const breaker__tree_t *tree = trees->items + breaker__first_directory(*directories);
        err = load_from(loader, tree, notices, store, at);
        if (err != BREAKER_ERR_DENIED || breaker_view_config(store->view)->strict)
            return err;
        breaker__notices_add(notices, BREAKER__NOTICE_DENIED, breaker_store_path(store, at, NULL));
    }
    return 0;
}

static int load_assets(loader_t *loader, const breaker__trees_t *trees, breaker__notices_t *notices,
                       breaker_store_t *store)
{
    int err;

    for (size_t i = 0; i != store->num; ++i) {
        if (breaker__reader_is_stopped(&loader->reader))
            return breaker__tree_fail_io(trees->items, ECANCELED, "", loader->error);
        if ((err = load_asset(loader, trees, notices, store, i)) != 0)
            return err;
    }
    breaker__store_drop_empty(store);
    return 0;
}

static int fill_store(loader_t *loader, const breaker__trees_t *trees, breaker__notices_t *notices,
                      breaker_store_t *store)
{
    int err;

    if ((err = load_assets(loader, trees, notices, store)) != 0)
        return err;
    breaker__store_count_encodings(store);
    if (breaker__store_index(store) != 0)
        return fail_memory(loader, store->view);
    if (!breaker_view_config(store->view)->encodings) {
        breaker__sealed_finish(&store->sealed);
        return 0;
    }
    return breaker__adopt_siblings(store, trees, notices, loader->error);
}

static int load_trees(loader_t *loader, const breaker__trees_t *trees, breaker_store_t **ret_store)
{
    const breaker_release_hooks_t *hooks = &loader->release->blobs->hooks;
    breaker__notices_t notices;
    breaker__listing_t listing;
    breaker__arena_t arena;
    breaker_store_t *store = NULL;
    int err;

    breaker__arena_init(&arena);
    breaker__notices_init(&notices, hooks, trees->view, trees->items[0].directory);
    if ((err = breaker__trees_list(trees, &arena, &notices, &listing, loader->error)) == 0 &&
        (err = breaker__store_create(trees->view, loader->release->blobs, &listing, &store)) != 0)
        fail(loader, err, trees->view);
    breaker__listing_dispose(&listing);
    breaker__arena_dispose(&arena);
    if (err == 0)
        store->sealed.packs = loader->loaded != NULL;
    if (err == 0 && (err = fill_store(loader, trees, &notices, store)) != 0)
        breaker__store_free(store);
    breaker__notices_finish(&notices);
    if (err == 0) {
        /* what is made later is this process's own */
        if (loader->loaded != NULL)
            breaker__sealed_finish(&store->sealed);
        store->sealed.packs = false;
        *ret_store = store;
    }
    return err;
}

static const char *directory_of(const breaker__release_config_t *config, const breaker_view_t *view)
{
    return config->directories != NULL ? config->directories[breaker_view_index(view)] : NULL;
}

static int load_view(loader_t *loader, const breaker_view_t *view, breaker_store_t **ret_store)
{
    breaker__trees_t trees;
    int err;

    if ((err = breaker__trees_open(&trees, view, directory_of(loader->config, view),
                                   loader->error)) != 0)
        return err;
    err = load_trees(loader, &trees, ret_store);
    breaker__folder_close(&loader->reader.folder);
    breaker__trees_close(&trees);
    return err;
}

static int make_id(loader_t *loader, const breaker_token_t *label)
{
    breaker_release_t *release = loader->release;
    int err;

    release->manifest_version = breaker__manifest_version(release);
    if ((err = breaker__manifest_digest(release, &loader->reader.hasher, release->digest)) != 0)
        return breaker_error_set(loader->error, err, "%s", breaker_err_message(err));
    release->id = breaker__release_id_make(label, release->digest);
    return 0;
}

static int load_views(loader_t *loader, const breaker__release_config_t *config)
{
    breaker_release_t *release = loader->release;
    int err;

    for (size_t i = 0; i != config->num_views; ++i) {
        assert(breaker_view_index(config->views[i]) == i);
        if ((err = load_view(loader, config->views[i], release->stores + i)) != 0)
            return err;
        release->by_view[i] = release->stores[i];
        release->num_stores = i + 1;
    }
    return make_id(loader, &config->label);
}

breaker_release_t *breaker__release_create(breaker__blobs_t *blobs,
                                           const breaker_release_hooks_t *hooks,
                                           breaker__suspects_t *suspects, size_t max_stores,
                                           size_t num_by_view)
{
    breaker_release_t *release;

    if ((release = calloc(1, sizeof(*release))) == NULL)
        return NULL;
    atomic_init(&release->refs, 1);
    release->stores = calloc(max_stores + 1, sizeof(*release->stores));
    release->by_view = calloc(num_by_view + 1, sizeof(*release->by_view));
    release->num_by_view = num_by_view;
    if (blobs != NULL)
        release->blobs = breaker__blobs_ref(blobs);
    if (release->stores == NULL || release->by_view == NULL ||
        (release->blobs == NULL && breaker__blobs_create(&release->blobs) != 0)) {
        breaker_release_unref(release);
        return NULL;
    }
    breaker__blobs_set_hooks(release->blobs, hooks);
    if (suspects != NULL)
        breaker__blobs_set_suspects(release->blobs, suspects);
    return release;
}

int breaker__release_load(const breaker__release_config_t *config, const breaker__load_t *load,
                          breaker_release_t **ret_release, breaker_error_t *error)
{
    const breaker__load_t alone = {.suspects = NULL};
    loader_t loader = {.config = config, .now_s = time(NULL), .error = error};
    int err;

    assert(config->num_views <= BREAKER_VIEWS_MAX);
    if (load == NULL)
        load = &alone;
    loader.release = breaker__release_create(config->blobs, &config->hooks, load->suspects,
                                             config->num_views, config->num_views);
    if (loader.release == NULL || breaker__reader_init(&loader.reader, load->stop) != 0) {
        breaker_release_unref(loader.release);
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s",
                                 breaker_err_message(BREAKER_ERR_NO_MEMORY));
    }
    loader.loaded = load->loaded;
    if (loader.loaded != NULL)
        loader.loaded->num_views = config->num_views;
    loader.reader.inventory = load->inventory;
    loader.reader.asks_mounts = load->inventory != NULL || load->loaded != NULL;
    loader.reader.looks_first = breaker__blobs_num(loader.release->blobs) != 0;
    err = load_views(&loader, config);
    breaker__reader_dispose(&loader.reader);
    if (err != 0) {
        breaker_release_unref(loader.release);
        return err;
    }
    *ret_release = loader.release;
    return 0;
}

breaker_release_t *breaker__release_ref(breaker_release_t *release)
{
    size_t before = atomic_fetch_add_explicit(&release->refs, 1, memory_order_relaxed);

    assert(before != 0);
    return release;
}

void breaker_release_unref(breaker_release_t *release)
{
    size_t before;

    if (release == NULL)
        return;
    before = atomic_fetch_sub_explicit(&release->refs, 1, memory_order_acq_rel);
    assert(before != 0);
    if (before != 1)
        return;
    for (size_t i = 0; i != release->num_stores; ++i)
        breaker__store_free(release->stores[i]);
    free(release->stores);
    free(release->by_view);
    for (size_t i = 0; i != release->num_views; ++i)
        breaker__view_free(release->views[i]);
    free(release->views);
    breaker__blobs_unref(release->blobs);
    free(release);
}

const breaker_release_id_t *breaker_release_id(const breaker_release_t *release)
{
    return &release->id;
}

const uint8_t *breaker__release_digest(const breaker_release_t *release)
{
    return release->digest;
}

const breaker_store_t *breaker_release_store(const breaker_release_t *release, size_t view_index)
{
    return view_index < release->num_by_view ? release->by_view[view_index] : NULL;
}

breaker__blobs_t *breaker__release_blobs(const breaker_release_t *release)
{
    return release->blobs;
}

size_t breaker__release_memory(const breaker_release_t *release)
{
    size_t memory = sizeof(*release) + release->num_stores * sizeof(breaker_store_t *);

    for (size_t i = 0; i != release->num_stores; ++i)
        memory += release->stores[i]->own_memory;
    return memory;
}

void breaker__release_each_blob(const breaker_release_t *release,
                                void (*on_blob)(void *data, breaker__blob_t *blob), void *data)
{
    for (size_t i = 0; i != release->num_stores; ++i) {
        const breaker_store_t *store = release->stores[i];

        for (size_t at = 0; at != store->num; ++at)
            on_blob(data, breaker__asset_blob(store->entries[at].asset));
    }
}

static bool is_here(const breaker_store_t *store, size_t at)
{
    return breaker__blob_state(breaker__asset_blob(store->entries[at].asset)) == BREAKER__BLOB_HERE;
}

bool breaker__release_is_complete(breaker_release_t *release)
{
    size_t before = 0, seen = atomic_load_explicit(&release->num_seen_here, memory_order_acquire);
    bool is_complete = true;

    for (size_t i = 0; is_complete && i != release->num_stores; ++i) {
        const breaker_store_t *store = release->stores[i];
        while (seen - before < store->num && is_here(store, seen - before))
            ++seen;
        is_complete = seen - before >= store->num;
        before += store->num;
        assert(!is_complete || seen >= before);
    }
    /* another thread may have seen more: then it is looked at once more */
    atomic_store_explicit(&release->num_seen_here, seen, memory_order_release);
    return is_complete;
}
