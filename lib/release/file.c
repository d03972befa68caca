/*
 * One file becomes the identity bytes of one asset: read straight into the memory that it will be
 * sent from, or, when it is too large for that, hashed in pieces and kept open. Either way the
 * bytes count only if the file was the same before and after, so that a digest never names a
 * mixture of two contents.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/disk.h"
#include "release/file.h"
#include "release/stamp.h"

int breaker__reader_init(breaker__reader_t *reader, const atomic_bool *stop)
{
    int err;

    reader->stop = stop;
    if ((err = breaker__hasher_init(&reader->hasher)) != 0)
        return err;
    if ((reader->piece = malloc(BREAKER_FILE_PIECE)) != NULL)
        return 0;
    breaker__hasher_dispose(&reader->hasher);
    return BREAKER_ERR_NO_MEMORY;
}

bool breaker__reader_is_stopped(const breaker__reader_t *reader)
{
    return reader->stop != NULL && atomic_load_explicit(reader->stop, memory_order_relaxed);
}

void breaker__reader_dispose(breaker__reader_t *reader)
{
    breaker__hasher_dispose(&reader->hasher);
    free(reader->piece);
    reader->piece = NULL;
}

int breaker__read_fully(int fd, char *dst, size_t len)
{
    while (len != 0) {
        ssize_t got = read(fd, dst, len);

        if (got == 0)
            return -1;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0) {
            dst += got;
            len -= (size_t)got;
        }
    }
    return 0;
}

/** Returns like `breaker__read_fully`, ENOMEM included. What is hashed is what will be sent. */
static int read_to_memory(breaker__reader_t *reader, int fd, breaker_store_t *store,
                          breaker_variant_t *variant, uint8_t *digest)
{
    char *dst;
    int failure;

    if (variant->len == 0) {
        variant->base = "";
    } else {
        if ((dst = breaker__store_begin_body(store, variant)) == NULL)
            return ENOMEM;
        if ((failure = breaker__read_fully(fd, dst, variant->len)) != 0)
            return failure;
    }
    return breaker__hash(&reader->hasher, variant->base, variant->len, digest) != 0 ? ENOMEM : 0;
}

/** Returns like `read_to_memory`. */
static int read_on_disk(breaker__reader_t *reader, int fd, uint64_t len, uint8_t *digest)
{
    int failure;

    if (breaker__hasher_begin(&reader->hasher) != 0)
        return ENOMEM;
    while (len != 0) {
        size_t part = len < BREAKER_FILE_PIECE ? (size_t)len : BREAKER_FILE_PIECE;

        if (breaker__reader_is_stopped(reader))
            return ECANCELED;
        if ((failure = breaker__read_fully(fd, reader->piece, part)) != 0)
            return failure;
        if (breaker__hasher_feed(&reader->hasher, reader->piece, part) != 0)
            return ENOMEM;
        len -= part;
    }
    return breaker__hasher_end(&reader->hasher, digest) != 0 ? ENOMEM : 0;
}

static bool is_unchanged(int fd, const breaker__stamp_t *before)
{
    struct stat status;
    breaker__stamp_t after;

    if (fstat(fd, &status) != 0)
        return false;
    breaker__stamp_from(&status, &after);
    return breaker__stamp_equal(before, &after);
}

static bool belongs_in_memory(const breaker_store_t *store, uint64_t len)
{
    return len <= breaker_view_config(store->view)->memory_file_limit &&
           len <= breaker__store_room(store);
}

static int fail(const breaker__tree_t *tree, const breaker_asset_t *asset, int failure,
                breaker_error_t *error)
{
    assert(failure != 0);
    if (failure > 0)
        return breaker__tree_fail_io(tree, failure, asset->path, error);
    return breaker__tree_fail(tree, BREAKER_ERR_CHANGED, asset->path,
                              breaker_err_message(BREAKER_ERR_CHANGED), error);
}

/** Reads or hashes an open file, and sees that it stayed the same. Returns like `read_to_memory`.
 */
static int take_content(breaker__reader_t *reader, int fd, const breaker__stamp_t *stamp,
                        breaker_store_t *store, breaker_asset_t *asset, breaker_variant_t *variant)
{
    bool in_memory = belongs_in_memory(store, variant->len);
    int failure = in_memory ? read_to_memory(reader, fd, store, variant, asset->digest)
                            : read_on_disk(reader, fd, variant->len, asset->digest);

    if (failure == 0 && !is_unchanged(fd, stamp))
        failure = -1;
    if (failure == 0 && !in_memory && (variant->_disk = breaker__disk_create(stamp)) == NULL)
        failure = ENOMEM;
    if (failure != 0)
        breaker__store_drop_body(variant);
    return failure;
}

/** One attempt; `variant` is filled on success only. */
static int try_read(breaker__reader_t *reader, const breaker__tree_t *tree, breaker_store_t *store,
                    breaker_asset_t *asset, breaker_variant_t *variant, breaker_error_t *error)
{
    breaker_variant_t made = *variant;
    breaker__stamp_t stamp;
    int fd, err, failure;

    if ((err = breaker__tree_open_file(tree, asset->path, &fd, &stamp, error)) != 0)
        return err;
    made.len = (uint64_t)stamp.size;
    failure = take_content(reader, fd, &stamp, store, asset, &made);
    if (made._disk != NULL)
        made.fd = fd;
    else
        close(fd);
    if (failure != 0)
        return fail(tree, asset, failure, error);
    asset->last_modified_s = stamp.mtime.tv_sec;
    *variant = made;
    return 0;
}

int breaker__read_file(breaker__reader_t *reader, const breaker__tree_t *tree,
                       breaker_store_t *store, breaker_asset_t *asset, breaker_variant_t *variant,
                       breaker_error_t *error)
{
    int err;

    assert(variant->base == NULL && variant->fd < 0);
    /* a file may be on the point of being replaced; only the second failure is told */
    if (try_read(reader, tree, store, asset, variant, NULL) != 0 &&
        (err = try_read(reader, tree, store, asset, variant, error)) != 0)
        return err;
    breaker__etag_format(asset->digest, variant->etag);
    if (variant->base != NULL && variant->len != 0)
        breaker__store_keep_body(store, variant);
    return 0;
}
