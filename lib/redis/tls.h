#ifndef BREAKER_REDIS_TLS_H
#define BREAKER_REDIS_TLS_H

/* TLS as a client, as a pure transformation of bytes. Not installed. */
#include <stddef.h>
#include <breaker/error.h>

/** what all connections share: certificates that are trusted, what is spoken */
typedef struct st_breaker__tls_context_t breaker__tls_context_t;
/** one connection */
typedef struct st_breaker__tls_t breaker__tls_t;

/** Files in PEM, as `breaker_redis_config_t` has them. */
typedef struct st_breaker__tls_files_t {
    /** NULL: the system's certificates */
    const char *ca;
    /** both NULL: a client without a certificate; `key` NULL: the key is in `cert` */
    const char *cert, *key;
} breaker__tls_files_t;

/** IO when a file has nothing that can be read, RANGE when there is a key without a certificate. */
int breaker__tls_context_create(const breaker__tls_files_t *files,
                                breaker__tls_context_t **ret_context, breaker_error_t *error);
/** Takes NULL. */
void breaker__tls_context_free(breaker__tls_context_t *context);

/** `host` is the name or address that the server's certificate must be for. NULL: out of memory. */
breaker__tls_t *breaker__tls_create(breaker__tls_context_t *context, const char *host);
/** Takes NULL. */
void breaker__tls_end(breaker__tls_t *tls);

typedef enum en_breaker__tls_result_t {
    BREAKER__TLS_DONE,
    /** more bytes of the server are needed */
    BREAKER__TLS_MORE,
    /** of no use any more; `breaker__tls_reason` tells why */
    BREAKER__TLS_FAILED,
} breaker__tls_result_t;

/** Takes in what the server sent. */
breaker__tls_result_t breaker__tls_feed(breaker__tls_t *tls, const char *base, size_t len);
/** Goes on with the handshake: DONE when the server is verified. */
breaker__tls_result_t breaker__tls_handshake(breaker__tls_t *tls);
/** Takes plain bytes out: DONE with 1 to `size` of them. */
breaker__tls_result_t breaker__tls_read(breaker__tls_t *tls, char *dst, size_t size,
                                        size_t *ret_len);
/** Takes plain bytes in, all of them. */
breaker__tls_result_t breaker__tls_write(breaker__tls_t *tls, const char *base, size_t len);
/** What must be sent to the server now. Borrowed until the next call; `consume` follows. */
size_t breaker__tls_output(const breaker__tls_t *tls, const char **ret_base);
void breaker__tls_consume(breaker__tls_t *tls);
/** One line about the last failure. Borrowed. */
const char *breaker__tls_reason(const breaker__tls_t *tls);

#endif
