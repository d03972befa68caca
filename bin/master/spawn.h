#ifndef BREAKER_BIN_SPAWN_H
#define BREAKER_BIN_SPAWN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include "master/workers.h"
#include "process/pid_file.h"
#include "server/options.h"
#include "server/serve.h"

/** What a process of the server has that others are made of. The main thread's. */
typedef struct st_breaker__stock_t {
    const breaker__options_t *options; /* borrowed */
    /** the program file, as the command line named it; owned */
    char *program;
    /** what workers are left; its channel is that of a worker which this process becomes */
    breaker__legacy_t legacy;
    breaker__workers_t workers;
    /** that is written; names the master */
    breaker__pid_file_t pid_file;
} breaker__stock_t;

/**
 * Forks a worker, which never returns from here: of the program that runs, or of the program file
 * as it is now. Adds it to the workers, as starting. Returns 0, or -1 after a line on stderr.
 */
int breaker__spawn_worker(breaker__stock_t *stock, bool of_file, int64_t now_ms);

/**
 * Becomes the program file as it is now, with the workers that there are, and leaves it this
 * process id. Signals are blocked before, and are until that program catches them. Returns only if
 * that is not possible, after a line of the log; everything is then as before.
 */
void breaker__spawn_successor(breaker__stock_t *stock);

/**
 * Reads what the program before has left (handover.h). Returns 1, 0 if nothing was left, and -1
 * after a line on stderr. With a channel in `legacy` then, the process is a worker, else the
 * master.
 */
int breaker__spawn_read(breaker__stock_t *stock);

#endif
