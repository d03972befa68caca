#ifndef BREAKER_HANDLERS_VIEW_HEADERS_H
#define BREAKER_HANDLERS_VIEW_HEADERS_H

/* The option `headers` of a view. */
#include <option.h>
#include <breaker/view.h>

/** What a view's configuration points at. The texts are the file's. */
typedef struct st_breaker__view_headers_t {
    const char *plain[BREAKER_VIEW_HEADERS_MAX];
    breaker_matched_header_t matched[BREAKER_VIEW_HEADERS_MAX];
} breaker__view_headers_t;

/**
 * Reads a sequence of headers, each for all files, "Name: value", or for those whose paths match,
 * {match: "*.js", set: "Name: value"}, where `set` may be a sequence as well. Fills `*headers`,
 * which outlives `*config`, and has that point at it. 0, or -1 after a complaint.
 */
int breaker__view_headers_read(const breaker__option_t *option, breaker__view_headers_t *headers,
                               breaker_view_config_t *config);

#endif
