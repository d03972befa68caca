#ifndef BREAKER_RELEASE_MANIFEST_READ_H
#define BREAKER_RELEASE_MANIFEST_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/release_id.h>
#include <breaker/store.h>
#include <breaker/view.h>
#include "view/hosts.h"

/** the longest text of a manifest in bytes */
#define BREAKER__MANIFEST_MAX (UINT64_C(256) << 20)
/** the longest media type of a file, with its parameters, in bytes */
#define BREAKER__MANIFEST_TYPE_MAX 1024
/** what all files of a manifest may have together in bytes, so that sums of sizes never overflow */
#define BREAKER__MANIFEST_SIZE_MAX (UINT64_C(1) << 50)

/** A file of a manifest. Plain value; the texts live as long as the manifest. */
typedef struct st_breaker__manifest_file_t {
    /**
     * the logical path, 1 to BREAKER_ASSET_PATH_MAX bytes, NUL-ended: segments parted by one '/',
     * none of them empty, "." or "..", no control character and no backslash
     */
    const char *path;
    /** the media type, 1 to BREAKER__MANIFEST_TYPE_MAX bytes without control characters, NUL-ended;
     * files one after the other with the same type share the text */
    const char *type;
    uint64_t size;
    /** not covered by the digest: any number, the far future and past included */
    int64_t last_modified_s;
    /** the coding that the content is in, as its path says it; IDENTITY: none */
    breaker_encoding_t coding;
    uint32_t path_len;
    /** SHA-256 of the content */
    uint8_t digest[BREAKER_DIGEST_LEN];
} breaker__manifest_file_t;

/** A view of a manifest. The texts and files live as long as the manifest. */
typedef struct st_breaker__manifest_view_t {
    /**
     * what the lines say, the rest as `breaker_view_config_init` sets it; `directory` is NULL and
     * `name` has no slash on either side. With any directory a view can be made of it.
     */
    breaker_view_config_t config;
    /** for which hosts it is: at least one; `config` has none */
    breaker__hosts_t hosts;
    /** whether they are part of the digest, for other views of the manifest have the name */
    bool shares_name;
    /** at most BREAKER_ASSETS_MAX, in strictly ascending bytewise order of their paths */
    const breaker__manifest_file_t *files;
    size_t num_files;
} breaker__manifest_view_t;

/** A manifest that was read. Immutable; any thread. */
typedef struct st_breaker__manifest_t {
    /** the SHA-256 that names the release: over the text without the times of the files */
    uint8_t digest[BREAKER_DIGEST_LEN];
    /** of the text: 1 or 2 */
    unsigned version;
    /** at most BREAKER_VIEWS_MAX, in bytewise order of their names, and then of their first hosts
     */
    const breaker__manifest_view_t *views;
    size_t num_views;
    /** the files of all views, and their bytes, at most BREAKER__MANIFEST_SIZE_MAX */
    size_t num_files;
    uint64_t size;
} breaker__manifest_t;

/**
 * Reads the text of a manifest (release/manifest.h), which may come from anybody. Nothing is
 * accepted but what `breaker__manifest_write` would have written: the same bytes come out when it
 * is written again, and whatever is accepted may be answered as it is: views are checked as
 * configured ones are, paths as those of a tree, types as values of a header. `base` is not needed
 * afterwards. Takes at most about twice `len` of memory. Fails with BREAKER_ERR_DAMAGED for a
 * text that is no manifest, BREAKER_ERR_TOO_LONG beyond BREAKER__MANIFEST_MAX, BREAKER_ERR_TOO_MANY
 * beyond another stated limit, or BREAKER_ERR_NO_MEMORY; `error` names the line and what is
 * accepted there. The caller owns the manifest until `breaker__manifest_free`. Pure; any thread.
 */
int breaker__manifest_read(const char *base, size_t len, breaker__manifest_t **ret_manifest,
                           breaker_error_t *error);

/** Frees a manifest; takes NULL. */
void breaker__manifest_free(breaker__manifest_t *manifest);

/**
 * Tells whether it is the manifest of this release: whether the id's digest is its own. False for
 * an id without a digest. Pure.
 */
bool breaker__manifest_is_of(const breaker__manifest_t *manifest, const breaker_release_id_t *id);

#endif
