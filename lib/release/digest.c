/*
 * SHA-256 by libcrypto, which picks the processor's instructions for it, and the texts that a
 * digest is seen as. An entity tag carries the first 132 bits: enough that no two contents ever
 * share one, short enough for every answer.
 */
#include <assert.h>
#include <string.h>
#include <breaker/error.h>
#include "release/digest.h"

int breaker__hasher_init(breaker__hasher_t *hasher)
{
    hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->algorithm != NULL && hasher->context != NULL)
        return 0;
    breaker__hasher_dispose(hasher);
    return BREAKER_ERR_NO_MEMORY;
}

void breaker__hasher_dispose(breaker__hasher_t *hasher)
{
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    memset(hasher, 0, sizeof(*hasher));
}

int breaker__hasher_begin(breaker__hasher_t *hasher)
{
    assert(hasher->context != NULL);
    return EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL) ? 0 : BREAKER_ERR_NO_MEMORY;
}

int breaker__hasher_feed(breaker__hasher_t *hasher, const void *base, size_t len)
{
    return EVP_DigestUpdate(hasher->context, base, len) ? 0 : BREAKER_ERR_NO_MEMORY;
}

int breaker__hasher_end(breaker__hasher_t *hasher, uint8_t *dst)
{
    unsigned len;

    if (!EVP_DigestFinal_ex(hasher->context, dst, &len))
        return BREAKER_ERR_NO_MEMORY;
    assert(len == BREAKER_DIGEST_LEN);
    return 0;
}

int breaker__hash(breaker__hasher_t *hasher, const void *base, size_t len, uint8_t *dst)
{
    int err;

    if ((err = breaker__hasher_begin(hasher)) != 0)
        return err;
    if ((err = breaker__hasher_feed(hasher, base, len)) != 0)
        return err;
    return breaker__hasher_end(hasher, dst);
}

/* base64url of a digest's first bits, six a character; beyond its end they are 0 */
static void write_base64(const uint8_t *digest, char *dst, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_";
    const uint8_t *end = digest + BREAKER_DIGEST_LEN;
    uint32_t bits = 0;
    unsigned num_bits = 0;

    assert(len <= BREAKER_DIGEST_TEXT_LEN);
    for (size_t i = 0; i != len; ++i) {
        if (num_bits < 6) {
            bits = bits << 8 | (digest != end ? *digest++ : 0);
            num_bits += 8;
        }
        num_bits -= 6;
        dst[i] = alphabet[bits >> num_bits & 63];
    }
}

void breaker__digest_text(const uint8_t *digest, char *dst)
{
    write_base64(digest, dst, BREAKER_DIGEST_TEXT_LEN);
    dst[BREAKER_DIGEST_TEXT_LEN] = '\0';
}

void breaker__etag_format(const uint8_t *digest, char *dst)
{
    dst[0] = '"';
    write_base64(digest, dst + 1, BREAKER_ETAG_LEN - 2);
    dst[BREAKER_ETAG_LEN - 1] = '"';
    dst[BREAKER_ETAG_LEN] = '\0';
}

void breaker__digest_format(const uint8_t *digest, char *dst)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i != BREAKER_DIGEST_LEN; ++i) {
        *dst++ = digits[digest[i] >> 4];
        *dst++ = digits[digest[i] & 15];
    }
    *dst = '\0';
}
