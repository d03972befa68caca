#ifndef BREAKER_HANDLERS_SPELLING_H
#define BREAKER_HANDLERS_SPELLING_H

/* The ways in which an application writes the prefix of a view. Not installed. */
#include <stddef.h>

/** how many there are: slashes as they are or escaped, braces as they are or percent-encoded */
#define BREAKER__SPELLINGS 6

/**
 * Writes the prefix of a view, with the placeholder or with a token in it, in one of the spellings,
 * 0 to BREAKER__SPELLINGS - 1, into `dst`, which has room for BREAKER_SUBSTITUTION_LITERAL_MAX
 * bytes; returns the length. The first slash stays bare in all of them, so that what follows a
 * backslash is found like anything else and all literals begin alike.
 */
size_t breaker__spell(char *dst, const char *prefix, size_t len, unsigned spelling);

#endif
