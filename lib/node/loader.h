#ifndef BREAKER_NODE_LOADER_H
#define BREAKER_NODE_LOADER_H

#include <stdatomic.h>
#include <breaker/error.h>
#include <breaker/release.h>
#include "release/suspects.h"

/** the most jobs that wait at once */
#define BREAKER__LOADER_JOBS_MAX 4

/**
 * The thread of a node for what takes a disk or a processor for long: jobs (the loads),
 * files on disk to be read again, and encodings, in this order. It has the lowest priority: nobody
 * waits for it who also waits for a processor.
 */
typedef struct st_breaker__loader_t breaker__loader_t;

/** A piece of work. `stop` is raised when the loader is to end: the job then comes to its end. */
typedef struct st_breaker__job_t {
    void (*run)(void *data, const atomic_bool *stop);
    void *data; /* borrowed: outlives the run */
} breaker__job_t;

/**
 * Makes one without its thread, which takes in all the same. `encoding` is how encodings are made;
 * borrowed: outlives the loader. Fails with BREAKER_ERR_NO_MEMORY.
 */
int breaker__loader_create(const breaker_encoding_config_t *encoding,
                           breaker__loader_t **ret_loader);
/** Starts the thread. Once; fails like `breaker__thread_start`, the reason in `error`. */
int breaker__loader_start(breaker__loader_t *loader, breaker_error_t *error);
/**
 * Raises the stop and waits until every job that was taken in has run; nothing is run afterwards.
 * Again it does nothing. Not on the loader's thread.
 */
void breaker__loader_stop(breaker__loader_t *loader);
/** Stops it, and frees; takes NULL. Not on the loader's thread. */
void breaker__loader_free(breaker__loader_t *loader);

/**
 * Has a job run once, after those that came before it. Fails with BREAKER_ERR_BUSY when
 * BREAKER__LOADER_JOBS_MAX wait already. Any thread, the loader's as well.
 */
int breaker__loader_run(breaker__loader_t *loader, breaker__job_t job);

/** Where releases post files on disk that this loader is to read again. Lives as long as it. */
breaker__suspects_t *breaker__loader_suspects(breaker__loader_t *loader);

/**
 * Makes the encodings of this release from now on, and none of another's. Takes a reference. Any
 * thread.
 */
void breaker__loader_encode(breaker__loader_t *loader, breaker_release_t *release);
/**
 * Makes the encodings of these releases as well, after those of the one above and in this order,
 * where their blobs are HERE; and of no other releases. At most BREAKER_HELD_MAX; to be called
 * again when more blobs are. Takes references. Any thread.
 */
void breaker__loader_encode_held(breaker__loader_t *loader, breaker_release_t *const *releases,
                                 size_t num_releases);
/**
 * Waits until the encodings of the release that was asked for last are made; not for those of the
 * other ones. Any thread but the loader's.
 */
void breaker__loader_wait_encoded(breaker__loader_t *loader);

#endif
