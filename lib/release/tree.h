#ifndef BREAKER_RELEASE_TREE_H
#define BREAKER_RELEASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/error.h>
#include <breaker/store.h>
#include <breaker/view.h>
#include "release/arena.h"
#include "release/notices.h"
#include "release/stamp.h"

/** how deep directories may lie in each other */
#define BREAKER_TREE_DEPTH_MAX 64

/** A view's directory, pinned: a rename or a moved symbolic link no longer changes which it is. */
typedef struct st_breaker__tree_t {
    const breaker_view_t *view; /* borrowed: outlives us */
    /** where it lies, for people */
    const char *directory; /* borrowed: outlives us */
    /** owned: the directory itself */
    int root;
    /** the kernel cannot resolve beneath: no symbolic link is followed */
    bool strict;
} breaker__tree_t;

/** A logical path, NUL-ended. */
typedef struct st_breaker__path_t {
    const char *base; /* borrowed: the arena's */
    size_t len;
} breaker__path_t;

/** The regular files of a tree, in bytewise order. */
typedef struct st_breaker__listing_t {
    breaker__path_t *paths; /* owned */
    size_t num, capacity;
} breaker__listing_t;

/**
 * Pins the directory of a view, or another one where `directory` is not NULL, which outlives the
 * tree. The caller owns the tree until `breaker__tree_close`.
 */
int breaker__tree_open(breaker__tree_t *tree, const breaker_view_t *view, const char *directory,
                       breaker_error_t *error);
/** Lets go of the directory. */
void breaker__tree_close(breaker__tree_t *tree);

/**
 * Lists the files that the view serves; what it cannot serve is told to `notices`. The paths live
 * in `arena`; the caller frees the listing with `breaker__listing_dispose`, after a failure too.
 */
int breaker__tree_list(const breaker__tree_t *tree, breaker__arena_t *arena,
                       breaker__notices_t *notices, breaker__listing_t *listing,
                       breaker_error_t *error);
void breaker__listing_dispose(breaker__listing_t *listing);

/**
 * Opens a listed file for reading, never waits for it, and tells what it was at that moment. The
 * caller owns the descriptor.
 */
int breaker__tree_open_file(const breaker__tree_t *tree, const char *path, int *ret_fd,
                            breaker__stamp_t *ret_stamp, breaker_error_t *error);

/** Tells of a failure at a logical path: the view, the file, and `why`. Returns `code`. */
int breaker__tree_fail(const breaker__tree_t *tree, int code, const char *path, const char *why,
                       breaker_error_t *error);
/** The same with the system's words for `system_error`, an errno. */
int breaker__tree_fail_io(const breaker__tree_t *tree, int system_error, const char *path,
                          breaker_error_t *error);

#endif
