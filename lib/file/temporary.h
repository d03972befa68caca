#ifndef BREAKER_FILE_TEMPORARY_H
#define BREAKER_FILE_TEMPORARY_H

/* A file on its way to its name, in a directory that others write into as well. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** bytes of a name in a directory, NUL included (NAME_MAX) */
#define BREAKER_TEMPORARY_NAME_MAX 256

/** A temporary file that is being written. Plain value; one thread. */
typedef struct st_breaker__temporary_t {
    int directory_fd; /* borrowed */
    int fd;           /* owned; locked */
    char name[BREAKER_TEMPORARY_NAME_MAX];
} breaker__temporary_t;

/**
 * Makes an empty file in a directory, "state.new-0123456789abcdef" for the stem "state", with
 * the permissions `mode` less the umask, and locks it. Whatever they are, it can be written and
 * read through this. `directory_fd` stays open until the file is renamed or discarded. Returns 0 or
 * a number of errno.
 */
int breaker__temporary_create(int directory_fd, const char *stem, mode_t mode,
                              breaker__temporary_t *ret_temporary);

/** Writes bytes at its end. Returns 0 or a number of errno; blocking. */
int breaker__temporary_write(breaker__temporary_t *temporary, const char *base, size_t len);

/** Gives it its name in the directory, in the place of what had it, and closes it. Returns 0, or a
 * number of errno, after which it is still to be discarded. */
int breaker__temporary_rename(breaker__temporary_t *temporary, const char *name);

/** Removes and closes it. */
void breaker__temporary_discard(breaker__temporary_t *temporary);

/** Tells whether `name` is one that a temporary file of this stem has. Pure. */
bool breaker__temporary_is_named(const char *stem, const char *name);

/**
 * Removes a temporary file by its name, unless somebody is writing it, or it is none: no regular
 * file. What cannot be removed now may be the next time; it is nothing to fail for.
 */
void breaker__temporary_remove_left(int directory_fd, const char *name);

#endif
