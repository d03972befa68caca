#ifndef BREAKER_BIN_INVENTORY_H
#define BREAKER_BIN_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/node.h>
#include "master/channel.h"

/**
 * What a worker has loaded, for the next one (breaker_node_take_inventory), on its way through the
 * master, which looks at none of it. Zeroed, it is nothing.
 */
typedef struct st_breaker__inventory_fds_t {
    /** owned, close-on-exec: a newer program reads everything anew */
    int fds[BREAKER_INVENTORY_MAX];
    size_t num;
    /** the worker has said what it has, and be it nothing: what it says later does not count */
    bool is_said;
} breaker__inventory_fds_t;

/**
 * Takes the descriptors of a message of BREAKER__SAY_INVENTORY, the first of a worker; those of
 * others are left to the caller.
 */
void breaker__inventory_fds_take(breaker__inventory_fds_t *inventory, breaker__message_t *message);
/** Closes what there was, and moves what another one has in its place. */
void breaker__inventory_fds_move(breaker__inventory_fds_t *inventory,
                                 breaker__inventory_fds_t *from);
/** Closes all. */
void breaker__inventory_fds_close(breaker__inventory_fds_t *inventory);

#endif
