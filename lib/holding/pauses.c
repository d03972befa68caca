/*
 * What nobody gives, or what turns out wrong each time, is wanted again by every request that
 * waits, and is large: each attempt may cost minutes of somebody's connection. So each file has a
 * pause of its own, which doubles, and holds up no other one.
 *
 * Kept always: a file is in the list once at most.
 */
#include <assert.h>
#include <string.h>
#include "holding/pauses.h"

static size_t find(const breaker__pauses_t *pauses, const uint8_t *digest)
{
    size_t at = 0;

    while (at != pauses->num && memcmp(pauses->list[at].digest, digest, BREAKER_DIGEST_LEN) != 0)
        ++at;
    return at;
}

/* a new one, or the place of the one that waits the least */
static breaker__pause_t *take_place(breaker__pauses_t *pauses)
{
    breaker__pause_t *first = pauses->list;

    assert(pauses->num <= BREAKER__PAUSES_MAX);
    if (pauses->num != BREAKER__PAUSES_MAX)
        return pauses->list + pauses->num++;
    for (size_t i = 1; i != pauses->num; ++i)
        if (pauses->list[i].due_ms < first->due_ms)
            first = pauses->list + i;
    return first;
}

bool breaker__pauses_is_over(const breaker__pauses_t *pauses, const uint8_t *digest,
                             uint64_t now_ms)
{
    size_t at = find(pauses, digest);

    return at == pauses->num || pauses->list[at].due_ms <= now_ms;
}

void breaker__pauses_begin(breaker__pauses_t *pauses, const uint8_t *digest, uint64_t now_ms)
{
    size_t at = find(pauses, digest);
    breaker__pause_t *pause;

    if (at != pauses->num) {
        pause = pauses->list + at;
    } else {
        pause = take_place(pauses);
        memcpy(pause->digest, digest, BREAKER_DIGEST_LEN);
        pause->num_failures = 0;
    }
    pause->due_ms = now_ms + ((uint64_t)BREAKER__PAUSE_MIN_MS << pause->num_failures);
    if (pause->num_failures != BREAKER__PAUSE_DOUBLINGS)
        ++pause->num_failures;
}

void breaker__pauses_forget(breaker__pauses_t *pauses, const uint8_t *digest)
{
    size_t at = find(pauses, digest);

    if (at != pauses->num)
        pauses->list[at] = pauses->list[--pauses->num];
}

void breaker__pauses_end(breaker__pauses_t *pauses)
{
    for (size_t i = 0; i != pauses->num; ++i)
        pauses->list[i].due_ms = 0;
}
