#ifndef BREAKER_TOKEN_PRIVATE_H
#define BREAKER_TOKEN_PRIVATE_H

/* For lib/ only. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/token.h>

/**
 * How many digits are in front of a token that has the form of a minted one, or 0 when it has
 * another: twelve decimal digits or more (BREAKER_TOKEN_MINT_DIGITS; leading zeros count), and
 * perhaps '-' and eight more characters, the suffix of a cluster's tokens. `base` is a valid token.
 *
 * Only in this form a token tells its own age, by the value of its digits. Any other one is opaque:
 * a number of fewer digits may be a build's, which stands in no relation to a time. Pure; any
 * thread.
 */
size_t breaker__token_minted_digits(const char *base, size_t len);

/**
 * Tells whether a token is zeros and nothing else: a number, but no build's and no time. Pure; any
 * thread.
 */
bool breaker__token_is_zero(const char *base, size_t len);

/**
 * Orders two tokens that both have the form of minted ones: negative when `a` is older, positive
 * when it is newer. The digits compare by value, at any width and whatever their padding; where
 * they are the same the suffixes compare bytewise, none before any. So 0 does not mean the same
 * spelling. Pure; any thread.
 */
int breaker__token_compare_minted(const char *a, size_t a_len, const char *b, size_t b_len);

/**
 * Orders two tokens of which nothing is remembered: negative when `a` is older, positive when it is
 * newer, 0 when neither. Two decimal tokens compare by value, at any width and whatever their
 * padding, so 0 does not mean the same spelling; two of the form of minted ones as above; any other
 * pair compares bytewise, a proper prefix first. No more than a guess unless both were minted: it
 * has no place where a history is kept (classify.h). Pure; any thread.
 */
int breaker__token_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/** Orders two decimal tokens as above. Pure; any thread. */
int breaker__token_compare_decimal(const char *a, size_t a_len, const char *b, size_t b_len);

/** Tells whether all bytes are decimal digits (and there is at least one). Pure; any thread. */
bool breaker__token_is_decimal(const char *base, size_t len);

#endif
