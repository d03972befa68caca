/*
 * Everything that does not depend on the request is set once on a handle, which then serves many.
 * libcurl follows nothing, decodes nothing, and reads neither environment nor files: what it does
 * here is connections, TLS and framing.
 */
#include <assert.h>
#include <string.h>
#include <sys/un.h>
#include <breaker/error.h>
#include "upstream/curl/origin.h"

enum { READ_SIZE = 65536 };

/* h2o's way to write it */
static const char unix_prefix[] = "unix:";

static bool is_unix(const h2o_url_t *url)
{
    return url->host.len > sizeof(unix_prefix) - 1 &&
           memcmp(url->host.base, unix_prefix, sizeof(unix_prefix) - 1) == 0;
}

static bool set_part(CURLU *base, CURLUPart part, const char *text, size_t len)
{
    char copy[256];

    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return curl_url_set(base, part, copy, 0) == CURLUE_OK;
}

/* libcurl wants a literal of IPv6 in its brackets, libh2o has them taken off */
static bool set_host(CURLU *base, const h2o_url_t *url)
{
    char host[260];
    int len;

    if (memchr(url->host.base, ':', url->host.len) == NULL)
        return set_part(base, CURLUPART_HOST, url->host.base, url->host.len);
    len = snprintf(host, sizeof(host), "[%.*s]", (int)url->host.len, url->host.base);
    return (size_t)len < sizeof(host) && set_part(base, CURLUPART_HOST, host, (size_t)len);
}

static bool set_base(CURLU *base, const h2o_url_t *url)
{
    char port[sizeof("65535")];

    snprintf(port, sizeof(port), "%u", h2o_url_get_port(url));
    return set_part(base, CURLUPART_SCHEME, url->scheme->name.base, url->scheme->name.len) &&
           (is_unix(url) ? curl_url_set(base, CURLUPART_HOST, "localhost", 0) == CURLUE_OK
                         : set_host(base, url)) &&
           (is_unix(url) || curl_url_set(base, CURLUPART_PORT, port, 0) == CURLUE_OK);
}

static int set_url(breaker__origin_t *self, const h2o_url_t *url)
{
    h2o_url_copy(NULL, &self->url, url);
    if (is_unix(url))
        self->unix_path = h2o_strdup(NULL, url->host.base + sizeof(unix_prefix) - 1,
                                     url->host.len - (sizeof(unix_prefix) - 1))
                              .base;
    if ((self->base = curl_url()) == NULL)
        h2o_fatal("no memory");
    return set_base(self->base, url) ? 0 : BREAKER_ERR_RANGE;
}

int breaker__origin_init(breaker__origin_t *self, const h2o_url_t *url,
                         const breaker__upstream_settings_t *settings)
{
    int err;

    memset(self, 0, sizeof(*self));
    breaker__upstream_settings_copy(&self->settings, settings);
    if (url != NULL && (err = set_url(self, url)) != 0) {
        breaker__origin_dispose(self);
        return err;
    }
    return 0;
}

void breaker__origin_dispose(breaker__origin_t *self)
{
    breaker__upstream_settings_dispose(&self->settings);
    curl_url_cleanup(self->base);
    free(self->unix_path);
    free(self->url.authority.base);
    free(self->url.host.base);
    free(self->url.path.base);
    memset(self, 0, sizeof(*self));
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *data)
{
    const breaker__tls_config_t *tls = data;
    (void)easy;

    return breaker__tls_config_apply(tls, ssl_ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static void prepare_tls(CURL *easy, const breaker__tls_config_t *tls)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->verifies_peer ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->verifies_peer ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, tls->keeps_sessions ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)tls);
}

static void prepare_connection(CURL *easy, const breaker__upstream_settings_t *settings)
{
    /* in seconds, and then a new connection is made: the later one of the two ends it */
    long age_s = (long)(settings->keepalive_ms / 1000);

    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, age_s > 0 ? age_s : 1L);
    /* a lookup that nobody waits for any more is left to itself */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

bool breaker__origin_prepare(const breaker__origin_t *self, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)READ_SIZE);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)READ_SIZE);
    prepare_connection(easy, &self->settings);
    prepare_tls(easy, &self->settings.tls);
    if (self->base == NULL)
        return true;
    if (self->unix_path != NULL &&
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, self->unix_path) != CURLE_OK)
        return false;
    return curl_easy_setopt(easy, CURLOPT_CURLU, self->base) == CURLE_OK;
}
