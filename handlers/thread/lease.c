/*
 * A thread's snapshot. h2o's shared memory counts its references without atomics, which is right
 * here because a request stays on its thread: the thread holds one snapshot reference inside such a
 * block, each request links the block to its pool, and the last of them, on this very thread, drops
 * the snapshot.
 */
#include <assert.h>
#include "thread/lease.h"

static void on_shared_dispose(void *_shared)
{
    breaker_snapshot_t **shared = _shared;

    breaker_snapshot_unref(*shared);
}

void breaker__lease_init(breaker__lease_t *lease, breaker_publisher_t *publisher)
{
    assert(publisher != NULL);
    *lease = (breaker__lease_t){.publisher = publisher};
}

static void drop_shared(breaker__lease_t *lease)
{
    if (lease->shared != NULL)
        h2o_mem_release_shared(lease->shared);
    lease->shared = NULL;
}

void breaker__lease_dispose(breaker__lease_t *lease)
{
    drop_shared(lease);
    breaker_snapshot_unref(lease->current);
    lease->current = NULL;
}

void breaker__lease_renew(breaker__lease_t *lease)
{
    breaker_snapshot_t **shared;

    drop_shared(lease);
    shared = h2o_mem_alloc_shared(NULL, sizeof(*shared), on_shared_dispose);
    *shared = breaker_snapshot_ref(lease->current);
    lease->shared = shared;
}
