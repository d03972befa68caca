#ifndef BREAKER_BIN_FRAMING_H
#define BREAKER_BIN_FRAMING_H

/* How the body of an HTTP/1 request is framed, by the fields of its head. */
#include <stdbool.h>
#include <stdint.h>
#include "picohttpparser.h"

typedef struct st_breaker__framing_t {
    /** two servers could read different bodies (RFC 9112 §6.1, §6.3) */
    bool is_ambiguous;
    /** a body follows, or what claims to be one */
    bool has_body;
    /** it is chunked; or in another coding, which libh2o refuses */
    bool is_chunked;
    /** the client waits for a word before it sends it */
    bool expects;
    /** how long the body is, as far as the head says; UINT64_MAX for what is no length */
    uint64_t length;
} breaker__framing_t;

/** Reads the fields of a request of HTTP/1.`minor_version`. Lengths are not checked, libh2o does.
 */
breaker__framing_t breaker__framing_read(const struct phr_header *headers, size_t num,
                                         int minor_version);

/**
 * Makes a request with a body one without, after which the connection ends: what says something of
 * the body goes from the fields, "Connection: close" comes. `name` is "connection", in memory that
 * may be written to, which has to live as long as the fields.
 */
void breaker__framing_hide(struct phr_header *headers, size_t *num, char *name);

#endif
