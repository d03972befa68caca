#ifndef BREAKER_REDIS_CONNECTION_H
#define BREAKER_REDIS_CONNECTION_H

/* One conversation with one server: who we are first, then question and answer. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/redis.h>
#include "redis/tls.h"
#include "redis/url.h"

/** Whom to talk to, and as whom. Texts and the context are borrowed: they outlive the connection.
 */
typedef struct st_breaker__connection_config_t {
    breaker__endpoint_t endpoint;
    breaker__tls_context_t *tls; /* NULL: plaintext */
    /** both NULL: no AUTH; without a user the password alone is told */
    const char *user, *password;
    /** selected unless it is 0 */
    uint32_t db;
    uint32_t connect_timeout_ms, reply_timeout_ms;
} breaker__connection_config_t;

typedef struct st_breaker__connection_t breaker__connection_t;

typedef struct st_breaker__connection_callbacks_t {
    void *data;
    /** authenticated, database selected */
    void (*on_ready)(void *data);
    /** to `ask`; the reply is borrowed */
    void (*on_reply)(void *data, const breaker_reply_t *reply);
    /** once at most, and nothing but on_gone after it; the connection is still to be closed */
    void (*on_failed)(void *data, const char *reason);
    /** after `close`: the loop knows nothing of it any more, its memory is gone */
    void (*on_gone)(void *data);
} breaker__connection_callbacks_t;

/**
 * Begins to connect: on_ready or on_failed follows within the connect timeout, which covers all of
 * name, connection, TLS, AUTH and SELECT. NULL: out of memory.
 */
breaker__connection_t *breaker__connection_open(uv_loop_t *loop,
                                                const breaker__connection_config_t *config,
                                                const breaker__connection_callbacks_t *callbacks);
/** Sends a command as `breaker__command_format` made it; when ready, and one at a time. */
void breaker__connection_ask(breaker__connection_t *connection, const char *base, size_t len);
/** As `breaker__transport_local`; when ready. */
bool breaker__connection_local(const breaker__connection_t *connection,
                               struct sockaddr_storage *ret_address);
/** Whether it failed because the server refused the password, as far as it says why; in on_failed.
 */
bool breaker__connection_is_refused(const breaker__connection_t *connection);
/** Ends it; of the callbacks only on_gone follows. */
void breaker__connection_close(breaker__connection_t *connection);

#endif
