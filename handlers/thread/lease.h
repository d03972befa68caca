#ifndef BREAKER_HANDLERS_LEASE_H
#define BREAKER_HANDLERS_LEASE_H

/* A thread's snapshot, and how requests keep it. */
#include <breaker/h2o.h>

/**
 * The snapshot of one handler on one thread. Requests in flight keep it through h2o's own,
 * per-thread reference counts, so that a request costs no atomic operation.
 */
typedef struct st_breaker__lease_t {
    breaker_publisher_t *publisher; /* borrowed: the node's */
    breaker_snapshot_t *current;    /* owned reference, or NULL */
    void *shared;                   /* owned: h2o-refcounted, keeps `current` for the requests */
} breaker__lease_t;

void breaker__lease_init(breaker__lease_t *lease, breaker_publisher_t *publisher);
void breaker__lease_dispose(breaker__lease_t *lease);

/** Has what requests keep be the present snapshot, which is another than before. */
void breaker__lease_renew(breaker__lease_t *lease);

/** Brings the lease up to date; one acquire-load when nothing changed. The result may be NULL. */
static inline const breaker_snapshot_t *breaker__lease_refresh(breaker__lease_t *lease)
{
    if (breaker_publisher_refresh(lease->publisher, &lease->current))
        breaker__lease_renew(lease);
    return lease->current;
}

#endif
