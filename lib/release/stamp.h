#ifndef BREAKER_RELEASE_STAMP_H
#define BREAKER_RELEASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/** What the system says of a file: enough to see that something happened to it. */
typedef struct st_breaker__stamp_t {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    struct timespec ctime;
    nlink_t nlink;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    /**
     * the mount that it lies in, under a number that no other one has or gets until the next boot,
     * where that was asked for (tree.h); 0: not known. Nothing here compares it.
     */
    uint64_t mount;
} breaker__stamp_t;

/** Takes the stamp of a file from what the system says of it. */
static inline void breaker__stamp_from(const struct stat *status, breaker__stamp_t *ret_stamp)
{
    *ret_stamp = (breaker__stamp_t){
        .dev = status->st_dev,
        .ino = status->st_ino,
        .size = status->st_size,
        .mtime = status->st_mtim,
        .ctime = status->st_ctim,
        .nlink = status->st_nlink,
        .mode = status->st_mode,
        .uid = status->st_uid,
        .gid = status->st_gid,
    };
}

/**
 * A time in nanoseconds since the epoch. Who has a file may say that it changed in the year 3000,
 * which has no such number: it has some other one, always the same.
 */
static inline int64_t breaker__nanoseconds(const struct timespec *time)
{
    return (int64_t)((uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec);
}

/** The change time in nanoseconds since the epoch. */
static inline int64_t breaker__stamp_ctime_ns(const breaker__stamp_t *stamp)
{
    return breaker__nanoseconds(&stamp->ctime);
}

/**
 * Tells whether two stamps are of one file that nobody wrote to, as far as its modification time
 * tells, which can be set back.
 */
static inline bool breaker__stamp_same_file(const breaker__stamp_t *a, const breaker__stamp_t *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/** Tells whether, besides, nothing at all happened to the file between the two. */
static inline bool breaker__stamp_equal(const breaker__stamp_t *a, const breaker__stamp_t *b)
{
    return breaker__stamp_same_file(a, b) &&
           breaker__stamp_ctime_ns(a) == breaker__stamp_ctime_ns(b);
}

/**
 * Tells whether a change between two stamps is explained by what leaves the bytes alone: a link
 * more or less, another mode, another owner. Where nothing but the change time is another, somebody
 * may have written to the file and set its modification time back.
 */
static inline bool breaker__stamp_explains(const breaker__stamp_t *a, const breaker__stamp_t *b)
{
    return breaker__stamp_same_file(a, b) &&
           (a->nlink != b->nlink || a->mode != b->mode || a->uid != b->uid || a->gid != b->gid);
}

#endif
