#ifndef BREAKER_TOKEN_H
#define BREAKER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the longest token, in bytes, without a final NUL */
#define BREAKER_TOKEN_MAX 64
/** what a minted token is padded to with leading zeros */
#define BREAKER_TOKEN_MINT_DIGITS 12

/**
 * A token: what stands in the URL of an asset and names the deploy that it belongs to. Plain value.
 * `text` is NUL-ended for logs; `len` counts without the NUL. A zeroed token (`len` 0) is no token.
 */
typedef struct st_breaker_token_t {
    uint8_t len;
    char text[BREAKER_TOKEN_MAX + 1];
} breaker_token_t;

/**
 * Tells whether the bytes are a token: 1 to 64 of `A-Z a-z 0-9 . _ ~ -`, but not "." or "..", which
 * clients and servers remove from a path (RFC 3986 §5.2.4). Pure; any thread.
 */
BREAKER_EXPORT bool breaker_token_is_valid(const char *base, size_t len);

/**
 * Copies `len` bytes into `*ret_token`. Fails with BREAKER_ERR_TOKEN_SYNTAX when they are not a
 * token. Pure; any thread.
 */
BREAKER_EXPORT int breaker_token_parse(const char *base, size_t len, breaker_token_t *ret_token);

/**
 * Makes a token of a moment: `now_ms`, milliseconds since the epoch, in decimal, padded with zeros
 * to twelve digits. Fails with BREAKER_ERR_RANGE from 2^53 on, where a double would round. Pure;
 * any thread.
 */
BREAKER_EXPORT int breaker_token_mint(uint64_t now_ms, breaker_token_t *ret_token);

/** Tells whether two tokens are the same bytes. Pure; any thread. */
BREAKER_EXPORT bool breaker_token_equal(const breaker_token_t *a, const breaker_token_t *b);

#ifdef __cplusplus
}
#endif

#endif
