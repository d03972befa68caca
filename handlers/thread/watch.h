#ifndef BREAKER_HANDLERS_WATCH_H
#define BREAKER_HANDLERS_WATCH_H

/* Descriptors that are no connections of libh2o's, on its loops. Not installed. */
#include <h2o.h>

/**
 * Tells when a descriptor has something to read: a listening one connections to accept, another
 * one bytes, its end or an error.
 */
typedef struct st_breaker__watch_t breaker__watch_t;
typedef void (*breaker__watch_cb)(void *data);

/**
 * Makes a watch, stopped, which takes the descriptor over. NULL when the kernel refuses; the
 * descriptor is the caller's then. `on_readable(data)` comes from the loop, again and again as long
 * as something is there.
 */
breaker__watch_t *breaker__watch_create(h2o_loop_t *loop, int fd, breaker__watch_cb on_readable,
                                        void *data);
void breaker__watch_start(breaker__watch_t *watch);
void breaker__watch_stop(breaker__watch_t *watch);
/**
 * Stops the watch, closes the descriptor, frees the watch at the latest with its loop; from within
 * its callback, too.
 */
void breaker__watch_close(breaker__watch_t *watch);

#endif
