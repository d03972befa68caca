#ifndef BREAKER_BIN_LOGS_H
#define BREAKER_BIN_LOGS_H

#include <stddef.h>

/*
 * Logs that are opened anew when they were rotated. The number of an access log's descriptor is
 * told to nobody, so they are found among the open descriptors: regular files for appending. A log
 * that is a pipe into a program is that program's to rotate. The main thread's; threads that write
 * meanwhile write either to the old file or to the new one.
 */

typedef struct st_breaker__log_file_t {
    int fd;
    /** where it was when it was opened; owned */
    char *path;
} breaker__log_file_t;

/** Zeroed at first. */
typedef struct st_breaker__logs_t {
    breaker__log_file_t *entries; /* owned */
    size_t num;
    /** whose access logs threads gather lines for; borrowed, NULL where nobody does */
    struct st_h2o_globalconf_t *globalconf;
} breaker__logs_t;

/** Finds the logs that this process has open, before anybody can have moved them. */
void breaker__logs_find(breaker__logs_t *logs);

/** Adds one that another process has open. */
void breaker__logs_add(breaker__logs_t *logs, int fd, const char *path);

/** Opens a log's file. Returns the descriptor, or -1 after a line. */
int breaker__logs_open(const char *path);

/** Writes out what threads have gathered for the files as they are now. */
void breaker__logs_flush(const breaker__logs_t *logs);

/** Puts a descriptor, which it takes over, in the place of a log's in this process. */
void breaker__logs_replace(int fd, int new_fd);

/** Opens every log anew, in a process that may. Returns how many were opened. */
size_t breaker__logs_reopen(const breaker__logs_t *logs);

void breaker__logs_dispose(breaker__logs_t *logs);

#endif
