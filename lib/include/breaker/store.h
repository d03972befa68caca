#ifndef BREAKER_STORE_H
#define BREAKER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/http/conditional.h>
#include <breaker/http/encoding.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the longest logical path of an asset in bytes */
#define BREAKER_ASSET_PATH_MAX 4095
/** the most assets of one view */
#define BREAKER_ASSETS_MAX (1u << 22)
/** bytes of an entity tag with its quotes: 132 bits of SHA-256 in base64url */
#define BREAKER_ETAG_LEN 24
/** bytes of a SHA-256 */
#define BREAKER_DIGEST_LEN 32

/** bodies in memory of at least this many bytes can be sent by sendfile(2) as well */
#define BREAKER_SENDFILE_MIN 32768

/**
 * A variant: the bytes of an asset in one encoding, ready to be sent. Immutable once it can be
 * seen, but for what is known of its file; it lives as long as its asset.
 */
typedef struct st_breaker_variant_t {
    breaker_encoding_t encoding;
    /**
     * an open descriptor for positioned reads, or -1 when the bytes are in memory, here for now
     * only (`breaker_variant_pin`), or not here at all (`breaker_variant_probe`)
     */
    int fd;
    /** the bytes, or NULL when they are sent from `fd`, or not here */
    const char *base;
    uint64_t len;
    /**
     * A descriptor and an offset in it at which the same `len` bytes as at `base` are found, for
     * sendfile(2); -1 when there is none. Bodies in memory of BREAKER_SENDFILE_MIN bytes and more
     * have one, wherever the system has memory files (memfd_create(2)) and seals for them (Linux
     * 5.1). Many bodies share the descriptor: it lives as long as any of them, and its file offset
     * is not to be used. What it reads is immutable: sealed against write(2), growing and
     * shrinking. Any thread, any number of sends at a time.
     */
    uint64_t memory_offset;
    int memory_fd;
    /** strong, made from the encoded bytes, quotes included, NUL-ended */
    char etag[BREAKER_ETAG_LEN + 1];
    /** what `breaker_release_hooks_t.prepare` returned; released by `unprepare` */
    void *prepared;
    /**
     * Identity bytes of which encodings are still to be made: a shared cache that keeps this answer
     * has it for clients that would take an encoding, so it is not to be kept for long. Another
     * variant with the same bytes and tag follows it.
     */
    bool is_early;
    /** private: whose bytes these are; borrowed: the asset keeps it */
    struct st_breaker__blob_t *_blob;
    /** private: what is known of the file of `fd`, or NULL; borrowed */
    struct st_breaker__disk_t *_disk;
} breaker_variant_t;

/**
 * An asset: a content as a view answers with it. Several paths, views and releases may have one:
 * the paths are the store's. Everything but its variants is immutable; a variant in another
 * encoding may appear, when the background has made it, and then stays; and an identity variant
 * whose bytes were not here is followed by one that has them, one whose file changed by one
 * without, an early one by one that is not; the first one lives on.
 */
typedef struct st_breaker_asset_t {
    /** media type, NUL-ended */
    const char *type;
    /** whether encodings are worth making */
    bool compressible;
    /**
     * the coding that its bytes are in for what `type` names, as a file's own name says it
     * ("app.wasm.gz"): sent as Content-Encoding to everybody; IDENTITY: none
     */
    breaker_encoding_t coding;
    /**
     * further headers of its answers, which its view has for its path: "Name: value", one after the
     * other, each NUL-ended, and an empty text after the last. They count in the place of those of
     * the view's `headers` with the same names
     */
    const char *headers;
    /**
     * modification time of the file that was met first with this content, never in the future of
     * its load, and the same as an HTTP date
     */
    int64_t last_modified_s;
    char last_modified[BREAKER_HTTP_DATE_LEN + 1];
    /** SHA-256 of the identity bytes */
    uint8_t digest[BREAKER_DIGEST_LEN];
    /** private: see `breaker_asset_variant`. By breaker_encoding_t; identity is always there */
    breaker_variant_t *_variants[BREAKER_ENCODINGS];
} breaker_asset_t;

/**
 * A store: the assets of one view in one release, found by logical path. Owned by its release
 * (release.h). Lookups from any thread, without a lock.
 */
typedef struct st_breaker_store_t breaker_store_t;

/**
 * Finds an asset by its logical path, in the decoded form of a normalised URL path without the
 * leading slash, or returns NULL. The empty path and one that ends with a slash find the view's
 * index file, when the view has one. Pure, no allocation; any thread.
 */
BREAKER_EXPORT const breaker_asset_t *breaker_store_find(const breaker_store_t *store,
                                                         const char *path, size_t len);

/** How many assets the store holds. */
BREAKER_EXPORT size_t breaker_store_size(const breaker_store_t *store);
/** An asset by number, below the size, in bytewise order of the paths. Borrowed. */
BREAKER_EXPORT const breaker_asset_t *breaker_store_at(const breaker_store_t *store, size_t at);
/**
 * The logical path of the asset with this number, "css/site.css": decoded bytes, no leading slash,
 * NUL-ended, `*ret_len` of them without the NUL (`ret_len` may be NULL). Several paths may have one
 * asset. Borrowed: the store's.
 */
BREAKER_EXPORT const char *breaker_store_path(const breaker_store_t *store, size_t at,
                                              size_t *ret_len);

/**
 * The variant of an asset in an encoding, or NULL while there is none. One acquire-load; any
 * thread. Identity is never NULL.
 */
BREAKER_EXPORT const breaker_variant_t *breaker_asset_variant(const breaker_asset_t *asset,
                                                              breaker_encoding_t encoding);

/**
 * The best variant that a client accepts, or NULL when it accepts none that there is. Any thread.
 */
BREAKER_EXPORT const breaker_variant_t *
breaker_asset_choose(const breaker_asset_t *asset, const breaker_acceptable_t *acceptable);

/**
 * Asks for the bytes of an asset that are not here (BREAKER_FILE_ABSENT): they are fetched before
 * all that nobody waits for. Asking again changes nothing; for bytes that are here, and on a node
 * that holds nothing, nothing happens. No lock, no allocation; any thread that holds the release.
 */
BREAKER_EXPORT void breaker_asset_want(const breaker_asset_t *asset);

/** What is known of the file of a variant on disk. */
typedef enum en_breaker_file_state_t {
    /** it has the bytes that were loaded */
    BREAKER_FILE_SOUND,
    /** it may have others: to be answered with 503 until the node's loader has read it again */
    BREAKER_FILE_SUSPECT,
    /** it was read again and has others: to be answered with 404. Where releases are held, the
     * asset has a variant that is absent instead from then on */
    BREAKER_FILE_CHANGED,
    /** its bytes are not here yet: only a held release has such variants. A head, a tag and a
     * length it has; `base` is NULL and `fd` -1 */
    BREAKER_FILE_ABSENT,
    /** the same, and nobody has its bytes: to be answered with 404 */
    BREAKER_FILE_LOST,
    /** as absent, and its bytes will not come, since they are more than are kept here, though other
     * nodes have them: to be answered with 503, so that one of these may be asked. A head needs no
     * bytes */
    BREAKER_FILE_ELSEWHERE,
} breaker_file_state_t;

/**
 * Tells whether a variant may be sent now: this, or `breaker_variant_pin`, is to be asked before
 * the head of an answer that has bytes of it. Costs one fstat(2), and nothing for a variant in
 * memory. A file whose links, mode or owner changed since the load is sound, because that leaves
 * its bytes alone; after any other change it is suspect. Either way the loader of the node hears of
 * it, once, and reads the file again in the background. Never reads the file. Any thread that holds
 * the release.
 */
BREAKER_EXPORT breaker_file_state_t breaker_variant_probe(const breaker_variant_t *variant);

/** Keeps bytes that could go otherwise while they are being read, see below. */
typedef struct st_breaker__blob_t breaker_pin_t;
/**
 * Probes a variant, and keeps its bytes if it is sound: those of a held release may be here for now
 * only, where it has more than is kept in memory, and go when others are asked for. They have a
 * variant as if they were absent (`base` NULL, `fd` -1) and are read by `breaker_variant_read`.
 * `*ret_pin` is dropped when nothing more of it is to be read, on whatever thread, before the
 * release is; NULL where there is nothing to drop. Who reads nothing for half a second may find
 * that they went to make room for others (`breaker_pin_want`). Takes a lock for a moment where the
 * variant has neither. Any thread that holds the release.
 */
BREAKER_EXPORT breaker_file_state_t breaker_variant_pin(const breaker_variant_t *variant,
                                                        breaker_pin_t **ret_pin);
/** Lets go of the bytes; takes NULL. */
BREAKER_EXPORT void breaker_pin_drop(breaker_pin_t *pin);
/** Asks for bytes that have gone in the middle, as `breaker_asset_want` does. */
BREAKER_EXPORT void breaker_pin_want(breaker_pin_t *pin);

/**
 * Reads `len` bytes at `offset` of a variant, all of them. On disk it checks that they are what was
 * loaded: that the file is sound (see `breaker_variant_probe`) afterwards, and was before. Fails
 * with BREAKER_ERR_CHANGED, also where bytes that were here for now have gone, or BREAKER_ERR_IO;
 * `dst` is then undefined and must not be sent. Reads these bytes and no others. Any thread that
 * holds the release.
 */
BREAKER_EXPORT int breaker_variant_read(const breaker_variant_t *variant, uint64_t offset,
                                        char *dst, size_t len);

/**
 * The bytes of an absent variant as they come in, of a file that is too large to be waited for. It
 * stays as it is for whoever took it, whatever becomes of the asset.
 */
typedef struct st_breaker_spool_t breaker_spool_t;

/** How far a spool is. */
typedef enum en_breaker_spool_state_t {
    /** more bytes may come; those that are here were not checked yet */
    BREAKER_SPOOL_COMING,
    /** all bytes are here, and are those of the asset's digest */
    BREAKER_SPOOL_RIGHT,
    /** they are others, or no more will come: what was sent of them is not to be ended well */
    BREAKER_SPOOL_BROKEN,
} breaker_spool_state_t;

/**
 * Takes the spool that the identity bytes of an asset come in, or returns NULL where none do
 * (another request has to want them first), or none has come yet. `breaker_spool_leave` gives it
 * back. Whoever sends from it sends the last bytes of an answer only when the spool is RIGHT. Takes
 * a lock for a moment; any thread that holds the release.
 */
BREAKER_EXPORT breaker_spool_t *breaker_asset_take_spool(const breaker_asset_t *asset);
/** Gives a spool back; takes NULL. Any thread. */
BREAKER_EXPORT void breaker_spool_leave(breaker_spool_t *spool);
/** How far it is. One acquire-load; any thread. */
BREAKER_EXPORT breaker_spool_state_t breaker_spool_state(const breaker_spool_t *spool);
/** How many of the first bytes are here: it only grows. One acquire-load; any thread. */
BREAKER_EXPORT uint64_t breaker_spool_len(const breaker_spool_t *spool);
/**
 * Reads `len` bytes at `offset`, all of which are here. Fails with BREAKER_ERR_IO; `dst` is then
 * undefined. Any thread that took it.
 */
BREAKER_EXPORT int breaker_spool_read(const breaker_spool_t *spool, uint64_t offset, char *dst,
                                      size_t len);

#ifdef __cplusplus
}
#endif

#endif
