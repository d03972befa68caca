/*
 * Values between threads. Whoever leaves something waits for nobody but the other one's copy, and
 * wakes the holding's thread afterwards. Memory is taken before the lock, freed after it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include "holding/inbox.h"

static void lock(breaker__inbox_t *inbox)
{
    int err = pthread_mutex_lock(&inbox->lock);

    assert(err == 0);
}

static void unlock(breaker__inbox_t *inbox)
{
    int err = pthread_mutex_unlock(&inbox->lock);

    assert(err == 0);
}

int breaker__inbox_init(breaker__inbox_t *inbox)
{
    memset(inbox, 0, sizeof(*inbox));
    atomic_init(&inbox->keys_generation, 0);
    atomic_init(&inbox->wants_peers, false);
    return pthread_mutex_init(&inbox->lock, NULL) == 0 ? 0 : BREAKER_ERR_NO_MEMORY;
}

void breaker__inbox_dispose(breaker__inbox_t *inbox)
{
    breaker__peers_told_dispose(&inbox->peers);
    explicit_bzero(&inbox->keys, sizeof(inbox->keys));
    pthread_mutex_destroy(&inbox->lock);
}

/* ---- peers ---- */

void breaker__peers_told_dispose(breaker_peers_t *peers)
{
    free((void *)(uintptr_t)peers->peers);
    free((void *)(uintptr_t)peers->alive);
    explicit_bzero(peers, sizeof(*peers));
}

static void *copy_array(const void *src, size_t num, size_t size)
{
    void *copy = calloc(num + 1, size);

    if (copy != NULL && num != 0)
        memcpy(copy, src, num * size);
    return copy;
}

static int copy_peers(const breaker_peers_t *src, breaker_peers_t *dst)
{
    if (src->num_peers > BREAKER_PEERS_MAX || src->num_alive > BREAKER_PEERS_ALIVE_MAX ||
        src->num_keys > BREAKER_PEER_KEYS_MAX)
        return BREAKER_ERR_TOO_MANY;
    *dst = *src;
    dst->peers = copy_array(src->peers, src->num_peers, sizeof(*src->peers));
    dst->alive = copy_array(src->alive, src->num_alive, sizeof(*src->alive));
    if (dst->peers != NULL && dst->alive != NULL)
        return 0;
    breaker__peers_told_dispose(dst);
    return BREAKER_ERR_NO_MEMORY;
}

static bool are_keys_equal(const breaker__peer_keys_t *a, const breaker__peer_keys_t *b)
{
    return a->num == b->num && a->clock_offset_ms == b->clock_offset_ms &&
           memcmp(a->keys, b->keys, sizeof(a->keys)) == 0;
}

static void put_keys(breaker__inbox_t *inbox, const breaker_peers_t *peers)
{
    breaker__peer_keys_t keys = {.num = peers->num_keys, .clock_offset_ms = peers->clock_offset_ms};
    uint64_t generation = atomic_load_explicit(&inbox->keys_generation, memory_order_relaxed);

    assert(keys.num <= BREAKER_PEER_KEYS_MAX);
    memcpy(keys.keys, peers->keys, keys.num * sizeof(keys.keys[0]));
    if (are_keys_equal(&keys, &inbox->keys))
        return;
    inbox->keys = keys;
    atomic_store_explicit(&inbox->keys_generation, generation + 1, memory_order_release);
}

int breaker__inbox_put_peers(breaker__inbox_t *inbox, const breaker_peers_t *peers)
{
    breaker_peers_t copy, before;
    int err;

    if ((err = copy_peers(peers, &copy)) != 0)
        return err;
    lock(inbox);
    before = inbox->peers;
    inbox->peers = copy;
    inbox->has_news = true;
    put_keys(inbox, peers);
    unlock(inbox);
    breaker__peers_told_dispose(&before);
    return 0;
}

bool breaker__inbox_take_peers(breaker__inbox_t *inbox, breaker_peers_t *ret_peers)
{
    bool has_news;

    lock(inbox);
    if ((has_news = inbox->has_news)) {
        *ret_peers = inbox->peers;
        inbox->peers = (breaker_peers_t){.num_peers = 0};
        inbox->has_news = false;
    }
    unlock(inbox);
    return has_news;
}

bool breaker__inbox_keys(breaker__inbox_t *inbox, uint64_t *generation,
                         breaker__peer_keys_t *ret_keys)
{
    if (atomic_load_explicit(&inbox->keys_generation, memory_order_acquire) == *generation)
        return false;
    lock(inbox);
    *ret_keys = inbox->keys;
    *generation = atomic_load_explicit(&inbox->keys_generation, memory_order_relaxed);
    unlock(inbox);
    assert(*generation != 0);
    return true;
}

/* ---- releases that requests wait for ---- */

bool breaker__inbox_put_wanted(breaker__inbox_t *inbox, const breaker_release_id_t *release)
{
    bool is_known = false, is_news;

    lock(inbox);
    assert(inbox->num_wanted <= BREAKER__WANTED_MAX);
    for (size_t i = 0; !is_known && i != inbox->num_wanted; ++i)
        is_known = breaker_release_id_equal(inbox->wanted + i, release);
    if ((is_news = !is_known && inbox->num_wanted != BREAKER__WANTED_MAX))
        inbox->wanted[inbox->num_wanted++] = *release;
    unlock(inbox);
    return is_news;
}

size_t breaker__inbox_take_wanted(breaker__inbox_t *inbox, breaker_release_id_t *ret_releases)
{
    size_t num;

    lock(inbox);
    num = inbox->num_wanted;
    assert(num <= BREAKER__WANTED_MAX);
    memcpy(ret_releases, inbox->wanted, num * sizeof(*ret_releases));
    inbox->num_wanted = 0;
    unlock(inbox);
    return num;
}
