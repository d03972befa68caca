#ifndef BREAKER_TESTS_LOAD_H
#define BREAKER_TESTS_LOAD_H

/*
 * Another client of the same Redis, a process of its own: it keeps the server busy with scripts of
 * less than a millisecond, as many a second whatever else there is, as somebody else's application
 * would. It connects again when it must.
 */
#include <sys/types.h>

typedef struct st_load_t {
    pid_t pid; /* 0: none */
    struct st_load_orders_t *orders;
} load_t;

/** Starts one that asks for nothing yet. */
void load_start(load_t *load, int port);
/** the most that can be set */
#define LOAD_MAX 3000

/** How much of its processor the server is to be kept busy for, in thousandths, roughly. */
void load_set(load_t *load, unsigned permille);
unsigned load_permille(const load_t *load);
/** Takes one that was not started. */
void load_stop(load_t *load);

#endif
