/*
 * A process of its own is led by signals. A worker is led by its master alone: signals reach it
 * only because a terminal or a service manager sends them to everybody, and the master tells what
 * is to become of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "logs/error_log.h"
#include "master/channel.h"
#include "process/process.h"
#include "server/orders.h"

int breaker__orders_open(breaker__orders_t *orders, int channel, const breaker__logs_t *logs)
{
    *orders = (breaker__orders_t){.fd = channel, .has_master = channel != -1, .logs = logs};
    if (orders->has_master)
        return breaker__process_leave_signals();
    orders->fd = breaker__process_catch_signals();
    return orders->fd != -1 ? 0 : -1;
}

static void complain_of(const char *signal)
{
    breaker__complain(BREAKER_LOG_WARNING, "signal",
                      "%s: there is no master that could start another worker; the server goes on "
                      "with what it has",
                      signal);
}

static breaker__order_t order_of_signal(breaker__orders_t *orders, int number)
{
    switch (number) {
    case SIGHUP:
        complain_of("SIGHUP");
        return BREAKER__ORDER_NONE;
    case SIGUSR2:
        complain_of("SIGUSR2");
        return BREAKER__ORDER_NONE;
    case SIGUSR1:
        breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "reopened",
                     breaker_log_number("files", breaker__logs_reopen(orders->logs)));
        return BREAKER__ORDER_NONE;
    case SIGCHLD:
        return BREAKER__ORDER_NONE;
    default:
        if (orders->has_stopped)
            return BREAKER__ORDER_CUT;
        orders->has_stopped = true;
        return BREAKER__ORDER_STOP;
    }
}

static breaker__order_t next_signal(breaker__orders_t *orders)
{
    breaker__order_t order = BREAKER__ORDER_NONE;
    int number, value;

    while (order == BREAKER__ORDER_NONE &&
           (number = breaker__process_next_signal(orders->fd, &value)) != 0)
        order = order_of_signal(orders, number);
    return order;
}

/* one that is killed has nobody who would send the worker anything */
static breaker__order_t orphan(breaker__orders_t *orders)
{
    /* it would be readable for ever */
    close(orders->fd);
    orders->fd = -1;
    breaker__complain(BREAKER_LOG_ERROR, "orphaned", "the master is gone, and with it this worker");
    return BREAKER__ORDER_RETIRE;
}

/* what was gathered for the file before belongs there */
static void replace_log(const breaker__orders_t *orders, const breaker__message_t *message)
{
    if (message->num_fds != 1)
        return;
    breaker__logs_flush(orders->logs);
    breaker__logs_replace(atoi(message->text), message->fds[0]);
}

static breaker__order_t order_of(breaker__orders_t *orders, const breaker__message_t *message)
{
    switch (message->say) {
    case BREAKER__SAY_STOP:
        return BREAKER__ORDER_STOP;
    case BREAKER__SAY_RETIRE:
        return BREAKER__ORDER_RETIRE;
    case BREAKER__SAY_CUT:
        return BREAKER__ORDER_CUT;
    case BREAKER__SAY_ALONE:
        orders->is_alone = true;
        return BREAKER__ORDER_NONE;
    case BREAKER__SAY_REOPENED:
        replace_log(orders, message);
        return BREAKER__ORDER_NONE;
    case BREAKER__SAY_BOUND:
    case BREAKER__SAY_USED:
    case BREAKER__SAY_PID_FILE:
    case BREAKER__SAY_ERROR_LOG:
    case BREAKER__SAY_FAILED:
    case BREAKER__SAY_LOG:
    case BREAKER__SAY_NOTIFY:
    case BREAKER__SAY_MINTED:
    case BREAKER__SAY_INVENTORY:
    case BREAKER__SAY_READY:
    case BREAKER__SAY_CLOSING:
    case BREAKER__SAY_CLOSED:
        return BREAKER__ORDER_NONE;
    }
    return BREAKER__ORDER_NONE;
}

breaker__order_t breaker__orders_next(breaker__orders_t *orders)
{
    breaker__order_t order = BREAKER__ORDER_NONE;
    breaker__message_t message;
    int num;

    if (!orders->has_master)
        return next_signal(orders);
    if (orders->fd == -1)
        return BREAKER__ORDER_NONE;
    while (order == BREAKER__ORDER_NONE &&
           (num = breaker__channel_receive(orders->fd, &message)) != 0)
        order = num == 1 ? order_of(orders, &message) : orphan(orders);
    return order;
}
