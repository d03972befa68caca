#ifndef BREAKER_RELEASE_SUSPECTS_H
#define BREAKER_RELEASE_SUSPECTS_H

#include <semaphore.h>
#include <stdatomic.h>
#include "release/disk.h"

/**
 * Files on disk that are to be read once more, posted by the threads that serve and taken by the
 * one that checks. Each file is in it once at most, so it is never longer than there are files, and
 * a post needs no memory and no lock.
 */
typedef struct st_breaker__suspects_t {
    _Atomic(breaker__disk_t *) newest;
    sem_t *wake; /* borrowed: outlives us; posted for every file */
} breaker__suspects_t;

void breaker__suspects_init(breaker__suspects_t *suspects, sem_t *wake);
/** Forgets what is in it. Nobody posts any more. */
void breaker__suspects_dispose(breaker__suspects_t *suspects);

/**
 * Has a file checked, if it is not to be already; without a loader to do it, nothing happens. Keeps
 * its blob alive meanwhile. Never blocks. Any thread that holds the blob.
 */
void breaker__suspects_post(breaker__disk_t *disk);

/**
 * Checks what was posted, and tells `on_notice` of a file whose bytes are others, once until they
 * are right again. Comes to an early end when `stop` is raised. The checking thread.
 */
void breaker__suspects_check(breaker__suspects_t *suspects, const atomic_bool *stop);

#endif
