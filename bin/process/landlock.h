#ifndef BREAKER_BIN_LANDLOCK_H
#define BREAKER_BIN_LANDLOCK_H

#include <stdbool.h>

/*
 * landlock(7): a thread that gives up the rights of its user over files, but for those that it
 * names. Descriptors that are open stay as they are; sockets are none of its matters.
 */

/** Begins a set of what stays allowed: nothing. Returns a descriptor, or -1 with errno. */
int breaker__landlock_open(void);

/**
 * Reading beneath a directory, or of a file, stays allowed; with `writes` changing as well. Nothing
 * may be executed. What is not there, or not to be looked at, is passed over.
 */
void breaker__landlock_allow(int set, const char *path, bool writes);

/**
 * Holds for this thread and those that it starts from here on, and for their programs, which gain
 * no rights by set-user-ID either; closes `set`. Returns 0, or -1 with errno.
 */
int breaker__landlock_enter(int set);

#endif
