#ifndef BREAKER_PEER_H
#define BREAKER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release_id.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the longest address that peers reach a node at */
#define BREAKER_ADVERTISE_MAX 280
/** bytes of a key that the nodes of a cluster know each other by, and how many are good at once */
#define BREAKER_PEER_KEY_LEN 32
#define BREAKER_PEER_KEYS_MAX 2
/** the most peers, and the most other releases that live, that a node is told of at once */
#define BREAKER_PEERS_MAX 512
#define BREAKER_PEERS_ALIVE_MAX 64

/** Another node of the cluster. Plain value. */
typedef struct st_breaker_peer_t {
    /** what it serves */
    breaker_release_id_t release;
    /** "host:port", "[v6]:port" or "https://host:port", NUL-ended */
    char address[BREAKER_ADVERTISE_MAX + 1];
} breaker_peer_t;

/** What a node is told of the others (`breaker_node_set_peers`). Plain value; nothing is owned. */
typedef struct st_breaker_peers_t {
    /**
     * live nodes that advertise an address, at most BREAKER_PEERS_MAX: a choice where there are
     * more, with one of every release that is wanted as far as such were found
     */
    size_t num_peers;
    const breaker_peer_t *peers;
    /** the releases with live nodes, at most BREAKER_PEERS_ALIVE_MAX; the own one may be in it */
    size_t num_alive;
    const breaker_release_id_t *alive;
    /** how many nodes the cluster has; 0: not known. What nobody waits for is spread by it */
    uint32_t num_nodes;
    /** where this node itself is reached, "" where it is not: nobody asks itself */
    char address[BREAKER_ADVERTISE_MAX + 1];
    /** the cluster's keys, the newest first: it signs, all are accepted */
    size_t num_keys;
    uint8_t keys[BREAKER_PEER_KEYS_MAX][BREAKER_PEER_KEY_LEN];
    /** what has to be added to this machine's clock, in ms, to have the cluster's */
    int64_t clock_offset_ms;
    /** the cluster's store was asked for all of it lately; false: it is what was known before */
    bool is_current;
} breaker_peers_t;

#ifdef __cplusplus
}
#endif

#endif
