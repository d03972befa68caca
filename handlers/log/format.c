/*
 * Formats are libh2o's own, compiled and written by its code. It tells nobody what a format looks
 * at, so the text is read here once more, in its way: only what names a header matters.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/format.h"

/* libh2o puts this much of a format into a reason, without a bound of its own */
#define REASON_MAX 256

static const char combined[] = "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\"";

/* a name that libh2o keeps with the headers of a request */
static bool is_kept(const h2o_token_t *token)
{
    return token == NULL || !token->is_init_header_special;
}

static void add_header(breaker__format_t *format, const char *base, size_t len)
{
    h2o_iovec_t name = h2o_strdup(NULL, base, len);
    const h2o_token_t *token;
    h2o_iovec_t *kept;

    h2o_strtolower(name.base, name.len);
    token = h2o_lookup_token(name.base, name.len);
    if (token != NULL || format->num_headers >= BREAKER__FORMAT_HEADERS_MAX)
        free(name.base);
    if (!is_kept(token))
        return;
    if (format->num_headers++ >= BREAKER__FORMAT_HEADERS_MAX)
        return;
    if (token != NULL) {
        kept = (h2o_iovec_t *)(uintptr_t)&token->buf;
    } else {
        kept = h2o_mem_alloc(sizeof(*kept));
        *kept = name;
    }
    format->headers[format->num_headers - 1] = kept;
}

/* "name}x" after a brace; returns what follows, or NULL where the brace is not closed */
static const char *read_braced(breaker__format_t *format, const char *at)
{
    const char *end = strchr(at, '}');

    if (end == NULL)
        return NULL;
    if (end[1] == 'i')
        add_header(format, at, (size_t)(end - at));
    else if (end[1] == 'o')
        format->shows_response = true;
    /* what is no directive libh2o refuses */
    return end[1] != '\0' ? end + 2 : end + 1;
}

/* returns false where a brace is not closed */
static bool read_text(breaker__format_t *format, const char *at)
{
    while (at != NULL && (at = strchr(at, '%')) != NULL) {
        ++at;
        if (*at == '%') {
            ++at;
            continue;
        }
        at += strspn(at, "<>");
        if (*at == '{' && (at = read_braced(format, at + 1)) == NULL)
            return false;
    }
    return true;
}

breaker__format_t *breaker__format_create(const char *text, int escape, breaker_error_t *ret_error)
{
    breaker__format_t *format = h2o_mem_alloc(sizeof(*format));
    char reason[REASON_MAX];

    memset(format, 0, sizeof(*format));
    if (text == NULL)
        text = combined;
    if (!read_text(format, text))
        breaker_error_set(ret_error, BREAKER_ERR_RANGE, "a brace is not closed");
    else if ((format->compiled = h2o_logconf_compile(text, escape, reason)) == NULL)
        breaker_error_set(ret_error, BREAKER_ERR_RANGE, "%s", reason);
    if (format->compiled != NULL)
        return format;
    breaker__format_free(format);
    return NULL;
}

void breaker__format_free(breaker__format_t *format)
{
    size_t num;

    if (format == NULL)
        return;
    num = format->num_headers < BREAKER__FORMAT_HEADERS_MAX ? format->num_headers
                                                            : BREAKER__FORMAT_HEADERS_MAX;
    for (size_t i = 0; i != num; ++i) {
        if (h2o_iovec_is_token(format->headers[i]))
            continue;
        free(format->headers[i]->base);
        free(format->headers[i]);
    }
    if (format->compiled != NULL)
        h2o_logconf_dispose(format->compiled);
    free(format);
}
