/*
 * Reads of variants that stay on disk, and the question whether the file is still the one that was
 * loaded. Another size or modification time says no. The change time alone says neither: a file
 * that was unlinked, renamed or had its mode changed has its bytes still, and an old release is
 * served from its descriptors after its directory was removed; but a modification time can be set
 * back as well. So the file is hashed once more, and the change time under which it proved to be
 * the same is trusted from then on.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/digest.h"
#include "release/file.h"
#include "release/stamp.h"

/** Reads exactly `len` bytes. */
static int read_at(int fd, uint64_t offset, char *dst, size_t len)
{
    while (len != 0) {
        ssize_t got = pread(fd, dst, len, (off_t)offset);

        if (got == 0)
            return BREAKER_ERR_CHANGED;
        if (got < 0 && errno != EINTR)
            return BREAKER_ERR_IO;
        if (got > 0) {
            dst += got;
            len -= (size_t)got;
            offset += (uint64_t)got;
        }
    }
    return 0;
}

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int take_stamp(int fd, breaker_stamp_t *ret_stamp)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return BREAKER_ERR_IO;
    breaker__stamp_from(&status, ret_stamp);
    return 0;
}

static int hash_file(const breaker_variant_t *variant, uint8_t *digest)
{
    breaker__reader_t reader;
    int err;

    if ((err = breaker__reader_init(&reader)) != 0)
        return err;
    err = breaker__hasher_begin(&reader.hasher);
    for (uint64_t at = 0; err == 0 && at != variant->len;) {
        size_t part = variant->len - at < BREAKER_FILE_PIECE ? (size_t)(variant->len - at)
                                                             : BREAKER_FILE_PIECE;

        if ((err = read_at(variant->fd, at, reader.piece, part)) == 0)
            err = breaker__hasher_feed(&reader.hasher, reader.piece, part);
        at += part;
    }
    if (err == 0)
        err = breaker__hasher_end(&reader.hasher, digest);
    breaker__reader_dispose(&reader);
    return err;
}

/** Hashes the file once more; trusts `stamp` when it has the bytes that were loaded. */
static int verify(const breaker_variant_t *variant, const breaker_stamp_t *stamp)
{
    breaker_variant_t *trusting = (breaker_variant_t *)(uintptr_t)variant;
    uint8_t digest[BREAKER_DIGEST_LEN];
    char etag[BREAKER_ETAG_LEN + 1];
    breaker_stamp_t after;
    int err;

    if ((err = hash_file(variant, digest)) != 0 || (err = take_stamp(variant->fd, &after)) != 0)
        return err;
    breaker__etag_format(digest, etag);
    if (!breaker__stamp_equal(stamp, &after) || strcmp(etag, variant->etag) != 0)
        return BREAKER_ERR_CHANGED;
    __atomic_store_n(&trusting->_trusted_ctime_ns, nanoseconds(stamp->ctime), __ATOMIC_RELAXED);
    return 0;
}

static bool is_trusted(const breaker_variant_t *variant, const breaker_stamp_t *stamp)
{
    int64_t ctime_ns = nanoseconds(stamp->ctime);

    return ctime_ns == nanoseconds(variant->stamp.ctime) ||
           ctime_ns == __atomic_load_n(&variant->_trusted_ctime_ns, __ATOMIC_RELAXED);
}

int breaker_variant_read(const breaker_variant_t *variant, uint64_t offset, char *dst, size_t len)
{
    breaker_stamp_t stamp;
    int err;

    assert(variant->fd >= 0);
    assert(offset <= variant->len && len <= variant->len - offset);
    /* what was read before a file is found trustworthy is read again after that */
    for (int attempt = 0; attempt != 2; ++attempt) {
        if ((err = read_at(variant->fd, offset, dst, len)) != 0 ||
            (err = take_stamp(variant->fd, &stamp)) != 0)
            return err;
        if (!breaker__stamp_same_file(&stamp, &variant->stamp))
            return BREAKER_ERR_CHANGED;
        if (is_trusted(variant, &stamp))
            return 0;
        if ((err = verify(variant, &stamp)) != 0)
            return err;
    }
    return BREAKER_ERR_CHANGED;
}
