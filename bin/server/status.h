#ifndef BREAKER_BIN_STATUS_H
#define BREAKER_BIN_STATUS_H

#include <h2o.h>

/**
 * Adds to the JSON of h2o's `status` what h2o's own main program adds. Call it before the
 * configuration is read, with the `globalconf` of a `breaker__config_t` whose workers will serve
 * it.
 */
void breaker__status_register(h2o_globalconf_t *globalconf);

/** Has `breaker.status` tell of connections. After the configuration was read; the same one. */
void breaker__status_tell(h2o_globalconf_t *globalconf);

#endif
