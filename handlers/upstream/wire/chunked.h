#ifndef BREAKER_HANDLERS_UPSTREAM_CHUNKED_H
#define BREAKER_HANDLERS_UPSTREAM_CHUNKED_H

/* Chunked bodies, read by the letter (RFC 9112 §7.1). */
#include "picohttpparser.h"

/** for `consume_trailer`: blanks may follow a size, with which some applications pad theirs */
enum { BREAKER__CHUNKS_PADDED = 'p' };

/**
 * Decodes what has come of a chunked body in place, as phr_decode_chunked does: `*len` bytes in,
 * `*len` bytes of the body out. Returns PHR_INCOMPLETE, PHR_MALFORMED, or how many bytes follow the
 * body; these lie behind the decoded ones. The decoder is all zero but for `consume_trailer` at
 * the beginning of a body, and is the same one for the rest of it.
 *
 * A size is 1 to 16 hexadecimal digits, and nothing else. After it come CRLF, or extensions: a
 * semicolon, with blanks around it or none, and a name. No control characters but tabs, no bare CR
 * or LF anywhere in the framing; trailers are fields, and are dropped.
 */
ssize_t breaker__chunked_decode(struct phr_chunked_decoder *decoder, char *bytes, size_t *len);

/**
 * The same for a whole beginning of a body, of which nothing is changed: returns PHR_INCOMPLETE,
 * PHR_MALFORMED, or how many bytes follow the body.
 */
ssize_t breaker__chunked_check(const char *bytes, size_t len);

#endif
