#ifndef BREAKER_BIN_NEAREST_H
#define BREAKER_BIN_NEAREST_H

/**
 * The nearest of the candidates by edits (Damerau), or NULL when none is near. A candidate that
 * `nearest` was already compared to is replaced only by a nearer one: start with NULL and ask once
 * for each.
 */
const char *breaker__nearest_of(const char *word, const char *nearest, const char *candidate);

#endif
