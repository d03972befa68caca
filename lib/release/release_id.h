#ifndef BREAKER_RELEASE_RELEASE_ID_H
#define BREAKER_RELEASE_RELEASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release_id.h>

/**
 * Tells whether the bytes are an id: 1 to BREAKER_RELEASE_ID_MAX of `A-Z a-z 0-9 . _ ~ -`, but not
 * "." or "..". Pure; any thread.
 */
bool breaker__release_id_is_valid(const char *base, size_t len);

/**
 * Makes the id of a label, a valid token or a zeroed one for none, and of a digest of 32 bytes.
 * Pure; any thread.
 */
breaker_release_id_t breaker__release_id_make(const breaker_token_t *label, const uint8_t *digest);

/**
 * Tells whether two ids have the same label, but not the same digest: files were changed under a
 * label that was in use, or a build does not give the same bytes twice. False where an id lacks
 * either. Pure.
 */
bool breaker__release_id_clashes(const breaker_release_id_t *a, const breaker_release_id_t *b);

#endif
