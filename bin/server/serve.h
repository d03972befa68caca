#ifndef BREAKER_BIN_SERVE_H
#define BREAKER_BIN_SERVE_H

#include "server/held.h"

/**
 * Reads a configuration, loads the release, and prints that it is well. Returns the exit status.
 */
int breaker__check(const char *config_file);

/**
 * The life of a process that serves, to its end: reads the configuration, binds what is not held,
 * becomes the user, loads the release, joins the cluster, serves, and drains. `channel` leads to
 * the master, or is -1 where there is none; `held` has the sockets that are held for it, which are
 * taken over. Once in a process, by its only thread. Returns the exit status, or exits.
 */
int breaker__serve(const char *config_file, int channel, breaker__held_list_t *held);

#endif
