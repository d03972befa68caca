#ifndef BREAKER_ARCHIVE_OPENED_H
#define BREAKER_ARCHIVE_OPENED_H

/* What the files of lib/archive know of an archive that is open. */
#include <sys/stat.h>
#include "archive/archive.h"
#include "archive/believed.h"
#include "release/digest.h"

/** what a file counts for at least, and whole times of it */
#define BREAKER__ARCHIVE_BLOCK 4096
/** bytes that are read or written at a time: after so many it is asked whether to stop */
#define BREAKER__ARCHIVE_PIECE (256 * 1024)
/** permissions of files: what is in the archive never changes */
#define BREAKER__ARCHIVE_MODE 0444

/** What the host is told, once each: X(symbol, what is said of the directory). */
#define BREAKER__ARCHIVE_NOTICES(X)                                                                \
    X(WRITE, "cannot be written to, what is new is not kept")                                      \
    X(READ, "cannot be read")                                                                      \
    X(SYNC, "cannot be brought to the disk")                                                       \
    X(LOCKED, "is held by another process, what is not done now is done later")                    \
    X(BLOB, "a blob is not what it is named for, it is removed")                                   \
    X(MANIFEST, "a manifest is not that of its release, it is removed")                            \
    X(SEEN, "a file with the tokens of a release is damaged, it is not used")                      \
    X(FOREIGN, "something that is not of the archive lies in it, it is left alone")                \
    X(MANY, "has more releases than are looked at, the rest is left alone")

typedef enum en_breaker__archive_notice_t {
#define X(name, text) BREAKER__ARCHIVE_##name,
    BREAKER__ARCHIVE_NOTICES(X)
#undef X
        BREAKER__ARCHIVE_NOTICE_KINDS,
} breaker__archive_notice_t;

struct st_breaker__archive_t {
    char *directory; /* owned */
    void (*on_notice)(void *data, const char *message);
    void *data;
    const atomic_bool *stop; /* borrowed */
    int fd;                  /* owned */
    int blobs_fd;            /* owned; -1 while there is no such directory */
    int releases_fd;         /* owned; -1 while there is none; locks are on it */
    breaker__hasher_t hasher;
    breaker__believed_t believed;
    char *piece; /* owned: BREAKER__ARCHIVE_PIECE bytes */
    bool is_measured;
    uint64_t size;
    bool told[BREAKER__ARCHIVE_NOTICE_KINDS];
};

/** Tells a kind of trouble once; `what` names the file or gives the system's words, or is NULL. */
void breaker__archive_tell(breaker__archive_t *archive, breaker__archive_notice_t kind,
                           const char *what);

/**
 * What a number of errno comes to: BREAKER_ERR_NO_MEMORY, BREAKER_ERR_CANCELLED, or BREAKER_ERR_IO
 * after `kind` was told.
 */
int breaker__archive_fail(breaker__archive_t *archive, breaker__archive_notice_t kind, int errnum);

bool breaker__archive_is_stopped(const breaker__archive_t *archive);

/** Opens the directory, "blobs" and "releases" where they are not open, or were removed by
 * somebody, and makes them if need be. Returns 0 or a number of errno. */
int breaker__archive_make_rooms(breaker__archive_t *archive);

/**
 * Opens a directory in another one, never through a symbolic link; made where it is missing and
 * `is_made`. Returns -1 and leaves errno.
 */
int breaker__archive_open_directory(int parent_fd, const char *name, bool is_made);

/**
 * Opens a regular file in a directory for reading, never through a symbolic link and without
 * waiting. Returns -1 and leaves errno, which is EBADF where it is something else than a file.
 */
int breaker__archive_open_file(int directory_fd, const char *name, struct stat *ret_status);

/**
 * Locks the archive for everybody (LOCK_EX) or with others (LOCK_SH) of flock(2), for at most some
 * seconds: a process that is stopped does not stop us. Fails with BREAKER_ERR_BUSY, which is told,
 * or BREAKER_ERR_CANCELLED. A file system without locks locks nothing. Takes -1: nothing to lock.
 */
int breaker__archive_lock(breaker__archive_t *archive, int fd, int operation);
void breaker__archive_unlock(int fd);

/** Counts a file of this length that is gone. */
void breaker__archive_shrink(breaker__archive_t *archive, uint64_t len);

/** What a file of this length takes. */
static inline uint64_t breaker__archive_blocks(uint64_t len)
{
    uint64_t num = len / BREAKER__ARCHIVE_BLOCK + (len % BREAKER__ARCHIVE_BLOCK != 0);

    return (num != 0 ? num : 1) * BREAKER__ARCHIVE_BLOCK;
}

#endif
