#ifndef BREAKER_BIN_CTL_OPTIONS_H
#define BREAKER_BIN_CTL_OPTIONS_H

/* What breakerctl is told. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/redis.h>
#include <breaker/release_id.h>

/** How breakerctl ends, beside what sysexits.h says. */
enum {
    BREAKER__CTL_OK = 0,
    BREAKER__CTL_UNKNOWN = 1,
    BREAKER__CTL_USAGE = 2,
    BREAKER__CTL_REDIS = 3,
};

enum { BREAKER__CTL_ENVIRONMENT_MAX = 8192 };

/** It points into itself, so a copy is of no use. */
typedef struct st_breaker__ctl_options_t {
    const char *app;
    /** `promote`, and not `status`; what is promoted, as the operator names it */
    bool promotes;
    breaker_release_id_t release;
    bool has_json, has_force, has_all;
    uint32_t timeout_ms, dead_after_ms;
    breaker_redis_config_t redis;
    /** private: where the texts of `redis` are, and the arguments that are no options */
    char *urls[BREAKER_REDIS_URLS_MAX];
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    char environment[BREAKER__CTL_ENVIRONMENT_MAX];
    int argc;
    char **argv;
} breaker__ctl_options_t;

/** Reads the command line and the environment, or says what is wrong and exits. */
void breaker__ctl_options_read(breaker__ctl_options_t *options, int argc, char **argv);
/** Wipes URLs and password, once the link has copies. */
void breaker__ctl_options_forget(breaker__ctl_options_t *options);

#endif
