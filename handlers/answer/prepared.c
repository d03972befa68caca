/*
 * Makes a variant's answer once, when it is loaded: the header array that h2o writes, with names
 * that point at h2o's tokens (its HTTP/2 encoder finds their static index by address) and values
 * that live as long as the store, and the same as text for HTTP/1. `Vary` is the exception: as a
 * token, libh2o turns it into `Cache-Control: private` for user agents that call themselves MSIE.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "answer/http1_text.h"
#include "answer/prepared.h"

#define OCTET_STREAM "application/octet-stream"

static h2o_iovec_t vary_name = {H2O_STRLIT("vary")};

typedef struct st_header_list_t {
    h2o_header_t *entries;
    size_t num;
} header_list_t;

static void push(header_list_t *list, const h2o_token_t *token, const char *value)
{
    list->entries[list->num++] = (h2o_header_t){.name = (h2o_iovec_t *)&token->buf,
                                                .value = h2o_iovec_init(value, strlen(value))};
}

/* the caller's headers: names and values share one allocation behind the array */
static char *push_text(header_list_t *list, const char *line, char *storage, h2o_iovec_t *name)
{
    const char *colon = strchr(line, ':');
    size_t name_len, value_len;
    const h2o_token_t *token;

    assert(colon != NULL);
    name_len = (size_t)(colon - line);
    for (++colon; *colon == ' ' || *colon == '\t'; ++colon)
        ;
    value_len = strlen(colon);
    memcpy(storage, line, name_len);
    h2o_strtolower(storage, name_len);
    memcpy(storage + name_len, colon, value_len);
    token = h2o_lookup_token(storage, name_len);
    *name = h2o_iovec_init(storage, name_len);
    list->entries[list->num++] =
        (h2o_header_t){.name = token != NULL ? (h2o_iovec_t *)&token->buf : name,
                       .value = h2o_iovec_init(storage + name_len, value_len)};
    return storage + name_len + value_len;
}

static size_t text_size(const breaker_view_config_t *config)
{
    size_t size = 0;

    for (size_t i = 0; i != config->num_headers; ++i)
        size += strlen(config->headers[i]);
    return size;
}

static void push_configured(header_list_t *list, const breaker_view_config_t *config,
                            h2o_iovec_t *names, char *storage)
{
    if (config->allow_origin != NULL)
        push(list, H2O_TOKEN_ACCESS_CONTROL_ALLOW_ORIGIN, config->allow_origin);
    for (size_t i = 0; i != config->num_headers; ++i)
        storage = push_text(list, config->headers[i], storage, names + i);
}

/* the most headers of our own: see prepare */
enum { MAX_OWN_HEADERS = 10 };

static h2o_iovec_t timing_allow_origin_name = {H2O_STRLIT("timing-allow-origin")};
static h2o_iovec_t resource_policy_name = {H2O_STRLIT("cross-origin-resource-policy")};

static void push_named(header_list_t *list, h2o_iovec_t *name, const char *value)
{
    list->entries[list->num++] =
        (h2o_header_t){.name = name, .value = h2o_iovec_init(value, strlen(value))};
}

/* the head of a 200 on HTTP/1, from Content-Length on */
static void write_text(breaker__prepared_t *prepared, const h2o_globalconf_t *globalconf,
                       uint64_t body_len)
{
    const h2o_header_t *headers = prepared->headers;
    size_t size = BREAKER__HTTP1_LENGTH_MAX + breaker__http1_server_len(globalconf) +
                  breaker__http1_headers_len(headers, prepared->num_headers) + sizeof("\r\n") - 1;
    char *text = h2o_mem_alloc(size), *at;

    prepared->text = text;
    at = breaker__http1_put_length(text, body_len);
    prepared->server_at = (size_t)(at - text);
    at = breaker__http1_put_server(at, globalconf);
    prepared->headers_at = (size_t)(at - text);
    at = breaker__http1_put_headers(at, headers, prepared->num_shared);
    prepared->shared_end = (size_t)(at - text);
    at = breaker__http1_put_headers(at, headers + prepared->num_shared,
                                    prepared->num_headers - prepared->num_shared);
    *at++ = '\r';
    *at++ = '\n';
    prepared->text_len = (size_t)(at - text);
    assert(prepared->text_len <= size);
}

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    const h2o_globalconf_t *globalconf = data;
    const breaker_view_config_t *config = breaker_view_config(view);
    size_t max_headers = MAX_OWN_HEADERS + config->num_headers;
    char cache_control[64];
    size_t cache_control_len, names_at, storage_at;
    breaker__prepared_t *prepared;
    header_list_t list;
    h2o_iovec_t *names;
    char *storage;

    cache_control_len =
        (size_t)snprintf(cache_control, sizeof(cache_control),
                         "public, max-age=%" PRIu64 ", immutable", config->cache_max_age_s);
    names_at = sizeof(*prepared) + max_headers * sizeof(h2o_header_t);
    storage_at = names_at + config->num_headers * sizeof(h2o_iovec_t);
    prepared = h2o_mem_alloc(storage_at + cache_control_len + 1 + text_size(config));
    names = (h2o_iovec_t *)(void *)((char *)prepared + names_at);
    storage = (char *)prepared + storage_at;
    memcpy(storage, cache_control, cache_control_len + 1);

    h2o_mimemap_get_default_attributes(asset->type, &prepared->mime_attr);
    list = (header_list_t){prepared->headers, 0};
    push(&list, H2O_TOKEN_CACHE_CONTROL, storage);
    push(&list, H2O_TOKEN_ETAG, variant->etag);
    if (config->encodings)
        push_named(&list, &vary_name, "accept-encoding");
    if (config->timing_allow_origin != NULL)
        push_named(&list, &timing_allow_origin_name, config->timing_allow_origin);
    if (config->resource_policy != NULL)
        push_named(&list, &resource_policy_name, config->resource_policy);
    push_configured(&list, config, names, storage + cache_control_len + 1);
    prepared->num_shared = list.num;

    push(&list, H2O_TOKEN_LAST_MODIFIED, asset->last_modified);
    push(&list, H2O_TOKEN_CONTENT_TYPE, asset->type);
    push(&list, H2O_TOKEN_ACCEPT_RANGES, "bytes");
    if (variant->encoding != BREAKER_ENCODING_IDENTITY)
        push(&list, H2O_TOKEN_CONTENT_ENCODING, breaker_encoding_name(variant->encoding));
    assert(list.num <= max_headers);
    prepared->num_headers = list.num;
    write_text(prepared, globalconf, variant->len);
    return prepared;
}

static void unprepare(void *data, void *_prepared)
{
    breaker__prepared_t *prepared = _prepared;
    (void)data;

    free((void *)(uintptr_t)prepared->text);
    free(prepared);
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
    breaker_node_config_init(config);
    config->hooks = (breaker_release_hooks_t){.data = globalconf,
                                              .type_of = type_of,
                                              .prepare = prepare,
                                              .unprepare = unprepare,
                                              .on_notice = on_notice};
}
