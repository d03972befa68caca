#ifndef BREAKER_HOLDING_BLOB_LIST_H
#define BREAKER_HOLDING_BLOB_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/release.h>
#include "release/blobs.h"

/**
 * The blobs of a release to be gone through, each once, smallest first. A zeroed list is empty. The
 * blobs are borrowed: the release outlives the list.
 */
typedef struct st_breaker__blob_list_t {
    breaker__blob_t **blobs; /* owned array */
    size_t num, at;
} breaker__blob_list_t;

/**
 * Makes the list of a release's blobs: all, or only those that are not HERE. Fails with
 * BREAKER_ERR_NO_MEMORY. The list is disposed of before.
 */
int breaker__blob_list_init(breaker__blob_list_t *list, const breaker_release_t *release,
                            bool only_missing);
/** The same of all, but each as often as the release names it, one after the other. */
int breaker__blob_list_init_names(breaker__blob_list_t *list, const breaker_release_t *release);
void breaker__blob_list_dispose(breaker__blob_list_t *list);

/** The next one, or NULL at the end. */
breaker__blob_t *breaker__blob_list_next(breaker__blob_list_t *list);
/** Begins again with those that are not HERE, and says how many they are. */
size_t breaker__blob_list_rewind(breaker__blob_list_t *list);
/** Whether a blob is in it. */
bool breaker__blob_list_has(const breaker__blob_list_t *list, const breaker__blob_t *blob);

#endif
