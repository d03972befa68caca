/*
 * Undoes content codings, of pages that an application encoded and of files that claim to be an
 * encoding of others. Three libraries with one shape between them: bytes in, bytes out, and a
 * verdict on whether the stream is at an end. Nothing is buffered here beyond the window of the
 * coding, and bytes that follow the end of a stream are an error rather than dropped: what was cut
 * or glued together must not pass for a whole.
 */
#define ZLIB_CONST
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <breaker/error.h>
#include <breaker/http/decoder.h>
#include "encoding/decoder.h"

/* RFC 9659 §3: a decoder of the zstd content coding supports windows of up to 8 MiB */
enum { ZSTD_WINDOW_LOG_MAX = 23 };

struct st_breaker_decoder_t {
    breaker_coding_t coding;
    /** the library has been given something; the end of a stream was seen and no byte since */
    bool begun, ended;
    size_t num_streams;
    union {
        z_stream zlib;
        BrotliDecoderState *brotli; /* owned */
        ZSTD_DStream *zstd;         /* owned */
    } state;
};

/* what one pass works on */
typedef struct st_pass_t {
    const char *src;
    size_t src_len;
    char *dst;
    size_t dst_len;
} pass_t;

/* ---- zlib ---- */

/* A zlib header's first byte names method 8 and a window of at most 32 KiB; a raw deflate stream
 * that begins with such a byte would open with a stored block after odd padding bits. */
static bool looks_like_zlib(unsigned char first)
{
    return (first & 0x0f) == 8 && (first >> 4) <= 7;
}

static int begin_zlib(breaker_decoder_t *decoder, unsigned char first)
{
    int window_bits = MAX_WBITS;

    if (decoder->coding == BREAKER_CODING_GZIP)
        window_bits += 16;
    else if (!looks_like_zlib(first))
        window_bits = -window_bits;
    if (inflateInit2(&decoder->state.zlib, window_bits) != Z_OK)
        return BREAKER_ERR_NO_MEMORY;
    decoder->begun = true;
    return 0;
}

static int run_zlib(breaker_decoder_t *decoder, pass_t *pass)
{
    z_stream *zlib = &decoder->state.zlib;
    int err, status;

    if (!decoder->begun && (err = begin_zlib(decoder, (unsigned char)*pass->src)) != 0)
        return err;
    if (decoder->ended) {
        if (decoder->coding != BREAKER_CODING_GZIP)
            return BREAKER_ERR_NOT_ENCODED;
        /* a further member begins (RFC 1952 §2.2) */
        inflateReset(zlib);
        decoder->ended = false;
    }

    zlib->next_in = (const Bytef *)pass->src;
    zlib->avail_in = pass->src_len < UINT_MAX ? (uInt)pass->src_len : UINT_MAX;
    zlib->next_out = (Bytef *)pass->dst;
    zlib->avail_out = pass->dst_len < UINT_MAX ? (uInt)pass->dst_len : UINT_MAX;
    status = inflate(zlib, Z_NO_FLUSH);
    pass->src_len -= (size_t)((const char *)zlib->next_in - pass->src);
    pass->src = (const char *)zlib->next_in;
    pass->dst_len -= (size_t)((char *)zlib->next_out - pass->dst);
    pass->dst = (char *)zlib->next_out;

    decoder->ended = status == Z_STREAM_END;
    if (status == Z_MEM_ERROR)
        return BREAKER_ERR_NO_MEMORY;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR
               ? 0
               : BREAKER_ERR_NOT_ENCODED;
}

/* ---- brotli ---- */

static int run_brotli(breaker_decoder_t *decoder, pass_t *pass)
{
    const uint8_t *next_in = (const uint8_t *)pass->src;
    uint8_t *next_out = (uint8_t *)pass->dst;
    BrotliDecoderResult result;

    if (decoder->ended)
        return BREAKER_ERR_NOT_ENCODED;
    decoder->begun = true;
    result = BrotliDecoderDecompressStream(decoder->state.brotli, &pass->src_len, &next_in,
                                           &pass->dst_len, &next_out, NULL);
    pass->src = (const char *)next_in;
    pass->dst = (char *)next_out;
    decoder->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
    return result == BROTLI_DECODER_RESULT_ERROR ? BREAKER_ERR_NOT_ENCODED : 0;
}

/* ---- zstd ---- */

static int run_zstd(breaker_decoder_t *decoder, pass_t *pass)
{
    ZSTD_inBuffer in = {pass->src, pass->src_len, 0};
    ZSTD_outBuffer out = {pass->dst, pass->dst_len, 0};
    size_t left;

    decoder->begun = true;
    left = ZSTD_decompressStream(decoder->state.zstd, &out, &in);
    pass->src += in.pos;
    pass->src_len -= in.pos;
    pass->dst += out.pos;
    pass->dst_len -= out.pos;
    decoder->ended = left == 0;
    return ZSTD_isError(left) ? BREAKER_ERR_NOT_ENCODED : 0;
}

/* ---- all of them ---- */

static bool begin(breaker_decoder_t *decoder)
{
    if (decoder->coding == BREAKER_CODING_BROTLI) {
        decoder->state.brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        return decoder->state.brotli != NULL;
    }
    if (decoder->coding == BREAKER_CODING_ZSTD) {
        decoder->state.zstd = ZSTD_createDStream();
        return decoder->state.zstd != NULL &&
               !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->state.zstd, ZSTD_d_windowLogMax,
                                                    ZSTD_WINDOW_LOG_MAX));
    }
    return true;
}

breaker_decoder_t *breaker_decoder_create(breaker_coding_t coding)
{
    breaker_decoder_t *decoder = calloc(1, sizeof(*decoder));

    assert(coding > BREAKER_CODING_IDENTITY);
    assert(coding < BREAKER_CODING_OTHER);
    if (decoder == NULL)
        return NULL;
    decoder->coding = coding;
    if (!begin(decoder)) {
        breaker_decoder_free(decoder);
        return NULL;
    }
    return decoder;
}

void breaker_decoder_free(breaker_decoder_t *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->coding == BREAKER_CODING_BROTLI)
        BrotliDecoderDestroyInstance(decoder->state.brotli);
    else if (decoder->coding == BREAKER_CODING_ZSTD)
        ZSTD_freeDStream(decoder->state.zstd);
    else if (decoder->begun)
        inflateEnd(&decoder->state.zlib);
    free(decoder);
}

static int run(breaker_decoder_t *decoder, pass_t *pass)
{
    if (decoder->coding == BREAKER_CODING_BROTLI)
        return run_brotli(decoder, pass);
    if (decoder->coding == BREAKER_CODING_ZSTD)
        return run_zstd(decoder, pass);
    return run_zlib(decoder, pass);
}

int breaker_decoder_run(breaker_decoder_t *decoder, const char **src, size_t *src_len, char *dst,
                        size_t dst_size, size_t *ret_len)
{
    pass_t pass = {*src, *src_len, dst, dst_size};
    bool begins = breaker_decoder_is_complete(decoder);
    int err;

    assert(dst_size != 0);
    /* without input there is something to do only in the middle of a stream */
    if (*src_len == 0 && begins) {
        *ret_len = 0;
        return 0;
    }
    if ((err = run(decoder, &pass)) != 0)
        return err;
    /* whoever calls goes on until the input is used up, so it must be */
    if (pass.src_len == *src_len && *src_len != 0 && pass.dst_len == dst_size)
        return BREAKER_ERR_NOT_ENCODED;

    decoder->num_streams += begins;
    *src = pass.src;
    *src_len = pass.src_len;
    *ret_len = dst_size - pass.dst_len;
    return 0;
}

bool breaker_decoder_is_complete(const breaker_decoder_t *decoder)
{
    assert(decoder->begun || !decoder->ended);
    return decoder->ended || !decoder->begun;
}

size_t breaker__decoder_num_streams(const breaker_decoder_t *decoder)
{
    assert(decoder->coding == BREAKER_CODING_GZIP || decoder->coding == BREAKER_CODING_ZSTD ||
           decoder->num_streams <= 1);
    return decoder->num_streams;
}
