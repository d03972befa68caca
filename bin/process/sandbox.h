#ifndef BREAKER_BIN_SANDBOX_H
#define BREAKER_BIN_SANDBOX_H

#include <stdbool.h>
#include "config/config.h"

/**
 * Gives up, for good, what of the user's rights over files this process has no use for: it reads
 * beneath the directories that the configuration names and what looking up names and TLS read,
 * writes beneath the archive, the cache of encodings, the state file's directory and those for
 * temporary files, and executes nothing. Without a master (`is_alone`) it writes where its logs,
 * its pid file and the files of its sockets are, too. For the only thread of the process, as the
 * user that it serves as. Where the kernel cannot do it a line of the log says so.
 */
void breaker__sandbox_enter(const breaker__config_t *config, bool is_alone);

#endif
