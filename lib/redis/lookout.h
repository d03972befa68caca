#ifndef BREAKER_REDIS_LOOKOUT_H
#define BREAKER_REDIS_LOOKOUT_H

/* Whether sentinels still name the master that a link talks to. Not installed. */
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "redis/servers.h"

typedef struct st_breaker__lookout_callbacks_t {
    void *data;
    /** another server is named, and says that it is a master; the lookout has stopped */
    void (*on_moved)(void *data, const breaker__endpoint_t *master);
    /** after `close`: the loop knows nothing of it any more */
    void (*on_gone)(void *data);
} breaker__lookout_callbacks_t;

/**
 * A connection of its own, opened for a moment every `sentinel_interval_ms`: sentinels are asked in
 * the order of a dial, and the first one that names a master decides. If that is another than the
 * one watched, it is asked whether it is one. Whatever fails is passed over in silence: a master
 * that works is not left because sentinels do not. Caller's memory; the fields are private.
 */
typedef struct st_breaker__lookout_t {
    uv_timer_t timer;
    breaker__servers_t *servers; /* borrowed: outlives us */
    breaker__lookout_callbacks_t callbacks;
    breaker__endpoint_t master;
    /** a round: the server that is asked now, and by which URL it was found */
    breaker__connection_t *connection; /* owned until it is closed; NULL between rounds */
    breaker__endpoint_t endpoint;
    const breaker__redis_url_t *via; /* into the servers' */
    size_t next_url;
    bool is_sentinel;
    /** what the loop knows of us */
    unsigned pending;
} breaker__lookout_t;

/** Makes one that is stopped. */
void breaker__lookout_init(breaker__lookout_t *lookout, uv_loop_t *loop,
                           breaker__servers_t *servers,
                           const breaker__lookout_callbacks_t *callbacks);
/** Watches from now on; the servers have a sentinel's name. */
void breaker__lookout_start(breaker__lookout_t *lookout, const breaker__endpoint_t *master);
void breaker__lookout_stop(breaker__lookout_t *lookout);
/** Stops for good; on_gone follows. */
void breaker__lookout_close(breaker__lookout_t *lookout);

#endif
