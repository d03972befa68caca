#ifndef BREAKER_BIN_CUSTOM_HANDLER_H
#define BREAKER_BIN_CUSTOM_HANDLER_H

#include <h2o.h>

/**
 * Has what libh2o makes for each `file.custom-handler` freed with its configuration. Call it before
 * the configuration is read.
 */
void breaker__custom_handler_register_configurator(h2o_globalconf_t *globalconf);

#endif
