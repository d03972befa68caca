#ifndef BREAKER_REDIS_SEEDS_H
#define BREAKER_REDIS_SEEDS_H

/* Whether the URLs of a link lead to one store. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "redis/identity.h"
#include "redis/servers.h"
#include "redis/transport.h"

typedef struct st_breaker__seeds_callbacks_t {
    void *data;
    /** a round is over: the two are provably different servers, or both are NULL */
    void (*on_over)(void *data, const breaker__endpoint_t *one, const breaker__endpoint_t *other);
    /**
     * once at most, before on_over, which follows whatever is called from it: `who` will not tell
     * who it is to our user, so nothing is proven
     */
    void (*on_untold)(void *data, const breaker__endpoint_t *who, const char *why);
    /** after `close`: the loop knows nothing of it any more */
    void (*on_gone)(void *data);
} breaker__seeds_callbacks_t;

/**
 * A connection of its own, opened for a moment to one URL after the other: a round. The first one
 * that holds anything and says who it is is what the others are compared with, and it is asked
 * again before two are called different, because servers change while they are asked. Whoever
 * cannot be asked proves nothing. Rounds become rarer, up to 32 times the interval. Caller's
 * memory; the fields are private.
 */
typedef struct st_breaker__seeds_t {
    uv_timer_t timer;
    const breaker__servers_t *servers; /* borrowed: outlives us */
    breaker__seeds_callbacks_t callbacks;
    /** when rounds are: the clock is the loop's */
    uint64_t interval_ms, due_ms;
    const breaker__redis_url_t *watched; /* into the servers' */
    bool is_asking, has_said_untold;
    /** a round: who is asked now */
    breaker__connection_t *connection; /* owned until it is closed; NULL between two */
    const breaker__redis_url_t *via;   /* into the servers' */
    size_t next_url;
    bool asks_nodes;
    breaker__identity_t identity;
    /** the first one that answered, of those that hold something if one did; NULL before */
    const breaker__redis_url_t *first; /* into the servers' */
    breaker__identity_t first_is;
    /** one that seems to be another; NULL unless the first one is being asked again */
    const breaker__redis_url_t *suspect; /* into the servers' */
    breaker__identity_t suspect_is;
    /** what the loop knows of us */
    unsigned pending;
} breaker__seeds_t;

/** Makes one that is stopped. */
void breaker__seeds_init(breaker__seeds_t *seeds, uv_loop_t *loop,
                         const breaker__servers_t *servers,
                         const breaker__seeds_callbacks_t *callbacks);
/** Begins a round, or lets the one go on that is under way; on_over follows, never inside. */
void breaker__seeds_ask(breaker__seeds_t *seeds);
/**
 * Goes on with rounds until it is stopped, the next one when it is due; the interval is short again
 * when `via` is another URL than before.
 */
void breaker__seeds_watch(breaker__seeds_t *seeds, const breaker__redis_url_t *via);
void breaker__seeds_stop(breaker__seeds_t *seeds);
/** Stops for good; on_gone follows. */
void breaker__seeds_close(breaker__seeds_t *seeds);

#endif
