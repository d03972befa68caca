#ifndef BREAKER_HTTP_CONDITIONAL_PRIVATE_H
#define BREAKER_HTTP_CONDITIONAL_PRIVATE_H

/* For lib/ only. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/http/conditional.h>

/**
 * Reads an HTTP date in any of the three forms of RFC 9110 §5.6.7 into seconds since the epoch; a
 * two-digit year that lies more than 50 years after `now_s` belongs to the century before. The
 * name of the day has to be one, but not the right one; a leap second becomes the next one.
 * Returns false for anything else. Pure.
 */
bool breaker__http_date_parse(const char *base, size_t len, int64_t now_s, int64_t *ret_s);

/**
 * Writes "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL, BREAKER_HTTP_DATE_LEN + 1 bytes in all. Seconds
 * outside the years 0 to 9999 are clamped to them. Pure; any thread.
 */
void breaker__http_date_format(int64_t seconds, char *dst);

#endif
