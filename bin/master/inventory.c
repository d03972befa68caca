/*
 * The descriptors of an inventory between two workers. A worker says it once, before it has heard
 * anything from the network, also where it has none; the master takes it from one that is starting
 * only, and takes no second one. So whoever gets hold of a worker that serves cannot tell the next
 * one what is in the operator's files.
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>
#include "master/inventory.h"

void breaker__inventory_fds_close(breaker__inventory_fds_t *inventory)
{
    for (size_t i = 0; i != inventory->num; ++i)
        close(inventory->fds[i]);
    inventory->num = 0;
}

void breaker__inventory_fds_take(breaker__inventory_fds_t *inventory, breaker__message_t *message)
{
    if (inventory->is_said)
        return;
    inventory->is_said = true;
    if (message->num_fds > BREAKER_INVENTORY_MAX)
        return;
    memcpy(inventory->fds, message->fds, message->num_fds * sizeof(message->fds[0]));
    inventory->num = message->num_fds;
    message->num_fds = 0;
}

void breaker__inventory_fds_move(breaker__inventory_fds_t *inventory,
                                 breaker__inventory_fds_t *from)
{
    assert(inventory != from);
    breaker__inventory_fds_close(inventory);
    *inventory = *from;
    from->num = 0;
}
