#ifndef BREAKER_RELEASE_FILE_H
#define BREAKER_RELEASE_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <breaker/error.h>
#include <breaker/store.h>
#include "release/digest.h"
#include "release/store.h"
#include "release/tree.h"
#include "release/utf8.h"

/** the bytes that are read at once from a file that stays on disk */
#define BREAKER_FILE_PIECE 262144

/** What reading many files shares. Plain value; one thread. */
typedef struct st_breaker__reader_t {
    breaker__hasher_t hasher; /* owned */
    char *piece;              /* owned: BREAKER_FILE_PIECE bytes */
    const atomic_bool *stop;  /* borrowed: outlives us, or NULL */
    /** large contents may be here already: they are hashed before memory is made for them */
    bool looks_first;
    /** the stamps of contents are to have their mounts */
    bool asks_mounts;
    /** what the process before had loaded; borrowed, or NULL */
    struct st_breaker__inventory_t *inventory;
    breaker__folder_t folder; /* owned: where it is asked about */
} breaker__reader_t;

/**
 * When `stop` is raised, which may be NULL, the reading comes to an early end. Fails with
 * BREAKER_ERR_NO_MEMORY.
 */
int breaker__reader_init(breaker__reader_t *reader, const atomic_bool *stop);
bool breaker__reader_is_stopped(const breaker__reader_t *reader);
void breaker__reader_dispose(breaker__reader_t *reader);

/** Reads exactly `len` bytes. Returns 0, an errno, or -1 when the file ends before. */
int breaker__read_fully(int fd, char *dst, size_t len);

/** What a file was read as. */
typedef struct st_breaker__content_t {
    /** owned reference, until somebody takes it: the blob that it is, or NULL */
    breaker__blob_t *known;
    /** else owned, until somebody takes it: begun in memory and not kept yet, or the open file */
    breaker__body_t *body;
    uint8_t digest[BREAKER_DIGEST_LEN];
    /** what the file was before and after it was read */
    breaker__stamp_t stamp;
    int64_t modified_s;
    /** whether it is a text, of all of its bytes */
    breaker__utf8_t utf8;
} breaker__content_t;

/**
 * Reads and hashes the file at a logical path of the store's view; in memory where the view's
 * limits have room. Whatever fails is tried once more, because the file may be changing at this
 * moment; if it still does, BREAKER_ERR_CHANGED it is.
 */
int breaker__read_file(breaker__reader_t *reader, const breaker__tree_t *tree,
                       breaker_store_t *store, const char *path, breaker__content_t *ret_content,
                       breaker_error_t *error);

#endif
