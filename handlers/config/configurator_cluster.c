/*
 * `breaker.cluster` and `breaker.state-file`. Both stand at the top level; what they say is checked
 * as a whole when that level ends, because views and their tokens are known only then. Nothing that
 * may hold a secret is ever shown: neither URLs of Redis nor what a password file has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <option.h>
#include <breaker/holding.h>
#include "config/configurator.h"

#define KEYS                                                                                       \
    "app, redis, sentinel, user, password-file, password-env, ca-file, cert-file, key-file, "      \
    "advertise, peers, peers-ca-file, start, start-timeout, poll, dead-after, adopt, "             \
    "token-suffix"

typedef struct st_cluster_configurator_t {
    h2o_configurator_t super;
    breaker_node_t *node; /* borrowed: outlives the configuration */
    bool has_cluster;
    /* the directive itself, for errors of the whole; good until the top level ends */
    breaker__option_t directive;
    breaker_cluster_config_t config;
    /* what the configuration points at */
    char *app, *sentinel, *user, *password, *password_file, *advertise, *state_path; /* owned */
    char *ca_file, *cert_file, *key_file;                                            /* owned */
    char *urls[BREAKER_REDIS_URLS_MAX];                                              /* owned */
    /* what the node's holding is told; borrowed from the file's tree, good until that is applied */
    const char *networks[BREAKER_PEER_NETWORKS_MAX], *peers_ca_file;
    size_t num_networks;
} cluster_configurator_t;

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = h2o_strdup(NULL, text, SIZE_MAX).base;
}

/* ---- Redis ---- */

static int read_url(cluster_configurator_t *self, const breaker__option_t *option)
{
    breaker_redis_config_t *redis = &self->config.redis;

    if (option->node->type != YOML_TYPE_SCALAR || redis->num_urls == BREAKER_REDIS_URLS_MAX)
        return breaker__option_fail(option,
                                    "accepted: a URL, or a sequence of at most %d: "
                                    "redis://host:port, rediss://host:port, unix:///path",
                                    BREAKER_REDIS_URLS_MAX);
    set_text(&self->urls[redis->num_urls++], option->node->data.scalar);
    return 0;
}

static int read_urls(cluster_configurator_t *self, const breaker__option_t *option)
{
    breaker__option_t element = *option;

    if (option->node->type != YOML_TYPE_SEQUENCE)
        return read_url(self, option);
    for (size_t i = 0; i != option->node->data.sequence.size; ++i) {
        element.node = option->node->data.sequence.elements[i];
        if (read_url(self, &element) != 0)
            return -1;
    }
    return 0;
}

static int read_password(cluster_configurator_t *self, const breaker__option_t *option,
                         int (*read)(const char *place, char *ret_password, breaker_error_t *error))
{
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    breaker_error_t error;
    const char *place;

    if (breaker__option_text(option, &place) != 0)
        return -1;
    if (self->password != NULL)
        return breaker__option_fail(option, "accepted: either password-file or password-env, once");
    if (read(place, password, &error) != 0)
        return breaker__option_fail(option, "%s", error.message);
    set_text(&self->password, password);
    explicit_bzero(password, sizeof(password));
    return 0;
}

/* where it is kept is remembered, for a time when Redis refuses it */
static int read_password_file(cluster_configurator_t *self, const breaker__option_t *option)
{
    if (read_password(self, option, breaker_redis_password_from_file) != 0)
        return -1;
    return breaker__option_copy(option, &self->password_file);
}

/* ---- how the node takes part ---- */

static int read_network(cluster_configurator_t *self, const breaker__option_t *option)
{
    if (self->num_networks == BREAKER_PEER_NETWORKS_MAX)
        return breaker__option_fail(option, "accepted: at most %d networks",
                                    BREAKER_PEER_NETWORKS_MAX);
    return breaker__option_text(option, self->networks + self->num_networks++);
}

static int read_networks(cluster_configurator_t *self, const breaker__option_t *option)
{
    breaker__option_t element = *option;

    if (option->node->type != YOML_TYPE_SEQUENCE)
        return read_network(self, option);
    for (size_t i = 0; i != option->node->data.sequence.size; ++i) {
        element.node = option->node->data.sequence.elements[i];
        if (read_network(self, &element) != 0)
            return -1;
    }
    return 0;
}

static int read_start(const breaker__option_t *option, breaker_start_policy_t *ret_start)
{
    static const char *const names[] = {
        [BREAKER_START_OPEN] = "open",
        [BREAKER_START_WAIT] = "wait",
        [BREAKER_START_STRICT] = "strict",
    };
    size_t start;

    if (breaker__option_choice(option, names, sizeof(names) / sizeof(names[0]), &start) != 0)
        return -1;
    *ret_start = (breaker_start_policy_t)start;
    return 0;
}

static int read_adopt(const breaker__option_t *option, bool *ret_any)
{
    static const char *const names[] = {"release", "any"};
    size_t adopt;

    if (breaker__option_choice(option, names, 2, &adopt) != 0)
        return -1;
    *ret_any = adopt == 1;
    return 0;
}

/* read now as well, since no connection would tell before a release is wanted */
static int read_peers_ca(const breaker__option_t *option, const char **ret_path)
{
    X509_STORE *store;
    int is_read;

    if (breaker__option_text(option, ret_path) != 0)
        return -1;
    if ((store = X509_STORE_new()) == NULL)
        h2o_fatal("no memory");
    is_read = X509_STORE_load_file(store, *ret_path);
    X509_STORE_free(store);
    ERR_clear_error();
    return is_read == 1 ? 0 : breaker__option_refuse(option, "a file of certificates in PEM");
}

static int read_option(const breaker__option_t *option, void *data)
{
    cluster_configurator_t *self = data;
    breaker_cluster_config_t *config = &self->config;
    const char *key = option->key;

    if (strcmp(key, "app") == 0)
        return breaker__option_copy(option, &self->app);
    if (strcmp(key, "redis") == 0)
        return read_urls(self, option);
    if (strcmp(key, "sentinel") == 0)
        return breaker__option_copy(option, &self->sentinel);
    if (strcmp(key, "user") == 0)
        return breaker__option_copy(option, &self->user);
    if (strcmp(key, "password-file") == 0)
        return read_password_file(self, option);
    if (strcmp(key, "password-env") == 0)
        return read_password(self, option, breaker_redis_password_from_environment);
    if (strcmp(key, "ca-file") == 0)
        return breaker__option_copy(option, &self->ca_file);
    if (strcmp(key, "cert-file") == 0)
        return breaker__option_copy(option, &self->cert_file);
    if (strcmp(key, "key-file") == 0)
        return breaker__option_copy(option, &self->key_file);
    if (strcmp(key, "advertise") == 0)
        return breaker__option_copy(option, &self->advertise);
    if (strcmp(key, "peers") == 0)
        return read_networks(self, option);
    if (strcmp(key, "peers-ca-file") == 0)
        return read_peers_ca(option, &self->peers_ca_file);
    if (strcmp(key, "start") == 0)
        return read_start(option, &config->agreement.start);
    if (strcmp(key, "start-timeout") == 0)
        return breaker__option_span(option, &config->agreement.start_timeout_ms);
    if (strcmp(key, "poll") == 0)
        return breaker__option_span(option, &config->agreement.poll_ms);
    if (strcmp(key, "dead-after") == 0)
        return breaker__option_span(option, &config->agreement.dead_after_ms);
    if (strcmp(key, "adopt") == 0)
        return read_adopt(option, &config->adopt_any);
    if (strcmp(key, "token-suffix") == 0)
        return breaker__option_switch(option, &config->token_suffix);
    return breaker__option_unknown(option, KEYS);
}

static void point_at_texts(cluster_configurator_t *self)
{
    breaker_cluster_config_t *config = &self->config;

    config->app = self->app;
    config->advertise = self->advertise;
    config->state_path = self->state_path;
    config->redis.urls = (const char *const *)self->urls;
    config->redis.sentinel = self->sentinel;
    config->redis.user = self->user;
    config->redis.password = self->password;
    config->redis.password_file = self->password_file;
    config->redis.ca_file = self->ca_file;
    config->redis.cert_file = self->cert_file;
    config->redis.key_file = self->key_file;
}

/* ---- directives ---- */

static int on_config_cluster(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    cluster_configurator_t *self = (void *)cmd->configurator;
    (void)ctx;

    self->directive = (breaker__option_t){.key = cmd->name, .node = node};
    if (breaker__option_each(&self->directive, KEYS, read_option, self) != 0)
        return -1;
    if (self->app == NULL || self->config.redis.num_urls == 0)
        return breaker__option_missing(&self->directive, self->app == NULL ? "app" : "redis");
    self->has_cluster = true;
    return 0;
}

static int on_config_state_file(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                yoml_t *node)
{
    cluster_configurator_t *self = (void *)cmd->configurator;
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    if (node->data.scalar[0] != '/')
        return breaker__option_refuse(&option, "an absolute path");
    return breaker__option_copy(&option, &self->state_path);
}

/* whoever says where it is reached has peers */
static int set_holding(cluster_configurator_t *self, breaker_error_t *error)
{
    breaker_holding_config_t holding = *breaker_node_holding(self->node);

    holding.is_shared = self->config.adopt_any;
    holding.has_peers = self->advertise != NULL;
    holding.networks = self->networks;
    holding.num_networks = self->num_networks;
    holding.peers_ca_file = self->peers_ca_file;
    return breaker_node_set_holding(self->node, &holding, error);
}

static int join(cluster_configurator_t *self)
{
    breaker_error_t error = {0};
    int err;

    point_at_texts(self);
    if (self->advertise == NULL && (self->num_networks != 0 || self->peers_ca_file != NULL))
        return breaker__option_fail(&self->directive,
                                    "peers and peers-ca-file belong to `advertise`: nodes that do "
                                    "not say where they are reached have no peers");
    if ((err = breaker_cluster_check(self->node, &self->config, &error)) == 0 &&
        (err = set_holding(self, &error)) == 0 && (err = breaker_node_join(self->node)) != 0)
        breaker_error_set(&error, err, "%s", breaker_err_message(err));
    if (err != 0)
        return breaker__option_fail(&self->directive, "%s", error.message);
    if (self->config.redis.num_urls > 1 && self->sentinel == NULL)
        breaker__option_warn(&self->directive,
                             "redis: several URLs without sentinel must be the seeds of one Redis "
                             "Cluster; nodes use none of them while they are different servers");
    return 0;
}

/* a check of the file only must not write */
static int remember(cluster_configurator_t *self, bool is_dry)
{
    breaker_error_t error;
    int err;

    if (self->state_path == NULL || is_dry)
        return 0;
    if ((err = breaker_node_set_state_path(self->node, self->state_path)) == 0)
        return 0;
    breaker_error_set(&error, err, "breaker.state-file: %s", breaker_err_message(err));
    breaker__option_tell(false, error.message);
    return -1;
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    cluster_configurator_t *self = (void *)_self;
    (void)node;

    if (ctx->hostconf != NULL || ctx->parent != NULL)
        return 0;
    return self->has_cluster ? join(self) : remember(self, ctx->dry_run != 0);
}

static void drop(char **slot)
{
    if (*slot != NULL)
        explicit_bzero(*slot, strlen(*slot));
    free(*slot);
    *slot = NULL;
}

/* libh2o calls it twice */
static int on_dispose(h2o_configurator_t *_self)
{
    cluster_configurator_t *self = (void *)_self;
    char **const texts[] = {
        &self->app,     &self->sentinel,  &self->user,     &self->password,  &self->password_file,
        &self->ca_file, &self->cert_file, &self->key_file, &self->advertise, &self->state_path};

    for (size_t i = 0; i != sizeof(texts) / sizeof(texts[0]); ++i)
        drop(texts[i]);
    for (size_t i = 0; i != BREAKER_REDIS_URLS_MAX; ++i)
        drop(&self->urls[i]);
    return 0;
}

void breaker__cluster_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node)
{
    cluster_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.exit = on_exit_level;
    self->super.dispose = on_dispose;
    self->node = node;
    breaker_cluster_config_init(&self->config);
    h2o_configurator_define_command(
        &self->super, "breaker.cluster",
        H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING, on_config_cluster);
    h2o_configurator_define_command(
        &self->super, "breaker.state-file",
        H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, on_config_state_file);
}

const breaker_cluster_config_t *breaker_h2o_cluster_config(h2o_globalconf_t *globalconf)
{
    h2o_configurator_command_t *cmd = h2o_configurator_get_command(globalconf, "breaker.cluster");
    cluster_configurator_t *self;

    if (cmd == NULL)
        return NULL;
    self = (void *)cmd->configurator;
    return self->has_cluster ? &self->config : NULL;
}
