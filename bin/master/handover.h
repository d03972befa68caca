#ifndef BREAKER_BIN_HANDOVER_H
#define BREAKER_BIN_HANDOVER_H

#include <stdio.h>

/*
 * What one program leaves to the next one across execve(2), when the server's program file was
 * replaced: a text in memory (memfd_create(2)), whose descriptor the environment names, and the
 * descriptors that the text names. Its first line has the version of everything that follows, of
 * the channel's messages too; a program that does not know it says so and ends, before anything is
 * given up for it.
 */

/** Called for each line, without its end. Returns 0, or -1 when the line makes no sense. */
typedef int (*breaker__handover_cb)(void *data, const char *line);

/** Begins a text. Returns the stream to write lines to, or NULL with errno. */
FILE *breaker__handover_begin(void);

/**
 * Ends a text and names it in the environment of the program that is executed next. Returns 0, or
 * -1 with errno. The stream is closed.
 */
int breaker__handover_end(FILE *file);

/** Takes back what breaker__handover_end has named, when nothing was executed after all. */
void breaker__handover_cancel(void);

/**
 * Reads what this program was left, and takes it out of the environment. Returns 1, 0 if nothing
 * was, and -1 after a line on stderr if it cannot be used.
 */
int breaker__handover_read(breaker__handover_cb cb, void *data);

#endif
