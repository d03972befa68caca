#ifndef BREAKER_RELEASE_RESOLVE_H
#define BREAKER_RELEASE_RESOLVE_H

#include <stddef.h>
#include <sys/types.h>

/** A directory that files may be served from, pinned. Plain value. */
typedef struct st_breaker__root_t {
    /** the directory itself; borrowed by whoever resolves */
    int fd;
    dev_t dev;
    ino_t ino;
} breaker__root_t;

/** Fills in which directory an open descriptor is. Returns 0 or an errno. */
int breaker__root_init(breaker__root_t *root, int fd);

/** From where a path is resolved, and where it may end. Plain value; everything is borrowed. */
typedef struct st_breaker__resolution_t {
    const breaker__root_t *from;
    /** where `from` lay when it was pinned, absolute: where ".." of it leads; NULL: nowhere */
    const char *place;
    /** all directories that a path may end in */
    const breaker__root_t *roots;
    size_t num_roots;
} breaker__resolution_t;

/**
 * Opens `path`, which is relative to `resolution->from`, one component at a time and follows its
 * symbolic links, absolute ones too, wherever they lead on the way; what it ends at lies in one of
 * the roots. `flags` are those of open(2), O_CLOEXEC and O_NOCTTY aside. Returns a descriptor that
 * the caller owns, or -1 with errno: EXDEV where the path ends outside of the roots, ELOOP after
 * too many links, ENAMETOOLONG where they lead too far or too deep. Any thread.
 */
int breaker__resolve(const breaker__resolution_t *resolution, const char *path, int flags);

#endif
