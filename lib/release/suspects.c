/*
 * The way of a suspect file from the thread that noticed to the one that reads it: a stack that is
 * pushed to by compare-and-swap and emptied at once by exchange, so that no thread ever sees an
 * element that another one has taken off. `is_posted` is raised by whoever pushes and lowered by
 * whoever took the file off, before it is looked at: what happens to it later is posted again.
 */
#include <assert.h>
#include "release/notices.h"
#include "release/release.h"
#include "release/store.h"
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

void breaker__suspects_post(breaker__disk_t *disk)
{
    breaker_release_t *release = disk->store != NULL ? disk->store->release : NULL;

    if (release == NULL || release->suspects == NULL)
        return;
    if (atomic_load_explicit(&disk->is_posted, memory_order_relaxed) ||
        atomic_exchange(&disk->is_posted, true))
        return;
    breaker__release_ref(release);
    push(release->suspects, disk);
}

static breaker__disk_t *take_all(breaker__suspects_t *suspects)
{
    return atomic_exchange_explicit(&suspects->newest, NULL, memory_order_acquire);
}

/* the file is its release's again, whose reference is the caller's now; returns the next one */
static breaker__disk_t *take_off(breaker__disk_t *disk, breaker_release_t **ret_release)
{
    breaker__disk_t *next = disk->next;
    bool was_posted;

    *ret_release = disk->store->release;
    disk->next = NULL;
    was_posted = atomic_exchange(&disk->is_posted, false);
    assert(was_posted);
    return next;
}

static void tell(breaker__disk_t *disk, breaker_file_state_t state)
{
    bool is_news = state == BREAKER_FILE_CHANGED && !disk->is_told;

    if (state != BREAKER_FILE_SUSPECT)
        disk->is_told = state == BREAKER_FILE_CHANGED;
    if (is_news)
        breaker__notice_tell(disk->store->hooks, disk->store->view, disk->store->directory,
                             disk->asset->path,
                             "no longer served: its bytes changed after it was loaded");
}

void breaker__suspects_check(breaker__suspects_t *suspects, const atomic_bool *stop)
{
    breaker_release_t *release;

    for (breaker__disk_t *disk = take_all(suspects), *next; disk != NULL; disk = next) {
        next = take_off(disk, &release);
        tell(disk, breaker__disk_check(disk, stop));
        breaker_release_unref(release);
    }
}

void breaker__suspects_dispose(breaker__suspects_t *suspects)
{
    breaker_release_t *release;

    for (breaker__disk_t *disk = take_all(suspects), *next; disk != NULL; disk = next) {
        next = take_off(disk, &release);
        breaker_release_unref(release);
    }
}
