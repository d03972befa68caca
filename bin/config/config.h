#ifndef BREAKER_BIN_CONFIG_H
#define BREAKER_BIN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <h2o.h>
#include <yoml.h>
#include <breaker/h2o.h>
#include "config/paths.h"
#include "http2/calm.h"
#include "logs/error_log.h"
#include "net/listener.h"

/**
 * What a configuration file comes to: libh2o's part in `globalconf`, the node with its views, and
 * the directives that are ours. Strings are owned; NULL where the file says nothing.
 */
typedef struct st_breaker__config_t {
    h2o_globalconf_t globalconf;
    breaker_node_t *node; /* owned */
    breaker__listeners_t listeners;
    /** when the process began, in seconds since 1970 */
    time_t begun_at;
    size_t num_threads;
    /** 0: by the limit of descriptors */
    size_t max_connections;
    unsigned shutdown_timeout_s;
    /** for how long requests are taken on after the signal to stop */
    uint32_t shutdown_delay_ms;
    /** plain requests for assets are answered past libh2o's HTTP/1 */
    bool fast_path;
    /** of every listener on TCP; 0: none */
    int fast_open_max;
    /** of every listener with TLS; `lifetime_s` 0: the default */
    breaker__resumption_t resumption;
    /** the durations of requests are measured, for h2o's `status` */
    bool duration_stats;
    /** the process gives up what `paths` do not need */
    bool sandbox;
    /** how much connections of HTTP/2 may send of what costs more than it brings */
    breaker__calm_limits_t calm;
    /** what the file names for the time when it is served */
    breaker__paths_t paths;
    /** as the file says it (process/user.h), and by the name that libh2o knows it by */
    char *user;
    char *user_name;
    char *pid_file;
    breaker__error_log_config_t error_log;
} breaker__config_t;

/** Fills in the defaults and makes the node. Aborts when memory is short, as libh2o does. */
void breaker__config_init(breaker__config_t *config);

/**
 * Reads a configuration file: directives of libh2o, ours, and breaker.*. Certificates are loaded;
 * nothing is bound and no release is read; `checks_only` also keeps libh2o from starting programs
 * and opening logs. Returns 0, or -1 after one line on stderr that names the
 * place, the key, what was found and what is accepted.
 */
int breaker__config_load(breaker__config_t *config, const char *path, bool checks_only);

/** Frees everything. No context of libh2o may be in use any more. */
void breaker__config_dispose(breaker__config_t *config);

#endif
