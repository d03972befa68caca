#ifndef BREAKER_RELEASE_CACHE_H
#define BREAKER_RELEASE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release.h>
#include "encoding/pace.h"

/** bytes of the longest name in the directory, NUL included */
#define BREAKER_CACHE_NAME_MAX 128
/** what a file counts for at least, and whole times of it: what a file system gives out */
#define BREAKER_CACHE_BLOCK 4096

/** What the host is told, once each: X(symbol, what is said of the directory). */
#define BREAKER__CACHE_NOTICES(X)                                                                  \
    X(OPEN, "cannot be used, nothing is kept")                                                     \
    X(READ, "a file cannot be read, its encoding is made again")                                   \
    X(WRITE, "cannot be written to, nothing more is kept")                                         \
    X(FULL, "is full of what is used now, nothing more is kept; it needs a larger max-size")       \
    X(UNUSABLE, "a file is not the encoding that it is named for, it is removed")

typedef enum en_breaker__cache_notice_t {
#define X(name, text) BREAKER__CACHE_##name,
    BREAKER__CACHE_NOTICES(X)
#undef X
        BREAKER__CACHE_NOTICE_KINDS,
} breaker__cache_notice_t;

/** What the cache knows of an encoding. */
typedef enum en_breaker__cache_answer_t {
    BREAKER__CACHE_UNKNOWN,
    /** it was made before and was not smaller than the identity bytes */
    BREAKER__CACHE_NOT_SMALLER,
    BREAKER__CACHE_FOUND,
} breaker__cache_answer_t;

/** A file that was there before this run. */
typedef struct st_breaker__cache_file_t {
    char *name; /* owned */
    uint64_t size;
    int64_t used_ns;
} breaker__cache_file_t;

/**
 * A directory of encodings, open for one run of the thread that makes them; other processes may
 * have it open as well. A plain value of one thread. Nothing fails: a directory that cannot be used
 * is told of once, and then knows nothing and keeps nothing.
 *
 *   open ─▶ touch, touch, … ─▶ sort_out ─▶ find, discard, keep, … ─▶ close
 */
typedef struct st_breaker__cache_t {
    const char *directory;                /* borrowed: the configuration's */
    const breaker_release_hooks_t *hooks; /* borrowed: the release's */
    /** owned: the directory, or -1 */
    int fd;
    /** whether it may be written to, and whether nothing else may be done than to find */
    bool keeps, finds_only;
    uint64_t max_size, size;
    /** what was used since is this run's */
    int64_t began_ns;
    /** owned: what was used last before this run, oldest first; `next_old` goes next */
    breaker__cache_file_t *old;
    size_t num_old, next_old;
    bool told[BREAKER__CACHE_NOTICE_KINDS];
} breaker__cache_t;

/** Opens the directory, which is made if need be; its parent is not. NULL means no cache. */
void breaker__cache_open(breaker__cache_t *cache, const char *directory, uint64_t max_size,
                         const breaker_release_hooks_t *hooks);
/**
 * Opens it to find what it has, and to touch that: it is not made, nothing in it is removed, and
 * nobody is told of anything.
 */
void breaker__cache_open_to_find(breaker__cache_t *cache, const char *directory);
void breaker__cache_close(breaker__cache_t *cache);

/** Says that this run will ask for an encoding, which is now the one that was used last. */
void breaker__cache_touch(const breaker__cache_t *cache, const uint8_t *digest,
                          breaker_encoding_t encoding);
/**
 * Removes what killed processes left, and the files that were used longest ago as far as
 * they are more than `max_size`; one walk over the directory. Leaves alone whatever is not named
 * as the cache's own. Ends early when `pace` says so; the cache keeps nothing then.
 */
void breaker__cache_sort_out(breaker__cache_t *cache, breaker__pace_t *pace);

/**
 * Asks for the encoding of the bytes with this digest, of which there are `len`. When it is found,
 * the caller owns `*ret_fd`, a regular file of `*ret_len` bytes, more than 0 and fewer than `len`,
 * whose content is not to be trusted.
 */
breaker__cache_answer_t breaker__cache_find(breaker__cache_t *cache, const uint8_t *digest,
                                            breaker_encoding_t encoding, uint64_t len, int *ret_fd,
                                            uint64_t *ret_len);
/** Removes what was found and is not the encoding. */
void breaker__cache_discard(breaker__cache_t *cache, const uint8_t *digest,
                            breaker_encoding_t encoding);

/**
 * Keeps an encoding, or with NULL and 0 that it is not smaller. Nobody sees a part of it. Files
 * that were used longest ago make room; those of this run never do.
 */
void breaker__cache_keep(breaker__cache_t *cache, const uint8_t *digest,
                         breaker_encoding_t encoding, const char *base, size_t len);

#endif
