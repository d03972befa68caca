/*
 * Undoes content codings. Three libraries with one shape between them: bytes in, bytes out, and a
 * verdict on whether the stream is at an end. Nothing is buffered here beyond the window of the
 * coding, and bytes that follow the end of a stream are an error rather than dropped: a page that
 * was cut or glued together must not pass for a whole one.
 */
#define ZLIB_CONST
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <breaker/error.h>
#include "pages/decode.h"

/* RFC 9659: a decoder of the zstd content coding supports windows of up to 8 MiB */
enum { ZSTD_WINDOW_LOG_MAX = 23 };

struct st_breaker__decoder_t {
    breaker__coding_t coding;
    /** a first byte was seen; the end of a stream was seen and no byte since */
    bool begun, ended;
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

static breaker__coding_t coding_by_name(const char *name, size_t len)
{
    static const struct {
        const char *name;
        breaker__coding_t coding;
    } codings[] = {
        {"identity", BREAKER__CODING_IDENTITY}, {"gzip", BREAKER__CODING_GZIP},
        {"x-gzip", BREAKER__CODING_GZIP},       {"deflate", BREAKER__CODING_DEFLATE},
        {"br", BREAKER__CODING_BROTLI},         {"zstd", BREAKER__CODING_ZSTD},
    };

    for (size_t i = 0; i != sizeof(codings) / sizeof(codings[0]); ++i)
        if (strlen(codings[i].name) == len && strncasecmp(codings[i].name, name, len) == 0)
            return codings[i].coding;
    return BREAKER__CODING_OTHER;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

breaker__coding_t breaker__coding_add(breaker__coding_t before, const char *value, size_t len)
{
    const char *at = value, *end = value + len;

    while (at != end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last;
        if (comma == NULL)
            comma = end;
        last = comma;
        while (at != last && is_space(*at))
            ++at;
        while (at != last && is_space(last[-1]))
            --last;
        if (at != last) {
            breaker__coding_t coding = coding_by_name(at, (size_t)(last - at));
            if (before == BREAKER__CODING_IDENTITY)
                before = coding;
            else if (coding != BREAKER__CODING_IDENTITY)
                before = BREAKER__CODING_OTHER;
        }
        at = comma == end ? end : comma + 1;
    }
    return before;
}

/* ---- zlib ---- */

/* A zlib header's first byte names method 8 and a window of at most 32 KiB; a raw deflate stream
 * that begins with such a byte would open with a stored block behind odd padding bits. */
static bool looks_like_zlib(unsigned char first)
{
    return (first & 0x0f) == 8 && (first >> 4) <= 7;
}

static int begin_zlib(breaker__decoder_t *decoder, unsigned char first)
{
    int window_bits = MAX_WBITS;

    if (decoder->coding == BREAKER__CODING_GZIP)
        window_bits += 16;
    else if (!looks_like_zlib(first))
        window_bits = -window_bits;
    if (inflateInit2(&decoder->state.zlib, window_bits) != Z_OK)
        return BREAKER_ERR_NO_MEMORY;
    decoder->begun = true;
    return 0;
}

static int run_zlib(breaker__decoder_t *decoder, pass_t *pass)
{
    z_stream *zlib = &decoder->state.zlib;
    int err, ret;

    if (!decoder->begun && (err = begin_zlib(decoder, (unsigned char)*pass->src)) != 0)
        return err;
    if (decoder->ended) {
        if (decoder->coding != BREAKER__CODING_GZIP)
            return BREAKER_ERR_NOT_ENCODED;
        inflateReset(zlib);
        decoder->ended = false;
    }

    zlib->next_in = (const Bytef *)pass->src;
    zlib->avail_in = pass->src_len < UINT_MAX ? (uInt)pass->src_len : UINT_MAX;
    zlib->next_out = (Bytef *)pass->dst;
    zlib->avail_out = pass->dst_len < UINT_MAX ? (uInt)pass->dst_len : UINT_MAX;
    ret = inflate(zlib, Z_NO_FLUSH);
    pass->src_len -= (size_t)((const char *)zlib->next_in - pass->src);
    pass->src = (const char *)zlib->next_in;
    pass->dst_len -= (size_t)((char *)zlib->next_out - pass->dst);
    pass->dst = (char *)zlib->next_out;

    decoder->ended = ret == Z_STREAM_END;
    if (ret == Z_MEM_ERROR)
        return BREAKER_ERR_NO_MEMORY;
    return ret == Z_OK || ret == Z_STREAM_END || ret == Z_BUF_ERROR ? 0 : BREAKER_ERR_NOT_ENCODED;
}

/* ---- brotli ---- */

static int run_brotli(breaker__decoder_t *decoder, pass_t *pass)
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

static int run_zstd(breaker__decoder_t *decoder, pass_t *pass)
{
    ZSTD_inBuffer in = {pass->src, pass->src_len, 0};
    ZSTD_outBuffer out = {pass->dst, pass->dst_len, 0};
    size_t ret;

    decoder->begun = true;
    ret = ZSTD_decompressStream(decoder->state.zstd, &out, &in);
    pass->src += in.pos;
    pass->src_len -= in.pos;
    pass->dst += out.pos;
    pass->dst_len -= out.pos;
    decoder->ended = ret == 0;
    return ZSTD_isError(ret) ? BREAKER_ERR_NOT_ENCODED : 0;
}

/* ---- all of them ---- */

static bool begin(breaker__decoder_t *decoder)
{
    if (decoder->coding == BREAKER__CODING_BROTLI) {
        decoder->state.brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        return decoder->state.brotli != NULL;
    }
    if (decoder->coding == BREAKER__CODING_ZSTD) {
        decoder->state.zstd = ZSTD_createDStream();
        if (decoder->state.zstd == NULL)
            return false;
        ZSTD_DCtx_setParameter(decoder->state.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    }
    return true;
}

breaker__decoder_t *breaker__decoder_create(breaker__coding_t coding)
{
    breaker__decoder_t *decoder = calloc(1, sizeof(*decoder));

    assert(coding > BREAKER__CODING_IDENTITY);
    assert(coding < BREAKER__CODING_OTHER);
    if (decoder == NULL)
        return NULL;
    decoder->coding = coding;
    if (!begin(decoder)) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void breaker__decoder_free(breaker__decoder_t *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->coding == BREAKER__CODING_BROTLI)
        BrotliDecoderDestroyInstance(decoder->state.brotli);
    else if (decoder->coding == BREAKER__CODING_ZSTD)
        ZSTD_freeDStream(decoder->state.zstd);
    else if (decoder->begun)
        inflateEnd(&decoder->state.zlib);
    free(decoder);
}

int breaker__decoder_run(breaker__decoder_t *decoder, const char **src, size_t *src_len, char *dst,
                         size_t dst_size, size_t *ret_len)
{
    pass_t pass = {*src, *src_len, dst, dst_size};
    int err;

    assert(dst_size != 0);
    /* without input there is something to do only in the middle of a stream */
    if (*src_len == 0 && breaker__decoder_is_complete(decoder)) {
        *ret_len = 0;
        return 0;
    }
    if (decoder->coding == BREAKER__CODING_BROTLI)
        err = run_brotli(decoder, &pass);
    else if (decoder->coding == BREAKER__CODING_ZSTD)
        err = run_zstd(decoder, &pass);
    else
        err = run_zlib(decoder, &pass);
    if (err != 0)
        return err;
    /* whoever calls goes on until the input is used up, so it must be */
    if (pass.src_len == *src_len && *src_len != 0 && pass.dst_len == dst_size)
        return BREAKER_ERR_NOT_ENCODED;

    *src = pass.src;
    *src_len = pass.src_len;
    *ret_len = dst_size - pass.dst_len;
    return 0;
}

bool breaker__decoder_is_complete(const breaker__decoder_t *decoder)
{
    return decoder->ended || !decoder->begun;
}
