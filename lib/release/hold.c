/*
 * A release made from its manifest, without a tree: its files are blobs that the node has, or that
 * it knows the names of and gets from elsewhere. What it answers is what the manifest says, not how
 * this node is configured; where the two say the same, the node's view is used, and otherwise a
 * view of the release's own that is like the manifest's lines in what a client sees, and like the
 * node's view of that name in what none does.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "encoding/encodings.h"
#include "release/blob.h"
#include "release/manifest_read.h"
#include "release/release.h"
#include "release/store.h"
#include "view/matched.h"
#include "view/view.h"

/* SHA-256 of no bytes: nobody has to be asked for them */
static const uint8_t digest_of_nothing[BREAKER_DIGEST_LEN] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

/* no view of the manifest */
#define NONE SIZE_MAX

/** What one call shares. */
typedef struct st_holder_t {
    const breaker__hold_config_t *config; /* borrowed */
    breaker_release_t *release;           /* borrowed: in the making */
    int64_t now_s;
    breaker_error_t *error;
} holder_t;

static int fail(const holder_t *holder, int err, const char *name)
{
    return breaker_error_set(holder->error, err, "a held release, view \"%s\": %s", name,
                             breaker_err_message(err));
}

/* ---- views ---- */

static bool has_name(const breaker_view_t *view, const char *name)
{
    return strcmp(breaker_view_name(view), name) == 0;
}

/** Whether no other view of the node has the view's name. */
static bool is_alone(const breaker__hold_config_t *config, const breaker_view_t *view)
{
    for (size_t i = 0; i != config->num_views; ++i)
        if (config->views[i] != view && has_name(config->views[i], breaker_view_name(view)))
            return false;
    return true;
}

/**
 * The number of the view of the manifest that answers for one of the node's, or NONE. Where both
 * have one view of the name it is that one, whatever their hosts are called: nodes need not call
 * their only one alike. Otherwise hosts tell, and where they tell two things nobody answers.
 */
static size_t find_described(const breaker__hold_config_t *config, const breaker_view_t *view)
{
    const breaker__manifest_t *manifest = config->manifest;
    size_t named = NONE, met = NONE, num_named = 0, num_met = 0;

    for (size_t i = 0; i != manifest->num_views; ++i) {
        const breaker__manifest_view_t *described = manifest->views + i;
        if (!has_name(view, described->config.name))
            continue;
        named = i;
        ++num_named;
        if (!breaker__hosts_meet(&view->hosts, &described->hosts))
            continue;
        met = i;
        ++num_met;
    }
    if (num_named == 1 && is_alone(config, view))
        return named;
    return num_met == 1 ? met : NONE;
}

/** The node's first view that number `at` of the manifest answers for, or NULL. */
static const breaker_view_t *own_view(const breaker__hold_config_t *config, size_t at)
{
    for (size_t i = 0; i != config->num_views; ++i)
        if (find_described(config, config->views[i]) == at)
            return config->views[i];
    return NULL;
}

/** What no client sees of a view that the manifest describes: as the node's view has it. */
static void complete_config(breaker_view_config_t *config, const breaker_view_t *own)
{
    const breaker_view_config_t *other = own != NULL ? breaker_view_config(own) : NULL;

    config->directory = other != NULL ? other->directory : "/";
    if (other == NULL)
        return;
    config->redirect_max_age_s = other->redirect_max_age_s;
    config->retry_after_s = other->retry_after_s;
    config->memory_file_limit = other->memory_file_limit;
    config->memory_limit = other->memory_limit;
    config->data = other->data;
}

static bool same_text(const char *x, const char *y)
{
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

/* whether both find the same file for a path */
static bool find_alike(const breaker_view_t *a, const breaker_view_t *b)
{
    const breaker_view_config_t *x = breaker_view_config(a), *y = breaker_view_config(b);

    return same_text(x->index, y->index) && same_text(x->fallback, y->fallback);
}

/** Whether two views answer alike, paths of directories included, and are for the same hosts, which
 * the manifest says. False without memory. */
static bool answers_alike(const breaker_view_t *a, const breaker_view_t *b)
{
    breaker__saying_t x, y;
    bool alike;

    if (!find_alike(a, b) ||
        !breaker__matched_equal(breaker_view_config(a), breaker_view_config(b)) ||
        !breaker__hosts_equal(&a->hosts, &b->hosts) || breaker__saying_init(&x, a) != 0)
        return false;
    alike = breaker__saying_init(&y, b) == 0;
    if (alike) {
        alike = breaker__saying_equal(&x, &y);
        breaker__saying_dispose(&y);
    }
    breaker__saying_dispose(&x);
    return alike;
}

/** A view for all of these hosts, at least one. */
static int make_view(breaker_view_config_t *config, const breaker__hosts_t *hosts, size_t index,
                     breaker_view_t **ret_view)
{
    breaker_view_t *view;
    int err;

    assert(hosts->num != 0);
    config->host = hosts->names[0];
    if ((err = breaker__view_create(config, index, &view)) != 0)
        return err;
    for (size_t i = 1; err == 0 && i != hosts->num; ++i)
        err = breaker__hosts_add(&view->hosts, hosts->names[i]);
    if (err != 0) {
        breaker__view_free(view);
        return err;
    }
    *ret_view = view;
    return 0;
}

/** The view that number `at` of the manifest is answered by: the node's, or the release's own. */
static int take_view(holder_t *holder, size_t at, const breaker_view_t **ret_view)
{
    breaker_release_t *release = holder->release;
    breaker_view_config_t config = holder->config->manifest->views[at].config;
    const breaker_view_t *own = own_view(holder->config, at);
    breaker_view_t *view;
    int err;

    complete_config(&config, own);
    if ((err = make_view(&config, &holder->config->manifest->views[at].hosts,
                         own != NULL ? breaker_view_index(own) : at, &view)) != 0)
        return fail(holder, err, config.name);
    if (own != NULL && answers_alike(own, view)) {
        breaker__view_free(view);
        *ret_view = own;
        return 0;
    }
    release->views[release->num_views++] = view;
    *ret_view = view;
    return 0;
}

/* ---- files ---- */

static int make_listing(const breaker__manifest_view_t *described, breaker__listing_t *ret_listing)
{
    size_t num = described->num_files;
    breaker__path_t *paths = malloc((num + 1) * sizeof(*paths));

    if (paths == NULL)
        return BREAKER_ERR_NO_MEMORY;
    for (size_t i = 0; i != num; ++i)
        paths[i] = (breaker__path_t){described->files[i].path, described->files[i].path_len, 1};
    *ret_listing = (breaker__listing_t){.paths = paths, .num = num, .capacity = num};
    return 0;
}

/** The blob of a file, with a reference. NULL without memory. */
static breaker__blob_t *blob_of(const holder_t *holder, const breaker__manifest_file_t *file)
{
    breaker__blob_t *blob = breaker__blobs_get(holder->release->blobs, file->digest, file->size);

    if (blob == NULL || file->size != 0 ||
        memcmp(file->digest, digest_of_nothing, sizeof(digest_of_nothing)) != 0)
        return blob;
    if (breaker__blob_fill(blob, "") == 0)
        return blob;
    breaker__blob_unref(blob);
    return NULL;
}

/** The manifest says the type; whether it is worth compressing is asked of the path. */
static bool is_compressible(const breaker_store_t *store, const breaker__manifest_file_t *file)
{
    char text_type[BREAKER__MANIFEST_TYPE_MAX + BREAKER__CHARSET_SIZE];
    bool compressible;
    const char *type =
        breaker__type_of(&store->blobs->hooks, store->view, file->path, &compressible);

    if (file->coding != BREAKER_ENCODING_IDENTITY)
        return false;
    if (strncasecmp(file->type, "text/", 5) == 0)
        breaker__type_of_text(type, text_type, &compressible);
    return compressible;
}

static int hold_file(const holder_t *holder, breaker_store_t *store, size_t at,
                     const breaker__manifest_file_t *file)
{
    int64_t modified_s =
        file->last_modified_s < holder->now_s ? file->last_modified_s : holder->now_s;
    breaker__traits_t traits = breaker__traits_of_type(file->type, is_compressible(store, file));
    breaker__kind_t *kind;
    breaker__blob_t *blob;
    breaker_asset_t *asset;
    int err;

    traits.coding = file->coding;
    traits.num_headers =
        breaker__view_matched(store->view, file->path, file->path_len, traits.headers);
    if ((kind = breaker__store_kind(store, &traits)) == NULL ||
        (blob = blob_of(holder, file)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    err = breaker__asset_get(blob, kind, store->view, modified_s, &asset);
    breaker__blob_unref(blob);
    if (err != 0)
        return err;
    breaker__store_set(store, at, asset);
    /* they are made when the bytes are here */
    return breaker_view_config(store->view)->encodings && breaker__is_worth_encoding(asset)
               ? breaker__asset_expect(asset, store->view)
               : 0;
}

static int hold_files(const holder_t *holder, const breaker__manifest_view_t *described,
                      breaker_store_t *store)
{
    int err;

    for (size_t i = 0; i != described->num_files; ++i)
        if ((err = hold_file(holder, store, i, described->files + i)) != 0)
            return err;
    breaker__store_count_encodings(store);
    return breaker__store_index(store);
}

static int make_store(const holder_t *holder, const breaker__manifest_view_t *described,
                      const breaker_view_t *view, breaker_store_t **ret_store)
{
    breaker__listing_t listing;
    breaker_store_t *store;
    int err;

    if ((err = make_listing(described, &listing)) != 0)
        return err;
    err = breaker__store_create(view, holder->release->blobs, &listing, &store);
    breaker__listing_dispose(&listing);
    if (err != 0)
        return err;
    if ((err = hold_files(holder, described, store)) != 0) {
        breaker__store_free(store);
        return err;
    }
    *ret_store = store;
    return 0;
}

/* ---- the release ---- */

/** Which of the stores answer for the node's views: those of the manifest's, in its order. */
static void set_by_view(const holder_t *holder)
{
    breaker_release_t *release = holder->release;

    assert(release->num_stores == holder->config->manifest->num_views);
    for (size_t i = 0; i != holder->config->num_views; ++i) {
        size_t at = find_described(holder->config, holder->config->views[i]);
        if (at != NONE)
            release->by_view[i] = release->stores[at];
    }
}

static int hold_views(holder_t *holder)
{
    const breaker__manifest_t *manifest = holder->config->manifest;

    for (size_t i = 0; i != manifest->num_views; ++i) {
        const breaker__manifest_view_t *described = manifest->views + i;
        const breaker_view_t *view = NULL;
        breaker_store_t *store;
        int err;

        if ((err = take_view(holder, i, &view)) != 0)
            return err;
        if ((err = make_store(holder, described, view, &store)) != 0)
            return fail(holder, err, described->config.name);
        holder->release->stores[holder->release->num_stores++] = store;
    }
    set_by_view(holder);
    return 0;
}

int breaker__release_hold(const breaker__hold_config_t *config, breaker_release_t **ret_release,
                          breaker_error_t *error)
{
    const breaker__manifest_t *manifest = config->manifest;
    holder_t holder = {.config = config, .now_s = time(NULL), .error = error};
    int err = BREAKER_ERR_NO_MEMORY;

    assert(config->blobs != NULL);
    assert(config->num_views <= BREAKER_VIEWS_MAX);
    assert(manifest->num_views <= BREAKER_VIEWS_MAX);
    holder.release = breaker__release_create(config->blobs, &config->hooks, config->suspects,
                                             manifest->num_views, config->num_views);
    if (holder.release != NULL)
        holder.release->views = calloc(manifest->num_views + 1, sizeof(*holder.release->views));
    if (holder.release == NULL || holder.release->views == NULL) {
        breaker_release_unref(holder.release);
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    }
    holder.release->id = config->id;
    memcpy(holder.release->digest, manifest->digest, sizeof(manifest->digest));
    holder.release->manifest_version = manifest->version;
    if ((err = hold_views(&holder)) != 0) {
        breaker_release_unref(holder.release);
        return err;
    }
    *ret_release = holder.release;
    return 0;
}
