#ifndef BREAKER_RELEASE_KIND_H
#define BREAKER_RELEASE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/release.h>
#include <breaker/view.h>
#include "release/blobs.h"

/**
 * What a view says of its answers, as a text that is compared: two views with the same one answer
 * alike for the same content. A plain value.
 */
typedef struct st_breaker__saying_t {
    char *base; /* owned */
    size_t len;
} breaker__saying_t;

/** Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__saying_init(breaker__saying_t *saying, const breaker_view_t *view);
/** Takes a zeroed one as well. */
void breaker__saying_dispose(breaker__saying_t *saying);
bool breaker__saying_equal(const breaker__saying_t *a, const breaker__saying_t *b);

/** What an asset is besides its content and what its view says of all. Plain value; borrowed. */
typedef struct st_breaker__traits_t {
    /** media type, NUL-ended */
    const char *type;
    /** whether encodings are worth making */
    bool compressible;
    /** as in breaker_asset_t */
    breaker_encoding_t coding;
    /** what the view has for the path, at most BREAKER_VIEW_HEADERS_MAX (view/matched.h) */
    const char *headers[BREAKER_VIEW_HEADERS_MAX];
    size_t num_headers;
} breaker__traits_t;

/** Those of a type, without coding and headers. */
static inline breaker__traits_t breaker__traits_of_type(const char *type, bool compressible)
{
    breaker__traits_t traits;

    traits.type = type;
    traits.compressible = compressible;
    traits.coding = BREAKER_ENCODING_IDENTITY;
    traits.num_headers = 0;
    return traits;
}

/**
 * What the answers for a content depend on besides it: its traits, and what the view says. There is
 * one of each in a table of blobs, so that equal ones have one address. Counted under the table's
 * lock.
 */
typedef struct st_breaker__kind_t {
    struct st_breaker__kind_t *next;
    size_t refs;
    bool compressible;
    /** whether encodings are negotiated: not of what is in a coding already */
    bool encodings;
    breaker_encoding_t coding;
    const char *type;    /* NUL-ended, in `texts` */
    const char *headers; /* as in breaker_asset_t, in `texts` */
    size_t saying_len;
    /** the saying, then the type, then the headers */
    char texts[];
} breaker__kind_t;

/** Whether a kind has these traits. */
bool breaker__kind_has(const breaker__kind_t *kind, const breaker__traits_t *traits);

/** the longest charset that is added to a type, with its NUL */
#define BREAKER__CHARSET_SIZE sizeof("; charset=utf-8")

/**
 * Adds the charset to the media type of a text without one, in `dst` of BREAKER__MANIFEST_TYPE_MAX
 * + BREAKER__CHARSET_SIZE bytes, and returns the type, in `dst` or as it was. Texts are those of
 * text/, and scripts. `*ret_compressible`, for the type as it was, is left alone but for ".ts", of
 * which a text is no video.
 */
const char *breaker__type_of_text(const char *type, char *dst, bool *ret_compressible);

/**
 * The media type of a path, and whether it is worth compressing, as the host says; where it says
 * nothing, or what no manifest can carry, application/octet-stream, not compressible. Good until
 * the host is asked again.
 */
const char *breaker__type_of(const breaker_release_hooks_t *hooks, const breaker_view_t *view,
                             const char *path, bool *ret_compressible);

/** Finds or makes one. The caller owns a reference. Returns NULL without memory. Any thread. */
breaker__kind_t *breaker__kind_get(breaker__blobs_t *blobs, const breaker_view_t *view,
                                   const breaker__saying_t *saying,
                                   const breaker__traits_t *traits);
/** Takes a reference and returns its argument. Any thread. */
breaker__kind_t *breaker__kind_ref(breaker__blobs_t *blobs, breaker__kind_t *kind);
/** Drops a reference. Any thread. */
void breaker__kind_unref(breaker__blobs_t *blobs, breaker__kind_t *kind);
/** The same for who holds the table's lock. */
void breaker__kind_unref_locked(breaker__blobs_t *blobs, breaker__kind_t *kind);

#endif
