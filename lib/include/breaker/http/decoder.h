#ifndef BREAKER_HTTP_DECODER_H
#define BREAKER_HTTP_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The content codings that can be undone: those that are sent (breaker/http/encoding.h), and one.
 */
typedef enum en_breaker_coding_t {
    BREAKER_CODING_IDENTITY,
    /** RFC 1952, one member or several */
    BREAKER_CODING_GZIP,
    /** RFC 1950 as RFC 9110 §8.4.1.2 says, or RFC 1951 as many servers send it */
    BREAKER_CODING_DEFLATE,
    /** RFC 7932 */
    BREAKER_CODING_BROTLI,
    /** RFC 8878, one frame or several, with the window of at most 8 MiB that RFC 9659 §3 allows */
    BREAKER_CODING_ZSTD,
    /** any other one, or several on top of each other: cannot be undone */
    BREAKER_CODING_OTHER,
} breaker_coding_t;

/**
 * A stream of encoded bytes that is decoded piece by piece: bytes in, bytes out, and whether the
 * input is at an end. Used by one thread at a time.
 */
typedef struct st_breaker_decoder_t breaker_decoder_t;

/** Makes a decoder for one of the codings between IDENTITY and OTHER; NULL without memory. */
BREAKER_EXPORT breaker_decoder_t *breaker_decoder_create(breaker_coding_t coding);
/** Frees it; takes NULL. */
BREAKER_EXPORT void breaker_decoder_free(breaker_decoder_t *decoder);

/**
 * Decodes from `*src`, which it moves forward by what it took of the `*src_len` bytes, into the
 * `dst_size` bytes at `dst`, at least 1, and says how many it wrote. When `dst` came out full there
 * may be more without further input. Memory is the coding's window, whatever comes in. Fails with
 * BREAKER_ERR_NOT_ENCODED on corrupt bytes, on a window that is too large and on bytes after the
 * end, and with BREAKER_ERR_NO_MEMORY; the decoder is then only good to be freed.
 */
BREAKER_EXPORT int breaker_decoder_run(breaker_decoder_t *decoder, const char **src,
                                       size_t *src_len, char *dst, size_t dst_size,
                                       size_t *ret_len);

/** Tells whether the input could end here: at the end of a stream, or before its first byte. */
BREAKER_EXPORT bool breaker_decoder_is_complete(const breaker_decoder_t *decoder);

#ifdef __cplusplus
}
#endif

#endif
