#ifndef BREAKER_RELEASE_RELEASE_H
#define BREAKER_RELEASE_RELEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release.h>
#include "release/blobs.h"
#include "release/inventory.h"
#include "release/suspects.h"

struct st_breaker_release_t {
    atomic_size_t refs;
    breaker__blobs_t *blobs; /* owned reference */
    breaker_release_id_t id;
    uint8_t digest[BREAKER_DIGEST_LEN];
    /** the cache of encodings was asked before it was published, and is to be sorted out; the
     * thread's that makes encodings */
    bool is_cache_due;
    /** of its manifest's text; 1 or 2 */
    unsigned manifest_version;
    /** owned: of a loaded release by the index of the view, of a held one as its manifest has them
     */
    breaker_store_t **stores;
    size_t num_stores;
    /** by the index of the node's view: borrowed of `stores`; NULL where the release has none */
    breaker_store_t **by_view;
    size_t num_by_view;
    /** owned: of a held release, those that answer otherwise than the node's views; else NULL */
    breaker_view_t **views;
    size_t num_views;
    /** of its files, those of all stores in a row, so many from the first on are known to be HERE
     */
    atomic_size_t num_seen_here;
};

/**
 * Makes a release without stores, but with room for them, with one reference; `num_by_view` is the
 * number of the node's views. `blobs` is NULL for a
 * table of its own; `suspects` as in breaker__load_t. Returns NULL without memory.
 */
breaker_release_t *breaker__release_create(breaker__blobs_t *blobs,
                                           const breaker_release_hooks_t *hooks,
                                           breaker__suspects_t *suspects, size_t max_stores,
                                           size_t num_by_view);

/** Which trees make a release. */
typedef struct st_breaker__release_config_t {
    /** the views, in the order of their indexes; borrowed: outlive the release */
    const breaker_view_t *const *views;
    size_t num_views;
    /** where their files are, by the views' indexes; NULL, all or one: the view's own directory */
    const char *const *directories;
    /** the operator's label, or a zeroed one for none */
    breaker_token_t label;
    breaker_release_hooks_t hooks;
    /** the node's blobs, or NULL: a table of its own. Every release of a table has these hooks. */
    breaker__blobs_t *blobs;
} breaker__release_config_t;

/** What a load is told by the thread that it is done on. */
typedef struct st_breaker__load_t {
    /** where files that something happens to are posted; outlives the release, or NULL */
    breaker__suspects_t *suspects;
    /** raised when the load is to be given up, or NULL */
    const atomic_bool *stop;
    /** what the process before had loaded, or NULL */
    breaker__inventory_t *inventory;
    /**
     * what is loaded, for the process after this one, begun, or NULL; its blobs are the release's.
     * Small bodies lie in memory files as well then.
     */
    breaker__loaded_t *loaded;
} breaker__load_t;

/**
 * Loads a release: walks the tree of every view beneath a pinned directory descriptor, reads and
 * hashes every file, prepares its answer, adopts the siblings (`.br`, `.zst`, `.gz`) that decode
 * to the same bytes. Encodings are not made here. Blocking. A directory that is missing or a file
 * that cannot be read fails the whole load, with the path in `error`: half a release is none. Fails
 * with BREAKER_ERR_CANCELLED when it is given up. With `load` NULL nothing is posted and the load
 * is never given up. The caller owns one reference.
 */
int breaker__release_load(const breaker__release_config_t *config, const breaker__load_t *load,
                          breaker_release_t **ret_release, breaker_error_t *error);

/** What a release was, as a text and read (manifest_read.h). */
struct st_breaker__manifest_t;

/** What a held release is made of. */
typedef struct st_breaker__hold_config_t {
    /** read, and its digest checked against `id`; borrowed for the call */
    const struct st_breaker__manifest_t *manifest;
    breaker_release_id_t id;
    /** the node's views, in the order of their indexes; borrowed: outlive the release */
    const breaker_view_t *const *views;
    size_t num_views;
    breaker_release_hooks_t hooks;
    /** the node's blobs */
    breaker__blobs_t *blobs;
    /** where files on disk are posted that something happens to; outlives the release, or NULL */
    breaker__suspects_t *suspects;
} breaker__hold_config_t;

/**
 * Makes a release from its manifest, without its bytes: its assets are those of blobs that the node
 * has, and ABSENT ones where it has not (blobs.h). What it answers is what the manifest says. A
 * view of the node is answered for by that of its name, where either side has several of the name
 * by the one that has hosts of the node's, if it is one; by none, where the manifest has none.
 * Fails with BREAKER_ERR_NO_MEMORY, or with what a view of the manifest is refused with, named in
 * `error`. The caller owns one reference. Any thread, at the same time as a load.
 */
int breaker__release_hold(const breaker__hold_config_t *config, breaker_release_t **ret_release,
                          breaker_error_t *error);

/**
 * Calls `on_blob` for the blob of every file; one that several files have comes several times. The
 * blobs are borrowed. Any thread.
 */
void breaker__release_each_blob(const breaker_release_t *release,
                                void (*on_blob)(void *data, breaker__blob_t *blob), void *data);
/**
 * Tells whether every blob is HERE. What is HERE stays, so each is looked at until it is, and then
 * never again: a thread that serves may ask as often as it is asked. Any thread.
 */
bool breaker__release_is_complete(breaker_release_t *release);
/** The table that its blobs are in. Borrowed: the release keeps it. */
breaker__blobs_t *breaker__release_blobs(const breaker_release_t *release);
/**
 * Bytes of memory that the release takes besides its blobs and assets, which others may have as
 * well: paths and the index over them. Any thread.
 */
size_t breaker__release_memory(const breaker_release_t *release);

/** Takes a reference and returns its argument. */
breaker_release_t *breaker__release_ref(breaker_release_t *release);

/**
 * SHA-256 over what the release answers: of every view its name and what it adds to answers, of
 * every file its path, content and media type; written as lib/release/manifest.h says.
 * BREAKER_DIGEST_LEN bytes. Two nodes with the same files and views have the same digest, wherever
 * the trees lie and whenever they were written.
 */
const uint8_t *breaker__release_digest(const breaker_release_t *release);

#endif
