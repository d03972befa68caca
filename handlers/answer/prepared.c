/*
 * What ties a node to libh2o: media types from its map, and the head of a variant's answers, made
 * once, when the variant is loaded.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "answer/cross_origin.h"
#include "answer/head.h"

#define OCTET_STREAM "application/octet-stream"

/* how long what is early may be kept, in seconds: encodings take seconds, of large trees minutes */
enum { EARLY_MAX_AGE_S = 60 };

/* what 200, 206 and 304 have */
static void push_shared(breaker__draft_t *draft, const breaker_view_config_t *config,
                        const breaker_asset_t *asset, const breaker_variant_t *variant,
                        const char *cache_control)
{
    assert(variant->etag[0] == '"');
    breaker__draft_push(draft, H2O_TOKEN_CACHE_CONTROL, cache_control);
    breaker__draft_push(draft, H2O_TOKEN_ETAG, variant->etag);
    for (size_t i = 0; i != config->num_headers; ++i)
        if (!breaker__is_about_origins(config->headers[i]))
            breaker__draft_push_line(draft, config->headers[i]);
    breaker__draft_replace_lines(draft, asset->headers);
    draft->num_shared = draft->num_headers;
    assert(draft->num_shared >= 2);
}

/* a shared cache would go on answering with the identity bytes when there are encodings */
static int write_cache_control(char *dst, size_t size, const breaker_view_config_t *config,
                               bool is_early)
{
    uint64_t max_age_s = config->cache_max_age_s;

    if (!is_early)
        return snprintf(dst, size, "public, max-age=%" PRIu64 ", immutable", max_age_s);
    if (max_age_s > EARLY_MAX_AGE_S)
        max_age_s = EARLY_MAX_AGE_S;
    return snprintf(dst, size, "public, max-age=%" PRIu64, max_age_s);
}

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    const breaker_view_config_t *config = breaker_view_config(view);
    char cache_control[64];
    /* what is in a coding by its name has no other */
    bool is_plain = asset->coding == BREAKER_ENCODING_IDENTITY;
    breaker_encoding_t coding = is_plain ? variant->encoding : asset->coding;
    breaker__draft_t draft;
    breaker__head_t *head;
    int len = write_cache_control(cache_control, sizeof(cache_control), config, variant->is_early);

    assert((size_t)len < sizeof(cache_control));
    breaker__draft_begin(&draft, config, is_plain && config->encodings);
    push_shared(&draft, config, asset, variant, cache_control);
    breaker__draft_push(&draft, H2O_TOKEN_LAST_MODIFIED, asset->last_modified);
    breaker__draft_push(&draft, H2O_TOKEN_CONTENT_TYPE, asset->type);
    breaker__draft_push(&draft, H2O_TOKEN_ACCEPT_RANGES, "bytes");
    if (coding != BREAKER_ENCODING_IDENTITY)
        breaker__draft_push(&draft, H2O_TOKEN_CONTENT_ENCODING, breaker_encoding_name(coding));
    draft.body_len = variant->len;
    head = breaker__head_create(&draft, data);
    assert(head->num_shared < head->num_headers);
    assert(head->body_len == variant->len);
    h2o_mimemap_get_default_attributes(asset->type, &head->mime_attr);
    return head;
}

static void unprepare(void *data, void *prepared)
{
    (void)data;
    breaker__head_free(prepared);
}

static h2o_mimemap_type_t *lookup_type(h2o_mimemap_t *mimemap, const char *path)
{
    const char *name = strrchr(path, '/');
    h2o_iovec_t ext;

    name = name != NULL ? name + 1 : path;
    ext = h2o_get_filext(name, strlen(name));
    return h2o_mimemap_get_type_by_extension(mimemap, ext);
}

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    h2o_globalconf_t *globalconf = data;
    h2o_mimemap_t *mimemap = breaker_view_data(view);
    h2o_mimemap_type_t *type = lookup_type(mimemap != NULL ? mimemap : globalconf->mimemap, path);

    /* the map has a default */
    assert(type != NULL);
    /* a dynamic type names a handler, not a media type */
    if (type->type != H2O_MIMEMAP_TYPE_MIMETYPE) {
        *ret_compressible = false;
        return OCTET_STREAM;
    }
    *ret_compressible = type->data.attr.is_compressible != 0;
    return type->data.mimetype.base;
}

static void on_notice(void *data, const char *message)
{
    (void)data;
    dprintf(STDERR_FILENO, "[breaker] %s\n", message);
}

void breaker_h2o_node_config_init(breaker_node_config_t *config, h2o_globalconf_t *globalconf)
{
    assert(globalconf != NULL);
    breaker_node_config_init(config);
    config->hooks = (breaker_release_hooks_t){.data = globalconf,
                                              .type_of = type_of,
                                              .prepare = prepare,
                                              .unprepare = unprepare,
                                              .on_notice = on_notice};
}
