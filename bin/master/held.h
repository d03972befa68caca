#ifndef BREAKER_BIN_HELD_H
#define BREAKER_BIN_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Sockets of one address that outlive whoever accepts from them. */
typedef struct st_breaker__held_t {
    /** as the listener is called: "127.0.0.1:8080", "[::]:80", "unix:/run/x"; owned */
    char *name;
    /** owned, close-on-exec, each a socket of its own */
    int *fds;
    size_t num_fds;
    /** the service manager made it, and has its file */
    bool is_given;
    /** how many of the sockets the worker that serves accepts from; 0: it has no use for them */
    size_t num_used;
    /** the worker that is starting needs it */
    bool is_wanted;
} breaker__held_t;

/** All of them; zeroed at first. The main thread's. */
typedef struct st_breaker__held_list_t {
    breaker__held_t *entries; /* owned */
    size_t num;
} breaker__held_list_t;

/** The address of a name, or NULL. */
breaker__held_t *breaker__held_find(const breaker__held_list_t *list, const char *name);

/**
 * Adds sockets to those of a name, and takes them over; the first ones say whether it is given.
 * They are wanted.
 */
breaker__held_t *breaker__held_add(breaker__held_list_t *list, const char *name, const int *fds,
                                   size_t num_fds, bool is_given);

/**
 * Takes what a service manager has passed by LISTEN_PID and LISTEN_FDS (sd_listen_fds(3)), and
 * takes both out of the environment, for programs that are started later. Returns 0, or -1 after a
 * line on stderr about a socket that is none for us.
 */
int breaker__held_take_given(breaker__held_list_t *list);

/** The worker that is starting serves now: what it wanted is used, and nothing else. */
void breaker__held_take_over(breaker__held_list_t *list);
/** It has ended before: what it has bound is dropped. */
void breaker__held_give_up(breaker__held_list_t *list);
/** Closes all, and removes the files. */
void breaker__held_close(breaker__held_list_t *list);
/** Closes all in a process that shares them with others, and leaves the files. */
void breaker__held_let_go(breaker__held_list_t *list);

/** Writes the lines that breaker__held_read takes; the numbers of the descriptors stand in them. */
void breaker__held_write(const breaker__held_list_t *list, FILE *file);
/**
 * Adds the address of a line of breaker__held_write to a list: "held GIVEN USED NUM FD… NAME".
 * Returns 0, or -1 if it is none.
 */
int breaker__held_read(breaker__held_list_t *list, const char *line);
/** Whether the descriptors survive execve(2). */
void breaker__held_set_inherited(const breaker__held_list_t *list, bool is_inherited);

#endif
