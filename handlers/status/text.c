/*
 * Texts of a length that is known only once they are written. They lie in the pool of the request
 * that they answer and go with it; each time that one grows it doubles, so that all that it ever
 * was takes four times its length at most.
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

/* what the format comes to, as much of it as there is room for; the end stays where it is */
__attribute__((format(printf, 2, 0))) static size_t try_put(breaker__text_t *text,
                                                            const char *format, va_list args)
{
    int len = vsnprintf(text->base + text->len, text->size - text->len, format, args);

    assert(len >= 0);
    return (size_t)len;
}

void breaker__text_put(breaker__text_t *text, const char *format, ...)
{
    va_list args, again;
    size_t len;

    va_start(args, format);
    va_copy(again, args);
    len = try_put(text, format, args);
    if (len >= text->size - text->len && grow(text, len))
        len = try_put(text, format, again);
    va_end(again);
    va_end(args);
    if (len < text->size - text->len)
        text->len += len;
    text->base[text->len] = '\0';
}
