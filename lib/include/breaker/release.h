#ifndef BREAKER_RELEASE_H
#define BREAKER_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/store.h>
#include <breaker/release_id.h>
#include <breaker/token.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a release asks of the host around it. All may be NULL. The functions are called from the
 * thread that loads releases and makes their encodings and from the one that holds those of others,
 * maybe from both at once.
 */
typedef struct st_breaker_release_hooks_t {
    /** handed to every hook but `on_notice`; borrowed: outlives the release */
    void *data;
    /**
     * Tells the media type of an asset and whether it is worth compressing. `path` is NUL-ended.
     * The type returned is copied. NULL, as a hook or as an answer, and what is empty, longer than
     * 1,024 bytes or has control characters, means application/octet-stream, not compressible.
     */
    const char *(*type_of)(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible);
    /**
     * Prepares the answer for a variant before anyone can see it; what it returns is kept in
     * `variant->prepared`. NULL is a legal answer. It serves for every path with this content,
     * type, coding and headers, in every release, and in every view that says the same of its
     * answers and has the same `data`; so it must depend on nothing else of the view. For identity
     * bytes of which encodings are still to be made it is asked twice, once with
     * `variant->is_early`.
     */
    void *(*prepare)(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant);
    /** Releases what `prepare` returned; called from the thread that drops the last reference. */
    void (*unprepare)(void *data, void *prepared);
    /**
     * Hears of files that are left out: a symbolic link out of the tree, a special file, a name
     * that no URL can carry, a stale sibling; of names that say what their bytes are not; and of
     * trouble with the cache of encodings. One line without a line end. `notice_data` is the
     * embedder's, whoever fills in the other hooks; borrowed: outlives the release.
     */
    void (*on_notice)(void *notice_data, const char *message);
    void *notice_data;
} breaker_release_hooks_t;

/**
 * A release: the bytes that belong together, one store a view, under one id. Counted references;
 * immutable but for variants that appear. What it has in common with others is here once.
 * References may be taken and dropped on any thread.
 */
typedef struct st_breaker_release_t breaker_release_t;

/** How the background makes encodings. Zeroed, it has the defaults. */
typedef struct st_breaker_encoding_config_t {
    /**
     * the share of one processor that the thread may use over time, in percent, 1 to 100; 0 means
     * 100, no limit. What it used too much it sleeps off between two pieces of work, each of which
     * takes some 50 ms at most.
     */
    unsigned cpu_percent;
    /**
     * The path of a directory in which encodings are kept for the next start, or NULL: they are
     * made again. Made if only its last part is missing; any number of processes may share it. What
     * is found in it is used only if it decodes to the bytes of the asset; what makes it unusable
     * is told to `on_notice` and stops nothing. Needs write permission for the thread's user.
     */
    const char *cache_directory;
    /**
     * how much the directory may hold in bytes, in blocks of 4 KiB a file; 0 means
     * BREAKER_ENCODING_CACHE_MAX. What was used longest ago goes first.
     */
    uint64_t cache_max_size;
} breaker_encoding_config_t;

/** the default of `cache_max_size`: 1 GiB */
#define BREAKER_ENCODING_CACHE_MAX (UINT64_C(1) << 30)

/** Drops a reference; takes NULL. The last one frees the release. */
BREAKER_EXPORT void breaker_release_unref(breaker_release_t *release);

/** The release's identity: its label and its digest (release_id.h). */
BREAKER_EXPORT const breaker_release_id_t *breaker_release_id(const breaker_release_t *release);
/** The store of a view, by the view's index. Borrowed; NULL past the number of views. */
BREAKER_EXPORT const breaker_store_t *breaker_release_store(const breaker_release_t *release,
                                                            size_t view_index);

#ifdef __cplusplus
}
#endif

#endif
