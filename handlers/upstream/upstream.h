#ifndef BREAKER_HANDLERS_UPSTREAM_H
#define BREAKER_HANDLERS_UPSTREAM_H

/* Requests that an application answers, over HTTP. Not installed. */
#include <h2o.h>
#include "upstream/settings.h"

/**
 * Registers an application at a path, behind the handlers that are there. Settings are copied. 0,
 * or BREAKER_ERR_RANGE for a URL that libcurl does not take.
 */
int breaker__upstream_register(h2o_pathconf_t *pathconf, const h2o_url_t *url,
                               const breaker__upstream_settings_t *settings);

/** Tells whether a handler is one of those. */
bool breaker__is_upstream(const h2o_handler_t *handler);
/** Of one of those: whether its application takes bodies in chunks. */
bool breaker__upstream_takes_chunks(const h2o_handler_t *handler);

#endif
