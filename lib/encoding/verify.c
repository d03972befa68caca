/*
 * Whether an encoded body is the encoding of another one. Siblings on disk are made by other
 * programs at other times; serving one that belongs to an earlier content would hand out stale
 * bytes under a fresh token, so each is decoded and compared.
 *
 * What comes out of the decoder is compared piece by piece and ends at the first difference or at
 * the first byte too many: a decompression bomb costs one piece. Anything that is not a complete
 * stream, or has bytes after it, is refused, and so is what only some clients read whole: a zstd
 * window above 8 MiB (RFC 9659 §3), and a second member of gzip, which RFC 1952 §2.2 allows and at
 * which browsers and proxies end the content without an error.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/http/decoder.h>
#include "encoding/coding.h"
#include "encoding/decoder.h"

#define PIECE 65536

/** A body read from its beginning to its end, from memory or from disk. */
typedef struct st_source_t {
    const breaker_variant_t *variant; /* borrowed */
    uint64_t at;
    /** what of the present piece is not used yet */
    const char *base;
    size_t len;
    char piece[PIECE];
} source_t;

typedef struct st_comparison_t {
    breaker_decoder_t *decoder; /* owned */
    source_t encoded;
    source_t expected;
    char out[PIECE];
} comparison_t;

/** Has the source show at least one byte, if it has any left. */
static int source_fill(source_t *source)
{
    uint64_t left = source->variant->len - source->at;
    int err;

    if (source->len != 0 || left == 0)
        return 0;
    if (source->variant->base != NULL) {
        source->base = source->variant->base;
        source->len = (size_t)left;
    } else {
        size_t len = left < PIECE ? (size_t)left : PIECE;

        if ((err = breaker_variant_read(source->variant, source->at, source->piece, len)) != 0)
            return err;
        source->base = source->piece;
        source->len = len;
    }
    source->at += source->len;
    return 0;
}

/** Whether the expected bytes go on with these. */
static int match(source_t *expected, const char *base, size_t len)
{
    int err;

    while (len != 0) {
        size_t part;

        if ((err = source_fill(expected)) != 0)
            return err;
        part = len < expected->len ? len : expected->len;
        if (part == 0 || memcmp(expected->base, base, part) != 0)
            return BREAKER_ERR_NOT_ENCODED;
        expected->base += part;
        expected->len -= part;
        base += part;
        len -= part;
    }
    return 0;
}

breaker_coding_t breaker__coding_of(breaker_encoding_t encoding)
{
    switch (encoding) {
    case BREAKER_ENCODING_BROTLI:
        return BREAKER_CODING_BROTLI;
    case BREAKER_ENCODING_ZSTD:
        return BREAKER_CODING_ZSTD;
    case BREAKER_ENCODING_GZIP:
        return BREAKER_CODING_GZIP;
    case BREAKER_ENCODING_IDENTITY:
        break;
    }
    return BREAKER_CODING_OTHER;
}

/** Decodes to the end of the source, or to the first difference. */
static int compare_all(comparison_t *comparison)
{
    source_t *in = &comparison->encoded, *expected = &comparison->expected;
    size_t got, before;
    int err;

    for (;;) {
        if ((err = source_fill(in)) != 0)
            return err;
        if (in->len == 0 && breaker_decoder_is_complete(comparison->decoder))
            break;
        before = in->len;
        if ((err = breaker_decoder_run(comparison->decoder, &in->base, &in->len, comparison->out,
                                       PIECE, &got)) != 0)
            return err;
        if ((err = match(expected, comparison->out, got)) != 0)
            return err;
        /* nothing came and nothing went: the stream is cut off */
        if (got == 0 && in->len == before && !breaker_decoder_is_complete(comparison->decoder))
            return BREAKER_ERR_NOT_ENCODED;
    }
    if ((err = source_fill(expected)) != 0)
        return err;
    return expected->len == 0 ? 0 : BREAKER_ERR_NOT_ENCODED;
}

static int compare(comparison_t *comparison, breaker_encoding_t encoding)
{
    size_t num_streams;
    int err;

    if ((err = compare_all(comparison)) != 0)
        return err;
    num_streams = breaker__decoder_num_streams(comparison->decoder);
    if (num_streams == 0)
        return BREAKER_ERR_NOT_ENCODED;
    return encoding == BREAKER_ENCODING_GZIP && num_streams != 1 ? BREAKER_ERR_TOO_MANY : 0;
}

int breaker__decodes_to(breaker_encoding_t encoding, const breaker_variant_t *encoded,
                        const breaker_variant_t *expected)
{
    comparison_t *comparison;
    int err = BREAKER_ERR_NO_MEMORY;

    assert(encoding != BREAKER_ENCODING_IDENTITY);
    if ((comparison = calloc(1, sizeof(*comparison))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    comparison->encoded.variant = encoded;
    comparison->expected.variant = expected;
    if ((comparison->decoder = breaker_decoder_create(breaker__coding_of(encoding))) != NULL)
        err = compare(comparison, encoding);
    breaker_decoder_free(comparison->decoder);
    free(comparison);
    return err;
}
