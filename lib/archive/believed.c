/*
 * Hashing a blob again each time that it is asked for would cost more than sending it. What was
 * checked is remembered with what the system says of the file, so that a file which was replaced or
 * written to is checked again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "archive/believed.h"

static const int64_t SECOND_NS = INT64_C(1000000000);

static breaker__belief_t belief_of(const uint8_t *digest, const struct stat *status)
{
    breaker__belief_t belief = {
        .inode = (uint64_t)status->st_ino,
        .size = (uint64_t)status->st_size,
        .changed_ns = (int64_t)status->st_ctim.tv_sec * SECOND_NS + status->st_ctim.tv_nsec,
    };

    memcpy(belief.digest, digest, sizeof(belief.digest));
    return belief;
}

/* the place of a digest, or the free one where it belongs */
static breaker__belief_t *find(const breaker__believed_t *believed, const uint64_t *digest)
{
    size_t mask = believed->capacity - 1;

    assert(believed->num < believed->capacity);
    for (size_t at = (size_t)digest[0] & mask;; at = (at + 1) & mask) {
        breaker__belief_t *place = believed->places + at;
        if (place->changed_ns == 0 ||
            (place->digest[0] == digest[0] && place->digest[1] == digest[1]))
            return place;
    }
}

void breaker__believed_dispose(breaker__believed_t *believed)
{
    free(believed->places);
    *believed = (breaker__believed_t){.places = NULL};
}

bool breaker__believed_has(const breaker__believed_t *believed, const uint8_t *digest,
                           const struct stat *status)
{
    breaker__belief_t asked = belief_of(digest, status);
    const breaker__belief_t *known;

    if (believed->num == 0)
        return false;
    known = find(believed, asked.digest);
    return known->changed_ns != 0 && known->changed_ns == asked.changed_ns &&
           known->inode == asked.inode && known->size == asked.size;
}

/* makes room for one more; false without memory */
static bool grow(breaker__believed_t *believed)
{
    breaker__believed_t grown = {.capacity = believed->capacity != 0 ? believed->capacity * 2 : 64};

    if (believed->num == BREAKER__BELIEVED_MAX)
        breaker__believed_dispose(believed);
    if (believed->capacity != 0 && believed->num < believed->capacity / 2)
        return true;
    if (believed->capacity == 0)
        grown.capacity = 64;
    if ((grown.places = calloc(grown.capacity, sizeof(*grown.places))) == NULL)
        return false;
    for (size_t i = 0; i != believed->capacity; ++i) {
        if (believed->places[i].changed_ns == 0)
            continue;
        *find(&grown, believed->places[i].digest) = believed->places[i];
        ++grown.num;
    }
    assert(grown.num == believed->num);
    free(believed->places);
    *believed = grown;
    return true;
}

void breaker__believed_add(breaker__believed_t *believed, const uint8_t *digest,
                           const struct stat *status, int64_t now_ns)
{
    breaker__belief_t belief = belief_of(digest, status), *place;

    if (belief.changed_ns <= 0 || belief.changed_ns > now_ns - SECOND_NS || !grow(believed))
        return;
    place = find(believed, belief.digest);
    believed->num += place->changed_ns == 0;
    *place = belief;
}
