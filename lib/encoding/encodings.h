#ifndef BREAKER_ENCODING_ENCODINGS_H
#define BREAKER_ENCODING_ENCODINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <breaker/release.h>

/**
 * Whether encodings of an asset are missing and worth making, now or when its bytes come into
 * memory; whether they are negotiated is not looked at. Any thread.
 */
bool breaker__is_worth_encoding(const breaker_asset_t *asset);

/**
 * To be called for a release that was loaded, before it is published: brings those encodings that
 * the cache of `config` has, and has what others are still to be made of be answered as such
 * (`breaker_variant_t.is_early`). Nothing is made, removed or told here. So that no start takes
 * long, no more is brought than 4,096 encodings, and of 64 MiB of files, the smallest first; the
 * rest comes with the others. `stop` as below, or NULL. The thread that makes encodings, or before
 * that is started.
 */
void breaker__release_expect_encodings(breaker_release_t *release,
                                       const breaker_encoding_config_t *config,
                                       const atomic_bool *stop);

/**
 * Makes the encodings that are missing and smaller than the identity bytes, one asset after
 * another, and lets each be seen as soon as it is prepared; nobody is early afterwards. `config`
 * says how; NULL is a zeroed one; `cpu_percent` is at most 100. Blocking, meant for a background
 * thread of low priority; returns early when `*stop` becomes true, which a sleeping thread notices
 * within some 20 ms. At most one thread per release.
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
