/*
 * Whether an encoded body is the encoding of another one. Siblings on disk are made by other
 * programs at other times; serving one that belongs to an earlier content would hand out stale
 * bytes under a fresh token, so each is decoded and compared.
 *
 * What comes out of the decoder is compared piece by piece and ends at the first difference or at
 * the first byte too many: a decompression bomb costs one piece. Anything that is not a complete
 * stream, or has bytes behind it, is refused, and so is a zstd window above 8 MiB, which browsers
 * do not take (RFC 9659 §3).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <breaker/error.h>
#include "encoding/coding.h"

#define PIECE 65536
/** RFC 9659 §3 */
#define WINDOW_LOG_MAX 23

typedef struct st_decoder_t {
    breaker_encoding_t encoding;
    BrotliDecoderState *brotli; /* owned */
    ZSTD_DCtx *zstd;            /* owned */
    z_stream gzip;
    bool has_gzip;
    /** everything fed so far is a complete stream */
    bool complete;
} decoder_t;

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
    decoder_t decoder;
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

static int decoder_init(decoder_t *decoder, breaker_encoding_t encoding)
{
    bool ready = false;

    decoder->encoding = encoding;
    switch (encoding) {
    case BREAKER_ENCODING_BROTLI:
        decoder->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        ready = decoder->brotli != NULL;
        break;
    case BREAKER_ENCODING_ZSTD:
        decoder->zstd = ZSTD_createDCtx();
        ready = decoder->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                             decoder->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
        break;
    case BREAKER_ENCODING_GZIP:
        ready = inflateInit2(&decoder->gzip, MAX_WBITS + 16) == Z_OK;
        decoder->has_gzip = ready;
        break;
    case BREAKER_ENCODING_IDENTITY:
        break;
    }
    return ready ? 0 : BREAKER_ERR_NO_MEMORY;
}

static void decoder_dispose(decoder_t *decoder)
{
    if (decoder->brotli != NULL)
        BrotliDecoderDestroyInstance(decoder->brotli);
    ZSTD_freeDCtx(decoder->zstd);
    if (decoder->has_gzip)
        inflateEnd(&decoder->gzip);
}

static int step_brotli(decoder_t *decoder, source_t *in, char *dst, size_t *ret_len)
{
    uint8_t *out = (uint8_t *)dst;
    const uint8_t *next = (const uint8_t *)in->base;
    size_t room = PIECE;
    BrotliDecoderResult result;

    if (decoder->complete)
        return BREAKER_ERR_NOT_ENCODED;
    result = BrotliDecoderDecompressStream(decoder->brotli, &in->len, &next, &room, &out, NULL);
    in->base = (const char *)next;
    *ret_len = PIECE - room;
    if (result == BROTLI_DECODER_RESULT_ERROR)
        return BREAKER_ERR_NOT_ENCODED;
    decoder->complete = result == BROTLI_DECODER_RESULT_SUCCESS;
    return 0;
}

static int step_zstd(decoder_t *decoder, source_t *in, char *dst, size_t *ret_len)
{
    ZSTD_inBuffer input = {in->base, in->len, 0};
    ZSTD_outBuffer output = {dst, PIECE, 0};
    size_t left = ZSTD_decompressStream(decoder->zstd, &output, &input);

    if (ZSTD_isError(left))
        return BREAKER_ERR_NOT_ENCODED;
    in->base += input.pos;
    in->len -= input.pos;
    *ret_len = output.pos;
    decoder->complete = left == 0;
    return 0;
}

static int step_gzip(decoder_t *decoder, source_t *in, char *dst, size_t *ret_len)
{
    z_stream *stream = &decoder->gzip;
    uInt fed = in->len < UINT32_MAX ? (uInt)in->len : UINT32_MAX;
    int status;

    /* a further member begins (RFC 1952 §2.2) */
    if (decoder->complete && inflateReset(stream) != Z_OK)
        return BREAKER_ERR_NOT_ENCODED;
    stream->next_in = (Bytef *)(uintptr_t)in->base;
    stream->avail_in = fed;
    stream->next_out = (Bytef *)dst;
    stream->avail_out = PIECE;
    status = inflate(stream, Z_NO_FLUSH);
    in->base += fed - stream->avail_in;
    in->len -= fed - stream->avail_in;
    *ret_len = PIECE - stream->avail_out;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return BREAKER_ERR_NOT_ENCODED;
    decoder->complete = status == Z_STREAM_END;
    return 0;
}

/** Decodes into `dst`, PIECE bytes, as far as the piece at hand goes. */
static int decoder_step(decoder_t *decoder, source_t *in, char *dst, size_t *ret_len)
{
    switch (decoder->encoding) {
    case BREAKER_ENCODING_BROTLI:
        return step_brotli(decoder, in, dst, ret_len);
    case BREAKER_ENCODING_ZSTD:
        return step_zstd(decoder, in, dst, ret_len);
    case BREAKER_ENCODING_GZIP:
        return step_gzip(decoder, in, dst, ret_len);
    case BREAKER_ENCODING_IDENTITY:
        break;
    }
    return BREAKER_ERR_NOT_ENCODED;
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

static int compare(comparison_t *comparison)
{
    source_t *in = &comparison->encoded, *expected = &comparison->expected;
    size_t got, before;
    int err;

    for (;;) {
        if ((err = source_fill(in)) != 0)
            return err;
        if (in->len == 0 && comparison->decoder.complete)
            break;
        before = in->len;
        if ((err = decoder_step(&comparison->decoder, in, comparison->out, &got)) != 0)
            return err;
        if ((err = match(expected, comparison->out, got)) != 0)
            return err;
        /* nothing came and nothing went: the stream is cut off */
        if (got == 0 && in->len == before && !comparison->decoder.complete)
            return BREAKER_ERR_NOT_ENCODED;
    }
    if ((err = source_fill(expected)) != 0)
        return err;
    return expected->len == 0 ? 0 : BREAKER_ERR_NOT_ENCODED;
}

int breaker__decodes_to(breaker_encoding_t encoding, const breaker_variant_t *encoded,
                        const breaker_variant_t *expected)
{
    comparison_t *comparison;
    int err;

    assert(encoding != BREAKER_ENCODING_IDENTITY);
    if ((comparison = calloc(1, sizeof(*comparison))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    comparison->encoded.variant = encoded;
    comparison->expected.variant = expected;
    if ((err = decoder_init(&comparison->decoder, encoding)) == 0)
        err = compare(comparison);
    decoder_dispose(&comparison->decoder);
    free(comparison);
    return err;
}
