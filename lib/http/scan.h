#ifndef BREAKER_HTTP_SCAN_H
#define BREAKER_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reading field values: what encoding.c, conditional.c and range.c have in common. A text is
 * [p, end), never NUL-ended, and may be empty with both pointers NULL.
 */

/** Returns the first byte that is not optional white space (RFC 9110 §5.6.3), or `end`. */
static inline const char *breaker__skip_ows(const char *p, const char *end)
{
    while (p != end && (*p == ' ' || *p == '\t'))
        ++p;
    return p;
}

/** Returns `end` moved back over optional white space. */
static inline const char *breaker__trim_ows(const char *p, const char *end)
{
    while (p != end && (end[-1] == ' ' || end[-1] == '\t'))
        --end;
    return end;
}

static inline bool breaker__is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
