/*
 * Texts of a length that is known only once they are written. They lie in the pool of the request
 * that they answer and go with it; each time that one grows it doubles, so that all of it takes
 * less than three times its length.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "status/text.h"

enum { FIRST_SIZE = 16384 };

void breaker__text_init(breaker__text_t *text, h2o_mem_pool_t *pool)
{
    *text = (breaker__text_t){.pool = pool, .size = FIRST_SIZE};
    text->base = h2o_mem_alloc_pool(pool, FIRST_SIZE);
    text->base[0] = '\0';
}

/* makes room for `more` bytes and a NUL; false where it would be too long */
static bool grow(breaker__text_t *text, size_t more)
{
    size_t size = text->size;
    char *base;

    if (more >= BREAKER__TEXT_MAX - text->len)
        return false;
    while (size <= text->len + more)
        size *= 2;
    base = h2o_mem_alloc_pool(text->pool, size);
    memcpy(base, text->base, text->len);
    text->base = base;
    text->size = size;
    return true;
}

void breaker__text_put(breaker__text_t *text, const char *format, ...)
{
    va_list args, again;
    int len;

    assert(text->len < text->size);
    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(text->base + text->len, text->size - text->len, format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t)len >= text->size - text->len) {
        if (!grow(text, (size_t)len))
            len = 0;
        else
            vsnprintf(text->base + text->len, text->size - text->len, format, again);
    }
    va_end(again);
    text->len += (size_t)len;
}
