#ifndef BREAKER_HTTP_ENCODING_H
#define BREAKER_HTTP_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The content codings that assets come in, in the order in which the server prefers them when a
 * client likes several equally (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
 */
typedef enum en_breaker_encoding_t {
    BREAKER_ENCODING_BROTLI,
    BREAKER_ENCODING_ZSTD,
    BREAKER_ENCODING_GZIP,
    BREAKER_ENCODING_IDENTITY,
} breaker_encoding_t;

/** how many there are */
#define BREAKER_ENCODINGS 4

/** The encodings that a client accepts, the best first. Plain value. */
typedef struct st_breaker_acceptable_t {
    uint8_t num;
    uint8_t encodings[BREAKER_ENCODINGS];
} breaker_acceptable_t;

/** The name in Content-Encoding: "br", "zstd", "gzip", "identity". Static memory. */
BREAKER_EXPORT const char *breaker_encoding_name(breaker_encoding_t encoding);

/**
 * Reads an Accept-Encoding field value (RFC 9110 §12.5.3): weights in thousandths, `*`, `x-gzip`,
 * case-insensitive names. Higher weights come first, the server's order decides among equals,
 * weight 0 removes, identity is acceptable unless removed by name or by `*;q=0`, and comes last
 * unless weighted higher than the others. `*` gives its weight to what is not named, identity
 * included; a coding that is named twice counts with its lowest weight. A malformed member is
 * ignored. `base` NULL means that the field is absent: identity only (a client that says nothing
 * gets no coding). An empty value means identity only. Nothing may be left at all
 * (`identity;q=0`): `num` is 0 then. Pure, no allocation; any thread.
 */
BREAKER_EXPORT void breaker_encoding_negotiate(const char *base, size_t len,
                                               breaker_acceptable_t *ret_acceptable);

#ifdef __cplusplus
}
#endif

#endif
