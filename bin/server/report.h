#ifndef BREAKER_BIN_REPORT_H
#define BREAKER_BIN_REPORT_H

/* What a process that serves reports to its master, or to the service manager. The main thread's.
 */
#include <stddef.h>
#include <breaker/node.h>
#include "logs/logs.h"
#include "master/channel.h"
#include "net/listener.h"
#include "server/orders.h"
#include "server/serve.h"

/** Sends a message, to a master only; the descriptors stay the caller's. */
void breaker__report(const breaker__orders_t *orders, breaker__say_t about, const char *text,
                     const int *fds, size_t num_fds);

/** A state as of sd_notify(3). */
void breaker__report_state(const breaker__orders_t *orders, const char *state);
/** The same of the moment from which it serves. */
void breaker__report_ready(const breaker__orders_t *orders, const char *state);

/** What was bound, and what was held and is used: the files of sockets are the master's from then
 * on to remove. */
void breaker__report_bound(const breaker__orders_t *orders, breaker__listeners_t *listeners);
/** The logs that can be opened anew. */
void breaker__report_logs(const breaker__orders_t *orders, const breaker__logs_t *logs);

/** What a node by itself has minted, if it has. */
void breaker__report_minted(const breaker__orders_t *orders, const breaker_node_t *node);
/** Takes that text from the worker before, or NULL; what makes no sense is nothing. Before the
 * load. */
void breaker__take_minted(breaker_node_t *node, const char *text);

/**
 * What was loaded, for the next worker: before anything comes from the network, since it counts
 * only as long as nobody could have led this one.
 */
void breaker__report_inventory(const breaker__orders_t *orders, breaker_node_t *node);
/** Takes that from the worker before, and closes what it does not take. Before the load. */
void breaker__take_inventory(const breaker__orders_t *orders, breaker_node_t *node,
                             breaker__inventory_fds_t *inventory);

/** Why the process ends before it serves: the master's line about it says so. */
void breaker__report_failure(const breaker__legacy_t *legacy);

#endif
