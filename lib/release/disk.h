#ifndef BREAKER_RELEASE_DISK_H
#define BREAKER_RELEASE_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <breaker/release.h>
#include <breaker/store.h>
#include "release/stamp.h"

struct st_breaker__suspects_t;

/** Where a file of a tree lay when it was loaded, for people; texts of one allocation. */
typedef struct st_breaker__place_t {
    const breaker_view_t *view;   /* borrowed: outlives who checks */
    const char *directory, *path; /* in `texts` */
    char texts[];
} breaker__place_t;

/**
 * What is known of a file that is sent from disk; its body owns it.
 *
 *             something happened to it            its bytes are right
 *   SOUND ──────────────────────────────▶ SUSPECT ───────────────────▶ SOUND
 *     ▲                                    ▲   │ they are others
 *     │ only its links, mode or owner      │   ▼
 *     └─(and it is looked at all the same) └─ CHANGED: until something happens to it again
 *
 * The states are not kept but read off the change time: the one under which the bytes were right
 * last, and the one under which they were found to be others.
 */
typedef struct st_breaker__disk_t {
    /* the bytes that the file is to have: the body's; borrowed: owns us */
    const breaker_variant_t *variant;
    breaker__place_t *place; /* owned; NULL: not a tree's */
    /* whose file it is where that may go before its blob; borrowed: owns us; or NULL */
    struct st_breaker__cached_t *cached;

    _Atomic int64_t known_ctime_ns;
    _Atomic int64_t changed_ctime_ns; /* 0: none */
    pthread_mutex_t lock;
    breaker__stamp_t known; /* under the lock: the stamp of `known_ctime_ns` */

    /* of suspects.c */
    atomic_bool is_posted;
    struct st_breaker__disk_t *next;
    /* whether the change was told; the checking thread's */
    bool is_told;
} breaker__disk_t;

/** Makes one for a file that was read under this stamp. Returns NULL without memory. */
breaker__disk_t *breaker__disk_create(const breaker__stamp_t *stamp);
/** The same for another descriptor of the file. */
breaker__disk_t *breaker__disk_copy(breaker__disk_t *disk);
/** Remembers where the file lies; before the body is seen. Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__disk_set_place(breaker__disk_t *disk, const breaker_view_t *view,
                            const char *directory, const char *path);
/** Takes NULL. */
void breaker__disk_free(breaker__disk_t *disk);

/**
 * Finds out whether a suspect file has its bytes still, for which it reads all of it, and remembers
 * what it found: the state from now on. SUSPECT when it could not find out: the file was written to
 * meanwhile, could not be read, or `stop` was raised. Blocking; one thread at a time.
 */
breaker_file_state_t breaker__disk_check(breaker__disk_t *disk, const atomic_bool *stop);

#endif
