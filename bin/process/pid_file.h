#ifndef BREAKER_BIN_PID_FILE_H
#define BREAKER_BIN_PID_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/** A file that names a process, open for its removal. The main thread's. */
typedef struct st_breaker__pid_file_t {
    char *path; /* owned, NULL: none */
    int fd;     /* owned, -1: not open */
} breaker__pid_file_t;

#define BREAKER__NO_PID_FILE ((breaker__pid_file_t){.path = NULL, .fd = -1})

/** Writes a process id to a file. `path` is copied. Returns 0, or -1 after a line on stderr. */
int breaker__pid_file_write(breaker__pid_file_t *file, const char *path, pid_t pid);

/** One that another process has written; the descriptor is taken over. */
breaker__pid_file_t breaker__pid_file_of(const char *path, int fd);

/** Whether both are at one path, or none is anywhere. */
bool breaker__pid_file_is_same(const breaker__pid_file_t *a, const breaker__pid_file_t *b);

/**
 * Removes the file, if there is one; where the user that we have become may not, it is emptied, so
 * that nobody sends signals to whoever gets the number next.
 */
void breaker__pid_file_remove(breaker__pid_file_t *file);

/** Leaves the file where it is. */
void breaker__pid_file_let_go(breaker__pid_file_t *file);

#endif
