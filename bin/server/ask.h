#ifndef BREAKER_BIN_ASK_H
#define BREAKER_BIN_ASK_H

#include <sys/types.h>

/**
 * Sends a master SIGHUP or SIGUSR2 and waits for how that ends, however long it takes: until its
 * worker has taken over, or cannot serve. Returns the exit status, 0 or, after a line on stderr
 * that says why, what the worker that was refused has ended with; EX_UNAVAILABLE if the server
 * stops, has ended, or says nothing; EX_NOPERM if it belongs to somebody else.
 */
int breaker__ask(pid_t pid, int number);

#endif
