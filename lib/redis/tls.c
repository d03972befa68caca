/*
 * TLS over memory BIOs: OpenSSL never sees a socket, so the transport stays uv's. The server is
 * always verified, its chain against trusted certificates and its name or address against the
 * certificate; there is no way to turn that off and no way back to plaintext.
 *
 * Invariants: DONE of a handshake means verified; after FAILED nothing is read or written any more.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "redis/tls.h"

struct st_breaker__tls_context_t {
    SSL_CTX *ctx; /* owned */
};

struct st_breaker__tls_t {
    SSL *ssl;      /* owned */
    BIO *in, *out; /* borrowed: the SSL owns them */
    bool failed;
    char reason[256];
};

/* OpenSSL's words for what went wrong last, and its queue of errors empty again */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}

static bool trust(SSL_CTX *ctx, const char *ca_file)
{
    if (ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    return SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1;
}

int breaker__tls_context_create(const char *ca_file, breaker__tls_context_t **ret_context,
                                breaker_error_t *error)
{
    breaker__tls_context_t *context = calloc(1, sizeof(*context));

    ERR_clear_error();
    if (context == NULL || (context->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
        SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION) != 1) {
        breaker__tls_context_free(context);
        ERR_clear_error();
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "TLS: no memory");
    }
    if (!trust(context->ctx, ca_file)) {
        breaker__tls_context_free(context);
        return breaker_error_set(
            error, BREAKER_ERR_IO, "%s: CA certificates in PEM cannot be read: %s",
            ca_file != NULL ? ca_file : "the system's store", openssl_reason());
    }
    SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(context->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
    *ret_context = context;
    return 0;
}

void breaker__tls_context_free(breaker__tls_context_t *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Sets whom the certificate must be for. Names are also told to the server (RFC 6066 §3 forbids
 * that for addresses). */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

breaker__tls_t *breaker__tls_create(breaker__tls_context_t *context, const char *host)
{
    breaker__tls_t *tls = calloc(1, sizeof(*tls));

    assert(host[0] != '\0');
    if (tls == NULL || (tls->ssl = SSL_new(context->ctx)) == NULL)
        goto Fail;
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        goto Fail;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (!expect_host(tls->ssl, host))
        goto Fail;
    SSL_set_connect_state(tls->ssl);
    return tls;

Fail:
    ERR_clear_error();
    breaker__tls_end(tls);
    return NULL;
}

void breaker__tls_end(breaker__tls_t *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

static breaker__tls_result_t fail(breaker__tls_t *tls, const char *what)
{
    tls->failed = true;
    snprintf(tls->reason, sizeof(tls->reason), "TLS: %s", what);
    return BREAKER__TLS_FAILED;
}

/* What a call of OpenSSL that did not succeed means. */
static breaker__tls_result_t judge(breaker__tls_t *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);
    long verified;

    if (error == SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        return BREAKER__TLS_MORE;
    }
    if (error == SSL_ERROR_ZERO_RETURN)
        return fail(tls, "closed by the server");
    if ((verified = SSL_get_verify_result(tls->ssl)) != X509_V_OK) {
        ERR_clear_error();
        return fail(tls, X509_verify_cert_error_string(verified));
    }
    return fail(tls, openssl_reason());
}

breaker__tls_result_t breaker__tls_feed(breaker__tls_t *tls, const char *base, size_t len)
{
    assert(!tls->failed);
    assert(len <= INT_MAX);
    ERR_clear_error();
    if (len != 0 && BIO_write(tls->in, base, (int)len) != (int)len)
        return fail(tls, "out of memory");
    return BREAKER__TLS_DONE;
}

breaker__tls_result_t breaker__tls_handshake(breaker__tls_t *tls)
{
    int result;

    assert(!tls->failed);
    ERR_clear_error();
    if ((result = SSL_do_handshake(tls->ssl)) != 1)
        return judge(tls, result);
    /* Verification is on, so an unverified peer cannot come this far; a certificate-less one
     * could only by an anonymous cipher, which is not offered. */
    if (SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return fail(tls, "the server is not verified");
    return BREAKER__TLS_DONE;
}

breaker__tls_result_t breaker__tls_read(breaker__tls_t *tls, char *dst, size_t size,
                                        size_t *ret_len)
{
    int result;

    assert(!tls->failed);
    assert(size <= INT_MAX);
    ERR_clear_error();
    if ((result = SSL_read(tls->ssl, dst, (int)size)) <= 0)
        return judge(tls, result);
    *ret_len = (size_t)result;
    return BREAKER__TLS_DONE;
}

breaker__tls_result_t breaker__tls_write(breaker__tls_t *tls, const char *base, size_t len)
{
    int result;

    assert(!tls->failed);
    assert(len != 0 && len <= INT_MAX);
    ERR_clear_error();
    if ((result = SSL_write(tls->ssl, base, (int)len)) <= 0)
        return judge(tls, result) == BREAKER__TLS_FAILED
                   ? BREAKER__TLS_FAILED
                   : fail(tls, "the server began a new handshake");
    return BREAKER__TLS_DONE;
}

size_t breaker__tls_output(const breaker__tls_t *tls, const char **ret_base)
{
    char *base = NULL;
    long len = BIO_get_mem_data(tls->out, &base);

    *ret_base = base;
    return len > 0 ? (size_t)len : 0;
}

void breaker__tls_consume(breaker__tls_t *tls)
{
    (void)BIO_reset(tls->out);
}

const char *breaker__tls_reason(const breaker__tls_t *tls)
{
    return tls->reason;
}
