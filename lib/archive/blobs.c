/*
 * Blobs: files that are named by the SHA-256 of what is in them. So whatever a killed process, a
 * full disk, a crash of the system or somebody else left under a name is found out by reading it,
 * and two processes that write the same blob write the same bytes. That is why blobs need no lock
 * and no sync of their own: the one who notes a release as whole brings them to the disk.
 *
 * A size that is asked for may be a lie, too: of a manifest that was made to hurt. It is no reason
 * to remove a blob that is right.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "archive/opened.h"
#include "file/temporary.h"

enum {
    HEX_LEN = 2 * BREAKER_DIGEST_LEN,
    /* the first digits, which name the directory */
    SHARD_LEN = 2,
    /* up to here a file of another size than was asked for is looked at, whether it is torn */
    TORN_MAX = 1024 * 1024,
};

/* where a blob lies, or belongs */
typedef struct st_place_t {
    const uint8_t *digest;
    int shard_fd; /* owned */
    char name[HEX_LEN + 1];
} place_t;

/* what a file is found to be */
typedef enum en_finding_t {
    /* the blob: of this content, and length */
    FOUND,
    /* another file, or none of this length */
    NOT_FOUND,
    /* it could not be read, or this was given up: `err` says which */
    FAILED,
} finding_t;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- places ---- */

/* -1 with errno, ENOENT where there is no such directory and none is made */
static int open_shard(const breaker__archive_t *archive, const char *name, bool is_made)
{
    char shard[SHARD_LEN + 1] = {name[0], name[1]};
    int fd = breaker__archive_open_directory(archive->blobs_fd, shard, is_made);

    if (fd != -1 || (errno != ENOTDIR && errno != ELOOP))
        return fd;
    if (!is_made) {
        errno = ENOENT;
        return -1;
    }
    /* a file or a symbolic link took its place */
    if (unlinkat(archive->blobs_fd, shard, 0) != 0)
        return -1;
    return breaker__archive_open_directory(archive->blobs_fd, shard, true);
}

/* 0 or a number of errno */
static int enter(breaker__archive_t *archive, const uint8_t *digest, bool is_made, place_t *place)
{
    int errnum;

    if (breaker__archive_is_stopped(archive))
        return ECANCELED;
    if (archive->blobs_fd == -1 && !is_made)
        return ENOENT;
    if (archive->blobs_fd == -1 && (errnum = breaker__archive_make_rooms(archive)) != 0)
        return errnum;
    place->digest = digest;
    breaker__digest_format(digest, place->name);
    place->shard_fd = open_shard(archive, place->name, is_made);
    /* somebody removed the whole archive under us */
    if (place->shard_fd == -1 && errno == ENOENT && is_made &&
        breaker__archive_make_rooms(archive) == 0)
        place->shard_fd = open_shard(archive, place->name, true);
    return place->shard_fd != -1 ? 0 : errno;
}

static void leave(place_t *place)
{
    close(place->shard_fd);
}

/* removes what is not the blob, unless another process has put another file there by now */
static void drop(breaker__archive_t *archive, const place_t *place, const struct stat *status)
{
    struct stat now;

    breaker__archive_tell(archive, BREAKER__ARCHIVE_BLOB, place->name);
    if (fstatat(place->shard_fd, place->name, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
        (status != NULL && now.st_ino != status->st_ino))
        return;
    if (unlinkat(place->shard_fd, place->name, S_ISDIR(now.st_mode) ? AT_REMOVEDIR : 0) == 0 &&
        S_ISREG(now.st_mode))
        breaker__archive_shrink(archive, (uint64_t)now.st_size);
}

/* ---- reading ---- */

/* a piece at an offset: how many bytes, or -1 with errno */
static ssize_t read_piece(const breaker__archive_t *archive, int fd, char *dst, size_t len,
                          uint64_t offset)
{
    ssize_t got;

    if (breaker__archive_is_stopped(archive)) {
        errno = ECANCELED;
        return -1;
    }
    do {
        got = pread(fd, dst, len, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

static size_t piece_of(uint64_t left)
{
    return left < BREAKER__ARCHIVE_PIECE ? (size_t)left : BREAKER__ARCHIVE_PIECE;
}

/* the SHA-256 of a file's first bytes; 0, a number of errno, or -1 when there are fewer */
static int hash_file(breaker__archive_t *archive, int fd, uint64_t len, uint8_t *dst)
{
    if (breaker__hasher_begin(&archive->hasher) != 0)
        return ENOMEM;
    for (uint64_t at = 0; at != len;) {
        ssize_t got = read_piece(archive, fd, archive->piece, piece_of(len - at), at);
        if (got <= 0)
            return got == 0 ? -1 : errno;
        if (breaker__hasher_feed(&archive->hasher, archive->piece, (size_t)got) != 0)
            return ENOMEM;
        at += (uint64_t)got;
    }
    return breaker__hasher_end(&archive->hasher, dst) == 0 ? 0 : ENOMEM;
}

/* after a file was found right: it is believed if nothing happened to it since the reading began */
static void believe(breaker__archive_t *archive, const place_t *place, int fd,
                    const struct stat *before, int64_t began_ns)
{
    struct stat after;

    if (fstat(fd, &after) == 0 && after.st_size == before->st_size &&
        after.st_ctim.tv_sec == before->st_ctim.tv_sec &&
        after.st_ctim.tv_nsec == before->st_ctim.tv_nsec)
        breaker__believed_add(&archive->believed, place->digest, before, began_ns);
}

/* whether a file has the content that it is named for */
static finding_t check(breaker__archive_t *archive, const place_t *place, int fd,
                       const struct stat *status, int *ret_err)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    int64_t began_ns = now_ns();
    int errnum;

    if (breaker__believed_has(&archive->believed, place->digest, status))
        return FOUND;
    if ((errnum = hash_file(archive, fd, (uint64_t)status->st_size, digest)) > 0) {
        *ret_err = breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errnum);
        return FAILED;
    }
    if (errnum != 0 || memcmp(digest, place->digest, sizeof(digest)) != 0)
        return NOT_FOUND;
    believe(archive, place, fd, status, began_ns);
    return FOUND;
}

/* opens what has the blob's name and length; removes what has the name and is no blob */
static finding_t open_blob(breaker__archive_t *archive, const place_t *place, uint64_t len,
                           int *ret_fd, struct stat *ret_status, int *ret_err)
{
    struct stat status;
    int fd = breaker__archive_open_file(place->shard_fd, place->name, &status);

    if (fd == -1 && errno == ENOENT)
        return NOT_FOUND;
    if (fd == -1 && errno == EBADF) {
        drop(archive, place, NULL);
        return NOT_FOUND;
    }
    if (fd == -1) {
        *ret_err = breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
        return FAILED;
    }
    if ((uint64_t)status.st_size == len) {
        *ret_fd = fd;
        *ret_status = status;
        return FOUND;
    }
    if (status.st_size <= TORN_MAX && check(archive, place, fd, &status, ret_err) == NOT_FOUND)
        drop(archive, place, &status);
    close(fd);
    return NOT_FOUND;
}

/* the answer to somebody who asked for a blob */
static int answer(finding_t finding, int err)
{
    if (finding == NOT_FOUND)
        return BREAKER_ERR_NOT_FOUND;
    return finding == FOUND ? 0 : err;
}

static int enter_to_read(breaker__archive_t *archive, const uint8_t *digest, place_t *place)
{
    int errnum = enter(archive, digest, false, place);

    if (errnum == ENOENT)
        return BREAKER_ERR_NOT_FOUND;
    return errnum == 0 ? 0 : breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errnum);
}

int breaker__archive_get(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                         int *ret_fd, breaker__stamp_t *ret_stamp)
{
    struct stat status;
    finding_t finding;
    place_t place;
    int fd, err;

    if ((err = enter_to_read(archive, digest, &place)) != 0)
        return err;
    if ((finding = open_blob(archive, &place, len, &fd, &status, &err)) == FOUND) {
        if ((finding = check(archive, &place, fd, &status, &err)) == NOT_FOUND)
            drop(archive, &place, &status);
        if (finding == FOUND)
            *ret_fd = fd;
        else
            close(fd);
        if (finding == FOUND && ret_stamp != NULL)
            breaker__stamp_from(&status, ret_stamp);
    }
    leave(&place);
    return answer(finding, err);
}

bool breaker__archive_has(breaker__archive_t *archive, const uint8_t *digest, uint64_t len)
{
    struct stat status;
    bool has;
    place_t place;

    if (enter(archive, digest, false, &place) != 0)
        return false;
    has = fstatat(place.shard_fd, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISREG(status.st_mode) && (uint64_t)status.st_size == len;
    leave(&place);
    return has;
}

/* reads and checks the very bytes */
static finding_t read_blob(breaker__archive_t *archive, const place_t *place, int fd, uint64_t len,
                           char *dst, int *ret_err)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    ssize_t got = 0;

    for (uint64_t at = 0; at != len; at += (uint64_t)got) {
        got = read_piece(archive, fd, dst + at, piece_of(len - at), at);
        if (got == 0)
            return NOT_FOUND;
        if (got < 0) {
            *ret_err = breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
            return FAILED;
        }
    }
    if ((*ret_err = breaker__hash(&archive->hasher, dst, (size_t)len, digest)) != 0)
        return FAILED;
    return memcmp(digest, place->digest, sizeof(digest)) == 0 ? FOUND : NOT_FOUND;
}

int breaker__archive_read(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                          char *dst)
{
    struct stat status;
    int64_t began_ns = now_ns();
    finding_t finding;
    place_t place;
    int fd, err;

    if ((err = enter_to_read(archive, digest, &place)) != 0)
        return err;
    if ((finding = open_blob(archive, &place, len, &fd, &status, &err)) == FOUND) {
        finding = read_blob(archive, &place, fd, len, dst, &err);
        if (finding == NOT_FOUND)
            drop(archive, &place, &status);
        else if (finding == FOUND)
            believe(archive, &place, fd, &status, began_ns);
        close(fd);
    }
    leave(&place);
    return answer(finding, err);
}

/* ---- writing ---- */

/* where the bytes of a new blob come from: a file, or memory where `fd` is -1 */
typedef struct st_source_t {
    const char *base;
    int fd; /* borrowed */
    uint64_t len;
} source_t;

/* whether a file has the same bytes */
static finding_t compare(breaker__archive_t *archive, const place_t *place, int fd,
                         const struct stat *status, const char *base)
{
    uint64_t len = (uint64_t)status->st_size;
    int64_t began_ns = now_ns();

    if (breaker__believed_has(&archive->believed, place->digest, status))
        return FOUND;
    for (uint64_t at = 0; at != len;) {
        ssize_t got = read_piece(archive, fd, archive->piece, piece_of(len - at), at);
        if (got < 0)
            return FAILED;
        if (got == 0 || memcmp(archive->piece, base + at, (size_t)got) != 0)
            return NOT_FOUND;
        at += (uint64_t)got;
    }
    believe(archive, place, fd, status, began_ns);
    return FOUND;
}

/* whether the blob is there; what is there instead is told, and can be written over afterwards */
static bool is_there(breaker__archive_t *archive, const place_t *place, const source_t *source)
{
    struct stat status;
    finding_t finding = NOT_FOUND;
    int fd = breaker__archive_open_file(place->shard_fd, place->name, &status), err;

    if (fd == -1) {
        if (errno == EBADF)
            drop(archive, place, NULL);
        return false;
    }
    if ((uint64_t)status.st_size == source->len)
        finding = source->fd == -1 ? compare(archive, place, fd, &status, source->base)
                                   : check(archive, place, fd, &status, &err);
    close(fd);
    if (finding == NOT_FOUND) {
        breaker__archive_tell(archive, BREAKER__ARCHIVE_BLOB, place->name);
        breaker__archive_shrink(archive, (uint64_t)status.st_size);
    }
    return finding == FOUND;
}

static int write_memory(breaker__archive_t *archive, breaker__temporary_t *temporary,
                        const source_t *source)
{
    int errnum;

    for (uint64_t at = 0; at != source->len;) {
        size_t len = piece_of(source->len - at);
        if (breaker__archive_is_stopped(archive))
            return ECANCELED;
        if ((errnum = breaker__temporary_write(temporary, source->base + at, len)) != 0)
            return errnum;
        at += len;
    }
    return 0;
}

/* copies and hashes; -1 where the file has other bytes than it should */
static int write_copy(breaker__archive_t *archive, breaker__temporary_t *temporary,
                      const uint8_t *digest, const source_t *source)
{
    uint8_t copied[BREAKER_DIGEST_LEN];
    int errnum;

    if (breaker__hasher_begin(&archive->hasher) != 0)
        return ENOMEM;
    for (uint64_t at = 0; at != source->len;) {
        ssize_t got =
            read_piece(archive, source->fd, archive->piece, piece_of(source->len - at), at);
        if (got <= 0)
            return got == 0 ? -1 : errno;
        if (breaker__hasher_feed(&archive->hasher, archive->piece, (size_t)got) != 0)
            return ENOMEM;
        if ((errnum = breaker__temporary_write(temporary, archive->piece, (size_t)got)) != 0)
            return errnum;
        at += (uint64_t)got;
    }
    if (breaker__hasher_end(&archive->hasher, copied) != 0)
        return ENOMEM;
    return memcmp(copied, digest, sizeof(copied)) == 0 ? 0 : -1;
}

static int write_blob(breaker__archive_t *archive, const place_t *place, const source_t *source)
{
    breaker__temporary_t temporary;
    int errnum;

    if ((errnum = breaker__temporary_create(place->shard_fd, "blob", BREAKER__ARCHIVE_MODE,
                                            &temporary)) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    errnum = source->fd == -1 ? write_memory(archive, &temporary, source)
                              : write_copy(archive, &temporary, place->digest, source);
    if (errnum == 0 && (errnum = breaker__temporary_rename(&temporary, place->name)) == 0) {
        archive->size += breaker__archive_blocks(source->len);
        return 0;
    }
    breaker__temporary_discard(&temporary);
    return errnum == -1 ? BREAKER_ERR_CHANGED
                        : breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
}

static int put(breaker__archive_t *archive, const uint8_t *digest, const source_t *source)
{
    place_t place;
    int errnum, err = 0;

    if ((errnum = enter(archive, digest, true, &place)) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    if (!is_there(archive, &place, source))
        err = write_blob(archive, &place, source);
    leave(&place);
    return err;
}

int breaker__archive_put(breaker__archive_t *archive, const uint8_t *digest, const char *base,
                         uint64_t len)
{
    const source_t source = {.base = base, .fd = -1, .len = len};

    assert(base != NULL || len == 0);
    return put(archive, digest, &source);
}

int breaker__archive_put_file(breaker__archive_t *archive, const uint8_t *digest, int fd,
                              uint64_t len)
{
    const source_t source = {.base = NULL, .fd = fd, .len = len};

    assert(fd >= 0);
    return put(archive, digest, &source);
}

/* ---- in pieces ---- */

int breaker__archive_receive(breaker__archive_t *archive, const uint8_t *digest,
                             breaker__incoming_t *ret_incoming, int *ret_fd)
{
    breaker__incoming_t incoming;
    place_t place;
    int errnum;

    if ((errnum = enter(archive, digest, true, &place)) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    incoming.shard_fd = place.shard_fd;
    if ((errnum = breaker__temporary_create(place.shard_fd, "blob", BREAKER__ARCHIVE_MODE,
                                            &incoming.temporary)) != 0) {
        leave(&place);
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    }
    if ((*ret_fd = fcntl(incoming.temporary.fd, F_DUPFD_CLOEXEC, 0)) == -1) {
        errnum = errno;
        breaker__archive_reject(&incoming);
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    }
    *ret_incoming = incoming;
    return 0;
}

int breaker__archive_accept(breaker__archive_t *archive, const uint8_t *digest, uint64_t len,
                            breaker__incoming_t *incoming)
{
    char name[HEX_LEN + 1];
    int errnum;

    breaker__digest_format(digest, name);
    if ((errnum = breaker__temporary_rename(&incoming->temporary, name)) != 0) {
        breaker__archive_reject(incoming);
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    }
    close(incoming->shard_fd);
    archive->size += breaker__archive_blocks(len);
    return 0;
}

void breaker__archive_reject(breaker__incoming_t *incoming)
{
    breaker__temporary_discard(&incoming->temporary);
    close(incoming->shard_fd);
}
