#ifndef BREAKER_RELEASE_STAMP_H
#define BREAKER_RELEASE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <breaker/store.h>

/** Takes the stamp of a file from what the system says of it. */
static inline void breaker__stamp_from(const struct stat *status, breaker_stamp_t *ret_stamp)
{
    ret_stamp->dev = status->st_dev;
    ret_stamp->ino = status->st_ino;
    ret_stamp->size = status->st_size;
    ret_stamp->mtime = status->st_mtim;
    ret_stamp->ctime = status->st_ctim;
}

/**
 * Tells whether two stamps are of one file that nobody wrote to, as far as its modification time
 * tells, which can be set back.
 */
static inline bool breaker__stamp_same_file(const breaker_stamp_t *a, const breaker_stamp_t *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/** Tells whether, besides, nothing at all happened to the file between the two. */
static inline bool breaker__stamp_equal(const breaker_stamp_t *a, const breaker_stamp_t *b)
{
    return breaker__stamp_same_file(a, b) && a->ctime.tv_sec == b->ctime.tv_sec &&
           a->ctime.tv_nsec == b->ctime.tv_nsec;
}

#endif
