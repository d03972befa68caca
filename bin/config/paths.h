#ifndef BREAKER_BIN_PATHS_H
#define BREAKER_BIN_PATHS_H

#include <stddef.h>
#include <yoml.h>

/* The files and directories that a configuration names for the time when it is served. */

/** What the server does with what a path leads to. */
typedef enum {
    /** reads what is there, and beneath it */
    BREAKER__PATH_READ,
    /** reads a file, which others may replace by another one of its name */
    BREAKER__PATH_READ_FILE,
    /** reads and writes beneath a directory, which it may have to make */
    BREAKER__PATH_KEEP,
    /** replaces a file by another one */
    BREAKER__PATH_REPLACE,
} breaker__path_use_t;

typedef struct st_breaker__path_t {
    char *text; /* owned */
    breaker__path_use_t use;
} breaker__path_t;

typedef struct st_breaker__paths_t {
    breaker__path_t *entries; /* owned */
    size_t num;
} breaker__paths_t;

/**
 * Adds the paths that a configuration names, as they stand there, to `paths`, which are zeroed or
 * have some. What is read while the configuration is, certificates and included files, and logs,
 * whose descriptors stay open, are not among them. Aborts when memory is short, as libh2o does.
 */
void breaker__paths_find(breaker__paths_t *paths, const yoml_t *root);

void breaker__paths_dispose(breaker__paths_t *paths);

#endif
