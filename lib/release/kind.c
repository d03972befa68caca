/*
 * What makes the answers for one content differ. It is compared as a text, of which every part says
 * how it begins and ends, so that no two different configurations have the same one; and it is kept
 * once, so that assets of hundreds of files compare one pointer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <breaker/error.h>
#include "release/blob.h"
#include "release/kind.h"
#include "release/manifest_read.h"

static const char default_type[] = "application/octet-stream";

/* ---- what a view says ---- */

/* writes to nowhere when `dst` is NULL; returns where the next part begins */
static size_t put(char *dst, size_t at, const void *base, size_t len)
{
    if (dst != NULL)
        memcpy(dst + at, base, len);
    return at + len;
}

/* a text and its NUL after a mark that it is there, or the mark that it is not */
static size_t put_text(char *dst, size_t at, const char *text)
{
    if (text == NULL)
        return put(dst, at, "-", 1);
    at = put(dst, at, "+", 1);
    return put(dst, at, text, strlen(text) + 1);
}

static size_t write_saying(char *dst, const breaker_view_config_t *config)
{
    size_t at = put(dst, 0, &config->cache_max_age_s, sizeof(config->cache_max_age_s));

    at = put(dst, at, &config->encodings, sizeof(config->encodings));
    /* the host's own, which it may look at when it prepares an answer */
    at = put(dst, at, &config->data, sizeof(config->data));
    at = put_text(dst, at, config->allow_origin);
    at = put_text(dst, at, config->timing_allow_origin);
    at = put_text(dst, at, config->resource_policy);
    for (size_t i = 0; i != config->num_headers; ++i)
        at = put_text(dst, at, config->headers[i]);
    return at;
}

int breaker__saying_init(breaker__saying_t *saying, const breaker_view_t *view)
{
    const breaker_view_config_t *config = breaker_view_config(view);

    saying->len = write_saying(NULL, config);
    if ((saying->base = malloc(saying->len)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    write_saying(saying->base, config);
    return 0;
}

void breaker__saying_dispose(breaker__saying_t *saying)
{
    free(saying->base);
    *saying = (breaker__saying_t){0};
}

bool breaker__saying_equal(const breaker__saying_t *a, const breaker__saying_t *b)
{
    return a->len == b->len && memcmp(a->base, b->base, a->len) == 0;
}

/* ---- media types ---- */

/** Whether a manifest can carry a media type, so that peers can read it. */
static bool is_type(const char *type)
{
    size_t len = 0;

    for (; type[len] != '\0'; ++len)
        if ((unsigned char)type[len] < 0x20 || type[len] == 0x7f)
            return false;
    return len != 0 && len <= BREAKER__MANIFEST_TYPE_MAX;
}

const char *breaker__type_of(const breaker_release_hooks_t *hooks, const breaker_view_t *view,
                             const char *path, bool *ret_compressible)
{
    const char *type = NULL;
    bool compressible = false;

    if (hooks->type_of != NULL)
        type = hooks->type_of(hooks->data, view, path, &compressible);
    if (type == NULL || !is_type(type)) {
        *ret_compressible = false;
        return default_type;
    }
    *ret_compressible = compressible;
    return type;
}

static bool has_charset(const char *type)
{
    static const char *const others[] = {"application/javascript", "application/ecmascript",
                                         "application/typescript"};

    if (strchr(type, ';') != NULL)
        return false;
    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        if (strcasecmp(type, others[i]) == 0)
            return true;
    return strncasecmp(type, "text/", 5) == 0;
}

const char *breaker__type_of_text(const char *type, char *dst, bool *ret_compressible)
{
    if (strcasecmp(type, "video/mp2t") == 0) {
        type = "text/plain";
        *ret_compressible = true;
    }
    if (!has_charset(type))
        return type;
    stpcpy(stpcpy(dst, type), "; charset=utf-8");
    return strlen(dst) <= BREAKER__MANIFEST_TYPE_MAX ? dst : type;
}

/* ---- kinds ---- */

static bool has_headers(const char *headers, const breaker__traits_t *traits)
{
    for (size_t i = 0; i != traits->num_headers; ++i) {
        if (strcmp(headers, traits->headers[i]) != 0)
            return false;
        headers += strlen(headers) + 1;
    }
    return *headers == '\0';
}

bool breaker__kind_has(const breaker__kind_t *kind, const breaker__traits_t *traits)
{
    return kind->compressible == traits->compressible && kind->coding == traits->coding &&
           strcmp(kind->type, traits->type) == 0 && has_headers(kind->headers, traits);
}

static bool says(const breaker__kind_t *kind, const breaker__saying_t *saying)
{
    return kind->saying_len == saying->len && memcmp(kind->texts, saying->base, saying->len) == 0;
}

static size_t headers_size(const breaker__traits_t *traits)
{
    size_t size = 1;

    for (size_t i = 0; i != traits->num_headers; ++i)
        size += strlen(traits->headers[i]) + 1;
    return size;
}

static void write_headers(char *dst, const breaker__traits_t *traits)
{
    for (size_t i = 0; i != traits->num_headers; ++i)
        dst = stpcpy(dst, traits->headers[i]) + 1;
    *dst = '\0';
}

static breaker__kind_t *create(const breaker_view_t *view, const breaker__saying_t *saying,
                               const breaker__traits_t *traits)
{
    size_t type_size = strlen(traits->type) + 1;
    breaker__kind_t *kind = malloc(sizeof(*kind) + saying->len + type_size + headers_size(traits));

    if (kind == NULL)
        return NULL;
    assert(traits->num_headers <= BREAKER_VIEW_HEADERS_MAX);
    *kind = (breaker__kind_t){.compressible = traits->compressible,
                              .encodings = traits->coding == BREAKER_ENCODING_IDENTITY &&
                                           breaker_view_config(view)->encodings,
                              .coding = traits->coding,
                              .type = kind->texts + saying->len,
                              .headers = kind->texts + saying->len + type_size,
                              .saying_len = saying->len};
    memcpy(kind->texts, saying->base, saying->len);
    memcpy(kind->texts + saying->len, traits->type, type_size);
    write_headers(kind->texts + saying->len + type_size, traits);
    return kind;
}

breaker__kind_t *breaker__kind_get(breaker__blobs_t *blobs, const breaker_view_t *view,
                                   const breaker__saying_t *saying, const breaker__traits_t *traits)
{
    breaker__kind_t *kind;

    breaker__blobs_lock(blobs);
    for (kind = blobs->kinds; kind != NULL; kind = kind->next)
        if (says(kind, saying) && breaker__kind_has(kind, traits))
            break;
    if (kind == NULL && (kind = create(view, saying, traits)) != NULL) {
        kind->next = blobs->kinds;
        blobs->kinds = kind;
    }
    if (kind != NULL)
        ++kind->refs;
    breaker__blobs_unlock(blobs);
    return kind;
}

breaker__kind_t *breaker__kind_ref(breaker__blobs_t *blobs, breaker__kind_t *kind)
{
    breaker__blobs_lock(blobs);
    assert(kind->refs != 0);
    ++kind->refs;
    breaker__blobs_unlock(blobs);
    return kind;
}

void breaker__kind_unref_locked(breaker__blobs_t *blobs, breaker__kind_t *kind)
{
    breaker__kind_t **at = &blobs->kinds;

    assert(kind->refs != 0);
    if (--kind->refs != 0)
        return;
    for (; *at != kind; at = &(*at)->next)
        assert(*at != NULL);
    *at = kind->next;
    free(kind);
}

void breaker__kind_unref(breaker__blobs_t *blobs, breaker__kind_t *kind)
{
    breaker__blobs_lock(blobs);
    breaker__kind_unref_locked(blobs, kind);
    breaker__blobs_unlock(blobs);
}
