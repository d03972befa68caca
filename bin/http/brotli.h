#ifndef BREAKER_BIN_BROTLI_H
#define BREAKER_BIN_BROTLI_H

#include <stddef.h>
#include <h2o.h>

/**
 * Has responses at a path compressed with Brotli, those that h2o's `compress` would compress, for
 * clients that ask for it. `quality` is 0 to 11; bodies of a known length under `min_size` bytes
 * stay as they are. To be called after `h2o_compress_register`, whose gzip is for the other
 * clients.
 */
void breaker__brotli_register(h2o_pathconf_t *pathconf, int quality, size_t min_size);

#endif
