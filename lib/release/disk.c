/*
 * Files that stay on disk, and the question whether they still are what was loaded. It is asked
 * with one fstat, on whatever thread sends the file, and answered without reading it: an unchanged
 * change time says yes; a change that its links, mode or owner explain says yes as well, because an
 * old release is served from its descriptors after its directory was removed; anything else may
 * mean other bytes, a modification time that was set back included. Then nothing is sent until the
 * loader has read the whole file once more, which no thread that serves ever does.
 *
 * Kept always: what is returned as read are bytes of a file whose digest was right before they were
 * read, and to which nothing happened since that could have changed them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/blobs.h"
#include "release/cached.h"
#include "release/digest.h"
#include "release/disk.h"
#include "release/file.h"
#include "release/suspects.h"

/** file systems of Linux stamp by a clock that ticks every 10 ms at most; in ns */
#define TICK_NS 10000000

breaker__disk_t *breaker__disk_create(const breaker__stamp_t *stamp)
{
    breaker__disk_t *disk = calloc(1, sizeof(*disk));

    if (disk == NULL)
        return NULL;
    if (pthread_mutex_init(&disk->lock, NULL) != 0) {
        free(disk);
        return NULL;
    }
    disk->known = *stamp;
    atomic_init(&disk->known_ctime_ns, breaker__stamp_ctime_ns(stamp));
    atomic_init(&disk->changed_ctime_ns, 0);
    atomic_init(&disk->is_posted, false);
    return disk;
}

static void lock(breaker__disk_t *disk)
{
    int err = pthread_mutex_lock(&disk->lock);

    assert(err == 0);
}

static void unlock(breaker__disk_t *disk)
{
    int err = pthread_mutex_unlock(&disk->lock);

    assert(err == 0);
}

static breaker__stamp_t known_stamp(breaker__disk_t *disk)
{
    breaker__stamp_t known;

    lock(disk);
    known = disk->known;
    unlock(disk);
    return known;
}

int breaker__disk_set_place(breaker__disk_t *disk, const breaker_view_t *view,
                            const char *directory, const char *path)
{
    size_t directory_size = strlen(directory) + 1, path_size = strlen(path) + 1;
    breaker__place_t *place = malloc(sizeof(*place) + directory_size + path_size);

    assert(disk->place == NULL);
    if (place == NULL)
        return BREAKER_ERR_NO_MEMORY;
    place->view = view;
    place->directory = memcpy(place->texts, directory, directory_size);
    place->path = memcpy(place->texts + directory_size, path, path_size);
    disk->place = place;
    return 0;
}

breaker__disk_t *breaker__disk_copy(breaker__disk_t *disk)
{
    const breaker__place_t *place = disk->place;
    breaker__stamp_t known = known_stamp(disk);
    breaker__disk_t *copy = breaker__disk_create(&known);

    if (copy == NULL || place == NULL ||
        breaker__disk_set_place(copy, place->view, place->directory, place->path) == 0)
        return copy;
    breaker__disk_free(copy);
    return NULL;
}

void breaker__disk_free(breaker__disk_t *disk)
{
    if (disk == NULL)
        return;
    assert(!atomic_load(&disk->is_posted));
    free(disk->place);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

/* ---- on the threads that serve ---- */

static int take_stamp(int fd, breaker__stamp_t *ret_stamp)
{
    struct stat status;

    assert(fd >= 0);
    if (fstat(fd, &status) != 0)
        return BREAKER_ERR_IO;
    breaker__stamp_from(&status, ret_stamp);
    return 0;
}

static bool is_known(const breaker__disk_t *disk, const breaker__stamp_t *stamp)
{
    return breaker__stamp_ctime_ns(stamp) ==
           atomic_load_explicit(&disk->known_ctime_ns, memory_order_relaxed);
}

static bool is_changed(const breaker__disk_t *disk, const breaker__stamp_t *stamp)
{
    return breaker__stamp_ctime_ns(stamp) ==
           atomic_load_explicit(&disk->changed_ctime_ns, memory_order_relaxed);
}

static breaker_file_state_t state_under(breaker__disk_t *disk, const breaker__stamp_t *stamp)
{
    breaker__stamp_t known;

    if (is_known(disk, stamp))
        return BREAKER_FILE_SOUND;
    if (is_changed(disk, stamp))
        return BREAKER_FILE_CHANGED;
    breaker__suspects_post(disk);
    known = known_stamp(disk);
    return breaker__stamp_explains(&known, stamp) ? BREAKER_FILE_SOUND : BREAKER_FILE_SUSPECT;
}

/* who holds a variant without bytes asks its asset again once they are here */
static breaker_file_state_t state_without_bytes(const breaker_variant_t *variant)
{
    assert(variant->_blob != NULL);
    switch (breaker__blob_state(variant->_blob)) {
    case BREAKER__BLOB_ABSENT:
    case BREAKER__BLOB_HERE:
        return BREAKER_FILE_ABSENT;
    case BREAKER__BLOB_LOST:
        return BREAKER_FILE_LOST;
    case BREAKER__BLOB_ELSEWHERE:
        return BREAKER_FILE_ELSEWHERE;
    case BREAKER__BLOB_CACHED:
        return BREAKER_FILE_SOUND;
    }
    assert(!"a blob's state outside its enum");
    return BREAKER_FILE_ABSENT;
}

breaker_file_state_t breaker_variant_probe(const breaker_variant_t *variant)
{
    breaker__stamp_t stamp;

    if (variant->base != NULL)
        return BREAKER_FILE_SOUND;
    if (variant->fd < 0)
        return state_without_bytes(variant);
    assert(variant->_disk != NULL);
    if (take_stamp(variant->fd, &stamp) == 0)
        return state_under(variant->_disk, &stamp);
    breaker__suspects_post(variant->_disk);
    return BREAKER_FILE_SUSPECT;
}

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

static int read_file(const breaker_variant_t *variant, uint64_t offset, char *dst, size_t len)
{
    breaker__disk_t *disk = variant->_disk;
    breaker__stamp_t stamp;
    int err;

    for (int attempt = 0; attempt != 2; ++attempt) {
        int64_t before_ns = atomic_load_explicit(&disk->known_ctime_ns, memory_order_relaxed);

        if ((err = read_at(variant->fd, offset, dst, len)) != 0 ||
            (err = take_stamp(variant->fd, &stamp)) != 0)
            return err;
        if (state_under(disk, &stamp) != BREAKER_FILE_SOUND)
            return BREAKER_ERR_CHANGED;
        /* what was read before the file was found to be right is read again */
        if (!is_known(disk, &stamp) || breaker__stamp_ctime_ns(&stamp) == before_ns)
            return 0;
    }
    return BREAKER_ERR_CHANGED;
}

static int read_bytes(const breaker_variant_t *variant, uint64_t offset, char *dst, size_t len)
{
    if (variant->base == NULL)
        return read_file(variant, offset, dst, len);
    memcpy(dst, variant->base + offset, len);
    return 0;
}

/* of a variant without bytes: what its blob has cached, or has for good by now */
static int read_through_blob(breaker__blob_t *blob, uint64_t offset, char *dst, size_t len)
{
    breaker__cached_t *cached = breaker__cached_get(blob, true);
    const breaker_variant_t *bytes = cached != NULL ? &cached->bytes : breaker__blob_body(blob);
    int err = bytes != NULL ? read_bytes(bytes, offset, dst, len) : BREAKER_ERR_CHANGED;

    breaker__cached_unref(cached);
    return err;
}

int breaker_variant_read(const breaker_variant_t *variant, uint64_t offset, char *dst, size_t len)
{
    assert(offset <= variant->len && len <= variant->len - offset);
    if (variant->base == NULL && variant->fd < 0)
        return read_through_blob(variant->_blob, offset, dst, len);
    return read_bytes(variant, offset, dst, len);
}

/* ---- on the thread that checks ---- */

static int hash_file(const breaker_variant_t *variant, const atomic_bool *stop, uint8_t *digest)
{
    breaker__reader_t reader;
    int err;

    if ((err = breaker__reader_init(&reader, stop)) != 0)
        return err;
    err = breaker__hasher_begin(&reader.hasher);
    for (uint64_t at = 0; err == 0 && at != variant->len;) {
        size_t part = variant->len - at < BREAKER_FILE_PIECE ? (size_t)(variant->len - at)
                                                             : BREAKER_FILE_PIECE;

        assert(at < variant->len);
        if (breaker__reader_is_stopped(&reader))
            err = BREAKER_ERR_CANCELLED;
        else if ((err = read_at(variant->fd, at, reader.piece, part)) == 0)
            err = breaker__hasher_feed(&reader.hasher, reader.piece, part);
        at += part;
    }
    if (err == 0)
        err = breaker__hasher_end(&reader.hasher, digest);
    breaker__reader_dispose(&reader);
    return err;
}

/* a change in the tick of the one before would not show, so that one is waited for */
static void wait_for_tick(const breaker__stamp_t *stamp)
{
    struct timespec now, tick = {.tv_nsec = TICK_NS};
    int64_t since_ns;

    clock_gettime(CLOCK_REALTIME, &now);
    since_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - breaker__stamp_ctime_ns(stamp);
    if (since_ns >= 0 && since_ns < TICK_NS)
        nanosleep(&tick, NULL);
}

static breaker_file_state_t trust(breaker__disk_t *disk, const breaker__stamp_t *stamp)
{
    lock(disk);
    disk->known = *stamp;
    atomic_store_explicit(&disk->known_ctime_ns, breaker__stamp_ctime_ns(stamp),
                          memory_order_relaxed);
    unlock(disk);
    return BREAKER_FILE_SOUND;
}

static breaker_file_state_t condemn(breaker__disk_t *disk, const breaker__stamp_t *stamp)
{
    atomic_store_explicit(&disk->changed_ctime_ns, breaker__stamp_ctime_ns(stamp),
                          memory_order_relaxed);
    return BREAKER_FILE_CHANGED;
}

breaker_file_state_t breaker__disk_check(breaker__disk_t *disk, const atomic_bool *stop)
{
    const breaker_variant_t *variant = disk->variant;
    uint8_t digest[BREAKER_DIGEST_LEN];
    char etag[BREAKER_ETAG_LEN + 1];
    breaker__stamp_t before, after;

    assert(variant != NULL && variant->fd >= 0);
    if (take_stamp(variant->fd, &before) != 0)
        return BREAKER_FILE_SUSPECT;
    if (is_known(disk, &before))
        return BREAKER_FILE_SOUND;
    wait_for_tick(&before);
    if ((uint64_t)before.size == variant->len && hash_file(variant, stop, digest) != 0)
        return BREAKER_FILE_SUSPECT;
    if (take_stamp(variant->fd, &after) != 0 || !breaker__stamp_equal(&before, &after))
        return BREAKER_FILE_SUSPECT;
    if ((uint64_t)before.size != variant->len)
        return condemn(disk, &before);
    breaker__etag_format(digest, etag);
    return strcmp(etag, variant->etag) == 0 ? trust(disk, &before) : condemn(disk, &before);
}
