#ifndef BREAKER_BIN_MASTER_H
#define BREAKER_BIN_MASTER_H

#include "server/options.h"

/**
 * The life of the process that an operator or a service manager started: keeps a worker serving
 * until it is told to stop. Goes on where the program before left off, if there was one, as
 * whatever that one wanted: its own successor, or a worker. Returns the exit status.
 *
 *   SIGHUP            another worker reads everything anew and takes over; it is given up if it
 * cannot SIGUSR2           the same with the program file as it is now, also for the master itself
 *   SIGUSR1           logs are opened anew
 *   SIGTERM, SIGINT,
 *   SIGQUIT           the worker drains; a second one shortens `shutdown-delay`, or cuts
 */
int breaker__master_run(const breaker__options_t *options);

#endif
