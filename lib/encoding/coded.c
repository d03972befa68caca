/*
 * Names that say that their bytes are encoded. A name alone is not believed: a Content-Encoding
 * that is not true makes a file unreadable for every browser. Brotli has no mark to know it by, and
 * a gzip header proves little, so that the beginning is decoded.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <breaker/error.h>
#include <breaker/http/decoder.h>
#include "encoding/coded.h"
#include "encoding/coding.h"

enum { PREFIX_MAX = 65536, OUT_MAX = 1 << 20, PIECE = 65536 };

#define BIT(encoding) (1u << BREAKER_ENCODING_##encoding)

static const struct {
    const char *suffix;
    unsigned codings;
} suffixes[] = {
    {".gz", BIT(GZIP)},
    {".br", BIT(BROTLI)},
    {".zst", BIT(ZSTD)},
    {".unityweb", BIT(GZIP) | BIT(BROTLI)},
};

/* ---- names ---- */

/* whether a path ends with a suffix that is not all of its last segment */
static bool has_suffix(const char *path, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && path[len - suffix_len - 1] != '/' &&
           strncasecmp(path + len - suffix_len, suffix, suffix_len) == 0;
}

/* whether a path has an extension, and no archive's */
static bool names_type(const char *path, size_t len)
{
    const char *dot = memrchr(path, '.', len), *slash = memrchr(path, '/', len);
    const char *name = slash != NULL ? slash + 1 : path;

    return dot != NULL && dot > name && dot + 1 != path + len && !has_suffix(path, len, ".tar");
}

bool breaker__coded_name(const char *path, size_t len, bool has_option,
                         breaker__coded_name_t *ret_name)
{
    if (has_suffix(path, len, ".svgz")) {
        *ret_name = (breaker__coded_name_t){BIT(GZIP), len};
        return true;
    }
    for (size_t i = 0; has_option && i != sizeof(suffixes) / sizeof(suffixes[0]); ++i) {
        size_t inner_len = len - strlen(suffixes[i].suffix);
        if (!has_suffix(path, len, suffixes[i].suffix) || !names_type(path, inner_len))
            continue;
        *ret_name = (breaker__coded_name_t){suffixes[i].codings, inner_len};
        return true;
    }
    return false;
}

/* ---- bytes ---- */

typedef struct st_prefix_t {
    const char *base;
    size_t len;
    bool is_whole;
    /* owned: what was read from a file, or NULL */
    char *read;
} prefix_t;

static bool open_prefix(prefix_t *prefix, const breaker_variant_t *bytes)
{
    *prefix = (prefix_t){.base = bytes->base,
                         .len = bytes->len < PREFIX_MAX ? (size_t)bytes->len : PREFIX_MAX,
                         .is_whole = bytes->len <= PREFIX_MAX};
    if (bytes->base != NULL || prefix->len == 0)
        return prefix->len != 0;
    prefix->base = prefix->read = malloc(prefix->len);
    return prefix->read != NULL && breaker_variant_read(bytes, 0, prefix->read, prefix->len) == 0;
}

/* whether the decoder goes through; at the end of all bytes it must be at an end, too */
static bool decodes(breaker_decoder_t *decoder, const prefix_t *prefix, char *out)
{
    const char *at = prefix->base;
    size_t left = prefix->len, got, before, total = 0;

    do {
        before = left;
        if (breaker_decoder_run(decoder, &at, &left, out, PIECE, &got) != 0)
            return false;
        if ((total += got) >= OUT_MAX)
            return true;
    } while (got != 0 || left != before);
    return prefix->is_whole ? breaker_decoder_is_complete(decoder) : total != 0;
}

static bool is_in(const prefix_t *prefix, breaker_encoding_t encoding, char *out)
{
    breaker_decoder_t *decoder = breaker_decoder_create(breaker__coding_of(encoding));
    bool is_in = decoder != NULL && decodes(decoder, prefix, out);

    breaker_decoder_free(decoder);
    return is_in;
}

breaker_encoding_t breaker__coding_of_bytes(const breaker_variant_t *bytes, unsigned codings)
{
    breaker_encoding_t found = BREAKER_ENCODING_IDENTITY;
    char *out = malloc(PIECE);
    prefix_t prefix;

    assert(codings < BIT(IDENTITY));
    if (open_prefix(&prefix, bytes) && out != NULL)
        for (int e = 0; e != BREAKER_ENCODING_IDENTITY && found == BREAKER_ENCODING_IDENTITY; ++e)
            if ((codings & 1u << e) != 0 && is_in(&prefix, (breaker_encoding_t)e, out))
                found = (breaker_encoding_t)e;
    free(prefix.read);
    free(out);
    return found;
}
