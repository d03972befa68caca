/*
 * The publication of snapshots. The lock covers one thing: between reading the pointer and counting
 * the reference nobody may drop the last one. The generation beside it lets a reader see with one
 * load that there is nothing to do.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <breaker/error.h>
#include <breaker/snapshot.h>

struct st_breaker_publisher_t {
    _Atomic uint64_t generation; /* of `current`; written under the lock */
    pthread_mutex_t lock;
    breaker_snapshot_t *current; /* owned reference, or NULL */
};

int breaker_publisher_create(breaker_publisher_t **ret_publisher)
{
    breaker_publisher_t *publisher = calloc(1, sizeof(*publisher));

    if (publisher == NULL)
        return BREAKER_ERR_NO_MEMORY;
    atomic_init(&publisher->generation, 0);
    if (pthread_mutex_init(&publisher->lock, NULL) != 0) {
        free(publisher);
        return BREAKER_ERR_NO_MEMORY;
    }
    *ret_publisher = publisher;
    return 0;
}

void breaker_publisher_free(breaker_publisher_t *publisher)
{
    int err;

    if (publisher == NULL)
        return;
    breaker_snapshot_unref(publisher->current);
    err = pthread_mutex_destroy(&publisher->lock);
    assert(err == 0);
    free(publisher);
}

static void lock(breaker_publisher_t *publisher)
{
    int err = pthread_mutex_lock(&publisher->lock);

    assert(err == 0);
}

static void unlock(breaker_publisher_t *publisher)
{
    int err = pthread_mutex_unlock(&publisher->lock);

    assert(err == 0);
}

void breaker_publisher_publish(breaker_publisher_t *publisher, breaker_snapshot_t *snapshot)
{
    breaker_snapshot_t *before;

    assert(snapshot->generation == 0);
    lock(publisher);
    before = publisher->current;
    snapshot->generation = before != NULL ? before->generation + 1 : 1;
    publisher->current = snapshot;
    atomic_store_explicit(&publisher->generation, snapshot->generation, memory_order_release);
    unlock(publisher);
    /* outside the lock: the last reference to a release may free many files */
    breaker_snapshot_unref(before);
}

bool breaker_publisher_refresh(breaker_publisher_t *publisher, breaker_snapshot_t **current)
{
    uint64_t newest = atomic_load_explicit(&publisher->generation, memory_order_acquire);
    breaker_snapshot_t *before = *current;

    if (newest == (before != NULL ? before->generation : 0))
        return false;
    lock(publisher);
    assert(publisher->current != NULL);
    *current = breaker_snapshot_ref(publisher->current);
    unlock(publisher);
    assert(before == NULL || (*current)->generation > before->generation);
    breaker_snapshot_unref(before);
    return true;
}
