#ifndef BREAKER_URL_H
#define BREAKER_URL_H

#include <stddef.h>
#include <breaker/export.h>
#include <breaker/snapshot.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes the URL of an asset under the view's current token: "/static/1718539201234/css/site.css".
 * `path` is the logical path ("css/site.css", with or without a leading slash) or the path of a
 * file below the view's directory ("/srv/shop/static/css/site.css", as given or with symbolic links
 * resolved); an absolute path that is not below the directory is taken as a logical one. It is
 * percent-encoded as needed (RFC 3986 §3.3); empty segments and "." are left out, a trailing slash
 * stays. `base_url` ("https://cdn.example", NUL-ended, a
 * trailing slash is dropped) is put in front, or NULL. A NUL is added. Fails with
 * BREAKER_ERR_OUTSIDE when the path has a ".." segment or bytes that no request could carry, with
 * BREAKER_ERR_TOO_LONG when `dst_size` bytes do not suffice, and with BREAKER_ERR_NOT_FOUND when
 * the snapshot does not know the view. The asset need not exist. Any thread that holds the
 * snapshot. Does not look at the file system.
 */
BREAKER_EXPORT int breaker_static_url(const breaker_snapshot_t *snapshot,
                                      const breaker_view_t *view, const char *base_url,
                                      const char *path, size_t path_len, char *dst, size_t dst_size,
                                      size_t *ret_len);

#ifdef __cplusplus
}
#endif

#endif
