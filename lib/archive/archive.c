/*
 * An archive that is open: its directories, its lock, and what is told of it. Whoever can write
 * into the directory is not trusted: directories are pinned by descriptors and never reached
 * through a symbolic link, files are opened without waiting and looked at before they are read.
 *
 * The lock (flock(2) on the directory of releases) is held for moments: with others while a release
 * is put down or noted, alone while something is removed. Blobs need none (blobs.c).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "archive/opened.h"

enum {
    DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    /* three seconds in all */
    LOCK_TRIES = 300,
    LOCK_NAP_NS = 10 * 1000 * 1000,
};

/* ---- what is told ---- */

void breaker__archive_tell(breaker__archive_t *archive, breaker__archive_notice_t kind,
                           const char *what)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BREAKER__ARCHIVE_NOTICES(X)
#undef X
    };
    breaker_error_t line;

    assert(kind < BREAKER__ARCHIVE_NOTICE_KINDS);
    if (archive->told[kind] || archive->on_notice == NULL)
        return;
    archive->told[kind] = true;
    breaker_error_set(&line, BREAKER_ERR_IO, "archive \"%s\": %s%s%s", archive->directory,
                      texts[kind], what != NULL ? ": " : "", what != NULL ? what : "");
    archive->on_notice(archive->data, line.message);
}

int breaker__archive_fail(breaker__archive_t *archive, breaker__archive_notice_t kind, int errnum)
{
    char text[128];

    assert(errnum != 0);
    if (errnum == ENOMEM)
        return BREAKER_ERR_NO_MEMORY;
    if (errnum == ECANCELED)
        return BREAKER_ERR_CANCELLED;
    breaker__archive_tell(archive, kind, strerror_r(errnum, text, sizeof(text)));
    return BREAKER_ERR_IO;
}

bool breaker__archive_is_stopped(const breaker__archive_t *archive)
{
    return archive->stop != NULL && atomic_load_explicit(archive->stop, memory_order_relaxed);
}

void breaker__archive_shrink(breaker__archive_t *archive, uint64_t len)
{
    uint64_t blocks = breaker__archive_blocks(len);

    /* another process may have written what this one never counted */
    archive->size -= blocks < archive->size ? blocks : archive->size;
}

/* ---- directories and files ---- */

int breaker__archive_open_directory(int parent_fd, const char *name, bool is_made)
{
    int fd = openat(parent_fd, name, DIRECTORY_FLAGS);

    if (fd != -1 || errno != ENOENT || !is_made)
        return fd;
    if (mkdirat(parent_fd, name, 0755) != 0 && errno != EEXIST)
        return -1;
    return openat(parent_fd, name, DIRECTORY_FLAGS);
}

int breaker__archive_open_file(int directory_fd, const char *name, struct stat *ret_status)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd == -1) {
        /* a symbolic link, a socket */
        if (errno == ELOOP || errno == ENXIO)
            errno = EBADF;
        return -1;
    }
    if (fstat(fd, ret_status) == 0 && S_ISREG(ret_status->st_mode))
        return fd;
    close(fd);
    errno = EBADF;
    return -1;
}

/* 0 or a number of errno */
static int open_itself(breaker__archive_t *archive)
{
    /* that it cannot be made is told by opening it */
    (void)!mkdir(archive->directory, 0755);
    /* here a symbolic link is the operator's choice */
    archive->fd = open(archive->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return archive->fd != -1 ? 0 : errno;
}

/* closes a directory that somebody removed */
static void forget_removed(int *fd)
{
    struct stat status;

    if (*fd == -1 || fstat(*fd, &status) != 0 || status.st_nlink != 0)
        return;
    close(*fd);
    *fd = -1;
}

int breaker__archive_make_rooms(breaker__archive_t *archive)
{
    int errnum;

    forget_removed(&archive->blobs_fd);
    forget_removed(&archive->releases_fd);
    forget_removed(&archive->fd);
    if (archive->fd == -1 && (errnum = open_itself(archive)) != 0)
        return errnum;
    if (archive->blobs_fd == -1)
        archive->blobs_fd = breaker__archive_open_directory(archive->fd, "blobs", true);
    if (archive->blobs_fd == -1)
        return errno;
    if (archive->releases_fd == -1)
        archive->releases_fd = breaker__archive_open_directory(archive->fd, "releases", true);
    return archive->releases_fd != -1 ? 0 : errno;
}

/* ---- the lock ---- */

int breaker__archive_lock(breaker__archive_t *archive, int fd, int operation)
{
    const struct timespec nap = {.tv_nsec = LOCK_NAP_NS};

    assert(operation == LOCK_EX || operation == LOCK_SH);
    for (unsigned i = 0; fd != -1 && i != LOCK_TRIES; ++i) {
        if (flock(fd, operation | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR))
            return 0;
        if (breaker__archive_is_stopped(archive))
            return BREAKER_ERR_CANCELLED;
        nanosleep(&nap, NULL);
    }
    if (fd == -1)
        return 0;
    breaker__archive_tell(archive, BREAKER__ARCHIVE_LOCKED, NULL);
    return BREAKER_ERR_BUSY;
}

void breaker__archive_unlock(int fd)
{
    if (fd != -1)
        flock(fd, LOCK_UN);
}

/* ---- opening ---- */

static int fail_open(const breaker__archive_t *archive, const char *name, int errnum,
                     breaker_error_t *error)
{
    char text[128];

    if (errnum == ENOTDIR || errnum == ELOOP)
        return breaker_error_set(error, BREAKER_ERR_IO,
                                 "archive \"%s\": %s is not a directory, which it must be",
                                 archive->directory, name);
    return breaker_error_set(error, BREAKER_ERR_IO, "archive \"%s\": cannot open %s: %s",
                             archive->directory, name, strerror_r(errnum, text, sizeof(text)));
}

static bool is_room_for_later(int errnum)
{
    return errnum == EROFS || errnum == ENOSPC || errnum == EDQUOT || errnum == EACCES ||
           errnum == EPERM;
}

static int open_directories(breaker__archive_t *archive, breaker_error_t *error)
{
    int errnum;

    if ((errnum = open_itself(archive)) != 0)
        return fail_open(archive, "the directory", errnum, error);
    if ((errnum = breaker__archive_make_rooms(archive)) == 0)
        return 0;
    if (!is_room_for_later(errnum))
        return fail_open(archive, archive->blobs_fd == -1 ? "blobs" : "releases", errnum, error);
    breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    return 0;
}

int breaker__archive_open(const breaker__archive_config_t *config, breaker__archive_t **ret_archive,
                          breaker_error_t *error)
{
    breaker__archive_t *archive = calloc(1, sizeof(*archive));
    int err;

    if (archive == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s",
                                 breaker_err_message(BREAKER_ERR_NO_MEMORY));
    archive->fd = archive->blobs_fd = archive->releases_fd = -1;
    archive->on_notice = config->on_notice;
    archive->data = config->data;
    archive->stop = config->stop;
    archive->directory = strdup(config->directory);
    archive->piece = malloc(BREAKER__ARCHIVE_PIECE);
    if (archive->directory == NULL || archive->piece == NULL ||
        breaker__hasher_init(&archive->hasher) != 0)
        err = breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s",
                                breaker_err_message(BREAKER_ERR_NO_MEMORY));
    else
        err = open_directories(archive, error);
    if (err != 0) {
        breaker__archive_close(archive);
        return err;
    }
    *ret_archive = archive;
    return 0;
}

static void close_one(int fd)
{
    if (fd != -1)
        close(fd);
}

void breaker__archive_close(breaker__archive_t *archive)
{
    if (archive == NULL)
        return;
    close_one(archive->releases_fd);
    close_one(archive->blobs_fd);
    close_one(archive->fd);
    breaker__believed_dispose(&archive->believed);
    breaker__hasher_dispose(&archive->hasher);
    free(archive->piece);
    free(archive->directory);
    free(archive);
}
