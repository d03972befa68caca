#ifndef BREAKER_PEERS_AUTH_H
#define BREAKER_PEERS_AUTH_H

/*
 * How nodes know each other. Every request between nodes carries
 *
 *   X-Breaker-Auth: <seconds since the epoch> <HMAC-SHA-256 in 64 small hexadecimal digits>
 *
 * over the text "GET\n<path>\n<seconds>\n" under a key that the cluster keeps in Redis: who may
 * speak to the cluster's Redis is a member, and nobody else. The time is that of Redis, so that the
 * clocks of nodes need not agree. The path is what stands in the request line. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/peer.h>
#include <breaker/peer_answer.h>

/** how far the time of a request may be from the verifier's, in seconds, either way */
#define BREAKER__AUTH_WINDOW_S 30
/** the longest path that is signed, in bytes: the longest below BREAKER_PEER_PREFIX fits */
#define BREAKER__AUTH_PATH_MAX 255
/** the longest value of the header, its NUL left out: 20 digits, a space, 64 digits */
#define BREAKER__AUTH_MAX 85

/**
 * The keys of a cluster, and how far Redis's clock is ahead of this machine's in milliseconds
 * (behind: below 0). `keys[0]` is the newest, which requests are signed with. Plain value; zeroed
 * (`num` 0) nobody is a member.
 */
typedef struct st_breaker__peer_keys_t {
    size_t num;
    uint8_t keys[BREAKER_PEER_KEYS_MAX][BREAKER_PEER_KEY_LEN];
    int64_t clock_offset_ms;
} breaker__peer_keys_t;

/** The cluster's time in seconds, by this machine's clock and the offset. Any thread. */
uint64_t breaker__auth_now_s(const breaker__peer_keys_t *keys);

/**
 * Writes the header's value for a GET of `path`, at most BREAKER__AUTH_PATH_MAX bytes, and a NUL to
 * `dst`, which has BREAKER__AUTH_MAX + 1 bytes. `at` is the number of the key, below `keys->num`.
 * Fails with BREAKER_ERR_NO_MEMORY (libcrypto's), or BREAKER_ERR_TOO_LONG for a longer path. Pure;
 * any thread.
 */
int breaker__auth_sign(const breaker__peer_keys_t *keys, size_t at, const char *path,
                       size_t path_len, uint64_t now_s, char *dst);

/**
 * Tells whether `value`, of a request that is a GET of `path`, was made under one of the keys and
 * at most BREAKER__AUTH_WINDOW_S from `now_s`. Anything may stand in it; what has not exactly the
 * form above is refused before a key is used. The comparison takes the same time wherever the
 * digits differ. Pure; any thread.
 */
bool breaker__auth_verify(const breaker__peer_keys_t *keys, const char *path, size_t path_len,
                          const char *value, size_t value_len, uint64_t now_s);

#endif
