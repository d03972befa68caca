/*
 * The loader's thread and its queue. Kept always: a job that was taken in is run exactly once, with
 * its stop raised if the end comes first; the thread is woken once for each thing that it is to
 * look at, and looks at everything when it is woken, so that nothing is forgotten and a needless
 * wake costs a glance. Encodings are what it does when there is nothing else, those of what the
 * node serves as its own first: whatever comes interrupts them, and they go on where they were.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <breaker/snapshot.h>
#include "encoding/encodings.h"
#include "node/loader.h"
#include "release/release.h"
#include "thread.h"

/* requests wait for nothing that the loader makes */
enum { NICE = 19 };

struct st_breaker__loader_t {
    pthread_t thread;
    bool is_started;
    const breaker_encoding_config_t *encoding; /* borrowed: outlives us */
    sem_t wake;
    breaker__suspects_t suspects;
    /* the loader is to end */
    atomic_bool stop;
    /* something comes before the encodings; changed under the lock */
    atomic_bool interrupt;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t encoded_cond;
    breaker__job_t jobs[BREAKER__LOADER_JOBS_MAX]; /* a ring */
    size_t first_job, num_jobs;
    breaker_release_t *release; /* owned reference: whose encodings are made, or NULL */
    bool is_encoded;
    /* owned references: whose encodings are made afterwards; the first `num_done` are */
    breaker_release_t *held[BREAKER_HELD_MAX];
    size_t num_held, num_done;
    /* how often they were said; what was begun before the last time may have missed something */
    uint64_t num_said;
    /* borrowed: what is worked at, or NULL */
    const breaker_release_t *working;
};

static void lock(breaker__loader_t *loader)
{
    int err = pthread_mutex_lock(&loader->lock);

    assert(err == 0);
}

static void unlock(breaker__loader_t *loader)
{
    int err = pthread_mutex_unlock(&loader->lock);

    assert(err == 0);
}

static void wake(breaker__loader_t *loader)
{
    int err = sem_post(&loader->wake);

    assert(err == 0);
}

static bool is_stopped(const breaker__loader_t *loader)
{
    return atomic_load_explicit(&loader->stop, memory_order_relaxed);
}

/* ---- the thread ---- */

static void sleep_until_woken(breaker__loader_t *loader)
{
    while (sem_wait(&loader->wake) != 0)
        assert(errno == EINTR);
}

static bool take_job(breaker__loader_t *loader, breaker__job_t *ret_job)
{
    bool taken;

    lock(loader);
    assert(loader->num_jobs <= BREAKER__LOADER_JOBS_MAX);
    assert(loader->first_job < BREAKER__LOADER_JOBS_MAX);
    if ((taken = loader->num_jobs != 0)) {
        *ret_job = loader->jobs[loader->first_job];
        loader->first_job = (loader->first_job + 1) % BREAKER__LOADER_JOBS_MAX;
        --loader->num_jobs;
    } else {
        /* everything that interrupted has been looked at, but for the end */
        atomic_store_explicit(&loader->interrupt, is_stopped(loader), memory_order_relaxed);
    }
    unlock(loader);
    return taken;
}

static void run_jobs(breaker__loader_t *loader)
{
    breaker__job_t job;

    while (take_job(loader, &job)) {
        assert(job.run != NULL);
        job.run(job.data, &loader->stop);
    }
}

/* between two pieces of an encoding as well: somebody gets 503 until a file has been read again */
static void check_suspects(void *data)
{
    breaker__loader_t *loader = data;

    breaker__suspects_check(&loader->suspects, &loader->stop);
}

/* the release whose encodings are to be made now, with a reference of its own, or NULL */
static breaker_release_t *take_release(breaker__loader_t *loader, uint64_t *ret_num_said)
{
    breaker_release_t *release = NULL;

    lock(loader);
    assert(!loader->is_encoded || loader->release != NULL);
    assert(loader->num_done <= loader->num_held);
    assert(loader->working == NULL);
    if (loader->release != NULL && !loader->is_encoded)
        release = loader->release;
    else if (loader->num_done != loader->num_held)
        release = loader->held[loader->num_done];
    if (release != NULL)
        breaker__release_ref(release);
    loader->working = release;
    *ret_num_said = loader->num_said;
    unlock(loader);
    return release;
}

/* remembers that a release has its encodings, if it is still one of those that are to have them */
static void note_encoded(breaker__loader_t *loader, const breaker_release_t *release,
                         uint64_t num_said)
{
    if (release == loader->release && !loader->is_encoded) {
        loader->is_encoded = true;
        pthread_cond_broadcast(&loader->encoded_cond);
    } else if (num_said == loader->num_said && loader->num_done != loader->num_held &&
               release == loader->held[loader->num_done]) {
        ++loader->num_done;
    }
}

/* false when there is nothing to do, or something to be done before */
static bool encode_next(breaker__loader_t *loader)
{
    uint64_t num_said;
    breaker_release_t *release = take_release(loader, &num_said);
    bool is_interrupted;

    if (release == NULL)
        return false;
    breaker__release_encode_with(release, loader->encoding, &loader->interrupt, check_suspects,
                                 loader);
    lock(loader);
    assert(loader->working == release);
    loader->working = NULL;
    is_interrupted = atomic_load_explicit(&loader->interrupt, memory_order_relaxed);
    if (!is_interrupted)
        note_encoded(loader, release, num_said);
    unlock(loader);
    breaker_release_unref(release);
    return !is_interrupted;
}

static void make_encodings(breaker__loader_t *loader)
{
    while (encode_next(loader))
        ;
}

static void *run(void *data)
{
    breaker__loader_t *loader = data;

    breaker__thread_give_way(NICE, NULL);
    do {
        sleep_until_woken(loader);
        run_jobs(loader);
        check_suspects(loader);
        make_encodings(loader);
    } while (!is_stopped(loader));
    /* one may have come in just before the end */
    run_jobs(loader);
    assert(is_stopped(loader));
    return NULL;
}

/* ---- from outside ---- */

static int init(breaker__loader_t *loader)
{
    if (sem_init(&loader->wake, 0, 0) != 0)
        return BREAKER_ERR_NO_MEMORY;
    if (pthread_mutex_init(&loader->lock, NULL) != 0)
        goto NoLock;
    if (pthread_cond_init(&loader->encoded_cond, NULL) != 0)
        goto NoCond;
    return 0;

NoCond:
    pthread_mutex_destroy(&loader->lock);
NoLock:
    sem_destroy(&loader->wake);
    return BREAKER_ERR_NO_MEMORY;
}

static void dispose(breaker__loader_t *loader)
{
    pthread_cond_destroy(&loader->encoded_cond);
    pthread_mutex_destroy(&loader->lock);
    sem_destroy(&loader->wake);
}

int breaker__loader_create(const breaker_encoding_config_t *encoding,
                           breaker__loader_t **ret_loader)
{
    breaker__loader_t *loader = calloc(1, sizeof(*loader));

    if (loader == NULL || init(loader) != 0) {
        free(loader);
        return BREAKER_ERR_NO_MEMORY;
    }
    loader->encoding = encoding;
    breaker__suspects_init(&loader->suspects, &loader->wake);
    atomic_init(&loader->stop, false);
    atomic_init(&loader->interrupt, false);
    *ret_loader = loader;
    return 0;
}

int breaker__loader_start(breaker__loader_t *loader, breaker_error_t *error)
{
    int err;

    assert(!loader->is_started);
    assert(!is_stopped(loader));
    err = breaker__thread_start("breaker-loader", run, loader, &loader->thread, error);
    loader->is_started = err == 0;
    return err;
}

static void stop_thread(breaker__loader_t *loader)
{
    int err;

    assert(!pthread_equal(pthread_self(), loader->thread));
    assert(!is_stopped(loader));
    lock(loader);
    atomic_store_explicit(&loader->stop, true, memory_order_relaxed);
    atomic_store_explicit(&loader->interrupt, true, memory_order_relaxed);
    unlock(loader);
    wake(loader);
    err = pthread_join(loader->thread, NULL);
    assert(err == 0);
}

static void drop_all(breaker_release_t **releases, size_t num)
{
    assert(num <= BREAKER_HELD_MAX);
    for (size_t i = 0; i != num; ++i)
        breaker_release_unref(releases[i]);
}

void breaker__loader_stop(breaker__loader_t *loader)
{
    if (loader->is_started && !is_stopped(loader))
        stop_thread(loader);
}

void breaker__loader_free(breaker__loader_t *loader)
{
    if (loader == NULL)
        return;
    breaker__loader_stop(loader);
    assert(loader->num_jobs == 0);
    assert(!loader->is_started || is_stopped(loader));
    breaker__suspects_dispose(&loader->suspects);
    breaker_release_unref(loader->release);
    drop_all(loader->held, loader->num_held);
    dispose(loader);
    free(loader);
}

int breaker__loader_run(breaker__loader_t *loader, breaker__job_t job)
{
    bool is_full;

    assert(job.run != NULL);
    lock(loader);
    assert(loader->num_jobs <= BREAKER__LOADER_JOBS_MAX);
    if (!(is_full = loader->num_jobs == BREAKER__LOADER_JOBS_MAX)) {
        size_t at = (loader->first_job + loader->num_jobs++) % BREAKER__LOADER_JOBS_MAX;
        loader->jobs[at] = job;
        atomic_store_explicit(&loader->interrupt, true, memory_order_relaxed);
    }
    unlock(loader);
    if (is_full)
        return BREAKER_ERR_BUSY;
    wake(loader);
    return 0;
}

breaker__suspects_t *breaker__loader_suspects(breaker__loader_t *loader)
{
    return &loader->suspects;
}

void breaker__loader_encode(breaker__loader_t *loader, breaker_release_t *release)
{
    breaker_release_t *before;

    lock(loader);
    before = loader->release;
    loader->release = breaker__release_ref(release);
    loader->is_encoded = loader->is_encoded && before == release;
    atomic_store_explicit(&loader->interrupt, true, memory_order_relaxed);
    unlock(loader);
    breaker_release_unref(before);
    wake(loader);
}

/* whether what is worked at is none of these, nor what comes before them */
static bool is_dropped(const breaker__loader_t *loader, breaker_release_t *const *releases,
                       size_t num)
{
    if (loader->working == NULL || loader->working == loader->release)
        return false;
    for (size_t i = 0; i != num; ++i)
        if (releases[i] == loader->working)
            return false;
    return true;
}

void breaker__loader_encode_held(breaker__loader_t *loader, breaker_release_t *const *releases,
                                 size_t num_releases)
{
    breaker_release_t *before[BREAKER_HELD_MAX];
    size_t num_before;

    assert(num_releases <= BREAKER_HELD_MAX);
    lock(loader);
    num_before = loader->num_held;
    memcpy(before, loader->held, sizeof(before));
    for (size_t i = 0; i != num_releases; ++i)
        loader->held[i] = breaker__release_ref(releases[i]);
    loader->num_held = num_releases;
    loader->num_done = 0;
    ++loader->num_said;
    if (is_dropped(loader, releases, num_releases))
        atomic_store_explicit(&loader->interrupt, true, memory_order_relaxed);
    unlock(loader);
    drop_all(before, num_before);
    wake(loader);
}

void breaker__loader_wait_encoded(breaker__loader_t *loader)
{
    assert(!pthread_equal(pthread_self(), loader->thread));
    lock(loader);
    assert(loader->release != NULL);
    while (!loader->is_encoded)
        pthread_cond_wait(&loader->encoded_cond, &loader->lock);
    unlock(loader);
}
