/*
 * `/static/{breaker}/` has other spellings that come to the same URL: `\/static\/{breaker}\/` in
 * JSON as PHP and Python's friends write it, `/static/%7Bbreaker%7D/` where a URL was normalised on
 * its way, and both. Tokens and the names of views have neither braces nor percent signs, so the
 * same change makes the replacement from the prefix under a token.
 */
#include <assert.h>
#include <string.h>
#include <breaker/http/substitute.h>
#include "pages/spelling.h"

/* how the braces are written */
static const struct {
    const char *open, *close;
} braces[] = {{"{", "}"}, {"%7B", "%7D"}, {"%7b", "%7d"}};

enum { NUM_BRACES = sizeof(braces) / sizeof(braces[0]) };

static char *put(char *dst, const char *text)
{
    size_t len = strlen(text);

    memcpy(dst, text, len);
    return dst + len;
}

size_t breaker__spell(char *dst, const char *prefix, size_t len, unsigned spelling)
{
    const char *slash = spelling < NUM_BRACES ? "/" : "\\/";
    unsigned brace = spelling % NUM_BRACES;
    char *at = dst;

    assert(spelling < BREAKER__SPELLINGS);
    assert(len != 0 && len <= BREAKER_VIEW_PREFIX_MAX);
    for (size_t i = 0; i != len; ++i) {
        if (prefix[i] == '/' && i != 0)
            at = put(at, slash);
        else if (prefix[i] == '{')
            at = put(at, braces[brace].open);
        else if (prefix[i] == '}')
            at = put(at, braces[brace].close);
        else
            *at++ = prefix[i];
    }
    assert((size_t)(at - dst) <= BREAKER_SUBSTITUTION_LITERAL_MAX);
    return (size_t)(at - dst);
}
