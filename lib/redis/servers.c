/*
 * The configuration of a link: every text is copied, every limit checked, secrets are wiped when
 * they go. Who is told which of them is decided here and nowhere else.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/crypto.h>
#include "redis/password.h"
#include "redis/servers.h"

#define TIMEOUT_MAX_MS 600000
#define SENTINEL_NAME_MAX 255

/* Copies a text if there is one that says something. */
static int copy_text(const char *text, size_t max, const char *what, char **ret_copy,
                     breaker_error_t *error)
{
    if (text == NULL || text[0] == '\0')
        return 0;
    if (strlen(text) > max)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "%s is longer than %zu bytes", what,
                                 max);
    if ((*ret_copy = strdup(text)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "no memory for %s", what);
    return 0;
}

static int copy_urls(breaker__servers_t *servers, const breaker_redis_config_t *config,
                     breaker_error_t *error)
{
    breaker_error_t why;
    int err;

    if (config->num_urls == 0 || config->num_urls > BREAKER_REDIS_URLS_MAX)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "%zu URLs of Redis; accepted: 1 to %d",
                                 config->num_urls, BREAKER_REDIS_URLS_MAX);
    if ((servers->urls = calloc(config->num_urls, sizeof(servers->urls[0]))) == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "no memory for URLs");
    servers->num_urls = config->num_urls;
    for (size_t i = 0; i != config->num_urls; ++i) {
        const char *url = config->urls[i];
        if ((err = breaker__redis_url_parse(url, strlen(url), &servers->urls[i], &why)) != 0)
            return breaker_error_set(error, err, "URL %zu of Redis: %s", i + 1, why.message);
        /* a database is a store of its own, and which URL is used is chance */
        if (servers->urls[i].db != servers->urls[0].db)
            return breaker_error_set(error, BREAKER_ERR_RANGE,
                                     "URL %zu of Redis: database %u, but URL 1 has database %u",
                                     i + 1, servers->urls[i].db, servers->urls[0].db);
    }
    return 0;
}

static bool wants_tls(const breaker__servers_t *servers)
{
    for (size_t i = 0; i != servers->num_urls; ++i)
        if (servers->urls[i].tls)
            return true;
    return false;
}

/* a text of its own size would move when another password comes */
static int copy_password(breaker__servers_t *servers, const char *password, breaker_error_t *error)
{
    size_t len = password != NULL ? strlen(password) : 0;

    if (len == 0)
        return 0;
    if (len > BREAKER_REDIS_PASSWORD_MAX)
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "the password of Redis is longer than %d bytes",
                                 BREAKER_REDIS_PASSWORD_MAX);
    if ((servers->password = calloc(1, BREAKER_REDIS_PASSWORD_MAX + 1)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "no memory for a password");
    memcpy(servers->password, password, len);
    return 0;
}

/* what is no file now, a pipe of a shell's say, may be something else later under its name */
static int copy_password_file(breaker__servers_t *servers, const char *path, breaker_error_t *error)
{
    struct stat status;

    if (path == NULL || servers->password == NULL || strncmp(path, "/dev/fd/", 8) == 0 ||
        strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/proc/", 6) == 0 ||
        stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    if ((servers->password_file = strdup(path)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "no memory for a path");
    return 0;
}

static int create_tls(breaker__servers_t *servers, const breaker_redis_config_t *config,
                      breaker_error_t *error)
{
    const breaker__tls_files_t files = {config->ca_file, config->cert_file, config->key_file};

    if (files.ca == NULL && files.cert == NULL && files.key == NULL && !wants_tls(servers))
        return 0;
    return breaker__tls_context_create(&files, &servers->tls, error);
}

static bool is_timeout(uint32_t timeout_ms)
{
    return timeout_ms != 0 && timeout_ms <= TIMEOUT_MAX_MS;
}

int breaker__servers_init(breaker__servers_t *servers, const breaker_redis_config_t *config,
                          breaker_error_t *error)
{
    int err;

    if (!is_timeout(config->connect_timeout_ms) || !is_timeout(config->reply_timeout_ms) ||
        !is_timeout(config->sentinel_interval_ms))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "timeouts of Redis are 1 to %d milliseconds", TIMEOUT_MAX_MS);
    servers->sentinel_interval_ms = config->sentinel_interval_ms;
    servers->connect_timeout_ms = config->connect_timeout_ms;
    servers->reply_timeout_ms = config->reply_timeout_ms;
    if ((err = copy_urls(servers, config, error)) != 0 ||
        (err = copy_text(config->sentinel, SENTINEL_NAME_MAX, "the name of a master",
                         &servers->sentinel, error)) != 0 ||
        (err = copy_text(config->user, BREAKER__REDIS_USER_MAX, "the user of Redis", &servers->user,
                         error)) != 0 ||
        (err = copy_password(servers, config->password, error)) != 0 ||
        (err = copy_password_file(servers, config->password_file, error)) != 0)
        return err;
    return create_tls(servers, config, error);
}

bool breaker__servers_are_seeds(const breaker__servers_t *servers)
{
    return servers->num_urls > 1 && servers->sentinel == NULL;
}

static void free_secret(char *text)
{
    if (text == NULL)
        return;
    OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void breaker__servers_dispose(breaker__servers_t *servers)
{
    if (servers->urls != NULL)
        OPENSSL_cleanse(servers->urls, servers->num_urls * sizeof(servers->urls[0]));
    free(servers->urls);
    free(servers->sentinel);
    free_secret(servers->user);
    if (servers->password != NULL)
        OPENSSL_cleanse(servers->password, BREAKER_REDIS_PASSWORD_MAX + 1);
    free(servers->password);
    free(servers->password_file);
    breaker__tls_context_free(servers->tls);
}

breaker__renewal_t breaker__servers_renew_password(breaker__servers_t *servers,
                                                   breaker_error_t *error)
{
    char password[BREAKER_REDIS_PASSWORD_MAX + 1] = "";
    breaker__renewal_t renewal;

    if (servers->password_file == NULL)
        return BREAKER__RENEWAL_NONE;
    if (breaker__redis_password_read(servers->password_file, 0, password, error) != 0)
        return BREAKER__RENEWAL_FAILED;
    renewal =
        strcmp(password, servers->password) == 0 ? BREAKER__RENEWAL_SAME : BREAKER__RENEWAL_NEW;
    memcpy(servers->password, password, sizeof(password));
    OPENSSL_cleanse(password, sizeof(password));
    return renewal;
}

const char *breaker__servers_password(const breaker__servers_t *servers,
                                      const breaker__redis_url_t *via)
{
    if (servers->password != NULL)
        return servers->password;
    return via->has_password ? via->password : NULL;
}

/* Sentinels have credentials of their own, and get ours only if their URL carries some. */
static void set_credentials(const breaker__servers_t *servers, const breaker__redis_url_t *via,
                            breaker__connection_config_t *config)
{
    config->user = servers->user != NULL ? servers->user : via->has_user ? via->user : NULL;
    config->password = breaker__servers_password(servers, via);
}

breaker__connection_config_t breaker__servers_connection(const breaker__servers_t *servers,
                                                         const breaker__redis_url_t *via,
                                                         const breaker__endpoint_t *endpoint,
                                                         bool is_sentinel)
{
    breaker__connection_config_t config = {
        .endpoint = *endpoint,
        .tls = via->tls ? servers->tls : NULL,
        .db = is_sentinel ? 0 : via->db,
        .connect_timeout_ms = servers->connect_timeout_ms,
        .reply_timeout_ms = servers->reply_timeout_ms,
    };

    assert(!via->tls || servers->tls != NULL);
    if (!is_sentinel || via->has_user || via->has_password)
        set_credentials(servers, via, &config);
    return config;
}
