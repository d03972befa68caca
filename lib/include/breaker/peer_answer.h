#ifndef BREAKER_PEER_ANSWER_H
#define BREAKER_PEER_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>
#include <breaker/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a node answers the other nodes of its cluster, for the HTTP server around it: GET below
 * BREAKER_PEER_PREFIX. A host asks a gate, one a thread, and declines the request where that knows
 * no member in it; else it sends what the answer gives, with the header BREAKER_PEER_MEMBER_HEADER
 * "1" and `Cache-Control: no-store`. A node answers with what it has, and never fetches for a peer.
 */

/** what the paths between nodes begin with */
#define BREAKER_PEER_PREFIX "/.well-known/h2o-breaker/"
/** the request's signature; names of headers are in small letters */
#define BREAKER_PEER_AUTH_HEADER "x-breaker-auth"
/**
 * stands in every answer to a member, "1", whatever its status: an answer without it is from
 * somebody who does not know the one who asks, and its status says nothing
 */
#define BREAKER_PEER_MEMBER_HEADER "x-breaker-member"
/** the most bytes that are given at a time */
#define BREAKER_PEER_PIECE_MAX 65536

/** Who may ask: the keys of the node's cluster, as one thread knows them. */
typedef struct st_breaker_peer_gate_t breaker_peer_gate_t;

/** Makes a gate of a node, which outlives it. NULL when out of memory. */
BREAKER_EXPORT breaker_peer_gate_t *breaker_peer_gate_create(breaker_node_t *node);
/** Frees it; takes NULL. */
BREAKER_EXPORT void breaker_peer_gate_free(breaker_peer_gate_t *gate);

/** What a request gets. */
typedef enum en_breaker_peer_verdict_t {
    /** it is none of a member's: it gets what any unknown path gets */
    BREAKER_PEER_STRANGER,
    /** 404: this is not here */
    BREAKER_PEER_NOT_HERE,
    /** 503: it is here, and cannot be sent at this moment */
    BREAKER_PEER_NOT_NOW,
    /** 200 with text: a list or a manifest */
    BREAKER_PEER_TEXT,
    /** 200, or 206 with a part: the bytes of a blob */
    BREAKER_PEER_BLOB,
} breaker_peer_verdict_t;

/** What is sent, for as long as that takes: it keeps what it is made of. */
typedef struct st_breaker_peer_answer_t breaker_peer_answer_t;

/**
 * Judges a GET: `path` is what stands in its request line, `auth` the value of its
 * BREAKER_PEER_AUTH_HEADER. With BREAKER_PEER_TEXT and BREAKER_PEER_BLOB `*ret_answer` is the
 * caller's. A request that is not signed costs no lock, no allocation and no look at what the node
 * has. The gate's thread. Out of memory it is BREAKER_PEER_NOT_NOW.
 */
BREAKER_EXPORT breaker_peer_verdict_t breaker_peer_gate_ask(breaker_peer_gate_t *gate,
                                                            const char *path, size_t path_len,
                                                            const char *auth, size_t auth_len,
                                                            breaker_peer_answer_t **ret_answer);

/** Bytes of the body, or UINT64_MAX where that is known only at its end: a manifest. */
BREAKER_EXPORT uint64_t breaker_peer_answer_len(const breaker_peer_answer_t *answer);

/** Restricts a blob's answer to `len` bytes from `first` on, which are within it; before the first
 * `breaker_peer_answer_next`. */
BREAKER_EXPORT void breaker_peer_answer_restrict(breaker_peer_answer_t *answer, uint64_t first,
                                                 uint64_t len);

/**
 * Gives the next bytes, at most BREAKER_PEER_PIECE_MAX: `*ret_base` is borrowed until the next call
 * and `*ret_len` is 0 at the end. Fails with BREAKER_ERR_CHANGED or BREAKER_ERR_IO for a file that
 * cannot be sent any more: the answer is to be broken off. One thread at a time.
 */
BREAKER_EXPORT int breaker_peer_answer_next(breaker_peer_answer_t *answer, const char **ret_base,
                                            size_t *ret_len);

/** Frees it; takes NULL. */
BREAKER_EXPORT void breaker_peer_answer_free(breaker_peer_answer_t *answer);

#ifdef __cplusplus
}
#endif

#endif
