/*
 * The publication of snapshots. The lock covers one thing: between reading the pointer and counting
 * the reference nobody may drop the last one. The generation beside it lets a reader see with one
 * load that there is nothing to do.
 *
 * Publications take turns, which readers do not wait for: what is told of a change is told in the
 * order of the publications, once each, while the snapshot that it is about is the current one.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <breaker/error.h>
#include "serving/publisher.h"

struct st_breaker_publisher_t {
    _Atomic uint64_t generation; /* of `current`; written under the lock */
    pthread_mutex_t lock;
    breaker_snapshot_t *current; /* owned reference, or NULL */
    pthread_mutex_t turn;        /* of whoever publishes; taken before the lock */
    breaker_change_cb on_change; /* or NULL */
    void *change_data;           /* borrowed: outlives us */
};

/* whoever publishes from within `on_change` is found out, not left waiting for itself */
static int init_turn(pthread_mutex_t *turn)
{
    pthread_mutexattr_t attributes;
    int err;

    if ((err = pthread_mutexattr_init(&attributes)) != 0)
        return err;
    if ((err = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK)) == 0)
        err = pthread_mutex_init(turn, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return err;
}

int breaker__publisher_create(breaker_publisher_t **ret_publisher)
{
    breaker_publisher_t *publisher = calloc(1, sizeof(*publisher));

    if (publisher == NULL)
        return BREAKER_ERR_NO_MEMORY;
    atomic_init(&publisher->generation, 0);
    if (pthread_mutex_init(&publisher->lock, NULL) != 0)
        goto NoLock;
    if (init_turn(&publisher->turn) != 0)
        goto NoTurn;
    *ret_publisher = publisher;
    return 0;

NoTurn:
    pthread_mutex_destroy(&publisher->lock);
NoLock:
    free(publisher);
    return BREAKER_ERR_NO_MEMORY;
}

void breaker__publisher_listen(breaker_publisher_t *publisher, breaker_change_cb on_change,
                               void *data)
{
    assert(publisher->current == NULL);
    assert(publisher->on_change == NULL);
    publisher->on_change = on_change;
    publisher->change_data = data;
}

void breaker__publisher_free(breaker_publisher_t *publisher)
{
    int err;

    if (publisher == NULL)
        return;
    breaker_snapshot_unref(publisher->current);
    err = pthread_mutex_destroy(&publisher->turn);
    assert(err == 0);
    err = pthread_mutex_destroy(&publisher->lock);
    assert(err == 0);
    free(publisher);
}

static void lock(pthread_mutex_t *mutex)
{
    int err = pthread_mutex_lock(mutex);

    assert(err == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
    int err = pthread_mutex_unlock(mutex);

    assert(err == 0);
}

static bool is_same_release(const breaker_release_t *a, const breaker_release_t *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return breaker_release_id_equal(breaker_release_id(a), breaker_release_id(b));
}

/* whether URLs, or the bytes that they name, are others than before */
static bool is_change(const breaker_snapshot_t *before, const breaker_snapshot_t *after)
{
    if (before == NULL || before->num_views != after->num_views ||
        !is_same_release(before->release, after->release))
        return true;
    for (size_t i = 0; i != after->num_views; ++i)
        if (!breaker_token_equal(&before->views[i].token, &after->views[i].token))
            return true;
    return false;
}

void breaker__publisher_publish(breaker_publisher_t *publisher, breaker_snapshot_t *snapshot)
{
    breaker_snapshot_t *before;

    assert(snapshot->generation == 0);
    lock(&publisher->turn);
    lock(&publisher->lock);
    before = publisher->current;
    snapshot->generation = before != NULL ? before->generation + 1 : 1;
    assert(before == NULL || snapshot->generation > before->generation);
    publisher->current = snapshot;
    atomic_store_explicit(&publisher->generation, snapshot->generation, memory_order_release);
    unlock(&publisher->lock);
    if (publisher->on_change != NULL && is_change(before, snapshot))
        publisher->on_change(publisher->change_data, snapshot);
    unlock(&publisher->turn);
    /* outside the locks: the last reference to a release may free many files */
    breaker_snapshot_unref(before);
}

bool breaker_publisher_refresh(breaker_publisher_t *publisher, breaker_snapshot_t **current)
{
    uint64_t newest = atomic_load_explicit(&publisher->generation, memory_order_acquire);
    breaker_snapshot_t *before = *current;

    if (newest == (before != NULL ? before->generation : 0))
        return false;
    lock(&publisher->lock);
    assert(publisher->current != NULL);
    *current = breaker_snapshot_ref(publisher->current);
    unlock(&publisher->lock);
    assert(before == NULL || (*current)->generation > before->generation);
    breaker_snapshot_unref(before);
    return true;
}
