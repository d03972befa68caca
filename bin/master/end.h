#ifndef BREAKER_BIN_END_H
#define BREAKER_BIN_END_H

#include <stddef.h>

/* How a process ended, by its status of waitpid(2). */

/** Writes it as the end of a sentence, NUL-ended, shortened to `size` bytes. */
void breaker__end_describe(int status, char *dst, size_t size);
/** The exit status of a process that ends because that one did: as a shell says it. */
int breaker__end_exit_status(int status);

#endif
