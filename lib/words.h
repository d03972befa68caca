#ifndef BREAKER_LIB_WORDS_H
#define BREAKER_LIB_WORDS_H

/*
 * Short texts, eight bytes a step. The texts of a classification have 5 to 40 bytes, for which a
 * call of memcmp costs more than the comparison. Nothing is read beyond an end: where a text is not
 * a multiple of eight long, the last step overlaps the one before. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t breaker__load64(const char *base)
{
    uint64_t word;

    memcpy(&word, base, sizeof(word));
    return word;
}

static inline uint32_t breaker__load32(const char *base)
{
    uint32_t word;

    memcpy(&word, base, sizeof(word));
    return word;
}

/** 0 to 8 bytes as one number that is the same for the same bytes and, at one length, only then. */
static inline uint64_t breaker__load_short(const char *base, size_t len)
{
    if (len >= 4)
        return (uint64_t)breaker__load32(base) << 32 | breaker__load32(base + len - 4);
    if (len == 0)
        return 0;
    return (uint64_t)(unsigned char)base[0] << 16 | (uint64_t)(unsigned char)base[len / 2] << 8 |
           (unsigned char)base[len - 1];
}

/** Tells whether two texts of one length are the same. */
static inline bool breaker__same(const char *a, const char *b, size_t len)
{
    if (len <= 8)
        return breaker__load_short(a, len) == breaker__load_short(b, len);
    for (size_t at = 0; at + 8 < len; at += 8)
        if (breaker__load64(a + at) != breaker__load64(b + at))
            return false;
    return breaker__load64(a + len - 8) == breaker__load64(b + len - 8);
}

#endif
