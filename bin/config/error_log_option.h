#ifndef BREAKER_BIN_ERROR_LOG_OPTION_H
#define BREAKER_BIN_ERROR_LOG_OPTION_H

#include <option.h>
#include "logs/error_log.h"

/**
 * Reads `error-log`: a path, or a mapping with `path`, `format` and `level`; the path `stderr` is
 * none. Returns 0, or -1 after a line, with what was read so far.
 */
int breaker__error_log_read(const breaker__option_t *option, breaker__error_log_config_t *log);

#endif
