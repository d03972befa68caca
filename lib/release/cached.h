#ifndef BREAKER_RELEASE_CACHED_H
#define BREAKER_RELEASE_CACHED_H

/*
 * Bytes that are here for now. A blob of a held release that does not fit into what is kept gets
 * them when a request wants them, and loses them again when others need the room:
 *
 *   ABSENT ──cache──▶ CACHED ──evict: nobody reads it, and it was read last before all others──▶
 * ABSENT
 *
 * No variant points to them, so that no snapshot has to end before they go: the asset keeps its
 * variant without bytes, and who reads finds them through the blob. Whoever reads in pieces keeps
 * them with a pin (breaker/store.h), and finds them through the blob for each piece. A pin is no
 * reference: where nothing else may go, bytes go of which no piece was read for a while. A client
 * that takes nothing would otherwise keep them for as long as it likes.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/store.h>
#include "release/blobs.h"
#include "release/disk.h"

/** so long bytes wait for whoever wanted them, in ms; from the first reader on they may go */
#define BREAKER__CACHED_WAIT_MS 2000
/** so long pinned bytes stay without being read, in ms, from when their room is needed; less than a
 * request waits for others */
#define BREAKER__CACHED_STALL_MS 500

/** What is limited: bytes of memory, or descriptors. */
typedef enum en_breaker__cached_kind_t {
    BREAKER__CACHED_MEMORY,
    BREAKER__CACHED_FILE,
} breaker__cached_kind_t;

#define BREAKER__CACHED_KINDS 2

/** The bytes of one blob. Counted references: one is its list's, the others are of who reads now.
 */
typedef struct st_breaker__cached_t {
    atomic_size_t refs;
    /** in memory, or of an open file; nothing is prepared */
    breaker_variant_t bytes;
    /* owned: where `bytes.base` is; of `size` bytes, in pages of its own where it is large */
    char *memory;
    size_t size;
    breaker__disk_t *disk; /* owned: of `bytes.fd`, or NULL */

    /* under the table's lock */
    uint64_t came_ms;
    bool was_read;
    /* pinned, and not read since their room was needed, at this time */
    bool is_quiet;
    uint64_t quiet_since_ms;
    struct st_breaker__cached_t *newer, *older; /* in the order of the last reads */
} breaker__cached_t;

/** What is cached of one kind, by when it was read last. Part of the table, under its lock. */
typedef struct st_breaker__cached_list_t {
    breaker__cached_t *newest, *oldest; /* owned references, with all between them */
    size_t num;
    uint64_t memory; /* bytes, of large ones in whole pages */
} breaker__cached_list_t;

/** What bytes of this length take in memory: whole pages where they are many. */
uint64_t breaker__cached_span(uint64_t len);
/** What is cached: bytes of memory, and descriptors. Any thread. */
uint64_t breaker__blobs_cached_memory(breaker__blobs_t *blobs);
size_t breaker__blobs_cached_files(breaker__blobs_t *blobs);

/**
 * Gives a blob its bytes for now, as `breaker__blob_fill` and `breaker__blob_fill_from` do for
 * good; `now_ms` is of CLOCK_MONOTONIC. Does nothing where it is HERE or CACHED. The same errors.
 * The holding's thread.
 */
int breaker__blob_cache(breaker__blob_t *blob, const char *base, uint64_t now_ms);
int breaker__blob_cache_from(breaker__blob_t *blob, int fd, const breaker__stamp_t *checked,
                             uint64_t now_ms);

/**
 * Lets go of the bytes of this kind that were read longest ago, of those that nobody reads and that
 * nobody can be expected to come for. False when there are none such. The holding's thread.
 */
bool breaker__blobs_evict(breaker__blobs_t *blobs, breaker__cached_kind_t kind, uint64_t now_ms);

/** Keeps what a blob has cached, with a reference, and notes that it is read: by a request, for
 * which it may have come, or by a peer. NULL: nothing is. Any thread that has a reference to the
 * blob, until after the last one of these. */
breaker__cached_t *breaker__cached_get(breaker__blob_t *blob, bool by_request);
/** Another reference, for who has one; returns its argument. */
breaker__cached_t *breaker__cached_ref(breaker__cached_t *cached);
/** Takes NULL. */
void breaker__cached_unref(breaker__cached_t *cached);

/** Under the table's lock: takes away what a blob has cached, whose state is set by the caller. The
 * caller owns the list's reference, to be dropped without the lock. NULL: there is none. */
breaker__cached_t *breaker__cached_take_off(breaker__blob_t *blob);

#endif
