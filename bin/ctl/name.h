#ifndef BREAKER_BIN_CTL_NAME_H
#define BREAKER_BIN_CTL_NAME_H

/* What operators call a release. */
#include <stddef.h>
#include <breaker/ledger.h>

/** the fewest characters of a digest that name a release */
#define BREAKER__NAME_DIGEST_MIN 8

/**
 * Finds the releases of a ledger that a text may mean: the one with this id, or else those with
 * this label, those whose digest begins so, the label and a '~' before it or not, and the one that
 * has this token. Writes them newest first, each once, and returns their number, at most
 * BREAKER_LEDGER_MAX. Pure.
 */
size_t breaker__name_find(const breaker_ledger_t *ledger, const char *text,
                          breaker_release_id_t ret_ids[BREAKER_LEDGER_MAX]);

#endif
