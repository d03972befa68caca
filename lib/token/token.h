#ifndef BREAKER_TOKEN_PRIVATE_H
#define BREAKER_TOKEN_PRIVATE_H

/* For lib/ only. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/token.h>

/**
 * Orders two tokens: negative when `a` is older, positive when it is newer, 0 when neither. Two
 * decimal tokens compare by value, at any width and whatever their padding, so 0 does not mean the
 * same spelling; any other pair compares bytewise, a proper prefix first. A ledger that knows both
 * tokens overrules this order (classify.h). Pure; any thread.
 */
int breaker__token_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/** Tells whether all bytes are decimal digits (and there is at least one). Pure; any thread. */
bool breaker__token_is_decimal(const char *base, size_t len);

#endif
