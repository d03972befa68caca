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
#include "release/digest.h"
#include "release/file.h"
#include "release/manifest.h"
#include "release/notices.h"
#include "release/release.h"
#include "encoding/siblings.h"
#include "release/release_id.h"
#include "release/store.h"
#include "release/tree.h"

static const char default_type[] = "application/octet-stream";

/** What loading the views has in common. */
typedef struct st_loader_t {
    const breaker__release_config_t *config; /* borrowed */
    breaker_release_t *release;              /* borrowed: in the making */
    breaker__reader_t reader;                /* owned */
    int64_t now_s;
    breaker_error_t *error;
} loader_t;

static int fail_memory(const loader_t *loader, const breaker_view_t *view)
{
    return breaker_error_set(loader->error, BREAKER_ERR_NO_MEMORY, "view \"%s\": %s",
                             breaker_view_name(view), breaker_err_message(BREAKER_ERR_NO_MEMORY));
}

static int set_type(loader_t *loader, breaker_store_t *store, breaker_asset_t *asset)
{
    const breaker_release_hooks_t *hooks = &loader->release->hooks;
    const char *type = NULL;
    bool compressible = false;

    if (hooks->type_of != NULL)
        type = hooks->type_of(hooks->data, store->view, asset->path, &compressible);
    asset->compressible = type != NULL && compressible;
    asset->type = breaker__store_intern(store, type != NULL ? type : default_type);
    return asset->type != NULL ? 0 : fail_memory(loader, store->view);
}

static int load_asset(loader_t *loader, const breaker__tree_t *tree, breaker_store_t *store,
                      size_t at)
{
    breaker_asset_t *asset = store->assets + at;
    breaker_variant_t *identity = store->identities + at;
    int err;

    if ((err = breaker__read_file(&loader->reader, tree, store, asset, identity, loader->error)) !=
        0)
        return err;
    if ((err = set_type(loader, store, asset)) != 0)
        return err;
    if (asset->last_modified_s > loader->now_s)
        asset->last_modified_s = loader->now_s;
    breaker__http_date_format(asset->last_modified_s, asset->last_modified);
    breaker__store_publish(store, asset, identity);
    return 0;
}

static int fill_store(loader_t *loader, const breaker__tree_t *tree, breaker__notices_t *notices,
                      breaker_store_t *store)
{
    int err;

    for (size_t i = 0; i != store->num_assets; ++i) {
        if (breaker__reader_is_stopped(&loader->reader))
            return breaker__tree_fail_io(tree, ECANCELED, "", loader->error);
        if ((err = load_asset(loader, tree, store, i)) != 0)
            return err;
    }
    if (breaker__store_index(store) != 0)
        return fail_memory(loader, store->view);
    if (!breaker_view_config(store->view)->encodings) {
        breaker__sealed_finish(&store->sealed);
        return 0;
    }
    return breaker__adopt_siblings(store, tree, notices, loader->error);
}

/** Whose the store is, and where its files lie, which may be forgotten once they are read. */
static int name_place(loader_t *loader, const breaker__tree_t *tree, breaker_store_t *store)
{
    size_t before = store->arena.memory;

    store->release = loader->release;
    store->directory = breaker__arena_copy(&store->arena, tree->directory, strlen(tree->directory));
    store->memory += store->arena.memory - before;
    return store->directory != NULL ? 0 : fail_memory(loader, store->view);
}

static int load_tree(loader_t *loader, const breaker__tree_t *tree, breaker_store_t **ret_store)
{
    const breaker_release_hooks_t *hooks = &loader->release->hooks;
    breaker__notices_t notices;
    breaker__listing_t listing;
    breaker__arena_t arena;
    breaker_store_t *store = NULL;
    int err;

    breaker__arena_init(&arena);
    breaker__notices_init(&notices, hooks, tree->view, tree->directory);
    if ((err = breaker__tree_list(tree, &arena, &notices, &listing, loader->error)) == 0 &&
        (err = breaker__store_create(tree->view, hooks, &arena, &listing, &store)) != 0)
        fail_memory(loader, tree->view);
    breaker__listing_dispose(&listing);
    breaker__arena_dispose(&arena);
    if (err == 0 && ((err = name_place(loader, tree, store)) != 0 ||
                     (err = fill_store(loader, tree, &notices, store)) != 0))
        breaker__store_free(store);
    breaker__notices_finish(&notices);
    if (err == 0)
        *ret_store = store;
    return err;
}

static const char *directory_of(const breaker__release_config_t *config, const breaker_view_t *view)
{
    return config->directories != NULL ? config->directories[breaker_view_index(view)] : NULL;
}

static int load_view(loader_t *loader, const breaker_view_t *view, breaker_store_t **ret_store)
{
    breaker__tree_t tree;
    int err;

    if ((err = breaker__tree_open(&tree, view, directory_of(loader->config, view),
                                  loader->error)) != 0)
        return err;
    err = load_tree(loader, &tree, ret_store);
    breaker__tree_close(&tree);
    return err;
}

static int make_id(loader_t *loader, const breaker_token_t *label)
{
    breaker_release_t *release = loader->release;
    int err = breaker__manifest_digest(release, &loader->reader.hasher, release->digest);

    if (err != 0)
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
        release->num_stores = i + 1;
    }
    return make_id(loader, &config->label);
}

/** A release without stores, with one reference. */
static breaker_release_t *create(const breaker__release_config_t *config)
{
    breaker_release_t *release;

    if ((release = calloc(1, sizeof(*release))) == NULL)
        return NULL;
    if ((release->stores = calloc(config->num_views + 1, sizeof(*release->stores))) == NULL) {
        free(release);
        return NULL;
    }
    atomic_init(&release->refs, 1);
    release->hooks = config->hooks;
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
    if ((loader.release = create(config)) == NULL ||
        breaker__reader_init(&loader.reader, load->stop) != 0) {
        breaker_release_unref(loader.release);
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s",
                                 breaker_err_message(BREAKER_ERR_NO_MEMORY));
    }
    loader.release->suspects = load->suspects;
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
    return view_index < release->num_stores ? release->stores[view_index] : NULL;
}
