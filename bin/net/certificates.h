#ifndef BREAKER_BIN_CERTIFICATES_H
#define BREAKER_BIN_CERTIFICATES_H

#include <stdbool.h>
#include <h2o.h>
#include <option.h>

/**
 * TLS of one listener: its certificates, the first of which answers clients that name no host or an
 * unknown one (RFC 6066 §3), and one set of versions and ciphers, which is the listener's because
 * OpenSSL settles them before the host is known.
 */
typedef struct st_breaker__certificates_t breaker__certificates_t;

/**
 * Reads an `ssl` mapping and adds its certificate to `*slot`, which is made when NULL. `host` is
 * the host whose name chooses the certificate, or NULL at the top level. `warns` tells whether an
 * expired certificate is mentioned; a directive that stands for several addresses asks once.
 * Returns 0, or -1 after a complaint.
 */
int breaker__certificates_add(breaker__certificates_t **slot, const breaker__option_t *option,
                              const h2o_hostconf_t *host, bool warns);

/** How sessions of TLS are resumed. Plain value. */
typedef struct st_breaker__resumption_t {
    /** by tickets that the client keeps, and by sessions that this process keeps: the threads share
     * them, 20,480 of a listener at most */
    bool by_ticket, by_cache;
    /** seconds for which a session can be resumed, not 0 */
    uint32_t lifetime_s;
} breaker__resumption_t;

/** Sets it, of tickets only and 7,200 s otherwise. Before connections are accepted. */
void breaker__certificates_set_resumption(breaker__certificates_t *self,
                                          const breaker__resumption_t *resumption);

/** The context that accepted connections begin with. Borrowed. */
SSL_CTX *breaker__certificates_context(const breaker__certificates_t *self);

/** Frees it; takes NULL. */
void breaker__certificates_free(breaker__certificates_t *self);

#endif
