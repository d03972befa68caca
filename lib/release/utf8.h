#ifndef BREAKER_RELEASE_UTF8_H
#define BREAKER_RELEASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether the bytes of a content so far are a text in UTF-8. Plain value; zeroed, none came yet.
 */
typedef struct st_breaker__utf8_t {
    /** they are not, whatever follows */
    bool is_other;
    /** how many bytes of a character are still to come, and between what the next one must be */
    uint8_t num_missing, low, high;
} breaker__utf8_t;

/**
 * Takes the next bytes. A text in UTF-8 is well-formed (RFC 3629), and has no NUL and no escape
 * character, of which texts in UTF-16 and in ISO 2022 have some.
 */
void breaker__utf8_feed(breaker__utf8_t *utf8, const char *base, size_t len);
/** Whether all of the bytes together are one; none at all are. */
bool breaker__utf8_is_text(const breaker__utf8_t *utf8);

#endif
