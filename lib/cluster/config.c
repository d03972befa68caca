/*
 * What a cluster is configured with: defaults and bounds. Everything that can be known to be wrong
 * is refused here, before a thread or a connection exists, so that a server can check its file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/config.h"

enum {
    /* dead-after spans at least so many polls, or live releases would overtake each other */
    DEAD_POLLS = 3,
    TIMER_MAX_MS = 86400000,
    PORT_DIGITS_MAX = 5,
};

void breaker_cluster_config_init(breaker_cluster_config_t *config)
{
    breaker_agreement_config_t agreement;

    memset(config, 0, sizeof(*config));
    breaker_redis_config_init(&config->redis);
    breaker_agreement_config_init(&agreement);
    config->start = agreement.start;
    config->poll_ms = agreement.poll_ms;
    config->start_timeout_ms = agreement.start_timeout_ms;
    config->dead_after_ms = agreement.dead_after_ms;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; ++text)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = strlen(text), digits;

    if (colon == NULL || colon == text || len > BREAKER_ADVERTISE_MAX || !is_printable(text))
        return false;
    digits = strlen(colon + 1);
    if (digits > PORT_DIGITS_MAX || !breaker_token_is_decimal(colon + 1, digits))
        return false;
    return atoi(colon + 1) >= 1 && atoi(colon + 1) <= 65535;
}

static int check_names(const breaker_cluster_config_t *config, breaker_error_t *error)
{
    if (config->app == NULL || !breaker_token_is_valid(config->app, strlen(config->app)))
        return breaker_error_set(error, BREAKER_ERR_TOKEN_SYNTAX,
                                 "app: accepted: 1 to %d characters of A-Z a-z 0-9 . _ ~ -",
                                 BREAKER_APP_MAX);
    if (config->advertise != NULL && !is_address(config->advertise))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "advertise: accepted: host:port, at most %d characters",
                                 BREAKER_ADVERTISE_MAX);
    return 0;
}

static int check_timers(const breaker_cluster_config_t *config, breaker_error_t *error)
{
    if (config->poll_ms < BREAKER_POLL_MIN_MS || config->poll_ms > BREAKER_POLL_MAX_MS)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "poll: accepted: %d to %d ms",
                                 BREAKER_POLL_MIN_MS, BREAKER_POLL_MAX_MS);
    if (config->dead_after_ms > BREAKER_DEAD_AFTER_MAX_MS ||
        (config->dead_after_ms != 0 && config->dead_after_ms < DEAD_POLLS * config->poll_ms))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "dead-after: accepted: 0 (never), or three polls (%" PRIu32
                                 " ms) to %d ms",
                                 DEAD_POLLS * config->poll_ms, BREAKER_DEAD_AFTER_MAX_MS);
    if (config->start_timeout_ms > TIMER_MAX_MS)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "start-timeout: accepted: 0 to %d ms",
                                 TIMER_MAX_MS);
    return 0;
}

static int parse_operator_token(const breaker_node_t *node, breaker_token_t *ret_token,
                                breaker_error_t *error)
{
    int err = breaker_node_operator_token(node, ret_token);

    if (err == 0)
        return 0;
    return breaker_error_set(error, err,
                             "a cluster agrees on one token: all views must have the same "
                             "operator's token, or none of them any");
}

int breaker__cluster_check(const breaker_node_t *node, const breaker_cluster_config_t *config,
                           breaker_token_t *ret_token, breaker_error_t *error)
{
    int err;

    if ((err = check_names(config, error)) != 0 || (err = check_timers(config, error)) != 0)
        return err;
    return parse_operator_token(node, ret_token, error);
}

static void ignore_up(void *data)
{
    (void)data;
}

static void ignore_down(void *data, const char *reason)
{
    (void)data, (void)reason;
}

static void ignore_reply(void *data, const breaker_reply_t *reply)
{
    (void)data, (void)reply;
}

int breaker_cluster_check(const breaker_node_t *node, const breaker_cluster_config_t *config,
                          breaker_error_t *error)
{
    static const breaker_redis_callbacks_t callbacks = {NULL, ignore_up, ignore_down, ignore_reply};
    breaker_redis_t *redis = NULL;
    breaker_token_t token;
    uv_loop_t loop;
    int err;

    if ((err = breaker__cluster_check(node, config, &token, error)) != 0)
        return err;
    if (uv_loop_init(&loop) != 0)
        return breaker_error_set(error, BREAKER_ERR_IO, "cannot make a loop");
    err = breaker_redis_create(&loop, &config->redis, &callbacks, &redis, error);
    breaker_redis_free(err == 0 ? redis : NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return err;
}
