/*
 * `proxy.*`, with libh2o's names and meanings and some of ours. What is said at a level holds below
 * it. The directives go ahead of libh2o's, whoever registers those.
 */
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include <option.h>
#include "config/configurator.h"
#include "upstream/anywhere.h"
#include "upstream/upstream.h"

/* what holds at one level; texts and nodes are the file's tree's */
typedef struct st_level_t {
    breaker__upstream_settings_t settings;
    breaker__option_t certificate, key;
    const char *certificate_path, *key_path;
} level_t;

typedef struct st_upstream_configurator_t {
    h2o_configurator_t super;
    level_t *level, stack[H2O_CONFIGURATOR_NUM_LEVELS + 1];
    /* see anywhere.h; made when the top level ends */
    breaker__origin_t anywhere;
    bool has_anywhere;
} upstream_configurator_t;

static level_t *level_of(const h2o_configurator_command_t *cmd)
{
    return ((upstream_configurator_t *)cmd->configurator)->level;
}

/* ---- values of one kind ---- */

/* 49 days, as milliseconds in 32 bits */
#define TIMEOUT_MS_MAX UINT32_MAX

static void *find_slot(level_t *level, const char *name)
{
    static const struct {
        const char *name;
        size_t at;
    } slots[] = {
#define SLOT(name, member) {name, offsetof(level_t, settings.member)}
        SLOT("proxy.timeout.connect", connect_ms),
        SLOT("proxy.timeout.first-byte", first_byte_ms),
        SLOT("proxy.timeout.io", io_ms),
        SLOT("proxy.timeout.keepalive", keepalive_ms),
        SLOT("proxy.websocket.timeout", upgraded_ms),
        SLOT("proxy.max-connections", max_connections),
        SLOT("proxy.max-header-bytes", max_head_size),
        SLOT("proxy.max-fields", max_fields),
        SLOT("proxy.preserve-host", preserve_host),
        SLOT("proxy.proxy-protocol", proxy_protocol),
        SLOT("proxy.websocket", upgrades),
        SLOT("proxy.chunked-requests", chunked_requests),
        SLOT("proxy.http2", http2),
        SLOT("proxy.ssl.verify-peer", tls.verifies_peer),
#undef SLOT
    };

    for (size_t i = 0; i != sizeof(slots) / sizeof(slots[0]); ++i)
        if (strcmp(slots[i].name, name) == 0)
            return (char *)level + slots[i].at;
    h2o_fatal("a directive without a place");
}

static int read_switch(const h2o_configurator_command_t *cmd, const yoml_t *node, bool *ret_on)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};

    return breaker__option_switch(&option, ret_on);
}

static int on_config_switch(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                            yoml_t *node)
{
    (void)ctx;

    return read_switch(cmd, node, find_slot(level_of(cmd), cmd->name));
}

static int on_config_timeout(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t ms;
    (void)ctx;

    if (breaker__option_milliseconds(&option, TIMEOUT_MS_MAX, &ms) != 0)
        return -1;
    *(uint32_t *)find_slot(level_of(cmd), cmd->name) = (uint32_t)ms;
    return 0;
}

static int on_config_max_connections(h2o_configurator_command_t *cmd,
                                     h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t num;
    (void)ctx;

    if (breaker__option_number(&option, "connections", 0, 1000000, &num) != 0)
        return -1;
    level_of(cmd)->settings.max_connections = (uint32_t)num;
    return 0;
}

static int on_config_max_fields(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t num;
    (void)ctx;

    if (breaker__option_number(&option, "fields", 1, 10000, &num) != 0)
        return -1;
    level_of(cmd)->settings.max_fields = (uint32_t)num;
    return 0;
}

static int on_config_max_head_size(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                   yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t size;
    (void)ctx;

    if (breaker__option_size(&option, 1024, 262144, &size) != 0)
        return -1;
    level_of(cmd)->settings.max_head_size = (uint32_t)size;
    return 0;
}

/* ---- of the whole server, as in libh2o ---- */

static int on_config_emit_forwarded(h2o_configurator_command_t *cmd,
                                    h2o_configurator_context_t *ctx, yoml_t *node)
{
    bool is_on;

    if (read_switch(cmd, node, &is_on) != 0)
        return -1;
    ctx->globalconf->proxy.emit_x_forwarded_headers = is_on;
    return 0;
}

static int on_config_emit_via(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                              yoml_t *node)
{
    bool is_on;

    if (read_switch(cmd, node, &is_on) != 0)
        return -1;
    ctx->globalconf->proxy.emit_via_header = is_on;
    return 0;
}

static int on_config_preserve_proto(h2o_configurator_command_t *cmd,
                                    h2o_configurator_context_t *ctx, yoml_t *node)
{
    bool is_on;

    if (read_switch(cmd, node, &is_on) != 0)
        return -1;
    ctx->globalconf->proxy.preserve_x_forwarded_proto = is_on;
    return 0;
}

/* ---- TLS ---- */

static int on_config_authorities(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                 yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker_error_t error = {0};
    (void)ctx;

    if (breaker__tls_config_read_authorities(&level_of(cmd)->settings.tls, node->data.scalar,
                                             &error) == 0)
        return 0;
    return breaker__option_fail(&option, "%s; accepted: a file of certificates in PEM",
                                error.message);
}

static int on_config_certificate(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                 yoml_t *node)
{
    level_t *level = level_of(cmd);
    (void)ctx;

    level->certificate = (breaker__option_t){.key = cmd->name, .node = node};
    return breaker__option_text(&level->certificate, &level->certificate_path);
}

static int on_config_key(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                         yoml_t *node)
{
    level_t *level = level_of(cmd);
    (void)ctx;

    level->key = (breaker__option_t){.key = cmd->name, .node = node};
    return breaker__option_text(&level->key, &level->key_path);
}

/* libcurl decides how many sessions are kept and for how long; the numbers are read all the same */
static int read_session_entry(const breaker__option_t *entry, void *data)
{
    uint64_t number;
    (void)data;

    if (strcmp(entry->key, "capacity") == 0)
        return breaker__option_number(entry, "sessions", 1, UINT32_MAX, &number);
    if (strcmp(entry->key, "lifetime") == 0)
        return breaker__option_seconds(entry, 1, UINT32_MAX, &number);
    return breaker__option_unknown(entry, "capacity, lifetime");
}

static int on_config_session_cache(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                   yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    bool *keeps_sessions = &level_of(cmd)->settings.tls.keeps_sessions;
    (void)ctx;

    if (node->type != YOML_TYPE_MAPPING)
        return breaker__option_switch_or(&option, "a mapping of capacity and lifetime",
                                         keeps_sessions);
    *keeps_sessions = true;
    return breaker__option_each(&option, "capacity, lifetime", read_session_entry, NULL);
}

static int read_identity(level_t *level)
{
    breaker_error_t error = {0};

    if (level->certificate_path == NULL && level->key_path == NULL)
        return 0;
    if (level->key_path == NULL)
        return breaker__option_fail(&level->certificate, "proxy.ssl.key-file: missing");
    if (level->certificate_path == NULL)
        return breaker__option_fail(&level->key, "proxy.ssl.certificate-file: missing");
    if (breaker__tls_config_read_identity(&level->settings.tls, level->certificate_path,
                                          level->key_path, &error) == 0)
        return 0;
    return breaker__option_fail(&level->certificate,
                                "%s; accepted: a certificate in PEM and its key without a "
                                "passphrase",
                                error.message);
}

static int read_tls(const breaker__option_t *option, level_t *level, const h2o_url_t *url)
{
    breaker_error_t error = {0};

    if (url->scheme != &H2O_URL_SCHEME_HTTPS)
        return 0;
    if (read_identity(level) != 0)
        return -1;
    if (breaker__tls_config_read_system(&level->settings.tls, &error) != 0)
        return breaker__option_fail(option, "%s", error.message);
    return 0;
}

/* ---- the application ---- */

/* who starts before its name server does is to serve its assets all the same */
static void warn_of_name(const breaker__option_t *option, const h2o_url_t *url)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char name[NI_MAXHOST];
    int err;

    if (url->host.len >= sizeof(name) || strncmp(url->host.base, "unix:", 5) == 0)
        return;
    memcpy(name, url->host.base, url->host.len);
    name[url->host.len] = '\0';
    if ((err = getaddrinfo(name, NULL, &hints, &found)) != 0)
        breaker__option_warn(option, "%s: %s; it is looked up again with each new connection", name,
                             gai_strerror(err));
    else
        freeaddrinfo(found);
}

static int refuse_url(const breaker__option_t *option)
{
    return breaker__option_refuse(
        option, "a URL as http://127.0.0.1:3000/, https://name/ or http://[unix:/path]/");
}

static int on_config_url(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                         yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    level_t *level = level_of(cmd);
    h2o_url_t url;

    if (h2o_url_parse(node->data.scalar, SIZE_MAX, &url) != 0)
        return refuse_url(&option);
    if (level->settings.proxy_protocol && level->settings.keepalive_ms != 0)
        return breaker__option_fail(&option,
                                    "a connection with `proxy.proxy-protocol: ON` is one "
                                    "client's: accepted with `proxy.timeout.keepalive: 0`");
    if (level->settings.proxy_protocol && url.scheme == &H2O_URL_SCHEME_HTTPS)
        return breaker__option_fail(&option, "`proxy.proxy-protocol: ON` stands before TLS: "
                                             "accepted with http://");
    if (read_tls(&option, level, &url) != 0)
        return -1;
    warn_of_name(&option, &url);
    return breaker__upstream_register(ctx->pathconf, &url, &level->settings) == 0
               ? 0
               : refuse_url(&option);
}

/* ---- levels ---- */

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    upstream_configurator_t *self = (void *)_self;
    level_t *outer = self->level++;
    (void)ctx, (void)node;

    *self->level = *outer;
    breaker__upstream_settings_copy(&self->level->settings, &outer->settings);
    return 0;
}

/* certificates of the system take 40 ms to read: they are where somebody may need them */
static bool has_reproxy(const yoml_t *node)
{
    for (size_t i = 0; node->type == YOML_TYPE_MAPPING && i != node->data.mapping.size; ++i) {
        const yoml_mapping_element_t *pair = node->data.mapping.elements + i;
        if ((pair->key->type == YOML_TYPE_SCALAR &&
             strcmp(pair->key->data.scalar, "reproxy") == 0) ||
            has_reproxy(pair->value))
            return true;
    }
    return false;
}

static int make_anywhere(upstream_configurator_t *self, const yoml_t *node)
{
    const breaker__option_t option = {.key = "proxy.ssl.cafile", .node = node};
    breaker__upstream_settings_t *settings = &self->level->settings;
    breaker_error_t error = {0};

    if (has_reproxy(node) && breaker__tls_config_read_system(&settings->tls, &error) != 0)
        return breaker__option_fail(&option, "%s", error.message);
    settings->keepalive_ms = 0;
    settings->proxy_protocol = settings->http2 = false;
    if (breaker__origin_init(&self->anywhere, NULL, settings) != 0)
        h2o_fatal("an origin without a URL has nothing to be refused");
    self->has_anywhere = true;
    return 0;
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    upstream_configurator_t *self = (void *)_self;

    if (ctx->hostconf == NULL && ctx->pathconf == NULL && make_anywhere(self, node) != 0)
        return -1;
    breaker__upstream_settings_dispose(&self->level->settings);
    --self->level;
    return 0;
}

static h2o_headers_command_t **find_header_commands(h2o_configurator_t *_self)
{
    return &((upstream_configurator_t *)_self)->level->settings.header_commands;
}

static int on_dispose(h2o_configurator_t *_self)
{
    upstream_configurator_t *self = (void *)_self;

    breaker__upstream_settings_dispose(&self->stack[0].settings);
    if (self->has_anywhere)
        breaker__origin_dispose(&self->anywhere);
    return 0;
}

const breaker__origin_t *breaker__upstream_anywhere(h2o_globalconf_t *globalconf)
{
    h2o_linklist_t *anchor = &globalconf->configurators;

    for (h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        h2o_configurator_t *each = H2O_STRUCT_FROM_MEMBER(h2o_configurator_t, _link, link);
        upstream_configurator_t *self = (void *)each;
        if (each->enter == on_enter)
            return self->has_anywhere ? &self->anywhere : NULL;
    }
    return NULL;
}

static void define_all(h2o_configurator_t *self)
{
    enum {
        EVERY = H2O_CONFIGURATOR_FLAG_ALL_LEVELS | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
        GLOBAL = H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR,
        PATH = H2O_CONFIGURATOR_FLAG_PATH | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR |
               H2O_CONFIGURATOR_FLAG_DEFERRED,
    };
    static const struct {
        const char *name;
        int flags;
        h2o_configurator_command_cb cb;
    } commands[] = {
        {"proxy.reverse.url", PATH, on_config_url},
        {"proxy.preserve-host", EVERY, on_config_switch},
        {"proxy.proxy-protocol", EVERY, on_config_switch},
        {"proxy.timeout.connect", EVERY, on_config_timeout},
        {"proxy.timeout.first-byte", EVERY, on_config_timeout},
        {"proxy.timeout.io", EVERY, on_config_timeout},
        {"proxy.timeout.keepalive", EVERY, on_config_timeout},
        {"proxy.websocket", EVERY, on_config_switch},
        {"proxy.websocket.timeout", EVERY, on_config_timeout},
        {"proxy.chunked-requests", EVERY, on_config_switch},
        {"proxy.http2", EVERY, on_config_switch},
        {"proxy.max-connections", EVERY, on_config_max_connections},
        {"proxy.max-header-bytes", EVERY, on_config_max_head_size},
        {"proxy.max-fields", EVERY, on_config_max_fields},
        {"proxy.ssl.verify-peer", EVERY, on_config_switch},
        {"proxy.ssl.cafile", EVERY, on_config_authorities},
        {"proxy.ssl.certificate-file", EVERY, on_config_certificate},
        {"proxy.ssl.key-file", EVERY, on_config_key},
        {"proxy.ssl.session-cache", H2O_CONFIGURATOR_FLAG_ALL_LEVELS, on_config_session_cache},
        {"proxy.preserve-x-forwarded-proto", GLOBAL, on_config_preserve_proto},
        {"proxy.emit-x-forwarded-headers", GLOBAL, on_config_emit_forwarded},
        {"proxy.emit-via-header", GLOBAL, on_config_emit_via},
    };

    for (size_t i = 0; i != sizeof(commands) / sizeof(commands[0]); ++i)
        h2o_configurator_define_command(self, commands[i].name, commands[i].flags, commands[i].cb);
}

void breaker__upstream_register_configurator(h2o_globalconf_t *globalconf)
{
    upstream_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    /* libcurl counts its users; the configuration is one until the process ends */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        h2o_fatal("libcurl cannot be used");
    self->super.enter = on_enter;
    self->super.exit = on_exit_level;
    self->super.dispose = on_dispose;
    self->level = self->stack;
    breaker__upstream_settings_init(&self->level->settings);
    define_all(&self->super);
    h2o_configurator_define_headers_commands(globalconf, &self->super, "proxy.header",
                                             find_header_commands);
    /* libh2o takes the first of a name */
    h2o_linklist_unlink(&self->super._link);
    h2o_linklist_insert(globalconf->configurators.next, &self->super._link);
}
