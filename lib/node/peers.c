/*
 * What the coordinator and the server's threads say to the holding of a node, and whether the node
 * is ready. On a node that does not hold nothing here does anything, and it is ready as soon as it
 * has published.
 */
#include <assert.h>
#include <time.h>
#include "node/node.h"

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool breaker__node_holds(const breaker_node_t *node)
{
    const breaker_holding_config_t *config = &node->holding_config;
    bool has_peers = config->has_peers && breaker__mailbox_is_open(&node->mailbox);

    return !config->is_shared && (config->archive != NULL || has_peers);
}

breaker__blobs_t *breaker__node_blobs(const breaker_node_t *node)
{
    return node->blobs;
}

/* ---- the coordinator ---- */

int breaker_node_set_peers(breaker_node_t *node, const breaker_peers_t *peers)
{
    if (node->holding == NULL)
        return 0;
    return breaker__holding_set_peers(node->holding, peers);
}

bool breaker_node_wants_peers(breaker_node_t *node)
{
    return node->holding != NULL && breaker__holding_take_wants_peers(node->holding);
}

/* ---- the process before ---- */

void breaker_node_set_predecessor(breaker_node_t *node, bool has_one)
{
    atomic_store_explicit(&node->has_predecessor, has_one, memory_order_relaxed);
    if (node->holding != NULL)
        breaker__holding_on_published(node->holding);
}

bool breaker__node_has_predecessor(const breaker_node_t *node)
{
    return atomic_load_explicit(&node->has_predecessor, memory_order_relaxed);
}

/* ---- threads that serve ---- */

void breaker_node_want_release(breaker_node_t *node, const breaker_release_id_t *release)
{
    if (node->holding != NULL)
        breaker__holding_want(node->holding, release);
}

uint64_t breaker_node_fetch_timeout_ms(const breaker_node_t *node)
{
    assert(node->holding == NULL || node->holding_config.fetch_timeout_ms != 0);
    return node->holding != NULL ? node->holding_config.fetch_timeout_ms : 0;
}

bool breaker__node_peer_keys(breaker_node_t *node, uint64_t *generation,
                             breaker__peer_keys_t *ret_keys)
{
    return node->holding != NULL && breaker__holding_keys(node->holding, generation, ret_keys);
}

/* ---- readiness ---- */

void breaker__node_note_published(breaker_node_t *node)
{
    if (atomic_load_explicit(&node->ready_by_ms, memory_order_relaxed) != 0)
        return;
    if (node->holding == NULL)
        breaker_node_set_ready(node);
    atomic_store_explicit(&node->ready_by_ms, now_ms() + node->holding_config.ready_timeout_ms,
                          memory_order_release);
}

void breaker__node_set_complete(breaker_node_t *node)
{
    atomic_store_explicit(&node->is_complete, true, memory_order_relaxed);
}

void breaker_node_set_ready(breaker_node_t *node)
{
    atomic_store_explicit(&node->is_ready, true, memory_order_relaxed);
}

/* the moment counts also where the holding's thread waits for a disk */
breaker_readiness_t breaker_node_readiness(const breaker_node_t *node)
{
    uint64_t by_ms = atomic_load_explicit(&node->ready_by_ms, memory_order_acquire);

    if (by_ms == 0)
        return BREAKER_NOT_READY_NO_TOKEN;
    if (atomic_load_explicit(&node->is_ready, memory_order_relaxed) || now_ms() >= by_ms)
        return BREAKER_READY;
    return atomic_load_explicit(&node->is_complete, memory_order_relaxed)
               ? BREAKER_NOT_READY_UNSHARED
               : BREAKER_NOT_READY_FETCHING;
}
