#ifndef BREAKER_BIN_COMPRESS_H
#define BREAKER_BIN_COMPRESS_H

#include <h2o.h>

/** Defines h2o's directives `compress`, `compress-minimum-size` and `gzip`. */
void breaker__compress_register_configurator(h2o_globalconf_t *globalconf);

#endif
