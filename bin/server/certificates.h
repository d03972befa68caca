#ifndef BREAKER_BIN_TLS_H
#define BREAKER_BIN_TLS_H

#include <stdbool.h>
#include <h2o.h>
#include <yoml.h>

/**
 * TLS of one listener: its certificates, the first of which answers clients that name no host or an
 * unknown one (RFC 6066 §3), and one set of versions and ciphers, which is the listener's because
 * OpenSSL settles them before the host is known.
 */
typedef struct st_breaker__tls_t breaker__tls_t;

/**
 * Reads an `ssl` mapping and adds its certificate to `*tls`, which is made when NULL. `host` is the
 * host whose name chooses the certificate, or NULL at the top level. `warns` tells whether an
 * expired certificate is mentioned; a directive that stands for several addresses asks once.
 * Returns 0, or -1 after a complaint.
 */
int breaker__tls_add(breaker__tls_t **tls, const yoml_t *node, const h2o_hostconf_t *host,
                     bool warns);

/** The context that accepted connections begin with. Borrowed. */
SSL_CTX *breaker__tls_context(const breaker__tls_t *tls);

/** Frees it; takes NULL. */
void breaker__tls_free(breaker__tls_t *tls);

#endif
