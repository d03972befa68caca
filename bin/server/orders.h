#ifndef BREAKER_BIN_ORDERS_H
#define BREAKER_BIN_ORDERS_H

#include <stdbool.h>
#include "logs/logs.h"

/*
 * What a serving process is told: by its master over a channel, or, without one, by signals. The
 * main thread's.
 */

typedef enum {
    BREAKER__ORDER_NONE,
    /** end, after `shutdown-delay`; given again, it is BREAKER__ORDER_CUT */
    BREAKER__ORDER_STOP,
    /** another process serves: finish what is open, and end */
    BREAKER__ORDER_RETIRE,
    /** end now */
    BREAKER__ORDER_CUT,
} breaker__order_t;

typedef struct st_breaker__orders_t {
    /** readable when there may be an order; owned */
    int fd;
    /** from a master */
    bool has_master;
    bool has_stopped;
    /** the worker that was to be followed is no more */
    bool is_alone;
    /** those that signals open anew; borrowed */
    const breaker__logs_t *logs;
} breaker__orders_t;

/**
 * Begins to listen to a master's channel, which it takes over and whose signals it leaves to the
 * master, or to signals if `channel` is -1. Returns 0, or -1 with errno.
 */
int breaker__orders_open(breaker__orders_t *orders, int channel, const breaker__logs_t *logs);

/**
 * The next order, without waiting; what ends nothing is done within: logs are opened anew, a reload
 * that is not possible is said. A master that has gone is an order to retire, and a second one to
 * cut.
 */
breaker__order_t breaker__orders_next(breaker__orders_t *orders);

#endif
