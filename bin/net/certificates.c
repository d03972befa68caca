/*
 * Certificates and what is spoken with them. A certificate that cannot serve (missing, not its
 * key's, locked by a passphrase) refuses the configuration; one that merely expired serves with a
 * warning, because a server that stays down is worse. Sessions resume by stateless tickets, whose
 * keys all threads share through the one SSL_CTX of a certificate; they share its cache as well,
 * which is empty unless it is asked for.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "net/certificates.h"
#include "net/loop.h"

#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define KEYS                                                                                       \
    "certificate-file, key-file, minimum-version, maximum-version, cipher-suite, "                 \
    "cipher-suite-tls1.3, cipher-preference, dh-file"

typedef struct st_certificate_t {
    SSL_CTX *ctx;
    H2O_VECTOR(h2o_iovec_t) names; /* owned; of hosts, "*.example" with its star */
} certificate_t;

struct st_breaker__certificates_t {
    H2O_VECTOR(certificate_t) certificates;
    /* as the first `ssl` mapping of the listener says; owned, NULL for the default */
    char *minimum_version, *maximum_version, *ciphers, *suites, *preference, *dh_file;
};

/* an `ssl` mapping as it was read; each is a text, or without a node where it says nothing */
typedef struct st_section_t {
    breaker__option_t certificate_file, key_file;
    breaker__option_t minimum_version, maximum_version, ciphers, suites, preference, dh_file;
} section_t;

/* ---- reading ---- */

static breaker__option_t *section_slot(section_t *section, const char *key)
{
    const struct {
        const char *key;
        breaker__option_t *slot;
    } slots[] = {
        {"certificate-file", &section->certificate_file},
        {"key-file", &section->key_file},
        {"minimum-version", &section->minimum_version},
        {"min-version", &section->minimum_version},
        {"maximum-version", &section->maximum_version},
        {"max-version", &section->maximum_version},
        {"cipher-suite", &section->ciphers},
        {"cipher-suite-tls1.3", &section->suites},
        {"cipher-preference", &section->preference},
        {"dh-file", &section->dh_file},
    };

    for (size_t i = 0; i != sizeof(slots) / sizeof(slots[0]); ++i)
        if (strcmp(key, slots[i].key) == 0)
            return slots[i].slot;
    return NULL;
}

static const char *text_of(const breaker__option_t *option)
{
    assert(option->node->type == YOML_TYPE_SCALAR);
    return option->node->data.scalar;
}

/* what h2o has and this server has not, where it is switched off */
static bool is_switched_off(const breaker__option_t *option)
{
    static const char *const switches[][2] = {{"ocsp-update-interval", "0"}, {"neverbleed", "OFF"}};

    for (size_t i = 0; i != sizeof(switches) / sizeof(switches[0]); ++i)
        if (strcmp(option->key, switches[i][0]) == 0 &&
            strcasecmp(breaker__option_describe(option->node), switches[i][1]) == 0)
            return true;
    return false;
}

static int refuse_of_h2o(const breaker__option_t *option)
{
    static const char *const keys[] = {"ocsp-update-interval", "ocsp-update-cmd",
                                       "ocsp-max-failures", "neverbleed"};

    for (size_t i = 0; i != sizeof(keys) / sizeof(keys[0]); ++i)
        if (strcmp(option->key, keys[i]) == 0)
            return breaker__option_fail(
                option, "h2o has it, and this server has not; accepted: ocsp-update-interval: 0 "
                        "and neverbleed: OFF, or nothing");
    return breaker__option_unknown(option, KEYS);
}

static int read_key(const breaker__option_t *option, void *data)
{
    breaker__option_t *slot = section_slot(data, option->key);
    const char *text;

    if (slot == NULL)
        return is_switched_off(option) ? 0 : refuse_of_h2o(option);
    if (breaker__option_text(option, &text) != 0)
        return -1;
    *slot = *option;
    return 0;
}

static int read_section(const breaker__option_t *option, section_t *section)
{
    if (breaker__option_each(option, KEYS, read_key, section) != 0)
        return -1;
    if (section->certificate_file.node == NULL)
        return breaker__option_missing(option, "certificate-file");
    if (section->key_file.node == NULL)
        return breaker__option_missing(option, "key-file");
    return 0;
}

static int read_version(const breaker__option_t *option, int *ret_version)
{
    if (strcasecmp(text_of(option), "TLSv1.2") == 0)
        *ret_version = TLS1_2_VERSION;
    else if (strcasecmp(text_of(option), "TLSv1.3") == 0)
        *ret_version = TLS1_3_VERSION;
    else
        return breaker__option_refuse(option, "TLSv1.2, TLSv1.3");
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

static int check_readable(const breaker__option_t *option)
{
    int fd = open(text_of(option), O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd == -1)
        return breaker__option_fail(option, "%s: %s", text_of(option), strerror(errno));
    close(fd);
    return 0;
}

/* a key with a passphrase is refused, not asked about on a terminal */
static int no_passphrase(char *buf, int size, int rwflag, void *data)
{
    (void)buf, (void)size, (void)rwflag, (void)data;
    return -1;
}

static void warn_of_dates(const breaker__option_t *file, const X509 *certificate)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        breaker__option_warn(file, "%s has expired", text_of(file));
    else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        breaker__option_warn(file, "%s is not valid yet", text_of(file));
}

static int refuse_key(const section_t *section)
{
    return breaker__option_fail(&section->key_file, "%s is not the key of the certificate in %s",
                                text_of(&section->key_file), text_of(&section->certificate_file));
}

static int load_pair(SSL_CTX *ctx, const section_t *section, bool warns)
{
    const breaker__option_t *certificate = &section->certificate_file, *key = &section->key_file;

    if (check_readable(certificate) != 0 || check_readable(key) != 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(ctx, text_of(certificate)) != 1)
        return breaker__option_fail(certificate, "%s is not a certificate in PEM: %s",
                                    text_of(certificate), openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, text_of(key), SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
            return refuse_key(section);
        return breaker__option_fail(key, "%s is not a private key in PEM without a passphrase: %s",
                                    text_of(key), openssl_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return refuse_key(section);
    if (warns)
        warn_of_dates(certificate, SSL_CTX_get0_certificate(ctx));
    return 0;
}

static int set_preference(SSL_CTX *ctx, const breaker__option_t *option)
{
    if (strcasecmp(text_of(option), "server") == 0)
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    else if (strcasecmp(text_of(option), "client") != 0)
        return breaker__option_refuse(option, "client, server");
    return 0;
}

static int set_versions(SSL_CTX *ctx, const section_t *section)
{
    int minimum = TLS1_2_VERSION, maximum = TLS1_3_VERSION;

    if (section->minimum_version.node != NULL &&
        read_version(&section->minimum_version, &minimum) != 0)
        return -1;
    if (section->maximum_version.node != NULL &&
        read_version(&section->maximum_version, &maximum) != 0)
        return -1;
    if (minimum > maximum)
        return breaker__option_refuse(&section->maximum_version,
                                      "minimum-version or a later one, TLSv1.3 by default");
    if (SSL_CTX_set_min_proto_version(ctx, minimum) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, maximum) != 1)
        h2o_fatal("OpenSSL lacks TLS 1.2 or 1.3");
    return 0;
}

/* the parameters of ephemeral Diffie-Hellman, as openssl-dhparam(1) makes them */
static bool load_dh(SSL_CTX *ctx, const char *path)
{
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *parameters = file != NULL ? PEM_read_bio_Parameters(file, NULL) : NULL;

    BIO_free(file);
    if (parameters != NULL && EVP_PKEY_is_a(parameters, "DH") &&
        SSL_CTX_set0_tmp_dh_pkey(ctx, parameters) == 1)
        return true;
    EVP_PKEY_free(parameters);
    return false;
}

static int set_dh(SSL_CTX *ctx, const breaker__option_t *option)
{
    if (check_readable(option) != 0)
        return -1;
    if (load_dh(ctx, text_of(option)))
        return 0;
    return breaker__option_fail(option,
                                "%s has no parameters of Diffie-Hellman in PEM, strong enough: %s",
                                text_of(option), openssl_reason());
}

static int set_parameters(SSL_CTX *ctx, const section_t *section)
{
    if (set_versions(ctx, section) != 0)
        return -1;
    if (SSL_CTX_set_cipher_list(ctx, DEFAULT_CIPHERS) != 1)
        h2o_fatal("OpenSSL lacks the ciphers of TLS 1.2");
    if (section->ciphers.node != NULL &&
        SSL_CTX_set_cipher_list(ctx, text_of(&section->ciphers)) != 1)
        return breaker__option_refuse(&section->ciphers, "a list as in openssl-ciphers(1)");
    if (section->suites.node != NULL &&
        SSL_CTX_set_ciphersuites(ctx, text_of(&section->suites)) != 1)
        return breaker__option_refuse(&section->suites,
                                      "names such as TLS_AES_128_GCM_SHA256, separated by colons");
    if (section->preference.node != NULL && set_preference(ctx, &section->preference) != 0)
        return -1;
    return section->dh_file.node != NULL ? set_dh(ctx, &section->dh_file) : 0;
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
    const breaker__certificates_t *self = data;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;

    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i != self->certificates.size; ++i) {
        const certificate_t *certificate = &self->certificates.entries[i];
        if (names_host(certificate, name, strlen(name))) {
            SSL_set_SSL_CTX(ssl, certificate->ctx);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* what a later section says about the listener's parameters must be what the first one said */
static int agree(char **slot, const breaker__option_t *option, bool is_first)
{
    if (is_first && option->node != NULL)
        *slot = h2o_strdup(NULL, text_of(option), SIZE_MAX).base;
    if (is_first || option->node == NULL || (*slot != NULL && strcmp(*slot, text_of(option)) == 0))
        return 0;
    return breaker__option_fail(option,
                                "got `%s`, but the address was opened with `%s` before; all "
                                "certificates of an address share this setting",
                                text_of(option), *slot != NULL ? *slot : "the default");
}

/*
 * Once the host is known OpenSSL goes by its context for ciphers and Diffie-Hellman. What the first
 * section says was accepted before; only the file may be gone since, which leaves those ciphers
 * out.
 */
static void inherit(SSL_CTX *ctx, const breaker__certificates_t *self)
{
    if (self->ciphers != NULL)
        SSL_CTX_set_cipher_list(ctx, self->ciphers);
    if (self->suites != NULL)
        SSL_CTX_set_ciphersuites(ctx, self->suites);
    if (self->dh_file != NULL)
        load_dh(ctx, self->dh_file);
    ERR_clear_error();
}

static void add_name(certificate_t *certificate, const h2o_hostconf_t *host)
{
    if (host == NULL)
        return;
    h2o_vector_reserve(NULL, &certificate->names, certificate->names.size + 1);
    certificate->names.entries[certificate->names.size++] =
        h2o_strdup(NULL, host->authority.host.base, host->authority.host.len);
}

static void add_certificate(breaker__certificates_t *self, SSL_CTX *ctx, const h2o_hostconf_t *host)
{
    certificate_t *certificate;

    h2o_vector_reserve(NULL, &self->certificates, self->certificates.size + 1);
    certificate = &self->certificates.entries[self->certificates.size++];
    *certificate = (certificate_t){.ctx = ctx};
    add_name(certificate, host);
    if (self->certificates.size == 1) {
        SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
        SSL_CTX_set_tlsext_servername_arg(ctx, self);
    }
}

int breaker__certificates_add(breaker__certificates_t **slot, const breaker__option_t *option,
                              const h2o_hostconf_t *host, bool warns)
{
    section_t section;
    bool is_first = *slot == NULL;
    SSL_CTX *ctx;

    memset(&section, 0, sizeof(section));
    if (read_section(option, &section) != 0 || (ctx = create_context(&section, warns)) == NULL)
        return -1;
    if (is_first) {
        *slot = h2o_mem_alloc(sizeof(**slot));
        memset(*slot, 0, sizeof(**slot));
    }
    if (agree(&(*slot)->minimum_version, &section.minimum_version, is_first) != 0 ||
        agree(&(*slot)->maximum_version, &section.maximum_version, is_first) != 0 ||
        agree(&(*slot)->ciphers, &section.ciphers, is_first) != 0 ||
        agree(&(*slot)->suites, &section.suites, is_first) != 0 ||
        agree(&(*slot)->preference, &section.preference, is_first) != 0 ||
        agree(&(*slot)->dh_file, &section.dh_file, is_first) != 0) {
        SSL_CTX_free(ctx);
        return -1;
    }
    if (!is_first)
        inherit(ctx, *slot);
    add_certificate(*slot, ctx, host);
    return 0;
}

static void set_resumption(SSL_CTX *ctx, const breaker__resumption_t *resumption)
{
    if (resumption->by_ticket)
        SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    else
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, resumption->by_cache ? SSL_SESS_CACHE_SERVER
                                                             : SSL_SESS_CACHE_OFF);
    /* TLS 1.3 sends tickets all the same, which are the keys of the cache where it has one */
    if (!resumption->by_ticket && !resumption->by_cache)
        SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_timeout(ctx, resumption->lifetime_s);
}

void breaker__certificates_set_resumption(breaker__certificates_t *self,
                                          const breaker__resumption_t *resumption)
{
    assert(resumption->lifetime_s != 0);
    for (size_t i = 0; i != self->certificates.size; ++i)
        set_resumption(self->certificates.entries[i].ctx, resumption);
}

SSL_CTX *breaker__certificates_context(const breaker__certificates_t *self)
{
    assert(self->certificates.size != 0);
    return self->certificates.entries[0].ctx;
}

void breaker__certificates_free(breaker__certificates_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->certificates.size; ++i) {
        certificate_t *certificate = &self->certificates.entries[i];
        for (size_t j = 0; j != certificate->names.size; ++j)
            free(certificate->names.entries[j].base);
        free(certificate->names.entries);
        SSL_CTX_free(certificate->ctx);
    }
    free(self->certificates.entries);
    free(self->minimum_version);
    free(self->maximum_version);
    free(self->dh_file);
    free(self->ciphers);
    free(self->suites);
    free(self->preference);
    free(self);
}
