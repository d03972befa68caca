#ifndef BREAKER_HANDLERS_WATCH_H
#define BREAKER_HANDLERS_WATCH_H

/* A descriptor that is not a connection of libh2o's, on a loop of libh2o's. Not installed. */
#include <h2o.h>

typedef struct st_breaker__fd_watch_t breaker__fd_watch_t;

/**
 * Calls `on_readable(data)` from the loop as long as the descriptor has something to read, which
 * the callee takes. The watch owns the descriptor. NULL when the kernel refuses; the descriptor is
 * the caller's then.
 */
breaker__fd_watch_t *breaker__fd_watch_create(h2o_loop_t *loop, int fd,
                                              void (*on_readable)(void *data), void *data);
/** Closes the descriptor; NULL is taken. Not from within the callback. */
void breaker__fd_watch_free(breaker__fd_watch_t *watch);

#endif
