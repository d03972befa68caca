#ifndef BREAKER_ARCHIVE_CENSUS_H
#define BREAKER_ARCHIVE_CENSUS_H

#include <stddef.h>
#include <stdint.h>
#include "archive/archive.h"
#include "release/manifest_read.h"

/** how many blobs are looked at; what is beyond is left alone */
#define BREAKER__CENSUS_MAX (1u << 22)
/** directories of blobs */
#define BREAKER__CENSUS_SHARDS 256

/** the rank of what stays in any case */
#define BREAKER__CENSUS_CLAIMED UINT32_MAX

/** A blob that is there. */
typedef struct st_breaker__census_blob_t {
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t len;
    /** the first release that needs it, from 1; 0: none does */
    uint32_t rank;
} breaker__census_blob_t;

/**
 * Which blobs an archive has, and which release needs them. Plain value, zeroed at the beginning;
 * one thread.
 */
typedef struct st_breaker__census_t {
    breaker__census_blob_t *blobs; /* owned: in the order of the digests */
    size_t num, capacity;
    /** where the blobs begin whose digest begins with this byte */
    size_t shards[BREAKER__CENSUS_SHARDS + 1];
    /** what the blobs take on the disk */
    uint64_t size;
} breaker__census_t;

/**
 * Looks at every blob; removes what killed processes left, and what has the name of a blob and is
 * no file, on the way. Fails like the archive; what there is is to be disposed in any case.
 */
int breaker__census_take(breaker__census_t *census, breaker__archive_t *archive);

void breaker__census_dispose(breaker__census_t *census);

/**
 * Notes that a release needs the blobs of its manifest, and returns what those take on the disk
 * that no other one needed yet. `rank` is neither 0 nor BREAKER__CENSUS_CLAIMED.
 */
uint64_t breaker__census_mark(breaker__census_t *census, const breaker__manifest_t *manifest,
                              uint32_t rank);

/** Notes that the blobs of a manifest stay, whoever needs them else. */
void breaker__census_claim(breaker__census_t *census, const breaker__manifest_t *manifest);

/**
 * Removes blobs that are needed by no release, or by one of a rank above `last_rank`, and that have
 * not changed since `before_s`, seconds since the epoch; begins at `*at` and looks at `max` of them
 * at most, moving it. The archive is locked alone.
 */
void breaker__census_sweep(breaker__census_t *census, breaker__archive_t *archive,
                           uint32_t last_rank, int64_t before_s, size_t max, size_t *at);

#endif
