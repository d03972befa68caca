/*
 * picohttpparser as libh2o 2.2.5 exports it; the packages do not install its header. Part of
 * libh2o's binary interface, like yoml.h.
 */
#ifndef BREAKER_HANDLERS_PICOHTTPPARSER_H
#define BREAKER_HANDLERS_PICOHTTPPARSER_H

#include <stddef.h>
#include <sys/types.h>

struct phr_header {
    /* NULL: a folded line, which belongs to the one before */
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* all zero but for `consume_trailer` where a message begins */
struct phr_chunked_decoder {
    size_t bytes_left_in_chunk;
    char consume_trailer;
    char _hex_count;
    char _state;
};

/* what they return for what is malformed, and for what has not come whole */
enum { PHR_MALFORMED = -1, PHR_INCOMPLETE = -2 };

/* `*num_headers` is room, then number; `last_len` is what an earlier call was given, or 0 */
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

/* takes the framing out of the bytes in place; returns how many bytes follow the message */
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *buf, size_t *bufsz);

#endif
