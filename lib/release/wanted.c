/*
 * The way of a wanted blob from the threads that serve to the one that gets its bytes: a stack that
 * is pushed to by compare-and-swap and emptied at once by exchange, so that no thread ever sees an
 * element that another one has taken off. The taker turns what it emptied around: who waits
 * longest comes first. What is on either list is kept by a reference of its own.
 */
#include <assert.h>
#include "release/blob.h"

static void push(breaker__blobs_t *blobs, breaker__blob_t *blob)
{
    blob->next_wanted = atomic_load_explicit(&blobs->wanted, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&blobs->wanted, &blob->next_wanted, blob,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

void breaker__blob_want(breaker__blob_t *blob)
{
    breaker__blobs_t *blobs = blob->blobs;
    void (*on_wanted)(void *data) = atomic_load_explicit(&blobs->on_wanted, memory_order_acquire);

    if (on_wanted == NULL || breaker__blob_has_bytes(blob))
        return;
    if (atomic_load_explicit(&blob->is_wanted, memory_order_relaxed) ||
        atomic_exchange(&blob->is_wanted, true))
        return;
    breaker__blob_ref(blob);
    push(blobs, blob);
    on_wanted(atomic_load_explicit(&blobs->wanted_data, memory_order_relaxed));
}

void breaker__blob_set_archived(breaker__blob_t *blob, bool is_archived)
{
    /* mostly it is known */
    if (breaker__blob_is_archived(blob) != is_archived)
        atomic_store_explicit(&blob->is_archived, is_archived, memory_order_relaxed);
}

bool breaker__blob_is_archived(const breaker__blob_t *blob)
{
    return atomic_load_explicit(&blob->is_archived, memory_order_relaxed);
}

static breaker__blob_t *take_all(breaker__blobs_t *blobs)
{
    breaker__blob_t *blob = atomic_exchange_explicit(&blobs->wanted, NULL, memory_order_acquire);
    breaker__blob_t *oldest = NULL;

    while (blob != NULL) {
        breaker__blob_t *next = blob->next_wanted;

        blob->next_wanted = oldest;
        oldest = blob;
        blob = next;
    }
    return oldest;
}

breaker__blob_t *breaker__blobs_take_wanted(breaker__blobs_t *blobs)
{
    breaker__blob_t *blob;
    bool was_wanted;

    if (blobs->taken == NULL)
        blobs->taken = take_all(blobs);
    if ((blob = blobs->taken) == NULL)
        return NULL;
    blobs->taken = blob->next_wanted;
    blob->next_wanted = NULL;
    was_wanted = atomic_exchange(&blob->is_wanted, false);
    assert(was_wanted);
    return blob;
}

void breaker__blobs_listen(breaker__blobs_t *blobs, void (*on_wanted)(void *data), void *data)
{
    breaker__blob_t *blob;

    atomic_store_explicit(&blobs->wanted_data, data, memory_order_relaxed);
    atomic_store_explicit(&blobs->on_wanted, on_wanted, memory_order_release);
    if (on_wanted != NULL)
        return;
    while ((blob = breaker__blobs_take_wanted(blobs)) != NULL)
        breaker__blob_unref(blob);
}
