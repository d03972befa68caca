#ifndef BREAKER_RELEASE_SIBLINGS_H
#define BREAKER_RELEASE_SIBLINGS_H

#include <breaker/error.h>
#include "release/notices.h"
#include "release/store.h"
#include "release/trees.h"

/**
 * Makes "x.css.br" a variant of "x.css", and so on for every encoding, wherever it decodes to the
 * same bytes; otherwise there is a notice. The sibling stays an asset of its own. What is in a
 * coding by its own name (coded.h) has no siblings. Needs the index.
 * Fails when there is no memory or a file on disk cannot be read any more.
 */
int breaker__adopt_siblings(breaker_store_t *store, const breaker__trees_t *trees,
                            breaker__notices_t *notices, breaker_error_t *error);

#endif
