#ifndef BREAKER_ENCODING_CODED_H
#define BREAKER_ENCODING_CODED_H

/* Files whose names say that their bytes are encoded: "logo.svgz", "app.wasm.br". */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/http/encoding.h>
#include <breaker/store.h>

/** What a name says. Plain value. */
typedef struct st_breaker__coded_name_t {
    /** the codings that its bytes may be in, a bit each, by breaker_encoding_t */
    unsigned codings;
    /** so much of the path names the media type of what they decode to */
    size_t inner_len;
} breaker__coded_name_t;

/**
 * Tells whether a logical path says that its bytes are encoded: ".svgz" always, and where
 * `has_option` is true a name of a type before ".gz", ".br", ".zst" or ".unityweb", which may be
 * gzip or brotli. Not ".tar.gz" and its like: archives are meant to stay files. Any case. Pure.
 */
bool breaker__coded_name(const char *path, size_t len, bool has_option,
                         breaker__coded_name_t *ret_name);

/**
 * Finds the coding that bytes are in, by decoding their beginning: the first 64 KiB or the first
 * MiB of what comes out, whichever ends first. IDENTITY where they are in none of `codings`, cannot
 * be read, or memory lacks.
 */
breaker_encoding_t breaker__coding_of_bytes(const breaker_variant_t *bytes, unsigned codings);

#endif
