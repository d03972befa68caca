/*
 * Large files of the archive are read on an errand, one at a time: the first time that a process
 * opens one it is hashed, which takes a second for 1.5 GB, and requests for other files do not wait
 * for that. What came of it is remembered until it is asked for again, which requests do every few
 * milliseconds, and rounds when they go on: at once, so that a request that came meanwhile has its
 * file read before the next one of a round.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
#include "holding/parts.h"
#include "release/cached.h"

enum {
    /* larger ones go on errands */
    HERE_MAX = 1 << 20,
    /* what was found out so long ago may not be so any more */
    SEEN_MS = 1000,
};

bool breaker__reading_is_for(const breaker__blob_t *blob)
{
    return breaker__blob_len(blob) > HERE_MAX;
}

static void forget(breaker__reading_t *reading)
{
    breaker__blob_unref(reading->blob);
    reading->blob = NULL;
}

/* ---- what came of it ---- */

static breaker__found_t take_buffer(breaker__holding_t *holding, breaker__blob_t *blob,
                                    const char *base)
{
    uint64_t now_ms = breaker__holding_now().mono_ms;

    if (breaker__room_keeps(holding, blob))
        return breaker__source_fill(holding, blob, base) == 0 ? BREAKER__FOUND_FILLED
                                                              : BREAKER__FOUND_TROUBLE;
    /* others have come first */
    if (!holding->reading.is_urgent || !breaker__room_make_memory(holding, breaker__blob_len(blob)))
        return BREAKER__FOUND_THERE;
    return breaker__blob_cache(blob, base, now_ms) == 0 ? BREAKER__FOUND_FILLED
                                                        : BREAKER__FOUND_TROUBLE;
}

static breaker__found_t take(breaker__holding_t *holding, breaker__errand_t *errand)
{
    if (errand->err != 0)
        return breaker__found_by(errand->err);
    if (errand->kind == BREAKER__ERRAND_READ)
        return take_buffer(holding, holding->reading.blob, errand->buffer);
    return breaker__source_take_file(holding, holding->reading.blob, &errand->fd, &errand->stamp,
                                     holding->reading.is_urgent);
}

static void on_back(void *data)
{
    breaker__holding_t *holding = data;
    breaker__reading_t *reading = &holding->reading;

    breaker__archiving_tell(holding, &reading->errand);
    /* after the end the loop has nothing else any more */
    if (atomic_load_explicit(&holding->stop, memory_order_relaxed)) {
        breaker__errand_clear(&reading->errand);
        return;
    }
    reading->found = take(holding, &reading->errand);
    breaker__source_count_archive(holding, reading->blob, reading->found);
    reading->found_ms = breaker__holding_now().mono_ms;
    breaker__errand_clear(&reading->errand);
    breaker__holding_go_on(holding);
}

/* ---- starting ---- */

/* in memory where it is to stay there, or where every file that may be open is being sent */
static bool is_to_read(breaker__holding_t *holding, breaker__blob_t *blob, bool is_urgent)
{
    uint64_t len = breaker__blob_len(blob);

    if (len > holding->config->fetch_file_limit)
        return false;
    if (breaker__room_keeps(holding, blob))
        return true;
    return is_urgent && !breaker__room_keeps_file(holding) && !breaker__room_make_file(holding) &&
           breaker__room_make_memory(holding, len);
}

static void start(breaker__holding_t *holding, breaker__blob_t *blob, bool is_urgent)
{
    breaker__reading_t *reading = &holding->reading;
    breaker__errand_t *errand = &reading->errand;

    forget(reading);
    reading->blob = breaker__blob_ref(blob);
    reading->is_urgent = is_urgent;
    errand->blobs[errand->num_blobs++] = blob;
    errand->kind =
        is_to_read(holding, blob, is_urgent) ? BREAKER__ERRAND_READ : BREAKER__ERRAND_OPEN;
    breaker__errand_send(errand, &holding->loop);
}

/* ---- which is next ---- */

static void put_next(breaker__reading_t *reading, breaker__blob_t *blob)
{
    if (reading->next == NULL)
        reading->next = breaker__blob_ref(blob);
}

/* the reference is the caller's; NULL where its bytes have come on another way */
static breaker__blob_t *take_next(breaker__reading_t *reading)
{
    breaker__blob_t *next = reading->next;

    reading->next = NULL;
    if (next == NULL || !breaker__blob_has_bytes(next))
        return next;
    breaker__blob_unref(next);
    return NULL;
}

static void start_first(breaker__holding_t *holding, breaker__blob_t *blob, bool is_urgent)
{
    breaker__blob_t *next = take_next(&holding->reading);

    if (next == NULL || next == blob) {
        start(holding, blob, is_urgent || next == blob);
    } else {
        start(holding, next, true);
        if (is_urgent)
            put_next(&holding->reading, blob);
    }
    breaker__blob_unref(next);
}

breaker__found_t breaker__reading_look(breaker__holding_t *holding, breaker__blob_t *blob,
                                       bool is_urgent)
{
    breaker__reading_t *reading = &holding->reading;
    breaker__found_t found = reading->found;

    assert(holding->archive != NULL);
    assert(breaker__reading_is_for(blob));
    if (reading->errand.kind != BREAKER__ERRAND_NONE) {
        reading->is_urgent |= is_urgent && reading->blob == blob;
        if (is_urgent && reading->blob != blob)
            put_next(reading, blob);
        return BREAKER__FOUND_LATER;
    }
    if (reading->blob == blob && breaker__holding_now().mono_ms - reading->found_ms < SEEN_MS) {
        forget(reading);
        /* for a request it is to be opened, and not only looked at */
        if (!is_urgent || found != BREAKER__FOUND_THERE)
            return found;
    }
    start_first(holding, blob, is_urgent);
    return BREAKER__FOUND_LATER;
}

/* ---- its life ---- */

int breaker__reading_open(breaker__holding_t *holding, const breaker__archive_config_t *config,
                          breaker_error_t *error)
{
    return breaker__errand_open(&holding->reading.errand, config, on_back, holding, error);
}

void breaker__reading_close(breaker__holding_t *holding)
{
    forget(&holding->reading);
    breaker__blob_unref(holding->reading.next);
    holding->reading.next = NULL;
    breaker__errand_dispose(&holding->reading.errand);
}
