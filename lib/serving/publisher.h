#ifndef BREAKER_SERVING_PUBLISHER_H
#define BREAKER_SERVING_PUBLISHER_H

#include <breaker/node.h>
#include <breaker/snapshot.h>

/** Makes a publisher with nothing published. */
int breaker__publisher_create(breaker_publisher_t **ret_publisher);

/** Frees it; takes NULL. */
void breaker__publisher_free(breaker_publisher_t *publisher);

/**
 * Has the publisher tell of every change (breaker/node.h): a publication whose release or one of
 * whose tokens is another than in the one before; the first one is a change. NULL: nobody is told.
 * Before anything is published.
 */
void breaker__publisher_listen(breaker_publisher_t *publisher, breaker_change_cb on_change,
                               void *data);

/**
 * Publishes a snapshot and numbers it: takes over the caller's reference, drops the one on the
 * snapshot before. Any thread.
 */
void breaker__publisher_publish(breaker_publisher_t *publisher, breaker_snapshot_t *snapshot);

#endif
