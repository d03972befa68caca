#ifndef BREAKER_ARCHIVE_ARCHIVE_H
#define BREAKER_ARCHIVE_ARCHIVE_H

/*
 * Releases on disk, so that they outlive the process and its trees:
 *
 *   blobs/ab/abcdef…                 a content, named by its SHA-256 in 64 small hexadecimal digits
 *   releases/<release id>/manifest   what the release answers (release/manifest.h)
 *   releases/<release id>/seen       when it was seen, its tokens, whether all its blobs are here
 *
 * Several processes may have the same directory open. All files are read-only; each is written
 * beside its place and renamed to it, so that nobody sees a part of one, whoever is killed. Nothing
 * that is read is believed: a blob has to have the SHA-256 that it is named for, a manifest the
 * digest of its release, and `seen` its checksum.
 *
 * The order of writing: first the release (`breaker__archive_put_release`, not whole), which
 * protects its blobs from being swept, then the blobs, then `breaker__archive_note` with
 * `is_whole`, which brings the blobs to the disk before it says so.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/ledger.h>
#include <breaker/release_id.h>
#include "file/temporary.h"
#include "release/stamp.h"

/** how many releases are listed; what is beyond is left alone */
#define BREAKER__ARCHIVE_RELEASES_MAX 1024
/** how many tokens of one release are kept: the newest */
#define BREAKER__ARCHIVE_TOKENS_MAX 32
/** a blob that no release names is swept when it is older: its release may be on its way */
#define BREAKER__ARCHIVE_GRACE_MS (10 * 60 * 1000)

/** An archive that is open. Blocking; one thread at a time. */
typedef struct st_breaker__archive_t breaker__archive_t;

/** What an archive is opened with. */
typedef struct st_breaker__archive_config_t {
    /**
     * the directory, NUL-ended; copied. Made if only its last part is missing. Needs write
     * permission for whoever archives, read permission for whoever reads.
     */
    const char *directory;
    /**
     * Hears of trouble and of what is dropped: one line without a line end. Each kind of trouble is
     * told once, that of writing again after a release was written whole in between. NULL: nobody
     * hears. Called from the functions below, on their thread.
     */
    void (*on_notice)(void *data, const char *message);
    void *data;
    /** raised when the work at hand is to be given up, or NULL; outlives the archive */
    const atomic_bool *stop;
} breaker__archive_config_t;

/** A release of the archive. Plain value. */
typedef struct st_breaker__archived_t {
    breaker_release_id_t id;
    /** milliseconds since the epoch, below 2^53; 0: not known */
    uint64_t first_seen_ms, last_seen_ms;
    /** whether all its blobs were here, on the disk, at some time */
    bool is_whole;
    /** all of them of this release; the newest ones when there are more */
    size_t num_tokens;
    breaker_ledger_entry_t tokens[BREAKER__ARCHIVE_TOKENS_MAX];
} breaker__archived_t;

/**
 * Opens an archive. A disk that is full or read-only is no reason to fail. Fails with
 * BREAKER_ERR_IO when the directory is none or cannot be read, or when `blobs` or `releases` in it
 * is something else than a directory, which `error` tells, or with BREAKER_ERR_NO_MEMORY. The
 * caller owns it until `breaker__archive_close`, which takes NULL.
 */
int breaker__archive_open(const breaker__archive_config_t *config, breaker__archive_t **ret_archive,
                          breaker_error_t *error);
void breaker__archive_close(breaker__archive_t *archive);

/*
 * All functions below fail with BREAKER_ERR_NO_MEMORY, with BREAKER_ERR_CANCELLED when `stop` is
 * raised, and with BREAKER_ERR_IO when the file system refuses: the disk is full or read-only, a
 * permission is missing. That was told to `on_notice`; the next call tries again.
 */

/**
 * Keeps a blob: `len` bytes at `base`, of which the caller knows that `digest` is their SHA-256.
 * Where the blob is there already it is compared once in this process, and replaced if it is
 * another; after that there is nothing to do. `base` may be NULL when `len` is 0. Not on the disk
 * before a release that names it is noted as whole.
 */
int breaker__archive_put(breaker__archive_t *archive, const uint8_t *digest, const char *base,
                         uint64_t len);

/**
 * The same of a file: reads the first `len` bytes of `fd`, whose offset does not matter, and copies
 * them while it hashes them. Fails with BREAKER_ERR_CHANGED when they have another SHA-256 or end
 * early; nothing is kept then. Where a blob of this size is there already it is checked instead of
 * being copied, and `fd` is not read.
 */
int breaker__archive_put_file(breaker__archive_t *archive, const uint8_t *digest, int fd,
                              uint64_t len);

/** A blob on its way into the archive, in pieces. Plain value. */
typedef struct st_breaker__incoming_t {
    int shard_fd; /* owned */
    breaker__temporary_t temporary;
} breaker__incoming_t;

/**
 * Makes the file of a blob that comes in pieces, beside its place. The caller writes to `*ret_fd`,
 * which it owns, and has it kept, or gives it up, whatever happened to that descriptor.
 */
int breaker__archive_receive(breaker__archive_t *archive, const uint8_t *digest,
                             breaker__incoming_t *ret_incoming, int *ret_fd);
/**
 * Keeps it under its name: all `len` bytes were written, and the caller knows that `digest` is
 * their SHA-256. Where this fails it is given up.
 */
int breaker__archive_accept(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                            breaker__incoming_t *incoming);
/** Gives it up. The archive may be closed by then. */
void breaker__archive_reject(breaker__incoming_t *incoming);

/**
 * Opens a blob of `len` bytes for reading. Its SHA-256 was checked: in this process, since anything
 * happened to the file (inode, size, times). The caller owns the descriptor, which stays good when
 * the blob is swept. Whoever can write into the directory can write to the file during the check
 * and after it: `ret_stamp`, which may be NULL, is of the moment before, so that another one tells
 * of it; for bytes that are kept in memory use `breaker__archive_read`. Fails with
 * BREAKER_ERR_NOT_FOUND when there is no such blob of this length; a file of this length with
 * another content is removed, which is told.
 */
int breaker__archive_get(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                         int *ret_fd, breaker__stamp_t *ret_stamp);

/**
 * Tells whether there is a file that may be the blob of `len` bytes: by its name and size alone.
 * Costs no reading; says nothing of the content.
 */
bool breaker__archive_has(breaker__archive_t *archive, const uint8_t *digest, uint64_t len);

/**
 * Reads a blob of `len` bytes into `dst` and checks the very bytes that stand there then. Fails
 * like `breaker__archive_get`; `dst` is then undefined and not to be used.
 */
int breaker__archive_read(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                          char *dst);

/**
 * Keeps the manifest of a release and notes it (`breaker__archive_note`). The text is not looked
 * at: the caller has it checked, and it has the digest of the id. Where the release is there
 * already its manifest stays, if it is of the release.
 */
int breaker__archive_put_release(breaker__archive_t *archive, const breaker__archived_t *archived,
                                 const char *manifest, size_t len);

/**
 * Merges what is known of a release into its `seen`: the earlier `first_seen_ms`, the later
 * `last_seen_ms`, the tokens of both (of one token the smaller order), and once whole always whole.
 * So a process does not lose what another one noted. With `is_whole` where it was not, everything
 * that was written is brought to the disk first (syncfs(2)); new tokens are on the disk when this
 * returns. Fails with BREAKER_ERR_NOT_FOUND when the release is not there, or with BREAKER_ERR_BUSY
 * when another process held the release for seconds.
 */
int breaker__archive_note(breaker__archive_t *archive, const breaker__archived_t *archived);

/**
 * Lists the releases, the one that was seen last first. What is no release is left out. The caller
 * frees the list with free(3); it is NULL where `*ret_num` is 0.
 */
int breaker__archive_list(breaker__archive_t *archive, breaker__archived_t **ret_list,
                          size_t *ret_num);

/** Finds one release; BREAKER_ERR_NOT_FOUND where it is not there. */
int breaker__archive_describe(breaker__archive_t *archive, const breaker_release_id_t *id,
                              breaker__archived_t *ret_archived);

/**
 * Reads the manifest of a release and checks that it is one, and this release's. The caller frees
 * the text, which is not NUL-ended, with free(3). Fails with BREAKER_ERR_NOT_FOUND when there is
 * none, or none that is right, which is then removed and told.
 */
int breaker__archive_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                              char **ret_text, size_t *ret_len);

/**
 * Removes a release; its blobs go with the next sweep. Nothing to do where it is not there. Fails
 * with BREAKER_ERR_BUSY when another process held the archive for seconds.
 */
int breaker__archive_drop(breaker__archive_t *archive, const breaker_release_id_t *id);

/** What stays when an archive is swept. Plain value. */
typedef struct st_breaker__archive_keep_t {
    /** the present moment, milliseconds since the epoch */
    uint64_t now_ms;
    /** releases that stay whatever follows: served somewhere, held, in use; borrowed */
    const breaker_release_id_t *ids;
    size_t num_ids;
    /** of the others: how many stay, those seen last, whatever their age is */
    size_t num_newest;
    /** of the rest: those seen within this time stay, as long as there are ... */
    uint64_t age_ms;
    /** ... not more releases than this in all, `ids` included */
    size_t num_max;
    /**
     * bytes that blobs and manifests may take on the disk; beyond it, releases that are not in
     * `ids` go, the one seen longest ago first, whatever was said above
     */
    uint64_t size_max;
} breaker__archive_keep_t;

/**
 * Removes the releases that do not stay, then the blobs older than BREAKER__ARCHIVE_GRACE_MS that
 * no release names, then what killed processes left. Other processes may read and write meanwhile.
 * Where a manifest cannot be read no blob is removed. Fails with BREAKER_ERR_BUSY when another
 * process held the archive for seconds. Takes time for every blob of the archive.
 */
int breaker__archive_sweep(breaker__archive_t *archive, const breaker__archive_keep_t *keep);

/**
 * What blobs and manifests take on the disk in bytes, in blocks of 4 KiB: as it was at the last
 * sweep, or at the first call, which looks at every file, and what this handle wrote since.
 */
uint64_t breaker__archive_size(breaker__archive_t *archive);

#endif
