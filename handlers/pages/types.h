#ifndef BREAKER_HANDLERS_TYPES_H
#define BREAKER_HANDLERS_TYPES_H

/* Which media types are rewritten. Not installed. */
#include <breaker/h2o.h>

/** Names that may stand for several media types, for complaints. */
#define BREAKER__TYPE_NAMES                                                                        \
    "html, xhtml, json, xml, turbo-stream, event-stream, webmanifest, css, js, or a media type "   \
    "such as text/plain"

/** The types that a handler rewrites, html included, as media types and suffixes ("+json"). */
typedef struct st_breaker__types_t {
    size_t num;
    /** owned; in lower case */
    h2o_iovec_t *patterns;
    /** of what was named, whatever the order, for entity tags: the same on every node */
    uint64_t hash;
} breaker__types_t;

/** Tells whether a text is one of the names, or a media type without parameters. */
bool breaker__type_is_known(const char *name);

/** Takes names that are known; `html` need not be there. */
void breaker__types_init(breaker__types_t *types, const char *const *names, size_t num);
void breaker__types_dispose(breaker__types_t *types);

/** Tells whether a Content-Type, parameters and all, is of one of the types. */
bool breaker__types_have(const breaker__types_t *types, h2o_iovec_t content_type);

/** Tells whether a member of an Accept field names one of the types, not by a wildcard. */
bool breaker__types_are_asked(const breaker__types_t *types, h2o_iovec_t accept);

#endif
