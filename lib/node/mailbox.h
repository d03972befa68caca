#ifndef BREAKER_NODE_MAILBOX_H
#define BREAKER_NODE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * What the threads of a server and the one of its cluster leave for each other, without a lock. A
 * plain value, part of the node; its public face is in breaker/node.h.
 */
typedef struct st_breaker__mailbox_t {
    /** owned: an eventfd that wakes the cluster, or -1 on a node by itself */
    int fd;
    /** by the cluster's thread, for the server's threads */
    _Atomic uint64_t answered_ms;
    atomic_bool reachable;
    /** by it as well, for whoever watches: a `breaker_standing_t` */
    _Atomic unsigned standing;
    _Atomic uint32_t fleet, other_releases;
    /** by the server's threads; on a line of its own, because they all write to it */
    _Alignas(64) atomic_bool wanted;
    atomic_size_t num_parked;
} breaker__mailbox_t;

/** The mailbox of a node by itself. */
void breaker__mailbox_init(breaker__mailbox_t *mailbox);
/** Nobody is parked any more. */
void breaker__mailbox_dispose(breaker__mailbox_t *mailbox);

/** Makes it the mailbox of a node in a cluster. Fails with BREAKER_ERR_IO. */
int breaker__mailbox_open(breaker__mailbox_t *mailbox);
/** Whether it was opened. Any thread. */
bool breaker__mailbox_is_open(const breaker__mailbox_t *mailbox);
/** Wakes the cluster. An open mailbox; any thread. */
void breaker__mailbox_knock(breaker__mailbox_t *mailbox);

#endif
