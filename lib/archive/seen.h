#ifndef BREAKER_ARCHIVE_SEEN_H
#define BREAKER_ARCHIVE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include "archive/archive.h"

/*
 * What an archive notes of a release, as a text:
 *
 *   h2o-breaker seen 1
 *   release 2026.11.23-1~n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg
 *   first 1718539201234
 *   last 1718549201234
 *   blobs whole                          or "partial"
 *   token 1718539201234 1718539201234    an order and a token, for each
 *   end 5e884898da28047151d0e56f8dc62927…
 *
 * The first line names the format, the last one has the SHA-256 of everything before it. Anything
 * else is not used at all.
 */

/** no text is as long */
#define BREAKER__SEEN_MAX 8192

/** Writes the text into `dst`, BREAKER__SEEN_MAX bytes. Returns its length, or 0 without memory. */
size_t breaker__seen_write(const breaker__archived_t *archived, char *dst);

/** Reads a text that may come from anybody. False unless it is one of the release `id`. */
bool breaker__seen_read(const char *base, size_t len, const breaker_release_id_t *id,
                        breaker__archived_t *ret_archived);

/**
 * Merges what another one knows of the same release, as `breaker__archive_note` says, and tells
 * whether that changed more than `last_seen_ms`. Malformed tokens, and those of other releases, are
 * left out. Pure.
 */
bool breaker__seen_merge(breaker__archived_t *archived, const breaker__archived_t *other);

#endif
