#ifndef BREAKER_RELEASE_CODING_H
#define BREAKER_RELEASE_CODING_H

#include <stddef.h>
#include <breaker/http/decoder.h>
#include <breaker/http/encoding.h>
#include <breaker/store.h>
#include "encoding/pace.h"

/** bytes of the longest recipe, NUL included */
#define BREAKER_RECIPE_MAX 32

/**
 * Writes what the bytes of an encoding depend on besides the input, "1.0.9-q11.9-1": the version of
 * the library and how it is used. At most BREAKER_RECIPE_MAX bytes of A-Z a-z 0-9 . -.
 */
void breaker__encode_recipe(breaker_encoding_t encoding, char *dst);

/**
 * Encodes `len` bytes into at most `dst_size`, in the same way for the same input on every node.
 * Fails with BREAKER_ERR_TOO_LONG when they do not fit, with BREAKER_ERR_STATE when `pace`
 * says not to go on, and with BREAKER_ERR_NO_MEMORY. `encoding` is not identity.
 */
int breaker__encode(breaker_encoding_t encoding, const char *src, size_t len, char *dst,
                    size_t dst_size, breaker__pace_t *pace, size_t *ret_len);

/** What a decoder is made for to undo an encoding that is not identity. */
breaker_coding_t breaker__coding_of(breaker_encoding_t encoding);

/**
 * Tells whether `encoded`, whose bytes are in `encoding`, decodes to the bytes of `expected`: both
 * may be in memory or on disk. Returns 0, BREAKER_ERR_NOT_ENCODED, BREAKER_ERR_TOO_MANY where it
 * does so in several members of gzip, or what went wrong. Never decodes more than the expected
 * bytes and one piece.
 */
int breaker__decodes_to(breaker_encoding_t encoding, const breaker_variant_t *encoded,
                        const breaker_variant_t *expected);

#endif
