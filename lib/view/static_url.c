/*
 * URLs of assets, and the text that lets a browser check their bytes. The path may come from a
 * template or from a walk over the view's directory; what is written is always the canonical form,
 * the one that a browser will ask for: no empty and no "." segments, percent-encoded, under the
 * view's current token. The file system is not asked.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/http/percent.h>
#include <breaker/store.h>
#include <breaker/url.h>
#include "http/percent.h"
#include "view/view.h"

/* where a text is written; one byte is kept for the NUL */
typedef struct st_output_t {
    char *dst;
    size_t len, capacity;
} output_t;

static int append(output_t *output, const char *base, size_t len)
{
    assert(output->len <= output->capacity);
    if (len > output->capacity - output->len)
        return BREAKER_ERR_TOO_LONG;
    memcpy(output->dst + output->len, base, len);
    output->len += len;
    return 0;
}

/* encodes in pieces, so that three times their length always fits */
static int append_encoded_by(output_t *output, const char *base, size_t len,
                             size_t (*encode)(const char *src, size_t len, char *dst))
{
    char encoded[3 * 64];
    int err;

    while (len != 0) {
        size_t piece = len < 64 ? len : 64;
        if ((err = append(output, encoded, encode(base, piece, encoded))) != 0)
            return err;
        base += piece;
        len -= piece;
    }
    return 0;
}

static int append_encoded(output_t *output, const char *base, size_t len)
{
    return append_encoded_by(output, base, len, breaker__percent_encode);
}

/* a query or an anchor, which is encoded where it comes from; none when it is empty */
static int append_rest(output_t *output, const char *mark, const char *base, size_t len)
{
    int err;

    if (len == 0)
        return 0;
    if ((err = append(output, mark, 1)) != 0)
        return err;
    return append_encoded_by(output, base, len, breaker_percent_repair);
}

static bool is_dots(const char *base, size_t len, size_t num)
{
    return len == num && memcmp("..", base, num) == 0;
}

/* a trailing slash stays: it asks for the index file */
static int append_path(output_t *output, const char *path, size_t len,
                       int (*append_segment)(output_t *output, const char *base, size_t len))
{
    const char *end = path + len;
    int err;

    while (path != end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t segment_len = (size_t)((slash != NULL ? slash : end) - path);
        if (is_dots(path, segment_len, 2))
            return BREAKER_ERR_OUTSIDE;
        if (segment_len != 0 && !is_dots(path, segment_len, 1)) {
            if ((err = append_segment(output, path, segment_len)) != 0)
                return err;
            if (slash != NULL && (err = append(output, "/", 1)) != 0)
                return err;
        }
        path += segment_len + (slash != NULL);
    }
    return 0;
}

/* `directory` has no slash at its end; what is left of the path begins with one */
static bool strip_directory(const char *directory, size_t directory_len, const char **path,
                            size_t *len)
{
    if (directory_len >= *len || memcmp(*path, directory, directory_len) != 0 ||
        (*path)[directory_len] != '/')
        return false;
    *path += directory_len;
    *len -= directory_len;
    return true;
}

static bool strip_place(const breaker__view_place_t *place, const char **path, size_t *len)
{
    if (place->directory[0] == '/' && strip_directory(place->directory, place->len, path, len))
        return true;
    return place->real != NULL && strip_directory(place->real, place->real_len, path, len);
}

static void make_logical(const breaker_view_t *view, const char **path, size_t *len)
{
    if (*len == 0 || (*path)[0] != '/')
        return;
    for (size_t i = 0; i != view->num_places; ++i)
        if (strip_place(view->places + i, path, len))
            return;
}

static int append_base_url(output_t *output, const char *base_url)
{
    size_t len = base_url != NULL ? strlen(base_url) : 0;

    if (len != 0 && base_url[len - 1] == '/')
        --len;
    return len != 0 ? append(output, base_url, len) : 0;
}

/* what the snapshot says of the view, or why there is nothing */
static int find_view(const breaker_snapshot_t *snapshot, const breaker_view_t *view,
                     const breaker_snapshot_view_t **ret_current)
{
    if (snapshot == NULL)
        return BREAKER_ERR_NOT_READY;
    if (view->index >= snapshot->num_views || snapshot->views[view->index].view != view)
        return BREAKER_ERR_NOT_FOUND;
    *ret_current = snapshot->views + view->index;
    return 0;
}

size_t breaker_static_url_size(const breaker_url_parts_t *parts)
{
    size_t base_len = parts->base_url != NULL ? strlen(parts->base_url) : 0;

    return base_len + BREAKER_VIEW_PREFIX_MAX +
           3 * (parts->path_len + parts->query_len + parts->anchor_len) + sizeof("?#");
}

int breaker_static_url(const breaker_snapshot_t *snapshot, const breaker_view_t *view,
                       const breaker_url_parts_t *parts, char *dst, size_t dst_size,
                       size_t *ret_len)
{
    const breaker_snapshot_view_t *current;
    const char *path = parts->path;
    size_t path_len = parts->path_len;
    output_t output;
    int err;

    if ((err = find_view(snapshot, view, &current)) != 0)
        return err;
    if (!breaker__path_is_clean(path, path_len))
        return BREAKER_ERR_OUTSIDE;
    if (dst_size == 0)
        return BREAKER_ERR_TOO_LONG;
    output = (output_t){.dst = dst, .capacity = dst_size - 1};
    make_logical(view, &path, &path_len);
    if ((err = append_base_url(&output, parts->base_url)) != 0 ||
        (err = append(&output, current->prefix, current->prefix_len)) != 0 ||
        (err = append_path(&output, path, path_len, append_encoded)) != 0 ||
        (err = append_rest(&output, "?", parts->query, parts->query_len)) != 0 ||
        (err = append_rest(&output, "#", parts->anchor, parts->anchor_len)) != 0)
        return err;
    output.dst[output.len] = '\0';
    *ret_len = output.len;
    return 0;
}

/* ---- integrity ---- */

/* base64 of RFC 4648 §4; 32 bytes leave two over, hence the one sign of padding */
static void append_base64(char *dst, const uint8_t *src, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/";

    assert(len % 3 == 2);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)src[i] << 16 | (uint32_t)src[i + 1] << 8;
        if (i + 2 != len)
            bits |= src[i + 2];
        *dst++ = alphabet[bits >> 18];
        *dst++ = alphabet[bits >> 12 & 63];
        *dst++ = alphabet[bits >> 6 & 63];
        *dst++ = i + 2 != len ? alphabet[bits & 63] : '=';
    }
    *dst = '\0';
}

int breaker_static_integrity(const breaker_snapshot_t *snapshot, const breaker_view_t *view,
                             const char *path, size_t path_len, char *dst)
{
    char logical[BREAKER_ASSET_PATH_MAX + 1];
    output_t output = {.dst = logical, .capacity = sizeof(logical)};
    const breaker_snapshot_view_t *current;
    const breaker_asset_t *asset;
    int err;

    if ((err = find_view(snapshot, view, &current)) != 0)
        return err;
    if (!breaker__path_is_clean(path, path_len))
        return BREAKER_ERR_OUTSIDE;
    make_logical(view, &path, &path_len);
    if ((err = append_path(&output, path, path_len, append)) == BREAKER_ERR_TOO_LONG)
        return BREAKER_ERR_NOT_FOUND;
    if (err != 0)
        return err;
    if (current->store == NULL ||
        (asset = breaker_store_find(current->store, logical, output.len)) == NULL)
        return BREAKER_ERR_NOT_FOUND;
    /* browsers hash what it decodes to */
    if (asset->coding != BREAKER_ENCODING_IDENTITY)
        return BREAKER_ERR_NOT_FOUND;
    memcpy(dst, "sha256-", 7);
    append_base64(dst + 7, asset->digest, sizeof(asset->digest));
    return 0;
}
