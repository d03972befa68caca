#ifndef BREAKER_RELEASE_MANIFEST_H
#define BREAKER_RELEASE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/release.h>
#include "release/digest.h"

/*
 * The manifest of a release: what it answers, as a text that is the same on every node and for
 * every layout of directories. Lines end with a line feed, the last one too; the words of a line
 * are parted by one space. The first line names the format, in its version. Then follow the views,
 * in bytewise order of their names and, of one name, of their first hosts, each with these lines in
 * this order:
 *
 *   h2o-breaker manifest 2
 *   view static/{breaker}
 *   host shop.example                   each host, in bytewise order: see below
 *   max-age 31536000                    of 200, 206 and 304, in seconds
 *   allow-origin *                      Access-Control-Allow-Origin, or several origins
 *   timing-allow-origin *               Timing-Allow-Origin
 *   resource-policy cross-origin        Cross-Origin-Resource-Policy
 *   header X-Frame-Options:%20DENY      each further header, in the order of sending
 *   header-match *.js X-A:%20b          each header by pattern, with it, in the order of applying
 *   index index.html                    what answers for a directory
 *   fallback index.html                 what answers for paths that name nothing
 *   encodings on                        or "off": whether encodings are negotiated
 *   file css/site.css 9f86…0a08 1024 text/css;%20charset=utf-8 identity 1718539201
 *
 * A line of which a view has nothing to say is left out: those from allow-origin to fallback. Its
 * files come last, in bytewise order of their logical paths: path, SHA-256 of the content in 64
 * small hexadecimal digits, size in bytes, media type with its parameters, the coding that the
 * bytes are in as its name says it (identity, br, zstd, gzip), modification time in seconds since
 * the epoch (of several files with one content and type: of the one that was met first). Names,
 * values, patterns, paths and types are percent-encoded (RFC 3986 §2.1, large digits): every
 * byte but '!' to '~', and '%' itself. Numbers are decimal without leading zeros.
 *
 * Several views may have one name where their hosts part them, and say which: "host". Of a view
 * that has its name to itself the hosts are no part of what it answers, so that nodes that call
 * theirs otherwise have the same release, and the line is "at" instead of "host", left out for the
 * host "default" alone. It serves nodes that have several views of the name, after the next deploy
 * say. Nothing checks it: who gives the manifest is believed.
 *
 * The digest of a release is the SHA-256 of this text without "at" lines and with the last word of
 * every file line and the space before it left out: whoever has a manifest can check it, and when a
 * file was touched is no difference. Whatever changes the digest otherwise needs another version in
 * the first line.
 *
 * Version 1 has no header-match, no host and no codings, and a file line no word for it. It is
 * written wherever it says everything, so that nodes that know no other read it, and there version
 * 2 is not accepted: a release has one text. Programs from before there were hosts take an "at"
 * line for damage, and set aside who gives it.
 */

/**
 * Takes the next `len` bytes of a text. A negative result, BREAKER_ERR_*, ends the writing, which
 * returns it.
 */
typedef int (*breaker__manifest_sink_t)(void *data, const char *base, size_t len);

/** Whether a text begins as a manifest of a version that is neither 1 nor 2: a later program's. */
bool breaker__manifest_is_of_later_version(const char *base, size_t len);

/** The version that the text of a release is to have; takes a look at all of its assets. */
unsigned breaker__manifest_version(const breaker_release_t *release);

/** Writes the manifest of a loaded release, in pieces of a few KiB. Fails like its sink. */
int breaker__manifest_write(const breaker_release_t *release, breaker__manifest_sink_t sink,
                            void *data);

/** Where a writing in pieces stands. Plain value; zeroed, it stands at the beginning. */
typedef struct st_breaker__manifest_cursor_t {
    /** the part, which is the first line or a view, the line of it, and how much of it is written
     */
    size_t part, line, line_at;
} breaker__manifest_cursor_t;

/**
 * Writes the next bytes of the manifest into `dst`, `cap` of them or what there is left, and
 * returns how many: 0 at the end. The pieces, one after the other, are what
 * `breaker__manifest_write` writes, whatever `cap` is, which is not 0; 64 KiB make a good piece.
 * Does not allocate, and takes time for this piece only. Any thread that holds the release.
 */
size_t breaker__manifest_piece(const breaker_release_t *release, breaker__manifest_cursor_t *cursor,
                               char *dst, size_t cap);

/** Makes the digest, BREAKER_DIGEST_LEN bytes. Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__manifest_digest(const breaker_release_t *release, breaker__hasher_t *hasher,
                             uint8_t *dst);

#endif
