/*
 * Encoding of bodies that lie in memory. The output has a limit from the start: a coding that does
 * not become smaller is given up as soon as that shows. Input goes in by pieces, between which the
 * thread keeps its pace and a stop is noticed. At their best qualities brotli (a millisecond for a
 * kilobyte) and zstd work on all that they hold at once, so there each piece is flushed, which
 * costs 1 to 3 % of the size and bounds the wait to some 50 ms for text.
 *
 * The output depends on nothing but the input, so that entity tags agree between nodes.
 */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>
#include <breaker/error.h>
#include "encoding/coding.h"

/** up to this size the best quality, above it a good one */
#define BEST_MAX (128 * 1024)
#define PIECE (64 * 1024)
#define PIECE_BROTLI_BEST (32 * 1024)
#define PIECE_GZIP (16 * 1024)
#define BROTLI_BEST 11
#define BROTLI_GOOD 9
#define ZSTD_BEST 19
#define ZSTD_GOOD 12
#define GZIP_BEST 9
/** to be raised when anything else changes on which the output depends: pieces, flushes, windows */
#define RECIPE 1
/** 4 MiB: what every decoder has to take, for brotli and (RFC 9659) for zstd */
#define WINDOW_LOG 22

/** What is left of the input and of the room for output. */
typedef struct st_progress_t {
    const char *src;
    size_t src_left;
    char *dst;
    size_t dst_left;
    breaker__pace_t *pace; /* borrowed */
} progress_t;

static size_t next_piece(const progress_t *progress, size_t piece)
{
    return progress->src_left < piece ? progress->src_left : piece;
}

/** Feeds one piece to brotli until it is taken, and flushed where the operation says so. */
static int feed_brotli(BrotliEncoderState *state, progress_t *progress, size_t piece,
                       BrotliEncoderOperation operation)
{
    const uint8_t *in = (const uint8_t *)progress->src;
    uint8_t *out = (uint8_t *)progress->dst;
    size_t in_left = piece;

    do {
        if (!BrotliEncoderCompressStream(state, operation, &in_left, &in, &progress->dst_left, &out,
                                         NULL))
            return BREAKER_ERR_NO_MEMORY;
        if (progress->dst_left == 0 && !BrotliEncoderIsFinished(state))
            return BREAKER_ERR_TOO_LONG;
    } while (in_left != 0 || BrotliEncoderHasMoreOutput(state));
    progress->src += piece;
    progress->src_left -= piece;
    progress->dst = (char *)out;
    return 0;
}

static int encode_brotli(progress_t *progress)
{
    bool best = progress->src_left <= BEST_MAX;
    BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    int err = 0;

    if (state == NULL)
        return BREAKER_ERR_NO_MEMORY;
    BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, best ? BROTLI_BEST : BROTLI_GOOD);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, WINDOW_LOG);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT,
                              progress->src_left < UINT32_MAX ? (uint32_t)progress->src_left
                                                              : UINT32_MAX);
    while (err == 0 && !BrotliEncoderIsFinished(state)) {
        size_t piece = next_piece(progress, best ? PIECE_BROTLI_BEST : PIECE);
        BrotliEncoderOperation operation = best ? BROTLI_OPERATION_FLUSH : BROTLI_OPERATION_PROCESS;

        if (piece == progress->src_left)
            operation = BROTLI_OPERATION_FINISH;
        err = breaker__pace_go_on(progress->pace) ? feed_brotli(state, progress, piece, operation)
                                                  : BREAKER_ERR_STATE;
    }
    BrotliEncoderDestroyInstance(state);
    return err;
}

static int run_zstd(ZSTD_CCtx *context, progress_t *progress, ZSTD_EndDirective between)
{
    ZSTD_inBuffer in = {progress->src, 0, 0};
    ZSTD_outBuffer out = {progress->dst, progress->dst_left, 0};
    size_t left = 1;

    while (left != 0) {
        bool last;

        if (!breaker__pace_go_on(progress->pace))
            return BREAKER_ERR_STATE;
        if (in.pos == in.size)
            in.size += progress->src_left - in.size < PIECE ? progress->src_left - in.size : PIECE;
        last = in.size == progress->src_left;
        left = ZSTD_compressStream2(context, &out, &in, last ? ZSTD_e_end : between);
        if (ZSTD_isError(left))
            return BREAKER_ERR_NO_MEMORY;
        if (out.pos == out.size && left != 0)
            return BREAKER_ERR_TOO_LONG;
        if (!last)
            left = 1;
    }
    progress->dst += out.pos;
    progress->dst_left -= out.pos;
    return 0;
}

static int encode_zstd(progress_t *progress)
{
    bool best = progress->src_left <= BEST_MAX;
    int err;
    ZSTD_CCtx *context = ZSTD_createCCtx();

    if (context == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel,
                                            best ? ZSTD_BEST : ZSTD_GOOD)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_LOG)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, progress->src_left)))
        err = BREAKER_ERR_NO_MEMORY;
    else
        err = run_zstd(context, progress, best ? ZSTD_e_flush : ZSTD_e_continue);
    ZSTD_freeCCtx(context);
    return err;
}

/** Runs one piece through deflate; the output room is handed over by at most 4 GiB at once. */
static int feed_gzip(z_stream *stream, progress_t *progress, bool last)
{
    int status;

    do {
        size_t room = progress->dst_left < UINT32_MAX ? progress->dst_left : UINT32_MAX;

        stream->next_out = (Bytef *)progress->dst;
        stream->avail_out = (uInt)room;
        status = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
        progress->dst += room - stream->avail_out;
        progress->dst_left -= room - stream->avail_out;
        if (status == Z_STREAM_END)
            return 0;
        if (progress->dst_left == 0)
            return BREAKER_ERR_TOO_LONG;
    } while (last || stream->avail_in != 0);
    return 0;
}

static int encode_gzip(progress_t *progress)
{
    z_stream stream;
    int err = 0;
    bool last = false;

    memset(&stream, 0, sizeof(stream));
    if (deflateInit2(&stream, GZIP_BEST, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return BREAKER_ERR_NO_MEMORY;
    while (err == 0 && !last) {
        size_t piece = next_piece(progress, PIECE_GZIP);

        last = piece == progress->src_left;
        stream.next_in = (Bytef *)(uintptr_t)progress->src;
        stream.avail_in = (uInt)piece;
        progress->src += piece;
        progress->src_left -= piece;
        err = breaker__pace_go_on(progress->pace) ? feed_gzip(&stream, progress, last)
                                                  : BREAKER_ERR_STATE;
    }
    deflateEnd(&stream);
    return err;
}

void breaker__encode_recipe(breaker_encoding_t encoding, char *dst)
{
    uint32_t brotli = BrotliEncoderVersion();

    switch (encoding) {
    case BREAKER_ENCODING_BROTLI:
        snprintf(dst, BREAKER_RECIPE_MAX, "%u.%u.%u-q%d.%d-%d", brotli >> 24, brotli >> 12 & 0xfff,
                 brotli & 0xfff, BROTLI_BEST, BROTLI_GOOD, RECIPE);
        break;
    case BREAKER_ENCODING_ZSTD:
        snprintf(dst, BREAKER_RECIPE_MAX, "%.16s-q%d.%d-%d", ZSTD_versionString(), ZSTD_BEST,
                 ZSTD_GOOD, RECIPE);
        break;
    case BREAKER_ENCODING_GZIP:
        snprintf(dst, BREAKER_RECIPE_MAX, "%.16s-q%d-%d", zlibVersion(), GZIP_BEST, RECIPE);
        break;
    case BREAKER_ENCODING_IDENTITY:
        dst[0] = '\0';
        break;
    }
    for (; *dst != '\0'; ++dst)
        if (!isalnum((unsigned char)*dst) && *dst != '.' && *dst != '-')
            *dst = '-';
}

int breaker__encode(breaker_encoding_t encoding, const char *src, size_t len, char *dst,
                    size_t dst_size, breaker__pace_t *pace, size_t *ret_len)
{
    progress_t progress = {src, len, dst, dst_size, pace};
    int err = BREAKER_ERR_RANGE;

    switch (encoding) {
    case BREAKER_ENCODING_BROTLI:
        err = encode_brotli(&progress);
        break;
    case BREAKER_ENCODING_ZSTD:
        err = encode_zstd(&progress);
        break;
    case BREAKER_ENCODING_GZIP:
        err = encode_gzip(&progress);
        break;
    case BREAKER_ENCODING_IDENTITY:
        break;
    }
    assert(progress.dst_left <= dst_size);
    if (err == 0)
        *ret_len = dst_size - progress.dst_left;
    return err;
}
