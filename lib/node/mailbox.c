/*
 * Between the cluster's thread and the server's threads. Nobody waits here for anybody: what one
 * side says are values that the other reads when it comes by, and the one thing that wakes the
 * cluster is an eventfd, written to once however many threads want the same. A place for a request
 * that waits is taken before the request waits and given back exactly once.
 */
#include <assert.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "node/node.h"

_Static_assert(offsetof(breaker__mailbox_t, wanted) % 64 == 0,
               "what server threads write to shares no cache line with what they read");

void breaker__mailbox_init(breaker__mailbox_t *mailbox)
{
    mailbox->fd = -1;
    atomic_init(&mailbox->answered_ms, 0);
    atomic_init(&mailbox->reachable, false);
    atomic_init(&mailbox->standing, BREAKER_STANDING_UNKNOWN);
    atomic_init(&mailbox->fleet, 0);
    atomic_init(&mailbox->other_releases, 0);
    atomic_init(&mailbox->wanted, false);
    atomic_init(&mailbox->num_parked, 0);
}

void breaker__mailbox_dispose(breaker__mailbox_t *mailbox)
{
    assert(atomic_load(&mailbox->num_parked) == 0);
    if (mailbox->fd != -1)
        close(mailbox->fd);
    mailbox->fd = -1;
}

int breaker__mailbox_open(breaker__mailbox_t *mailbox)
{
    assert(atomic_load(&mailbox->num_parked) == 0);
    if (mailbox->fd == -1)
        mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->fd != -1 ? 0 : BREAKER_ERR_IO;
}

bool breaker__mailbox_is_open(const breaker__mailbox_t *mailbox)
{
    return mailbox->fd != -1;
}

void breaker__mailbox_knock(breaker__mailbox_t *mailbox)
{
    int err;

    assert(mailbox->fd != -1);
    err = eventfd_write(mailbox->fd, 1);
    /* nobody knocks 2^64 times before the cluster looks */
    assert(err == 0);
}

/* ---- freshness ---- */

/* released after a publication, acquired before the publisher is asked */
void breaker_node_set_freshness(breaker_node_t *node, breaker_freshness_t freshness)
{
    breaker__mailbox_t *mailbox = &node->mailbox;

    /* of a node by itself nothing is fresher than it is */
    assert(breaker__mailbox_is_open(mailbox));
    atomic_store_explicit(&mailbox->reachable, freshness.reachable, memory_order_relaxed);
    atomic_store_explicit(&mailbox->answered_ms, freshness.answered_ms, memory_order_release);
}

breaker_freshness_t breaker_node_freshness(const breaker_node_t *node)
{
    const breaker__mailbox_t *mailbox = &node->mailbox;
    breaker_freshness_t freshness;

    freshness.answered_ms = atomic_load_explicit(&mailbox->answered_ms, memory_order_acquire);
    freshness.reachable = atomic_load_explicit(&mailbox->reachable, memory_order_relaxed);
    return freshness;
}

void breaker__node_set_standing(breaker_node_t *node, breaker_standing_t standing, uint32_t fleet,
                                uint32_t other_releases)
{
    breaker__mailbox_t *mailbox = &node->mailbox;

    assert(standing < BREAKER_STANDINGS);
    atomic_store_explicit(&mailbox->standing, standing, memory_order_relaxed);
    atomic_store_explicit(&mailbox->fleet, fleet, memory_order_relaxed);
    atomic_store_explicit(&mailbox->other_releases, other_releases, memory_order_relaxed);
}

/* ---- what is wanted ---- */

void breaker_node_want_refresh(breaker_node_t *node)
{
    assert(breaker__mailbox_is_open(&node->mailbox));
    /* one system call, however many threads want it */
    if (!atomic_exchange(&node->mailbox.wanted, true))
        breaker__mailbox_knock(&node->mailbox);
}

int breaker_node_wanted_fd(const breaker_node_t *node)
{
    assert(breaker__mailbox_is_open(&node->mailbox));
    return node->mailbox.fd;
}

bool breaker_node_take_wanted(breaker_node_t *node)
{
    eventfd_t count;

    assert(breaker__mailbox_is_open(&node->mailbox));
    eventfd_read(node->mailbox.fd, &count);
    return atomic_exchange(&node->mailbox.wanted, false);
}

/* ---- places ---- */

bool breaker_node_reserve_place(breaker_node_t *node)
{
    atomic_size_t *num_parked = &node->mailbox.num_parked;
    size_t num = atomic_load_explicit(num_parked, memory_order_relaxed);

    do {
        assert(num <= BREAKER_PARKED_MAX);
        if (num == BREAKER_PARKED_MAX)
            return false;
    } while (!atomic_compare_exchange_weak(num_parked, &num, num + 1));
    return true;
}

void breaker_node_return_place(breaker_node_t *node)
{
    size_t before = atomic_fetch_sub(&node->mailbox.num_parked, 1);

    assert(before != 0);
    assert(before <= BREAKER_PARKED_MAX);
}

size_t breaker__node_num_parked(const breaker_node_t *node)
{
    size_t num = atomic_load_explicit(&node->mailbox.num_parked, memory_order_relaxed);

    assert(num <= BREAKER_PARKED_MAX);
    return num;
}
