/*
 * How much of other releases' files is here. `breaker.keep: memory` is kept for good, by the
 * releases that were seen last (anew.c). What requests want beyond that is here for now: in memory,
 * as much again and 16 MiB, or as open files of the archive, an eighth of those that the process
 * may have; as many, and 4,096 at most, stay open, so that peers have them from here as well. Where
 * room is used up, what was read longest ago gives way; what somebody is being sent does not.
 */
#include <assert.h>
#include <sys/resource.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/cached.h"
#include "release/release.h"

enum {
    FILES_SHARE = 8,
    FILES_MAX = 4096,
    /* beyond as much again */
    GRACE_SIZE = 16 << 20,
};

/* ---- what is kept ---- */

static bool is_cold(const breaker__holding_t *holding, const breaker__blob_t *blob)
{
    bool is_cold = false;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (!breaker__blob_list_has(&known->missing, blob))
            continue;
        if (!known->is_cold)
            return false;
        is_cold = true;
    }
    return is_cold;
}

bool breaker__room_keeps(const breaker__holding_t *holding, const breaker__blob_t *blob)
{
    uint64_t limit = holding->config->keep_memory, len = breaker__blob_len(blob);

    return len <= limit && holding->source.memory <= limit - len && !is_cold(holding, blob);
}

/* bytes in memory of what is HERE */
static uint64_t memory_of(breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);

    return body != NULL && body->base != NULL ? body->len : 0;
}

static void leave_out(void *data, breaker__blob_t *blob)
{
    const breaker__source_t *counted = data;

    breaker__blob_count_once(blob, counted->num_counts);
}

static void tally(void *data, breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);
    breaker__source_t *counted = data;

    if (!breaker__blob_count_once(blob, counted->num_counts) || body == NULL)
        return;
    counted->memory += memory_of(blob);
    counted->num_files += body->fd >= 0;
}

static const breaker__tracked_t *find_own(const breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (holding->catalog.list[i]->is_own)
            return holding->catalog.list[i];
    return NULL;
}

void breaker__room_count(breaker__holding_t *holding)
{
    const breaker__tracked_t *own = find_own(holding);
    breaker__source_t *source = &holding->source;

    if (own == NULL)
        return;
    ++source->num_counts;
    source->memory = source->num_files = 0;
    breaker__release_each_blob(own->release, leave_out, source);
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->is_own && known->release != NULL)
            breaker__release_each_blob(known->release, tally, source);
    }
    holding->is_uncounted = false;
}

bool breaker__room_keeps_file(const breaker__holding_t *holding)
{
    struct rlimit files;

    return getrlimit(RLIMIT_NOFILE, &files) == 0 && holding->source.num_files < FILES_MAX &&
           holding->source.num_files < files.rlim_cur / FILES_SHARE;
}

/* ---- what is here for now ---- */

/* what peers were asked for because requests want it */
static uint64_t coming(const breaker__source_t *source)
{
    uint64_t memory = 0;

    for (size_t i = 0; i != source->num_asks; ++i)
        if (source->asks[i].known == NULL)
            memory += breaker__cached_span(breaker__blob_len(source->asks[i].blob));
    return memory;
}

bool breaker__room_make_memory(breaker__holding_t *holding, uint64_t len)
{
    breaker__blobs_t *blobs = breaker__node_blobs(holding->node);
    uint64_t keep = holding->config->keep_memory, span = breaker__cached_span(len);
    uint64_t limit = keep < UINT64_MAX / 4 ? keep + GRACE_SIZE : keep, used;

    /* one that is larger than all the room has it for itself */
    if (limit < span)
        limit = span;
    while ((used = breaker__blobs_cached_memory(blobs) + coming(&holding->source)) > limit - span)
        if (!breaker__blobs_evict(blobs, BREAKER__CACHED_MEMORY, breaker__holding_now().mono_ms))
            return false;
    assert(used <= limit - span);
    return true;
}

bool breaker__room_make_file(breaker__holding_t *holding)
{
    breaker__blobs_t *blobs = breaker__node_blobs(holding->node);
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    while (breaker__blobs_cached_files(blobs) > files.rlim_cur / FILES_SHARE)
        if (!breaker__blobs_evict(blobs, BREAKER__CACHED_FILE, breaker__holding_now().mono_ms))
            return false;
    return true;
}
