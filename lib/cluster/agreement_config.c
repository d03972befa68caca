/*
 * What an agreement is configured with: the defaults, and the only place where its bounds are
 * checked, for the agreement itself and for a cluster's configuration, which says them by their
 * names there. Pure, like the agreement.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/agreement_config.h"
#include "release/release_id.h"

enum {
    /* dead-after spans at least so many polls, or live releases would overtake each other */
    DEAD_POLLS = 3,
    TIMER_MAX_MS = 86400000,
};

void breaker__agreement_config_init(breaker_agreement_config_t *config)
{
    *config = (breaker_agreement_config_t){
        .start = BREAKER_START_OPEN,
        .poll_ms = 1000,
        .backoff_min_ms = 100,
        .backoff_max_ms = 1500,
        .forgive_after_ms = 5000,
        .grace_ms = 1500,
        .start_timeout_ms = 30000,
        .settle_ms = 2000,
        .dead_after_ms = BREAKER_DEAD_AFTER_DEFAULT_MS,
    };
}

static int check_dead_after(const breaker_agreement_config_t *config, breaker_error_t *error)
{
    uint32_t dead_ms = config->dead_after_ms;

    assert(config->poll_ms <= BREAKER_POLL_MAX_MS);
    if (dead_ms <= BREAKER_DEAD_AFTER_MAX_MS &&
        (dead_ms == 0 || dead_ms >= DEAD_POLLS * config->poll_ms))
        return 0;
    return breaker_error_set(error, BREAKER_ERR_RANGE,
                             "dead-after: accepted: 0 (never), or three polls (%" PRIu32
                             " ms) to %d ms",
                             DEAD_POLLS * config->poll_ms, BREAKER_DEAD_AFTER_MAX_MS);
}

int breaker__agreement_check_timers(const breaker_agreement_config_t *config,
                                    breaker_error_t *error)
{
    const struct {
        const char *name;
        uint32_t value_ms, min_ms, max_ms;
    } timers[] = {
        {"poll", config->poll_ms, BREAKER_POLL_MIN_MS, BREAKER_POLL_MAX_MS},
        {"backoff-min", config->backoff_min_ms, 1, config->backoff_max_ms},
        {"backoff-max", config->backoff_max_ms, 1, TIMER_MAX_MS},
        {"forgive-after", config->forgive_after_ms, 0, TIMER_MAX_MS},
        {"grace", config->grace_ms, 0, TIMER_MAX_MS},
        {"start-timeout", config->start_timeout_ms, 0, TIMER_MAX_MS},
        {"settle", config->settle_ms, 0, TIMER_MAX_MS},
    };

    for (size_t i = 0; i != sizeof(timers) / sizeof(timers[0]); ++i)
        if (timers[i].value_ms < timers[i].min_ms || timers[i].value_ms > timers[i].max_ms)
            return breaker_error_set(error, BREAKER_ERR_RANGE,
                                     "%s: accepted: %" PRIu32 " to %" PRIu32 " ms", timers[i].name,
                                     timers[i].min_ms, timers[i].max_ms);
    return check_dead_after(config, error);
}

static int check_suffix(const breaker_agreement_config_t *config)
{
    size_t len = strnlen(config->suffix, sizeof(config->suffix));

    if (len == sizeof(config->suffix))
        return BREAKER_ERR_RANGE;
    for (size_t i = 0; i != len; ++i) {
        const char probe[] = {'0', config->suffix[i]};
        if (!breaker_token_is_valid(probe, sizeof(probe)))
            return BREAKER_ERR_TOKEN_SYNTAX;
    }
    return 0;
}

int breaker__agreement_check(const breaker_agreement_config_t *config)
{
    const breaker_token_t *fixed = &config->fixed;
    int err = breaker__agreement_check_timers(config, NULL);

    if (err != 0)
        return err;
    if (!breaker__release_id_is_valid(config->release.text, config->release.len))
        return BREAKER_ERR_RELEASE_SYNTAX;
    if (fixed->len != 0 && !breaker_token_is_valid(fixed->text, fixed->len))
        return BREAKER_ERR_TOKEN_SYNTAX;
    return check_suffix(config);
}
