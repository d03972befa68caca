#ifndef BREAKER_VIEW_H
#define BREAKER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the placeholder that stands for the token in a view's name */
#define BREAKER_PLACEHOLDER "{breaker}"
/** the most views of one node */
#define BREAKER_VIEWS_MAX 64
/** the longest name of a view, placeholder included */
#define BREAKER_VIEW_NAME_MAX 255
/** the most headers that a view adds, and the longest of them in bytes */
#define BREAKER_VIEW_HEADERS_MAX 32
#define BREAKER_VIEW_HEADER_MAX 1024
/** the longest pattern of a view's `matched_headers` in bytes */
#define BREAKER_VIEW_PATTERN_MAX 255
/** the most further directories of a view, and the most directories that it follows links to */
#define BREAKER_VIEW_DIRECTORIES_MAX 15
#define BREAKER_VIEW_FOLLOW_MAX 16
/** the most hosts that one view is for, and the longest name of a host in bytes */
#define BREAKER_VIEW_HOSTS_MAX 1024
#define BREAKER_VIEW_HOST_MAX 300
/** bounds of a view's ages, in seconds: ten years, a year, an hour */
#define BREAKER_CACHE_MAX_AGE_MAX_S UINT64_C(315360000)
#define BREAKER_REDIRECT_MAX_AGE_MAX_S UINT64_C(31536000)
#define BREAKER_RETRY_AFTER_MAX_S 3600

/** A header for files whose paths match a pattern, see `matched_headers` below. Plain value. */
typedef struct st_breaker_matched_header_t {
    /** one for which `breaker_is_pattern` holds, NUL-ended */
    const char *pattern;
    /** "Name: value", NUL-ended */
    const char *header;
} breaker_matched_header_t;

/**
 * What a view is made of. Plain value; everything is copied when a view is made of it. Start from
 * `breaker_view_config_init`, which sets the defaults named here.
 */
typedef struct st_breaker_view_config_t {
    /**
     * the URL path with the placeholder in it, NUL-ended: "static/{breaker}",
     * "assets/v{breaker}/pub". A leading and a trailing slash are dropped. What is around the
     * placeholder stands for itself in a URL path (RFC 3986 §3.3). Mandatory.
     */
    const char *name;
    /**
     * the host of the server that the view is for, as all nodes call it, NUL-ended, 1 to
     * BREAKER_VIEW_HOST_MAX bytes: in small letters, and with the port where that makes a host
     * another one ("shop.example:8443"). NULL is "default". It counts where several views have one
     * name, which those of different hosts may: `breaker_node_add_view`.
     */
    const char *host;
    /** the directory whose files are served, NUL-ended, at most 4,095 bytes. Mandatory. */
    const char *directory;
    /**
     * further directories, each as `directory`, for the paths that the ones before do not have: of
     * several files with one path that of the first directory is served. At most
     * BREAKER_VIEW_DIRECTORIES_MAX; default none.
     */
    const char *const *directories;
    size_t num_directories;
    /**
     * directories that symbolic links may lead to, each as `directory`. A link is followed, whether
     * it is absolute or relative, if it ends in one of these or in a directory of the view, and
     * left out with a notice if not. At most BREAKER_VIEW_FOLLOW_MAX; default none.
     */
    const char *const *follow;
    size_t num_follow;
    /**
     * whether a file or directory that the process may not read fails the load; default false, it
     * is left out with a notice
     */
    bool strict;
    /** `max-age` of 200, 206 and 304, in seconds; default 31,536,000 (a year), at most 10 years */
    uint64_t cache_max_age_s;
    /** `max-age` of a 301, in seconds; 0 means `no-store`; default 60, at most a year */
    uint64_t redirect_max_age_s;
    /** `Retry-After` of a 503, in seconds; default 3, 1 to 3,600 */
    uint32_t retry_after_s;
    /**
     * value of `Access-Control-Allow-Origin`, or NULL for none; default "*". Several origins parted
     * by one space each (RFC 6454 §6.2, "https://shop.example http://localhost:3000") are a list:
     * an answer then names the request's, or none, and depends on it (`Vary`).
     */
    const char *allow_origin;
    /** value of `Timing-Allow-Origin`, or NULL for none (the default) */
    const char *timing_allow_origin;
    /** value of `Cross-Origin-Resource-Policy`, or NULL for none (the default) */
    const char *resource_policy;
    /**
     * further headers of 200, 206 and 304, each "Name: value", NUL-ended (RFC 9110 §5.1, §5.5);
     * "Access-Control-…" and "Cross-Origin-…" are on all other answers of the view, too.
     * Those that the server sets itself, or that an option above sets, are refused.
     */
    const char *const *headers;
    size_t num_headers;
    /**
     * Further headers of 200, 206 and 304, whatever their names, for those files whose paths match
     * (`breaker_is_pattern`). Neighbours with the same pattern are one entry; all entries that
     * match apply in their order, each in the place of what `headers` and earlier ones say under
     * the names that it has. As `headers` otherwise, and together with those at most
     * BREAKER_VIEW_HEADERS_MAX; default none.
     */
    const breaker_matched_header_t *matched_headers;
    size_t num_matched_headers;
    /** name of the file that answers for a directory ("index.html"), or NULL for none (default) */
    const char *index;
    /**
     * logical path of the file that answers, with 200, for paths that name nothing and whose last
     * segment has no dot: of an application that finds its way by itself ("index.html"), or NULL
     * for none (default). Under a token without the file such paths are not found.
     */
    const char *fallback;
    /** serve names that begin with a dot (`.well-known` is always served); default false */
    bool dotfiles;
    /** negotiate content encodings; default true */
    bool encodings;
    /**
     * take names such as "app.wasm.gz", ".data.br", ".js.zst" and ".unityweb" for what they are
     * encoded from: served to everybody with the media type of the name without its last suffix
     * and with the Content-Encoding of that suffix, where the bytes are in that coding. Not where
     * what is left names no type, or a tar archive. ".svgz" is served so in any case. Default false
     */
    bool encoded_names;
    /**
     * say `charset=utf-8` of texts, those of text/ and scripts, whose bytes are valid UTF-8, and
     * that a ".ts" is a text or a video by its bytes; default true
     */
    bool charset;
    /** files up to this many bytes live in memory, larger ones on disk; default 8 MiB */
    uint64_t memory_file_limit;
    /** all files together take at most this many bytes of memory; default 1 GiB */
    uint64_t memory_limit;
    /** the caller's own, handed back by `breaker_view_data` */
    void *data;
} breaker_view_config_t;

/** A view: a name with the placeholder, a directory, and how its answers look. Immutable. */
typedef struct st_breaker_view_t breaker_view_t;

/**
 * Tells whether a text is an origin as browsers write it (RFC 6454 §6.2): a scheme, "://", a host
 * and perhaps a port, without a path and in small letters; or "null". Not NUL-ended. Pure.
 */
BREAKER_EXPORT bool breaker_is_origin(const char *base, size_t len);

/**
 * Tells whether a text, NUL-ended, may be a header of a view: "Name: value" (RFC 9110 §5.1, §5.5)
 * of at most BREAKER_VIEW_HEADER_MAX bytes, and none that the server sets itself. Pure.
 */
BREAKER_EXPORT bool breaker_is_header(const char *line);

/**
 * Tells whether a text, NUL-ended, is a pattern for the paths of a view's files: 1 to
 * BREAKER_VIEW_PATTERN_MAX bytes. Without a slash it is matched with the last segment of a path
 * ("css/site.css": "site.css"), with one, at its beginning as well, with the whole path.
 *
 *     *        any bytes but slashes, none as well
 *     **       any bytes; and where a segment begins, `**` and its slash: any directories, or none
 *     ?        one byte that is no slash
 *     [a-z_]   one byte of these; with `!` or `^` in front one that is none of them, and no slash
 *     \*       the byte after the backslash, which stands for itself
 *
 * All other bytes stand for themselves, but for control characters, `{` and `}`, which want a
 * backslash. No pattern has an empty segment, or ends with a slash. Pure.
 */
BREAKER_EXPORT bool breaker_is_pattern(const char *pattern);

/** Fills `*config` with the defaults and no name. */
BREAKER_EXPORT void breaker_view_config_init(breaker_view_config_t *config);

/** The view's configuration; the pointers in it live as long as the view. */
BREAKER_EXPORT const breaker_view_config_t *breaker_view_config(const breaker_view_t *view);
/** The place of the view among the node's views. */
BREAKER_EXPORT size_t breaker_view_index(const breaker_view_t *view);
/** The `data` of the configuration. */
BREAKER_EXPORT void *breaker_view_data(const breaker_view_t *view);
/** The name without leading and trailing slash, NUL-ended, as long as the view lives. */
BREAKER_EXPORT const char *breaker_view_name(const breaker_view_t *view);
/**
 * Tells whether the view is for a host, NUL-ended and spelled as in `breaker_view_config_t`; NULL
 * is "default". Not while views are added.
 */
BREAKER_EXPORT bool breaker_view_is_for(const breaker_view_t *view, const char *host);
/**
 * The first of the hosts that the view is for, in the order of their bytes, NUL-ended; with it, a
 * name tells a view from all others of its node. Any thread, once the node is loaded.
 */
BREAKER_EXPORT const char *breaker_view_host(const breaker_view_t *view);

/** the longest prefix: a slash, a name with its placeholder replaced, a slash */
#define BREAKER_VIEW_PREFIX_MAX (1 + BREAKER_VIEW_NAME_MAX + 64 + 1)

/**
 * Writes the URL prefix of the view under a token, "/static/1718539201234/", into `dst`, which has
 * room for BREAKER_VIEW_PREFIX_MAX bytes, and returns its length; no NUL is added. Handing the
 * placeholder itself as the token gives what pages carry: "/static/{breaker}/".
 */
BREAKER_EXPORT size_t breaker_view_prefix(const breaker_view_t *view, const char *token,
                                          size_t token_len, char *dst);

/** Where a path falls into a view. Offsets count from the path's first byte. */
typedef struct st_breaker_view_match_t {
    /** borrowed from the set */
    const breaker_view_t *view;
    /** the bytes where the token stands; any length from 0, any bytes but '/' */
    size_t token_at, token_len;
    /** the first byte of the asset's logical path; may equal the path's length */
    size_t asset_at;
} breaker_view_match_t;

/**
 * A set of views that share a place in the server, compiled for matching. Immutable. Matching a
 * path costs about the same for one view and for sixteen.
 */
typedef struct st_breaker_views_t breaker_views_t;

/**
 * Compiles a set of 1 to BREAKER_VIEWS_MAX views; fails with BREAKER_ERR_RANGE for none,
 * BREAKER_ERR_TOO_MANY or BREAKER_ERR_NO_MEMORY. The views are borrowed and outlive the set.
 * Two views whose names differ but match the same paths are allowed: the one with the longer text
 * before its placeholder is asked first, then the earlier one. The caller owns the set until
 * `breaker_views_free`, which takes NULL.
 */
BREAKER_EXPORT int breaker_views_create(const breaker_view_t *const *views, size_t num_views,
                                        breaker_views_t **ret_views);
BREAKER_EXPORT void breaker_views_free(breaker_views_t *views);

/**
 * Finds the view that a path belongs to: "/" + the name with a token in the placeholder's place +
 * "/". The token is what lies between the fixed text before and after it in its path segment; it
 * may be empty or malformed, which classification answers. Returns false, and leaves `*ret_match`
 * alone, when the path is in no view; "/static/T" without the slash is in none. `path` is
 * normalised (percent-decoded, no dot segments, no query), begins with '/', and is not NUL-ended.
 * Pure, no allocation; any thread.
 */
BREAKER_EXPORT bool breaker_views_match(const breaker_views_t *views, const char *path, size_t len,
                                        breaker_view_match_t *ret_match);

#ifdef __cplusplus
}
#endif

#endif
