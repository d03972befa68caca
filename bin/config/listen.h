#ifndef BREAKER_BIN_LISTEN_H
#define BREAKER_BIN_LISTEN_H

#include <option.h>
#include "net/listener.h"

/**
 * Reads a `listen` directive (an address, a mapping, or a sequence of them) at the top level, where
 * `host` is NULL, or of a host. An address that was named before gets the host and its certificate
 * added. Nothing is bound. Returns 0, or -1 after a complaint.
 */
int breaker__listen_read(const breaker__option_t *option, h2o_hostconf_t *host,
                         breaker__listeners_t *listeners);

#endif
