#ifndef BREAKER_BIN_START_LINE_H
#define BREAKER_BIN_START_LINE_H

#include <stdint.h>
#include "config/config.h"

/** Says which release a node has loaded, of how many files, and how long that took. Any thread. */
void breaker__start_line_log_release(breaker_node_t *node, int64_t taken_ms);

/**
 * Says in one event which addresses there are, of the snapshot that is published the tokens and the
 * release, and how long the start took. The listeners listen. Any thread.
 */
void breaker__start_line_log(const breaker__config_t *config, int64_t taken_ms);

#endif
