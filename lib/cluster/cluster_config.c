/*
 * What a cluster is configured with: defaults and bounds, but for those of its agreement
 * (agreement_config.c) and of its link (redis/servers.c). Everything that can be known to be wrong
 * is refused before a thread or a connection exists, so that a server can check its file.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/agreement_config.h"
#include "cluster/caller.h"
#include "cluster/cluster_config.h"
#include "release/release_id.h"
#include "token/token.h"

void breaker_cluster_config_init(breaker_cluster_config_t *config)
{
    memset(config, 0, sizeof(*config));
    breaker_redis_config_init(&config->redis);
    breaker__agreement_config_init(&config->agreement);
    assert(breaker__agreement_check_timers(&config->agreement, NULL) == 0);
}

static int check_names(const breaker_cluster_config_t *config, breaker_error_t *error)
{
    if (config->app == NULL || !breaker_token_is_valid(config->app, strlen(config->app)))
        return breaker_error_set(error, BREAKER_ERR_TOKEN_SYNTAX,
                                 "app: accepted: 1 to %d characters of A-Z a-z 0-9 . _ ~ -",
                                 BREAKER_APP_MAX);
    if (config->advertise != NULL && !breaker__caller_is_address(config->advertise))
        return breaker_error_set(
            error, BREAKER_ERR_RANGE,
            "advertise: accepted: auto, host:port, [IPv6]:port, or one of these "
            "after https://, at most %d characters",
            BREAKER_ADVERTISE_MAX);
    return 0;
}

/* known only to a server that has bound its addresses */
static int check_port(const breaker_cluster_config_t *config, breaker_error_t *error)
{
    if (config->advertise == NULL || strcmp(config->advertise, BREAKER__ADVERTISE_AUTO) != 0 ||
        config->advertise_port != 0)
        return 0;
    return breaker_error_set(error, BREAKER_ERR_RANGE,
                             "advertise: auto: there is no TCP port that peers could reach");
}

static int read_operator_token(const breaker_node_t *node, breaker_token_t *ret_token,
                               breaker_error_t *error)
{
    int err = breaker_node_operator_token(node, ret_token);

    assert(err != 0 || ret_token->len <= BREAKER_TOKEN_MAX);
    if (err == 0)
        return 0;
    return breaker_error_set(error, err,
                             "a cluster agrees on one token: all views must have the same "
                             "operator's token, or none of them any");
}

static int check(const breaker_node_t *node, const breaker_cluster_config_t *config,
                 breaker_token_t *ret_fixed, breaker_error_t *error)
{
    int err;

    if ((err = check_names(config, error)) != 0 ||
        (err = breaker__agreement_check_timers(&config->agreement, error)) != 0)
        return err;
    return read_operator_token(node, ret_fixed, error);
}

void breaker__cluster_suffix(const breaker_release_t *release, char *dst, size_t size)
{
    assert(size > 1 + BREAKER_RELEASE_DIGEST_SHOWN);
    snprintf(dst, size, "-%.*s", BREAKER_RELEASE_DIGEST_SHOWN,
             breaker_release_id_digest(breaker_release_id(release)));
    /* a loaded release has a digest, so its suffix is as long as anybody's */
    assert(strlen(dst) == 1 + BREAKER_RELEASE_DIGEST_SHOWN);
}

int breaker__cluster_configure(const breaker_node_t *node, const breaker_release_t *release,
                               const breaker_cluster_config_t *config,
                               breaker_agreement_config_t *ret_agreement, breaker_error_t *error)
{
    breaker_agreement_config_t agreement = config->agreement;
    int err;

    if ((err = check(node, config, &agreement.fixed, error)) != 0 ||
        (err = check_port(config, error)) != 0)
        return err;
    agreement.release = *breaker_release_id(release);
    if (config->adopt_any) {
        err = breaker_release_id_parse("any", 3, &agreement.release);
        assert(err == 0);
    }
    agreement.suffix[0] = '\0';
    if (config->token_suffix)
        breaker__cluster_suffix(release, agreement.suffix, sizeof(agreement.suffix));
    assert(breaker__release_id_is_valid(agreement.release.text, agreement.release.len));
    assert((agreement.suffix[0] == '-') == config->token_suffix);
    *ret_agreement = agreement;
    return 0;
}

/* ---- a check of the whole, the link included ---- */

/* the link of a check never dials, so nothing comes of it */

static void ignore_up(void *data)
{
    (void)data;
    assert(!"a link that never dialed is up");
}

static void ignore_down(void *data, const char *reason)
{
    (void)data, (void)reason;
    assert(!"a link that never dialed is down");
}

static void ignore_reply(void *data, const breaker_reply_t *reply)
{
    (void)data, (void)reply;
    assert(!"a link that never dialed has a reply");
}

int breaker_cluster_check(const breaker_node_t *node, const breaker_cluster_config_t *config,
                          breaker_error_t *error)
{
    static const breaker_redis_callbacks_t callbacks = {
        .on_up = ignore_up, .on_down = ignore_down, .on_reply = ignore_reply};
    breaker_redis_t *redis = NULL;
    breaker_token_t fixed;
    uv_loop_t loop;
    int err, close_err;

    if ((err = check(node, config, &fixed, error)) != 0)
        return err;
    if (uv_loop_init(&loop) != 0)
        return breaker_error_set(error, BREAKER_ERR_IO, "cannot make a loop");
    err = breaker_redis_create(&loop, &config->redis, &callbacks, &redis, error);
    breaker_redis_free(err == 0 ? redis : NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    close_err = uv_loop_close(&loop);
    assert(close_err == 0);
    return err;
}
