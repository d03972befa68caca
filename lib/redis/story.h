#ifndef BREAKER_REDIS_STORY_H
#define BREAKER_REDIS_STORY_H

/* The story of what failed on the way to one answer, in one line. Not installed. */
#include <breaker/redis.h>
#include "redis/transport.h"
#include "redis/url.h"

/** A value, caller's memory; "" is a story that has not begun. */
typedef struct st_breaker__story_t {
    char text[BREAKER_REDIS_REASON_MAX];
} breaker__story_t;

/** Room for one part at least: who, ": ", why, and what is said of parts that were left out. */
_Static_assert(BREAKER_REDIS_REASON_MAX >= BREAKER__ENDPOINT_TEXT_MAX + BREAKER__REASON_MAX + 8,
               "a story has room for its newest part");

void breaker__story_begin(breaker__story_t *story);

/**
 * Adds "who: why"; parts are separated by "; ". The newest part decided, so it is always whole, as
 * long as `who` is shorter than BREAKER__ENDPOINT_TEXT_MAX and `why` than BREAKER__REASON_MAX; what
 * is longer is cut there. Where the room ends the oldest parts go, and the story begins with "...;
 * " then.
 */
void breaker__story_add(breaker__story_t *story, const char *who, const char *why);

#endif
