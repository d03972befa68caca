#ifndef BREAKER_RELEASE_SPOOL_H
#define BREAKER_RELEASE_SPOOL_H

#include <stdint.h>
#include <breaker/store.h>
#include "release/blobs.h"

/*
 * A content that comes in, in a file: too large to be taken into memory, and sent on while it
 * comes. One thread writes, any number read; what they read is not checked before the end.
 *
 *              the last byte came,
 *              and the hash is right
 *   COMING ───────────────────────▶ RIGHT
 *      │  it is another, or no more will come
 *      └─────────────────────────▶ BROKEN
 */

/**
 * Makes one for a content of this SHA-256 and length. Takes over `fd`, an empty regular file that
 * can be read and written, in any case. One reference is the caller's. Fails with
 * BREAKER_ERR_NO_MEMORY.
 */
int breaker__spool_create(int fd, const uint8_t *digest, uint64_t len, breaker_spool_t **ret_spool);
/** Takes a reference and returns its argument. Any thread. */
breaker_spool_t *breaker__spool_ref(breaker_spool_t *spool);
/** Drops a reference; takes NULL. Any thread. */
void breaker__spool_unref(breaker_spool_t *spool);

/**
 * Opens a file without a name in `directory`, or where that is NULL in that of TMPDIR, or /var/tmp:
 * it goes with its descriptor, the caller's. Fails with BREAKER_ERR_IO.
 */
int breaker__spool_open(const char *directory, int *ret_fd);

/** How many bytes are still to come. The writing thread. */
uint64_t breaker__spool_left(const breaker_spool_t *spool);
/**
 * Adds bytes at its end, no more than are left; readers see them at once. Fails with BREAKER_ERR_IO
 * (the disk is full, say) or BREAKER_ERR_NO_MEMORY: then it is to be broken. Blocking; the writing
 * thread, while it is coming.
 */
int breaker__spool_write(breaker_spool_t *spool, const char *base, size_t len);
/**
 * Says that all bytes have come: it is RIGHT from then on, or BROKEN, and this fails with
 * BREAKER_ERR_CHANGED, where their hash is another. The writing thread, while it is coming.
 */
int breaker__spool_end(breaker_spool_t *spool);
/** Says that no more bytes will come; nothing where it is RIGHT or BROKEN. The writing thread. */
void breaker__spool_break(breaker_spool_t *spool);
/** A descriptor of the same file, the caller's. Fails with BREAKER_ERR_IO. Any thread. */
int breaker__spool_descriptor(const breaker_spool_t *spool, int *ret_fd);

/** How many answers read from it now, and how often one began to. Any thread. */
size_t breaker__spool_num_readers(const breaker_spool_t *spool);
uint64_t breaker__spool_num_taken(const breaker_spool_t *spool);

/**
 * Has a blob without bytes be answered from a spool, or from none, NULL. The blob takes a reference
 * of its own and drops that to the one before. Any thread.
 */
void breaker__blob_set_spool(breaker__blob_t *blob, breaker_spool_t *spool);

#endif
