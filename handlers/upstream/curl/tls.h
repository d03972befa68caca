#ifndef BREAKER_HANDLERS_UPSTREAM_TLS_H
#define BREAKER_HANDLERS_UPSTREAM_TLS_H

/* How an application over TLS is believed, and who we are to it. Not installed. */
#include <stdbool.h>
#include <openssl/ssl.h>
#include <breaker/error.h>

/** Files are read when they are named, so that no process needs to read them later. */
typedef struct st_breaker__tls_config_t {
    /** whether the application has to show a certificate for its name */
    bool verifies_peer;
    /** whether sessions are resumed */
    bool keeps_sessions;
    /** whose certificates are believed; NULL: those that the system believes */
    X509_STORE *authorities; /* a reference */
    /** what we show, with its key; NULL: nothing */
    SSL_CTX *identity; /* a reference; only a place for a certificate, its chain and a key */
} breaker__tls_config_t;

void breaker__tls_config_init(breaker__tls_config_t *config);
/** Counts the references of a copy. */
void breaker__tls_config_ref(breaker__tls_config_t *config);
void breaker__tls_config_dispose(breaker__tls_config_t *config);

/**
 * Reads whose certificates are believed, PEM. 0, or BREAKER_ERR_* with `error` set; the store of
 * before is let go on success.
 */
int breaker__tls_config_read_authorities(breaker__tls_config_t *config, const char *path,
                                         breaker_error_t *error);
/** Reads those that the system believes, unless others are named. Errors as above. */
int breaker__tls_config_read_system(breaker__tls_config_t *config, breaker_error_t *error);
/**
 * Reads the certificate, with its chain, and the key that we show, PEM. Fails also where the two do
 * not belong together.
 */
int breaker__tls_config_read_identity(breaker__tls_config_t *config, const char *certificate,
                                      const char *key, breaker_error_t *error);

/** Makes a client's context as the configuration says; false when there is no memory. */
bool breaker__tls_config_apply(const breaker__tls_config_t *config, SSL_CTX *ctx);

#endif
