#ifndef BREAKER_RELEASE_INVENTORY_H
#define BREAKER_RELEASE_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <breaker/node.h>
#include <breaker/store.h>
#include "release/blobs.h"
#include "release/body.h"
#include "release/stamp.h"

/** the most memory files with bodies; with the table they fit into one message */
#define BREAKER__INVENTORY_FILES_MAX (BREAKER_INVENTORY_MAX - 1)
/** in the place of a memory file: the bytes stay on disk */
#define BREAKER__RECORD_ON_DISK UINT32_MAX

/**
 * A file that was loaded: what it was then, and which bytes it had. No path: a file that has the
 * same number in the same mount, the same times and the same size has the same bytes, whichever
 * view it is in. The mount is part of it because what is mounted in the place of another one gets
 * the same numbers, and an image may have the same times for all of its files.
 */
typedef struct st_breaker__record_t {
    uint64_t mount, dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    /** where the bytes begin in a memory file, and which one it is */
    uint64_t offset;
    uint32_t file;
    /** 1: a text in UTF-8 */
    uint32_t is_text;
    uint8_t digest[BREAKER_DIGEST_LEN];
} breaker__record_t;

/* ---- what the process before had loaded ---- */

/** One thread at a time; the bodies that were adopted are any thread's, and live on without it. */
typedef struct st_breaker__inventory_t breaker__inventory_t;

/**
 * Takes what `breaker__loaded_write` made, in another process or in this one: the table's
 * descriptor and those of the memory files, all of which it takes over in any case. Returns NULL
 * where it is none, is of another program version, can be written to, is damaged, was made by
 * another user or with other groups, who may read other files, or where there is no memory for it:
 * everything is read then.
 */
breaker__inventory_t *breaker__inventory_open(const int *fds, size_t num_fds);
/** Takes NULL. */
void breaker__inventory_free(breaker__inventory_t *inventory);
/** The record of a file to which nothing happened since; NULL: there is none. */
const breaker__record_t *breaker__inventory_find(const breaker__inventory_t *inventory,
                                                 const breaker__stamp_t *stamp);
/**
 * Makes a body of the bytes of a record, where they lie. Returns NULL where they are not in memory,
 * and without memory.
 */
breaker__body_t *breaker__inventory_adopt(breaker__inventory_t *inventory,
                                          const breaker__record_t *record);

/* ---- what this process loads ---- */

/** What is remembered of a load for the process after this one. Zeroed at first; one thread. */
typedef struct st_breaker__loaded_t {
    breaker__record_t *records; /* owned */
    breaker__blob_t **blobs;    /* owned array; borrowed: the release that is loaded has them */
    size_t num, capacity;
    /** of the release */
    size_t num_views;
    /** files that changed later than this are left out: they may change once more unseen */
    int64_t latest_ns;
    /** there was no memory */
    bool has_failed;
} breaker__loaded_t;

/** Begins with the moment of now; before the first file is looked at. */
void breaker__loaded_begin(breaker__loaded_t *loaded);
/** Takes a zeroed one as well. */
void breaker__loaded_dispose(breaker__loaded_t *loaded);
/**
 * Adds a file that had this stamp, with its mount, before and after it was read. Left out is one
 * whose mount is not known.
 */
void breaker__loaded_add(breaker__loaded_t *loaded, const breaker__stamp_t *stamp,
                         breaker__blob_t *blob, bool is_text);
/**
 * Writes a table nobody can write to any more, and duplicates the descriptors of the memory files:
 * BREAKER_INVENTORY_MAX at most in all, which are the caller's. Files whose bytes are in none of
 * them, in one that is written to still, or in one most of which is dead, which they would keep
 * for another process, are left out; so are those of all small memory files where there came to be
 * many of them, and the next load brings them together. Returns 0 where it cannot be made.
 */
size_t breaker__loaded_write(const breaker__loaded_t *loaded, int *ret_fds);

#endif
