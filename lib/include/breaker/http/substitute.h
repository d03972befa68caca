#ifndef BREAKER_HTTP_SUBSTITUTE_H
#define BREAKER_HTTP_SUBSTITUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <breaker/export.h>
#include <breaker/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the most bytes of a literal: the prefix of a view in which every byte may be escaped */
#define BREAKER_SUBSTITUTION_LITERAL_MAX (2 * BREAKER_VIEW_PREFIX_MAX)
/** the most pairs of one stream: every view may be spelled in some ways */
#define BREAKER_SUBSTITUTIONS_MAX (8 * BREAKER_VIEWS_MAX)

/**
 * A pair of a literal and what stands in its place. Borrowed texts; the literal has 1 to
 * BREAKER_SUBSTITUTION_LITERAL_MAX bytes, the replacement any number.
 */
typedef struct st_breaker_substitution_t {
    const char *literal;
    size_t literal_len;
    const char *replacement;
    size_t replacement_len;
} breaker_substitution_t;

/**
 * A stream in which literals are replaced, also where a chunk ends inside one. It holds back at
 * most the longest literal less one byte, and never re-reads a replacement. Where literals overlap
 * the leftmost match wins, the longest among those that begin together. Text without matches costs
 * little where all literals begin alike, as the prefixes of views do. Plain value, private fields;
 * one stream is used by one thread.
 */
typedef struct st_breaker_substitute_t {
    const breaker_substitution_t *_pairs; /* borrowed: outlives us */
    size_t _num_pairs;
    size_t _longest;
    size_t _common_len;
    size_t _held_len;
    char _held[BREAKER_SUBSTITUTION_LITERAL_MAX];
} breaker_substitute_t;

/**
 * Receives a piece of output; `base` is valid during the call only. Pieces are never empty.
 */
typedef void (*breaker_substitute_cb)(void *data, const char *base, size_t len);

/**
 * Begins a stream. At most BREAKER_SUBSTITUTIONS_MAX pairs, which outlive it.
 */
BREAKER_EXPORT void breaker_substitute_init(breaker_substitute_t *stream,
                                            const breaker_substitution_t *pairs, size_t num_pairs);

/**
 * Takes the next chunk and hands out what is decided by now, in order; at the `final` call
 * everything. A chunk may be empty, and `base` NULL then. The bytes handed out may point into the
 * chunk or a replacement. No allocation.
 */
BREAKER_EXPORT void breaker_substitute_feed(breaker_substitute_t *stream, const char *base,
                                            size_t len, bool final, breaker_substitute_cb on_output,
                                            void *data);

#ifdef __cplusplus
}
#endif

#endif
