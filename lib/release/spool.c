/*
 * Contents that are sent on while they come. The writer puts bytes into the file, then says how
 * many there are; who reads that number reads the bytes. They are hashed as they come, and found
 * right or wrong after the last one: whoever sends them holds back the end until then.
 *
 * Kept always: `len` only grows, and never beyond the content's; nothing is written once it is not
 * coming any more.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/digest.h"
#include "release/spool.h"

struct st_breaker_spool_t {
    atomic_size_t refs;
    int fd; /* owned */
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t whole_len;
    _Atomic uint64_t len; /* of what has come */
    _Atomic breaker_spool_state_t state;
    breaker__hasher_t hasher; /* the writing thread's */
    atomic_size_t num_readers;
    _Atomic uint64_t num_taken;
};

int breaker__spool_open(const char *directory, int *ret_fd)
{
    char name[4096];
    int fd;

    if (directory == NULL && (directory = secure_getenv("TMPDIR")) == NULL)
        directory = "/var/tmp";
    if ((fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0) {
        /* not every file system has files without names */
        if ((size_t)snprintf(name, sizeof(name), "%s/breaker-XXXXXX", directory) >= sizeof(name) ||
            (fd = mkostemp(name, O_CLOEXEC)) < 0)
            return BREAKER_ERR_IO;
        unlink(name);
    }
    *ret_fd = fd;
    return 0;
}

int breaker__spool_create(int fd, const uint8_t *digest, uint64_t len, breaker_spool_t **ret_spool)
{
    breaker_spool_t *spool = calloc(1, sizeof(*spool));

    assert(fd >= 0);
    if (spool == NULL || breaker__hasher_init(&spool->hasher) != 0)
        goto Fail;
    if (breaker__hasher_begin(&spool->hasher) != 0)
        goto Fail;
    atomic_init(&spool->refs, 1);
    atomic_init(&spool->state, BREAKER_SPOOL_COMING);
    spool->fd = fd;
    spool->whole_len = len;
    memcpy(spool->digest, digest, sizeof(spool->digest));
    *ret_spool = spool;
    return 0;

Fail:
    if (spool != NULL)
        breaker__hasher_dispose(&spool->hasher);
    free(spool);
    close(fd);
    return BREAKER_ERR_NO_MEMORY;
}

breaker_spool_t *breaker__spool_ref(breaker_spool_t *spool)
{
    size_t before = atomic_fetch_add_explicit(&spool->refs, 1, memory_order_relaxed);

    assert(before != 0);
    return spool;
}

void breaker__spool_unref(breaker_spool_t *spool)
{
    size_t before;

    if (spool == NULL)
        return;
    before = atomic_fetch_sub_explicit(&spool->refs, 1, memory_order_acq_rel);
    assert(before != 0);
    if (before != 1)
        return;
    assert(atomic_load_explicit(&spool->num_readers, memory_order_relaxed) == 0);
    close(spool->fd);
    breaker__hasher_dispose(&spool->hasher);
    free(spool);
}

/* ---- writing ---- */

static uint64_t len_of(const breaker_spool_t *spool)
{
    return atomic_load_explicit(&spool->len, memory_order_relaxed);
}

uint64_t breaker__spool_left(const breaker_spool_t *spool)
{
    assert(len_of(spool) <= spool->whole_len);
    return spool->whole_len - len_of(spool);
}

static int write_at(int fd, uint64_t offset, const char *base, size_t len)
{
    while (len != 0) {
        ssize_t put = pwrite(fd, base, len, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return BREAKER_ERR_IO;
        base += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return 0;
}

int breaker__spool_write(breaker_spool_t *spool, const char *base, size_t len)
{
    uint64_t at = len_of(spool);
    int err;

    assert(breaker_spool_state(spool) == BREAKER_SPOOL_COMING);
    assert(len <= breaker__spool_left(spool));
    if ((err = write_at(spool->fd, at, base, len)) != 0 ||
        (err = breaker__hasher_feed(&spool->hasher, base, len)) != 0)
        return err;
    atomic_store_explicit(&spool->len, at + len, memory_order_release);
    return 0;
}

static void set_state(breaker_spool_t *spool, breaker_spool_state_t state)
{
    atomic_store_explicit(&spool->state, state, memory_order_release);
}

int breaker__spool_end(breaker_spool_t *spool)
{
    uint8_t digest[BREAKER_DIGEST_LEN];

    assert(breaker_spool_state(spool) == BREAKER_SPOOL_COMING);
    assert(breaker__spool_left(spool) == 0);
    if (breaker__hasher_end(&spool->hasher, digest) != 0 ||
        memcmp(digest, spool->digest, sizeof(digest)) != 0) {
        set_state(spool, BREAKER_SPOOL_BROKEN);
        return BREAKER_ERR_CHANGED;
    }
    set_state(spool, BREAKER_SPOOL_RIGHT);
    return 0;
}

void breaker__spool_break(breaker_spool_t *spool)
{
    if (breaker_spool_state(spool) == BREAKER_SPOOL_COMING)
        set_state(spool, BREAKER_SPOOL_BROKEN);
}

int breaker__spool_descriptor(const breaker_spool_t *spool, int *ret_fd)
{
    int fd = fcntl(spool->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return BREAKER_ERR_IO;
    *ret_fd = fd;
    return 0;
}

/* ---- reading ---- */

breaker_spool_state_t breaker_spool_state(const breaker_spool_t *spool)
{
    return atomic_load_explicit(&spool->state, memory_order_acquire);
}

uint64_t breaker_spool_len(const breaker_spool_t *spool)
{
    return atomic_load_explicit(&spool->len, memory_order_acquire);
}

int breaker_spool_read(const breaker_spool_t *spool, uint64_t offset, char *dst, size_t len)
{
    assert(offset <= breaker_spool_len(spool));
    assert(len <= breaker_spool_len(spool) - offset);
    while (len != 0) {
        ssize_t got = pread(spool->fd, dst, len, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return BREAKER_ERR_IO;
        dst += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

size_t breaker__spool_num_readers(const breaker_spool_t *spool)
{
    return atomic_load_explicit(&spool->num_readers, memory_order_relaxed);
}

uint64_t breaker__spool_num_taken(const breaker_spool_t *spool)
{
    return atomic_load_explicit(&spool->num_taken, memory_order_relaxed);
}

/* ---- of a blob ---- */

void breaker__blob_set_spool(breaker__blob_t *blob, breaker_spool_t *spool)
{
    breaker_spool_t *before;

    if (spool != NULL)
        breaker__spool_ref(spool);
    breaker__blobs_lock(blob->blobs);
    before = atomic_load_explicit(&blob->spool, memory_order_relaxed);
    atomic_store_explicit(&blob->spool, spool, memory_order_relaxed);
    breaker__blobs_unlock(blob->blobs);
    breaker__spool_unref(before);
}

static breaker_spool_t *take_locked(breaker__blob_t *blob)
{
    breaker_spool_t *spool = atomic_load_explicit(&blob->spool, memory_order_relaxed);

    if (spool == NULL || breaker_spool_len(spool) == 0 ||
        breaker_spool_state(spool) == BREAKER_SPOOL_BROKEN)
        return NULL;
    atomic_fetch_add_explicit(&spool->num_readers, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&spool->num_taken, 1, memory_order_relaxed);
    return breaker__spool_ref(spool);
}

breaker_spool_t *breaker_asset_take_spool(const breaker_asset_t *asset)
{
    breaker__blob_t *blob = breaker__asset_blob(asset);
    breaker_spool_t *spool;

    /* hardly any has one, and whoever waits looks often */
    if (atomic_load_explicit(&blob->spool, memory_order_relaxed) == NULL)
        return NULL;
    breaker__blobs_lock(blob->blobs);
    spool = take_locked(blob);
    breaker__blobs_unlock(blob->blobs);
    return spool;
}

void breaker_spool_leave(breaker_spool_t *spool)
{
    size_t before;

    if (spool == NULL)
        return;
    before = atomic_fetch_sub_explicit(&spool->num_readers, 1, memory_order_relaxed);
    assert(before != 0);
    breaker__spool_unref(spool);
}
