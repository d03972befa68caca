#ifndef BREAKER_SERVING_PUBLISHER_H
#define BREAKER_SERVING_PUBLISHER_H

#include <breaker/node.h>
#include <breaker/snapshot.h>

/**
 * Has the publisher tell of every change (breaker/node.h): a publication whose release or one of
 * whose tokens is another than in the one before; the first one is a change. NULL: nobody is told.
 * Before anything is published.
 */
void breaker__publisher_listen(breaker_publisher_t *publisher, breaker_change_cb on_change,
                               void *data);

#endif
