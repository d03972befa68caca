#ifndef BREAKER_ARCHIVE_RELEASES_H
#define BREAKER_ARCHIVE_RELEASES_H

/* What releases.c does for the sweep. */
#include <dirent.h>
#include <stddef.h>
#include "archive/archive.h"
#include "release/manifest_read.h"

/**
 * Reads a manifest and its text, both the caller's, and checks that it is the release's. What is
 * not is removed and told: BREAKER_ERR_NOT_FOUND. One of another version of the format is left
 * alone: BREAKER_ERR_STATE.
 */
int breaker__archive_read_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                                   char **ret_text, size_t *ret_len,
                                   breaker__manifest_t **ret_manifest);

/**
 * Removes what killed processes left among the releases: files on their way, and directories
 * without a manifest that did not change since `before_s`, seconds since the epoch. The archive is
 * locked alone. Best effort.
 */
void breaker__archive_tidy(breaker__archive_t *archive, int64_t before_s);

/** What the manifests of a list take on the disk, with what was seen of each. */
uint64_t breaker__archive_measure(const breaker__archive_t *archive,
                                  const breaker__archived_t *list, size_t num);

/** `breaker__archive_drop` for whoever holds the lock alone. */
int breaker__archive_remove(breaker__archive_t *archive, const breaker_release_id_t *id);

/** Opens a directory once more, to read the names in it. Returns NULL and leaves errno. */
DIR *breaker__archive_open_names(int directory_fd);

#endif
