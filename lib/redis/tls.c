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
#include <string.h>
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
    /** something came from the server */
    bool has_heard;
    char reason[256];
};

/* OpenSSL's words for what went wrong last, or the system's for what did first, and OpenSSL's queue
 * of errors empty again */
static const char *openssl_reason(void)
{
    unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
    const char *reason = last != 0 ? ERR_reason_error_string(last) : NULL;

    if (ERR_SYSTEM_ERROR(first))
        reason = strerror(ERR_GET_REASON(first));
    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}

/* a key with a passphrase is refused: nobody is there to type one */
static int no_passphrase(char *dst, int size, int is_writing, void *data)
{
    (void)dst, (void)size, (void)is_writing, (void)data;
    return -1;
}

static int show_certificate(SSL_CTX *ctx, const breaker__tls_files_t *files, breaker_error_t *error)
{
    const char *key = files->key != NULL ? files->key : files->cert;

    if (files->cert == NULL)
        return files->key == NULL ? 0
                                  : breaker_error_set(error, BREAKER_ERR_RANGE,
                                                      "%s: a key needs the certificate that it "
                                                      "belongs to",
                                                      files->key);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
        return breaker_error_set(error, BREAKER_ERR_IO,
                                 "%s: a certificate in PEM cannot be read: %s", files->cert,
                                 openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return breaker_error_set(error, BREAKER_ERR_IO,
                                 "%s: the private key of %s in PEM, without a passphrase, cannot "
                                 "be read: %s",
                                 key, files->cert, openssl_reason());
    return 0;
}

static int trust(SSL_CTX *ctx, const char *ca_file, breaker_error_t *error)
{
    if (ca_file == NULL ? SSL_CTX_set_default_verify_paths(ctx) == 1
                        : SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1)
        return 0;
    return breaker_error_set(error, BREAKER_ERR_IO, "%s: CA certificates in PEM cannot be read: %s",
                             ca_file != NULL ? ca_file : "the system's store", openssl_reason());
}

int breaker__tls_context_create(const breaker__tls_files_t *files,
                                breaker__tls_context_t **ret_context, breaker_error_t *error)
{
    breaker__tls_context_t *context = calloc(1, sizeof(*context));
    int err;

    ERR_clear_error();
    if (context == NULL || (context->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
        SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION) != 1) {
        breaker__tls_context_free(context);
        ERR_clear_error();
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "TLS: no memory");
    }
    if ((err = trust(context->ctx, files->ca, error)) != 0 ||
        (err = show_certificate(context->ctx, files, error)) != 0) {
        breaker__tls_context_free(context);
        return err;
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

/* Whether the last error is the server's about a certificate of ours: that there is none, or that
 * it is not good; and empties the queue if it is. What TLS 1.2 says of none may mean other things.
 */
static bool wants_certificate(void)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    bool wants = reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
                 reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
                 reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
                 reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
                 reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA;

    if (wants)
        ERR_clear_error();
    return wants;
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
    if (wants_certificate())
        return fail(tls, "the server wants a certificate of ours that it trusts (cert-file, "
                         "key-file)");
    return fail(tls, openssl_reason());
}

breaker__tls_result_t breaker__tls_feed(breaker__tls_t *tls, const char *base, size_t len)
{
    assert(!tls->failed);
    assert(len <= INT_MAX);
    ERR_clear_error();
    if (len == 0)
        return BREAKER__TLS_DONE;
    /* a record of TLS begins with its type, 20 to 24; a Redis begins with a mark of its own */
    if (!tls->has_heard && (base[0] == '-' || base[0] == '+'))
        return fail(tls, "the server answers without TLS: it is a plain Redis, for redis://");
    tls->has_heard = true;
    if (BIO_write(tls->in, base, (int)len) != (int)len)
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
