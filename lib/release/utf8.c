/*
 * A text is called UTF-8 only if every byte of it says so: a wrong charset shows wrong characters,
 * none at all leaves browsers to guess. Eight bytes of ASCII are taken at once; a content that is
 * none ends the looking at its first byte that cannot be.
 */
#include <assert.h>
#include "release/utf8.h"
#include "words.h"

static bool is_control(unsigned char byte)
{
    return byte == 0 || byte == 0x1b;
}

/* the first byte of a character of several (RFC 3629 §4); false for none */
static bool begin_character(breaker__utf8_t *utf8, unsigned char byte)
{
    utf8->low = 0x80;
    utf8->high = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        utf8->num_missing = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        utf8->num_missing = 2;
        /* no longer than need be, and no surrogates */
        utf8->low = byte == 0xe0 ? 0xa0 : 0x80;
        utf8->high = byte == 0xed ? 0x9f : 0xbf;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        utf8->num_missing = 3;
        utf8->low = byte == 0xf0 ? 0x90 : 0x80;
        utf8->high = byte == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    return true;
}

static bool take(breaker__utf8_t *utf8, unsigned char byte)
{
    if (utf8->num_missing == 0)
        return byte < 0x80 ? !is_control(byte) : begin_character(utf8, byte);
    if (byte < utf8->low || byte > utf8->high)
        return false;
    utf8->low = 0x80;
    utf8->high = 0xbf;
    --utf8->num_missing;
    return true;
}

/* whether eight bytes are ASCII and none of them below the blank */
static bool is_plain(const char *base)
{
    const uint64_t high = UINT64_C(0x8080808080808080), ones = UINT64_C(0x0101010101010101);
    uint64_t word = breaker__load64(base);

    /* a byte below 0x20 borrows from its highest bit */
    return ((word | (word - ones * 0x20)) & high) == 0;
}

void breaker__utf8_feed(breaker__utf8_t *utf8, const char *base, size_t len)
{
    const char *end = base + len;

    while (base != end && !utf8->is_other) {
        if (utf8->num_missing == 0 && end - base >= 8 && is_plain(base)) {
            base += 8;
            continue;
        }
        utf8->is_other = !take(utf8, (unsigned char)*base++);
    }
}

bool breaker__utf8_is_text(const breaker__utf8_t *utf8)
{
    assert(utf8->num_missing <= 3);
    return !utf8->is_other && utf8->num_missing == 0;
}
