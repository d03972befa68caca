#ifndef BREAKER_PEERS_MULTI_H
#define BREAKER_PEERS_MULTI_H

/* libcurl's multi handle on a uv loop. Not installed. */
#include <curl/curl.h>
#include <uv.h>

/** Transfers of libcurl that the loop carries out. All functions are for the loop's thread. */
typedef struct st_breaker__multi_t breaker__multi_t;

/**
 * Makes one that keeps at most `connections` connections, open ones and idle ones together.
 * `on_done` is called for every transfer that ends by itself, from the loop, when libcurl is done
 * with its handle; handles may be added, removed and freed in it. Returns NULL when out of memory.
 */
breaker__multi_t *breaker__multi_create(uv_loop_t *loop, unsigned connections,
                                        void (*on_done)(void *data, CURL *easy, CURLcode result),
                                        void *data);

/**
 * Ends it; no transfer is under way. `on_gone(gone_data)` is called from the loop, when that knows
 * nothing of it any more. Not from within `on_done`.
 */
void breaker__multi_close(breaker__multi_t *multi, void (*on_gone)(void *gone_data),
                          void *gone_data);

/** Begins a transfer; nothing is called inside. Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__multi_add(breaker__multi_t *multi, CURL *easy);
/** Breaks a transfer off, or forgets one that ended; `on_done` is not called for it. */
void breaker__multi_remove(breaker__multi_t *multi, CURL *easy);

#endif
