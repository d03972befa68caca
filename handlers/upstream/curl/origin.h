#ifndef BREAKER_HANDLERS_UPSTREAM_ORIGIN_H
#define BREAKER_HANDLERS_UPSTREAM_ORIGIN_H

/* Where an application is, and how it is spoken to. Not installed. */
#include <curl/curl.h>
#include <h2o.h>
#include "upstream/settings.h"

/** Immutable; any thread. */
typedef struct st_breaker__origin_t {
    breaker__upstream_settings_t settings;
    /** of the directive; `url.authority.len` is 0 where each request names its own */
    h2o_url_t url;
    /** "https://127.0.0.1:3000"; NULL as above */
    CURLU *base; /* owned */
    /** of `http://[unix:/path]/`; else NULL */
    char *unix_path; /* owned */
} breaker__origin_t;

/**
 * An application at `url`, or, with NULL, any that a request names. Settings are copied. 0, or
 * BREAKER_ERR_RANGE for a URL that libcurl does not take.
 */
int breaker__origin_init(breaker__origin_t *origin, const h2o_url_t *url,
                         const breaker__upstream_settings_t *settings);
void breaker__origin_dispose(breaker__origin_t *origin);

/** Sets what is the same for all requests; the handle is new. False without memory. */
bool breaker__origin_prepare(const breaker__origin_t *origin, CURL *easy);

#endif
