/*
 * Certificates and what is spoken with them. A certificate that cannot serve (missing, not its
 * key's, locked by a passphrase) refuses the configuration; one that merely expired serves with a
 * warning, because a server that stays down is worse. Sessions resume by stateless tickets, whose
 * keys all threads share through the one SSL_CTX of a certificate; nothing is cached.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "server/loop.h"
#include "config/refuse.h"
#include "server/certificates.h"

#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define KEYS                                                                                       \
    "certificate-file, key-file, minimum-version, cipher-suite, cipher-suite-tls1.3, "             \
    "cipher-preference"

typedef struct st_certificate_t {
    SSL_CTX *ctx;
    H2O_VECTOR(h2o_iovec_t) names; /* owned; of hosts, "*.example" with its star */
} certificate_t;

struct st_breaker__tls_t {
    H2O_VECTOR(certificate_t) certificates;
    /* as the first `ssl` mapping of the listener says; owned, NULL for the default */
    char *minimum_version, *ciphers, *suites, *preference;
};

/* an `ssl` mapping as it was read; nodes are NULL where it says nothing */
typedef struct st_section_t {
    const yoml_t *certificate_file, *key_file;
    const yoml_t *minimum_version, *ciphers, *suites, *preference;
} section_t;

/* ---- reading ---- */

static const yoml_t **section_slot(section_t *section, const char *key)
{
    const struct {
        const char *key;
        const yoml_t **slot;
    } slots[] = {
        {"certificate-file", &section->certificate_file},
        {"key-file", &section->key_file},
        {"minimum-version", &section->minimum_version},
        {"min-version", &section->minimum_version},
        {"cipher-suite", &section->ciphers},
        {"cipher-suite-tls1.3", &section->suites},
        {"cipher-preference", &section->preference},
    };

    for (size_t i = 0; i != sizeof(slots) / sizeof(slots[0]); ++i)
        if (strcmp(key, slots[i].key) == 0)
            return slots[i].slot;
    return NULL;
}

static int read_section(const yoml_t *node, section_t *section)
{
    if (node->type != YOML_TYPE_MAPPING)
        return breaker__refuse(node, "ssl", "got `%s`; accepted: a mapping with " KEYS,
                               breaker__describe(node));
    for (size_t i = 0; i != node->data.mapping.size; ++i) {
        const yoml_t *key = node->data.mapping.elements[i].key;
        const yoml_t *value = node->data.mapping.elements[i].value;
        const yoml_t **slot =
            key->type == YOML_TYPE_SCALAR ? section_slot(section, key->data.scalar) : NULL;
        const char *text;
        if (slot == NULL)
            return breaker__refuse(key, "ssl", "unknown key `%s`; accepted: " KEYS,
                                   breaker__describe(key));
        if (!breaker__read_text(value, key->data.scalar, &text))
            return -1;
        *slot = value;
    }
    if (section->certificate_file == NULL || section->key_file == NULL)
        return breaker__refuse(node, "ssl", "the mandatory key `%s` is missing",
                               section->certificate_file == NULL ? "certificate-file" : "key-file");
    return 0;
}

static int read_version(const yoml_t *node, int *ret_version)
{
    if (strcasecmp(node->data.scalar, "TLSv1.2") == 0)
        *ret_version = TLS1_2_VERSION;
    else if (strcasecmp(node->data.scalar, "TLSv1.3") == 0)
        *ret_version = TLS1_3_VERSION;
    else
        return breaker__refuse(node, "minimum-version", "got `%s`; accepted: TLSv1.2, TLSv1.3",
                               node->data.scalar);
    return 0;
}

/* ---- one context ---- */

/* OpenSSL's own words for what went wrong first, without its codes */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}

static int check_readable(const yoml_t *node, const char *key)
{
    int fd = open(node->data.scalar, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd == -1)
        return breaker__refuse(node, key, "%s: %s", node->data.scalar, strerror(errno));
    close(fd);
    return 0;
}

/* a key with a passphrase is refused, not asked about on a terminal */
static int no_passphrase(char *buf, int size, int rwflag, void *data)
{
    (void)buf, (void)size, (void)rwflag, (void)data;
    return -1;
}

static void warn_of_dates(const yoml_t *node, const X509 *certificate)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        breaker__warn(node, "certificate-file", "%s has expired", node->data.scalar);
    else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        breaker__warn(node, "certificate-file", "%s is not valid yet", node->data.scalar);
}

static int load_pair(SSL_CTX *ctx, const section_t *section, bool warns)
{
    const yoml_t *certificate = section->certificate_file, *key = section->key_file;

    if (check_readable(certificate, "certificate-file") != 0 ||
        check_readable(key, "key-file") != 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate->data.scalar) != 1)
        return breaker__refuse(certificate, "certificate-file",
                               "%s is not a certificate in PEM: %s", certificate->data.scalar,
                               openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key->data.scalar, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
            return breaker__refuse(key, "key-file", "%s is not the key of the certificate in %s",
                                   key->data.scalar, certificate->data.scalar);
        return breaker__refuse(key, "key-file",
                               "%s is not a private key in PEM without a passphrase: %s",
                               key->data.scalar, openssl_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return breaker__refuse(key, "key-file", "%s is not the key of the certificate in %s",
                               key->data.scalar, certificate->data.scalar);
    if (warns)
        warn_of_dates(certificate, SSL_CTX_get0_certificate(ctx));
    return 0;
}

static int set_parameters(SSL_CTX *ctx, const section_t *section)
{
    int version = TLS1_2_VERSION;

    if (section->minimum_version != NULL && read_version(section->minimum_version, &version) != 0)
        return -1;
    if (SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
        SSL_CTX_set_cipher_list(ctx, DEFAULT_CIPHERS) != 1)
        h2o_fatal("OpenSSL lacks TLS 1.2");
    if (section->ciphers != NULL &&
        SSL_CTX_set_cipher_list(ctx, section->ciphers->data.scalar) != 1)
        return breaker__refuse(section->ciphers, "cipher-suite",
                               "got `%s`; accepted: a list as in openssl-ciphers(1)",
                               section->ciphers->data.scalar);
    if (section->suites != NULL && SSL_CTX_set_ciphersuites(ctx, section->suites->data.scalar) != 1)
        return breaker__refuse(section->suites, "cipher-suite-tls1.3",
                               "got `%s`; accepted: names such as TLS_AES_128_GCM_SHA256, "
                               "separated by colons",
                               section->suites->data.scalar);
    if (section->preference == NULL)
        return 0;
    if (strcasecmp(section->preference->data.scalar, "server") == 0)
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    else if (strcasecmp(section->preference->data.scalar, "client") != 0)
        return breaker__refuse(section->preference, "cipher-preference",
                               "got `%s`; accepted: client, server",
                               section->preference->data.scalar);
    return 0;
}

static SSL_CTX *create_context(const section_t *section, bool warns)
{
    static const unsigned char id[] = "h2o-breaker";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL)
        h2o_fatal("OpenSSL gives no context");
    ERR_clear_error();
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    h2o_ssl_register_alpn_protocols(ctx, breaker__loop_alpn());
    if (set_parameters(ctx, section) == 0 && load_pair(ctx, section, warns) == 0)
        return ctx;
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return NULL;
}

/* ---- the certificates of a listener ---- */

static bool names_host(const certificate_t *certificate, const char *name, size_t len)
{
    for (size_t i = 0; i != certificate->names.size; ++i) {
        h2o_iovec_t own = certificate->names.entries[i];
        if (own.base[0] != '*') {
            if (h2o_lcstris(name, len, own.base, own.len))
                return true;
        } else if (len >= own.len && h2o_lcstris(name + len - (own.len - 1), own.len - 1,
                                                 own.base + 1, own.len - 1)) {
            return true;
        }
    }
    return false;
}

static int on_server_name(SSL *ssl, int *alert, void *data)
{
    const breaker__tls_t *tls = data;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;

    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i != tls->certificates.size; ++i) {
        const certificate_t *certificate = &tls->certificates.entries[i];
        if (names_host(certificate, name, strlen(name))) {
            SSL_set_SSL_CTX(ssl, certificate->ctx);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* what a later section says about the listener's parameters must be what the first one said */
static int agree(char **slot, const yoml_t *node, const char *key, bool is_first)
{
    if (is_first) {
        *slot = node != NULL ? h2o_strdup(NULL, node->data.scalar, SIZE_MAX).base : NULL;
        return 0;
    }
    if (node == NULL || (*slot != NULL && strcmp(*slot, node->data.scalar) == 0))
        return 0;
    return breaker__refuse(node, key,
                           "got `%s`, but the address was opened with `%s` before; all "
                           "certificates of an address share this setting",
                           node->data.scalar, *slot != NULL ? *slot : "the default");
}

static void add_name(certificate_t *certificate, const h2o_hostconf_t *host)
{
    if (host == NULL)
        return;
    h2o_vector_reserve(NULL, &certificate->names, certificate->names.size + 1);
    certificate->names.entries[certificate->names.size++] =
        h2o_strdup(NULL, host->authority.host.base, host->authority.host.len);
}

static void add_certificate(breaker__tls_t *tls, SSL_CTX *ctx, const h2o_hostconf_t *host)
{
    certificate_t *certificate;

    h2o_vector_reserve(NULL, &tls->certificates, tls->certificates.size + 1);
    certificate = &tls->certificates.entries[tls->certificates.size++];
    *certificate = (certificate_t){.ctx = ctx};
    add_name(certificate, host);
    if (tls->certificates.size == 1) {
        SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
        SSL_CTX_set_tlsext_servername_arg(ctx, tls);
    }
}

int breaker__tls_add(breaker__tls_t **tls, const yoml_t *node, const h2o_hostconf_t *host,
                     bool warns)
{
    section_t section = {NULL};
    bool is_first = *tls == NULL;
    SSL_CTX *ctx;

    if (read_section(node, &section) != 0)
        return -1;
    if ((ctx = create_context(&section, warns)) == NULL)
        return -1;
    if (is_first) {
        *tls = h2o_mem_alloc(sizeof(**tls));
        memset(*tls, 0, sizeof(**tls));
    }
    if (agree(&(*tls)->minimum_version, section.minimum_version, "minimum-version", is_first) ||
        agree(&(*tls)->ciphers, section.ciphers, "cipher-suite", is_first) ||
        agree(&(*tls)->suites, section.suites, "cipher-suite-tls1.3", is_first) ||
        agree(&(*tls)->preference, section.preference, "cipher-preference", is_first)) {
        SSL_CTX_free(ctx);
        return -1;
    }
    add_certificate(*tls, ctx, host);
    return 0;
}

SSL_CTX *breaker__tls_context(const breaker__tls_t *tls)
{
    assert(tls->certificates.size != 0);
    return tls->certificates.entries[0].ctx;
}

void breaker__tls_free(breaker__tls_t *tls)
{
    if (tls == NULL)
        return;
    for (size_t i = 0; i != tls->certificates.size; ++i) {
        certificate_t *certificate = &tls->certificates.entries[i];
        for (size_t j = 0; j != certificate->names.size; ++j)
            free(certificate->names.entries[j].base);
        free(certificate->names.entries);
        SSL_CTX_free(certificate->ctx);
    }
    free(tls->certificates.entries);
    free(tls->minimum_version);
    free(tls->ciphers);
    free(tls->suites);
    free(tls->preference);
    free(tls);
}
