#ifndef BREAKER_BIN_PROCESS_H
#define BREAKER_BIN_PROCESS_H

#include <stddef.h>

/* What the process asks of the system around it, once each, from the main thread. */

/** Raises the limit of open descriptors as far as allowed and returns it. */
size_t breaker__process_raise_files(void);

/** How many CPUs the process may run on, at least 1. */
size_t breaker__process_num_cpus(void);

/** The name of the user that the process runs as, or its number; in `dst`, NUL-ended. */
void breaker__process_user(char *dst, size_t size);

/**
 * The file of the running program as its command line named it, absolute, so that what replaces it
 * there is found; looked for in PATH if there is no slash in the name. If that is another file than
 * the one that runs, the file that runs. The caller's; NULL with errno on failure.
 */
char *breaker__process_program(const char *argv0);

/**
 * Becomes another user for good, as user.h says; `user` is what the configuration says. Does
 * nothing for the user that the process runs as already. Returns 0, or -1 after a line on stderr.
 */
int breaker__process_become(const char *user);

/**
 * Catches SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 and SIGCHLD, ignores SIGPIPE, and
 * returns a descriptor that becomes readable when one came; -1 with errno on failure.
 */
int breaker__process_catch_signals(void);
/**
 * Passes over all of these from here on, in a process that another one leads; programs that it
 * starts get them as ever. Returns 0.
 */
int breaker__process_leave_signals(void);
/**
 * The next signal that came, or 0; and the number that it carries if its sender gave it one
 * (sigqueue(3)), else 0.
 */
int breaker__process_next_signal(int fd, int *value);

#endif
