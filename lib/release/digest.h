#ifndef BREAKER_RELEASE_DIGEST_H
#define BREAKER_RELEASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <breaker/store.h>

/**
 * A SHA-256 in the making, used again for one file after another: fetching the algorithm and
 * making a context cost more than hashing a small file. One thread at a time.
 */
typedef struct st_breaker__hasher_t {
    EVP_MD *algorithm;   /* owned */
    EVP_MD_CTX *context; /* owned */
} breaker__hasher_t;

/** Fails with BREAKER_ERR_NO_MEMORY, which is also what a libcrypto without SHA-256 comes to. */
int breaker__hasher_init(breaker__hasher_t *hasher);
/** Takes a zeroed one as well. */
void breaker__hasher_dispose(breaker__hasher_t *hasher);
/** Begins a digest; what was begun before is forgotten. */
int breaker__hasher_begin(breaker__hasher_t *hasher);
int breaker__hasher_feed(breaker__hasher_t *hasher, const void *base, size_t len);
/** Writes the BREAKER_DIGEST_LEN bytes of what was fed since the beginning. */
int breaker__hasher_end(breaker__hasher_t *hasher, uint8_t *dst);
/** Begin, feed, end. */
int breaker__hash(breaker__hasher_t *hasher, const void *base, size_t len, uint8_t *dst);

/** characters of a whole digest in base64url (RFC 4648 §5), without padding */
#define BREAKER_DIGEST_TEXT_LEN 43
/** Writes a digest in base64url and a NUL: BREAKER_DIGEST_TEXT_LEN + 1 bytes. */
void breaker__digest_text(const uint8_t *digest, char *dst);
/** Writes the entity tag of a digest, quotes and a NUL included: BREAKER_ETAG_LEN + 1 bytes. */
void breaker__etag_format(const uint8_t *digest, char *dst);
/** Writes a digest in 2 * BREAKER_DIGEST_LEN small hexadecimal digits and a NUL. */
void breaker__digest_format(const uint8_t *digest, char *dst);

#endif
