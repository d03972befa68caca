#ifndef BREAKER_HANDLERS_DECODE_H
#define BREAKER_HANDLERS_DECODE_H

#include <stdbool.h>
#include <stddef.h>

/** What a Content-Encoding comes to. */
typedef enum en_breaker__coding_t {
    BREAKER__CODING_IDENTITY,
    /** RFC 1952, one member or several */
    BREAKER__CODING_GZIP,
    /** RFC 1950 as the standard says, or RFC 1951 as many servers send it */
    BREAKER__CODING_DEFLATE,
    /** RFC 7932 */
    BREAKER__CODING_BROTLI,
    /** RFC 8878, with the window of at most 8 MiB that RFC 9659 allows */
    BREAKER__CODING_ZSTD,
    /** any other one, or several on top of each other */
    BREAKER__CODING_OTHER,
} breaker__coding_t;

/**
 * Adds the codings that a Content-Encoding field value lists to what was listed before: start with
 * BREAKER__CODING_IDENTITY and hand in every field of that name. Pure.
 */
breaker__coding_t breaker__coding_add(breaker__coding_t before, const char *value, size_t len);

/** A stream of encoded bytes that is decoded piece by piece. */
typedef struct st_breaker__decoder_t breaker__decoder_t;

/** Makes a decoder for one of the codings between IDENTITY and OTHER; NULL without memory. */
breaker__decoder_t *breaker__decoder_create(breaker__coding_t coding);
/** Frees it; takes NULL. */
void breaker__decoder_free(breaker__decoder_t *decoder);

/**
 * Decodes from `*src`, which it moves forward, into the `dst_size` bytes at `dst`, and says how
 * many it wrote. When `dst` came out full there may be more without further input. Fails with
 * BREAKER_ERR_NOT_ENCODED on corrupt bytes and on bytes behind the end, and with
 * BREAKER_ERR_NO_MEMORY; the decoder is then only good to be freed.
 */
int breaker__decoder_run(breaker__decoder_t *decoder, const char **src, size_t *src_len, char *dst,
                         size_t dst_size, size_t *ret_len);

/** Tells whether the input could end here: at the end of a stream, or before its first byte. */
bool breaker__decoder_is_complete(const breaker__decoder_t *decoder);

#endif
