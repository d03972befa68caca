#ifndef BREAKER_BIN_DURATIONS_H
#define BREAKER_BIN_DURATIONS_H

#include <h2o.h>

/**
 * Has the durations of requests measured at every path of a configuration that is read, for the
 * JSON of h2o's `status`. At most once a process, because libh2o keeps what measures in a variable.
 */
void breaker__durations_register(h2o_globalconf_t *globalconf);

#endif
