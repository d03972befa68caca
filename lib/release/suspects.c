/*
 * The way of a suspect file from the thread that noticed to the one that reads it: a stack that is
 * pushed to by compare-and-swap and emptied at once by exchange, so that no thread ever sees an
 * element that another one has taken off. `is_posted` is raised by whoever pushes and lowered by
 * whoever took the file off, before it is looked at: what happens to it later is posted again.
 */
#include <assert.h>
#include "release/blob.h"
#include "release/digest.h"
#include "release/notices.h"
#include "release/suspects.h"

void breaker__suspects_init(breaker__suspects_t *suspects, sem_t *wake)
{
    assert(wake != NULL);
    atomic_init(&suspects->newest, NULL);
    suspects->wake = wake;
}

static void push(breaker__suspects_t *suspects, breaker__disk_t *disk)
{
    int err;

    disk->next = atomic_load_explicit(&suspects->newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&suspects->newest, &disk->next, disk,
                                                  memory_order_release, memory_order_relaxed))
        ;
    err = sem_post(suspects->wake);
    assert(err == 0);
}

/* whose file it is, or NULL while nobody can see it */
static breaker__blob_t *blob_of(const breaker__disk_t *disk)
{
    return disk->variant != NULL ? disk->variant->_blob : NULL;
}

void breaker__suspects_post(breaker__disk_t *disk)
{
    breaker__blob_t *blob = blob_of(disk);
    breaker__suspects_t *suspects;

    if (blob == NULL)
        return;
    suspects = atomic_load_explicit(&blob->blobs->suspects, memory_order_acquire);
    if (suspects == NULL)
        return;
    if (atomic_load_explicit(&disk->is_posted, memory_order_relaxed) ||
        atomic_exchange(&disk->is_posted, true))
        return;
    breaker__blob_ref(blob);
    /* whoever posts reads it, and has a reference */
    if (disk->cached != NULL)
        breaker__cached_ref(disk->cached);
    push(suspects, disk);
}

static breaker__disk_t *take_all(breaker__suspects_t *suspects)
{
    return atomic_exchange_explicit(&suspects->newest, NULL, memory_order_acquire);
}

/* the references to what has it are the caller's now; returns the next one */
static breaker__disk_t *take_off(breaker__disk_t *disk, breaker__blob_t **ret_blob)
{
    breaker__disk_t *next = disk->next;
    bool was_posted;

    *ret_blob = blob_of(disk);
    disk->next = NULL;
    was_posted = atomic_exchange(&disk->is_posted, false);
    assert(was_posted);
    return next;
}

static void tell_of(const breaker__disk_t *disk, const breaker__blob_t *blob, const char *text)
{
    const breaker_release_hooks_t *hooks = &blob->blobs->hooks;
    const breaker__place_t *place = disk->place;
    char digest[2 * BREAKER_DIGEST_LEN + 1];
    breaker_error_t line;

    if (place != NULL) {
        breaker__notice_tell(hooks, place->view, place->directory, place->path, text);
    } else if (hooks->on_notice != NULL) {
        breaker__digest_format(blob->digest, digest);
        breaker_error_set(&line, BREAKER_ERR_CHANGED, "blob %s: %s", digest, text);
        hooks->on_notice(hooks->notice_data, line.message);
    }
}

static void note(breaker__disk_t *disk, breaker__blob_t *blob, breaker_file_state_t state)
{
    bool is_spoilt = state == BREAKER_FILE_CHANGED && breaker__blob_spoil(blob, disk);
    bool is_news = state == BREAKER_FILE_CHANGED && !disk->is_told;

    if (state != BREAKER_FILE_SUSPECT)
        disk->is_told = state == BREAKER_FILE_CHANGED;
    if (is_news)
        tell_of(disk, blob,
                is_spoilt
                    ? "its bytes changed after it was loaded; they are got from the archive or "
                      "from peers when they are asked for"
                    : "no longer served: its bytes changed after it was loaded");
}

static void let_go(breaker__disk_t *disk, breaker__blob_t *blob)
{
    breaker__cached_unref(disk->cached);
    breaker__blob_unref(blob);
}

void breaker__suspects_check(breaker__suspects_t *suspects, const atomic_bool *stop)
{
    breaker__blob_t *blob;

    for (breaker__disk_t *disk = take_all(suspects), *next; disk != NULL; disk = next) {
        next = take_off(disk, &blob);
        note(disk, blob, breaker__disk_check(disk, stop));
        let_go(disk, blob);
    }
}

void breaker__suspects_dispose(breaker__suspects_t *suspects)
{
    breaker__blob_t *blob;

    for (breaker__disk_t *disk = take_all(suspects), *next; disk != NULL; disk = next) {
        next = take_off(disk, &blob);
        let_go(disk, blob);
    }
}
