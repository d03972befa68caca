#ifndef BREAKER_BIN_RESUMPTION_H
#define BREAKER_BIN_RESUMPTION_H

#include <option.h>
#include "net/certificates.h"

/**
 * Reads an `ssl-session-resumption` directive, as h2o has it where sessions stay in the process.
 * Returns 0, or -1 after a complaint.
 */
int breaker__resumption_read(const breaker__option_t *option,
                             breaker__resumption_t *ret_resumption);

#endif
