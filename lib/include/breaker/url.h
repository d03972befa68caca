#ifndef BREAKER_URL_H
#define BREAKER_URL_H

#include <stddef.h>
#include <breaker/export.h>
#include <breaker/snapshot.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the URL of an asset is put together of. Plain value, borrowed texts; zeroed but the path.
 */
typedef struct st_breaker_url_parts_t {
    /** "https://cdn.example", NUL-ended, put in front without its trailing slash; or NULL */
    const char *base_url;
    /**
     * The logical path, "css/site.css", with or without a leading slash, or the path of a file
     * below the view's directory, "/srv/shop/static/css/site.css", as given or with symbolic links
     * resolved; an absolute path that is not below the directory is taken as a logical one. It is
     * the name of a file, not a part of a URL: `%`, `?` and `#` in it are encoded. Not NUL-ended.
     */
    const char *path;
    size_t path_len;
    /**
     * What follows the path after "?" and after "#", both without these, as they stand in a URL;
     * bytes that must not stand there are percent-encoded. Length 0: none. Not NUL-ended.
     */
    const char *query;
    size_t query_len;
    const char *anchor;
    size_t anchor_len;
} breaker_url_parts_t;

/**
 * The most bytes that a URL of these lengths takes, a NUL included, in any view: what `dst_size`
 * has to be where none is to fail.
 */
BREAKER_EXPORT size_t breaker_static_url_size(const breaker_url_parts_t *parts);

/**
 * Writes the URL of an asset under the view's current token:
 * "/static/1718539201234/css/site.css?theme=dark#top". The path is percent-encoded as needed
 * (RFC 3986 §3.3); empty segments and "." are left out, a trailing slash stays. A NUL is added.
 *
 *   BREAKER_ERR_NOT_READY   `snapshot` is NULL: nothing is published yet, so there is no token
 *   BREAKER_ERR_NOT_FOUND   the snapshot does not know the view
 *   BREAKER_ERR_OUTSIDE     the path has a ".." segment, or bytes that no request could carry
 *   BREAKER_ERR_TOO_LONG    `dst_size` bytes do not suffice
 *
 * The asset need not exist. Any thread that holds the snapshot. Does not look at the file system.
 */
BREAKER_EXPORT int breaker_static_url(const breaker_snapshot_t *snapshot,
                                      const breaker_view_t *view, const breaker_url_parts_t *parts,
                                      char *dst, size_t dst_size, size_t *ret_len);

/** bytes of what `breaker_static_integrity` writes, without the NUL */
#define BREAKER_INTEGRITY_LEN 51

/**
 * Writes what a page says in the `integrity` attribute beside the URL of an asset (W3C Subresource
 * Integrity), "sha256-" and the digest in base64, BREAKER_INTEGRITY_LEN bytes and a NUL. It is of
 * the bytes without their encoding, and known since the load: nothing is hashed. `path` is one of
 * `breaker_url_parts_t`. Fails like `breaker_static_url`, with BREAKER_ERR_NOT_FOUND also when
 * there is no such asset, and for one that is in a coding by its name, whose decoded bytes nobody
 * has hashed. Any thread that holds the snapshot.
 */
BREAKER_EXPORT int breaker_static_integrity(const breaker_snapshot_t *snapshot,
                                            const breaker_view_t *view, const char *path,
                                            size_t path_len, char *dst);

#ifdef __cplusplus
}
#endif

#endif
