#ifndef BREAKER_REDIS_TRANSPORT_H
#define BREAKER_REDIS_TRANSPORT_H

/* Bytes to and from one server, over TCP, TLS or a Unix socket. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "redis/tls.h"
#include "redis/url.h"

/** the most addresses of one name that are tried */
#define BREAKER__ADDRESSES_MAX 8
/** the most bytes that wait to be written; a peer that does not read is given up beyond that */
#define BREAKER__WRITE_QUEUE_MAX (2 * 1024 * 1024)
/** the longest reason, with its NUL */
#define BREAKER__REASON_MAX 512

/**
 * One attempt to reach one server and the connection that comes of it; not used again after it
 * failed. Callbacks come from the loop, never from inside a call.
 */
typedef struct st_breaker__transport_t breaker__transport_t;

typedef struct st_breaker__transport_callbacks_t {
    void *data;
    /** bytes may be written; for TLS: the server has proved who it is */
    void (*on_open)(void *data);
    void (*on_bytes)(void *data, const char *base, size_t len);
    /** once at most, the last of the three; the transport is still to be closed */
    void (*on_failed)(void *data, const char *reason);
    /** after `close`: the loop knows nothing of it any more, its memory is gone */
    void (*on_gone)(void *data);
} breaker__transport_callbacks_t;

/**
 * Begins to connect. All addresses of the host are tried in turn and share `timeout_ms`; when all
 * of it is over is for the caller to notice. `tls` is borrowed during this call; NULL: plaintext.
 * Returns NULL when out of memory.
 */
breaker__transport_t *breaker__transport_open(uv_loop_t *loop, const breaker__endpoint_t *endpoint,
                                              breaker__tls_context_t *tls, uint32_t timeout_ms,
                                              const breaker__transport_callbacks_t *callbacks);
/** Writes a copy, after `on_open` only. What goes wrong is told by `on_failed`. */
void breaker__transport_write(breaker__transport_t *transport, const char *base, size_t len);
/** Whether the server accepted the connection, whatever came of it then. */
bool breaker__transport_is_accepted(const breaker__transport_t *transport);
/**
 * Tells the address that the connection has on this machine; after `on_open` only. False for a Unix
 * socket.
 */
bool breaker__transport_local(const breaker__transport_t *transport,
                              struct sockaddr_storage *ret_address);
/** Ends it; of the callbacks only `on_gone` follows. */
void breaker__transport_close(breaker__transport_t *transport);

#endif
