#ifndef BREAKER_RELEASE_TREE_H
#define BREAKER_RELEASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/store.h>
#include <breaker/view.h>
#include "release/arena.h"
#include "release/notices.h"
#include "release/resolve.h"
#include "release/stamp.h"

/** how deep directories may lie in each other */
#define BREAKER_TREE_DEPTH_MAX 64

/** A directory of a view, pinned: a rename or a moved symbolic link no longer changes which it is.
 */
typedef struct st_breaker__tree_t {
    const breaker_view_t *view; /* borrowed: outlives us */
    /** where it lies, for people */
    const char *directory; /* borrowed: outlives us */
    /** its descriptor is owned */
    breaker__root_t root;
    /** owned: where it lay when it was pinned, or NULL where that is not known */
    char *place;
    /** whether the kernel resolves beneath; if not, every path is resolved step by step */
    bool has_openat2;
    /** where symbolic links may end; borrowed: outlive us. Itself, where it is alone. */
    const breaker__root_t *roots;
    size_t num_roots;
} breaker__tree_t;

/** A logical path, NUL-ended. */
typedef struct st_breaker__path_t {
    const char *base; /* borrowed: the arena's */
    uint32_t len;
    /** which of the view's directories have it, a bit each, the first one's the lowest; not 0 */
    uint16_t directories;
} breaker__path_t;

/** The place of the first directory of several. */
static inline size_t breaker__first_directory(uint16_t directories)
{
    return (size_t)__builtin_ctz(directories);
}

/** Regular files, of each path one. */
typedef struct st_breaker__listing_t {
    breaker__path_t *paths; /* owned */
    size_t num, capacity;
} breaker__listing_t;

/**
 * Pins a directory, which outlives the tree as a text; NULL: the view's first. Links may end in it
 * and nowhere else. The caller, who does not move the tree, owns it until `breaker__tree_close`.
 */
int breaker__tree_open(breaker__tree_t *tree, const breaker_view_t *view, const char *directory,
                       breaker_error_t *error);
/** Lets go of the directory. */
void breaker__tree_close(breaker__tree_t *tree);

/**
 * Adds the files that the view serves of this directory, its place among the view's being
 * `directory`, to a listing, in no order; what it cannot serve is told to `notices`. The paths live
 * in `arena`; the caller frees the listing with `breaker__listing_dispose`, after a failure too.
 * Fails where the directory itself may not be read, and where the view is strict, where anything
 * may not.
 */
int breaker__tree_list(const breaker__tree_t *tree, size_t directory, breaker__arena_t *arena,
                       breaker__notices_t *notices, breaker__listing_t *listing,
                       breaker_error_t *error);
/** Takes a zeroed one as well. */
void breaker__listing_dispose(breaker__listing_t *listing);

/**
 * Opens a listed file for reading, never waits for it, and tells what it was at that moment. The
 * caller owns the descriptor.
 */
int breaker__tree_open_file(const breaker__tree_t *tree, const char *path, int *ret_fd,
                            breaker__stamp_t *ret_stamp, breaker_error_t *error);

/** The directory that files were looked at in last, so that it is found once for all of them. */
typedef struct st_breaker__folder_t {
    const breaker__tree_t *tree; /* borrowed; NULL: none is open */
    int fd;                      /* owned */
    size_t len;
    char path[BREAKER_ASSET_PATH_MAX + 1];
} breaker__folder_t;

/**
 * Tells what a listed file is, and in which mount, without opening it. False where that is not
 * known so: it is reached by a link of its own, is no regular file, or is gone, or the system does
 * not tell mounts apart (before Linux 6.8). Like an opened one it lies where the view's files may
 * lie.
 */
bool breaker__tree_look(const breaker__tree_t *tree, breaker__folder_t *folder, const char *path,
                        breaker__stamp_t *ret_stamp);
/** Takes a zeroed one as well. To be called before a tree goes that files were looked at in. */
void breaker__folder_close(breaker__folder_t *folder);
/** The mount that an open file lies in, as in its stamp; 0: not known. */
uint64_t breaker__tree_mount_of(int fd);

/** Tells of a failure at a logical path: the view, the file, and `why`. Returns `code`. */
int breaker__tree_fail(const breaker__tree_t *tree, int code, const char *path, const char *why,
                       breaker_error_t *error);
/**
 * The same with the system's words for `system_error`, an errno: BREAKER_ERR_DENIED for what this
 * process may not do, BREAKER_ERR_IO for most else.
 */
int breaker__tree_fail_io(const breaker__tree_t *tree, int system_error, const char *path,
                          breaker_error_t *error);

#endif
