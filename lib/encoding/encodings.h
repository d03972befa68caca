#ifndef BREAKER_ENCODING_ENCODINGS_H
#define BREAKER_ENCODING_ENCODINGS_H

#include <stdatomic.h>
#include <breaker/release.h>

/**
 * Makes the encodings that are missing and smaller than the identity bytes, one asset after
 * another, and lets each be seen as soon as it is prepared. `config` says how; NULL is a zeroed
 * one; `cpu_percent` is at most 100. Blocking, meant for a background thread of low priority;
 * returns early when `*stop` becomes true, which a sleeping thread notices within some 20 ms. At
 * most one thread per release.
 */
void breaker__release_encode(breaker_release_t *release, const breaker_encoding_config_t *config,
                             const atomic_bool *stop);
/**
 * The same, and `interlude(data)` is called between two pieces of work, each of which takes some
 * 50 ms at most: for what the thread has to do besides. May be NULL.
 */
void breaker__release_encode_with(breaker_release_t *release,
                                  const breaker_encoding_config_t *config, const atomic_bool *stop,
                                  void (*interlude)(void *data), void *data);

#endif
