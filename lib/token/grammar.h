#ifndef BREAKER_TOKEN_GRAMMAR_H
#define BREAKER_TOKEN_GRAMMAR_H

/* What tokens and the ids of releases are made of. Not installed. */
#include <stdbool.h>
#include <stddef.h>

/**
 * Tells whether the bytes are a word: one or more of `A-Z a-z 0-9 . _ ~ -`, but not "." or "..",
 * which every client and server removes from a path (RFC 3986 §5.2.4). Pure.
 */
bool breaker__is_word(const char *base, size_t len);

#endif
