#ifndef BREAKER_BIN_SERVE_H
#define BREAKER_BIN_SERVE_H

#include <stdbool.h>
#include "master/held.h"
#include "master/inventory.h"

/**
 * Reads a configuration, loads the release, and prints that it is well. Returns the exit status.
 */
int breaker__check(const char *config_file);

/** What a process that serves is left by who started it. */
typedef struct st_breaker__legacy_t {
    /** to the master; -1: there is none */
    int channel;
    /** sockets, which are taken over */
    breaker__held_list_t held;
    /** a worker serves, and does so until this one is ready */
    bool has_predecessor;
    /** what the worker before had minted, as of BREAKER__SAY_MINTED; owned, NULL: nothing */
    char *minted;
    /** what the worker before had loaded */
    breaker__inventory_fds_t inventory;
    /** stderr as the first process had it, -1: it had none; and whether it is another log now */
    int stderr_fd;
    bool has_error_log;
} breaker__legacy_t;

/**
 * The life of a process that serves, to its end: reads the configuration, binds what is not held,
 * becomes the user, loads the release, joins the cluster, serves, and drains. Once in a process, by
 * its only thread. Returns the exit status, or exits.
 */
int breaker__serve(const char *config_file, breaker__legacy_t *legacy);

#endif
