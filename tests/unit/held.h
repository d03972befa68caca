#ifndef BREAKER_TESTS_HELD_H
#define BREAKER_TESTS_HELD_H

/*
 * Releases of one table of blobs, for what they share: loaded from a tree, and held from the
 * manifest of a release that another node, with a table of its own, has loaded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <breaker/release.h>
#include "release/blob.h"
#include "release/manifest.h"
#include "release/manifest_read.h"
#include "release/release.h"
#include "release/store.h"
#include "scratch.h"
#include "view/view.h"

/** A text that grows. */
typedef struct st_held_text_t {
    char *base;
    size_t len;
} held_text_t;

static inline int held_append(void *data, const char *base, size_t len)
{
    held_text_t *text = data;

    assert_non_null(text->base = realloc(text->base, text->len + len + 1));
    memcpy(text->base + text->len, base, len);
    text->len += len;
    text->base[text->len] = '\0';
    return 0;
}

/** The manifest of a release as a text; the caller frees it. */
static inline held_text_t held_text(const breaker_release_t *release)
{
    held_text_t text = {0};

    assert_int_equal(breaker__manifest_write(release, held_append, &text), 0);
    return text;
}

static inline breaker__manifest_t *held_read(const breaker_release_t *release)
{
    held_text_t text = held_text(release);
    breaker__manifest_t *manifest;
    breaker_error_t error = {0};

    if (breaker__manifest_read(text.base, text.len, &manifest, &error) != 0)
        fail_msg("%s", error.message);
    free(text.base);
    return manifest;
}

static inline breaker_release_t *held_load(const breaker_view_t *const *views, size_t num_views,
                                           const breaker_release_hooks_t *hooks,
                                           breaker__blobs_t *blobs)
{
    breaker__release_config_t config = {.views = views, .num_views = num_views, .blobs = blobs};
    breaker_error_t error = {0};
    breaker_release_t *release;

    if (hooks != NULL)
        config.hooks = *hooks;
    if (breaker__release_load(&config, NULL, &release, &error) != 0)
        fail_msg("%s", error.message);
    return release;
}

/** Holds the release that `original` is elsewhere. */
static inline breaker_release_t *held_hold(const breaker_release_t *original,
                                           const breaker_view_t *const *views, size_t num_views,
                                           const breaker_release_hooks_t *hooks,
                                           breaker__blobs_t *blobs)
{
    breaker__manifest_t *manifest = held_read(original);
    breaker__hold_config_t config = {.manifest = manifest,
                                     .id = *breaker_release_id(original),
                                     .views = views,
                                     .num_views = num_views,
                                     .blobs = blobs};
    breaker_error_t error = {0};
    breaker_release_t *release;

    if (hooks != NULL)
        config.hooks = *hooks;
    if (breaker__release_hold(&config, &release, &error) != 0)
        fail_msg("%s", error.message);
    breaker__manifest_free(manifest);
    return release;
}

static inline const breaker_asset_t *held_asset(const breaker_release_t *release, size_t view,
                                                const char *path)
{
    const breaker_store_t *store = breaker_release_store(release, view);
    const breaker_asset_t *asset;

    assert_non_null(store);
    assert_non_null(asset = breaker_store_find(store, path, strlen(path)));
    return asset;
}

static inline const breaker_variant_t *held_identity(const breaker_release_t *release, size_t view,
                                                     const char *path)
{
    return breaker_asset_variant(held_asset(release, view, path), BREAKER_ENCODING_IDENTITY);
}

static inline void held_fill_one(void *data, breaker__blob_t *blob)
{
    breaker__blobs_t *from = data;
    breaker__blob_t *other = breaker__blobs_find(from, breaker__blob_digest(blob));
    const breaker_variant_t *body;

    assert_non_null(other);
    assert_non_null(body = breaker__blob_body(other));
    assert_non_null(body->base);
    assert_int_equal(breaker__blob_fill(blob, body->base), 0);
    breaker__blob_unref(other);
}

/** Gives a held release every byte that it lacks, from the blobs of another node. */
static inline void held_fill(const breaker_release_t *release, breaker__blobs_t *from)
{
    breaker__release_each_blob(release, held_fill_one, from);
    breaker__blobs_settle(breaker__release_blobs(release));
}

#endif
