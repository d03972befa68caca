#ifndef BREAKER_BIN_WORKERS_H
#define BREAKER_BIN_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "logs/logs.h"
#include "master/inventory.h"
#include "process/pid_file.h"

/*
 * The processes that serve, as their master sees them:
 *
 *   starting ─ready─▶ serving ─another is ready─▶ retiring
 *                        └─────the master stops─▶ stopping
 *
 * At most one starts and at most one serves.
 */

typedef enum {
    BREAKER__STARTING = 'a',
    BREAKER__SERVING = 's',
    BREAKER__RETIRING = 'r',
    BREAKER__STOPPING = 'z',
} breaker__role_t;

typedef struct st_breaker__worker_t {
    pid_t pid;
    /** owned; -1 when the worker has closed it */
    int channel;
    breaker__role_t role;
    /** when it began, and when it began to serve (0: not yet), of CLOCK_MONOTONIC */
    int64_t begun_ms, served_ms;
    /** of a program file that is newer than the master */
    bool is_newer;
    /** it accepts no connections any more */
    bool has_closed;
    breaker__logs_t logs;
    /** what its configuration says, with the master's id in it */
    breaker__pid_file_t pid_file;
    /** what it has minted, as of BREAKER__SAY_MINTED; owned, NULL: nothing */
    char *minted;
    /** what it has loaded, until it serves */
    breaker__inventory_fds_t inventory;
    /** why it ended before it served, as of BREAKER__SAY_FAILED; owned, NULL: it did not say */
    char *failure;
} breaker__worker_t;

/** Zeroed at first. Pointers into it hold until one is added or removed. */
typedef struct st_breaker__workers_t {
    breaker__worker_t *entries; /* owned */
    size_t num;
} breaker__workers_t;

/** Adds one that is starting, and takes its channel over. */
breaker__worker_t *breaker__workers_add(breaker__workers_t *workers, pid_t pid, int channel,
                                        int64_t now_ms);
/** The one that is starting, or serving; NULL: none. */
breaker__worker_t *breaker__workers_find(const breaker__workers_t *workers, breaker__role_t role);
breaker__worker_t *breaker__workers_find_pid(const breaker__workers_t *workers, pid_t pid);
size_t breaker__workers_count(const breaker__workers_t *workers, breaker__role_t role);
/** Removes one that has ended. */
void breaker__workers_remove(breaker__workers_t *workers, breaker__worker_t *worker);
/** Forgets all, in a process that is none of theirs. */
void breaker__workers_let_go(breaker__workers_t *workers);

/**
 * Opens the logs of all of them anew and hands them over. With `has_error_log` this process has the
 * error log of the one that serves as its own stderr, which follows. Returns how many were opened.
 */
size_t breaker__workers_reopen_logs(const breaker__workers_t *workers, bool has_error_log);

/** Writes the lines that breaker__workers_read takes. */
void breaker__workers_write(const breaker__workers_t *workers, FILE *file);
/** Adds what a line says, of a worker or about the last one. Returns 0, or -1 if it is none. */
int breaker__workers_read(breaker__workers_t *workers, const char *line);
/** Whether the channels survive execve(2). */
void breaker__workers_set_inherited(const breaker__workers_t *workers, bool is_inherited);

#endif
