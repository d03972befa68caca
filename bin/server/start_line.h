#ifndef BREAKER_BIN_START_LINE_H
#define BREAKER_BIN_START_LINE_H

#include <stdint.h>
#include "config/config.h"

/**
 * Writes one line on stderr that names the addresses, and of the snapshot that is published the
 * tokens and the release, and how long the start took. The listeners listen. Any thread.
 */
void breaker__start_line_log(const breaker__config_t *config, int64_t taken_ms);

#endif
