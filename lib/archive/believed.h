#ifndef BREAKER_ARCHIVE_BELIEVED_H
#define BREAKER_ARCHIVE_BELIEVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/** how many blobs are remembered; with one more all are forgotten, and checked again when asked */
#define BREAKER__BELIEVED_MAX (1u << 18)

/** A blob that was checked, and what its file was then. */
typedef struct st_breaker__belief_t {
    uint64_t digest[2]; /* the first 128 bits */
    uint64_t inode, size;
    int64_t changed_ns; /* 0: the place is free */
} breaker__belief_t;

/**
 * Which blobs were found to be right by this process. A file that anything happened to since, which
 * its change time tells, is not among them: nobody can set that time. Plain value, zeroed at the
 * beginning; one thread.
 */
typedef struct st_breaker__believed_t {
    breaker__belief_t *places; /* owned: open addressing, at most half full */
    size_t num, capacity;      /* the capacity is a power of two, or 0 */
} breaker__believed_t;

/** Forgets everything. */
void breaker__believed_dispose(breaker__believed_t *believed);

/** Tells whether the file is the one that was found right. */
bool breaker__believed_has(const breaker__believed_t *believed, const uint8_t *digest,
                           const struct stat *status);

/**
 * Remembers that a file was right when it was in this state, before and after it was read at
 * `now_ns`, nanoseconds since the epoch. A file that changed within the last second is not
 * remembered: it may change once more without another change time. Without memory nothing is
 * remembered.
 */
void breaker__believed_add(breaker__believed_t *believed, const uint8_t *digest,
                           const struct stat *status, int64_t now_ns);

#endif
