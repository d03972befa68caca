/*
 * libcurl makes a context for each connection. What it would read from files each time, we read
 * once, when the configuration is, and hand over by reference; so a file that is wrong is said of
 * then, and neither a change of user nor a sandbox stands before a handshake. OpenSSL counts these
 * references with atomics: threads share them.
 */
#include <assert.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include "upstream/curl/tls.h"

void breaker__tls_config_init(breaker__tls_config_t *config)
{
    *config = (breaker__tls_config_t){.verifies_peer = true, .keeps_sessions = true};
}

void breaker__tls_config_ref(breaker__tls_config_t *config)
{
    if (config->authorities != NULL)
        X509_STORE_up_ref(config->authorities);
    if (config->identity != NULL)
        SSL_CTX_up_ref(config->identity);
}

void breaker__tls_config_dispose(breaker__tls_config_t *config)
{
    X509_STORE_free(config->authorities);
    SSL_CTX_free(config->identity);
    config->authorities = NULL;
    config->identity = NULL;
}

/* why OpenSSL refused, of the first error in its queue; the queue is empty after */
static const char *take_reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason = NULL;

    if (ERR_SYSTEM_ERROR(code))
        reason = strerror(ERR_GET_REASON(code));
    else if (code != 0)
        reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}

static int take_store(breaker__tls_config_t *config, X509_STORE *store, int is_read,
                      const char *what, breaker_error_t *error)
{
    if (store == NULL || is_read != 1) {
        X509_STORE_free(store);
        return breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", what, take_reason());
    }
    X509_STORE_free(config->authorities);
    config->authorities = store;
    return 0;
}

int breaker__tls_config_read_authorities(breaker__tls_config_t *config, const char *path,
                                         breaker_error_t *error)
{
    X509_STORE *store = X509_STORE_new();

    ERR_clear_error();
    return take_store(config, store, store != NULL ? X509_STORE_load_file(store, path) : 0, path,
                      error);
}

int breaker__tls_config_read_system(breaker__tls_config_t *config, breaker_error_t *error)
{
    X509_STORE *store;

    if (config->authorities != NULL)
        return 0;
    ERR_clear_error();
    store = X509_STORE_new();
    return take_store(config, store, store != NULL ? X509_STORE_set_default_paths(store) : 0,
                      "the certificates that the system believes", error);
}

/* a key with a passphrase is refused, not asked about on a terminal */
static int no_passphrase(char *buf, int size, int rwflag, void *data)
{
    (void)buf, (void)size, (void)rwflag, (void)data;
    return -1;
}

static int refuse_identity(SSL_CTX *ctx, const char *path, breaker_error_t *error)
{
    SSL_CTX_free(ctx);
    return breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", path, take_reason());
}

int breaker__tls_config_read_identity(breaker__tls_config_t *config, const char *certificate,
                                      const char *key, breaker_error_t *error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    ERR_clear_error();
    if (ctx == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "%s", certificate);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        return refuse_identity(ctx, certificate, error);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return refuse_identity(ctx, key, error);
    SSL_CTX_free(config->identity);
    config->identity = ctx;
    return 0;
}

static bool apply_identity(SSL_CTX *identity, SSL_CTX *ctx)
{
    STACK_OF(X509) *chain = NULL;

    if (SSL_CTX_get_extra_chain_certs(identity, &chain) != 1)
        return false;
    return SSL_CTX_use_certificate(ctx, SSL_CTX_get0_certificate(identity)) == 1 &&
           (chain == NULL || SSL_CTX_set1_chain(ctx, chain) == 1) &&
           SSL_CTX_use_PrivateKey(ctx, SSL_CTX_get0_privatekey(identity)) == 1;
}

bool breaker__tls_config_apply(const breaker__tls_config_t *config, SSL_CTX *ctx)
{
    /* libcurl's callback comes before it looks at the store, which it leaves as it is then */
    if (config->authorities != NULL)
        SSL_CTX_set1_cert_store(ctx, config->authorities);
    return config->identity == NULL || apply_identity(config->identity, ctx);
}
